"""Error rates and cycles against density: the paper's curve, balanced beside plain pruning.

Two ways to every density: pruned at once from the dense network, and along a chain in which each
density is pruned from the retrained network of the one before and then retrained under its mask.
Both balances go the same way: same seed, same steps. A point is written as soon as it is known;
an interrupted run goes on there.
"""

import hashlib
import itertools
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..compress.pipeline import compress_network
from ..compress.prune import Balance, prune_network
from ..contract.config import EngineConfig
from ..contract.errors import EseError
from ..contract.files import write_atomically
from ..sim.golden.cycles import simulate_model
from ..sim.golden.decode import decode_image
from ..train.calibration import calibration_frames
from ..train.data.dataset import Dataset
from ..train.data.streams import Corpus
from ..train.evaluate import float_scores
from ..train.loop.trainer import MODEL, Report, Trainer
from ..train.model import PhoneNet, check_dataset, load_model
from ..train.options import PruneOptions, TrainOptions
from ..train.pruning import load_network_into, network_from
from ..train.tasks.classify import Classification
from .journal import append_line, read_lines

CURVES: Mapping[str, Balance] = {"balanced": "matrix", "plain": "none"}
"""Balance of each curve."""
DENSE = "dense"
POINTS, SETTINGS = "points.jsonl", "settings.json"
STREAM_DEPTH = 1 << 20
"""Of the engine whose cycles are counted: cycles don't depend on it, and dense networks fit."""
CYCLE_FRAMES = 8

Tell = Callable[[str, float], None]
Rates = tuple[float, float]
"""FER and PER, %."""


@dataclass(frozen=True)
class CurvePoint:
    """One network of a curve (or ``dense``): held-out error rates (%) of the float network, and
    the cycle model's figures of the packed one. density: asked for, of every matrix."""

    name: str
    retrained: bool
    density: float
    fer: float
    per: float
    cycles: int
    utilisation: float


@dataclass(frozen=True)
class CurveOptions:
    """Knobs of the curves. densities: falling; names: among CURVES. Raises EseError."""

    engine: EngineConfig
    densities: tuple[float, ...]
    train: TrainOptions = field(default_factory=TrainOptions)
    names: tuple[str, ...] = tuple(CURVES)
    keep_one: bool = False
    threads: int = 0
    """Of PyTorch; 0: its own choice."""

    def __post_init__(self) -> None:
        bad = [density for density in self.densities if not 0 < density < 1]
        if bad or not self.densities:
            raise EseError(f"densities: must be over 0 and under 1, got "
                           f"{bad[0] if bad else 'none'}")
        if any(later >= density for density, later in itertools.pairwise(self.densities)):
            raise EseError(f"densities: must fall from one to the next, got "
                           f"{', '.join(f'{density:g}' for density in self.densities)}")
        for name in self.names:
            if name not in CURVES:
                raise EseError(f"curve: must be {' or '.join(CURVES)}, got {name!r}")


def run_curves(start: Path, dataset: Dataset, folder: Path, options: CurveOptions,
               tell: Tell = lambda what, done: None) -> list[CurvePoint]:
    """All points, from ``folder``/points.jsonl or new; trainings go into folders beside it.

    start: a dense model of ese train for this dataset. Raises EseError, also if the folder was
    begun with other settings.
    """
    if options.threads:
        torch.set_num_threads(options.threads)
    model = load_model(start)
    check_dataset(model, start, dataset)
    _check_settings(folder / SETTINGS, start, options)
    return _Run(model, start, dataset, folder, options, tell).points()


def read_curve(path: Path) -> list[CurvePoint]:
    """Points of a file; lines that are none do not count."""
    found = []
    for values in read_lines(path):
        try:
            found.append(CurvePoint(**values))
        except TypeError:
            continue
    return found


