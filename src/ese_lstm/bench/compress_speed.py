"""``python -m ese_lstm.bench.compress_speed``: how long pruning, calibration and packing of the
paper's network take, and how long the golden model takes for a held-out set of speech."""

import json
import os
import shlex
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

from ..cli.outputs import check_files
from ..cli.terminal import Progress, Update, exit_codes
from ..compress.network import Network
from ..compress.pipeline import CompressOptions, compress_network
from ..compress.synthetic import GOOGLE_LSTMP, random_frames, random_network
from ..contract.config import EngineConfig, load_config
from ..contract.errors import EseError
from ..contract.files import write_contents
from ..contract.frames import quantise_frames
from ..contract.image import Image, read_image, write_image
from ..contract.published import INPUTS
from ..sim.golden.decode import decode_image
from ..sim.golden.model import GoldenModel
from .__main__ import FULL
from .measure import versions
from .tables import Text, show
from .workload import REDUCED_CONFIG, REDUCED_INPUTS, REDUCED_SHAPE

DENSITY = 0.112
COMPRESS_LIMIT_S, GOLDEN_LIMIT_S = 3.0, 300.0
CLIPS, CLIP_FRAMES = 448, 119
"""Held-out clips of ``ese data prepare``, and frames of one on average."""
CALIBRATION = 16, 100
"""Streams and frames of each that calibration sees."""


def timed(job: Callable[[], Any]) -> tuple[Any, dict[str, float]]:
    """The job's result, and its seconds by the clock and of processor time."""
    begin, used = time.monotonic(), time.process_time()
    result = job()
    return result, {"s": round(time.monotonic() - begin, 2),
                    "cpu_s": round(time.process_time() - used, 2)}


def compress_times(network: Network, config: EngineConfig, repeats: int
                   ) -> tuple[Image, dict[str, Any]]:
    """Times of the whole way from weights in memory to a packed image, each repeat, plain and with
    sharing and Huffman coding; of writing and reading the file; and the plain image."""
    streams, frames = CALIBRATION
    seen = [random_frames(np.random.default_rng([1, number]), frames, network.inputs)
            for number in range(streams)]
    image: Image | None = None
    values: dict[str, Any] = {"weights": network.weights,
                              "calibration_frames": streams * frames}
    for name, options in (("shared_coded", CompressOptions(share_bits=5, huffman=True)),
                          ("plain", CompressOptions())):
        runs = []
        for _ in range(repeats):
            (image, _), took = timed(lambda options=options: compress_network(  # type: ignore[misc]
                network, config, DENSITY, seen, options))
            runs.append(took)
        values[name] = {"runs": runs, "best_s": min(run["s"] for run in runs)}
    assert image is not None
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "image.ese"
        for name, job in (("write", lambda: write_image(path, image)),
                          ("read", lambda: read_image(path))):
            values[name] = timed(job)[1]
    return image, values | {"limit_s": COMPRESS_LIMIT_S,
                            "within_limit": values["plain"]["best_s"] <= COMPRESS_LIMIT_S}


