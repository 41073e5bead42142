"""What would help poor outputs: the options of ``ese compress`` that are tried, and what each gave.

Options are tried by compressing anew in memory, on the same calibration frames, and measured as
:mod:`cli.loss` does, on the same frames as the loss; so a figure promised is the figure that the
option then gives.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..compress.network import Network
from ..compress.pipeline import CompressOptions, compress_network
from ..compress.report import CompressReport
from ..contract.config import EngineConfig
from ..contract.errors import EseError
from ..contract.image import Image
from .loss import (
    POOR_DB,
    Loss,
    Reals,
    compare,
    decibels,
    measure_loss,
    run_fixed,
    run_real,
    some_frames,
)

HELPS_DB = 3.0
"""An option that gains less is not named."""
SECONDS = 60.0
"""No further option is tried after so long."""
RARE = 0.999
"""Share of input values that a tried input limit holds."""
MOST_BITS, LEAST_ACT_BITS, MOST_ACC_BITS, MOST_CELL_BITS = 18, 8, 48, 27
MOST_DEPTH = 1 << 20
"""Bounds of ``EngineConfig``."""

RETRAIN = ("Pruned weights are won back by retraining (ese train --from, ese distill), which is "
           "not tried here.")


@dataclass(frozen=True)
class Knob:
    """One or two options. text: as they are given after those of the command; of the engine by
    --set, the last of which wins. config, options: what changes, by field.
    density: instead of the one given."""

    text: str
    config: Mapping[str, int] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    density: float | None = None


@dataclass(frozen=True)
class Trial:
    """What a knob gave. snr_db: of the outputs; None: no error is left, or it was refused.
    same_engine: the engine's configuration stays. refused: why it is not possible."""

    option: str
    same_engine: bool
    snr_db: float | None = None
    refused: str | None = None

    @property
    def level(self) -> float:
        """To compare: snr_db, or its limits."""
        exact = float("inf") if self.refused is None else float("-inf")
        return exact if self.snr_db is None else self.snr_db


@dataclass(frozen=True)
class Advice:
    """What was tried of ``candidates`` options in ``seconds``, and the sentences to tell."""

    trials: tuple[Trial, ...]
    candidates: int
    seconds: float
    text: str

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Setting:
    """What an image was compressed with. network: the original. calibration: its frames."""

    network: Network
    config: EngineConfig
    density: float
    calibration: Sequence[NDArray[np.floating]]
    options: CompressOptions


def measure_outputs(setting: Setting, image: Image, report: CompressReport,
                    progress: Callable[[str], None] = lambda option: None
                    ) -> tuple[Loss, Advice | None]:
    """The loss of a compressed network on some of its calibration frames, and advice if it is
    poor. progress: told each option that is tried."""
    frames = some_frames(setting.calibration, setting.network.weights)
    loss = measure_loss(setting.network, report.pruned, report.rounded, image, frames)
    return loss, advise(setting, report, loss, frames, progress) if loss.poor else None


def advise(setting: Setting, report: CompressReport, loss: Loss,
           frames: Sequence[NDArray[np.floating]],
           progress: Callable[[str], None] = lambda option: None) -> Advice:
    """Try what may help the dominating step of a poor ``loss``, measured on ``frames``."""
    begin = time.monotonic()
    step = loss.dominating
    knobs = list(density_knobs(setting, report) if step == "pruning" else
                 number_knobs(setting, report, step))
    truth = run_real(setting.network, frames)
    trials: list[Trial] = []
    for knob in knobs:
        if time.monotonic() - begin > SECONDS:
            break
        progress(knob.text)
        trials.append(_try(knob, setting, report, frames, truth))
    seconds = time.monotonic() - begin
    return Advice(tuple(trials), len(knobs), round(seconds, 1),
                  _tell(loss, trials, len(knobs), seconds))


