"""A trained phone recogniser on the exported Verilog: held-out speech to phone strings."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..compress.pipeline import CompressOptions, compress_network
from ..compress.report import CompressReport
from ..contract.config import EngineConfig
from ..contract.errors import EseError
from ..contract.frames import quantise_frames, real_outputs
from ..contract.image import Image, write_image
from ..hw.verilog.export import export_verilog
from ..sim.verify import Verified, verify
from ..train.calibration import UTTERANCES, calibration_frames
from ..train.data.dataset import Dataset, Utterance
from ..train.data.streams import Corpus, Plan, gather, plan_streams
from ..train.evaluate import float_answers, longest_first, score_answers
from ..train.model import PhoneNet, load_model, network_of, scores
from ..train.scoring import Scores, edit_distance, phone_string, recognise
from .job import Step

IMAGE_NAME = "speech.ese"
MIN_CHANNELS = 4


@dataclass(frozen=True)
class Options:
    """Knobs. utterances: of the held-out split, spread evenly over it; channels must be at least
    4, and every channel gets one. density: 1 for a model that is pruned already."""

    model: Path
    dataset: Path
    output: Path
    config: EngineConfig
    utterances: int = 8
    density: float = 1.0
    compress: CompressOptions = field(default_factory=CompressOptions)


@dataclass(frozen=True)
class Heard:
    """One utterance: where it ran, and phone strings of labels and of what came out."""

    utterance: Utterance
    channel: int
    first_frame: int
    truth: tuple[str, ...]
    found: tuple[str, ...]
    errors: int

    @property
    def per(self) -> float:
        """Phone error rate, %."""
        return 100.0 * self.errors / max(len(self.truth), 1)


@dataclass(frozen=True)
class Outcome:
    """What the summary tells. scores, float_scores: of the same utterances, from the Verilog's
    outputs and from the model in floating point."""

    options: Options
    image: Image
    report: CompressReport
    run: Verified
    heard: tuple[Heard, ...]
    scores: Scores
    float_scores: Scores
    input_saturated: int
    verilog_sha256: str


def run_recogniser(options: Options, steps: Step) -> Outcome:
    """Pack, export, simulate, compare, recognise. Raises EseError on wrong input and
    SimulationError if the simulation fails; a mismatch is no error but in the outcome."""
    channels = options.config.channels
    if channels < MIN_CHANNELS:
        raise EseError(f"channels: must be at least {MIN_CHANNELS}, got {channels}")
    if options.utterances < channels:
        raise EseError(f"utterances: must be at least one on each of {channels} channels, got "
                       f"{options.utterances}")
    with steps("Read model and speech") as update:
        model = load_model(options.model)
        data = Dataset(options.dataset)
        if (model.shape.inputs, model.shape.phones) != (data.inputs, data.phones):
            raise EseError(f"model: {options.model} must have the {data.inputs} inputs and the "
                           f"phones of {options.dataset}")
        held_out = data.split("held-out")
        if len(held_out) < options.utterances:
            raise EseError(f"utterances: must be at most the {len(held_out)} of the held-out "
                           f"split, got {options.utterances}")
        chosen = spread(held_out, options.utterances)
        corpus = Corpus.load(data, chosen)
        update("calibration frames", 0.0)
        frames = calibration_frames(
            Corpus.load(data, spread(data.split("train"), UTTERANCES)), model)
    with steps("Calibrate, quantise, pack"):
        image, report = compress_network(network_of(options.model), options.config,
                                         options.density, frames, options.compress)
        write_image(options.output / IMAGE_NAME, image)
    with steps("Export Verilog") as update:
        exported = export_verilog(options.config, options.output, progress=update)
    with steps("Golden model and simulated Verilog, compared") as update:
        plan = plan_streams(corpus, channels, model.shape.delay, longest_first(corpus))
        inputs, saturated = _inputs(model, image, corpus, plan)
        run = verify(image, inputs, plan.index >= 0, plan.start, progress=update)
    with steps("Output layer, Viterbi"):
        answers = _answers(model, image, corpus, plan, run.rtl.outputs)
        heard = tuple(_heard(model, corpus, plan, answers, number, utterance)
                      for number, utterance in enumerate(chosen))
        rates = score_answers(model, corpus, answers)
        real = score_answers(model, corpus, float_answers(model, corpus))
    return Outcome(options, image, report, run, heard, rates, real, saturated,
                   hashlib.sha256(exported.verilog.read_bytes()).hexdigest())


def spread(utterances: Sequence[Utterance], count: int) -> list[Utterance]:
    """So many of them, or all if there are fewer, evenly spread over the list."""
    places = np.linspace(0, len(utterances) - 1, min(count, len(utterances))).round().astype(int)
    return [utterances[place] for place in places]


def _inputs(model: PhoneNet, image: Image, corpus: Corpus, plan: Plan
            ) -> tuple[NDArray[np.int64], int]:
    """Integers (T, inputs, channels), and how many values saturated."""
    frames, _ = gather(corpus, plan)
    scaled = (frames * model.input_scale.numpy()).transpose(0, 2, 1)
    return quantise_frames(scaled, image.manifest)


def _answers(model: PhoneNet, image: Image, corpus: Corpus, plan: Plan,
             outputs: NDArray[np.int64]) -> NDArray[np.float64]:
    """Phone scores of every frame of the corpus from outputs (T, outputs, channels)."""
    found = np.zeros((len(corpus.frames), len(model.shape.phones)))
    due = plan.target >= 0
    real = real_outputs(outputs.transpose(0, 2, 1)[due], image.manifest)
    found[plan.target[due]] = scores(model, real)
    return found


def _heard(model: PhoneNet, corpus: Corpus, plan: Plan, answers: NDArray[np.float64],
           number: int, utterance: Utterance) -> Heard:
    where = slice(int(corpus.first[number]), int(corpus.first[number] + corpus.lengths[number]))
    frames = recognise(answers[where], model.priors.numpy(), model.bigram.numpy())
    truth, found = phone_string(corpus.labels[where]), phone_string(frames)
    first, channel = (int(place[0]) for place in
                      np.nonzero(plan.start & (plan.utterance == number)))
    names = model.shape.phones
    return Heard(utterance, channel, first, tuple(names[k] for k in truth),
                 tuple(names[k] for k in found), edit_distance(found, truth))
