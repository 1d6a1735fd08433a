"""Trainings that step together: their weights are stacked, so that one step of Python and torch moves all of them."""

from __future__ import annotations

import copy
import itertools
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.func import functional_call, vmap

from murk.errors import InputError, TrainingError
from murk.learn.augment import UNIFORMS, augmented
from murk.learn.averaging import share_of_latest
from murk.learn.optimizer import optimizer_of
from murk.learn.recipe import learning_rate_at
from murk.learn.targets import Targets
from murk.learn.training import CHECK_EVERY, Training, by_truth
from murk.noise.draws import MASK, permutation, philox, stream_key

__all__ = ["Together", "keys_of", "uniforms_by_key"]


class Together:
    """R trainings of one architecture, alike in everything but seed, targets and learning rate, that run as one.

    Each training's weights and averages become views into the stacks [R, ...]. So whatever looks at a training (its
    held-out losses, its choice of epoch, its callbacks) sees it as if it ran alone.

    Args:
        trainings: ready to run, with the same number of steps, epochs and examples a batch. Those of one learning rate
            are best side by side: they are one group of the optimizer.
    """

    def __init__(self, trainings: Sequence[Training]) -> None:
        """Stack weights, targets, known classes and normalisations."""
        first = trainings[0]
        self._trainings, self._recipe, self._device = list(trainings), first.recipe, first.compute.device
        self._network = copy.deepcopy(first.model).train()
        self._weights = _stacked([training.model for training in trainings])
        self._average = _stacked([training.average for training in trainings])
        self._optimizer, self._rows = self._optimizer_of_rows()
        self._targets = Targets.joined([training.targets for training in trainings])
        sizes = [len(training.targets) for training in trainings]
        self._first_row = torch.tensor([0, *itertools.accumulate(sizes[:-1])], device=self._device)[:, None]
        self._truth = _joined_truth(trainings).to(self._device)
        self._knows = bool((self._truth >= 0).any()) and not first.loss.reads_truth
        moments = torch.tensor([(t.normalisation.mean, t.normalisation.std) for t in trainings], device=self._device)
        pixels = (1, 1) if first.normalisation.images else ()
        self._mean, self._std = moments.transpose(0, 1).reshape(2, len(trainings), 1, -1, *pixels)
        self._losses: list[Tensor] = []
        self._failures: list[TrainingError | None] = [None] * len(trainings)

    def run(self) -> list[TrainingError | None]:
        """Train all to the end, and tell of each why it had to stop, or None; one that stops does not stop the others.

        Raises:
            InputError: the model cannot be computed with several sets of weights at once.
        """
        first, started = self._trainings[0], time.monotonic()
        for step in range(first.steps):
            epoch, within = divmod(step, first.steps_per_epoch)
            if within == 0:
                self._begin(epoch)
            batch = self._order[:, within * self._recipe.batch_size : (within + 1) * self._recipe.batch_size]
            self._losses.append(self._train_step(step, batch))
            ended = within + 1 == first.steps_per_epoch
            if ended or (step + 1) % CHECK_EVERY == 0:
                self._look(step + 1, ended, seconds=time.monotonic() - started)
                if all(self._failures):
                    break
        for training in self._trainings:  # out of the stacks, into memory of its own
            state, training.average = training.average.state_dict(), copy.deepcopy(training.selected)
            training.average.load_state_dict(state)
        return self._failures

    def _begin(self, epoch: int) -> None:
        """Draw each training's order of the epoch [R, S B], without what fills no batch, and the keys of its draws."""
        shown = self._trainings[0].steps_per_epoch * self._recipe.batch_size
        seeds = [training.recipe.seed for training in self._trainings]
        orders = [t.training[permutation(t.recipe.seed, f"order/{epoch}", len(t.training))] for t in self._trainings]
        self._order = torch.from_numpy(np.stack([order[:shown] for order in orders])).to(self._device)
        self._keys = {name: keys_of(seeds, f"{name}/{epoch}").to(self._device) for name in ("augment", "pairs")}

    def _train_step(self, step: int, index: Int[Tensor, "R B"]) -> Float[Tensor, " R"]:
        """Make one step of all; return their mean losses, still on the device."""
        log_probs = torch.log_softmax(self._logits(self._examples(index)).float(), dim=2)
        losses = self._losses_of(log_probs.flatten(0, 1), index).view(index.shape).mean(1)
        for stack in self._weights.values():
            stack.grad = None
        losses.sum().backward()  # type: ignore[no-untyped-call]
        self._optimizer_step(step)
        if self._recipe.averaging:
            with torch.no_grad():
                torch._foreach_lerp_([*self._average.values()], [*self._weights.values()], share_of_latest(step))
        return losses.detach()

    def _examples(self, index: Int[Tensor, "R B"]) -> Float[Tensor, "R B *example"]:
        """Gather, augment and normalise what each training sees at this step."""
        first, augment, drawn = self._trainings[0], self._recipe.augment, None
        x = first.images.batch(index.flatten(), device=self._device)
        if augment != "none":
            drawn = uniforms_by_key(self._keys["augment"], index, UNIFORMS).flatten(0, 1)
        if first.normalisation.images:
            x = augmented(x, augment=augment, uniforms=drawn)
        seen: Tensor = x.view(*index.shape, *x.shape[1:]) - self._mean
        seen /= self._std
        return seen

    def _logits(self, x: Float[Tensor, "R B *example"]) -> Float[Tensor, "R B K"]:
        weights = {name: _laid(stack) for name, stack in self._weights.items()}
        try:
            with self._trainings[0].compute.autocast():
                logits: Tensor = vmap(lambda own, batch: functional_call(self._network, own, (batch,)))(weights, x)
        except RuntimeError as error:
            if "vmap" not in str(error):
                raise
            raise InputError(
                "this model cannot be computed with several sets of weights at once (it draws random numbers, changes "
                f"itself or branches on values: {str(error).splitlines()[0]}); train its replicas one by one with fit"
            ) from error
        wanted = (*x.shape[:2], self._targets.num_classes)
        if logits.shape != wanted:
            raise InputError(
                f"a model gives logits [B, K] = {wanted[1:]}, but {tuple(logits.shape[1:])} came; give its last layer "
                "one output a class"
            )
        return logits

    def _losses_of(self, log_probs: Float[Tensor, "RB K"], index: Int[Tensor, "R B"]) -> Float[Tensor, " RB"]:
        losses, joined = [training.loss for training in self._trainings], (index + self._first_row).flatten()
        rows = self._targets.rows(joined)
        drawn = uniforms_by_key(self._keys["pairs"], index, 1).flatten() if losses[0].draws else None
        if any(vars(loss) for loss in losses):  # one that holds something, such as T, is a loss of its own
            own = [slice(start, start + index.shape[1]) for start in range(0, len(joined), index.shape[1])]
            pairs = zip(losses, own, strict=True)
            found = torch.cat([loss(log_probs[r], rows[r], None if drawn is None else drawn[r]) for loss, r in pairs])
        else:
            found = losses[0](log_probs, rows, drawn)
        return by_truth(found, log_probs, self._truth[joined]) if self._knows else found

    def _optimizer_of_rows(self) -> tuple[torch.optim.Optimizer, list[tuple[Training, slice]]]:
        """Make one optimizer; each run of trainings with one learning rate is a group: their rows of the stacks."""
        rows, start = [], 0
        for _, run in itertools.groupby(self._trainings, key=lambda training: training.recipe.learning_rate):
            members = list(run)
            rows.append((members[0], slice(start, start + len(members))))
            start += len(members)
        trained = [stack for stack in self._weights.values() if stack.requires_grad]
        groups = [[stack.detach()[part] for stack in trained] for _, part in rows]
        optimizer = optimizer_of(self._recipe, groups[0], device=self._device)
        for group in groups[1:]:
            optimizer.add_param_group({"params": group})
        return optimizer, rows

    def _optimizer_step(self, step: int) -> None:
        gradients = [stack.grad for stack in self._weights.values() if stack.requires_grad]
        for group, (training, part) in zip(self._optimizer.param_groups, self._rows, strict=True):
            recipe = training.recipe
            group["lr"] = learning_rate_at(
                step, steps=training.steps, highest=recipe.learning_rate, schedule=recipe.schedule
            )
            for weight, gradient in zip(group["params"], gradients, strict=True):
                weight.grad = None if gradient is None else gradient[part]
        self._optimizer.step()

    def _look(self, step: int, ended: bool, *, seconds: float) -> None:
        """Let each training that still goes on look at its losses, as it would alone."""
        losses = torch.stack(self._losses).cpu()
        self._losses = []
        for number, training in enumerate(self._trainings):
            if self._failures[number] is None:
                training.step, training.losses = step, list(losses[:, number].unbind())
                try:
                    training.look(ended, seconds=seconds, done=step)
                except TrainingError as error:
                    self._failures[number] = error


