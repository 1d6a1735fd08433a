"""Averaging: the mean of the weights along the path of training, which forgets the noise of single steps."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

__all__ = ["WEIGHT_OF_RECENT", "average_weights", "polynomial_average", "share_of_latest"]

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


@torch.no_grad()
def polynomial_average(averages: Sequence[Tensor], latest: Sequence[Tensor], num_averaged: Tensor | int) -> None:
    """Average as `average_weights` does, for a loop of your own: the `multi_avg_fn` of torch's `AveragedModel`.

    `AveragedModel` calls it after each step; `use_buffers=True` averages the running statistics of BatchNorm too, so
    that no pass over the data is needed to set them. Lightning's `WeightAveraging` takes it the same way.

    Args:
        averages: tensors of one kind, which are changed.
        latest: the model's tensors of the same shapes. Whole numbers are copied, floating ones averaged.
        num_averaged: how often it was called before.

    Example:
        >>> from torch.optim.swa_utils import AveragedModel
        >>> model = nn.Linear(2, 2)
        >>> average = AveragedModel(model, multi_avg_fn=polynomial_average, use_buffers=True)
        >>> average.update_parameters(model)  # after each step of the optimizer
        >>> average.module(torch.zeros(1, 2)).shape  # to evaluate, after average.eval()
        torch.Size([1, 2])

    Source: polynomial-decay averaging, Shamir and Zhang 2013, with eta = 8.
    """
    if averages[0].is_floating_point():
        torch._foreach_lerp_(list(averages), list(latest), share_of_latest(int(num_averaged)))
        return
    for average, value in zip(averages, latest, strict=True):
        average.copy_(value)
