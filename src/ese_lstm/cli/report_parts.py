"""Sections of the report: what an image, its cycles and its measured networks say, as HTML."""

import hashlib
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..contract.image import Image
from ..contract.published import COMPRESSION
from ..report import charts
from ..report.html import heading, pairs, paragraph, section, table, tiles
from .curves import DENSE, CurvePoint, by_series
from .show import (
    LOSS_TITLE,
    TENSOR_NOTE,
    checksums,
    loss_rows,
    sizes,
    step,
    tensor_rows,
    trial_rows,
)

if TYPE_CHECKING:
    from ..sim.golden.cycles import CycleReport
    from ..sim.golden.decode import DecodedModel
    from ..sim.golden.noise import TensorNoise

PACKAGES = ("ese-lstm", "numpy", "safetensors", "torch")
SPARSITY, PER = "weights pruned away, %", "PER, %"


@dataclass(frozen=True)
class Subject:
    """An image with its file, decoded, and its cycles."""

    path: Path
    image: Image
    decoded: "DecodedModel"
    cycles: "CycleReport"

    @property
    def loads(self) -> list[int]:
        """Entries that each lane reads a frame."""
        return [int(load) for load in sum(part.sum(axis=1) for part in self.decoded.counts)]


def chief_figures(subject: Subject, stages: Sequence[Any]) -> str:
    """The page's first lines."""
    manifest, cycles = subject.image.manifest, subject.cycles
    smallest = stages[-1]
    return tiles({
        f"of {manifest.dense_weights:,} weights kept":
            f"{100 * manifest.entries / max(manifest.dense_weights, 1):.2f} %",
        f"smaller than 32-bit weights ({smallest['name']})": f"{smallest['ratio']:.1f} ×",
        f"cycles a frame; ideal {cycles.ideal_cycles:,}": f"{cycles.cycles_per_frame:,}",
        "of the multipliers' cycles at work": f"{100 * cycles.utilisation:.1f} %"})


def accuracy(points: Sequence[CurvePoint]) -> str:
    """Error rates against sparsity: whole networks, and single matrices of a scan."""
    if not points:
        return ""
    dense = next((p for p in points if p.series == DENSE), None)
    mark = None if dense is None else (f"dense: {dense.per:.2f}", dense.per)
    whole = [p for p in points if not p.matrix and p.series != DENSE]
    trained = by_series(p for p in whole if not p.at_once)
    at_once = by_series(p for p in whole if p.at_once)
    single = by_series(p for p in points if p.matrix)
    parts = []
    for title, series in (("", trained), ("Pruned at once, without retraining", at_once)):
        if series:
            parts += [heading(title) if title else "",
                      charts.lines({name: [(p.sparsity, p.per) for p in mine]
                                    for name, mine in series.items()}, SPARSITY, PER, mark),
                      _points(series, dense)]
    speed = {name: [(p.sparsity, dense.cycles / p.cycles) for p in mine if p.cycles]
             for name, mine in (trained or at_once).items() if dense and dense.cycles}
    speed = {name: mine for name, mine in speed.items() if len(mine) > 1}
    if speed:
        parts += [heading("Speed-up over the dense network, by the cycle model"),
                  charts.lines(speed, SPARSITY, "times faster than dense")]
    if single:
        parts += [heading("One matrix pruned at a time, without retraining"),
                  charts.panels({name: [(p.sparsity, p.per) for p in mine]
                                 for name, mine in single.items()}, SPARSITY, PER, mark),
                  _points(single, dense)]
    return section("Error rate against sparsity", *parts)


def _points(series: dict[str, list[CurvePoint]], dense: CurvePoint | None) -> str:
    densities = sorted({p.density for mine in series.values() for p in mine}, reverse=True)
    rows: list[list[Any]] = [] if dense is None else [
        [DENSE, *[f"{dense.per:.2f}"] * len(series)]]
    for density in densities:
        rows.append([f"{100 * density:g} % kept", *(
            next((f"{p.per:.2f}" for p in mine if p.density == density), None)
            for mine in series.values())])
    return table([PER, *series], rows)


