"""``ese simulate``: frames through an image, in the golden model or in the exported Verilog."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np
from numpy.typing import NDArray

from ..contract.errors import EseError
from ..contract.files import write_atomically
from ..contract.frames import quantise_frames, real_outputs
from ..contract.image import Image, read_image
from ..contract.memory import MemoryTiming
from .estimate import memory_options, memory_timing
from .frames import load_streams
from .needs import needs
from .options import checkpoint_options, read_key_map
from .outputs import check_files
from .show import simulate_table
from .terminal import console, percent, warn

if TYPE_CHECKING:
    from ..sim.golden.model import FrameResult
    from ..sim.rtl.verilator import Progress


@click.command(context_settings={"show_default": True})
@click.argument("image", type=click.Path(path_type=Path))
@click.argument("frames", type=click.Path(path_type=Path), nargs=-1, required=True)
@click.option("--backend", type=click.Choice(["golden", "rtl"]), default="golden",
              help="golden: integers in numpy, seconds. rtl: the exported Verilog in Verilator "
                   "under cocotb, built first (minutes for 32 × 32); every cell state, hidden "
                   "value and output is compared with golden.")
@click.option("--channels", type=int,
              help="Simulate an engine with this many channels instead of the image's; an image "
                   "doesn't depend on them.")
@click.option("--sqnr", is_flag=True,
              help="Run the image's own rounded weights in real numbers as well: signal-to-noise "
                   "ratio and saturations of every tensor.")
@click.option("--against", type=click.Path(path_type=Path), metavar="CHECKPOINT",
              help="The file that the image was compressed from: signal-to-noise ratio of the "
                   "outputs against the original float network, after pruning, with the image's "
                   "weights, and in fixed point.")
@checkpoint_options
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="FILE.npy",
              help="Write the outputs, real values of shape (T, outputs, streams), float32; 0 "
                   "after a stream's end.")
@memory_options
@click.pass_context
def simulate(ctx: click.Context, image: Path, frames: tuple[Path, ...], backend: str,
             channels: int | None, sqnr: bool, against: Path | None, gate_order: str | None,
             prefix: str | None, key_map: tuple[str, ...], output: Path | None,
             bandwidth: float | None, latency: int | None) -> None:
    """Run frames through an image, golden model or Verilog.

    FRAMES.npy … hold real values, (T, inputs) or (T, inputs, streams) a file. Every stream runs
    on a channel of its own; streams may differ in length.

    \b
    ese simulate my.ese speech.npy --backend golden -o out.npy
    ese simulate my.ese a.npy b.npy --channels 2 --backend rtl
    ese simulate my.ese speech.npy --sqnr --against my.pt

    --bandwidth and --latency describe the memory that rtl streams weights from, not results.

    Exit code 1 if the Verilog differs from the golden model in any value.
    """
    check_files(output)
    if backend == "rtl":
        needs("sim")
    _together("--against", against is not None, "--prefix, --gate-order and --key-map",
              prefix, gate_order, key_map or None)
    _together("--backend rtl", backend == "rtl", "--bandwidth and --latency", bandwidth, latency)
    loaded = _with_channels(read_image(image), channels)
    loaded_streams = load_streams(frames)
    values, active, saturated = _inputs(loaded, loaded_streams)
    streams = int(active[0].sum())
    figures: dict[str, Any] = {"backend": backend, "frames": len(values), "streams": streams,
                               "saturated_input": saturated}
    with console.status("Running the golden model") as status:
        from ..sim.golden.decode import decode_image
        from ..sim.golden.noise import measure_noise
        from ..sim.verify import golden_frames
        from .against import advice_against, loss_against, original_of

        golden = list(golden_frames(decode_image(loaded), values, active, _starts(active)))
        outputs = np.stack([frame.outputs for frame in golden])
        figures |= {f"saturated_{name}": sum(getattr(frame.saturations, name) for frame in golden)
                    for name in vars(golden[0].saturations)}
        noise = measure_noise(loaded, loaded_streams) if sqnr else ()
        loss = None
        if against is not None:
            original = original_of(loaded, against, prefix, gate_order, read_key_map(key_map))
            loss = loss_against(loaded, original, loaded_streams)
        advice = "" if loss is None or not loss.poor else advice_against(
            loaded, original, loaded_streams,
            lambda option: status.update(f"The outputs are poor; trying {option}"))
        if backend == "rtl":
            outputs, compared = _verilog(loaded, values, active, golden, percent(status),
                                         memory_timing(loaded, bandwidth, latency))
            figures |= compared
    if output is not None:
        real = real_outputs(outputs[:, :, :streams], loaded.manifest)
        write_atomically(output, lambda temporary: _save(temporary, real))
    simulate_table(figures, noise, None if loss is None else loss.to_dict())
    if loss is not None and loss.poor:
        warn(f"{image.name}: {loss.sentence} {advice}")
    if figures.get("mismatches"):
        ctx.exit(1)


def _together(needed: str, given: bool, names: str, *options: object) -> None:
    """Raises EseError if one of the options is given without the one that it needs."""
    if not given and any(option is not None for option in options):
        raise EseError(f"simulate: {names} must come with {needed}")


def _starts(active: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Every stream's start, which is the first frame's."""
    start = np.zeros_like(active)
    start[0] = True
    return start


def _verilog(image: Image, values: NDArray[np.int64], active: NDArray[np.bool_],
             golden: Sequence["FrameResult"], progress: "Progress", memory: MemoryTiming
             ) -> tuple[NDArray[Any], dict[str, Any]]:
    """Outputs of the exported Verilog, and what to tell of it and of its comparison."""
    from ..sim.compare import compare
    from ..sim.rtl.runner import run_image

    result = run_image(image, values, active, _starts(active), progress=progress, memory=memory)
    comparison = compare(result.frames, golden)
    return result.outputs, {
        "cycles_per_frame": round(result.cycles_per_frame),
        "multiplier_utilisation": f"{100 * result.utilisation:.1f} %",
        "values_compared": comparison.values_compared,
        "mismatches": sum(comparison.mismatches.values()),
        "first_mismatch": comparison.first or "none"}


def _with_channels(image: Image, channels: int | None) -> Image:
    if channels is None:
        return image
    config = image.config.replace(channels=channels)
    manifest = image.manifest.model_copy(update={"config": config.model_dump()})
    return replace(image, manifest=manifest, config=config)


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


def _save(path: Path, values: NDArray[np.float64]) -> None:
    with path.open("wb") as file:
        np.save(file, values.astype(np.float32))