def _stacked(modules: Sequence[nn.Module]) -> dict[str, Tensor]:
    """Stack the weights of like modules, by name, and make the modules' own weights views into the stacks.

    A matrix [out, in] lies in its stack as [in, out]: so its gradient, a product of batches, needs no copy.
    """
    stacks = {}
    for name, weight in modules[0].named_parameters():
        own = [module.get_parameter(name) for module in modules]
        rows = [tensor.detach().t() if tensor.dim() == 2 else tensor.detach() for tensor in own]
        stacks[name] = torch.stack([row.contiguous() for row in rows])
        for tensor, view in zip(own, _laid(stacks[name]), strict=True):
            tensor.data = view
        stacks[name].requires_grad_(weight.requires_grad)
    return stacks


def _laid(stack: Tensor) -> Tensor:
    """Show a stack's weights as the modules know them: matrices as [R, out, in]."""
    return stack.transpose(1, 2) if stack.dim() == 3 else stack


def _joined_truth(trainings: Sequence[Training]) -> Int[Tensor, " RN"]:
    unknown = np.full(len(trainings[0].targets), -1)
    return torch.from_numpy(np.concatenate([unknown if t.known is None else t.known for t in trainings]))


def keys_of(seeds: Sequence[int], stream: str) -> Int[Tensor, "2 R 1 1"]:
    """Derive the key of one stream for each of several seeds, for `uniforms_by_key`."""
    return torch.tensor([stream_key(seed, stream) for seed in seeds]).t()[:, :, None, None]


def uniforms_by_key(keys: Int[Tensor, "2 R 1 1"], index: Int[Tensor, "R B"], count: int) -> Float[Tensor, "R B U"]:
    """Draw what `uniforms` of each seed draws for its row of indices, bit for bit, all seeds at once.

    Example:
        >>> index = torch.arange(6).view(2, 3)
        >>> uniforms_by_key(keys_of([7, 8], "doc"), index, 5).shape
        torch.Size([2, 3, 5])
    """
    block = torch.arange(-(-count // 4), device=index.device)
    wide = index[:, :, None].expand(-1, -1, len(block))
    key: Any = (keys[0], keys[1])
    drawn = torch.stack(philox((wide & MASK, wide >> 32 & MASK, block, block * 0), key), dim=-1)
    drawn = drawn.flatten(2)[:, :, :count]
    return (drawn.to(torch.float64) + 0.5) * 2.0**-32