def stage_part(stages: Sequence[Any], subject: Subject) -> str:
    """Bits per weight after each step, beside the paper's ratio and the file itself."""
    from ..compress.storage import FLOAT_BITS

    file_bits = 8 * subject.path.stat().st_size
    rows = [(s["name"], s["bits_per_weight"], s["ratio"]) for s in stages]
    return section(
        "Bits per weight by stage",
        charts.bars([(name, bits, f"{bits:.3f} bits, {ratio:.1f} ×")
                     for name, bits, ratio in rows],
                    "Bits per weight of the dense network, and times smaller than 32 bits",
                    (f"ESE: {COMPRESSION:g} × [pub]", FLOAT_BITS / COMPRESSION)),
        table(["stage", "bits", "bits per weight", "times smaller"],
              [[s["name"], s["bits"], f"{s['bits_per_weight']:.3f}", f"{s['ratio']:.1f}"]
               for s in stages]),
        paragraph(f"ESE: {COMPRESSION:g} times, 10 by pruning and 2 by quantisation [pub]. Stages "
                  f"count the weight matrices alone. This image's file, with program, biases, "
                  f"peepholes and manifest, is {file_bits // 8:,} bytes: "
                  f"{FLOAT_BITS * subject.image.manifest.dense_weights / file_bits:.1f} times "
                  f"smaller than its weights in 32 bits."))


def cycle_part(subjects: Sequence[Subject]) -> str:
    """Cycles of a frame, and what the lanes do in them."""
    runs = [subject.cycles for subject in subjects]
    rows: list[list[Any]] = [
        ["cycles per frame", *(run.cycles_per_frame for run in runs)],
        ["ideal cycles (weights / lanes)", *(run.ideal_cycles for run in runs)],
        ["multiplier utilisation, %", *(f"{100 * run.utilisation:.1f}" for run in runs)],
        ["µs per frame of all channels", *(
            f"{subject.cycles.cycles_per_frame / subject.image.config.clock_mhz:.1f}"
            for subject in subjects)],
        *([f"broadcaster held back: {name}, cycles", *(getattr(run.stalls, name) for run in runs)]
          for name in ("bank", "dependency", "queue"))]
    kinds = {}
    for subject in subjects:
        run = subject.cycles
        starved = [segment.starved for segment in run.frames[-1].segments]
        kinds[subject.path.name] = {
            "weights": run.weights, "null entries": run.nulls, "fillers": run.fillers,
            **{f"waiting: {name}": sum(getattr(stalls, name) for stalls in starved)
               for name in ("queue", "dependency", "bank")}}
    from ..compress.storage import all_resident

    streams = not all(all_resident(subject.image) for subject in subjects)
    return section("Cycles", paragraph(
        "By the cycle model that the tests hold equal to the hardware's counters, in the steady "
        "state, at the configuration's clock."
        + (" Streamed weights are taken to be there in time." if streams else "")),
        table(["", *(subject.path.name for subject in subjects)], rows),
        charts.shares(kinds, "What the lanes' cycles of one frame go to"))


def load_part(subjects: Sequence[Subject]) -> str:
    """Entries lane by lane; of two images, before and after balancing."""
    rows = []
    for subject in subjects:
        loads = subject.loads
        mean = sum(loads) / len(loads)
        rows.append([subject.path.name, max(loads), f"{mean:,.1f}", min(loads),
                     f"{max(loads) / mean:.3f}"])
    return section("Load of the lanes",
                   charts.dots({subject.path.name: subject.loads for subject in subjects},
                               "lane", "entries a frame; dashed: mean"),
                   table(["", "longest", "mean", "shortest", "longest / mean"], rows))


