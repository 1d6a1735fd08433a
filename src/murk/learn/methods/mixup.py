"""Mixup: trainings on mixtures of two examples and of their labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from murk.learn.losses import cross_entropy
from murk.learn.method import Batch, Course, Method
from murk.learn.methods.settings import positive
from murk.noise.draws import stream_key

__all__ = ["Mixup"]


@dataclass
class Mixup(Method):
    """x = lambda x_i + (1 - lambda) x_j, and the loss mixed alike; lambda ~ Beta(alpha, alpha), one a step.

    Args:
        alpha: > 0; the larger, the more even the mixtures.

    Raises:
        InputError: alpha out of range.
    """

    alpha: float = 1.0
    name: ClassVar[str] = "mixup"
    source: ClassVar[str] = "Zhang et al. 2018, arXiv 1710.09412; its alpha for CIFAR-10"

    def __post_init__(self) -> None:
        """Check alpha."""
        self.alpha = positive(self.alpha, "alpha")

    def objective(self, training: Course, batch: Batch) -> Tensor:
        """Mix each example with another of the batch."""
        rng = np.random.default_rng(stream_key(training.recipe.seed, f"mixup/{training.step}"))
        mixed = float(rng.beta(self.alpha, self.alpha))
        other = torch.from_numpy(rng.permutation(len(batch.index))).to(batch.x.device)
        labels = training.labels(batch)
        logits = training.logits(torch.lerp(batch.x[other], batch.x, mixed))
        log_probs = torch.log_softmax(logits.float(), dim=1)
        own, others = cross_entropy(log_probs, labels), cross_entropy(log_probs, labels[other])
        return (mixed * own + (1 - mixed) * others).mean()
