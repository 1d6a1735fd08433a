"""Early-learning regularisation: what the network said of an example before pulls at what it says now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from murk.learn.losses import cross_entropy
from murk.learn.method import Batch, Course, Method, restored
from murk.learn.methods.settings import positive, share

__all__ = ["Elr"]

SMALLEST = 1e-4  # probabilities are kept this far from 0 and 1


@dataclass
class Elr(Method):
    """Cross-entropy + pull log(1 - <p, t>); t is the running mean of the probabilities the example was given,
    N K numbers on the device.

    Args:
        pull: weight of the second term, > 0.
        momentum: of the running mean, in [0, 1).

    Raises:
        InputError: a setting out of range.
    """

    pull: float = 3.0
    momentum: float = 0.7
    name: ClassVar[str] = "elr"
    source: ClassVar[str] = "Liu et al. 2020, arXiv 2007.00151; its settings for CIFAR-10 with symmetric noise"

    def __post_init__(self) -> None:
        """Check the settings."""
        self.pull = positive(self.pull, "pull")
        self.momentum = share(self.momentum, "momentum", below_one=True)

    def prepare(self, training: Course) -> None:
        """Start from no opinion of any example: [N, K] zeros."""
        size = len(training.targets), training.targets.num_classes
        self.remembered = torch.zeros(size, device=training.compute.device)

    def objective(self, training: Course, batch: Batch) -> Tensor:
        """Move the memory of these examples, then hold the probabilities against it."""
        log_probs = torch.log_softmax(training.logits(batch.x).float(), dim=1)
        probs = log_probs.exp().clamp(SMALLEST, 1 - SMALLEST)
        now = probs.detach() / probs.detach().sum(1, keepdim=True)
        memory = torch.lerp(now, self.remembered[batch.index], self.momentum)
        self.remembered[batch.index] = memory
        away = torch.log(1 - (memory * probs).sum(1))
        return (cross_entropy(log_probs, training.labels(batch)) + self.pull * away).mean()

    def tensors(self) -> dict[str, Tensor]:
        """Keep the memory."""
        return {"remembered": self.remembered}

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Take the memory back."""
        self.remembered = restored(tensors["remembered"], self.remembered)
