"""The training loop: steps, averaging, selection by held-out votes, checkpoints."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from murk.data import ImageSource, read_ahead
from murk.errors import DataError, InputError, TrainingError, refuse
from murk.learn.augment import UNIFORMS, Normalisation
from murk.learn.averaging import average_weights
from murk.learn.checkpoint import load_module, module_tensors, read_tensors, write_tensors
from murk.learn.consistency import disagreement
from murk.learn.device import Compute
from murk.learn.distributed import team
from murk.learn.dropout import seeded_dropout
from murk.learn.interruption import interruption
from murk.learn.losses import Loss, picked
from murk.learn.method import Batch, ByLoss, Method
from murk.learn.optimizer import load_optimizer, optimizer_of, optimizer_tensors
from murk.learn.progress import TRAINING, Callback, Epoch, Progress
from murk.learn.recipe import Recipe, learning_rate_at
from murk.learn.selection import Selection
from murk.learn.targets import Targets
from murk.noise.draws import permutation, uniforms

__all__ = ["CHECK_EVERY", "Companion", "Training", "by_truth"]

CHECK_EVERY = 25  # steps between looks at the losses, each of which waits for the device
EVALUATION_BATCH = 1024


class Companion(Protocol):
    """What goes along with a training, acts at the end of epochs, and is kept in its checkpoint."""

    def end_of_epoch(self, training: Training, epoch: int) -> None:
        """Act when epoch number `epoch` has ended."""

    def tensors(self) -> dict[str, Tensor]:
        """Give what a checkpoint must hold."""

    def restore(self, training: Training, tensors: dict[str, Tensor]) -> None:
        """Go on from what `tensors` gave."""


@dataclass
class Training:
    """One training, from its first step or from a checkpoint to its last.

    All that changes is in `model`, `average`, `selected`, `optimizer`, `step`, `history` and `selection`, and all of
    it goes into a checkpoint; every random draw is a function of (seed, epoch or step, example). So a training that
    is killed and resumed ends with the same weights, bit for bit on one CPU with the same number of threads.
    """

    model: nn.Module
    images: ImageSource
    targets: Targets
    loss: Loss
    recipe: Recipe
    normalisation: Normalisation
    compute: Compute
    training: np.ndarray
    held_out: np.ndarray
    known: np.ndarray | None = None
    checkpoint: Path | None = None
    checkpoint_seconds: float = 20.0
    last_checkpoint: bool = True
    fingerprint: str = ""
    callbacks: Sequence[Callback] = ()
    companion: Companion | None = None
    method: Method | None = None
    phase: str = TRAINING
    step: int = 0
    history: list[Epoch] = field(default_factory=list)
    selection: Selection = field(default_factory=Selection)

    def __post_init__(self) -> None:
        """Move everything to the device and make the optimizer."""
        device = self.compute.device
        self.model.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = copy.deepcopy(self.model).eval().requires_grad_(False)
        self.selected = copy.deepcopy(self.average)
        trained = [weight for weight in self.model.parameters() if weight.requires_grad]
        if not trained:
            raise InputError("the model has no weight to train (all are frozen)")
        self.optimizer = optimizer_of(self.recipe, trained, device=device)
        self._known = None if self.known is None else torch.from_numpy(self.known).to(device)
        self.steps_per_epoch = self.recipe.steps_per_epoch(len(self.training))
        self.losses: list[Tensor] = []  # of the steps since the last look
        self.seconds_waiting = 0.0  # for examples to come
        self._saved = time.monotonic()
        self.team = team()
        self._parallel: nn.Module | None = None  # the model, while several processes train it
        self._method = ByLoss(self.loss) if self.method is None else copy.copy(self.method)
        self._method.prepare(self)

    @property
    def steps(self) -> int:
        """Steps in all."""
        return self.recipe.epochs * self.steps_per_epoch

    def run(self) -> None:
        """Train to the end; resume first where the checkpoint exists.

        Raises:
            TrainingError: the loss is not finite; the last checkpoint, from before, is kept.
            KeyboardInterrupt: on Ctrl-C, after the step and the checkpoint are done.
        """
        if self.checkpoint is not None and self.checkpoint.exists():
            self._load(self.checkpoint)
        with self.team.lost_told(self._kept), interruption() as interrupted:
            self._join()
            started, first = time.monotonic(), self.step
            while self.step < self.steps:
                epoch = self.step // self.steps_per_epoch
                with closing(self._rest_of(epoch)) as batches:
                    for index, images in batches:
                        self.losses.append(self._train_step(index, images, epoch))
                        self.step += 1
                        ended = self.step % self.steps_per_epoch == 0
                        due = ended or self.step % CHECK_EVERY == 0
                        # several stop after one and the same step, or they would wait for each other
                        alone = self.team.size == 1
                        stop = interrupted.is_set() if alone else due and self.team.any(interrupted.is_set())
                        if due or stop:
                            self.look(ended, seconds=time.monotonic() - started, done=self.step - first)
                            self._save(now=stop or (self.last_checkpoint and self.step == self.steps))
                        if stop:
                            raise KeyboardInterrupt
        self._parallel = None

    def _join(self) -> None:
        """Make sure that all processes are about to train the same, and let backward passes average over them."""
        if self.team.size == 1:
            return
        refuse([
            "" if isinstance(self._method, ByLoss) else
            f"{self._method} reads more of a training than one process sees of it; train it by a single one",
            "" if self.recipe.batch_size >= self.team.size else
            f"`batch_size=...` is at least 1 for each of {self.team.size} processes, but {self.recipe.batch_size} came",
        ])  # fmt: skip
        self.team.refuse_difference(f"{self.fingerprint}/{self.step:012}")
        self._parallel = self.team.parallel(self.model)

    def _rest_of(self, epoch: int) -> Generator[tuple[Tensor, Tensor]]:
        """Give this process's part of the batches of an epoch that are not done yet: their indices and images."""
        size = self.recipe.batch_size
        order = self.training[permutation(self.recipe.seed, f"order/{epoch}", len(self.training))]
        rest = order[self.step % self.steps_per_epoch * size : self.steps_per_epoch * size]
        own = self.team.part(size)
        yield from self._read(rest.reshape(-1, size)[:, own].ravel(), own.stop - own.start)

    def _read(self, examples: np.ndarray, size: int) -> Generator[tuple[Tensor, Tensor]]:
        """Give indices and images batch by batch, and count the time in which nothing could be done but wait."""
        with closing(read_ahead(self.images, examples, batch_size=size, device=self.compute.device)) as read:
            asked = time.monotonic()
            for batch in read:
                self.seconds_waiting += time.monotonic() - asked
                yield batch
                asked = time.monotonic()

    def _train_step(self, index: Tensor, images: Tensor, epoch: int) -> Tensor:
        """Make one step; return its mean loss, still on the device."""
        recipe = self.recipe
        x = self._view(images, index, f"augment/{epoch}")
        if recipe.consistency:
            x = torch.cat([x, self._view(images, index, f"another-view/{epoch}")])
            index = torch.cat([index, index])
        rate = learning_rate_at(self.step, steps=self.steps, highest=recipe.learning_rate, schedule=recipe.schedule)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.zero_grad(set_to_none=True)
        loss = self._method.gradients(self, Batch(x, index, epoch))
        self.optimizer.step()
        if recipe.averaging:
            average_weights(self.average, self.model, step=self.step)
        return loss

    def logits(self, x: Tensor, *, model: nn.Module | None = None, stream: str = "dropout") -> Tensor:
        """Give the logits [B, K] of a batch in this step, by the model or by another one, whose dropout has a stream.

        Raises:
            InputError: a model that gives something else.
        """
        model = ((self._parallel or self.model) if model is None else model).train()
        stream = f"{stream}/{self.step}" + (f"/{self.team.rank}" if self.team.rank else "")
        with seeded_dropout(self.recipe.seed, stream, self.compute.device), self.compute.autocast():
            logits: Tensor = model(x)
        if logits.shape != (len(x), self.targets.num_classes):
            raise InputError(
                f"a model gives logits [B, K] = ({len(x)}, {self.targets.num_classes}), but {tuple(logits.shape)} "
                "came; give its last layer one output a class"
            )
        return logits

    def labels(self, batch: Batch) -> Tensor:
        """Pick one vote of each example for this visit: int64 [B], -1 where there is none."""
        drawn = uniforms(self.recipe.seed, f"pairs/{batch.epoch}", batch.index, 1)[:, 0]
        return picked(self.targets.rows(batch.index), drawn)

    def objective(self, batch: Batch) -> Tensor:
        """Give the mean loss of a batch, with what two views of it disagree about."""
        logits = self.logits(batch.x)
        loss = self.losses_of(logits, batch.index, batch.epoch).mean()
        if self.recipe.consistency:
            loss = loss + self.recipe.consistency * disagreement(*logits.float().chunk(2)).mean()
        return loss * self.team.weight(self.recipe.batch_size)

    def _view(self, images: Tensor, index: Tensor, stream: str) -> Tensor:
        """Give the images as the model reads them, augmented by draws of the stream."""
        augment = self.recipe.augment
        drawn = None if augment == "none" else uniforms(self.recipe.seed, stream, index, UNIFORMS)
        return self.normalisation.prepare(images, augment=augment, uniforms=drawn)

    def losses_of(self, logits: Tensor, index: Tensor, epoch: int | None) -> Tensor:
        """Hold logits against the votes of `index` (or the truth, where it is known); epoch None: without chance."""
        log_probs = torch.log_softmax(logits.float(), dim=1)
        rows = self.targets.rows(index)
        if epoch is None:
            losses = self.loss.held_out(log_probs, rows)
        else:
            draws = self.loss.draws
            drawn = uniforms(self.recipe.seed, f"pairs/{epoch}", index, 1)[:, 0] if draws else None
            losses = self.loss(log_probs, rows, drawn)
        if self._known is None or self.loss.reads_truth:
            return losses
        return by_truth(losses, log_probs, self._known[index])

    def posterior(self, index: Tensor) -> Tensor:
        """Give P(class given votes) [B, K] of these examples by rows of evidence, all classes as likely before."""
        probs = torch.softmax(self.targets.rows(index), dim=1)
        if self._known is None:
            return probs
        truth = self._known[index]
        sure = functional.one_hot(truth.clamp(min=0), self.targets.num_classes).to(probs.dtype)
        return torch.where((truth >= 0)[:, None], sure, probs)

    @torch.no_grad()
    def _held_out_losses(self) -> np.ndarray:
        own = self.held_out[self.team.part(len(self.held_out))]
        parts = [self.losses_of(logits, index, None).cpu().numpy() for index, logits in self._averaged_logits(own)]
        return self.team.joined(np.concatenate(parts) if parts else np.zeros(0, np.float32))

    def log_probs(self, examples: np.ndarray) -> np.ndarray:
        """Give log p(y given x) of these examples by the averaged weights as they are now: float32 [B, K]."""
        own = examples[self.team.part(len(examples))]
        with torch.no_grad():
            parts = [torch.log_softmax(logits.float(), 1).cpu().numpy() for _, logits in self._averaged_logits(own)]
        return self.team.joined(np.concatenate(parts) if parts else np.zeros((0, self.targets.num_classes), np.float32))

    def _averaged_logits(self, examples: np.ndarray) -> Iterator[tuple[Tensor, Tensor]]:
        """Walk over examples in batches; give their indices and logits, not augmented."""
        for index, x in self.walk(examples):
            with self.compute.autocast():
                yield index, self.average(x)

    def walk(self, examples: np.ndarray) -> Iterator[tuple[Tensor, Tensor]]:
        """Give indices and batches of examples as the model reads them, not augmented."""
        for index, images in self._read(examples, EVALUATION_BATCH):
            yield index, self.normalisation.prepare(images)

    def look(self, ended: bool, *, seconds: float, done: int) -> None:
        """Check the losses since the last look, close the epoch if it ended, and tell the callbacks."""
        if not self.recipe.averaging:
            self.average.load_state_dict(self.model.state_dict())
        losses = self.team.mean(torch.stack(self.losses)).cpu().double() if self.losses else torch.zeros(0)
        self.losses = []
        self._refuse_not_finite(losses)
        self._epoch_sum, self._epoch_count = self._epoch_sum + float(losses.sum()), self._epoch_count + len(losses)
        epoch = self._end_epoch() if ended else None
        left = seconds / max(done, 1) * (self.steps - self.step)
        mean = float(losses.mean()) if len(losses) else math.nan
        for callback in self.callbacks:
            callback(
                Progress(
                    self.step, self.steps, seconds, left, mean, epoch, self.average, self._predict, self.phase,
                    self.seconds_waiting,
                )
            )  # fmt: skip

    _epoch_sum: float = 0.0
    _epoch_count: int = 0

    def _refuse_not_finite(self, losses: Tensor) -> None:
        wrong = torch.nonzero(~torch.isfinite(losses))
        if len(wrong):
            self._stop(f"the loss became {float(losses[wrong[0]])}", step=self.step - len(losses) + int(wrong[0]) + 1)
        with torch.no_grad():  # a finite loss can still move the weights out of range
            norms = torch.stack(torch._foreach_norm([*self.model.parameters(), *self.average.parameters()]))
        if not bool(torch.isfinite(norms).all()):
            self._stop("the weights are no longer finite", step=self.step)

    def _stop(self, what: str, *, step: int) -> None:
        epoch = (step - 1) // self.steps_per_epoch + 1
        raise TrainingError(
            f"{what} at step {step} of {self.steps} (epoch {epoch}); {self._kept()}. Lower the "
            f"learning rate (it was at most {self.recipe.learning_rate:g}) or check the images for extreme values"
        )

    def _kept(self) -> str:
        if self.checkpoint is not None and self.checkpoint.exists():
            return f"the checkpoint {self.checkpoint} is from before"
        return "there is no checkpoint to go back to"

    def _end_epoch(self) -> Epoch:
        number = self.step // self.steps_per_epoch
        self._method.settle(self)
        held_out = self._held_out_losses()
        if not np.isfinite(held_out).all():
            self._stop("the held-out loss is not finite", step=self.step)
        chosen = self.selection.offer(number, held_out)
        if chosen:
            self.selected.load_state_dict(self.average.state_dict())
        several = len(held_out) > 1
        ended = Epoch(
            epoch=number,
            training_loss=self._epoch_sum / max(self._epoch_count, 1),
            held_out_loss=float(held_out.mean(dtype=np.float64)) if len(held_out) else None,
            held_out_error=float(held_out.std(ddof=1) / math.sqrt(len(held_out))) if several else None,
            selected=chosen,
        )
        self._epoch_sum, self._epoch_count = 0.0, 0
        self.history.append(ended)
        if self.companion is not None:
            self.companion.end_of_epoch(self, number)
        return ended

    @torch.no_grad()
    def _predict(self, batch: Tensor) -> Tensor:
        x = self.normalisation.prepare(batch.to(self.compute.device))
        with self.compute.autocast():
            logits = self.average(x)
        return torch.softmax(logits.float(), dim=1)

    def _save(self, *, now: bool) -> None:
        if self.checkpoint is None or not self.team.leads:
            return
        if not now and time.monotonic() - self._saved < self.checkpoint_seconds:
            return
        self._saved = time.monotonic()
        tensors = {**module_tensors("model", self.model), **module_tensors("average", self.average),
                   **module_tensors("selected", self.selected),
                   "best_losses": torch.from_numpy(self.selection.best_losses)}  # fmt: skip
        tensors |= optimizer_tensors("optimizer", self.optimizer)
        tensors |= {f"method/{name}": value for name, value in self._method.tensors().items()}
        if self.companion is not None:
            tensors |= {f"companion/{name}": value for name, value in self.companion.tensors().items()}
        write_tensors(self.checkpoint, tensors, {
            "kind": "checkpoint", "fingerprint": self.fingerprint, "step": self.step,
            "history": [asdict(epoch) for epoch in self.history],
            "best": self.selection.best, "chosen": self.selection.selected,
            "epoch_sum": self._epoch_sum, "epoch_count": self._epoch_count,
        })  # fmt: skip

    def _load(self, path: Path) -> None:
        tensors, facts = read_tensors(path)
        if facts.get("kind") != "checkpoint" or facts.get("fingerprint") != self.fingerprint:
            raise InputError(
                f"{path} is a checkpoint of another training (other data, votes or settings); "
                "name another file, or delete it to start again"
            )
        try:
            self._restore(tensors, facts, path)
        except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
            raise DataError(f"{path} lacks or garbles a value ({type(error).__name__}: {error}); delete it") from error

    def _restore(self, tensors: dict[str, Tensor], facts: dict[str, Any], path: Path) -> None:
        """Put back everything that `_save` wrote."""
        for name, module in (("model", self.model), ("average", self.average), ("selected", self.selected)):
            load_module(name, module, tensors, source=path)
        load_optimizer("optimizer", self.optimizer, tensors)
        if not 0 < int(facts["step"]) <= self.steps:
            raise ValueError(f"step {facts['step']} of {self.steps}")
        self.step, self.history = int(facts["step"]), [Epoch(**epoch) for epoch in facts["history"]]
        self.selection = Selection(int(facts["best"]), int(facts["chosen"]), tensors["best_losses"].numpy())
        self._epoch_sum, self._epoch_count = facts["epoch_sum"], facts["epoch_count"]
        self._method.restore(_under("method/", tensors))
        if self.companion is not None:
            self.companion.restore(self, _under("companion/", tensors))


def _under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def by_truth(losses: Tensor, log_probs: Tensor, truth: Tensor) -> Tensor:
    """Put cross-entropy in place of the losses [B] of examples whose true class [B] is known (not -1)."""
    plain = -torch.gather(log_probs, 1, truth.clamp(min=0)[:, None])[:, 0]
    return torch.where(truth >= 0, plain, losses)
