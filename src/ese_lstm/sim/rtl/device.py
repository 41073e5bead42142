"""A simulated XDMA device: a process that runs the shell's exported Verilog and serves its files.

In a folder lie ``xdma0_user``, ``xdma0_h2c_0``, ``xdma0_h2c_1`` and ``xdma0_c2h_0``: sockets that
carry the calls of the driver's files (:mod:`.remote_file`), served by :mod:`.device_bench`.
"""

import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType

from ...contract.config import EngineConfig
from ...contract.errors import EseError
from ...contract.shell import SHELL_PRESETS, ShellConfig
from .bench import PATTERNS
from .shell_runner import shell_simulator
from .verilator import Progress, SimulationError, launch, log_tail

BENCH = "ese_lstm.sim.rtl.device_bench"
NAME = "xdma0"
LONGEST_SOCKET_PATH = 107
"""Bytes of a Unix socket's path."""

START_TIMEOUT_S = 300.0
STOP_TIMEOUT_S = 5.0


class SimulatedDevice:
    """Builds the simulator, unless it is cached, and starts the process; a context manager.

    config, shell: of the hardware; the shell is as wide as the engine needs without. folder:
    where the files appear; a temporary one without. pause: a pattern of ``bench.PATTERNS`` of all
    streams. driver_timeout_s: of a transfer, as the driver's.
    Raises EseError for a folder that cannot be used, SimulationError if the process doesn't start.

    The process ends with :meth:`close`, and by itself when this one ends, however that happens.
    """

    def __init__(self, config: EngineConfig, shell: ShellConfig | None = None, *,
                 folder: Path | None = None, pause: str = "none", driver_timeout_s: float = 10.0,
                 seed: int = 0, progress: Progress | None = None) -> None:
        if pause not in PATTERNS:
            raise EseError(f"pause: must be one of {', '.join(PATTERNS)}, got {pause!r}")
        self.config, self.shell = config, shell or default_shell(config)
        simulator = shell_simulator(config, self.shell, progress)
        self._work = Path(tempfile.mkdtemp(prefix="ese-device-"))
        try:
            self.path = (self._work if folder is None else folder.absolute()) / NAME
            self._claim()
            self._process = launch(simulator, BENCH, {
                "path": str(self.path), "folder": str(self._work), "pause": pause,
                "streaming": int(config.fetch_depth > 0), "driver_timeout_s": driver_timeout_s,
                "seed": seed}, self._work, seed=seed)
        except BaseException:
            shutil.rmtree(self._work, ignore_errors=True)
            raise
        try:
            self._wait()
        except BaseException:
            self.close()
            raise

    @property
    def running(self) -> bool:
        """The process runs."""
        return self._process.poll() is None

    def ended(self, within_s: float) -> bool:
        """Whether the process ends within that time: its sockets close a moment before it does."""
        try:
            self._process.wait(within_s)
        except subprocess.TimeoutExpired:
            return False
        return True

    def ending(self) -> str:
        """How the process ended, and the end of its log."""
        return f"ended with {self._process.wait()}\n{log_tail(self._work)}".rstrip()

    def wait(self) -> None:
        """Until the process ends by itself."""
        self._process.wait()

    def close(self) -> None:
        """End the process and remove its files. May be called twice."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for file in self._names():
            file.unlink(missing_ok=True)
        shutil.rmtree(self._work, ignore_errors=True)

    def __enter__(self) -> "SimulatedDevice":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.close()

    def _names(self) -> list[Path]:
        return [self.path.with_name(f"{NAME}_{file}")
                for file in ("user", "h2c_0", "h2c_1", "c2h_0")]

    def _claim(self) -> None:
        """The folder exists, holds no such files, and their paths are short enough."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise EseError(f"folder: {self.path.parent} must be a folder, but {error.strerror}"
                           ) from None
        for file in self._names():
            if len(f".{file}".encode()) > LONGEST_SOCKET_PATH:
                raise EseError(f"folder: {self.path.parent} must have a path of at most "
                               f"{LONGEST_SOCKET_PATH - len(f'/.{NAME}_h2c_0')} bytes, as sockets "
                               f"lie in it")
            if file.exists():
                raise EseError(f"folder: {file} must not exist, but does: another simulated "
                               f"device has it, or left it")

    def _wait(self) -> None:
        """Until the files are there."""
        deadline = time.monotonic() + START_TIMEOUT_S
        while not all(file.exists() for file in self._names()):
            if not self.running or time.monotonic() > deadline:
                raise SimulationError(f"{BENCH}: the simulated device did not start\n"
                                      f"{log_tail(self._work)}")
            time.sleep(0.01)


def default_shell(config: EngineConfig) -> ShellConfig:
    """Of a preset: wide for many channels, narrow for few."""
    return SHELL_PRESETS["xcku060" if config.channels > 4 else "tiny"]
