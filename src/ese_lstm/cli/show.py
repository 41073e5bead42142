"""The tables that commands show of images, configurations, compression and simulation."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..contract.config import EngineConfig
from ..contract.image import Image
from ..contract.published import COMPRESSION
from ..report.table import Table, pairs
from .terminal import show

if TYPE_CHECKING:
    from ..compress.report import CompressReport
    from ..sim.golden.noise import TensorNoise

FIELD_UNITS = {"clock_mhz": "MHz"}
LOSS_TITLE = "Outputs against the original float network"
TENSOR_NOTE = ("Saturated: of a gate, pre-activations beyond ±8; of tanh(c), cell states beyond "
               "±8: there σ and tanh are flat.")


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
    return pairs("Size", {
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
    return Table(
        "Layers (fraction bits of formats)",
        ("layer", "inputs", "cells", "projection", "peepholes", "bias", "x", "y", "W_x", "W_y",
         "W_ym"),
        [(number, layer.inputs, layer.cells, layer.projection or "-",
          "yes" if layer.peepholes else "-", "yes" if layer.bias else "-", layer.input_frac,
          layer.output_frac, *layer.gate_weight_frac,
          layer.projection_weight_frac if layer.projection else "-")
         for number, layer in enumerate(image.manifest.layers)], left=())


def checksums(image: Image) -> str:
    """What reading compared of the image."""
    return ("of sections and manifest: match" if image.verified else
            f"of sections: match; none of the manifest (format version {image.manifest.version})")


def image_tables(image: Image, cycles: dict[str, Any]) -> None:
    """Everything that `ese info` says of an image; cycles: the cycle model's figures, if any."""
    manifest, config = image.manifest, image.config
    matrices = Table(
        "Matrices", ("matrix", "rows", "columns", "entries", "density %", "bits"),
        [(m.name, str(m.rows), str(m.columns), m.entries,
          f"{100 * m.entries / (m.rows * m.columns):.2f}", m.weight_bits or config.weight_bits)
         for m in manifest.matrices])
    show(pairs("Image", {
        "source": manifest.source, "source SHA-256": manifest.source_sha256,
        "command": manifest.command, "engine": f"{config.lanes} lanes × {config.channels} "
        f"channels, {config.index_mode}, {config.weight_bits}-bit weights, {config.act_bits}-bit "
        f"activations", "engine digest": config.digest, "checksums": checksums(image)}),
        layer_table(image), matrices, _size_table(image, {}),
        *([pairs("Cycle model", {name.replace("_", " "): value
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
    show(pairs(f"Configuration {name}", {**fields, "digest": config.digest}),
         pairs("Derived", derived(config)))


def compress_tables(output: Path, image: Image, report: "CompressReport",
                    outputs: dict[str, Any] | None) -> None:
    """What `ese compress` did; outputs: the loss at the outputs as in its JSON, if measured."""
    matrices = Table(
        "Matrices", ("matrix", "rows", "columns", "entries", "density %", "bits", "fraction bits",
                     "SQNR dB, of kept weights"),
        [(m.name, str(m.rows), str(m.columns), m.entries, f"{100 * m.density:.2f}", m.weight_bits,
          m.weight_frac, "exact" if m.sqnr_db is None else f"{m.sqnr_db:.1f}")
         for m in report.matrices])
    limits = Table(
        "Formats", ("layer", "gate accumulator fraction", "limited by", "projection", "limited by",
                    "max |y|", "max |c|", "y saturated"),
        [(layer.name, layer.gate_acc_frac, layer.gate_limit, layer.linear_acc_frac,
          layer.linear_limit, f"{layer.y_max:.3g}",
          f"{layer.c_max:.3g}" + (" saturates" if layer.c_saturates else ""), layer.y_saturated)
         for layer in report.layers], left=range(8))
    frames = (f"{report.calibration_frames} frames, {report.input_saturated} input values "
              f"saturated" if report.calibrated else "none: ranges are assumed")
    show(matrices, layer_table(image), limits, _stage_table(report), _size_table(image, {
        "dense bits, 32-bit floating point": report.dense_bits,
        "compression ratio": f"{report.compression_ratio:.2f}", "calibration": frames,
        **({"outputs against the original": "not measured: no --frames"} if outputs is None else
           {}),
        **{f"note {number}": note for number, note in enumerate(report.notes, 1)},
        "image": str(output), "image file, bytes": output.stat().st_size}), *loss_tables(outputs))


def loss_table(outputs: dict[str, Any]) -> Table:
    """The loss at the outputs."""
    from .loss import decibels

    names = {"pruning": "after pruning", "weights": "+ weights (sharing, rounding)",
             "activations": "+ activations (fixed point)"}
    missing = "exact" if outputs["signal_rms"] else "original is all 0"
    return Table(
        f"{LOSS_TITLE}, {outputs['frames']:,} frames",
        ("step", "SNR, dB", "RMS of error", "RMS of original"),
        [(names[step["name"]], missing if step["snr_db"] is None else decibels(step["snr_db"]),
          f"{step['error_rms']:.3g}", f"{outputs['signal_rms']:.3g}")
         for step in outputs["steps"]])


def trial_table(outputs: dict[str, Any]) -> Table | None:
    """The options that were tried; None for outputs that are not poor."""
    from .loss import decibels

    trials = (outputs.get("advice") or {"trials": []})["trials"]
    return Table(
        "Options tried, and the SNR of the outputs that each gives",
        ("option", "engine", "SNR, dB"),
        [(trial["option"], "the same" if trial["same_engine"] else "another",
          trial["refused"] or ("exact" if trial["snr_db"] is None else decibels(trial["snr_db"])))
         for trial in trials]) if trials else None


def loss_tables(outputs: dict[str, Any] | None) -> list[Table]:
    """The loss at the outputs and what was tried against it; none if it was not measured."""
    if outputs is None:
        return []
    return [table for table in (loss_table(outputs), trial_table(outputs)) if table is not None]


def _stage_table(report: "CompressReport") -> Table:
    return Table(
        f"Weights by stage (paper: {COMPRESSION:g}× [pub])",
        ("stage", "bits", "bits per dense weight", "times smaller"),
        [(stage.name, stage.bits, f"{stage.bits_per_weight:.3f}", f"{stage.ratio:.1f}")
         for stage in report.stages])


def step(frac: int) -> str:
    """2 to the power of −frac."""
    return "2" + str(-frac).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))


def tensor_table(noise: Sequence["TensorNoise"]) -> Table:
    """SQNR and saturations of activations and states."""
    names = {"x": "x, inputs", "i": "i, gate", "f": "f, gate", "g": "g, gate", "o": "o, gate",
             "c": "c, cell state", "tanh_c": "tanh(c)", "m": "m, hidden", "y": "y, projected"}
    return Table(
        "Tensors, against the image's own rounded weights in real numbers (not against the "
        "original network)", ("tensor", "format", "values", "largest", "SQNR, dB", "saturated"),
        [(f"l{t.layer} {names[t.name]}", f"{t.bits} bits, {step(t.frac)}", t.values,
          f"{t.largest:.3f}", None if t.sqnr_db is None else f"{t.sqnr_db:.1f}", t.saturated)
         for t in noise], note=TENSOR_NOTE)


def simulate_table(figures: dict[str, Any], noise: Sequence["TensorNoise"] = (),
                   outputs: dict[str, Any] | None = None) -> None:
    """Counts of a simulation, its tensors' noise and the loss at its outputs if measured."""
    counts = pairs("Simulation", {name.replace("_", " "): value
                                   for name, value in figures.items()})
    show(counts, *([tensor_table(noise)] if noise else []),
         *loss_tables(outputs))
