"""A speaker encoder in 12-bit weights, pruned or not.

Resemblyzer's three LSTM layers (40 → 256 → 256 → 256), none of it trained here, run bit-exactly in
the golden model on held-out real speech; the embeddings are compared with those of the original
in floating point. Networks that ``ese distill`` left are measured beside it.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..compress.network import Network
from ..compress.pipeline import CompressOptions, compress_network
from ..compress.read.checkpoint import load_network, load_tensors
from ..compress.reference import run_float
from ..compress.report import CompressReport
from ..compress.storage import huffman_coded
from ..contract.coded import coded_bits
from ..contract.config import PRESETS, EngineConfig
from ..contract.errors import EseError
from ..contract.image import Image
from ..demo.accuracy import Head, run_fixed
from ..demo.speech import PARTIAL_FRAMES
from ..report.table import Table
from ..sim.golden.cycles import simulate_model
from ..sim.golden.decode import decode_image
from .resemblyzer_speech import PROMPT, speaker_of
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


def measure_all(checkpoint: Path, models: Sequence[Path], folder: Path, windows: int, dense: bool,
                progress: Callable[[str, float], None]) -> Iterator[Row]:
    """The original of ``checkpoint`` on several engines, unless not ``dense``, then ``models``,
    each a model.safetensors of ``ese distill``, on held-out speech of ``folder``."""
    teacher = load_network(checkpoint)
    heard = Speech(folder, teacher, Head.of(load_tensors(checkpoint)), windows)
    work: list[tuple[str, Network, EngineConfig, str]] = []
    if dense:
        wide = ENGINE.replace(weight_bits=16)
        work += [("original", teacher, engine, inputs) for engine, inputs in (
            (ENGINE, "wide"), (wide, "column"), (ENGINE, "column"), (ENGINE, "plain"))]
    work += [(path.parent.name or path.stem, load_network(path, "lstm"), ENGINE, "wide")
             for path in models]
    for number, (name, network, config, inputs) in enumerate(work):
        progress(f"{name}, {config.weight_bits} bits, inputs {inputs}", number / len(work))
        yield measure(name, network, heard, config, inputs)


def tables(rows: Sequence[Row]) -> list[Table]:
    """What was measured, for reading."""
    return [
        Table("Embeddings against the original in floating point", (
            "network", "bits: weights, activations", "inputs", "windows", "float, cosine",
            "golden, cosine: mean", "smallest", "Asterisk", "EER"), tuple(
            (row.network, f"{row.weights}, {row.activations}", row.inputs, str(row.windows),
             f"{row.float_mean:.4f}", f"{row.mean:.4f}", f"{row.smallest:.4f}",
             f"{row.prompts_mean:.4f}", f"{row.eer:.3f}") for row in rows)),
        Table("Size and speed", ("network", "bits", "inputs", "weights kept", "times smaller",
                                "Huffman-coded", "cycles a frame", "utilisation"), tuple(
            (row.network, str(row.weights), row.inputs, f"{100 * row.kept:.1f} %",
             f"{row.smaller:.1f}", f"{row.huffman:.1f}", f"{row.cycles:,}",
             f"{100 * row.utilisation:.1f} %") for row in rows))]
