"""Tables on the terminal; progress and errors go to standard error, results to standard output."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.table import Table

from ..contract.config import EngineConfig
from ..contract.image import Image
from ..contract.published import COMPRESSION
from .outputs import standard_output_taken

if TYPE_CHECKING:
    from ..compress.pipeline import CompressReport
    from ..sim.golden.noise import TensorNoise

console = Console(stderr=True)
FILE_WIDTH = 200
FIELD_UNITS = {"clock_mhz": "MHz"}
LOSS_TITLE = "Outputs against the original float network"
TENSOR_NOTE = ("Saturated: of a gate, pre-activations beyond ±8; of tanh(c), cell states beyond "
               "±8: there σ and tanh are flat.")


def show(*tables: Table) -> None:
    """Print tables to standard output, or to standard error if a file that the command writes
    goes there; into a file or a pipe at full width."""
    taken = standard_output_taken()
    out = Console(stderr=taken, markup=False)
    if not out.is_terminal:
        out = Console(stderr=taken, width=FILE_WIDTH, markup=False)
    for table in tables:
        out.print(table)


def _pairs(title: str, pairs: dict[str, Any]) -> Table:
    table = Table(title=title, title_justify="left", show_header=False)
    table.add_column()
    table.add_column(justify="right", overflow="fold")
    for name, value in pairs.items():
        table.add_row(name, f"{value:,}" if type(value) is int else str(value))
    return table


def sizes(image: Image) -> dict[str, Any]:
    """Figures of an image's size, for tables and JSON."""
    manifest = image.manifest
    lengths = [int(length) for length in image.sections["lane_lengths"]]
    return {
        "dense_weights": manifest.dense_weights, "entries": manifest.entries,
        "null_entries": manifest.null_entries, "filler_entries": manifest.filler_entries,
        "density": manifest.entries / max(manifest.dense_weights, 1),
        "longest_lane": max(lengths), "shortest_lane": min(lengths),
        "stored_bits": image.stored_bits, "published_bits": image.published_bits,
        "resident_entries": sum(lengths), "streamed_entries": manifest.streamed_entries,
        "rows": image.rows, "external_memory_bytes": len(image.memory),
    }


def _size_table(image: Image, extra: dict[str, Any]) -> Table:
    values = sizes(image)
    return _pairs("Size", {
        "dense weights": values["dense_weights"], "entries": values["entries"],
        "density": f"{100 * values['density']:.2f} %",
        "null entries (empty lane columns)": values["null_entries"],
        "filler entries (relative4)": values["filler_entries"],
        **({"resident entries": values["resident_entries"],
            "streamed entries": values["streamed_entries"],
            "rows in external memory": values["rows"],
            "bytes in external memory": values["external_memory_bytes"]}
           if values["rows"] else {}),
        "longest lane, entries": values["longest_lane"],
        "shortest lane, entries": values["shortest_lane"],
        "stored bits": values["stored_bits"],
        "bits in the published format": values["published_bits"], **extra})


def layer_table(image: Image) -> Table:
    """Layers and their fraction bits."""
    table = Table(title="Layers (fraction bits of formats)", title_justify="left")
    for name in ("layer", "inputs", "cells", "projection", "peepholes", "bias", "x", "y", "W_x",
                 "W_y", "W_ym"):
        table.add_column(name, justify="right")
    for number, layer in enumerate(image.manifest.layers):
        table.add_row(*(str(value) for value in (
            number, layer.inputs, layer.cells, layer.projection or "-",
            "yes" if layer.peepholes else "-", "yes" if layer.bias else "-", layer.input_frac,
            layer.output_frac, *layer.gate_weight_frac,
            layer.projection_weight_frac if layer.projection else "-")))
    return table


def checksums(image: Image) -> str:
    """What reading compared of the image."""
    return ("of sections and manifest: match" if image.verified else
            f"of sections: match; none of the manifest (format version {image.manifest.version})")


