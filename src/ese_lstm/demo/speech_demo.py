"""``python -m ese_lstm.demo.speech_demo``: held-out speech recognised by the simulated Verilog."""

import json
import shlex
import sys
import textwrap
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from ..cli.options import KNOBS, chosen_config, config_options
from ..cli.terminal import Steps, exit_codes
from ..compress.pipeline import CompressOptions
from ..contract.files import check_folder, write_contents
from ..sim.rtl.verilator import SimulationError
from .recognise import IMAGE_NAME, Options, Outcome, run_recogniser

MODULE = "ese_lstm.demo.speech_demo"
CHANNELS = 4
WIDTH = 96


@click.command(context_settings={"show_default": True, "help_option_names": ["-h", "--help"]})
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("dataset", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), default=Path("build/demo-speech"),
              metavar="DIRECTORY", help="Where Verilog, image and summary go.")
@click.option("--utterances", default=Options.utterances,
              help="Of the held-out split, spread evenly over it; at least one a channel.")
@click.option("--density", default=Options.density,
              help="Share of weights to keep; 1 for a model that is pruned already.")
@click.option("--keep-one", is_flag=True, help="Leave no lane without a weight in any column.")
@config_options
def main(model: Path, dataset: Path, output: Path, utterances: int, density: float,
         keep_one: bool, config: str, sets: tuple[str, ...], **knobs: Any) -> None:
    """Recognise held-out speech of DATASET with MODEL on the exported Verilog, bit-exactly.

    MODEL is a phone classifier of ese train, pruned and retrained. Its LSTM is packed and runs in
    Verilator on the configuration with 4 channels (--channels: more); every hidden value, cell
    state and output is compared with the golden model. The output layer and Viterbi run on the
    host, in floating point.

    Exit codes: 0 every value is equal; 1 one differs or the simulation failed; 2 wrong input.
    """
    command = shlex.join(["python", "-m", MODULE, *sys.argv[1:]])
    with exit_codes(SimulationError):
        check_folder(output)
        knobs["channels"] = knobs["channels"] or CHANNELS
        engine = chosen_config(config, sets, **{name: knobs[name] for name in KNOBS})
        outcome = run_recogniser(Options(model, dataset, output, engine, utterances, density,
                                         CompressOptions(keep_one=keep_one, command=command)),
                                 Steps())
        text = as_text(outcome)
        values = json.dumps(as_json(outcome, command), indent=2, ensure_ascii=False) + "\n"
        write_contents({output / "summary.json": values, output / "summary.txt": text})
    click.echo(f"\n{text}\nResults are in {output}/")
    sys.exit(0 if outcome.run.comparison.equal else 1)


def as_json(outcome: Outcome, command: str) -> dict[str, Any]:
    """All figures; sizes in bits, rates in %."""
    rtl, comparison = outcome.run.rtl, outcome.run.comparison
    manifest, config = outcome.image.manifest, outcome.image.config
    return {
        "command": command,
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
    values = as_json(outcome, "")
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
    lines += [f"  {name:<18}{value}" for name, value in rows]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
