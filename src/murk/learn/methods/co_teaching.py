"""Co-teaching: two networks, each learns from the examples that the other finds easy."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from murk.errors import InputError
from murk.learn.checkpoint import load_module, module_tensors
from murk.learn.losses import cross_entropy
from murk.learn.method import Batch, Course, Method
from murk.learn.methods.settings import positive, share
from murk.learn.optimizer import load_optimizer, optimizer_of, optimizer_tensors
from murk.noise import NoiseModel
from murk.noise.draws import stream_key

__all__ = ["CoTeaching"]


@dataclass
class CoTeaching(Method):
    """Of each batch, each network is shown the share 1 - forgotten on which the other's loss is least.

    `forgotten` rises from 0 to the noise rate over the first epochs. The second network starts from
    weights of its own; the first one is the result. A step takes twice as long.

    Args:
        rate: share of the votes that are wrong, in [0, 1); None to take it from the noise model.
        warm_up: epochs over which `forgotten` rises, > 0; a shorter training never gets to the whole rate.

    Raises:
        InputError: a setting out of range, neither a rate nor a noise model, or a network whose weights cannot be drawn
            again.
    """

    rate: float | None = None
    warm_up: float = 10.0
    name: ClassVar[str] = "co-teaching"
    source: ClassVar[str] = "Han et al. 2018, arXiv 1804.06872; its 10 epochs, and the true noise rate as there"
    noise_is: ClassVar[str] = "needed"

    def __post_init__(self) -> None:
        """Check the settings."""
        self.rate = None if self.rate is None else share(self.rate, "rate", below_one=True)
        self.warm_up = positive(self.warm_up, "warm_up")

    def knowing(self, noise: NoiseModel | None) -> CoTeaching:
        """Take the noise rate from the noise model: the mean over classes of what is wrong."""
        transition = getattr(noise, "transition", None)
        if self.rate is not None:
            return self
        if transition is None:
            raise InputError(
                f"co-teaching needs the share of wrong votes, but noise={noise!r} came; give rate=..., or a noise "
                "model with one transition (Dilution or Channel)"
            )
        return replace(self, rate=float(1 - np.diagonal(transition.matrix()).mean()))

    def prepare(self, training: Course) -> None:
        """Make the second network and its optimizer."""
        self.second = _drawn_again(training.model, seed=training.recipe.seed)
        weights = [weight for weight in self.second.parameters() if weight.requires_grad]
        self.optimizer = optimizer_of(training.recipe, weights, device=training.compute.device)

    def gradients(self, training: Course, batch: Batch) -> Tensor:
        """Step the second network, and fill the gradients of the first."""
        labels = training.labels(batch)
        losses = [
            cross_entropy(
                torch.log_softmax(training.logits(batch.x, model=model, stream=stream).float(), dim=1), labels
            )
            for model, stream in ((training.model, "dropout"), (self.second, "dropout of the second"))
        ]
        assert self.rate is not None  # `knowing` has seen to it
        forgotten = self.rate * min(1.0, (training.step + 1) / (self.warm_up * training.steps_per_epoch))
        kept = max(1, round((1 - forgotten) * len(labels)))
        unsaid = labels < 0  # no loss, but nothing to learn from either
        first_finds, second_finds = (
            loss.detach().masked_fill(unsaid, torch.inf).argsort(stable=True)[:kept] for loss in losses
        )
        mine, others = losses[0][second_finds].mean(), losses[1][first_finds].mean()
        self.optimizer.zero_grad(set_to_none=True)
        (mine + others).backward()  # type: ignore[no-untyped-call]
        for group, own in zip(self.optimizer.param_groups, training.optimizer.param_groups, strict=True):
            group["lr"] = own["lr"]
        self.optimizer.step()
        return mine.detach()

    def tensors(self) -> dict[str, Tensor]:
        """Keep the second network and its optimizer."""
        return {**module_tensors("second", self.second), **optimizer_tensors("optimizer", self.optimizer)}

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Take them back."""
        load_module("second", self.second, tensors, source=Path("the checkpoint"))
        load_optimizer("optimizer", self.optimizer, tensors)


def _drawn_again(model: nn.Module, *, seed: int) -> nn.Module:
    """Copy a network, and draw anew the weights of each layer that says how (`reset_parameters`)."""
    second = copy.deepcopy(model)
    low, high = stream_key(seed, "co-teaching")
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(high << 31 | low >> 1)
        for module in second.cpu().modules():
            reset: Any = getattr(module, "reset_parameters", None)
            if reset is not None:
                reset()
    second.to(next(model.parameters()).device)
    for (name, weight), other in zip(model.named_parameters(), second.parameters(), strict=True):
        if weight.requires_grad and weight.dim() > 1 and torch.equal(weight, other):
            raise InputError(
                f"co-teaching needs a second network with weights of its own, but {name} is not drawn again; give its "
                "module a reset_parameters()"
            )
    return second