def image_tables(image: Image, cycles: dict[str, Any]) -> None:
    """Everything that `ese info` says of an image; cycles: the cycle model's figures, if any."""
    manifest, config = image.manifest, image.config
    matrices = Table(title="Matrices", title_justify="left")
    for name in ("matrix", "rows", "columns", "entries", "density %", "bits"):
        matrices.add_column(name, justify="left" if name == "matrix" else "right")
    for m in manifest.matrices:
        matrices.add_row(m.name, str(m.rows), str(m.columns), f"{m.entries:,}",
                         f"{100 * m.entries / (m.rows * m.columns):.2f}",
                         str(m.weight_bits or config.weight_bits))
    show(_pairs("Image", {
        "source": manifest.source, "source SHA-256": manifest.source_sha256,
        "command": manifest.command, "engine": f"{config.lanes} lanes × {config.channels} "
        f"channels, {config.index_mode}, {config.weight_bits}-bit weights, {config.act_bits}-bit "
        f"activations", "engine digest": config.digest, "checksums": checksums(image)}),
        layer_table(image), matrices, _size_table(image, {}),
        *([_pairs("Cycle model", {name.replace("_", " "): value
                                  for name, value in cycles.items()})] if cycles else []))


def derived(config: EngineConfig) -> dict[str, int]:
    """Values that follow from a configuration."""
    return {"multipliers": config.multipliers, "entry_bits": config.entry_bits,
            "index_bits": config.index_bits, "cells_per_tile": config.cells_per_tile,
            "rows_per_tile": config.rows_per_tile,
            "weight_memory_bits": config.lanes * config.stream_depth * config.entry_bits}


def config_tables(name: str, config: EngineConfig) -> None:
    """A configuration's fields and what follows from them."""
    fields = {field: f"{value} {FIELD_UNITS[field]}" if field in FIELD_UNITS else value
              for field, value in config.model_dump().items()}
    show(_pairs(f"Configuration {name}", {**fields, "digest": config.digest}),
         _pairs("Derived", derived(config)))


def compress_tables(output: Path, image: Image, report: "CompressReport",
                    outputs: dict[str, Any] | None) -> None:
    """What `ese compress` did; outputs: the loss at the outputs as in its JSON, if measured."""
    matrices = Table(title="Matrices", title_justify="left")
    for name in ("matrix", "rows", "columns", "entries", "density %", "bits", "fraction bits",
                 "SQNR dB, of kept weights"):
        matrices.add_column(name, justify="left" if name == "matrix" else "right")
    for m in report.matrices:
        matrices.add_row(m.name, str(m.rows), str(m.columns), f"{m.entries:,}",
                         f"{100 * m.density:.2f}", str(m.weight_bits),
                         str(m.weight_frac), "exact" if m.sqnr_db is None else f"{m.sqnr_db:.1f}")
    limits = Table(title="Formats", title_justify="left")
    for name in ("layer", "gate accumulator fraction", "limited by", "projection", "limited by",
                 "max |y|", "max |c|", "y saturated"):
        limits.add_column(name)
    for layer in report.layers:
        limits.add_row(layer.name, str(layer.gate_acc_frac), layer.gate_limit,
                       str(layer.linear_acc_frac), layer.linear_limit, f"{layer.y_max:.3g}",
                       f"{layer.c_max:.3g}" + (" saturates" if layer.c_saturates else ""),
                       str(layer.y_saturated))
    frames = (f"{report.calibration_frames} frames, {report.input_saturated} input values "
              f"saturated" if report.calibrated else "none: ranges are assumed")
    show(matrices, layer_table(image), limits, _stage_table(report), _size_table(image, {
        "dense bits, 32-bit floating point": report.dense_bits,
        "compression ratio": f"{report.compression_ratio:.2f}", "calibration": frames,
        **({"outputs against the original": "not measured: no --frames"} if outputs is None else
           {}),
        **{f"note {number}": note for number, note in enumerate(report.notes, 1)},
        "image": str(output), "image file, bytes": output.stat().st_size}), *loss_tables(outputs))


def loss_rows(outputs: dict[str, Any]) -> tuple[list[str], list[list[Any]]]:
    """Header and rows of the loss at the outputs, for page and terminal."""
    from .loss import decibels

    names = {"pruning": "after pruning", "weights": "+ weights (sharing, rounding)",
             "activations": "+ activations (fixed point)"}
    missing = "exact" if outputs["signal_rms"] else "original is all 0"
    return (["step", "SNR, dB", "RMS of error", "RMS of original"],
            [[names[step["name"]],
              missing if step["snr_db"] is None else decibels(step["snr_db"]),
              f"{step['error_rms']:.3g}", f"{outputs['signal_rms']:.3g}"]
             for step in outputs["steps"]])


