"""Training by truncated back-propagation through time on parallel streams; resumable bit-exactly.

A step is a function of (seed, step number, checkpoint) alone: the order of utterances is drawn
per epoch from the seed, the learning rate follows a cosine of the step number, and the
checkpoint holds weights, masks, Adam's moments and the streams' states.
"""

import json
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ...contract.errors import EseError
from ..data.augment import Augmenter
from ..data.streams import IGNORED, Corpus, Plan, gather, plan_streams
from ..evaluate import float_answers, keep_mask, score_answers
from ..model import PhoneNet, save_model
from ..pruning import PruneOptions, apply_masks, density_of, masks_for, round_weights
from ..scoring import Scores, label_statistics
from ..sharing import check_sharing, share_weights
from .checkpoint import Progress, load_checkpoint, read_progress, save_checkpoint

CHECKPOINT = "checkpoint.safetensors"
MODEL = "model.safetensors"
LOG = "log.jsonl"
FILES = (CHECKPOINT, MODEL, LOG)


@dataclass(frozen=True)
class TrainOptions:
    """Settings of a training; they are part of the checkpoint.

    epochs: passes over the training split. streams: utterances side by side. steps: frames of
    back-propagation. rate: Adam's, falling to 0 along a cosine. clip: norm of the gradient.
    weight_bits: round weights in training (0: don't). dropout: share of the LSTM's outputs set to
    0 in training; input_dropout: of its inputs. brief: products of bfloat16 factors. augment: vary
    the utterances (``augment``). share_bits: matrices share 2**share_bits values from the first
    step on, and the values train (0: no sharing; ``sharing``). Raises EseError naming the field.
    """

    epochs: int = 10
    streams: int = 64
    steps: int = 25
    rate: float = 2e-3
    clip: float = 5.0
    seed: int = 1
    weight_bits: int = 0
    dropout: float = 0.0
    input_dropout: float = 0.0
    brief: bool = False
    augment: bool = False
    share_bits: int = 0

    def __post_init__(self) -> None:
        for name in ("epochs", "streams", "steps"):
            if getattr(self, name) < 1:
                raise EseError(f"{name}: must be at least 1, got {getattr(self, name)}")
        for name in ("rate", "clip"):
            if not 0 < getattr(self, name) < math.inf:
                raise EseError(f"{name}: must be over 0 and finite, got {getattr(self, name)}")
        for name in ("dropout", "input_dropout"):
            if not 0 <= getattr(self, name) < 1:
                raise EseError(f"{name}: must be at least 0 and under 1, got "
                               f"{getattr(self, name)}")


@dataclass(frozen=True)
class Report:
    """Told now and then. loss: mean cross entropy per frame, fer: %, both since the last report;
    seconds: of this run; eta: seconds left; density: share of weights that are not masked."""

    step: int
    steps: int
    epoch: int
    loss: float
    fer: float
    rate: float
    seconds: float
    eta: float
    density: float


