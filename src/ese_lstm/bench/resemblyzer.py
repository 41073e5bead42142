"""``python -m ese_lstm.bench.resemblyzer``: a speaker encoder in 12-bit weights, pruned or not.

Resemblyzer's three LSTM layers (40 → 256 → 256 → 256), none of it trained here, run bit-exactly in
the golden model on held-out real speech; the embeddings are compared with those of the original
in floating point. Networks that ``ese distill`` left are measured beside it.
"""

import shlex
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray

from ..cli.outputs import check_files
from ..cli.terminal import Progress
from ..compress.network import Network
from ..compress.pipeline import CompressOptions, compress_network
from ..compress.read.checkpoint import load_network, load_tensors
from ..compress.reference import run_float
from ..compress.report import CompressReport
from ..compress.storage import huffman_coded
from ..contract.coded import coded_bits
from ..contract.config import PRESETS, EngineConfig
from ..contract.errors import EseError
from ..contract.files import check_folder
from ..contract.image import Image
from ..demo.accuracy import Head, run_fixed
from ..demo.fetch import fetch_checkpoint
from ..demo.speech import PARTIAL_FRAMES
from ..sim.golden.cycles import simulate_model
from ..sim.golden.decode import decode_image
from .resemblyzer_speech import PROMPT, clips, prepare, speaker_of
from .tables import Text, figure_files, show, write_figures
from .wide_inputs import widen

ENGINE = PRESETS["xcku060-32x32"].replace(stream_depth=65536)
"""Enough for the network that isn't pruned; cycles don't depend on the depth."""
CALIBRATION_CLIPS = 200
FLOAT_BITS = 32
Reals = NDArray[np.float64]


@dataclass(frozen=True)
class Row:
    """One network on one engine.

    weights: bits of an entry; inputs: how they come (plain, column: scaled by powers of two, wide:
    spread over columns). float_mean: cosine of the network in floating point against the original,
    1 for the original; mean, smallest: of the golden model's embeddings; prompts_mean: of
    Asterisk's prompts among them; eer: equal-error rate between speakers of dialogues. kept: share
    of the original's weights; smaller, huffman: times less than the original's 32-bit weights,
    as entries and Huffman-coded. cycles: of a frame of all channels, by the cycle model.
    """

    network: str
    weights: int
    activations: int
    inputs: str
    windows: int
    float_mean: float
    mean: float
    smallest: float
    prompts_mean: float
    eer: float
    input_saturated: int
    kept: float
    smaller: float
    huffman: float
    cycles: int
    utilisation: float
    formats: tuple[str, ...]


