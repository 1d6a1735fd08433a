"""Consistency: two views of an image are to be seen alike, which what is learned by heart of its votes rarely is.

A network that has seen what an image shows says the same of it shifted or turned. One that has only learned that
image's votes by heart need not. So the disagreement of two views is a loss that needs no label, and noise is learned by
heart later, or not at all. Where a network is not sure yet, there is nothing to agree about: pulled towards agreement
then, it would learn nothing.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["certainty", "disagreement"]


def disagreement(one: Float[Tensor, "B K"], another: Float[Tensor, "B K"]) -> Float[Tensor, " B"]:
    """Give how far apart a model sees two views: the mean of both divergences, in nats, times its `certainty`.

    The divergences are those of Kullback and Leibler. The certainty is that of the mean of both views' probabilities
    and passes no gradient.

    Args:
        one: logits of one view of each image.
        another: logits of the other view of the same images.

    Source: the symmetric divergence as a second loss, "R-Drop" (Liang et al. 2021, arXiv 2106.14448), there between two
    dropout masks; the certainty is murk's own.

    Example:
        >>> disagreement(torch.zeros(1, 2), torch.tensor([[0.0, 1.0]]))
        tensor([0.0045])
    """
    first, second = torch.log_softmax(one, dim=1), torch.log_softmax(another, dim=1)
    with torch.no_grad():
        sure = certainty((first.exp() + second.exp()) / 2)
    return sure * 0.5 * ((first.exp() - second.exp()) * (first - second)).sum(1)


def certainty(probs: Float[Tensor, "B K"]) -> Float[Tensor, " B"]:
    """Give 1 - H(p) / log K: 0 where all K >= 2 classes are as likely, 1 where one is sure.

    Example:
        >>> certainty(torch.tensor([[0.5, 0.5], [1.0, 0.0]]))
        tensor([0., 1.])
    """
    return 1 + torch.xlogy(probs, probs).sum(1) / math.log(probs.shape[1])
