"""A loss in which some examples count more than others."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from murk.learn.losses import Loss
from murk.learn.targets import Targets
from murk.noise import Evidence, NoiseModel, Votes

__all__ = ["weighted"]


class _WeightedTargets(Targets):
    """Rows [B, K + 1]: what another loss reads of the votes, and the weight of the example in the last column."""

    def __init__(self, targets: Targets, weights: np.ndarray) -> None:
        self.num_classes, self.shift, self._targets = targets.num_classes, targets.shift, targets
        self._weights = torch.from_numpy(weights.astype(np.float32)).to(targets.device)

    @property
    def device(self) -> torch.device:
        return self._weights.device

    def update_digest(self, digest: Any) -> None:
        self._targets.update_digest(digest)
        digest.update(self._weights.cpu().numpy().tobytes())

    def rows(self, indices: Tensor) -> Tensor:
        return torch.cat([self._targets.rows(indices), self._weights[indices, None]], dim=1)


def weighted(loss: Loss, weights: np.ndarray) -> Loss:
    """Weigh the loss of each example: a weight of 2 counts as the example given twice.

    Args:
        loss: the loss of an example of weight 1.
        weights: float [N] > 0, of mean 1, so that learning rates keep their meaning.
    """

    class Weighted(Loss):
        """`loss`, times the weights."""

        name, draws, reads_truth = loss.name, loss.draws, loss.reads_truth

        def targets(
            self, votes: Votes | Evidence, noise: NoiseModel | None, known: np.ndarray | None, *, device: torch.device
        ) -> Targets:
            return _WeightedTargets(loss.targets(votes, noise, known, device=device), weights)

        def __call__(self, log_probs: Tensor, rows: Tensor, uniforms: Tensor | None = None) -> Tensor:
            return rows[:, -1] * loss(log_probs, rows[:, :-1], uniforms)

        def held_out(self, log_probs: Tensor, rows: Tensor) -> Tensor:
            return rows[:, -1] * loss.held_out(log_probs, rows[:, :-1])

    return Weighted()
