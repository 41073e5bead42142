"""Whose turn it is: an engine's lock, its failure, and waiting for other threads."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from ..contract.errors import EseError
from ..contract.image import Image, Manifest
from .backend import Backend
from .errors import DeviceError, EngineTimeout, NoFreeChannel, closed, not_loaded
from .lockstep import Lockstep, Session


class Turns:
    """A backend and its scheduler, for one thread at a time; engine, streams and batches share it.

    timeout_s: longest wait for an answer. A failure of the device is remembered: until an image is
    loaded, every turn raises it again.
    """

    def __init__(self, backend: Backend, timeout_s: float) -> None:
        self.timeout_s = timeout_s
        self._backend: Backend | None = backend
        self._manifest: Manifest | None = None
        self._lockstep: Lockstep | None = None
        self._failure: EseError | None = None
        self._changed = threading.Condition(threading.RLock())

    @property
    def backend(self) -> Backend:
        """Raises EseError when closed."""
        if self._backend is None:
            raise closed()
        return self._backend

    @property
    def manifest(self) -> Manifest:
        """Of the loaded image. Raises EseError if there is none."""
        if self._manifest is None:
            raise not_loaded()
        return self._manifest

    def load(self, image: Image) -> None:
        """Load an image and start. Raises EseError if streams are open, or if the image is for
        another configuration."""
        with self._changed:
            backend = self.backend
            if self._lockstep is not None and self._lockstep.occupied and not self._failure:
                raise EseError(f"image: must be loaded while no stream is open, but "
                               f"{len(self._lockstep.occupied)} are")
            if backend.config is not None:
                image.require_config(backend.config)
            self._lockstep = self._manifest = None
            with self._failing():
                backend.load(image)
            self._failure = None
            self._manifest = image.manifest
            self._lockstep = Lockstep(backend, image.config.channels,
                                      image.manifest.layers[0].inputs, self.timeout_s)

    def close(self) -> None:
        """Give the backend back; nothing has a turn any more. May be called twice."""
        with self._changed:
            backend, self._backend, self._lockstep = self._backend, None, None
            if backend is not None:
                backend.close()
            self._changed.notify_all()

    @contextmanager
    def turn(self) -> Iterator[Lockstep]:
        """The scheduler, for this thread alone; wakes who waits for another stream."""
        with self._changed:
            try:
                lockstep = self._running()
                with self._failing():
                    yield lockstep
            finally:
                self._changed.notify_all()

    def abandon(self, session: Session) -> None:
        """Forget a session, whatever became of the engine."""
        with self._changed:
            if self._lockstep is not None:
                self._lockstep.abandon(session)
            self._changed.notify_all()

    def wait_for_others(self, deadline: float) -> None:
        """Let other threads push until a frame can run or a result is awaited. Raises
        EngineTimeout at the deadline (of ``time.monotonic``)."""
        with self._changed:
            lockstep = self._running()
            while not (lockstep.can_run() or lockstep.in_flight or not lockstep.occupied):
                if not self._changed.wait(deadline - time.monotonic()):
                    names = ", ".join(str(channel) for channel in lockstep.holding_up())
                    waiting = max(session.waiting for session in lockstep.occupied)
                    raise EngineTimeout(
                        f"stream: must have a frame waiting on every open channel to run, but "
                        f"{waiting} frames wait for a stream on channel {names}; push to it, "
                        f"finish it or close it")
                lockstep = self._running()

    def wait_for_channel(self, deadline: float) -> None:
        """Let other threads go on with their streams, which hold all channels. Raises
        NoFreeChannel at the deadline (of ``time.monotonic``)."""
        with self._changed:
            lockstep = self._running()
            if not lockstep.free and not self._changed.wait(deadline - time.monotonic()):
                raise NoFreeChannel(f"channels: must be free for utterances to run, but all "
                                    f"{lockstep.channels} are held by open streams, and no frame "
                                    f"ran for timeout_s={self.timeout_s:g}")

    def _running(self) -> Lockstep:
        """Raises EseError when closed, after a failure, and without an image."""
        if self._backend is None:
            raise closed()
        if self._failure is not None:
            raise type(self._failure)(f"engine: must be loaded again after its failure: "
                                      f"{self._failure}")
        if self._lockstep is None:
            raise not_loaded()
        return self._lockstep

    @contextmanager
    def _failing(self) -> Iterator[None]:
        """Remember a device's failure."""
        try:
            yield
        except (DeviceError, EngineTimeout) as error:
            self._failure = error
            raise