def trial_rows(outputs: dict[str, Any]) -> tuple[list[str], list[list[Any]]]:
    """Header and rows of the options that were tried; none for outputs that are not poor."""
    from .loss import decibels

    return (["option", "engine", "SNR, dB"],
            [[trial["option"], "the same" if trial["same_engine"] else "another",
              trial["refused"] or ("exact" if trial["snr_db"] is None else
                                   decibels(trial["snr_db"]))]
             for trial in (outputs.get("advice") or {"trials": []})["trials"]])


def loss_tables(outputs: dict[str, Any] | None) -> list[Table]:
    """The loss at the outputs and what was tried against it; none if it was not measured."""
    if outputs is None:
        return []
    tables = [_text_table(f"{LOSS_TITLE}, {outputs['frames']:,} frames", *loss_rows(outputs))]
    header, trials = trial_rows(outputs)
    return [*tables, _text_table("Options tried, and the SNR of the outputs that each gives",
                                 header, trials)] if trials else tables


def _text_table(title: str, header: list[str], rows: list[list[Any]]) -> Table:
    table = Table(title=title, title_justify="left")
    for number, name in enumerate(header):
        table.add_column(name, justify="right" if number else "left", overflow="fold")
    for row in rows:
        table.add_row(*map(str, row))
    return table


def _stage_table(report: "CompressReport") -> Table:
    table = Table(title=f"Weights by stage (paper: {COMPRESSION:g}× [pub])", title_justify="left")
    for name in ("stage", "bits", "bits per dense weight", "times smaller"):
        table.add_column(name, justify="left" if name == "stage" else "right")
    for stage in report.stages:
        table.add_row(stage.name, f"{stage.bits:,}", f"{stage.bits_per_weight:.3f}",
                      f"{stage.ratio:.1f}")
    return table


def step(frac: int) -> str:
    """2 to the power of −frac."""
    return "2" + str(-frac).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))


def tensor_rows(noise: Sequence["TensorNoise"]) -> tuple[list[str], list[list[Any]]]:
    """Header and rows of a table of tensors, for page and terminal."""
    names = {"x": "x, inputs", "i": "i, gate", "f": "f, gate", "g": "g, gate", "o": "o, gate",
             "c": "c, cell state", "tanh_c": "tanh(c)", "m": "m, hidden", "y": "y, projected"}
    return (["tensor", "format", "values", "largest", "SQNR, dB", "saturated"],
            [[f"l{t.layer} {names[t.name]}", f"{t.bits} bits, {step(t.frac)}", t.values,
              f"{t.largest:.3f}",
              None if t.sqnr_db is None else f"{t.sqnr_db:.1f}", t.saturated] for t in noise])


def tensor_table(noise: Sequence["TensorNoise"]) -> Table:
    """SQNR and saturations of activations and states."""
    header, rows = tensor_rows(noise)
    table = Table(title="Tensors, against the image's own rounded weights in real numbers (not "
                        "against the original network)", title_justify="left",
                  caption=TENSOR_NOTE, caption_justify="left")
    for number, name in enumerate(header):
        table.add_column(name, justify="right" if number else "left")
    for row in rows:
        table.add_row(*("–" if value is None else f"{value:,}" if type(value) is int else value
                        for value in row))
    return table


def simulate_table(figures: dict[str, Any], noise: Sequence["TensorNoise"] = (),
                   outputs: dict[str, Any] | None = None) -> None:
    """Counts of a simulation, its tensors' noise and the loss at its outputs if measured."""
    counts = _pairs("Simulation", {name.replace("_", " "): value
                                   for name, value in figures.items()})
    show(counts, *([tensor_table(noise)] if noise else []),
         *loss_tables(outputs))


def warn(text: str) -> None:
    """One line of warning on standard error."""
    click.echo(f"warning: {text}", err=True)