class Trainer:
    """One training in one folder: ``checkpoint.safetensors``, ``model.safetensors``, ``log.jsonl``.

    model: its buffers are set from the training corpus if ``fresh``. If the folder has a
    checkpoint, training goes on from it; its settings must be the same. Raises EseError.
    """

    def __init__(self, model: PhoneNet, corpus: Corpus, folder: Path, options: TrainOptions,
                 prune: PruneOptions | None = None, fresh: bool = True) -> None:
        self.model, self.corpus, self.folder = model, corpus, folder
        check_sharing(options.share_bits, prune)
        self.options, self.prune = options, prune
        self.step = 0
        self._plans: dict[int, Plan] = {}
        self._augment = Augmenter(options.seed, corpus) if options.augment else None
        if fresh:
            self._measure()
        self._settings = self._all_settings()
        path = folder / CHECKPOINT
        resume = path.is_file()
        if resume:
            self._compare(read_progress(path).settings, path)
            load_checkpoint(path, model, None)
        elif prune is not None:
            apply_masks(model.lstm, masks_for(model.lstm, prune, prune.due(0, self.steps) or 0.0))
        if options.share_bits and not resume:
            share_weights(model.lstm, options.share_bits)
        if options.weight_bits:
            round_weights(model.lstm, options.weight_bits)
        model.lstm.brief = options.brief
        model.drop_inputs.p, model.drop_outputs.p = options.input_dropout, options.dropout
        self.optimiser = torch.optim.Adam(model.parameters(), lr=options.rate)
        self.state = model.lstm.zero_state(options.streams)
        if resume:
            progress, self.state = load_checkpoint(path, model, self.optimiser)
            self.step = progress.step

    @property
    def steps(self) -> int:
        """Steps of the whole training."""
        return sum(self._steps_of(epoch) for epoch in range(self.options.epochs))

    def run(self, report: Callable[[Report], None] = lambda report: None,
            every_s: float = 5.0, checkpoint_s: float = 60.0,
            until: int | None = None) -> None:
        """Train to the end (or to step ``until``), with a checkpoint every minute and at the end.

        Raises EseError if the loss is not finite; the last checkpoint stays.
        """
        total = self.steps
        end = total if until is None else min(until, total)
        begin = said = saved = time.monotonic()
        first, counts = self.step, np.zeros(3)
        density = density_of(self.model.lstm)["all"]
        while self.step < end:
            due = None if self.prune is None or not self.step else self.prune.due(self.step, total)
            if due is not None and self.prune is not None:
                apply_masks(self.model.lstm, masks_for(self.model.lstm, self.prune, due))
                density = density_of(self.model.lstm)["all"]
            counts += self._one_step(total)
            self.step += 1
            now = time.monotonic()
            if now - said >= every_s or self.step == end:
                said = now
                eta = (now - begin) / (self.step - first) * (total - self.step)
                line = Report(self.step, total, self._place(self.step - 1)[0],
                              float(counts[0] / max(counts[2], 1)),
                              float(100 * counts[1] / max(counts[2], 1)), self._rate(total),
                              now - begin, eta, density)
                counts[:] = 0
                self._log(asdict(line))
                report(line)
            if now - saved >= checkpoint_s:
                saved = now
                self.save()
        self.save()

    def save(self) -> None:
        """Write checkpoint and model. Raises EseError if the disk is full; old files stay."""
        save_checkpoint(self.folder / CHECKPOINT, self.model, self.optimiser, self.state,
                        Progress(self.step, self._settings))
        save_model(self.folder / MODEL, self.model)

    def evaluate(self, corpus: Corpus) -> Scores:
        """Scores of the present model on another corpus; logged."""
        scores = score_answers(self.model, corpus, float_answers(self.model, corpus))
        self._log({"step": self.step, "held_out_fer": scores.fer, "held_out_per": scores.per})
        return scores

    def loss(self, frames: Tensor, targets: Tensor, piece: Plan
             ) -> tuple[Tensor, float, int, list[tuple[Tensor, Tensor]]]:
        """Mean loss of a piece, wrong frames, counted frames, and the state after it.

        frames: (T, streams, inputs); targets: (T · streams,), IGNORED where none is due.
        """
        logits, state = self.model(frames, self.state, keep_mask(piece))
        logits = logits.flatten(0, 1)
        due = targets != IGNORED
        loss = nn.functional.cross_entropy(logits, targets, ignore_index=IGNORED)
        wrong = int(((logits.detach().argmax(1) != targets) & due).sum())
        return loss, wrong, int(due.sum()), state

    def _one_step(self, total: int) -> tuple[float, float, int]:
        """Loss summed over counted frames, wrong frames, counted frames."""
        epoch, position = self._place(self.step)
        if position == 0:
            self.state = self.model.lstm.zero_state(self.options.streams)
        steps = self.options.steps
        piece = self._plan(epoch).piece(slice(position * steps, (position + 1) * steps))
        frames, labels = gather(self.corpus, piece)
        if self._augment is not None:
            frames = self._augment(frames, piece, epoch, position)
        targets = torch.from_numpy(labels).flatten()
        for group in self.optimiser.param_groups:
            group["lr"] = self._rate(total)
        self.optimiser.zero_grad(set_to_none=True)
        torch.manual_seed(self.options.seed * 1_000_003 + self.step)
        self.model.train()
        loss, wrong, counted, state = self.loss(torch.from_numpy(frames), targets, piece)
        if not counted:
            self.state = state
            return 0.0, 0.0, 0
        value = float(loss.detach())
        if not math.isfinite(value):
            raise EseError(f"training: the loss must be finite, but is {value} in step "
                           f"{self.step}; the last checkpoint is kept in {self.folder}, a lower "
                           f"rate or clip may help")
        (loss * (counted / targets.numel())).backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), self.options.clip)
        self.optimiser.step()
        self.state = state
        return value * counted, wrong, counted

    def _rate(self, total: int) -> float:
        return self.options.rate * 0.5 * (1 + math.cos(math.pi * self.step / total))

    def _plan(self, epoch: int) -> Plan:
        if epoch not in self._plans:
            order = np.random.default_rng([self.options.seed, epoch]).permutation(
                len(self.corpus.lengths))
            self._plans = {epoch: plan_streams(self.corpus, self.options.streams,
                                               self.model.shape.delay, order,
                                               None if self._augment is None
                                               else self._augment.tempos(epoch))}
        return self._plans[epoch]

    def _steps_of(self, epoch: int) -> int:
        if not hasattr(self, "_lengths"):
            self._lengths: dict[int, int] = {}
        if epoch not in self._lengths:
            self._lengths[epoch] = -(-len(self._plan(epoch).index) // self.options.steps)
        return self._lengths[epoch]

    def _place(self, step: int) -> tuple[int, int]:
        """Epoch, and step within it."""
        epoch = 0
        while step >= self._steps_of(epoch):
            step -= self._steps_of(epoch)
            epoch += 1
        return epoch, step

    def _measure(self) -> None:
        """Input scale and label statistics of the training corpus."""
        frames = self.corpus.frames
        sums = np.zeros(frames.shape[1])
        for begin in range(0, len(frames), 1 << 16):
            sums += np.square(frames[begin:begin + (1 << 16)].astype(np.float64)).sum(axis=0)
        deviation = np.sqrt(sums / len(frames))
        if not (deviation > 0).all():
            raise EseError(f"features: every input must vary, but input "
                           f"{int(np.argmin(deviation))} is 0 in all {len(frames)} frames")
        labels = [self.corpus.labels[first:first + length] for first, length in
                  zip(self.corpus.first, self.corpus.lengths, strict=True)]
        priors, bigram = label_statistics(labels, len(self.model.shape.phones))
        for name, values in (("input_scale", 1 / deviation), ("priors", priors),
                             ("bigram", bigram)):
            getattr(self.model, name).copy_(Tensor(values))

    def _all_settings(self) -> dict[str, Any]:
        settings: dict[str, Any] = {
            **asdict(self.options), "shape": asdict(self.model.shape),
            "utterances": len(self.corpus.names), "frames": len(self.corpus.frames)}
        if self.prune is not None:
            settings["prune"] = {**{key: value for key, value in vars(self.prune).items()
                                    if key != "config"}, "config": self.prune.config.digest}
        return json.loads(json.dumps(settings))

    def _compare(self, theirs: dict[str, Any], path: Path) -> None:
        # A checkpoint from before an option was there was trained with its default.
        theirs = {**asdict(TrainOptions()), **theirs}
        for key in sorted({*theirs, *self._settings}):
            if theirs.get(key) != self._settings.get(key):
                raise EseError(f"{key}: must be as in {path} to go on from there, "
                               f"{theirs.get(key)}, got {self._settings.get(key)}; choose "
                               f"another output folder for another training")

    def _log(self, values: dict[str, Any]) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with (self.folder / LOG).open("a") as file:
                file.write(json.dumps(values) + "\n")
        except OSError as error:
            raise EseError(f"output: {self.folder} must be writable, but {error.strerror}; the "
                           f"last checkpoint is kept") from None