def matrix_part(image: Image, values: dict[str, Any]) -> str:
    """A row for each of the paper's matrices."""
    from ..compress.storage import all_resident, entry_counts

    counts = entry_counts(image) if all_resident(image) else None
    header = ["matrix", "rows", "columns", "entries", "density, %", "ideal cycles", "format",
              "fillers", "at the format's ends"]
    rows: list[list[Any]] = []
    for number, m in enumerate(image.manifest.matrices):
        bits, frac = image.config.weight_bits, _weight_frac(image, m.name)
        narrow = m.weight_bits and m.weight_bits < bits
        rows.append([m.name, m.rows, m.columns, m.entries,
                     f"{100 * m.entries / (m.rows * m.columns):.2f}",
                     -(-m.entries // image.config.lanes),
                     f"{m.weight_bits if narrow else bits} bits"
                     + (f" in {bits}" if narrow else "") + f", {step(frac)}",
                     None if counts is None else counts[number].fillers,
                     None if counts is None else counts[number].extreme])
    if values:
        header.append("SQNR, dB")
        rows = [[*row, "exact" if m["sqnr_db"] is None else f"{m['sqnr_db']:.1f}"]
                for row, m in zip(rows, values["matrices"], strict=True)]
    size = sizes(image)
    return section(
        "Matrices", table(header, rows),
        paragraph("Format: width and value of one step. It holds the largest weight, so that none "
                  "is limited; those at its ends are counted."
                  + (" SQNR is that of sharing and rounding, against the weights that pruning "
                     "left." if values else "")),
        pairs({"null entries (empty lane columns)": size["null_entries"],
               "filler entries (relative4)": size["filler_entries"]}))


def _weight_frac(image: Image, name: str) -> int:
    number, matrix = name.removeprefix("l").split(".")
    layer = image.manifest.layers[int(number)]
    if matrix == "Wym":
        return layer.projection_weight_frac
    return layer.gate_weight_frac[matrix.endswith("r")]


def tensor_part(noise: Sequence["TensorNoise"], frames: int, cut: int) -> str:
    """SQNR and saturations of activations and states, if frames were given."""
    if not noise:
        return ""
    return section(
        "Activations and states", table(*tensor_rows(noise)),
        paragraph(f"{frames:,} frames in the bit-exact golden model, beside the image's own "
                  f"rounded weights in real numbers; in pieces of at most {cut} frames from zero "
                  f"state. " + TENSOR_NOTE))


def loss_part(outputs: dict[str, Any] | None, against: Path | None) -> str:
    """Error of the outputs against the original network, of the file ``against``, or, if that is
    None, as `ese compress` measured it."""
    if outputs is None:
        return section(LOSS_TITLE, paragraph(
            "Not measured: it is among the figures (--figures) of an `ese compress --report` with "
            "--frames, or is measured here on --frames with --against CHECKPOINT."))
    header, trials = trial_rows(outputs)
    frames = "calibration frames" if against is None else f"frames, against {against.name},"
    return section(
        LOSS_TITLE, table(*loss_rows(outputs)),
        paragraph(f"{outputs['frames']:,} {frames} in {outputs['streams']:,} pieces from zero "
                  f"state; every step with the errors of those before it."),
        *([paragraph(outputs["advice"]["text"])] if outputs.get("advice") else []),
        *([table(header, trials)] if trials else []))


def format_part(image: Image, values: dict[str, Any]) -> str:
    """Number formats layer by layer, and what calibration saw."""
    rows = [[f"l{number}", layer.inputs, layer.cells, layer.projection or None, layer.peepholes,
             layer.input_frac, layer.output_frac, *layer.gate_weight_frac,
             layer.projection_weight_frac if layer.projection else None]
            for number, layer in enumerate(image.manifest.layers)]
    parts = [table(["layer", "inputs", "cells", "projection", "peepholes", "x", "y", "W_x", "W_y",
                    "W_ym"], rows),
             paragraph("x, y and weights: fraction bits.")]
    if values:
        parts.append(table(
            ["layer", "max |y|", "max |c|", "c saturates", "y saturated", "gates limited by"],
            [[layer["name"], layer["y_max"], layer["c_max"], layer["c_saturates"],
              layer["y_saturated"], layer["gate_limit"]] for layer in values["layers"]]))
        parts.append(paragraph(
            f"{values['calibration_frames']:,} calibration frames, {values['input_saturated']:,} "
            f"input values saturated." if values["calibrated"] else "Ranges are assumed."))
    return section("Number formats", *parts)


def provenance_part(subjects: Sequence[Subject], command: str, sources: Sequence[Path]) -> str:
    """What the page was made from: files with their hashes, commands, versions."""
    parts = []
    for subject in subjects:
        manifest, config = subject.image.manifest, subject.image.config
        parts += [heading(subject.path.name), pairs({
            "image SHA-256": sha256(subject.path),
            "checkpoint": manifest.source, "checkpoint SHA-256": manifest.source_sha256 or None,
            "made by": manifest.command or None,
            "engine": f"{config.lanes} lanes × {config.channels} channels, {config.index_mode}, "
                      f"{config.weight_bits}-bit weights, {config.act_bits}-bit activations",
            "engine digest": config.digest, "checksums": checksums(subject.image)})]
    return section("Provenance", *parts, heading("This page"), pairs({
        "made by": command, **{f"SHA-256 of {path.name}": sha256(path) for path in sources},
        "versions": ", ".join([f"Python {platform.python_version()}", *_versions()])}))


def sha256(path: Path) -> str:
    """Of a file, in hex."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _versions() -> list[str]:
    found = []
    for name in PACKAGES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    return found
