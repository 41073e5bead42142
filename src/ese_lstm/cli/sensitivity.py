"""``ese sensitivity``: error rates against density or width, matrix by matrix."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..contract.config import EngineConfig
from ..report.table import Table
from ..train.options import PruneOptions
from .needs import needs
from .options import KNOBS, chosen_config, config_options, numbers
from .outputs import check_files
from .settings import setting_options
from .terminal import console, show

if TYPE_CHECKING:
    from ..train.data.dataset import Dataset
    from ..train.data.streams import Corpus
    from ..train.model import PhoneNet

DENSITIES = "0.5,0.3,0.2,0.1"


@click.command(context_settings={"show_default": True})
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("dataset", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True,
              metavar="FILE.jsonl", help="Points; an interrupted scan goes on in it.")
@click.option("--densities", metavar="LIST",
              help=f"Densities to try, separated by commas; {DENSITIES} without --bits.")
@click.option("--bits", metavar="LIST",
              help="Widths to try, as 4,6,8,10,12,16; those of at least 8 for activations too.")
@setting_options(PruneOptions, "balance")
@click.option("--allowance", type=float, default=1.0,
              help="PER, absolute %, that one matrix's pruning may cost before retraining.")
@click.option("--target", type=click.FloatRange(min=0), default=0.1,
              help="PER, absolute %, that the chosen widths of all matrices may cost together, and "
                   "that of activations.")
@click.option("--split", type=click.Choice(["train", "held-out"]), default="held-out")
@click.option("--limit", type=click.IntRange(min=1), help="Only the first utterances.")
@click.option("--utterances", type=click.IntRange(min=1), default=64,
              help="For widths of activations, which the golden model runs: only so many.")
@config_options
def sensitivity(model: Path, dataset: Path, output: Path, densities: str | None, bits: str | None,
                balance: Any, allowance: float, target: float, split: str, limit: int | None,
                utterances: int, config: str, sets: tuple[str, ...], **knobs: Any) -> None:
    """Scan densities or widths, matrix by matrix.

    Prunes or narrows one matrix of MODEL at a time, without retraining, and scores it on DATASET.

    \b
    ese sensitivity build/dense/model.safetensors build/speech -o build/scan.jsonl --limit 100
    ese sensitivity build/pruned/model.safetensors build/speech -o build/widths.jsonl \\
        --bits 4,6,8,10,12,16 --target 0.1

    The first prints the --matrix-density options (of ese train --from MODEL) of the sparsest
    densities within the allowance; the second the options of ese compress for the narrowest
    widths, of which all matrices together cost at most the target, and activations as well.
    """
    needs("train", "torch")
    from ..train.data.dataset import Dataset
    from ..train.data.streams import Corpus
    from ..train.model import check_dataset, load_model

    check_files(output)
    wanted = numbers("densities", densities or ("" if bits else DENSITIES), float)
    widths = numbers("bits", bits or "", int)
    engine = chosen_config(config, sets, **{name: knobs[name] for name in KNOBS})
    with console.status("Reading"):
        net, data = load_model(model), Dataset(dataset)
        check_dataset(net, model, data)
        corpus = Corpus.load(data, data.split(split)[:limit])
    if wanted:
        _scan_densities(net, corpus, engine, wanted, output, balance, allowance)
    if widths:
        few = Corpus.load(data, data.split(split)[:limit][:utterances])
        _scan_widths(net, data, corpus, few, engine, widths, output, target)


def _scan_densities(net: "PhoneNet", corpus: "Corpus", engine: EngineConfig, wanted: list[float],
                    output: Path, balance: Any, allowance: float) -> None:
    from ..search.densities import choose, scan

    with console.status("") as status:
        points = scan(net, corpus, engine, wanted, output, balance, lambda done, total:
                      status.update(f"{done} of {total} points"))
    show(_table("density", [(p.matrix, f"{p.density:g}", p.fer, p.per) for p in points]))
    click.echo(" ".join(f"--matrix-density {name}={value:g}"
                        for name, value in choose(points, allowance).items()))


def _scan_widths(net: "PhoneNet", data: "Dataset", corpus: "Corpus", few: "Corpus",
                 engine: EngineConfig, widths: list[int], output: Path, target: float) -> None:
    from ..search.widths import WidthScan
    from ..train.calibration import calibration_frames
    from ..train.data.streams import Corpus

    with console.status("Calibration frames") as status:
        frames = calibration_frames(Corpus.load(data, data.split("train")), net)
        scan = WidthScan(net, corpus, few, engine, frames, output, status.update)
        points = scan.scan(widths)
        choice = scan.choose(widths, target)
    show(_table("bits", [(f"{p.tensor} ({p.utterances} utterances)", str(p.bits or "–"), p.fer,
                          p.per) for p in points]))
    console.print(f"PER rises by {choice.weight_rise:.2f} with all matrices narrowed, by "
                  f"{choice.rise:.2f} with activations too, bit-exactly on {len(few.lengths)} "
                  f"utterances", highlight=False)
    click.echo(choice.options)


def _table(quantity: str, rows: list[tuple[str, str, float, float]]) -> Table:
    return Table("Without retraining", ("matrix", quantity, "FER %", "PER %"),
                 [(name, value, f"{fer:.2f}", f"{per:.2f}") for name, value, fer, per in rows])
