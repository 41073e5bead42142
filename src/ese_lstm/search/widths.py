"""Widths chosen by sensitivity: error rates against the bits of one tensor at a time.

A matrix is narrowed as :mod:`compress.widths` does, all else in floating point. Activations have
one width in the whole engine, as x, y, m and the gates meet in the same accumulators and tables;
it is measured bit-exactly in the golden model, with weights and accumulators as wide as an engine
has them. Points are appended to a file as soon as they are known; a scan goes on there.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..compress.matrices import MATRICES
from ..compress.pipeline import CompressOptions, compress_network
from ..compress.widths import check_widths, narrow_network
from ..contract.config import EngineConfig
from ..contract.errors import EseError
from ..train.data.streams import Corpus
from ..train.evaluate import fixed_answers, float_answers, score_answers
from ..train.model import PhoneNet
from ..train.pruning import load_network_into, network_from
from ..train.scoring import Scores
from .journal import append_line, read_lines

FLOAT, ALL, ACTIVATIONS = "float", "all", "activations"
MOST_BITS, MIN_ACT_BITS = 18, 8
"""Bounds of ``EngineConfig.weight_bits`` and ``act_bits``."""
ACC_BITS = 48
STREAM_DEPTH = 1 << 20
CHANNELS = 64
"""Of the golden model; results don't depend on them."""

Tell = Callable[[str], None]


@dataclass(frozen=True)
class WidthPoint:
    """Error rates (%) with a tensor of so many bits. tensor: a matrix, ``all`` matrices,
    ``activations``, ``float`` (nothing rounded, bits 0), or a choice as :func:`name_of` writes it.
    """

    tensor: str
    bits: int
    utterances: int
    fer: float
    per: float


@dataclass(frozen=True)
class Choice:
    """Bits of each matrix and of activations. weight_rise: PER (absolute %) of all matrices
    narrowed, in floating point; rise: of everything together, in the golden model."""

    weights: Mapping[str, int]
    activations: int
    weight_rise: float
    rise: float

    @property
    def options(self) -> str:
        """Of ``ese compress``: the engine's widths, and narrower matrices."""
        widest = max(self.weights.values())
        return " ".join([f"--weight-bits {widest}", f"--act-bits {self.activations}", *(
            f"--weight-bits-of {name}={bits}" for name, bits in self.weights.items()
            if bits != widest)])


