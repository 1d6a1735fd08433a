"""Consistency: two views of an image are to be seen alike, which what is learned by heart of its votes rarely is.

A network that has seen what an image shows says the same of it shifted or turned. One that has only learned that
image's votes by heart need not. So the disagreement of two views is a loss that needs no label, and noise is learned by
heart later, or not at all.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["RAMP", "consistency_at", "disagreement"]

RAMP = 0.2
"""Share of the steps over which the weight comes up from 0: before, there is little to agree about."""


def consistency_at(step: int, *, steps: int, highest: float) -> float:
    """Give the weight of the disagreement at step number `step` (from 0) of `steps`: it rises linearly, then stays.

    Example:
        >>> [consistency_at(step, steps=100, highest=4.0) for step in (0, 10, 20, 99)]
        [0.0, 2.0, 4.0, 4.0]
    """
    return highest * min(1.0, step / (RAMP * steps))


def disagreement(one: Float[Tensor, "B K"], another: Float[Tensor, "B K"]) -> Float[Tensor, " B"]:
    """Give the mean of the two Kullback-Leibler divergences between what a model says of two views, in nats.

    Args:
        one: logits of one view of each image.
        another: logits of the other view of the same images.

    Source: as a loss beside noisy labels, "R-Drop" (Liang et al. 2021, arXiv 2106.14448), there of two dropout masks.

    Example:
        >>> disagreement(torch.zeros(1, 2), torch.tensor([[0.0, 1.0]]))
        tensor([0.1155])
    """
    first, second = torch.log_softmax(one, dim=1), torch.log_softmax(another, dim=1)
    return 0.5 * ((first.exp() - second.exp()) * (first - second)).sum(1)
