"""The engine as a program sees it: load an image, open streams."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

from ..contract.config import EngineConfig
from ..contract.errors import EseError
from ..contract.image import Image, Manifest, read_image
from ..contract.shell import ShellConfig
from .backend import Backend
from .errors import DeviceError, EngineTimeout, NoFreeChannel
from .golden import GoldenBackend
from .lockstep import Lockstep, Session
from .patience import DEFAULT_PATIENCE, Patience
from .stream import Stream

Progress = Callable[[str, float], None]
"""Told now and then what is being done and the fraction done (0 to 1)."""


class Engine:
    """One engine with one image loaded and a stream on each channel in use.

    All channels advance in lock-step: **a frame runs when every open stream has a frame
    waiting**. A stream without frames makes the others wait until it is pushed to, finished or
    closed. Made by :meth:`open`; a context manager; its methods and its streams' may be called
    from several threads.

    After EngineTimeout or DeviceError from the device, frames are lost: load the image again.
    """

    def __init__(self, backend: Backend, timeout_s: float) -> None:
        self._backend: Backend | None = backend
        self.timeout_s = timeout_s
        self._manifest: Manifest | None = None
        self._lockstep: Lockstep | None = None
        self._failure: EseError | None = None
        self._changed = threading.Condition(threading.RLock())

    @classmethod
    def open(cls, backend: str, *, config: EngineConfig | None = None,
             shell: ShellConfig | None = None, timeout_s: float = 10.0,
             progress: Progress | None = None,
             patience: Patience = DEFAULT_PATIENCE) -> "Engine":
        """Open an engine.

        backend: ``golden``, the bit-exact model; ``rtl``, the exported Verilog in Verilator,
        behind a simulated device of its own; ``xdma:/dev/xdma0``, a board's files of the Xilinx
        XDMA driver, or those of a simulated device. config: the engine's configuration; without
        it, the device's or the first image's. shell: of the ``rtl`` backend. timeout_s: longest
        wait for an answer. progress: told about a simulator being built. patience: when hardware
        says that it hangs, as DeviceError with a sentence that names ``watchdog`` or
        ``memory_timeout``; of no matter to ``golden``.
        Raises EseError if there is no such backend or device.
        """
        if not 0 < timeout_s < float("inf"):
            raise EseError(f"timeout_s: must be a positive number of seconds, got {timeout_s}")
        kind, _, path = backend.partition(":")
        if shell is not None and kind != "rtl":
            raise EseError(f"shell: must be given for the backend rtl only, got it for "
                           f"{backend!r}")
        if backend == "golden":
            return cls(GoldenBackend(config), timeout_s)
        if backend == "rtl":
            from .rtl import RtlBackend

            return cls(RtlBackend(config, shell, timeout_s, progress, patience),
                       timeout_s)
        if kind == "xdma" and path:
            from .device import DeviceBackend

            return cls(DeviceBackend(Path(path), config, timeout_s, patience),
                       timeout_s)
        raise EseError(f"backend: must be golden, rtl or xdma:PATH, got {backend!r}")

    def load(self, image: Image | Path | str) -> None:
        """Load an image, or an image's file, and start. Results still under way and counters are
        forgotten. Raises EseError if streams are open, or if the image is not for this engine's
        configuration."""
        with self._changed:
            backend = self._open()
            if self._lockstep is not None and self._lockstep.occupied and not self._failure:
                raise EseError(f"image: must be loaded while no stream is open, but "
                               f"{len(self._lockstep.occupied)} are")
            loaded = image if isinstance(image, Image) else read_image(Path(image))
            if backend.config is not None:
                loaded.require_config(backend.config)
            self._lockstep = self._manifest = None
            with self._failing():
                backend.load(loaded)
            self._failure = None
            self._manifest = loaded.manifest
            self._lockstep = Lockstep(backend, loaded.config.channels,
                                      loaded.manifest.layers[0].inputs, self.timeout_s)

    def open_stream(self, *, integers: bool = False) -> Stream:
        """A stream on a free channel, with its state reset.

        integers: frames and outputs are integers in the image's number formats instead of real
        values. Raises NoFreeChannel if all channels are taken, EseError if no image is loaded.
        """
        with self._changed:
            return Stream(self, self._running().open(), self.manifest, integers)

    def counters(self) -> dict[str, int]:
        """Performance counters since the image was loaded, by name: those of
        ``hw.counters.counter_layout`` and the shell's; the golden model's are ``frames``,
        ``products`` and ``nulls``."""
        with self._changed:
            self._running()
            with self._failing():
                return self._open().counters()

    @property
    def config(self) -> EngineConfig | None:
        """The engine's configuration; None before it is known, at the latest when an image is
        loaded."""
        return self._open().config

    @property
    def manifest(self) -> Manifest:
        """Of the loaded image. Raises EseError if there is none."""
        if self._manifest is None:
            raise EseError("image: must be loaded before the engine runs, but none is")
        return self._manifest

    def close(self) -> None:
        """Give the engine back; its streams are closed. May be called twice."""
        with self._changed:
            backend, self._backend, self._lockstep = self._backend, None, None
            if backend is not None:
                backend.close()
            self._changed.notify_all()

    def __enter__(self) -> "Engine":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.close()

    # For streams and batches, with self._changed held ----------------------------------------

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

    def abandon(self, session: Session) -> None:
        """Forget a session, whatever became of the engine."""
        with self._changed:
            if self._lockstep is not None:
                self._lockstep.abandon(session)
            self._changed.notify_all()

    def check(self) -> None:
        """Raise DeviceError if the device has a sticky error."""
        with self._changed, self._failing():
            self._open().check()

    def _open(self) -> Backend:
        if self._backend is None:
            raise EseError("engine: must be open, but was closed")
        return self._backend

    def _running(self) -> Lockstep:
        self._open()
        if self._failure is not None:
            raise type(self._failure)(f"engine: must be loaded again after its failure: "
                                      f"{self._failure}")
        if self._lockstep is None:
            raise EseError("image: must be loaded before the engine runs, but none is")
        return self._lockstep

    @contextmanager
    def _failing(self) -> Iterator[None]:
        """Remember a device's failure."""
        try:
            yield
        except (DeviceError, EngineTimeout) as error:
            self._failure = error
            raise