def density_knobs(setting: Setting, report: CompressReport) -> Iterator[Knob]:
    """Twice and four times the weights, with lane memories that hold them."""
    given = {"density": setting.density, **setting.options.densities}
    depth = setting.config.stream_depth
    for factor in (2, 4):
        more = {name: float(f"{min(1.0, factor * value):.6g}") for name, value in given.items()}
        if more == given or (factor > 2 and all(2 * value >= 1 for value in given.values())):
            continue
        density = more.pop("density")
        words = [f"--density {density:g}", *(f"--matrix-density {name}={value:g}"
                                             for name, value in more.items())]
        need = -(-factor * max(report.lane_lengths) * 11 // 10 // 1024) * 1024
        deeper = min(need, MOST_DEPTH) if need > depth and not setting.config.fetch_depth else depth
        if deeper != depth:
            words.append(f"--set stream_depth={deeper}")
        yield Knob(" ".join(words), {"stream_depth": deeper}, {"densities": more}, density)


def number_knobs(setting: Setting, report: CompressReport, step: str) -> Iterator[Knob]:
    """Formats: first those that leave the engine as it is, then one field of it, then two."""
    config, options = setting.config, setting.options
    if options.input_scaling == "none":
        yield Knob("--input-scaling column", options={"input_scaling": "column"})
    limit = rare_limit(setting)
    if limit is not None:
        yield Knob(f"--input-limit {limit:.17g}", options={"input_limit": limit})
    elif report.input_saturated:
        yield Knob("without --input-limit", options={"input_limit": None})
    if options.share_bits is not None:
        yield Knob("without --share-bits", options={"share_bits": None})
    if options.weight_bits:
        yield Knob("without --weight-bits-of", options={"weight_bits": {}})
    for bits in (config.act_bits - 2, config.act_bits + 2):
        if LEAST_ACT_BITS <= bits <= MOST_BITS:
            yield Knob(f"--set act_bits={bits}", {"act_bits": bits})
    wider = [bits for bits in (40, MOST_ACC_BITS) if bits > config.acc_bits]
    for bits in wider:
        yield Knob(f"--set acc_bits={bits}", {"acc_bits": bits})
    weights = [min(config.weight_bits + more, MOST_BITS) for more in (2, 4)
               if config.weight_bits < MOST_BITS]
    for bits in dict.fromkeys(weights):
        yield Knob(f"--set weight_bits={bits}", {"weight_bits": bits})
    for bits, most in zip((min(config.weight_bits + 4, MOST_BITS), MOST_BITS), wider, strict=False):
        if bits > config.weight_bits:
            yield Knob(f"--set weight_bits={bits} --set acc_bits={most}",
                       {"weight_bits": bits, "acc_bits": most})
    if step == "activations":
        yield from _cell_knobs(config, any(layer.c_saturates for layer in report.layers))


def _cell_knobs(config: EngineConfig, saturates: bool) -> Iterator[Knob]:
    more = MOST_CELL_BITS - config.cell_bits
    frac = config.cell_frac + (0 if saturates else more)
    if more:
        yield Knob(f"--set cell_bits={MOST_CELL_BITS}" + (
            f" --set cell_frac={frac}" if frac != config.cell_frac else ""),
            {"cell_bits": MOST_CELL_BITS, "cell_frac": frac})


def rare_limit(setting: Setting) -> float | None:
    """A power of two that all but rare input values are within, if that is at most half of what
    the format holds now."""
    values = np.abs(np.concatenate([np.ravel(frames) for frames in setting.calibration]))
    top = float(values.max())
    if setting.options.input_limit is not None:
        top = min(top, setting.options.input_limit)
    most = float(np.quantile(values, RARE))
    limit = float(2.0 ** np.ceil(np.log2(most))) if most > 0 else 0.0
    return limit if 0 < limit <= top / 2 else None


def _try(knob: Knob, setting: Setting, report: CompressReport,
         frames: Sequence[NDArray[np.floating]], truth: Reals) -> Trial:
    """Only pruning knobs prune anew; the others start from the pruned network."""
    same = all(getattr(setting.config, name) == value for name, value in knob.config.items())
    try:
        config = setting.config.replace(**knob.config)
        options = replace(setting.options, **knob.options)
        if knob.density is None:
            options = replace(options, densities={}, keep_one=False)
        network = report.pruned if knob.density is None else setting.network
        density = 1.0 if knob.density is None else knob.density
        ranges = None if knob.options or knob.density is not None else report.ranges
        image, _ = compress_network(network, config, density, setting.calibration, options,
                                    ranges)
    except EseError as error:
        return Trial(knob.text, same, refused=str(error))
    return Trial(knob.text, same, compare(truth, run_fixed(image, frames), frames)[0])


def _tell(loss: Loss, trials: Sequence[Trial], candidates: int, seconds: float) -> str:
    base = loss.total.snr_db
    assert base is not None
    helping = [trial for trial in trials if trial.level >= base + HELPS_DB]
    words = [loss.sentence]
    best = _best(helping)
    if best is None:
        words.append(f"None of the {len(trials)} options tried would gain {HELPS_DB:g} dB.")
    else:
        words.append(f"{best.option} would give {_level(best)}"
                     + ("." if best.same_engine else ", on an engine generated anew."))
        mine = _best([trial for trial in helping if trial.same_engine])
        if not best.same_engine:
            words.append(f"With the engine as it is: "
                         f"{f'{mine.option} would give {_level(mine)}' if mine else 'none tried'}"
                         f"{'' if mine else f' would gain {HELPS_DB:g} dB'}.")
    if loss.dominating == "pruning":
        words.append(RETRAIN)
    words.append(f"{len(trials)} of {candidates} options tried on {loss.frames} frames in "
                 f"{seconds:.0f} s.")
    return " ".join(words)


def _best(helping: Sequence[Trial]) -> Trial | None:
    """The first that is no longer poor, as the cheapest come first; else the best."""
    enough = [trial for trial in helping if trial.level >= POOR_DB]
    return enough[0] if enough else max(helping, key=lambda trial: trial.level, default=None)


def _level(trial: Trial) -> str:
    return "no error" if trial.snr_db is None else f"{decibels(trial.snr_db)} dB"
