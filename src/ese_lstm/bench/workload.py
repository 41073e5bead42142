"""Random-weight networks pruned as the paper's, as images with frames for every channel."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ..compress.network import Network
from ..compress.pipeline import CompressOptions, compress_network
from ..compress.prune import Balance
from ..compress.synthetic import GOOGLE_LSTMP, LayerShape, random_frames, random_network
from ..contract.config import EngineConfig, load_config
from ..contract.frames import quantise_frames
from ..contract.image import Image
from ..contract.published import DENSITIES, INPUTS
from ..sim.golden.decode import DecodedModel, decode_image

FULL = "xcku060-32x32"
"""The engine of the headline."""
REDUCED_CONFIG = EngineConfig(
    lanes=4, channels=2, stream_depth=1024, activation_depth=512, cell_depth=64, param_depth=512,
    segment_depth=32, epilogue_depth=32)
REDUCED_INPUTS, REDUCED_SHAPE = 40, LayerShape(cells=64, projection=64, peepholes=True)


@dataclass(frozen=True)
class Workload:
    """A network, how it is pruned, and the engine it runs on.

    densities: by matrix; ``density`` for all, if it is given. network: real weights instead of
    random ones. command: recorded in the image.
    """

    config: EngineConfig
    inputs: int = INPUTS
    shapes: tuple[LayerShape, ...] = (GOOGLE_LSTMP,)
    densities: Mapping[str, float] = field(default_factory=lambda: dict(DENSITIES))
    density: float | None = None
    balance: Balance = "matrix"
    keep_one: bool = True
    seed: int = 0
    command: str = ""
    network: Network | None = None

    def replace(self, **changes: object) -> "Workload":
        """This workload with some fields changed."""
        return replace(self, **changes)  # type: ignore[arg-type]

    @cached_property
    def image(self) -> Image:
        """The packed network. Raises EseError if it does not fit the engine."""
        network = self.network or random_network(np.random.default_rng(self.seed), self.inputs,
                                                 self.shapes)
        options = CompressOptions(
            balance=self.balance, keep_one=self.keep_one, command=self.command,
            densities=self.densities if self.density is None else {})
        return compress_network(network, self.config, 1.0 if self.density is None
                                else self.density, self._streams(), options)[0]

    @cached_property
    def decoded(self) -> DecodedModel:
        """The image as the golden model and the cycle model read it."""
        return decode_image(self.image)

    def frames(self, count: int) -> NDArray[np.int64]:
        """Integers of ``count`` frames, other ones for each channel: (count, inputs, channels)."""
        streams = self._streams(count)
        return np.stack([quantise_frames(stream, self.image.manifest)[0] for stream in streams],
                        axis=-1)

    def _streams(self, count: int = 16) -> Sequence[NDArray[np.float64]]:
        inputs = self.inputs if self.network is None else self.network.inputs
        return [random_frames(np.random.default_rng([self.seed, channel, 1]), count, inputs)
                for channel in range(self.config.channels)]


def paper_workload(config: EngineConfig, **changes: object) -> Workload:
    """The Google LSTMP at the paper's densities."""
    return Workload(config).replace(**changes)


def reduced_workload(config: EngineConfig = REDUCED_CONFIG, **changes: object) -> Workload:
    """A peephole LSTMP of 64 cells at the same densities, for a small engine."""
    return Workload(config, REDUCED_INPUTS, (REDUCED_SHAPE,)).replace(**changes)


def chosen_workload(config: str | None, reduced: bool) -> Workload:
    """The paper's network on an engine, a preset or JSON file, or the reduced one; on FULL and on
    REDUCED_CONFIG if none is given. Raises EseError."""
    if reduced:
        return reduced_workload(REDUCED_CONFIG if config is None else load_config(config))
    return paper_workload(load_config(config or FULL))
