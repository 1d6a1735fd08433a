"""The penalty on the last layer: what SAM does to a two-layer linear network, without any perturbation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from murk.errors import InputError
from murk.learn.losses import cross_entropy
from murk.learn.method import Batch, Course, Method
from murk.learn.methods.settings import positive

__all__ = ["Penalty"]


@dataclass
class Penalty(Method):
    """Cross-entropy + activations |z|^2 + weights |V|^2, z what the last layer reads and V its weights.

    Args:
        activations: weight of the mean of |z|^2 over the batch, > 0.
        weights: weight of |V|^2, > 0.

    Raises:
        InputError: a setting out of range, or a network without a linear layer.
    """

    activations: float = 0.001
    weights: float = 0.001
    name: ClassVar[str] = "penalty"
    source: ClassVar[str] = "Baek, Kolter, Raghunathan 2024, arXiv 2405.03676; the two weights are chosen here"

    def __post_init__(self) -> None:
        """Check the settings."""
        self.activations = positive(self.activations, "activations")
        self.weights = positive(self.weights, "weights")

    def prepare(self, training: Course) -> None:
        """Find the last linear layer."""
        layers = [module for module in training.model.modules() if isinstance(module, nn.Linear)]
        if not layers:
            raise InputError("the penalty is on the last linear layer, but the network has none")
        self.layer = layers[-1]

    def objective(self, training: Course, batch: Batch) -> Tensor:
        """Add the two penalties."""
        read: list[Tensor] = []

        def note(module: nn.Module, inputs: tuple[Any, ...]) -> None:
            read.append(inputs[0])

        listening = self.layer.register_forward_pre_hook(note)
        try:
            logits = training.logits(batch.x)
        finally:
            listening.remove()
        losses = cross_entropy(torch.log_softmax(logits.float(), dim=1), training.labels(batch))
        if not read:
            raise InputError("the penalty is on the last linear layer, but the network did not use the one it has last")
        long = read[0].float().flatten(1).square().sum(1).mean()
        return losses.mean() + self.activations * long + self.weights * self.layer.weight.square().sum()
