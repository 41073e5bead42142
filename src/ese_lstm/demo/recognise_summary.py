"""The recogniser's outcome as JSON and as text."""

import json
import textwrap
from dataclasses import asdict
from typing import Any

from ..contract.files import write_contents
from ..report.table import text_lines
from .recognise import IMAGE_NAME, Outcome

WIDTH = 96


def write_summary(outcome: Outcome) -> str:
    """Write ``summary.json`` and ``summary.txt`` beside the image; returns the text."""
    text, folder = as_text(outcome), outcome.options.output
    values = json.dumps(as_json(outcome), indent=2, ensure_ascii=False) + "\n"
    write_contents({folder / "summary.json": values, folder / "summary.txt": text})
    return text


def as_json(outcome: Outcome) -> dict[str, Any]:
    """All figures; sizes in bits, rates in %."""
    rtl, comparison = outcome.run.rtl, outcome.run.comparison
    manifest, config = outcome.image.manifest, outcome.image.config
    return {
        "command": outcome.options.compress.command,
        "values_compared": comparison.values_compared,
        "mismatches": sum(comparison.mismatches.values()),
        "compared_by_kind": comparison.compared,
        "first_mismatch": None if comparison.first is None else asdict(comparison.first),
        "frames": len(rtl.frames), "channels": config.channels,
        "cycles_per_frame": rtl.cycles_per_frame, "utilisation": rtl.utilisation,
        "ideal_cycles": outcome.run.model.ideal_cycles,
        "us_per_frame": rtl.cycles_per_frame / config.clock_mhz,
        "cycle_model": {"cycles_per_frame": outcome.run.model.cycles_per_frame,
                        "utilisation": outcome.run.model.utilisation},
        "per": outcome.scores.per, "fer": outcome.scores.fer,
        "float_per": outcome.float_scores.per, "float_fer": outcome.float_scores.fer,
        "phones": outcome.scores.phones, "phone_errors": outcome.scores.phone_errors,
        "utterances": [{"name": heard.utterance.name, "text": heard.utterance.text,
                        "frames": heard.utterance.frames, "channel": heard.channel,
                        "first_frame": heard.first_frame, "reference": " ".join(heard.truth),
                        "recognised": " ".join(heard.found), "per": heard.per}
                       for heard in outcome.heard],
        "entries": manifest.entries, "null_entries": manifest.null_entries,
        "dense_weights": manifest.dense_weights,
        "stored_bits": outcome.image.stored_bits,
        "compression_ratio": outcome.report.compression_ratio,
        "saturations": {**asdict(outcome.run.saturations), "input": outcome.input_saturated},
        "model_sha256": manifest.source_sha256, "verilog_sha256": outcome.verilog_sha256,
        "config": config.model_dump(),
    }


def as_text(outcome: Outcome) -> str:
    """The same for reading."""
    values = as_json(outcome)
    config = outcome.image.config
    title = (f"{outcome.options.model} -> {IMAGE_NAME}: {values['entries']:,} of "
             f"{values['dense_weights']:,} weights, {config.weight_bits} bits; activations "
             f"{config.act_bits} bits")
    lines = [title, "=" * len(title)]
    for heard in outcome.heard:
        lines += ["", f"{heard.utterance.name}, channel {heard.channel}, frames "
                      f"{heard.first_frame} to {heard.first_frame + heard.utterance.frames - 1}: "
                      f"PER {heard.per:.1f} % ({heard.errors} of {len(heard.truth)} phones)"]
        for name, text in (("text", heard.utterance.text), ("reference", " ".join(heard.truth)),
                           ("recognised", " ".join(heard.found))):
            lines += textwrap.wrap(text or "–", WIDTH, initial_indent=f"  {name:<12}",
                                   subsequent_indent=" " * 14)
    failed = "" if outcome.run.comparison.equal else "  <-- FAILED"
    first = outcome.run.comparison.first
    rows = [
        ("values compared", f"{values['values_compared']:,} (hidden, cell and output values of "
                            f"{values['frames']} frames x {values['channels']} channels)"),
        ("mismatches", f"{values['mismatches']:,}{failed}"),
        *([("first mismatch", str(first))] if first else []),
        ("cycles a frame", f"{values['cycles_per_frame']:,.1f} (cycle model "
                           f"{values['cycle_model']['cycles_per_frame']:,}; ideal "
                           f"{values['ideal_cycles']:,}); {values['us_per_frame']:.1f} us if it "
                           f"runs at {config.clock_mhz:g} MHz"),
        ("utilisation", f"{100 * values['utilisation']:.2f} % of {config.lanes} lanes x "
                        f"{config.channels} channels, from the hardware's counters"),
        ("PER", f"{values['per']:.2f} % ({values['phone_errors']} of {values['phones']} phones); "
                f"MODEL as it is, in floating point: "
                f"{values['float_per']:.2f} %"),
        ("FER", f"{values['fer']:.2f} %; MODEL {values['float_fer']:.2f} %"),
        ("stored", f"{values['stored_bits']:,} bits, {values['compression_ratio']:.1f} times "
                   f"smaller than 32-bit floating point"),
    ]
    lines += ["", "Exported Verilog (Verilator) against the golden model"]
    lines += text_lines(rows, 18)
    return "\n".join(lines) + "\n"
