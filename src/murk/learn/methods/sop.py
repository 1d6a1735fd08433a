"""Sparse over-parameterisation: every example has numbers of its own that may take up its label's noise."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from murk.learn.method import Batch, Course, Method, restored
from murk.learn.methods.settings import positive
from murk.noise.draws import stream_key

__all__ = ["Sop"]

START = 1e-8
RATE, BATCH, EPOCHS = 10, 128, 120  # of the source: rate of u and v, examples a step, visits of an example
GROWTH = EPOCHS * math.log1p(2 * RATE / BATCH)  # how far u grows in all where p_y is a half, as a logarithm
SMALLEST = 1e-4
LARGEST = math.sqrt(1 - SMALLEST)


@dataclass
class Sop(Method):
    """Cross-entropy of p + s, with s = u^2 on the label and v^2 elsewhere, of each example its own, and a square loss.

    u learns from the cross-entropy alone, v from the square loss alone. They start next to nothing and grow in
    proportion to themselves, so it is the number of visits that decides how far: the rate here lets them grow as far in
    the epochs there are as in the source's 120, but never past 1. They are N (K + 1) numbers on the device.

    Args:
        growth: of u and v, in shares of that rate, > 0.

    Raises:
        InputError: a growth out of range.
    """

    growth: float = 1.0
    name: ClassVar[str] = "sop"
    source: ClassVar[str] = "Liu et al. 2022, arXiv 2202.14026; its rates for CIFAR-10 with symmetric noise, as told"

    def __post_init__(self) -> None:
        """Check the growth."""
        self.growth = positive(self.growth, "growth")

    def prepare(self, training: Course) -> None:
        """Draw u [N, 1] and v [N, K], of deviation 1e-8."""
        low, high = stream_key(training.recipe.seed, "sop")
        chance = torch.Generator().manual_seed(high << 31 | low >> 1)
        count, classes, device = len(training.targets), training.targets.num_classes, training.compute.device
        self.u = (START * torch.randn((count, 1), generator=chance)).to(device)
        self.v = (START * torch.randn((count, classes), generator=chance)).to(device)
        self.rate = self.growth * math.expm1(GROWTH / training.recipe.epochs) / 2

    def gradients(self, training: Course, batch: Batch) -> Tensor:
        """Step the numbers of these examples, and fill the gradients of the weights."""
        logits, labels = training.logits(batch.x).float(), training.labels(batch)
        told = (labels >= 0)[:, None].to(logits.dtype)
        label = one_hot(labels.clamp(min=0), logits.shape[1]).to(logits.dtype) * told
        u, v = (own[batch.index].requires_grad_() for own in (self.u, self.v))
        here, elsewhere = u.square() * label, v.square() * (told - label)
        explained = (torch.softmax(logits, dim=1) + here - elsewhere.detach()).clamp(min=SMALLEST)
        explained = (explained / explained.sum(1, keepdim=True)).clamp(SMALLEST, 1)
        predicted = one_hot(logits.argmax(1), logits.shape[1]).to(logits.dtype) * told
        apart = (predicted + here.detach() - elsewhere - label).square().sum()
        loss = -(label * explained.log()).sum() + apart
        (loss / len(labels)).backward()  # type: ignore[no-untyped-call]
        for own, part in ((self.u, u), (self.v, v)):
            if part.grad is not None:
                own[batch.index] = (part.detach() - self.rate * len(labels) * part.grad).clamp(-LARGEST, LARGEST)
        return loss.detach() / len(labels)

    def tensors(self) -> dict[str, Tensor]:
        """Keep u and v."""
        return {"u": self.u, "v": self.v}

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Take u and v back."""
        self.u, self.v = restored(tensors["u"], self.u), restored(tensors["v"], self.v)
