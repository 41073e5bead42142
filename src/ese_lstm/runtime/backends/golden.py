"""The golden model as an engine."""

from collections import deque

from ...contract.config import EngineConfig
from ...contract.image import Image
from ...sim.golden.decode import decode_image
from ...sim.golden.model import GoldenModel
from ..backend import Ints, Mask, Options

NAME = "golden"


def open_backend(path: str, options: Options) -> "GoldenBackend":
    """The model, for ``options.config`` or the first image's configuration."""
    options.refuse_shell(NAME)
    return GoldenBackend(options.config)


class GoldenBackend:
    """Runs every frame at once, in numpy. Its counters are those that don't depend on time:
    frames, products and nulls, as the hardware counts them."""

    def __init__(self, config: EngineConfig | None = None) -> None:
        self.config = config
        self._model: GoldenModel | None = None
        self._results: deque[Ints] = deque()

    def load(self, image: Image) -> None:
        """Decode the image; states are zero."""
        self._model = GoldenModel(decode_image(image))
        self._results.clear()
        self.config = image.config

    def submit(self, frame: Ints, active: Mask, start: Mask) -> None:
        """Run the frame at once."""
        assert self._model is not None
        self._results.append(self._model.step(frame, active, start).outputs)

    def collect(self, timeout_s: float) -> Ints | None:
        """The oldest result; never waits."""
        return self._results.popleft() if self._results else None

    def check(self) -> None:
        """Nothing can fail."""

    def counters(self) -> dict[str, int]:
        """Frames, products and nulls since the image was loaded."""
        assert self._model is not None
        decoded, frames = self._model.decoded, self._model.frame
        return {"frames": frames, "products": frames * decoded.entries,
                "nulls": frames * (decoded.null_entries + decoded.filler_entries)}

    def close(self) -> None:
        """Forget the model."""
        self._model = None