class _Run:
    def __init__(self, model: PhoneNet, start: Path, dataset: Dataset, folder: Path,
                 options: CurveOptions, tell: Tell) -> None:
        self.model, self.start, self.folder, self.options = model, start, folder, options
        self.tell = tell
        self.train = Corpus.load(dataset, dataset.split("train"))
        self.held_out = Corpus.load(dataset, dataset.split("held-out"))
        self.frames: list[NDArray[np.float32]] = calibration_frames(self.train, model)
        self.path = folder / POINTS
        self.known = {(p.name, p.retrained, p.density): p for p in read_curve(self.path)}

    def points(self) -> list[CurvePoint]:
        """In order: dense, pruned at once, chains."""
        densities = self.options.densities
        found = [self._point(DENSE, False, 1.0, self._dense)]
        found += [self._point(name, False, density, self._at_once)
                  for density in densities for name in self.options.names]
        found += [self._point(name, True, density, self._retrained)
                  for density in densities for name in self.options.names]
        return found

    def _point(self, name: str, retrained: bool, density: float,
               make: Callable[[str, float], tuple[PhoneNet, Rates]]) -> CurvePoint:
        key = (name, retrained, density)
        if key not in self.known:
            model, rates = make(name, density)
            self.tell(f"{name} {density:g}: cycle model", 0.0)
            cycles, utilisation = self._cycles(model)
            self.known[key] = CurvePoint(*key, *rates, cycles, utilisation)
            append_line(self.path, asdict(self.known[key]))
        return self.known[key]

    def _dense(self, name: str, density: float) -> tuple[PhoneNet, Rates]:
        return self.model, self._score(self.model, name)

    def _at_once(self, name: str, density: float) -> tuple[PhoneNet, Rates]:
        model = load_model(self.start)
        load_network_into(model.lstm, prune_network(
            network_from(model.lstm), self.options.engine, density, CURVES[name],
            self.options.keep_one))
        return model, self._score(model, f"{name} {density:g}, not retrained")

    def _retrained(self, name: str, density: float) -> tuple[PhoneNet, Rates]:
        densities = self.options.densities
        place = densities.index(density)
        before = (self._folder(name, densities[place - 1]) / MODEL) if place else self.start
        model = load_model(before)
        prune = PruneOptions(self.options.engine, density, {}, CURVES[name],
                             self.options.keep_one, "one-shot")
        trainer = Trainer(Classification(model, self.train, fresh=False),
                          self._folder(name, density), self.options.train, prune)

        def report(report: Report) -> None:
            self.tell(f"{name} {density:g}: epoch {report.epoch + 1}, loss {report.loss:.3f}, "
                      f"FER {report.fer:.1f} %, {report.eta / 60:.0f} min left",
                      report.step / report.steps)
        trainer.run(report)
        figures = trainer.evaluate(self.held_out)
        return model, (figures["held_out_fer"], figures["held_out_per"])

    def _score(self, model: PhoneNet, what: str) -> Rates:
        scores = float_scores(model, self.held_out,
                              lambda done: self.tell(f"{what}: scoring", done))
        return scores.fer, scores.per

    def _cycles(self, model: PhoneNet) -> tuple[int, float]:
        engine = self.options.engine.replace(stream_depth=STREAM_DEPTH)
        image, _ = compress_network(network_from(model.lstm), engine, 1.0, self.frames)
        report = simulate_model(decode_image(image), CYCLE_FRAMES)
        return report.cycles_per_frame, report.utilisation

    def _folder(self, name: str, density: float) -> Path:
        return self.folder / f"{name}-{density:g}"


def _check_settings(path: Path, start: Path, options: CurveOptions) -> None:
    """Record what the points depend on; refuse another run in the same folder."""
    mine: dict[str, Any] = {
        "model_sha256": hashlib.sha256(start.read_bytes()).hexdigest(),
        "engine": options.engine.digest, "keep_one": options.keep_one,
        "train": asdict(options.train), "densities": list(options.densities)}
    if path.is_file():
        try:
            theirs = dict(json.loads(path.read_text(encoding="utf-8")))
        except (ValueError, TypeError, RecursionError):
            raise EseError(f"output: {path} must be JSON as this tool writes it") from None
        chain = theirs.get("densities", [])
        for key, value in mine.items():
            same = (value[:len(chain)] == chain or value == chain[:len(value)]
                    if key == "densities" else value == theirs.get(key))
            if not same:
                raise EseError(f"{key}: must be as in {path} to go on in its folder, "
                               f"{theirs.get(key)}, got {value}; choose another output folder "
                               f"for other curves")
        mine["densities"] = max(chain, mine["densities"], key=len)
    text = json.dumps(mine, indent=2) + "\n"
    write_atomically(path, lambda temporary: temporary.write_text(text))
