"""What the loop needs to know of that which is learned."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from ..data.streams import Corpus, Plan
from ..lstmp import State
from ..model import PhoneNet


@dataclass(frozen=True)
class Loss:
    """Of one piece. mean: over counted frames, with its gradient; errors: summed over them, of
    what reports state as error rate; state: of the LSTM after the piece."""

    mean: Tensor
    errors: float
    counted: int
    state: State


class Task(ABC):
    """A model, the corpus that it learns from, and what it is to learn."""

    model: PhoneNet
    corpus: Corpus

    @abstractmethod
    def loss(self, frames: Tensor, targets: Tensor, piece: Plan, state: State) -> Loss:
        """Of a piece whose LSTM begins in ``state``.

        frames: (T, streams, inputs); targets: (T · streams,), labels, IGNORED where none is due.
        """

    @abstractmethod
    def evaluate(self, corpus: Corpus) -> Mapping[str, float]:
        """Figures of the present model on another corpus, by the name they are logged under."""

    def settings(self) -> dict[str, Any]:
        """Of the task itself; going on from a checkpoint needs the same."""
        return {}
