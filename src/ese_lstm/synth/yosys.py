"""Yosys (the pyosys wheel), one unit a process: its log goes to a file, its memory is freed."""

import json
import multiprocessing
import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

from ..contract.errors import EseError

Netlist = dict[str, Any]
"""One module as Yosys' ``write_json`` has it: ports, cells, netnames."""

XCU = "synth_xilinx -family xcu -flatten -noiopad -noclkbuf -top {top}"
"""UltraScale mapping: LUT1-6, CARRY4 (two make a CARRY8), RAM32M16, RAMB36E2, DSP48E2."""

ECP5 = "synth_ecp5 -top {top}"


@dataclass(frozen=True)
class Task:
    """A Verilog text to be mapped by the Yosys command ``command``; files go to ``folder``."""

    name: str
    verilog: str
    command: str
    folder: Path

    @property
    def text(self) -> str:
        """What Yosys reads, the command included: an equal text has an equal netlist."""
        return f"// {self.command}\n{self.verilog}"

    @property
    def source(self) -> Path:
        """Where the Verilog goes."""
        return self.folder / f"{self.name}.v"

    @property
    def done(self) -> bool:
        """The netlist of this very text is there."""
        return self.json.is_file() and self.source.is_file() \
            and self.source.read_text() == self.text

    @property
    def json(self) -> Path:
        """Where the netlist goes."""
        return self.folder / f"{self.name}.json"


def available() -> None:
    """Raises EseError if pyosys is not installed."""
    try:
        import pyosys  # noqa: F401
    except ImportError:
        raise EseError("synthesis: needs the package pyosys (pip install 'ese-lstm[synth]')"
                       ) from None


def run_all(tasks: Iterable[Task], *, jobs: int,
            progress: Callable[[str, float], None] | None = None) -> dict[str, float]:
    """Run the tasks that are not done, ``jobs`` at a time; seconds that each took, by name.

    progress: called with the name of a task that is done and its seconds. Raises EseError naming
    the unit and the log if Yosys fails.
    """
    seconds: dict[str, float] = {}
    with ThreadPoolExecutor(jobs) as pool:
        running = {pool.submit(_process, task): task for task in tasks if not task.done}
        try:
            for future in as_completed(running):
                task = running[future]
                seconds[task.name] = future.result()
                if progress:
                    progress(task.name, seconds[task.name])
        finally:
            pool.shutdown(cancel_futures=True)
    return seconds


def netlist(task: Task) -> Netlist:
    """The mapped module."""
    module: Netlist = json.loads(task.json.read_text())["modules"][task.name]
    return module


def _process(task: Task) -> float:
    """Seconds of the task in a process of its own, which Yosys may end."""
    begin = perf_counter()
    process = multiprocessing.get_context("spawn").Process(target=_run, args=(task,))
    process.start()
    process.join()
    if process.exitcode or not task.done:
        raise EseError(f"synthesis: {task.name} must be mapped by Yosys, but it failed: "
                       f"{task.json.with_suffix('.log')}")
    return perf_counter() - begin


def _run(task: Task) -> None:
    task.folder.mkdir(parents=True, exist_ok=True)
    task.json.unlink(missing_ok=True)
    task.source.write_text(task.text)
    log = os.open(task.json.with_suffix(".log"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
    os.dup2(log, 1)
    os.dup2(log, 2)
    from pyosys import libyosys

    design = libyosys.Design()
    for command in (
            f"read_verilog -sv {task.source}", f"hierarchy -check -top {task.name}",
            task.command.format(top=task.name),
            f"write_json {task.json}.part"):
        libyosys.run_pass(command, design)
    Path(f"{task.json}.part").replace(task.json)

