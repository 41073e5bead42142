"""Where a step's gradients come from: here, this process alone."""

from collections.abc import Sequence

from torch import Tensor, nn


class Exchange:
    """Makes the gradients that the optimiser sees. clip: their largest norm together."""

    def __init__(self, parameters: Sequence[Tensor], clip: float) -> None:
        self._parameters, self._clip = parameters, clip

    def gradients(self, loss: Tensor) -> None:
        """Leave the gradients of a loss in the parameters, whose gradients must be cleared."""
        loss.backward()
        nn.utils.clip_grad_norm_(self._parameters, self._clip)
