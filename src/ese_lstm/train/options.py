"""Settings of a model, its training, pruning in it, and distillation: each is stated once.

A field that :func:`setting` makes has a default, a help text from which commands make an option,
and a rule that is checked at construction. No module of PyTorch's is needed.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, get_args

from ..compress.prune import Balance
from ..contract import published
from ..contract.config import EngineConfig
from ..contract.errors import EseError


@dataclass(frozen=True)
class Rule:
    """What a value must be: as a sentence says it, and as a function. choices: if there are few."""

    text: str
    holds: Callable[[Any], bool]
    choices: tuple[str, ...] = ()


AT_LEAST_0 = Rule("at least 0", lambda value: value >= 0)
AT_LEAST_1 = Rule("at least 1", lambda value: value >= 1)
POSITIVE = Rule("over 0 and finite", lambda value: 0 < value < math.inf)
FINITE = Rule("at least 0 and finite", lambda value: 0 <= value < math.inf)
SHARE = Rule("at least 0 and under 1", lambda value: 0 <= value < 1)
PART = Rule("over 0 and at most 1", lambda value: 0 < value <= 1)


def one_of(*names: str) -> Rule:
    """One of a few names."""
    return Rule(" or ".join(names), lambda value: value in names, names)


def setting(default: Any, text: str, rule: Rule | None = None) -> Any:
    """A field of settings with its help text."""
    return field(default=default, metadata={"help": text, "rule": rule})


class Settings:
    """A frozen dataclass whose fields have rules. Raises EseError naming the field."""

    def __post_init__(self) -> None:
        for part in fields(self):  # type: ignore[arg-type]
            rule, value = part.metadata.get("rule"), getattr(self, part.name)
            if rule is not None and not rule.holds(value):
                raise EseError(f"{part.name}: must be {rule.text}, got {value!r}")


@dataclass(frozen=True)
class Shape(Settings):
    """Dimensions of a phone classifier, and the delay of its answers in frames."""

    inputs: int = field(default=published.INPUTS, metadata={"rule": AT_LEAST_1})
    cells: int = setting(published.CELLS, "LSTM cells of a layer.", AT_LEAST_1)
    projection: int = setting(published.PROJECTION, "Width of the projection; 0: none.", AT_LEAST_0)
    layers: int = setting(1, "LSTMP layers.", AT_LEAST_1)
    peepholes: bool = setting(True, "Peephole connections.")
    delay: int = setting(3, "Frames by which answers come late.", AT_LEAST_0)
    phones: tuple[str, ...] = ()


@dataclass(frozen=True)
class TrainOptions(Settings):
    """Settings of a training; they are part of the checkpoint."""

    epochs: int = setting(10, "Passes over the training split.", AT_LEAST_1)
    streams: int = setting(64, "Utterances side by side.", AT_LEAST_1)
    steps: int = setting(25, "Frames of back-propagation through time.", AT_LEAST_1)
    rate: float = setting(2e-3, "Adam's rate, falling along a cosine.", POSITIVE)
    clip: float = setting(5.0, "Largest norm of the gradient.", POSITIVE)
    seed: int = setting(1, "Of weights and of the order of utterances.")
    weight_bits: int = setting(
        0, "Quantisation-aware: round weights to so many bits in training; 0: don't.")
    dropout: float = setting(0.0, "Share of the LSTM's outputs dropped.", SHARE)
    input_dropout: float = setting(0.0, "Share of inputs dropped.", SHARE)
    brief: bool = setting(False, "Products of bfloat16 factors: faster, less exact.")
    augment: bool = setting(
        False, "Vary tempo, vocal tract, missing bands and moments, per utterance and epoch.")
    share_bits: int = setting(
        0, "2**BITS values a matrix from the first step on, which then train (Deep "
           "Compression); of weights that are pruned already. 0: don't.")


@dataclass(frozen=True)
class PruneOptions(Settings):
    """What to prune to, for which engine, and when. density: share of weights kept; densities: of
    single matrices (Wix … Wym) instead. every: steps from a mask to the next on a cubic."""

    config: EngineConfig
    density: float = 0.1
    densities: Mapping[str, float] = field(default_factory=dict)
    balance: Balance = setting(  # noqa: RUF009 - it makes a field
        "matrix", "Equal shares per lane and matrix, per lane and tile, or plain magnitude.",
        one_of(*get_args(Balance)))
    keep_one: bool = setting(False, "Leave no (lane, column) without a weight.")
    schedule: str = setting("gradual", "Prune before the first step, or along a cubic.",
                            one_of("one-shot", "gradual"))
    ramp: float = setting(0.5, "Share of training that the cubic takes.", PART)
    every: int = field(default=50, metadata={"rule": AT_LEAST_1})

    def due(self, step: int, steps: int) -> float | None:
        """How much of the way to the final densities (0 to 1) masks must be renewed for before
        this step; None if they stay."""
        if self.schedule == "one-shot":
            return 1.0 if step == 0 else None
        ramp = max(1, round(self.ramp * steps))
        if step > ramp or (step != ramp and step % self.every):
            return None
        return cubic(step / ramp)


@dataclass(frozen=True)
class DistillOptions(Settings):
    """Weights of the parts of a distillation's loss. head: counts if there is a head."""

    hints: float = setting(
        1.0, "Weight of the hidden layers' outputs in the loss; 0: only the last layer.", FINITE)
    head: float = setting(1.0, "Weight of the head in the loss.", FINITE)


def cubic(progress: float) -> float:
    """Zhu and Gupta's schedule: 1 − (1 − progress)³, steep first, flat at the end."""
    return 1.0 - (1.0 - min(max(progress, 0.0), 1.0)) ** 3
