"""The studies: what each design choice costs or brings, all else as in the headline."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ..compress.prune import BALANCES, NoRoomError
from ..contract.errors import EseError
from ..contract.published import (
    QUEUE_DEPTH,
    SPEEDUP_BALANCED,
    SPEEDUP_DENSITY,
    SPEEDUP_UNBALANCED,
)
from ..contract.timing import ISSUES_PER_CELL
from ..sim.golden.cycles import CycleReport, simulate_model
from .figures import dense_tops, rates
from .measure import measure
from .study import Column, Plot, Study
from .workload import Workload

MODEL = ("Cycles are the cycle model's, which predicts the Verilog's exactly "
         "(`tests/bench/test_model.py`; `ese bench engine` at full size).")
DENSITIES = (0.05, 0.10, 0.20, 0.40, 0.60, 0.80)
DENSE_STREAM = 1 << 17
"""Entries of a lane that hold the network unpruned."""
MODEL_FRAMES = 8


@dataclass(frozen=True)
class Bench:
    """What studies start from. base: the headline's workload. rtl_frames: measured on Verilog.
    cache: where a checkpoint is fetched to."""

    base: Workload
    rtl_frames: int = 4
    cache: Path = Path("build/data")


def cycles(workload: Workload, cycles_per_cell: int = ISSUES_PER_CELL) -> CycleReport:
    """The cycle model, in the steady state."""
    return simulate_model(workload.decoded, MODEL_FRAMES, cycles_per_cell=cycles_per_cell)


def queue_depth(bench: Bench) -> Study:
    """Columns a lane may run behind the broadcaster."""
    rows = []
    for depth in (1, 2, 4, 8, 16, 32, 64):
        config = bench.base.config.replace(queue_depth=depth)
        reports = [cycles(bench.base.replace(config=config, balance=balance, keep_one=keep_one))
                   for balance, keep_one in (("matrix", True), ("tile", True), ("matrix", False))]
        rows.append((depth, *(report.cycles_per_frame for report in reports),
                     *(report.utilisation for report in reports)))
    names = ("matrix", "tile", "matrix, empty columns")
    return Study(
        "queue-depth", "Depth of the lanes' activation queues",
        (Column("depth"), *(Column(f"cycles: {name}") for name in names),
         *(Column(f"utilisation: {name}", 2, percent=True) for name in names)),
        tuple(rows),
        Plot("depth", tuple(f"utilisation: {name}" for name in names), "utilisation %", log=True),
        (MODEL, "matrix, tile: balance of pruning (the published rule, and within each tile of "
                "the program); pruning leaves a weight in every lane column, except in the third "
                f"series. The paper's queues are {QUEUE_DEPTH} deep [pub]; this engine's default "
                "is 32."))


def pruning(bench: Bench) -> Study:
    """Balanced against unbalanced pruning of random weights."""
    return _pruning(bench, bench.base, "pruning",
                    "Balanced against unbalanced pruning, random weights", (
                        "Normal weights are nearly balanced of themselves: every lane keeps close "
                        "to the same share without the rule. `trained-weights` repeats this on a "
                        "trained network.",))


def trained_weights(bench: Bench) -> Study:
    """Balanced against unbalanced pruning of a real speech network."""
    from ..compress.read.checkpoint import load_network
    from ..demo.fetch import fetch_checkpoint

    network = load_network(fetch_checkpoint(bench.cache))
    return _pruning(bench, bench.base.replace(network=network, shapes=()), "trained-weights",
                    "Balanced against unbalanced pruning, trained weights", (
                        "Weights of Resemblyzer's three LSTM layers 40 → 256 → 256 → 256 (speaker "
                        "encoder trained on speech), pruned without retraining.",))


def _pruning(bench: Bench, workload: Workload, name: str, title: str,
             notes: tuple[str, ...]) -> Study:
    config = workload.config.replace(stream_depth=DENSE_STREAM)
    workload = workload.replace(config=config, keep_one=False)
    dense = cycles(workload.replace(density=1.0, balance="none"))
    rows = []
    for density in DENSITIES:
        reports = [cycles(workload.replace(density=density, balance=balance))
                   for balance in BALANCES]
        rows.append((density, *(report.cycles_per_frame for report in reports),
                     *(report.utilisation for report in reports),
                     *(dense.cycles_per_frame / report.cycles_per_frame for report in reports)))
    speedups = tuple(f"speed-up: {balance}" for balance in BALANCES)
    return Study(
        name, title,
        (Column("density", percent=True), *(Column(f"cycles: {b}") for b in BALANCES),
         *(Column(f"utilisation: {b}", 2, percent=True) for b in BALANCES),
         *(Column(speedup, 2) for speedup in speedups)),
        tuple(rows),
        Plot("density", speedups, "speed-up over dense", marks=(
            (SPEEDUP_DENSITY, SPEEDUP_BALANCED, "paper, balanced [pub]"),
            (SPEEDUP_DENSITY, SPEEDUP_UNBALANCED, "paper, unbalanced [pub]"))),
        (MODEL, f"Speed-up is over the dense network on the same engine, "
                f"{dense.cycles_per_frame:,} cycles a frame. The paper states "
                f"{SPEEDUP_BALANCED}× balanced and {SPEEDUP_UNBALANCED}× unbalanced at 10 % "
                f"[pub]. Empty lane columns are left empty here (a null entry each), as at 5 % "
                f"not every lane column can keep a weight.", *notes))


def index_mode(bench: Bench) -> Study:
    """Absolute rows against the published relative index."""
    rows = []
    for density in (None, 0.05, 0.20):
        for mode in ("absolute", "relative4"):
            config = bench.base.config.replace(index_mode=mode, stream_depth=DENSE_STREAM // 4)
            workload = bench.base.replace(config=config, density=density,
                                          keep_one=density is None)
            report = cycles(workload)
            rows.append((
                f"{'paper' if density is None else f'{100 * density:.0f} %'}, {mode}",
                report.weights, report.fillers, report.nulls, config.entry_bits,
                report.entries * config.entry_bits, report.cycles_per_frame, report.utilisation))
    return Study(
        "index-mode", "Absolute rows against the published relative index",
        (Column("density, index"), Column("weights"), Column("fillers"), Column("nulls"),
         Column("bits an entry"), Column("stream bits"), Column("cycles"),
         Column("utilisation", 2, percent=True)),
        tuple(rows), Plot("density, index", ("cycles",), "cycles a frame", kind="bar"),
        (MODEL, "An entry holds a 12-bit weight, the index (5 bits absolute, 4 bits relative) and "
                "the end of its column. The relative index skips up to 15 rows and bridges longer "
                "gaps by a filler, which costs a cycle. With the paper's densities no lane column "
                "is empty; with the others a null entry stands for each empty one."))


def empty_columns(bench: Bench) -> Study:
    """One entry at least in every lane column, or a null entry."""
    rows = []
    for balance in BALANCES:
        for depth in (8, 32):
            config = bench.base.config.replace(queue_depth=depth)
            off, on = (cycles(bench.base.replace(config=config, balance=balance,
                                                 keep_one=keep_one)) for keep_one in (False, True))
            rows.append((f"{balance}, {depth}", off.nulls, off.cycles_per_frame, off.utilisation,
                         on.nulls, on.cycles_per_frame, on.utilisation))
    return Study(
        "empty-columns", "One entry a lane column kept, or null entries",
        (Column("balance, queue depth"),
         Column("nulls: left empty"), Column("cycles: left empty"),
         Column("utilisation: left empty", 2, percent=True), Column("nulls: one kept"),
         Column("cycles: one kept"), Column("utilisation: one kept", 2, percent=True)),
        tuple(rows),
        Plot("balance, queue depth", ("utilisation: left empty", "utilisation: one kept"),
             "utilisation %", kind="bar"),
        (MODEL, "The number of weights is the same: where a lane's column would be empty, its "
                "largest weight takes the place of the smallest weight kept elsewhere in its "
                "sub-matrix."))


def lanes(bench: Bench) -> Study:
    """Parallel weight streams."""
    rows = []
    for count in (8, 16, 32, 64, 128):
        config = bench.base.config.replace(
            lanes=count, stream_depth=1 << 16)
        plain = bench.base.replace(config=config, keep_one=False)
        report = cycles(plain)
        kept = _if_possible(plain.replace(keep_one=True))
        best = kept or report
        figures = rates(report.weights, best.cycles_per_frame, config)
        rows.append((count, config.multipliers, report.cycles_per_frame, report.utilisation,
                     None if kept is None else kept.cycles_per_frame,
                     None if kept is None else kept.utilisation, figures.us, figures.gops))
    return Study(
        "lanes", "Lanes",
        (Column("lanes"), Column("multipliers"), Column("cycles: left empty"),
         Column("utilisation: left empty", 2, percent=True), Column("cycles: one kept"),
         Column("utilisation: one kept", 2, percent=True), Column("µs", 2), Column("GOPS", 1)),
        tuple(rows),
        Plot("lanes", ("utilisation: left empty", "utilisation: one kept"), "utilisation %",
             log=True),
        (MODEL, "With more lanes a lane's column holds fewer rows: from 64 lanes on, the "
                "projection's 10 % cannot give every lane column a weight (–). µs and GOPS at "
                f"{bench.base.config.clock_mhz:g} MHz and {bench.base.config.channels} channels, "
                "of the better row."))


def elementwise(bench: Bench) -> Study:
    """Cycles that the element-wise unit takes a cell."""
    rows = []
    for per_cell in (1, 2, 4, 8, 16, 32):
        reports = [cycles(bench.base.replace(balance=balance), per_cell)
                   for balance in ("matrix", "tile")]
        rows.append((per_cell, *(report.cycles_per_frame for report in reports),
                     *(report.utilisation for report in reports),
                     *(report.stalls.bank + report.stalls.dependency for report in reports)))
    names = ("matrix", "tile")
    return Study(
        "elementwise", "Element-wise units: cycles a cell",
        (Column("cycles a cell"), *(Column(f"cycles: {name}") for name in names),
         *(Column(f"utilisation: {name}", 2, percent=True) for name in names),
         *(Column(f"stalls for it: {name}") for name in names)),
        tuple(rows),
        Plot("cycles a cell", tuple(f"utilisation: {name}" for name in names), "utilisation %",
             log=True),
        (MODEL, f"The hardware has one element-wise unit a channel, {ISSUES_PER_CELL} cycles a "
                f"cell (`contract/timing.py`); Verilog exists, and was compared, for that alone. "
                f"2 and 1 are two and four units, 8 and more a unit that shares its multiplier. "
                f"Stalls for it: cycles in which the broadcaster waits for a drained bank or for "
                f"a written column."))


def channels(bench: Bench) -> Study:
    """Voice streams in lock-step."""
    report = cycles(bench.base)
    rows = []
    for count in (1, 2, 4, 8, 16, 32, 64):
        config = bench.base.config.replace(channels=count)
        figures = rates(report.weights, report.cycles_per_frame, config)
        workload = bench.base.replace(config=config)
        rtl = values = None
        if count in (1, 4):
            outcome = measure(workload, bench.rtl_frames)
            if not outcome.good:
                raise EseError(f"channels: {count} channels must equal the golden model, but "
                               f"{outcome.comparison.first or 'the cycle model'} differs")
            rtl, values = outcome.total.cycles, outcome.comparison.values_compared
        rows.append((count, config.multipliers, report.cycles_per_frame, rtl, values, figures.us,
                     count / figures.us * 1e6, figures.gops,
                     dense_tops(workload.image, report.cycles_per_frame)))
    return Study(
        "channels", "Channels",
        (Column("channels"), Column("multipliers"), Column("cycles"), Column("cycles: Verilog"),
         Column("values equal to golden"), Column("µs", 2), Column("frames/s"), Column("GOPS", 1),
         Column("dense-equivalent TOPS", 2)),
        tuple(rows), Plot("channels", ("GOPS",), "GOPS on the sparse network", log=True),
        (MODEL, "Channels apply the same weights in the same cycle, so cycles don't depend on "
                "them. The Verilog of 1 and of 4 channels was simulated, every value compared; 32 "
                "channels are the headline. "
                f"At {bench.base.config.clock_mhz:g} MHz; frames/s of all streams together."))


def _if_possible(workload: Workload) -> CycleReport | None:
    """None if the densities cannot leave an entry in every lane column."""
    try:
        return cycles(workload)
    except NoRoomError:
        return None


STUDIES: dict[str, Callable[[Bench], Study]] = {
    "queue-depth": queue_depth, "pruning": pruning, "trained-weights": trained_weights,
    "index-mode": index_mode, "empty-columns": empty_columns, "lanes": lanes,
    "elementwise": elementwise, "channels": channels}
"""By name."""


def run_studies(names: tuple[str, ...], bench: Bench) -> Iterator[Study]:
    """Studies of these names, all without any. Raises EseError for an unknown one."""
    for name in names:
        if name not in STUDIES:
            raise EseError(f"study: must be among {', '.join(STUDIES)}, got {name!r}")
    for name in names or tuple(STUDIES):
        yield STUDIES[name](bench)
