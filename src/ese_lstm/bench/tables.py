"""Tables of the benchmark, the paper's figures beside ours."""

from collections.abc import Sequence

from ..contract.published import MATRICES, TOTAL
from ..report.table import Table
from .figures import paper_group
from .measure import Outcome


def matrix_table(outcome: Outcome) -> Table:
    """Sizes: the paper's nine matrices and ours."""
    paper = {matrix.name: matrix for matrix in MATRICES}
    rows = [(m.name, f"{m.rows:,} × {m.columns:,}", f"{100 * m.density:.1f}",
             f"{paper[m.name].entries:,}", f"{m.entries:,}",
             f"{paper[m.name].theoretical_us * _per_us():,.0f}", f"{m.ideal_cycles:,.1f}")
            for m in outcome.matrices]
    entries = outcome.workload.image.manifest.entries
    dense = outcome.workload.image.manifest.dense_weights
    rows.append(("total", "", f"{100 * entries / dense:.1f}", f"{TOTAL.entries:,}", f"{entries:,}",
                 f"{TOTAL.ideal_cycles:,.0f}", f"{outcome.total.ideal_cycles:,.1f}"))
    return Table("Matrices (paper [rec], its ideal cycles [calc])",
                ("matrix", "size", "density %", "entries: paper", "ours", "ideal cycles: paper",
                 "ours"), tuple(rows))


def group_table(outcome: Outcome) -> Table:
    """Cycles: the paper's groups of matrices and ours, and the frame."""
    rows = []
    for group in outcome.groups:
        theirs, ours = paper_group(group.name), group.rates
        rows.append((
            group.name, f"{theirs['cycles']:,.0f}", f"{ours.cycles:,.0f}",
            f"{100 * theirs['utilisation']:.1f}", f"{100 * ours.utilisation:.2f}",
            f"{theirs['us']:.2f}", f"{ours.us:.2f}", f"{theirs['gops']:.0f}", f"{ours.gops:.1f}",
            " / ".join(f"{value:.0f}" for value in group.starved.values())))
    lost = [sum(group.starved[cause] for group in outcome.groups)
            for cause in outcome.groups[0].starved]
    rows.append((
        "frame", f"{TOTAL.cycles:,}", f"{outcome.total.cycles:,.0f}",
        f"{100 * TOTAL.utilisation:.1f}", f"{100 * outcome.result.utilisation:.2f}",
        f"{TOTAL.real_us:.1f}", f"{outcome.total.us:.2f}", f"{TOTAL.gops:.0f}",
        f"{outcome.total.gops:.1f}", " / ".join(f"{value:.0f}" for value in lost)))
    return Table(f"A frame of {outcome.workload.config.channels} channels at "
                f"{outcome.workload.config.clock_mhz:g} MHz (paper: times [rec], cycles [calc], "
                f"the frame's GOPS [pub])",
                ("group", "cycles: paper", "ours", "utilisation %: paper", "ours", "µs: paper",
                 "ours", "GOPS: paper", "ours", "starved cycles: bank / dependency / queue"),
                tuple(rows))


def counter_table(outcome: Outcome) -> Table:
    """The Verilog's counters over the measured frames, a frame."""
    lanes = outcome.workload.config.lanes
    slots = lanes * outcome.per_frame["cycles"]
    rows = [(name.replace("_", " "), f"{value:,.2f}".removesuffix(".00"),
             f"{100 * value / slots:.2f}" if name in ("products", "nulls", "starved") else
             f"{100 * value / outcome.per_frame['cycles']:.2f}" if name.startswith("stall") else "",
             "lane cycles" if name in ("products", "nulls", "starved") else
             "cycles without a new column" if name.startswith("stall") else "")
            for name, value in outcome.per_frame.items()]
    return Table("Counters of the Verilog, a frame", ("counter", "count", "%", "of"),
                tuple(rows))


def combination_table(outcome: Outcome) -> Table:
    """Other ways to balance, cycle model."""
    ours = (outcome.workload.balance, outcome.workload.keep_one)
    return Table("Ways to prune, cycle model (* simulated as Verilog)",
                ("balance", "keep one", "entries", "nulls", "cycles", "utilisation %"),
                tuple((c.balance + (" *" if (c.balance, c.keep_one) == ours else ""),
                       "yes" if c.keep_one else "no", f"{c.entries:,}", f"{c.null_entries:,}",
                       f"{c.cycles_per_frame:,}", f"{100 * c.utilisation:.2f}")
                      for c in outcome.combinations))


def check_table(outcome: Outcome) -> Table:
    """What was compared."""
    comparison, model = outcome.comparison, outcome.model
    return Table("Checks", ("check", "result"), (
        ("values compared with golden: c, m and y, output",
         " + ".join(f"{count:,}" for count in comparison.compared.values())
         + f" = {comparison.values_compared:,}"),
        ("mismatches", f"{sum(comparison.mismatches.values()):,}"),
        ("first mismatch", str(comparison.first or "none")),
        ("cycles of a frame: Verilog, cycle model",
         f"{outcome.total.cycles:,.2f}, {model.cycles_per_frame:,}"),
        ("dense-equivalent TOPS: paper [pub], ours",
         f"{TOTAL.dense_tops}, {outcome.dense_tops:.2f}"),
    ))


def all_tables(outcome: Outcome) -> Sequence[Table]:
    """In the order in which they are read."""
    return (matrix_table(outcome), group_table(outcome), counter_table(outcome),
            combination_table(outcome), check_table(outcome))


def _per_us() -> float:
    return TOTAL.cycles / TOTAL.real_us
