"""Label smoothing: a little of every label is given to all classes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from murk.learn.losses import PickedVote, cross_entropy
from murk.learn.method import Method
from murk.learn.methods.settings import share

__all__ = ["LabelSmoothing"]


@dataclass
class LabelSmoothing(Method):
    """(1 - epsilon) cross-entropy + epsilon times its mean over all classes.

    Args:
        epsilon: the share given to all classes, in [0, 1).

    Raises:
        InputError: a share out of range.
    """

    epsilon: float = 0.1
    name: ClassVar[str] = "label-smoothing"
    source: ClassVar[str] = "Szegedy et al. 2016, arXiv 1512.00567; its epsilon. Under noise: Lukasik et al. 2020"

    def __post_init__(self) -> None:
        """Check the share."""
        self.epsilon = share(self.epsilon, "epsilon", below_one=True)

    def loss(self) -> PickedVote:
        """Make the smoothed loss."""
        return _Smoothed(self.epsilon)


class _Smoothed(PickedVote):
    def __init__(self, epsilon: float) -> None:
        self.epsilon = epsilon

    def of_labels(self, log_probs: Tensor, labels: Tensor) -> Tensor:
        everywhere = -torch.where(labels >= 0, log_probs.mean(1), 0.0)
        return (1 - self.epsilon) * cross_entropy(log_probs, labels) + self.epsilon * everywhere
