"""Optimizers: what moves the weights, by the recipe's name for it."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from murk.learn.recipe import Recipe

__all__ = ["optimizer_of"]

ADADELTA_DECAY = 0.95
ADADELTA_FLOOR = 1e-6


def optimizer_of(recipe: Recipe, weights: Sequence[Tensor], *, device: torch.device) -> torch.optim.Optimizer:
    """Make the recipe's optimizer of these weights.

    Source: AdamW, Loshchilov and Hutter 2019, arXiv 1711.05101; AdaDelta with its decay of .95 and floor of 1e-6,
    Zeiler 2012, arXiv 1212.5701.
    """
    rate, decay = recipe.learning_rate, recipe.weight_decay
    if recipe.optimizer == "adadelta":
        return torch.optim.Adadelta(weights, lr=rate, rho=ADADELTA_DECAY, eps=ADADELTA_FLOOR, weight_decay=decay)
    fused = device.type in ("cpu", "cuda")
    return torch.optim.AdamW(weights, lr=rate, weight_decay=decay, betas=(0.9, 0.999), fused=fused)