def golden_times(image: Image, clips: int, channels: int, progress: Update) -> dict[str, Any]:
    """Time of as many random frames as the held-out clips have, all channels busy."""
    steps = -(-clips * CLIP_FRAMES // channels)
    golden = GoldenModel(decode_image(image), channels)
    rng = np.random.default_rng(2)
    width = image.manifest.layers[0].inputs

    def run() -> None:
        for step in range(steps):
            frame = quantise_frames(rng.normal(size=(1, width, channels)), image.manifest)[0]
            golden.step(frame[0])
            progress("Golden model", step / steps)

    return _golden_figures("random frames", timed(run)[1], steps * channels, channels)


def held_out_times(dataset: Path, model: Path, config: EngineConfig, channels: int,
                   progress: Update) -> dict[str, Any]:
    """Time of a real held-out split through the golden model of a trained (pruned) model."""
    try:
        from ..train.data.dataset import Dataset
        from ..train.data.streams import Corpus
        from ..train.evaluate import fixed_answers
        from ..train.model import load_model, network_of
    except ImportError as error:
        raise EseError(f"dataset: needs {error.name}, which is not installed "
                       f"(pip install 'ese-lstm[train]')") from None
    data, net = Dataset(dataset), load_model(model)
    corpus = Corpus.load(data, data.split("held-out"))
    scale = net.input_scale.numpy()
    frames: Sequence[NDArray[np.float64]] = [corpus.frames[:2000].astype(np.float64) * scale]
    image, _ = compress_network(network_of(model), config, 1.0, frames)
    _, took = timed(lambda: fixed_answers(net, image, corpus, channels, lambda done: progress(
        "Golden model", done)))
    return _golden_figures(dataset.name, took, len(corpus.frames), channels) | {
        "clips": len(corpus.lengths), "entries": image.manifest.entries}


def _golden_figures(source: str, took: dict[str, float], frames: int, channels: int
                    ) -> dict[str, Any]:
    return {"source": source, "frames": frames, "channels": channels, **took,
            "frames_per_s": round(frames / max(took["s"], 1e-9)), "limit_s": GOLDEN_LIMIT_S,
            "within_limit": took["s"] <= GOLDEN_LIMIT_S}


@click.command(context_settings={"show_default": True, "help_option_names": ["-h", "--help"]})
@click.option("--config", metavar="NAME|FILE", help=f"Engine; {FULL} if not given.")
@click.option("--repeats", type=click.IntRange(min=1), default=3, help="Compressions measured.")
@click.option("--channels", type=click.IntRange(1, 128), default=64,
              help="Of the golden model: results don't depend on them, speed does.")
@click.option("--dataset", type=click.Path(path_type=Path), metavar="DIR",
              help="Score this dataset's held-out split in the golden model instead of random "
                   "frames; needs --model.")
@click.option("--model", type=click.Path(path_type=Path), metavar="FILE",
              help="The pruned model of `ese train` for --dataset.")
@click.option("--reduced", is_flag=True, help="A small network, engine and set.")
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False),
              default=Path("build/bench/compress-speed.json"), help="Where the figures go.")
def main(config: str | None, repeats: int, channels: int, dataset: Path | None,
         model: Path | None, reduced: bool, output: Path) -> None:
    """Measure compression of a random 153-1024-512 LSTMP (3.25 M weights), and the golden model.

    Exit codes: 0 measured, 2 wrong input. Times are of this machine in its present state: the
    load average before is among the figures.
    """
    with exit_codes():
        check_files(output)
        if (dataset is None) != (model is None):
            raise EseError("dataset: must be given together with --model, got one of them")
        engine = REDUCED_CONFIG if reduced and config is None else load_config(config or FULL)
        shape = REDUCED_SHAPE if reduced else GOOGLE_LSTMP
        network = random_network(np.random.default_rng(0), REDUCED_INPUTS if reduced else INPUTS,
                                 [shape])
        values: dict[str, Any] = {
            "command": shlex.join(["python", "-m", "ese_lstm.bench.compress_speed",
                                   *sys.argv[1:]]),
            "config_digest": engine.digest, "density": DENSITY, "processors": os.cpu_count(),
            "load_average_before": round(os.getloadavg()[0], 2)}
        progress = Progress()
        progress("Compressing", 0.0)
        image, values["compress"] = compress_times(network, engine, repeats)
        values["golden"] = (
            golden_times(image, 4 if reduced else CLIPS, channels, progress)
            if dataset is None or model is None
            else held_out_times(dataset, model, engine, channels, progress))
        values |= {"load_average_after": round(os.getloadavg()[0], 2), "versions": versions()}
        write_contents({output: json.dumps(values, indent=2) + "\n"})
    compress, golden = values["compress"], values["golden"]
    show([Text("Speed of compression", ("step", "s", "limit, s"), (
        (f"prune, calibrate, quantise, pack {compress['weights']:,} weights, best of {repeats}",
         f"{compress['plain']['best_s']:.2f}", f"{COMPRESS_LIMIT_S:g}"),
        ("the same, 5-bit sharing and Huffman coding",
         f"{compress['shared_coded']['best_s']:.2f}", ""),
        (f"golden model, {golden['frames']:,} frames ({golden['source']}), {channels} channels",
         f"{golden['s']:.1f}", f"{GOLDEN_LIMIT_S:g}")))])
    click.echo(f"Figures are in {output}")


if __name__ == "__main__":
    main()
