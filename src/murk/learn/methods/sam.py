"""Sharpness-aware minimisation: the gradient is taken a small step up the loss; of a batch, or of each example.

The gradient of an example's loss l(f(w)) is the Jacobian of its logits f, times softmax(f) - y, their scale. Taken at
perturbed weights, both change: L-SAM lets only the scale change, J-SAM only the Jacobian.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad_and_value, vjp, vmap
from torch.nn.functional import one_hot
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd

from murk.errors import InputError
from murk.learn.losses import cross_entropy
from murk.learn.method import Batch, Course, Method
from murk.learn.methods.settings import positive

__all__ = ["JSam", "LSam", "NSam", "OfEachExample", "OneSam"]

SOURCE = "Baek, Kolter, Raghunathan 2024, arXiv 2405.03676; its rho for CIFAR-10"
NUMBERS_AT_ONCE = 1 << 26  # of the gradients of single examples
LEAST_NORM = 1e-12

Weights = dict[str, Tensor]
Logits = Callable[[Weights, Tensor], Tensor]


@dataclass
class _Sam(Method):
    """Perturbed weights.

    Args:
        rho: length of the perturbation, > 0.

    Raises:
        InputError: rho out of range.
    """

    rho: float = 0.01

    def __post_init__(self) -> None:
        """Check rho."""
        self.rho = positive(self.rho, "rho")


@dataclass
class NSam(_Sam):
    """The gradient of the batch at w + rho g / |g|, g its gradient at w. A step takes twice as long."""

    name: ClassVar[str] = "n-sam"
    source: ClassVar[str] = f"Foret et al. 2021, arXiv 2010.01412; {SOURCE}"

    def gradients(self, training: Course, batch: Batch) -> Tensor:
        """Go up, take the gradient there, and come back."""
        loss = self.objective(training, batch)
        weights: list[Tensor] = [weight for weight in training.model.parameters() if weight.requires_grad]
        up = [torch.zeros_like(weight) if gradient is None else gradient.detach() for weight, gradient in
              zip(weights, torch.autograd.grad(loss, weights, allow_unused=True), strict=True)]  # fmt: skip
        length = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(up)))
        torch._foreach_mul_(up, self.rho / length.clamp(min=LEAST_NORM))
        before = [weight.detach().clone() for weight in weights]
        with torch.no_grad():
            torch._foreach_add_(weights, up)
        with _statistics_kept(training.model):
            self.objective(training, batch).backward()  # type: ignore[no-untyped-call]
        with torch.no_grad():
            torch._foreach_copy_(weights, before)
        return loss.detach()


@dataclass
class OfEachExample(_Sam):
    """Weights perturbed for each example by its own gradient; needs a network whose examples do not meet.

    Attributes:
        scale_there: whether the scale of the logits is that at the perturbed weights, or at those of the model.
        jacobian_there: likewise for their Jacobian.
    """

    scale_there: ClassVar[bool] = True
    jacobian_there: ClassVar[bool] = True

    def prepare(self, training: Course) -> None:
        """Refuse networks in which examples of a batch meet, or chance does."""
        met = [type(module).__name__ for module in training.model.modules()
               if isinstance(module, _BatchNorm | _DropoutNd)]  # fmt: skip
        if met:
            raise InputError(
                f"{self.name} takes the gradient of each example by itself, but the network has {met[0]}; build it "
                'with norm="group" and without dropout'
            )

    def gradients(self, training: Course, batch: Batch) -> Tensor:
        """Sum the gradients of the examples, some at once; in float32, for rho is small beside bfloat16's steps."""
        model, labels = training.model.train(), training.labels(batch)
        weights = {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
        fixed = {name: tensor for name, tensor in (*model.named_parameters(), *model.named_buffers())
                 if name not in weights}  # fmt: skip

        def logits(weights: Weights, x: Tensor) -> Tensor:
            out: Tensor = functional_call(model, {**weights, **fixed}, (x[None],))
            return out[0]

        detached = {name: weight.detach() for name, weight in weights.items()}
        of_each = vmap(lambda x, label: self._of_one(logits, detached, x, label))
        size = max(1, NUMBERS_AT_ONCE // sum(weight.numel() for weight in weights.values()))
        total = torch.zeros((), device=batch.x.device)
        for x, label in zip(torch.split(batch.x, size), torch.split(labels, size), strict=True):
            gradients, losses = of_each(x, label)
            total += losses.sum()
            for name, weight in weights.items():
                part = gradients[name].sum(0) / len(labels)
                weight.grad = part if weight.grad is None else weight.grad + part
        return total / len(labels)

    def _of_one(self, logits: Logits, here: Weights, x: Tensor, label: Tensor) -> tuple[Weights, Tensor]:
        """Go up the loss of one example; give its gradient, from here and there, and its loss here."""

        def loss(weights: Weights) -> Tensor:
            return cross_entropy(torch.log_softmax(logits(weights, x), dim=0)[None], label[None])[0]

        up, value = grad_and_value(loss)(here)
        length = torch.sqrt(torch.stack([part.square().sum() for part in up.values()]).sum()).clamp(min=LEAST_NORM)
        there = {name: weight + self.rho / length * up[name] for name, weight in here.items()}
        jacobian_at, scale_at = (there if far else here for far in (self.jacobian_there, self.scale_there))
        return _scaled(logits, jacobian_at, scale_at, x, label), value


def _scaled(logits: Logits, at: Weights, scale_at: Weights, x: Tensor, label: Tensor) -> Weights:
    """Give the Jacobian of one set of weights times the scale of another: J(at)' (softmax(f(scale_at)) - y)."""
    classes, back = vjp(lambda weights: logits(weights, x), at)[:2]
    known = (label >= 0).to(classes.dtype)  # without a vote there is no gradient
    scale = torch.softmax(logits(scale_at, x), dim=0) - one_hot(label.clamp(min=0), len(classes)).to(classes.dtype)
    (gradient,) = back(known * scale.detach())
    return gradient  # type: ignore[no-any-return]


@dataclass
class OneSam(OfEachExample):
    """Scale and Jacobian both at the perturbed weights of each example."""

    name: ClassVar[str] = "1-sam"
    source: ClassVar[str] = SOURCE


@dataclass
class LSam(OfEachExample):
    """Only the scale of the logits at the perturbed weights."""

    name: ClassVar[str] = "l-sam"
    source: ClassVar[str] = SOURCE
    jacobian_there: ClassVar[bool] = False


@dataclass
class JSam(OfEachExample):
    """Only the Jacobian at the perturbed weights."""

    name: ClassVar[str] = "j-sam"
    source: ClassVar[str] = SOURCE
    scale_there: ClassVar[bool] = False


@contextmanager
def _statistics_kept(model: nn.Module) -> Iterator[None]:
    """Keep running statistics as they are: perturbed weights are not those that are kept."""
    layers = [module for module in model.modules() if isinstance(module, _BatchNorm)]
    before = [layer.momentum for layer in layers]
    for layer in layers:
        layer.momentum = 0.0
    try:
        yield
    finally:
        for layer, momentum in zip(layers, before, strict=True):
            layer.momentum = momentum
