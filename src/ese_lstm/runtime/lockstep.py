"""Lock-step of the channels: when a frame of the engine runs, and whose results it gives.

All channels advance together, and a channel left out of a frame loses its state. So a frame runs
when every occupied channel has one waiting. A channel is free again as soon as the last frame of
its session has been submitted; its results may still be under way. Nothing here locks.
"""

from collections import deque

import numpy as np

from .backend import Backend, Ints
from .errors import EngineTimeout, NoFreeChannel

IN_FLIGHT = 64
"""Frames submitted and not yet collected, at most."""


class Session:
    """One stream's frames and results.

    channel: that it occupies, None once its last frame was submitted. ended: no more frames come.
    wanted: somebody will read its results.
    """

    def __init__(self, channel: int) -> None:
        self.channel: int | None = channel
        self.ended = False
        self.wanted = True
        self.submitted = self.received = 0
        self._waiting: deque[Ints] = deque()
        self._results: list[Ints] = []

    @property
    def waiting(self) -> int:
        """Frames pushed and not yet submitted."""
        return len(self._waiting)

    @property
    def under_way(self) -> int:
        """Frames submitted whose results are not here yet."""
        return self.submitted - self.received

    @property
    def done(self) -> bool:
        """Ended, and every result is here."""
        return self.channel is None and not self.under_way

    def add(self, frames: Ints) -> None:
        """Queue frames (T, inputs)."""
        self._waiting.extend(frames)

    def next(self) -> Ints:
        """The next frame, to be submitted."""
        self.submitted += 1
        return self._waiting.popleft()

    def receive(self, result: Ints) -> None:
        """Result of the oldest frame under way, (outputs,)."""
        self.received += 1
        if self.wanted:
            self._results.append(result)

    def take(self, width: int) -> Ints:
        """Results since the last call, (T, width)."""
        taken = np.array(self._results, np.int64).reshape(len(self._results), width)
        self._results.clear()
        return taken

    def drop(self) -> None:
        """Forget what waits and what comes."""
        self._waiting.clear()
        self._results.clear()
        self.wanted = False


class Lockstep:
    """Sessions on the channels of a loaded ``backend``.

    frames: engine frames submitted.
    """

    def __init__(self, backend: Backend, channels: int, inputs: int, timeout_s: float) -> None:
        self.channels = channels
        self.backend = backend
        self._inputs, self._timeout_s = inputs, timeout_s
        self._channels: list[Session | None] = [None] * channels
        self._flight: deque[list[tuple[int, Session]]] = deque()
        self.frames = 0

    @property
    def occupied(self) -> list[Session]:
        """Sessions that hold a channel."""
        return [session for session in self._channels if session is not None]

    @property
    def free(self) -> int:
        """Channels without a session."""
        return self._channels.count(None)

    @property
    def in_flight(self) -> int:
        """Engine frames submitted and not yet collected."""
        return len(self._flight)

    def open(self) -> Session:
        """A session on a free channel. Raises NoFreeChannel."""
        if None not in self._channels:
            raise NoFreeChannel(f"stream: must be one of at most {self.channels} open, as "
                                f"many as the engine has channels, and all are taken")
        channel = self._channels.index(None)
        session = self._channels[channel] = Session(channel)
        return session

    def end(self, session: Session) -> None:
        """No more frames come; frees the channel if none waits."""
        session.ended = True
        self._release(session)

    def abandon(self, session: Session) -> None:
        """Forget the session's frames and results; frees the channel."""
        session.drop()
        self.end(session)

    def holding_up(self) -> list[int]:
        """Channels whose session has no frame waiting."""
        return [number for number, session in enumerate(self._channels)
                if session is not None and not session.waiting]

    def can_run(self) -> bool:
        """A frame of every occupied channel waits, and there is one."""
        return bool(self.occupied) and not self.holding_up()

    def submit(self) -> None:
        """Run one frame; ``can_run`` must hold."""
        while len(self._flight) >= IN_FLIGHT:
            self.collect(self._timeout_s)
        frame = np.zeros((self._inputs, self.channels), np.int64)
        active, start = np.zeros((2, self.channels), bool)
        riders = []
        for number, session in enumerate(self._channels):
            if session is not None:
                start[number] = session.submitted == 0
                frame[:, number] = session.next()
                active[number] = True
                riders.append((number, session))
        self._flight.append(riders)
        self.backend.submit(frame, active, start)
        self.frames += 1
        for _number, session in riders:
            self._release(session)

    def collect(self, timeout_s: float = 0.0) -> bool:
        """Hand out the oldest frame's results if they are there.

        timeout_s: over 0, they are waited for, and EngineTimeout is raised if they don't come.
        """
        if not self._flight:
            return False
        result = self.backend.collect(timeout_s)
        if result is None:
            if timeout_s <= 0:
                return False
            self.backend.check()
            raise EngineTimeout(f"engine: must give the results of a frame within timeout_s="
                                f"{timeout_s:g}, but {len(self._flight)} frames wait for theirs")
        for number, session in self._flight.popleft():
            session.receive(result[:, number])
        return True

    def advance(self) -> bool:
        """One step: run a frame, or else wait for a result; False if neither can be."""
        if not self.can_run():
            return self.collect(self._timeout_s)
        self.submit()
        while self.collect():
            pass
        return True

    def pump(self) -> None:
        """Run every frame that can run; hand out what is there."""
        while self.can_run():
            self.advance()
        while self.collect():
            pass

    def _release(self, session: Session) -> None:
        if session.ended and not session.waiting and session.channel is not None:
            self._channels[session.channel] = None
            session.channel = None
