"""``ese compress``: a checkpoint to a packed image."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ..contract.errors import EseError
from ..contract.files import beside, write_contents
from .command_line import command_line
from .frames import load_streams
from .options import KNOBS, chosen_config, config_options
from .outputs import check_files
from .show import compress_tables, console

if TYPE_CHECKING:
    from ..compress.pipeline import CompressReport
    from ..contract.image import Image

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
@click.option("--gate-order", metavar="ORDER",
              help="Order of the gates stacked in a state dict: ifgo (PyTorch, Keras) if not "
                   "given, or any other; c means g. Not for .onnx, whose order (iofc) is the "
                   "format's and is known.")
@click.option("--prefix", help="Which LSTM, if the checkpoint holds several: `lstm` for "
                               "lstm.weight_ih_l0. Or several that read one another, in the order "
                               "of the layers: `first,second`. In an .onnx, the name of its first "
                               "node.")
@click.option("--share-bits", type=int, metavar="BITS",
              help="Weight sharing: 2**BITS values per matrix, by k-means.")
@click.option("--huffman", is_flag=True,
              help="Store weights and indices Huffman-coded; reading restores the same entries.")
@click.option("--resident", default="auto", metavar="auto|all|none|TILES",
              help="Weights that stay in the lanes' memories, for an engine with a fetch_depth: "
                   "what fits, spread over the frame; all; none; or tiles like 0,3-5. The others "
                   "are streamed from external memory.")
@click.option("--key-map", "key_map", multiple=True, metavar="FILE.json|OURS=THEIRS",
              help="Names of tensors: weight_ih_l0=rnn.kernel, or a JSON object of such pairs; "
                   "only the tensors named are read. A kernel stored (inputs, 4·cells), as in "
                   "Keras: 'weight_ih_l0=transpose(rnn.kernel)'; a layer's only bias: bias_l0. "
                   "Not for .onnx. May be repeated.")
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True,
              metavar="FILE.ese", help="Image to write.")
@click.option("--report", type=click.Path(path_type=Path), metavar="FILE.json",
              help="Write all figures as JSON as well.")
@click.pass_context
def compress(ctx: click.Context, /, checkpoint: Path, density: float,
             matrix_densities: tuple[str, ...], matrix_bits: tuple[str, ...], config: str,
             sets: tuple[str, ...], balance: Any, keep_one: bool, frames: tuple[Path, ...],
             input_scaling: Any, input_limit: float | None, gate_order: str | None,
             prefix: str | None, key_map: tuple[str, ...], output: Path, report: Path | None,
             share_bits: int | None, huffman: bool, resident: str, **knobs: Any) -> None:
    """Prune, calibrate, quantise and pack CHECKPOINT (.pt, .ckpt, .bin, .safetensors, .onnx).

    The checkpoint holds the state dict of a torch.nn.LSTM (several layers, proj_size), of an LSTM
    with peepholes (weight_ci_l0, weight_cf_l0, weight_co_l0), or the paper's matrices (Wix …
    Wym), possibly under a prefix or a key such as state_dict; torch.nn.LSTMCells, stacked; or
    ONNX LSTM nodes. Nothing in it is executed. A bidirectional LSTM gives one image per direction:
    my.forward.ese and my.reverse.ese (my.l0.forward.ese … if it has several layers).

    \b
    ese compress my.pt --density 0.1 --lanes 32 -o my.ese
    ese compress my.pt --density 0.1 --frames a.npy --frames b.npy --balance tile --keep-one \\
        --config my-engine.json --set stream_depth=16384 -o my.ese --report my.json
    """
    check_files(output, report)
    engine = chosen_config(config, sets, **{name: knobs[name] for name in KNOBS})
    with console.status("Reading") as status:
        from ..compress.bidirectional import calibration_frames
        from ..compress.checkpoint import load_stacks
        from ..compress.pipeline import CompressOptions, compress_network

        streams = load_streams(frames)
        stacks = load_stacks(checkpoint, prefix, gate_order, _key_map(key_map))
        outputs = [_of_stack(output, stack.name) for stack in stacks]
        reports = [report and _of_stack(report, stack.name) for stack in stacks]
        check_files(*outputs, *reports)
        status.update("Pruning, calibrating, quantising, packing")
        options = CompressOptions(balance, keep_one, input_scaling, input_limit,
                                  command_line(ctx),
                                  matrix_values("matrix-density", matrix_densities, float),
                                  share_bits, huffman, resident=resident,
                                  weight_bits=matrix_values("weight-bits-of", matrix_bits, int))
        results = [compress_network(stack.network, engine, density, seen, options)
                   for stack, seen in zip(stacks, calibration_frames(stacks, streams),
                                          strict=True)]
        _write(outputs, reports, results)
    for place, (image, result) in zip(outputs, results, strict=True):
        compress_tables(place, image, result)


def _of_stack(place: Path, name: str) -> Path:
    return beside(place, f".{name}{place.suffix}") if name else place


def _write(outputs: Sequence[Path], reports: Sequence[Path | None],
           results: Sequence[tuple["Image", "CompressReport"]]) -> None:
    """Images, and the reports beside them: all or none."""
    from ..contract.image import image_bytes

    contents: dict[Path, bytes | str] = {}
    for place, report, (image, result) in zip(outputs, reports, results, strict=True):
        contents[place] = image_bytes(image)
        if report is not None:
            contents[report] = result.to_json(image_bytes(image))
    write_contents(contents)


def _key_map(items: tuple[str, ...]) -> dict[str, str]:
    """Our name to the file's. Raises EseError for what is neither OURS=THEIRS nor JSON of it, or
    for one of ours with two of the file's."""
    names: dict[str, str] = {}
    for item in items:
        ours, equals, theirs = item.partition("=")
        pairs: Any = [(ours, theirs)]
        if not equals:
            try:
                pairs = json.loads(Path(item).read_text(), object_pairs_hook=list)
            except (OSError, ValueError, RecursionError) as error:
                raise EseError(f"--key-map: must be OURS=THEIRS or a JSON file of such pairs, got "
                               f"{item!r} ({type(error).__name__})") from None
            if not isinstance(pairs, list) or not all(
                    isinstance(pair, tuple) and isinstance(pair[1], str) for pair in pairs):
                raise EseError(f"--key-map: {item} must hold one JSON object of names to names")
        for ours, theirs in pairs:
            if names.setdefault(ours, theirs) != theirs:
                raise EseError(f"--key-map: must name one tensor for {ours}, but names "
                               f"{names[ours]} and {theirs}")
    return names


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
