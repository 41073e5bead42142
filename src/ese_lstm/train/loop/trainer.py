"""Training by truncated back-propagation through time on parallel streams; resumable bit-exactly.

A step is a function of (seed, step number, checkpoint) alone: the order of utterances is drawn
per epoch from the seed, the learning rate follows a cosine of the step number, and the
checkpoint holds weights, masks, codes of shared weights, the model's buffers (input scaling,
priors, bigram), Adam's moments, the streams' states, the steps done and all settings.
"""

import json
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ...contract.errors import EseError
from ..data.augment import Augmenter
from ..data.streams import Corpus, gather
from ..model import save_model
from ..options import PruneOptions, TrainOptions
from ..pruning import apply_masks, density_of, masks_for, round_weights
from ..sharing import check_sharing, share_weights
from ..tasks.task import Task
from .checkpoint import Progress, load_checkpoint, read_progress, save_checkpoint
from .exchange import Exchange
from .timetable import Timetable

CHECKPOINT = "checkpoint.safetensors"
MODEL = "model.safetensors"
LOG = "log.jsonl"
FILES = (CHECKPOINT, MODEL, LOG)


@dataclass(frozen=True)
class Report:
    """Told now and then. loss: mean per counted frame, fer: the task's errors per counted
    frame, %, both since the last report; seconds: of this run; eta: seconds left; density: share of
    weights that are not masked."""

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

    If the folder has a checkpoint, training goes on from it; its settings must be the same.
    Raises EseError.
    """

    def __init__(self, task: Task, folder: Path, options: TrainOptions,
                 prune: PruneOptions | None = None) -> None:
        check_sharing(options.share_bits, prune)
        self.task, self.folder, self.options, self.prune = task, folder, options, prune
        self.model = model = task.model
        self.step = 0
        self._augment = Augmenter(options.seed, task.corpus) if options.augment else None
        self.timetable = Timetable(task.corpus, options, model.shape.delay,
                                   None if self._augment is None else self._augment.tempos)
        self.steps = self.timetable.steps
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
        self.exchange = Exchange(list(model.parameters()), options.clip)
        self.state = model.lstm.zero_state(options.streams)
        if resume:
            progress, self.state = load_checkpoint(path, model, self.optimiser)
            self.step = progress.step

    def run(self, report: Callable[[Report], None] = lambda report: None,
            every_s: float = 5.0, checkpoint_s: float = 60.0,
            until: int | None = None) -> None:
        """Train to the end (or to step ``until``), with a checkpoint every minute and at the end.

        Raises EseError if the loss is not finite; the last checkpoint stays.
        """
        end = self.steps if until is None else min(until, self.steps)
        begin = said = saved = time.monotonic()
        first, counts = self.step, np.zeros(3)
        density = density_of(self.model.lstm)["all"]
        while self.step < end:
            if self._renew_masks():
                density = density_of(self.model.lstm)["all"]
            counts += self.one_step()
            self.step += 1
            now = time.monotonic()
            if now - said >= every_s or self.step == end:
                said = now
                eta = (now - begin) / (self.step - first) * (self.steps - self.step)
                line = Report(self.step, self.steps, self.timetable.place(self.step - 1)[0],
                              float(counts[0] / max(counts[2], 1)),
                              float(100 * counts[1] / max(counts[2], 1)), self._rate(),
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

    def evaluate(self, corpus: Corpus) -> Mapping[str, float]:
        """The task's figures of the present model on another corpus; logged."""
        figures = self.task.evaluate(corpus)
        self._log({"step": self.step, **figures})
        return figures

    def one_step(self) -> tuple[float, float, int]:
        """Learn from the next piece, without counting the step: loss summed over counted frames,
        errors, counted frames. Raises EseError if the loss is not finite."""
        epoch, position = self.timetable.place(self.step)
        if position == 0:
            self.state = self.model.lstm.zero_state(self.options.streams)
        piece = self.timetable.piece(epoch, position)
        frames, labels = gather(self.task.corpus, piece)
        if self._augment is not None:
            frames = self._augment(frames, piece, epoch, position)
        for group in self.optimiser.param_groups:
            group["lr"] = self._rate()
        self.optimiser.zero_grad(set_to_none=True)
        torch.manual_seed(self.options.seed * 1_000_003 + self.step)
        self.model.train()
        loss = self.task.loss(torch.from_numpy(frames), torch.from_numpy(labels).flatten(), piece,
                              self.state)
        if not loss.counted:
            self.state = loss.state
            return 0.0, 0.0, 0
        value = float(loss.mean.detach())
        if not math.isfinite(value):
            raise EseError(f"training: the loss must be finite, but is {value} in step "
                           f"{self.step}; {self._kept()}, a lower rate or clip may help")
        self.exchange.gradients(loss.mean * (loss.counted / labels.size))
        self.optimiser.step()
        self.state = loss.state
        return value * loss.counted, loss.errors, loss.counted

    def _renew_masks(self) -> bool:
        """Whether masks were due before this step; those of step 0 are there from the start."""
        due = None if self.prune is None or not self.step else self.prune.due(self.step,
                                                                              self.steps)
        if due is None or self.prune is None:
            return False
        apply_masks(self.model.lstm, masks_for(self.model.lstm, self.prune, due))
        return True

    def _rate(self) -> float:
        return self.options.rate * 0.5 * (1 + math.cos(math.pi * self.step / self.steps))

    def _all_settings(self) -> dict[str, Any]:
        settings: dict[str, Any] = {
            **asdict(self.options), "shape": asdict(self.model.shape),
            "utterances": len(self.task.corpus.names), "frames": len(self.task.corpus.frames)}
        if self.prune is not None:
            settings["prune"] = {**{key: value for key, value in vars(self.prune).items()
                                    if key != "config"}, "config": self.prune.config.digest}
        return json.loads(json.dumps(settings | self.task.settings()))

    def _compare(self, theirs: dict[str, Any], path: Path) -> None:
        # A checkpoint from before an option was there was trained with its default.
        theirs = {**asdict(TrainOptions()), **theirs}
        for key in sorted({*theirs, *self._settings}):
            if theirs.get(key) != self._settings.get(key):
                raise EseError(f"{key}: must be as in {path} to go on from there, "
                               f"{theirs.get(key)}, got {self._settings.get(key)}; choose "
                               f"another output folder for another training")

    def _log(self, values: Mapping[str, Any]) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with (self.folder / LOG).open("a") as file:
                file.write(json.dumps(values) + "\n")
        except OSError as error:
            raise EseError(f"output: {self.folder} must be writable, but {error.strerror}; "
                           f"{self._kept()}") from None

    def _kept(self) -> str:
        return (f"the last checkpoint is kept in {self.folder}"
                if (self.folder / CHECKPOINT).is_file() else "there is no checkpoint yet")