class Speech:
    """Held-out windows of a prepared folder and what the original makes of them."""

    def __init__(self, folder: Path, teacher: Network, head: Head, count: int) -> None:
        held_out = sorted((folder / "held-out").glob("*.npy"))
        learned = sorted((folder / "train").glob("*.npy"))
        if not held_out or not learned:
            raise EseError(f"speech: {folder} must hold train/ and held-out/ with .npy files (the "
                           f"command prepare makes it)")
        held_out = [held_out[k * len(held_out) // count] for k in range(count)
                    ] if count < len(held_out) else held_out
        self.names = [path.stem for path in held_out]
        self.windows = np.stack([np.load(path)[:PARTIAL_FRAMES] for path in held_out],
                                axis=-1).astype(np.float64)
        step = max(1, len(learned) // CALIBRATION_CLIPS)
        self.calibration = [np.load(path)[:PARTIAL_FRAMES].astype(np.float64)
                            for path in learned[::step][:CALIBRATION_CLIPS]]
        self.teacher, self.head = teacher, head
        self.wanted = head.embed(run_float(teacher, self.windows).outputs)

    def cosines(self, embeddings: Reals) -> Reals:
        """Cosine to the original's embedding, (windows,)."""
        return np.asarray(np.sum(embeddings * self.wanted, axis=0))

    def eer(self, embeddings: Reals) -> float:
        """Equal-error rate over all pairs of windows from dialogues."""
        speakers = [speaker_of(name) for name in self.names]
        known = [k for k, speaker in enumerate(speakers) if speaker]
        return equal_error_rate(embeddings[:, known], [speakers[k] for k in known])


def equal_error_rate(embeddings: Reals, speakers: Sequence[str]) -> float:
    """Share of wrong decisions at the threshold of cosine where as many pairs of one speaker are
    told apart as pairs of two are not; embeddings: (width, utterances) of unit length."""
    first, second = np.triu_indices(len(speakers), 1)
    scores = (embeddings.T @ embeddings)[first, second]
    names = np.asarray(speakers)
    same = np.asarray(names[first] == names[second], np.bool_)
    if not same.any() or same.all():
        raise EseError("speech: must hold pairs of one speaker and pairs of two for an "
                       "equal-error rate, but does not")
    order = np.argsort(scores, kind="stable")
    missed = np.cumsum(same[order]) / same.sum()
    accepted = 1 - np.cumsum(~same[order]) / (~same).sum()
    place = int(np.argmin(np.abs(missed - accepted)))
    return float((missed[place] + accepted[place]) / 2)


def measure(name: str, network: Network, speech: Speech, config: EngineConfig,
            inputs: str = "wide") -> Row:
    """Compress one network and run the windows through the golden model."""
    frames, calibration, run = speech.windows, speech.calibration, network
    if inputs == "wide":
        peaks = np.abs(np.concatenate(calibration)).max(axis=0)
        run, spread = widen(network, peaks, config)
        frames, calibration = spread.spread(frames), [spread.spread(c) for c in calibration]
    image, report = compress_network(run, config, 1.0, calibration, CompressOptions(
        input_scaling="column" if inputs == "column" else "none"))
    outputs, saturated = run_fixed(image, frames)
    embeddings = speech.head.embed(outputs)
    cosines = speech.cosines(embeddings)
    prompts = [k for k, clip in enumerate(speech.names) if clip.startswith(PROMPT)]
    plain = speech.cosines(speech.head.embed(run_float(network, speech.windows).outputs))
    cycles = simulate_model(decode_image(image))
    dense = FLOAT_BITS * speech.teacher.weights
    kept = sum(np.count_nonzero(m) for layer in network.layers for _, m in layer.matrices())
    return Row(
        network=name, weights=config.weight_bits, activations=config.act_bits, inputs=inputs,
        windows=len(cosines), float_mean=float(plain.mean()), mean=float(cosines.mean()),
        smallest=float(cosines.min()),
        prompts_mean=float(cosines[prompts].mean()) if prompts else float("nan"),
        eer=speech.eer(embeddings), input_saturated=saturated,
        kept=kept / speech.teacher.weights, smaller=dense / _bits(report, "indexed"),
        huffman=dense / _coded_bits(image), cycles=cycles.cycles_per_frame,
        utilisation=cycles.utilisation,
        formats=tuple(f"x {layer.input_frac}, y {layer.output_frac}, accumulator "
                      f"{layer.gate_acc_frac} ({layer.gate_limit})" for layer in report.layers))


def _bits(report: CompressReport, stage: str) -> int:
    return next(found.bits for found in report.stages if found.name.startswith(stage))


def _coded_bits(image: Image) -> int:
    return coded_bits(huffman_coded(image, shared=False).coded, image.config)


def tables(rows: Sequence[Row]) -> list[Text]:
    """What was measured, for reading."""
    return [
        Text("Embeddings against the original in floating point", (
            "network", "bits: weights, activations", "inputs", "windows", "float, cosine",
            "golden, cosine: mean", "smallest", "Asterisk", "EER"), tuple(
            (row.network, f"{row.weights}, {row.activations}", row.inputs, str(row.windows),
             f"{row.float_mean:.4f}", f"{row.mean:.4f}", f"{row.smallest:.4f}",
             f"{row.prompts_mean:.4f}", f"{row.eer:.3f}") for row in rows)),
        Text("Size and speed", ("network", "bits", "inputs", "weights kept", "times smaller",
                                "Huffman-coded", "cycles a frame", "utilisation"), tuple(
            (row.network, str(row.weights), row.inputs, f"{100 * row.kept:.1f} %",
             f"{row.smaller:.1f}", f"{row.huffman:.1f}", f"{row.cycles:,}",
             f"{100 * row.utilisation:.1f} %") for row in rows))]


@click.group(context_settings={"show_default": True, "help_option_names": ["-h", "--help"]})
def main() -> None:
    """Resemblyzer's speaker encoder in fixed point, dense and distilled."""


_cache = click.option("--cache", type=click.Path(path_type=Path),
                      default=Path.home() / ".cache/ese-lstm",
                      show_default="~/.cache/ese-lstm", help="Folder for downloads.")


@main.command("prepare")
@click.option("-o", "--output", type=click.Path(path_type=Path),
              default=Path("build/resemblyzer/speech"), help="Folder of mel frames.")
@_cache
def prepare_command(output: Path, cache: Path) -> None:
    """Fetch checkpoint and speech, compute mel frames; goes on where it was interrupted."""
    try:
        check_folder(output)
        progress = Progress()
        checkpoint = fetch_checkpoint(cache)
        found = prepare(clips(cache), output,
                        lambda done, total: progress("mel frames", done / total))
    except EseError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(2)
    click.echo(f"{found.clips['train']} clips to learn from ({found.frames['train']:,} frames), "
               f"{found.clips['held-out']} held out, {found.short} too short, in {output}; "
               f"checkpoint {checkpoint}")


@main.command("measure")
@click.argument("models", type=click.Path(path_type=Path), nargs=-1)
@click.option("--speech", type=click.Path(path_type=Path),
              default=Path("build/resemblyzer/speech"), help="Folder that prepare made.")
@_cache
@click.option("--windows", type=click.IntRange(min=2), default=128,
              help="Held-out clips, spread evenly, whose first 160 frames are run.")
@click.option("--dense/--no-dense", default=True, help="Measure the original too.")
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False),
              default=Path("build/resemblyzer/resemblyzer.json"),
              help="Where figures go; tables beside it, as .md.")
