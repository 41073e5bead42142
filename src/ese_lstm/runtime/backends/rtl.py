"""The exported Verilog as an engine: a simulated device of its own, behind its files."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ...contract.config import EngineConfig
from ...contract.image import Image
from ..backend import Ints, Mask, Options
from ..errors import DeviceError
from .xdma import DeviceBackend

if TYPE_CHECKING:
    from ...sim.rtl.device import SimulatedDevice

NAME = "rtl"


def open_backend(path: str, options: Options) -> "RtlBackend":
    """The Verilog of ``options.config`` and ``options.shell``, or of what an image needs."""
    return RtlBackend(options)


class RtlBackend:
    """Starts a simulated device, at once if its configuration is known, and ends it on close."""

    def __init__(self, options: Options) -> None:
        self.config, self._options = options.config, options
        self._device: SimulatedDevice | None = None
        self._files: DeviceBackend | None = None
        if self.config is not None:
            self._start(self.config)

    def load(self, image: Image) -> None:
        """Load the image, into a new simulated device if there is none that runs."""
        if self._files is None or self._device is None or not self._device.running:
            self.close()
            self._start(image.config)
        with self._speaking() as files:
            files.load(image)

    def submit(self, frame: Ints, active: Mask, start: Mask) -> None:
        """Send a frame to the device."""
        with self._speaking() as files:
            files.submit(frame, active, start)

    def collect(self, timeout_s: float) -> Ints | None:
        """The device's oldest result; None if there is none in time."""
        with self._speaking() as files:
            return files.collect(timeout_s)

    def check(self) -> None:
        """Raise DeviceError if the device reports an error or its simulator ended."""
        with self._speaking() as files:
            files.check()

    def counters(self) -> dict[str, int]:
        """The device's counters."""
        with self._speaking() as files:
            return files.counters()

    def close(self) -> None:
        """End the simulated device."""
        files, self._files = self._files, None
        device, self._device = self._device, None
        try:
            if files is not None:
                files.close()
        finally:
            if device is not None:
                device.close()

    def _start(self, config: EngineConfig) -> None:
        from ...sim.rtl.device import SimulatedDevice

        self._device = SimulatedDevice(config, self._options.shell,
                                       progress=self._options.progress)
        try:
            self._files = DeviceBackend(self._device.path, config, self._options.timeout_s,
                                        self._options.patience)
        except BaseException:
            self.close()
            raise
        self.config = config

    @contextmanager
    def _speaking(self) -> Iterator[DeviceBackend]:
        """Say how the simulator ended, if it did."""
        assert self._files is not None
        try:
            yield self._files
        except DeviceError as error:
            if self._device is None or not self._device.ended(within_s=1):
                raise
            raise DeviceError(f"device: the simulator must run, but {self._device.ending()}"
                              ) from error
