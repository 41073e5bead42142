"""``ese report``: everything an image and its measurements say, as one HTML page."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter

from ..contract.errors import EseError
from ..contract.files import write_atomically
from ..contract.image import Image, read_image
from ..report.html import page
from .command_line import command_line
from .curves import read_curves
from .frames import load_streams
from .options import checkpoint_options, read_key_map
from .outputs import check_files_in
from .report_parts import (
    Subject,
    accuracy,
    chief_figures,
    cycle_part,
    format_part,
    load_part,
    loss_part,
    matrix_part,
    provenance_part,
    sha256,
    stage_part,
    tensor_part,
)
from .terminal import console, warn

CUT = 200
"""Frames of a piece for SQNR: long recordings run side by side."""


@click.command()
@click.argument("image_path", metavar="IMAGE", type=click.Path(path_type=Path))
@click.option("--figures", type=click.Path(path_type=Path), metavar="FILE.json",
              help="What `ese compress --report` wrote for this image: adds SQNR of the weights, "
                   "what pruning alone left, and the outputs' error against the original.")
@click.option("--compare", type=click.Path(path_type=Path), metavar="OTHER.ese",
              help="Another image of the network, such as one pruned with --balance none: its "
                   "lanes' loads and cycles stand beside this one's.")
@click.option("--curve", "curves", type=click.Path(path_type=Path), multiple=True,
              metavar="FILE.jsonl",
              help="Error rates against density: what `ese sensitivity` wrote, or lines of "
                   '{"name": …, "density": …, "per": …}. May be repeated.')
@click.option("--frames", type=click.Path(path_type=Path), multiple=True, metavar="FILE.npy",
              help="Feature frames, as for `ese compress`: adds SQNR and saturations of every "
                   "activation. May be repeated.")
@click.option("--against", type=click.Path(path_type=Path), metavar="CHECKPOINT",
              help="The file that the image was compressed from: the outputs' error against the "
                   "original float network, measured on --frames.")
@checkpoint_options
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, metavar="FOLDER",
              help="Folder to write index.html to.")
@click.pass_context
def report(ctx: click.Context, image_path: Path, figures: Path | None, compare: Path | None,
           curves: tuple[Path, ...], frames: tuple[Path, ...], against: Path | None,
           gate_order: str | None, prefix: str | None, key_map: tuple[str, ...],
           output: Path) -> None:
    """Write one self-contained HTML page about IMAGE.

    PER against sparsity, bits per weight by stage, cycles and utilisation by the cycle model, lane
    loads, a table of matrices, SQNR and saturations, number formats, provenance.

    \b
    ese compress my.pt --density 0.1 --frames a.npy --report my.json -o my.ese
    ese compress my.pt --density 0.1 --balance none -o plain.ese
    ese report my.ese --figures my.json --compare plain.ese --curve scan.jsonl \\
        --frames a.npy -o report/
    """
    place = output / "index.html"
    check_files_in(output, place.name)
    if against is not None and not frames:
        raise EseError("against: must be given with --frames, on which the outputs are compared")
    with console.status("Reading") as status:
        from ..compress.storage import stages
        from ..sim.golden.noise import measure_noise

        points = read_curves(curves)
        streams = load_streams(frames)
        subjects = [_subject(path) for path in (image_path, *([compare] if compare else []))]
        image = subjects[0].image
        values = {} if figures is None else _figures(figures, image_path, image)
        sizes = values["stages"] if values else [
            {**vars(stage), "ratio": stage.ratio} for stage in stages(
                image, image.manifest.entries)]
        if streams:
            status.update("Running the golden model")
        noise = measure_noise(image, streams, CUT) if streams else ()
        outputs = values.get("outputs")
        if against is not None:
            outputs = _measured(image, against, prefix, gate_order, read_key_map(key_map), streams,
                                status.update)
        sources = [path for path in (figures, against, *curves, *frames) if path is not None]
        parts = [chief_figures(subjects[0], sizes), accuracy(points),
                 loss_part(outputs, against), stage_part(sizes, subjects[0]),
                 cycle_part(subjects), load_part(subjects), matrix_part(image, values),
                 tensor_part(noise, sum(map(len, streams)), CUT), format_part(image, values),
                 provenance_part(subjects, command_line(ctx), sources)]
        text = page(f"{image_path.name}: {image.manifest.source} on ESE", _subtitle(image), parts)
    write_atomically(place, lambda temporary: temporary.write_text(text, encoding="utf-8"))
    if against is not None and outputs and outputs["advice"]:
        warn(f"{image_path.name}: {outputs['advice']['text']}")
    click.echo(str(place))


def _measured(image: Image, against: Path, prefix: str | None, gate_order: str | None,
              key_map: Mapping[str, str], streams: Sequence[NDArray[np.floating]],
              say: Callable[[str], None]) -> dict[str, Any]:
    """The loss at the outputs against this checkpoint, and advice if they are poor."""
    from .against import advice_against, loss_against, original_of

    original = original_of(image, against, prefix, gate_order, key_map)
    loss = loss_against(image, original, streams)
    if not loss.poor:
        return {**loss.to_dict(), "advice": None}
    advice = advice_against(image, original, streams, lambda option:
                            say(f"The outputs are poor; trying {option}"))
    return {**loss.to_dict(), "advice": {"trials": [], "text": f"{loss.sentence} {advice}"}}


def _subject(path: Path) -> Subject:
    from ..sim.golden.cycles import simulate_model
    from ..sim.golden.decode import decode_image

    image = read_image(path)
    decoded = decode_image(image)
    return Subject(path, image, decoded, simulate_model(decoded))


def _subtitle(image: Image) -> str:
    layers = " + ".join(
        f"{layer.inputs} → {layer.cells} cells"
        + (f" → {layer.projection}" if layer.projection else "")
        + (", peepholes" if layer.peepholes else "") for layer in image.manifest.layers)
    config = image.config
    return (f"{layers}; {config.weight_bits}-bit weights, {config.act_bits}-bit activations; "
            f"{config.lanes} lanes × {config.channels} channels at {config.clock_mhz:g} MHz")


def _figures(path: Path, image_path: Path, image: Image) -> dict[str, Any]:
    """The JSON of `ese compress --report`. Raises EseError if it is damaged, or of another image;
    one of before it had checksums is compared by lanes and matrices."""
    from ..compress.report import CHECKSUM, LayerReport, MatrixReport, figures_checksum
    from ..compress.storage import Stage

    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        whole = (not {CHECKSUM, "image_sha256"} & values.keys()
                 or values.get(CHECKSUM) == figures_checksum(values))
        for name, kind in (("matrices", MatrixReport), ("layers", LayerReport), ("stages", Stage)):
            values[name] = [TypeAdapter(kind).validate_json(json.dumps(item), strict=True)
                            for item in values[name]]
        for name in ("calibration_frames", "input_saturated", "calibrated"):
            TypeAdapter(int).validate_python(values[name])
        same = (values["lane_lengths"] == image.sections["lane_lengths"].tolist()
                and [matrix.name for matrix in values["matrices"]]
                == [matrix.name for matrix in image.manifest.matrices]
                and len(values["layers"]) == len(image.manifest.layers)
                and values.get("image_sha256", sha256(image_path)) == sha256(image_path))
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise EseError(f"figures: must be what `ese compress --report` writes, got {path} "
                       f"({type(error).__name__})") from None
    if not whole:
        raise EseError(f"figures: {path} must match its SHA-256, but the file is corrupted")
    if not same:
        raise EseError(f"figures: must be those of this image, but {path} has another SHA-256, "
                       f"other lanes or other matrices")
    return {**values, "matrices": [vars(matrix) for matrix in values["matrices"]],
            "layers": [vars(layer) for layer in values["layers"]],
            "stages": [{**vars(stage), "ratio": stage.ratio} for stage in values["stages"]]}