def measure_command(models: tuple[Path, ...], speech: Path, cache: Path, windows: int, dense: bool,
                    output: Path) -> None:
    """Run the original and MODELS, model.safetensors of ese distill, through the golden model."""
    command = shlex.join(["python", "-m", "ese_lstm.bench.resemblyzer", *sys.argv[1:]])
    try:
        check_files(*figure_files(output))
        checkpoint = fetch_checkpoint(cache)
        teacher = load_network(checkpoint)
        heard = Speech(speech, teacher, Head.of(load_tensors(checkpoint)), windows)
        work: list[tuple[str, Network, EngineConfig, str]] = []
        if dense:
            wide = ENGINE.replace(weight_bits=16)
            work += [("original", teacher, engine, inputs) for engine, inputs in (
                (ENGINE, "wide"), (wide, "column"), (ENGINE, "column"), (ENGINE, "plain"))]
        work += [(path.parent.name or path.stem, load_network(path, "lstm"), ENGINE, "wide")
                 for path in models]
        rows: list[Row] = []
        progress = Progress()
        for number, (name, network, config, inputs) in enumerate(work):
            progress(f"{name}, {config.weight_bits} bits, inputs {inputs}", number / len(work))
            rows.append(measure(name, network, heard, config, inputs))
            write_figures(output, {"command": command, "rows": [asdict(row) for row in rows]},
                          command, tables(rows))
    except EseError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(2)
    show(tables(rows))
    click.echo(f"Figures are in {output}")


if __name__ == "__main__":
    main()