@dataclass
class WidthScan:
    """One model on one corpus. frames: for calibration, (T, inputs) each. few: utterances on
    which the golden model is run, from the corpus's beginning. path: a .jsonl file of points.
    The model's weights are the same after every call."""

    model: PhoneNet
    corpus: Corpus
    few: Corpus
    config: EngineConfig
    frames: Sequence[NDArray[np.floating]]
    path: Path
    tell: Tell = field(default=lambda what: None)

    def __post_init__(self) -> None:
        self._known = {(p.tensor, p.bits, p.utterances): p for p in read_width_points(self.path)}
        self._network = network_from(self.model.lstm)

    def scan(self, bits: Sequence[int]) -> list[WidthPoint]:
        """Float, every matrix and all at every width, activations at those of at least 8.

        Raises EseError for widths that no engine has, or an unwritable file.
        """
        if not bits:
            raise EseError("bits: must be given, got none")
        for number in bits:
            check_widths({MATRICES[0]: number}, 1, MOST_BITS)
        wide = sorted({number for number in bits if number >= MIN_ACT_BITS}, reverse=True)
        if not wide:
            raise EseError(f"bits: must hold one of at least {MIN_ACT_BITS} for activations, got "
                           f"{', '.join(map(str, bits))}")
        found = [self.floating({})]
        for name in (ALL, *self._names()):
            widths = self._names() if name == ALL else (name,)
            found += [self.floating(dict.fromkeys(widths, number), name, number)
                      for number in sorted(set(bits), reverse=True)]
        found.append(self.reference())
        return found + [self.fixed(ACTIVATIONS, {}, number, exact_weights=True)
                        for number in wide]

    def choose(self, bits: Sequence[int], target: float) -> Choice:
        """Narrowest widths at which PER rises by at most ``target`` (absolute %).

        Matrices: the rises measured one by one must not add up to more; then all are narrowed
        together, and steps are taken back until that holds for them as well. Activations: the
        narrowest width down to which no width costs more. What is left over is the widest of each.
        """
        points = self.scan(bits)
        base = points[0].per
        weights, rise = {}, 0.0
        for weights in reversed(greedy(points, target, self._sizes())):
            rise = self.floating(weights, name_of(weights), 0).per - base
            if rise <= target:
                break
        reference = self.reference().per
        activations = 0
        for point in (point for point in points if point.tensor == ACTIVATIONS):
            if activations and point.per - reference > target:
                break
            activations = point.bits
        together = self.fixed(name_of(weights), weights, activations, exact_weights=False)
        return Choice(weights, activations, rise, together.per - reference)

    def floating(self, widths: Mapping[str, int], name: str = FLOAT, bits: int = 0) -> WidthPoint:
        """Matrices of so many bits, the rest in floating point, on the whole corpus."""
        return self._point((name, bits, len(self.corpus.lengths)), self.corpus, widths)

    def reference(self) -> WidthPoint:
        """Nothing rounded, on the few utterances of the golden model."""
        return self._point((FLOAT, 0, len(self.few.lengths)), self.few, {})

    def fixed(self, name: str, widths: Mapping[str, int], act_bits: int, *,
              exact_weights: bool) -> WidthPoint:
        """The golden model on the few utterances; exact_weights: as wide as there are."""
        def run() -> Scores:
            width = MOST_BITS if exact_weights else max(widths.values())
            engine = self.config.replace(
                act_bits=act_bits, weight_bits=width, stream_depth=STREAM_DEPTH,
                acc_bits=ACC_BITS if exact_weights else self.config.acc_bits)
            image, _ = compress_network(self._network, engine, 1.0, self.frames,
                                        CompressOptions(weight_bits=widths))
            answers, _, _ = fixed_answers(self.model, image, self.few, CHANNELS)
            return score_answers(self.model, self.few, answers)
        return self._known_or((name, act_bits, len(self.few.lengths)), run)

    def _point(self, key: tuple[str, int, int], corpus: Corpus,
               widths: Mapping[str, int]) -> WidthPoint:
        def run() -> Scores:
            load_network_into(self.model.lstm, narrow_network(self._network, widths))
            try:
                return score_answers(self.model, corpus, float_answers(self.model, corpus))
            finally:
                load_network_into(self.model.lstm, self._network)
        return self._known_or(key, run)

    def _known_or(self, key: tuple[str, int, int], run: Callable[[], Scores]) -> WidthPoint:
        if key not in self._known:
            self.tell(f"{key[0]}, {key[1]} bits" if key[1] else key[0])
            scores = run()
            self._known[key] = WidthPoint(*key, scores.fer, scores.per)
            append_line(self.path, asdict(self._known[key]))
        return self._known[key]

    def _names(self) -> tuple[str, ...]:
        return tuple(self._sizes())

    def _sizes(self) -> dict[str, int]:
        """Non-zero weights of each matrix, of all layers."""
        sizes = dict.fromkeys(MATRICES, 0)
        for layer in self._network.layers:
            for name, matrix in layer.matrices():
                sizes[name] += int(np.count_nonzero(matrix))
        return {name: size for name, size in sizes.items() if size}


def greedy(points: Sequence[WidthPoint], target: float, sizes: Mapping[str, int]
           ) -> list[dict[str, int]]:
    """Widths from the widest of every matrix on, one narrowing a step, while the rises of PER
    add up to at most ``target``; each step saves most bits for the rise it adds.

    A width's rise is the largest of its own and of all wider ones', and at least 0.
    """
    base = next(point.per for point in points if point.tensor == FLOAT)
    rises: dict[str, list[tuple[int, float]]] = {}
    for name in sizes:
        worst, ladder = 0.0, []
        for point in sorted((p for p in points if p.tensor == name), key=lambda p: -p.bits):
            worst = max(worst, point.per - base)
            ladder.append((point.bits, worst))
        rises[name] = ladder
    place = dict.fromkeys(rises, 0)
    steps = [{name: ladder[0][0] for name, ladder in rises.items()}]
    while True:
        total = sum(ladder[place[name]][1] for name, ladder in rises.items())
        best: tuple[float, str] | None = None
        for name, ladder in rises.items():
            if place[name] + 1 == len(ladder):
                continue
            (bits, rise), (fewer, more) = ladder[place[name]:place[name] + 2]
            if total + more - rise <= target:
                gain = sizes[name] * (bits - fewer) / (more - rise + 1e-9)
                best = max(best, (gain, name)) if best else (gain, name)
        if best is None:
            return steps
        place[best[1]] += 1
        steps.append({name: ladder[place[name]][0] for name, ladder in rises.items()})


def name_of(widths: Mapping[str, int]) -> str:
    """Of a point with matrices of several widths: ``Wix=8 Wfx=10 …``."""
    return " ".join(f"{name}={bits}" for name, bits in widths.items())


def read_width_points(path: Path) -> list[WidthPoint]:
    """Points of an earlier scan; lines that are none do not count."""
    found = []
    for values in read_lines(path):
        try:
            found.append(WidthPoint(**values))
        except TypeError:
            continue
    return found
