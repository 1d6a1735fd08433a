"""Averaging: the mean of the weights along the path of training, which forgets the noise of single steps."""

from __future__ import annotations

import torch
from torch import nn

__all__ = ["WEIGHT_OF_RECENT", "average_weights", "share_of_latest"]

WEIGHT_OF_RECENT = 8


def share_of_latest(step: int) -> float:
    """Give how far the average moves towards the weights after step number `step` (from 0): 9 / (step + 9)."""
    return (WEIGHT_OF_RECENT + 1) / (step + WEIGHT_OF_RECENT + 1)


@torch.no_grad()
def average_weights(average: nn.Module, model: nn.Module, *, step: int) -> None:
    """Move `average` towards `model` after step number `step` (from 0): w += (9 / (step + 9)) (model - w).

    The mean is over about the last ninth of all steps so far, so no length has to be set. Floating buffers (running
    statistics) are averaged as weights are; whole-number buffers are copied.

    Source: polynomial-decay averaging, Shamir and Zhang 2013, with eta = 8.
    """
    ours = [*average.parameters(), *average.buffers()]
    theirs = [*model.parameters(), *model.buffers()]
    floats = [(a, b) for a, b in zip(ours, theirs, strict=True) if a.is_floating_point()]
    torch._foreach_lerp_([a for a, _ in floats], [b for _, b in floats], share_of_latest(step))
    for a, b in zip(ours, theirs, strict=True):
        if not a.is_floating_point():
            a.copy_(b)
