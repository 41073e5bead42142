"""How much each matrix minds pruning: error rates against density, one matrix at a time.

The paper's curve of PER against sparsity, without retraining, per matrix and for all together.
Every point is appended to a file as soon as it is known; an interrupted scan goes on there.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from ..compress.matrices import MATRICES
from ..compress.prune import Balance, prune_network
from ..contract.config import EngineConfig
from ..contract.errors import EseError
from ..train.data.streams import Corpus
from ..train.evaluate import float_answers, score_answers
from ..train.model import PhoneNet
from ..train.pruning import load_network_into, network_from
from .journal import append_line, read_lines

ALL = "all"


@dataclass(frozen=True)
class Point:
    """Error rates (%) with one matrix, or ``all``, pruned to a density; ``dense``: nothing."""

    matrix: str
    density: float
    fer: float
    per: float


def scan(model: PhoneNet, corpus: Corpus, config: EngineConfig, densities: Sequence[float],
         path: Path, balance: Balance = "matrix",
         progress: Callable[[int, int], None] = lambda done, total: None) -> list[Point]:
    """Every matrix at every density, all together, and the dense network first.

    path: a .jsonl file of points; those it has are not computed again. The model's weights are
    the same afterwards. Raises EseError for densities out of range or an unwritable file.
    """
    bad = [density for density in densities if not 0 < density < 1]
    if bad or not densities:
        raise EseError(f"densities: must be over 0 and under 1, got {bad[0] if bad else 'none'}")
    network = network_from(model.lstm)
    names = {name for layer in network.layers for name, _matrix in layer.matrices()}
    wanted = [("dense", 1.0), *((name, density) for name in (ALL, *MATRICES)
                                if name in names or name == ALL for density in densities)]
    known = {(point.matrix, point.density): point for point in read_points(path)}
    found = []
    try:
        for number, key in enumerate(wanted):
            progress(number, len(wanted))
            if key not in known:
                name, density = key
                load_network_into(model.lstm, prune_network(
                    network, config, density if name == ALL else 1.0, balance,
                    densities={} if name in (ALL, "dense") else {name: density}))
                scores = score_answers(model, corpus, float_answers(model, corpus))
                known[key] = Point(name, density, scores.fer, scores.per)
                append_line(path, asdict(known[key]))
            found.append(known[key])
    finally:
        load_network_into(model.lstm, network)
    return found


def choose(points: Sequence[Point], allowance: float) -> dict[str, float]:
    """Smallest scanned density of each matrix at which PER is at most ``allowance`` above the
    dense network's; 1 if none is small enough."""
    dense = next(point.per for point in points if point.matrix == "dense")
    names = dict.fromkeys(point.matrix for point in points if point.matrix in MATRICES)
    return {name: min((point.density for point in points if point.matrix == name
                       and point.per <= dense + allowance), default=1.0) for name in names}


def read_points(path: Path) -> list[Point]:
    """Points of an earlier scan; a line that was cut off does not count."""
    found = []
    for values in read_lines(path):
        try:
            found.append(Point(**values))
        except TypeError:
            continue
    return found
