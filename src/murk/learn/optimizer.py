"""Optimizers: what moves the weights, by the recipe's name for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from murk.learn.recipe import Recipe

__all__ = ["load_optimizer", "optimizer_of", "optimizer_tensors"]

ADADELTA_DECAY = 0.95
MOMENTUM = 0.9
ADADELTA_FLOOR = 1e-6


def optimizer_of(recipe: Recipe, weights: Sequence[Tensor], *, device: torch.device) -> torch.optim.Optimizer:
    """Make the recipe's optimizer of these weights.

    Source: AdamW, Loshchilov and Hutter 2019, arXiv 1711.05101; AdaDelta with its decay of .95 and floor of 1e-6,
    Zeiler 2012, arXiv 1212.5701.
    """
    rate, decay = recipe.learning_rate, recipe.weight_decay
    if recipe.optimizer == "adadelta":
        return torch.optim.Adadelta(weights, lr=rate, rho=ADADELTA_DECAY, eps=ADADELTA_FLOOR, weight_decay=decay)
    if recipe.optimizer == "sgd":
        return torch.optim.SGD(weights, lr=rate, momentum=MOMENTUM, weight_decay=decay)
    fused = device.type in ("cpu", "cuda")
    return torch.optim.AdamW(weights, lr=rate, weight_decay=decay, betas=(0.9, 0.999), fused=fused)


def optimizer_tensors(prefix: str, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Name what an optimizer remembers of each weight, under a prefix."""
    state = optimizer.state_dict()["state"]
    return {f"{prefix}/{number}/{name}": value for number, kept in state.items() for name, value in kept.items()}


def load_optimizer(prefix: str, optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Put tensors named by `optimizer_tensors` back.

    Raises:
        ValueError: they are not of all weights.
    """
    weights = optimizer.param_groups[0]["params"]
    state: dict[int, dict[str, Any]] = {}
    for name, tensor in tensors.items():
        if name.startswith(f"{prefix}/"):
            number, part = name.removeprefix(f"{prefix}/").split("/")
            like = weights[int(number)]
            # moments must lie in memory as their weights do: the fused optimizer walks both in step
            value = torch.empty_like(like).copy_(tensor) if tensor.shape == like.shape else tensor
            state.setdefault(int(number), {})[part] = value
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
    moved = sum(weight.requires_grad for weight in weights)
    if len(state) != moved:
        raise ValueError(f"{len(state)} of {moved} moments")
