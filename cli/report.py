"""``ese report``: everything an image says of itself, as one HTML page."""

import hashlib
import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click

from ..contract.errors import EseError
from ..contract.image import Image, read_image, write_atomically
from .html import bars, page, pairs, paragraph, section, table
from .show import console, sizes


@click.command()
@click.argument("image_path", metavar="IMAGE", type=click.Path(path_type=Path))
@click.option("--figures", type=click.Path(path_type=Path), metavar="FILE.json",
              help="What `ese compress --report` wrote for this image: adds SQNR, saturations and "
                   "what pruning alone left.")
@click.option("--compare", type=click.Path(path_type=Path), metavar="OTHER.ese",
              help="Another image of the network, such as one pruned with --balance none: its "
                   "lanes' loads and cycles stand beside this one's.")
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, metavar="FOLDER",
              help="Folder to write index.html to.")
def report(image_path: Path, figures: Path | None, compare: Path | None, output: Path) -> None:
    """Write one self-contained HTML page about IMAGE.

    Lane loads, cycles and utilisation by the cycle model, bits per weight by stage, a table of
    matrices, number formats, provenance.

    \b
    ese compress my.pt --density 0.1 --report my.json -o my.ese
    ese report my.ese --figures my.json -o report/
    """
    with console.status("Reading"):
        image = read_image(image_path)
        other = None if compare is None else read_image(compare)
        values = {} if figures is None else _figures(figures, image)
        parts = [_provenance(image_path, image), _cycles(image_path, image, compare, other),
                 _loads(image_path, image, compare, other), _stages(image, values),
                 _matrices(image, values), _formats(image, values)]
        text = page(f"{image_path.name}: {image.manifest.source} on ESE", parts)
    place = output / "index.html"
    write_atomically(place, lambda temporary: temporary.write_text(text, encoding="utf-8"))
    click.echo(str(place))


def _figures(path: Path, image: Image) -> dict[str, Any]:
    """The JSON of `ese compress --report`. Raises EseError if it is of another image."""
    try:
        values = json.loads(path.read_text())
        names = [m["name"] for m in values["matrices"]]
        same = (values["lane_lengths"] == image.sections["lane_lengths"].tolist()
                and names == [m.name for m in image.manifest.matrices]
                and {"stages", "layers", "input_saturated"} <= values.keys())
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise EseError(f"figures: must be what `ese compress --report` writes, got {path} "
                       f"({type(error).__name__})") from None
    if not same:
        raise EseError(f"figures: must be those of this image, but {path} has other lanes or "
                       f"matrices")
    return dict(values)


def _provenance(path: Path, image: Image) -> str:
    manifest, config = image.manifest, image.config
    return section("Provenance", pairs({
        "image": path.name, "image SHA-256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "checkpoint": manifest.source, "checkpoint SHA-256": manifest.source_sha256 or None,
        "command": manifest.command or None, "ese-lstm": version("ese-lstm"),
        "engine": f"{config.lanes} lanes × {config.channels} channels, {config.index_mode}, "
                  f"{config.weight_bits}-bit weights, {config.act_bits}-bit activations",
        "engine digest": config.digest}))


def _both(path: Path, image: Image, compare: Path | None, other: Image | None
          ) -> list[tuple[str, Image]]:
    return [(path.name, image)] + ([(compare.name, other)] if compare and other else [])


