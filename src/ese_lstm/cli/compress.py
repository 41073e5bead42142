"""``ese compress``: a checkpoint to a packed image."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ..compress.prune import BALANCES
from ..contract.errors import EseError
from ..contract.files import beside, write_contents
from .command_line import command_line
from .frames import load_streams
from .options import (
    KNOBS,
    checkpoint_options,
    chosen_config,
    config_options,
    read_key_map,
)
from .outputs import check_files
from .show import compress_tables
from .terminal import console, warn

if TYPE_CHECKING:
    from ..compress.pipeline import CompressOptions
    from ..compress.report import CompressReport
    from ..contract.image import Image
    from .knobs import Setting

Number = TypeVar("Number", int, float)


@click.command(context_settings={"show_default": True})
@click.argument("checkpoint", type=click.Path(path_type=Path))
@click.option("--density", type=float, default=1.0,
              help="Share of every matrix's weights to keep, 0 to 1; 0.1 prunes 90 %.")
@click.option("--matrix-density", "matrix_densities", multiple=True, metavar="NAME=VALUE",
              help="Density of one matrix (Wix, Wfx, Wcx, Wox, Wir, Wfr, Wcr, Wor, Wym) of every "
                   "layer; may be repeated.")
@click.option("--weight-bits-of", "matrix_bits", multiple=True, metavar="NAME=BITS",
              help="Round one matrix (Wix … Wym) to fewer bits than the engine's weights, of every "
                   "layer or of one (l0.Wix); may be repeated. See ese sensitivity --bits.")
@config_options
@click.option("--balance", type=click.Choice(BALANCES), default="matrix",
              help="Equal shares per lane and matrix (as published), per lane and tile, or plain "
                   "magnitude pruning.")
@click.option("--keep-one", is_flag=True,
              help="Leave no lane without an entry in a column: no null entries.")
@click.option("--frames", "frames", type=click.Path(path_type=Path), multiple=True,
              metavar="FILE.npy",
              help="Calibration frames, (T, inputs) or (T, inputs, streams), real values; may be "
                   "repeated. Without any, inputs are assumed within ±8, and what compression "
                   "costs at the outputs is not measured.")
@click.option("--input-scaling", type=click.Choice(["none", "column"]), default="none",
              help="Scale each input column by a power of two of its own (raw features); needs "
                   "--frames.")
@click.option("--input-limit", type=float, metavar="VALUE",
              help="Larger inputs may saturate: the input's format holds this instead of the "
                   "frames' largest value (or of 8). Rare peaks cost everything else precision.")
@checkpoint_options
@click.option("--share-bits", type=int, metavar="BITS",
              help="Weight sharing: 2**BITS values per matrix, by k-means.")
@click.option("--huffman", is_flag=True,
              help="Store weights and indices Huffman-coded; reading restores the same entries.")
@click.option("--resident", default="auto", metavar="auto|all|none|TILES",
              help="Weights that stay in the lanes' memories, for an engine with a fetch_depth: "
                   "what fits, spread over the frame; all; none; or tiles like 0,3-5. The others "
                   "are streamed from external memory.")
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True,
              metavar="FILE.ese", help="Image to write.")
@click.option("--report", type=click.Path(path_type=Path), metavar="FILE.json",
              help="Write all figures as JSON as well.")
@click.pass_context
def compress(ctx: click.Context, /, checkpoint: Path, density: float, config: str,
             sets: tuple[str, ...], frames: tuple[Path, ...], gate_order: str | None,
             prefix: str | None, key_map: tuple[str, ...], output: Path, report: Path | None,
             **others: Any) -> None:
    """Prune, calibrate, quantise and pack a checkpoint.

    CHECKPOINT (.pt, .ckpt, .bin, .safetensors, .onnx) holds the state dict of a torch.nn.LSTM
    (several layers, proj_size), of an LSTM with peepholes (weight_ci_l0, weight_cf_l0,
    weight_co_l0), or the paper's matrices (Wix … Wym), possibly under a prefix or a key such as
    state_dict; torch.nn.LSTMCells, stacked; or ONNX LSTM nodes. Nothing in it is executed. A
    bidirectional LSTM gives one image per direction: my.forward.ese and my.reverse.ese
    (my.l0.forward.ese … if it has several layers).

    \b
    ese compress my.pt --density 0.1 --lanes 32 -o my.ese
    ese compress my.pt --density 0.1 --frames a.npy --frames b.npy --balance tile --keep-one \\
        --config my-engine.json --set stream_depth=16384 -o my.ese --report my.json
    """
    check_files(output, report)
    engine = chosen_config(config, sets, **{name: others[name] for name in KNOBS})
    with console.status("Reading") as status:
        from ..compress.bidirectional import calibration_frames
        from ..compress.pipeline import compress_network
        from ..compress.read.checkpoint import load_stacks
        from .knobs import Setting

        streams = load_streams(frames)
        stacks = load_stacks(checkpoint, prefix, gate_order, read_key_map(key_map))
        outputs = [_of_stack(output, stack.name) for stack in stacks]
        reports = [report and _of_stack(report, stack.name) for stack in stacks]
        check_files(*outputs, *reports)
        options = chosen_options(command_line(ctx), **ctx.params)
        results = []
        for stack, seen in zip(stacks, calibration_frames(stacks, streams), strict=True):
            status.update("Pruning, calibrating, quantising, packing")
            image, result = compress_network(stack.network, engine, density, seen, options)
            results.append((image, result, _outputs(
                Setting(stack.network, engine, density, seen, options), image, result,
                status.update)))
        _write(outputs, reports, results)
    for place, made in zip(outputs, results, strict=True):
        compress_tables(place, *made)
    for place, (_, _, loss) in zip(outputs, results, strict=True):
        if loss and loss["advice"]:
            warn(f"{place.name}: {loss['advice']['text']}")


def chosen_options(command: str, *, balance: Any, keep_one: bool, input_scaling: Any,
                   input_limit: float | None, matrix_densities: tuple[str, ...],
                   share_bits: int | None, huffman: bool, resident: str,
                   matrix_bits: tuple[str, ...], **others: Any) -> "CompressOptions":
    """What these parameters of the command ask for, beside density and engine. Raises EseError."""
    from ..compress.pipeline import CompressOptions

    return CompressOptions(balance, keep_one, input_scaling, input_limit, command,
                           matrix_values("matrix-density", matrix_densities, float),
                           share_bits, huffman, resident=resident,
                           weight_bits=matrix_values("weight-bits-of", matrix_bits, int))


def _outputs(setting: "Setting", image: "Image", result: "CompressReport",
             say: Callable[[str], None]) -> dict[str, Any] | None:
    """The loss at the outputs, and advice if they are poor, for JSON; None without frames."""
    from .knobs import measure_outputs

    if not setting.calibration:
        return None
    say("Measuring the outputs against the original")
    loss, advice = measure_outputs(setting, image, result, lambda option: say(
        f"The outputs are poor; trying {option}"))
    return {**loss.to_dict(), "advice": advice and advice.to_dict()}


def _of_stack(place: Path, name: str) -> Path:
    return beside(place, f".{name}{place.suffix}") if name else place


def _write(outputs: Sequence[Path], reports: Sequence[Path | None],
           results: Sequence[tuple["Image", "CompressReport", dict[str, Any] | None]]) -> None:
    """Images, and the reports beside them: all or none."""
    from ..contract.image import image_bytes

    contents: dict[Path, bytes | str] = {}
    for place, report, (image, result, loss) in zip(outputs, reports, results, strict=True):
        contents[place] = image_bytes(image)
        if report is not None:
            contents[report] = result.to_json(image_bytes(image), outputs=loss)
    write_contents(contents)


def matrix_values(option: str, items: tuple[str, ...], number: type[Number]
                  ) -> dict[str, Number]:
    """Matrix name to a number. Raises EseError for what is neither."""
    values: dict[str, Number] = {}
    for item in items:
        name, _, value = item.partition("=")
        try:
            values[name] = number(value)
        except ValueError:
            kind = "NAME=BITS with a whole" if number is int else "NAME=VALUE with a"
            raise EseError(f"--{option}: must be {kind} number, got {item!r}") from None
    return values
