"""The engine as a program sees it: load an image, open streams."""

from pathlib import Path
from types import TracebackType

from ..contract.config import EngineConfig
from ..contract.errors import EseError
from ..contract.image import Image, Manifest, read_image
from ..contract.shell import ShellConfig
from .backend import Backend, Options, Progress
from .backends import open_backend
from .patience import DEFAULT_PATIENCE, Patience
from .stream import Stream
from .turns import Turns


class Engine:
    """One engine with one image loaded and a stream on each channel in use.

    All channels advance in lock-step: **a frame runs when every open stream has a frame
    waiting**. A stream without frames makes the others wait until it is pushed to, finished or
    closed. Made by :meth:`open`; a context manager; its methods and its streams' may be called
    from several threads.

    After EngineTimeout or DeviceError from the device, frames are lost: load the image again.
    """

    def __init__(self, backend: Backend, timeout_s: float) -> None:
        self.turns = Turns(backend, timeout_s)
        """Who may speak to the engine, for streams and batches."""

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
        return cls(open_backend(backend, Options(config, shell, timeout_s, progress, patience)),
                   timeout_s)

    def load(self, image: Image | Path | str) -> None:
        """Load an image, or an image's file, and start. Results still under way and counters are
        forgotten. Raises EseError if streams are open, or if the image is not for this engine's
        configuration."""
        self.turns.load(image if isinstance(image, Image) else read_image(Path(image)))

    def open_stream(self, *, integers: bool = False) -> Stream:
        """A stream on a free channel, with its state reset.

        integers: frames and outputs are integers in the image's number formats instead of real
        values. Raises NoFreeChannel if all channels are taken, EseError if no image is loaded.
        """
        with self.turns.turn() as lockstep:
            return Stream(self.turns, lockstep.open(), self.manifest, integers)

    def counters(self) -> dict[str, int]:
        """Performance counters since the image was loaded, by name: those of
        ``hw.counters.counter_layout`` and the shell's; the golden model's are ``frames``,
        ``products`` and ``nulls``."""
        with self.turns.turn() as lockstep:
            return lockstep.backend.counters()

    @property
    def timeout_s(self) -> float:
        """Longest wait for an answer; may be changed."""
        return self.turns.timeout_s

    @timeout_s.setter
    def timeout_s(self, seconds: float) -> None:
        """From the next wait on."""
        self.turns.timeout_s = seconds

    @property
    def config(self) -> EngineConfig | None:
        """The engine's configuration; None before it is known, at the latest when an image is
        loaded."""
        return self.turns.backend.config

    @property
    def manifest(self) -> Manifest:
        """Of the loaded image. Raises EseError if there is none."""
        return self.turns.manifest

    def close(self) -> None:
        """Give the engine back; its streams are closed. May be called twice."""
        self.turns.close()

    def __enter__(self) -> "Engine":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.close()
