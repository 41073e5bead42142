"""``ese data``: speech to a dataset folder."""

from pathlib import Path

import click

from ..contract.files import check_folder
from .needs import needs
from .options import cache_option
from .terminal import console


@click.group(context_settings={"show_default": True})
def data() -> None:
    """Prepare speech for training."""


@data.command()
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, metavar="DIR",
              help="Dataset folder; an interrupted preparation goes on in it.")
@cache_option
@click.option("--limit", type=click.IntRange(min=1),
              help="Only this many clips, evenly spread over all.")
@click.option("--processes", type=click.IntRange(1, 64), default=2, help="Parallel aligners.")
@click.option("--timit", type=click.Path(path_type=Path), metavar="DIR",
              help="Read a TIMIT folder (with TRAIN and TEST) instead of fetching speech.")
def prepare(output: Path, cache: Path, limit: int | None, processes: int,
            timit: Path | None) -> None:
    """Fetch speech, align phones, compute features.

    Features are 153 inputs a frame of 20 ms.

    \b
    ese data prepare -o build/speech
    ese data prepare -o build/small --limit 400
    ese data prepare -o build/timit --timit /data/TIMIT

    Recordings that are damaged, have no text or do not align are counted and named in
    skipped.jsonl, never fatal.
    """
    needs("train", "kaldi_native_fbank", "scipy", "soundfile", *([] if timit else ["pocketsphinx"]))
    from ..train.data.prepare import prepare as fill
    from ..train.data.prepare import prepare_timit, queen_recordings

    check_folder(output)
    with console.status("Preparing") as status:
        def show(done: int, total: int) -> None:
            status.update(f"{done} of {total} recordings")

        if timit is not None:
            result = prepare_timit(timit, output, limit, show)
        else:
            recordings = queen_recordings(cache, status.update)
            if limit is not None and limit < len(recordings):
                recordings = [recordings[k * len(recordings) // limit] for k in range(limit)]
            result = fill(recordings, output, processes, show)
    console.print(f"{result.used} of {result.recordings} recordings, {result.minutes:.1f} min, "
                  f"{result.held_out} held out; {len(result.skipped)} skipped "
                  f"{result.reasons() or ''} ({result.resumed} were done before)")
