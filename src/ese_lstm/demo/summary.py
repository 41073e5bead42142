"""The job's outcome as JSON and as text."""

import json
from dataclasses import asdict
from typing import Any

from ..contract.files import write_contents
from ..report.table import text_lines
from ..sim.golden.cycles import CycleReport
from ..sim.rtl.runner import RtlResult
from .accuracy import Difference
from .fetch import CHECKPOINT_PACKAGE, CHECKPOINT_VERSION
from .job import IMAGE_NAME, Outcome
from .speech import PARTIAL_FRAMES

OPERATIONS_PER_WEIGHT = 2
FRAME_MS = 10.0
FORMATS = ("weight_bits", "act_bits", "acc_bits", "cell_bits", "cell_frac", "entry_bits",
           "index_mode")


def write_summary(outcome: Outcome) -> str:
    """Write ``summary.json`` and ``summary.txt``; returns the text."""
    text, folder = as_text(outcome), outcome.options.output
    values = json.dumps(as_json(outcome), indent=2) + "\n"
    write_contents({folder / "summary.json": values, folder / "summary.txt": text})
    return text


def as_json(outcome: Outcome) -> dict[str, Any]:
    """All figures; sizes in bits, times in seconds unless the key says otherwise."""
    image, report = outcome.calibrated.image, outcome.calibrated.report
    config, manifest, rtl = image.config, image.manifest, outcome.rtl
    comparison = outcome.comparison
    microseconds = rtl.cycles_per_frame / config.clock_mhz
    return {
        "values_compared": comparison.values_compared,
        "mismatches": sum(comparison.mismatches.values()),
        "frames": len(rtl.frames),
        "channels": config.channels,
        "cycles_per_frame": rtl.cycles_per_frame,
        "utilisation": rtl.utilisation,
        "entries": manifest.entries,
        "null_entries": manifest.null_entries,
        "filler_entries": manifest.filler_entries,
        "stored_bits": image.stored_bits,
        "compression_ratio": report.compression_ratio,
        "compared_by_kind": comparison.compared,
        "mismatches_by_kind": comparison.mismatches,
        "first_mismatch": None if comparison.first is None else asdict(comparison.first),
        "rtl": {"steady_state": {name: rtl.count(name) for name in rtl.frames[0].counters},
                "cycles": rtl.cycles, "load_cycles": rtl.load_cycles,
                "verilog_sha256": outcome.verilog_sha256},
        "cycle_model": {"cycles_per_frame": outcome.model.cycles_per_frame,
                        "ideal_cycles": outcome.model.ideal_cycles,
                        "utilisation": outcome.model.utilisation,
                        "stalls": asdict(outcome.model.stalls)},
        "at_target_clock": {
            "clock_mhz": config.clock_mhz,
            "microseconds_per_frame": microseconds,
            "sparse_gops": _giga_operations(outcome, manifest.entries) / microseconds,
            "dense_equivalent_gops": _giga_operations(outcome, manifest.dense_weights)
            / microseconds},
        "fixed_vs_float": asdict(outcome.fixed_windows),
        "fixed_vs_float_simulated_frames": asdict(outcome.fixed_simulated),
        "pruning_cost": asdict(outcome.pruning),
        "saturations": {**asdict(outcome.saturations), "input": outcome.input_saturated},
        "calibration": {"frames": report.calibration_frames,
                        "input_limit": outcome.calibrated.input_limit,
                        "rms_by_input_limit": {f"{limit:g}": rms for limit, rms
                                               in outcome.calibrated.tried.items()}},
        "formats": {**{name: getattr(config, name) for name in FORMATS},
                    "layers": [layer.model_dump() for layer in manifest.layers]},
        "size": {"dense_weights": manifest.dense_weights, "dense_bits": report.dense_bits,
                 "published_bits": report.published_bits,
                 "density": manifest.entries / manifest.dense_weights,
                 "longest_lane": max(report.lane_lengths),
                 "shortest_lane": min(report.lane_lengths)},
        "source": {"checkpoint": manifest.source, "sha256": manifest.source_sha256,
                   "options": asdict(outcome.options.compress),
                   "density": outcome.options.density},
        "config": config.model_dump(),
        "streams": [{**asdict(span), "text": outcome.sources.texts.get(span.utterance, "")}
                    for span in outcome.plan.spans],
        "versions": outcome.versions,
        "seconds": outcome.seconds,
    }