def _cycles(path: Path, image: Image, compare: Path | None, other: Image | None) -> str:
    from ..sim.golden.cycles import simulate_model
    from ..sim.golden.decode import decode_image

    both = _both(path, image, compare, other)
    runs = [simulate_model(decode_image(one)) for _, one in both]
    rows: list[list[Any]] = [
        ["cycles per frame", *(run.cycles_per_frame for run in runs)],
        ["ideal cycles (weights / lanes)", *(run.ideal_cycles for run in runs)],
        ["multiplier utilisation, %", *(100 * run.utilisation for run in runs)],
        ["µs per frame of all channels", *(run.cycles_per_frame / one.config.clock_mhz
                                           for run, (_, one) in zip(runs, both, strict=True))],
        *([f"broadcaster held back: {name}, cycles", *(getattr(run.stalls, name) for run in runs)]
          for name in ("bank", "dependency", "queue"))]
    return section("Cycles", paragraph(
        "By the cycle model that the tests hold equal to the hardware's counters, in the steady "
        "state, at the configuration's clock."), table(["", *(name for name, _ in both)], rows))


def _loads(path: Path, image: Image, compare: Path | None, other: Image | None) -> str:
    parts = []
    for name, one in _both(path, image, compare, other):
        lengths = [int(length) for length in one.sections["lane_lengths"]]
        mean = sum(lengths) / len(lengths)
        parts += [paragraph(f"{name}: longest {max(lengths):,}, mean {mean:,.1f}, shortest "
                            f"{min(lengths):,} entries; longest over mean "
                            f"{max(lengths) / mean:.3f}."),
                  bars([str(lane) for lane in range(len(lengths))], lengths,
                       "entries per frame", "lane")]
    return section("Load of the lanes", *parts)


def _stages(image: Image, values: dict[str, Any]) -> str:
    from ..compress.storage import PAPER_RATIO, stages

    if values:
        rows = [(s["name"], s["bits"], s["bits_per_weight"], s["ratio"])
                for s in values["stages"]]
    else:
        rows = [(s.name, s.bits, s.bits_per_weight, s.ratio)
                for s in stages(image, image.manifest.entries)]
    return section(
        "Bits per weight by stage",
        bars([row[0] for row in rows], [round(row[2], 3) for row in rows],
             "bits per weight of the dense network", "stage"),
        table(["stage", "bits", "bits per weight", "times smaller"], rows),
        paragraph(f"The paper: {PAPER_RATIO:g} times, 10 by pruning and 2 by quantisation [pub]."))


def _matrices(image: Image, values: dict[str, Any]) -> str:
    header = ["matrix", "rows", "columns", "entries", "density, %", "ideal cycles"]
    rows: list[list[Any]] = [[m.name, m.rows, m.columns, m.entries,
                              100 * m.entries / (m.rows * m.columns),
                              -(-m.entries // image.config.lanes)]
                             for m in image.manifest.matrices]
    if values:
        header += ["fraction bits", "SQNR, dB"]
        rows = [[*row, m["weight_frac"], "exact" if m["sqnr_db"] is None
                 else round(m["sqnr_db"], 1)]
                for row, m in zip(rows, values["matrices"], strict=True)]
    size = sizes(image)
    return section("Matrices", table(header, rows), pairs({
        "null entries (empty lane columns)": size["null_entries"],
        "filler entries (relative4)": size["filler_entries"]}))


def _formats(image: Image, values: dict[str, Any]) -> str:
    rows = [[f"l{number}", layer.inputs, layer.cells, layer.projection or None, layer.peepholes,
             layer.input_frac, layer.output_frac, *layer.gate_weight_frac]
            for number, layer in enumerate(image.manifest.layers)]
    parts = [table(["layer", "inputs", "cells", "projection", "peepholes", "x fraction",
                    "y fraction", "W_x fraction", "W_y fraction"], rows)]
    if values:
        parts.append(table(
            ["layer", "max |y|", "max |c|", "c saturates", "y saturated", "gates limited by"],
            [[layer["name"], layer["y_max"], layer["c_max"], layer["c_saturates"],
              layer["y_saturated"], layer["gate_limit"]] for layer in values["layers"]]))
        parts.append(paragraph(
            f"{values['calibration_frames']:,} calibration frames, {values['input_saturated']:,} "
            f"input values saturated." if values["calibrated"] else "Ranges are assumed."))
    return section("Number formats", *parts)
