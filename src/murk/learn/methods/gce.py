"""Generalised cross-entropy: a loss between cross-entropy and the mean absolute error, which noise pulls less."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from murk.learn.losses import PickedVote, cross_entropy
from murk.learn.method import Method
from murk.learn.methods.settings import share

__all__ = ["Gce"]


@dataclass
class Gce(Method):
    """(1 - p_y^q) / q, without the truncation that needs a second pass over the data.

    Args:
        q: in (0, 1]; towards 0 it is cross-entropy, at 1 the mean absolute error.

    Raises:
        InputError: q out of range.
    """

    q: float = 0.7
    name: ClassVar[str] = "gce"
    source: ClassVar[str] = "Zhang and Sabuncu 2018, arXiv 1805.07836; its q for all experiments"

    def __post_init__(self) -> None:
        """Check q."""
        self.q = share(self.q, "q", above_zero=True)

    def loss(self) -> PickedVote:
        """Make the loss."""
        return _Generalised(self.q)


class _Generalised(PickedVote):
    def __init__(self, q: float) -> None:
        self.q = q

    def of_labels(self, log_probs: Tensor, labels: Tensor) -> Tensor:
        return -torch.expm1(-self.q * cross_entropy(log_probs, labels)) / self.q
