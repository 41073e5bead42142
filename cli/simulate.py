"""``ese simulate``: frames through an image, in the golden model or in the exported Verilog."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

from ..contract.errors import EseError
from ..contract.frames import quantise_frames, real_outputs
from ..contract.image import Image, read_image, write_atomically
from .frames import load_streams
from .show import console, simulate_table


@click.command(context_settings={"show_default": True})
@click.argument("image", type=click.Path(path_type=Path))
@click.argument("frames", type=click.Path(path_type=Path), nargs=-1, required=True)
@click.option("--backend", type=click.Choice(["golden", "rtl"]), default="golden",
              help="golden: integers in numpy, seconds. rtl: the exported Verilog in Verilator "
                   "under cocotb, built first (minutes for 32 × 32), every value compared with "
                   "golden.")
@click.option("--channels", type=int,
              help="Simulate an engine with this many channels instead of the image's; an image "
                   "doesn't depend on them.")
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="FILE.npy",
              help="Write the outputs, real values of shape (T, outputs, streams), float32; 0 "
                   "after a stream's end.")
@click.pass_context
def simulate(ctx: click.Context, image: Path, frames: tuple[Path, ...], backend: str,
             channels: int | None, output: Path | None) -> None:
    """Run FRAMES.npy … through IMAGE: real values, (T, inputs) or (T, inputs, streams) a file.

    Every stream runs on a channel of its own; streams may differ in length.

    \b
    ese simulate my.ese speech.npy --backend golden -o out.npy
    ese simulate my.ese a.npy b.npy --channels 2 --backend rtl

    Exit code 1 if the Verilog's outputs differ from the golden model's.
    """
    loaded = _with_channels(read_image(image), channels)
    values, active, saturated = _inputs(loaded, load_streams(frames))
    start = np.zeros_like(active)
    start[0] = True
    with console.status("Running the golden model") as status:
        from ..sim.golden.decode import decode_image
        from ..sim.golden.model import GoldenModel

        expected = GoldenModel(decode_image(loaded)).run(values, active, start)
        figures: dict[str, Any] = {
            "backend": backend, "frames": len(values), "streams": int(active[0].sum()),
            "saturated_input": saturated,
            **{f"saturated_{name}": count for name, count in vars(expected.saturations).items()}}
        outputs = expected.outputs
        if backend == "rtl":
            status.update("Building and running the Verilog")
            from ..sim.rtl import run_image

            result = run_image(loaded, values, active, start)
            outputs = np.asarray(getattr(result, "outputs", result))
            figures |= _compared(outputs, expected.outputs)
    if output is not None:
        real = real_outputs(outputs[:, :, :figures["streams"]], loaded.manifest)
        write_atomically(output, lambda temporary: _save(temporary, real))
    simulate_table(figures)
    if figures.get("mismatches"):
        ctx.exit(1)


def _with_channels(image: Image, channels: int | None) -> Image:
    if channels is None:
        return image
    config = image.config.replace(channels=channels)
    manifest = image.manifest.model_copy(update={"config": config.model_dump()})
    return Image(manifest, config, image.sections)


def _inputs(image: Image, streams: Sequence[NDArray[np.float64]]
            ) -> tuple[NDArray[np.int64], NDArray[np.bool_], int]:
    """Integers (T, inputs, channels), active (T, channels), saturated input values."""
    channels, width = image.config.channels, image.manifest.layers[0].inputs
    if len(streams) > channels:
        raise EseError(f"frames: must be at most channels={channels} streams, got {len(streams)}")
    longest = max(len(stream) for stream in streams)
    values = np.zeros((longest, width, channels), np.int64)
    active = np.zeros((longest, channels), bool)
    saturated = 0
    for number, stream in enumerate(streams):
        integers, count = quantise_frames(stream, image.manifest)
        values[:len(stream), :, number] = integers
        active[:len(stream), number] = True
        saturated += count
    return values, active, saturated


def _compared(outputs: NDArray[Any], expected: NDArray[Any]) -> dict[str, int]:
    if outputs.shape != expected.shape or not expected.size:
        raise RuntimeError(f"the simulation gave outputs of shape {outputs.shape} where "
                           f"{expected.shape} were expected")
    return {"values_compared": int(expected.size),
            "mismatches": int(np.count_nonzero(outputs != expected))}


def _save(path: Path, values: NDArray[np.float64]) -> None:
    with path.open("wb") as file:
        np.save(file, values.astype(np.float32))
