"""``ese compress``: a checkpoint to a packed image."""

import shlex
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from ..contract.errors import EseError
from .frames import load_streams
from .options import KNOBS, chosen_config, config_options
from .show import compress_tables, console


@click.command(context_settings={"show_default": True})
@click.argument("checkpoint", type=click.Path(path_type=Path))
@click.option("--density", type=float, default=1.0,
              help="Share of every matrix's weights to keep, 0 to 1; 0.1 prunes 90 %.")
@click.option("--matrix-density", "matrix_densities", multiple=True, metavar="NAME=VALUE",
              help="Density of one matrix (Wix, Wfx, Wcx, Wox, Wir, Wfr, Wcr, Wor, Wym) of every "
                   "layer; may be repeated.")
@config_options
@click.option("--balance", type=click.Choice(["matrix", "tile", "none"]), default="matrix",
              help="Equal shares per lane and matrix (as published), per lane and tile, or plain "
                   "magnitude pruning.")
@click.option("--keep-one", is_flag=True,
              help="Leave no lane without an entry in a column: no null entries.")
@click.option("--frames", "frames", type=click.Path(path_type=Path), multiple=True,
              metavar="FILE.npy",
              help="Calibration frames, (T, inputs) or (T, inputs, streams), real values; may be "
                   "repeated. Without any, inputs are assumed within ±8.")
@click.option("--input-scaling", type=click.Choice(["none", "column"]), default="none",
              help="Scale each input column by a power of two of its own (raw features); needs "
                   "--frames.")
@click.option("--input-limit", type=float, metavar="VALUE",
              help="Larger inputs may saturate: the input's format holds this instead of the "
                   "frames' largest value (or of 8). Rare peaks cost everything else precision.")
@click.option("--gate-order", default="ifgo", metavar="ORDER",
              help="Order of the gates stacked in the checkpoint: ifgo (PyTorch, Keras), iofc "
                   "(ONNX), or any other; c means g.")
@click.option("--prefix", help="Which LSTM, if the checkpoint holds several: `lstm` for "
                               "lstm.weight_ih_l0.")
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True,
              metavar="FILE.ese", help="Image to write.")
@click.option("--report", type=click.Path(path_type=Path), metavar="FILE.json",
              help="Write all figures as JSON as well.")
@click.pass_context
def compress(ctx: click.Context, /, checkpoint: Path, density: float,
             matrix_densities: tuple[str, ...], config: str, sets: tuple[str, ...],
             balance: Any, keep_one: bool, frames: tuple[Path, ...], input_scaling: Any,
             input_limit: float | None, gate_order: str,
             prefix: str | None, output: Path, report: Path | None, **knobs: Any) -> None:
    """Prune, calibrate, quantise and pack CHECKPOINT (.pt, .ckpt, .bin, .safetensors).

    The checkpoint holds the state dict of a torch.nn.LSTM (several layers, proj_size), of an LSTM
    with peepholes (weight_ci_l0, weight_cf_l0, weight_co_l0), or the paper's matrices (Wix …
    Wym), possibly under a prefix or a key such as state_dict. Nothing in it is executed.

    \b
    ese compress my.pt --density 0.1 --lanes 32 -o my.ese
    ese compress my.pt --density 0.1 --frames a.npy --frames b.npy --balance tile --keep-one \\
        --config my-engine.json --set stream_depth=16384 -o my.ese --report my.json
    """
    engine = chosen_config(config, sets, **{name: knobs[name] for name in KNOBS})
    with console.status("Reading") as status:
        from ..compress.checkpoint import load_network
        from ..compress.pipeline import CompressOptions, compress_network
        from ..contract.image import write_atomically, write_image

        streams = load_streams(frames)
        network = load_network(checkpoint, prefix, gate_order)
        status.update("Pruning, calibrating, quantising, packing")
        options = CompressOptions(balance, keep_one, input_scaling, input_limit,
                                  _command_line(ctx), _densities(matrix_densities))
        image, result = compress_network(network, engine, density, streams, options)

        def write_both(temporary: Path) -> None:
            temporary.write_text(result.to_json())
            write_image(output, image)

        if report is None:
            write_image(output, image)
        else:
            write_atomically(report, write_both)
    compress_tables(output, image, result)


def _densities(items: tuple[str, ...]) -> dict[str, float]:
    """Matrix name to density. Raises EseError for what is not NAME=VALUE."""
    densities = {}
    for item in items:
        name, _, value = item.partition("=")
        try:
            densities[name] = float(value)
        except ValueError:
            raise EseError(f"--matrix-density: must be NAME=VALUE with a number, got {item!r}"
                           ) from None
    return densities


def _command_line(ctx: click.Context) -> str:
    """The command with its given options in declared order, files by name alone."""
    words = ["ese", "compress"]
    for param in ctx.command.params:
        name = param.name or ""
        if (name in ("output", "report")
                or ctx.get_parameter_source(name) in (ParameterSource.DEFAULT, None)):
            continue
        value = ctx.params[name]
        for item in value if isinstance(value, tuple) else (value,):
            text = item.name if isinstance(item, Path) else str(item)
            if isinstance(param, click.Argument):
                words.append(text)
            else:
                words += [param.opts[-1]] + ([] if item is True else [text])
    return shlex.join(words)
