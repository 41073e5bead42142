"""The golden model as an engine."""

from collections import deque

from ..contract.config import EngineConfig
from ..contract.errors import EseError
from ..contract.image import Image
from ..sim.golden.decode import decode_image
from ..sim.golden.model import GoldenModel
from .backend import Ints, Mask


class GoldenBackend:
    """Runs every frame at once, in numpy. Its counters are those that don't depend on time:
    frames, products and nulls, as the hardware counts them."""

    def __init__(self, config: EngineConfig | None = None) -> None:
        self.config = config
        self._model: GoldenModel | None = None
        self._results: deque[Ints] = deque()

    def load(self, image: Image) -> None:
        self._model = GoldenModel(decode_image(image))
        self._results.clear()
        self.config = image.config

    def submit(self, frame: Ints, active: Mask, start: Mask) -> None:
        self._results.append(self._loaded().step(frame, active, start).outputs)

    def collect(self, timeout_s: float) -> Ints | None:
        return self._results.popleft() if self._results else None

    def check(self) -> None:
        pass

    def counters(self) -> dict[str, int]:
        model = self._loaded()
        decoded, frames = model.decoded, model.frame
        return {"frames": frames, "products": frames * decoded.entries,
                "nulls": frames * (decoded.null_entries + decoded.filler_entries)}

    def close(self) -> None:
        self._model = None

    def _loaded(self) -> GoldenModel:
        if self._model is None:
            raise EseError("image: must be loaded before the engine runs, but none is")
        return self._model
