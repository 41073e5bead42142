"""One voice stream on one channel of an engine."""

import time
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..contract.config import EngineConfig
from ..contract.errors import EseError
from ..contract.frames import quantise_frames, real_outputs
from ..contract.image import Manifest
from .lockstep import Session
from .turns import Turns


class Stream:
    """Frames of one utterance in, its outputs out, in order; made by :meth:`Engine.open_stream`.

    A context manager: leaving it closes the stream. saturated: input values so far that were
    limited to the input's number format.
    """

    def __init__(self, turns: Turns, session: Session, manifest: Manifest,
                 integers: bool) -> None:
        self._turns, self._session = turns, session
        self._manifest, self._integers = manifest, integers
        self._inputs = manifest.layers[0].inputs
        last = manifest.layers[-1]
        self._outputs = last.projection or last.cells
        self._closed = False
        self.saturated = 0

    def push(self, frames: ArrayLike, *, wait: bool = False) -> NDArray[Any]:
        """Queue frames and run what can run.

        frames: (T, inputs), T from 0. Returns the outputs that are here by now, in order,
        (T', outputs) float64, int64 for integers; T' may be 0. wait: until the result of every
        frame that has started is here. Never waits for another stream.
        Raises EseError for another shape, NaN, Inf or integers that don't fit, and if the stream
        was finished or closed; EngineTimeout, DeviceError.
        """
        values = self._checked(frames)
        with self._turns.turn() as lockstep:
            self._usable()
            if self._session.ended:
                raise EseError("stream: must not be pushed to after finish")
            self._session.add(values)
            lockstep.pump()
        return self.read(wait=wait)

    def read(self, *, wait: bool = False) -> NDArray[Any]:
        """Outputs that are here by now and were not returned yet; see :meth:`push`."""
        with self._turns.turn() as lockstep:
            self._usable()
            lockstep.pump()
            while wait and self._session.under_way:
                lockstep.collect(self._turns.timeout_s)
            return self.take()

    def finish(self, *, wait: bool = True, timeout_s: float | None = None) -> NDArray[Any]:
        """No more frames come: the rest of the outputs, (T', outputs).

        The stream's last frames may have to wait for other streams, which another thread may
        push to, for timeout_s seconds, the engine's without it. Then EngineTimeout says which
        channel they wait for; nothing is lost, and ``finish`` may be called again. The channel is
        free when the last frame has started. wait: False returns what is here by now; call
        ``finish`` or ``read`` again for the rest.
        """
        deadline = time.monotonic() + (self._turns.timeout_s if timeout_s is None else timeout_s)
        with self._turns.turn() as lockstep:
            self._usable()
            lockstep.end(self._session)
            lockstep.pump()
        while wait and not self.done:
            with self._turns.turn() as lockstep:
                moved = lockstep.advance()
            if not moved and not self.done:
                self._turns.wait_for_others(deadline)
        with self._turns.turn() as lockstep:
            lockstep.backend.check()
            return self.take()

    @property
    def done(self) -> bool:
        """Finished, and every result is here."""
        return self._session.done

    def close(self) -> None:
        """Free the channel; frames that wait and outputs that were not read are forgotten. May be
        called twice, and after the engine was closed."""
        if not self._closed:
            self._closed = True
            self._turns.abandon(self._session)

    def __enter__(self) -> "Stream":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.close()

    def _usable(self) -> None:
        if self._closed:
            raise EseError("stream: must be open, but was closed")

    # For batches, within a turn of the engine ----------------------------------------------

    def queue(self, frames: ArrayLike) -> None:
        """Queue a whole utterance and run nothing."""
        values = self._checked(frames)
        with self._turns.turn() as lockstep:
            self._session.add(values)
            lockstep.end(self._session)

    def take(self) -> NDArray[Any]:
        """Outputs that were not returned yet."""
        taken = self._session.take(self._outputs)
        return taken if self._integers else real_outputs(taken, self._manifest)

    def _checked(self, frames: ArrayLike) -> NDArray[np.int64]:
        values = np.asarray(frames)
        if values.ndim != 2 or values.shape[1] != self._inputs:
            raise EseError(f"frames: must have the shape (T, {self._inputs}), got {values.shape}")
        if not len(values):
            return np.zeros(values.shape, np.int64)
        if not self._integers:
            integers, saturated = quantise_frames(values, self._manifest)
            self.saturated += saturated
            return integers
        if values.dtype.kind not in "iu":
            raise EseError(f"frames: must be integers, got {values.dtype}")
        bits = EngineConfig(**self._manifest.config).act_bits
        limit = 1 << (bits - 1)
        if values.min() < -limit or values.max() >= limit:
            raise EseError(f"frames: must be integers of {bits} bits, got {values.min()} to "
                           f"{values.max()}")
        return values.astype(np.int64)