def as_text(outcome: Outcome) -> str:
    """The same for reading, at most 100 columns wide."""
    values = as_json(outcome)
    report, config = outcome.calibrated.report, outcome.calibrated.image.config
    fixed, simulated, pruning = (outcome.fixed_windows, outcome.fixed_simulated, outcome.pruning)
    same = values["mismatches"] == 0 and values["values_compared"] > 0
    kinds = outcome.comparison.compared
    sections = [
        ("Comparison of exported Verilog (Verilator, cocotb) with the golden model", [
            ("values compared", f"{values['values_compared']:,} (hidden {kinds['result']:,}, "
                                f"cell {kinds['cell']:,}, output {kinds['output']:,})"),
            ("mismatches", f"{values['mismatches']:,}" + ("" if same else "  <-- FAILED")),
            *([("first mismatch", str(outcome.comparison.first))] if outcome.comparison.first
              else []),
            ("frames x channels", f"{values['frames']} x {values['channels']}"),
            ("engine", f"{config.lanes} lanes x {config.channels} channels = "
                       f"{config.multipliers} multipliers"),
            ("widths", f"weights {config.weight_bits} bits, activations {config.act_bits}, "
                       f"accumulators {config.acc_bits}, cell states {config.cell_bits}"),
        ]),
        ("Speed, steady state, from the RTL's counters", _speed(outcome.rtl, outcome.model)),
        (f"If it runs at {config.clock_mhz:g} MHz (not yet placed and routed for the XCKU060)",
         _at_clock(values)),
        ("Size", [
            ("entries", f"{values['entries']:,} of {values['size']['dense_weights']:,} weights "
                        f"({100 * values['size']['density']:.2f} %)"),
            ("null entries, fillers", f"{values['null_entries']:,}, "
                                      f"{values['filler_entries']:,}"),
            ("bits stored", f"{values['stored_bits']:,} (as published, with pointers: "
                            f"{report.published_bits:,})"),
            ("compression ratio", f"{values['compression_ratio']:.2f} against 32-bit floating "
                                  f"point ({report.dense_bits:,} bits)"),
        ]),
        (f"Fixed point against the pruned float network ({outcome.window_streams} utterances x "
         f"{PARTIAL_FRAMES} frames)", _difference(fixed)),
        ("The same on the simulated frames (RTL outputs)", _difference(simulated)),
        ("What pruning WITHOUT retraining costs: pruned float against the original float",
         _difference(pruning)),
        ("Saturations in the simulated frames",
         _saturations(values["saturations"], outcome.calibrated.input_limit)),
        ("Streams", [(f"channel {span.channel}",
                      f"frames {span.first:3} to {span.end - 1:3}: {span.utterance}")
                     for span in outcome.plan.spans]),
        ("Seconds", [(title, f"{seconds:.1f}") for title, seconds in outcome.seconds.items()]),
        ("Versions", list(outcome.versions.items())),
    ]
    title = (f"{values['source']['checkpoint']} ({CHECKPOINT_PACKAGE} {CHECKPOINT_VERSION}), "
             f"{len(values['formats']['layers'])} LSTM layers, density "
             f"{outcome.options.density:g} -> {IMAGE_NAME}")
    lines = [title, "=" * len(title)]
    for heading, rows in sections:
        lines += ["", heading]
        lines += text_lines(rows, 24)
    return "\n".join(lines) + "\n"


def _giga_operations(outcome: Outcome, weights: int) -> float:
    """Thousands of operations in one frame of all channels, so that 1/µs gives GOP/s."""
    return OPERATIONS_PER_WEIGHT * weights * outcome.calibrated.image.config.channels / 1e3


def _speed(rtl: RtlResult, model: CycleReport) -> list[tuple[str, str]]:
    slots = rtl.config.lanes * rtl.count("cycles")
    shares = {name: 100 * rtl.count(name) / slots for name in ("nulls", "starved")}
    stalls = {name.removeprefix("stall_"): rtl.count(name) / rtl.steady_frames
              for name in rtl.frames[0].counters if name.startswith("stall_")}
    return [
        ("cycles per frame", f"{rtl.cycles_per_frame:,.1f} (cycle model: "
                             f"{model.cycles_per_frame:,}; ideal: {model.ideal_cycles:,})"),
        ("multiplier utilisation", f"{100 * rtl.utilisation:.2f} % (null entries "
                                   f"{shares['nulls']:.2f} %, starved {shares['starved']:.2f} %)"),
        ("broadcast stalls", ", ".join(f"{name} {count:.1f}" for name, count in stalls.items())
         + " cycles a frame"),
    ]


def _at_clock(values: dict[str, Any]) -> list[tuple[str, str]]:
    clock = values["at_target_clock"]
    faster = FRAME_MS * 1e3 / clock["microseconds_per_frame"]
    return [
        ("time per frame", f"{clock['microseconds_per_frame']:.2f} us for {values['channels']} "
                           f"streams, {faster:,.0f} times real time"),
        ("throughput", f"{clock['sparse_gops']:.1f} GOP/s on the weights left, "
                       f"{clock['dense_equivalent_gops']:.0f} GOP/s dense-equivalent"),
    ]


def _saturations(counts: dict[str, int], input_limit: float) -> list[tuple[str, str]]:
    return [
        ("inputs", f"{counts['input']:,} (beyond the calibrated limit {input_limit:g}, before "
                   f"scaling)"),
        ("gate inputs", f"{counts['gate_input']:,} (beyond +-8, where sigmoid and tanh are flat)"),
        ("cell states", f"{counts['cell']:,}"),
        ("tanh inputs", f"{counts['tanh_input']:,} (beyond +-8)"),
        ("results", f"{counts['result']:,}"),
    ]


def _difference(found: Difference) -> list[tuple[str, str]]:
    rows = [("outputs", f"RMS {found.rms:.4f}, largest {found.maximum:.4f} (RMS of the reference "
                        f"{found.reference_rms:.4f}; {found.values:,} values)")]
    if found.cosine_mean is not None:
        rows.append(("speaker embedding", f"cosine {found.cosine_mean:.4f} on average, "
                                          f"{found.cosine_min:.4f} at worst"))
    return rows
