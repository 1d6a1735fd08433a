"""Method: what a training does with a batch, from its votes to the gradients of a step."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Protocol

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from murk.learn.device import Compute
from murk.learn.losses import Loss, PickedVote
from murk.learn.progress import Callback
from murk.learn.recipe import Recipe
from murk.learn.targets import Targets
from murk.noise import NoiseModel

__all__ = ["Batch", "ByLoss", "Course", "Method", "method_fault", "restored"]


@dataclass(frozen=True)
class Batch:
    """The examples of one step, as the model reads them.

    Attributes:
        x: float [B, ...], normalised and augmented.
        index: int64 [B], which examples.
        epoch: number of the pass, from 0.
    """

    x: Float[Tensor, "B ..."]
    index: Int[Tensor, " B"]
    epoch: int


class Course(Protocol):
    """What a method sees of the training that it is part of (`murk.learn.training.Training`)."""

    model: nn.Module
    average: nn.Module
    training: np.ndarray
    targets: Targets
    recipe: Recipe
    compute: Compute
    optimizer: torch.optim.Optimizer
    step: int
    steps_per_epoch: int

    def logits(self, x: Tensor, *, model: nn.Module | None = None, stream: str = "dropout") -> Tensor:
        """Give the logits [B, K] of a batch in this step, by the model or by another one."""

    def walk(self, examples: np.ndarray) -> Iterator[tuple[Tensor, Tensor]]:
        """Give indices and batches of examples as the model reads them, not augmented."""

    def labels(self, batch: Batch) -> Tensor:
        """Pick one vote of each example for this visit: int64 [B], -1 where there is none."""

    def objective(self, batch: Batch) -> Tensor:
        """Give the mean loss of a batch by the method's loss."""

    def posterior(self, index: Tensor) -> Tensor:
        """Give P(class given votes) [B, K] of examples, where votes are read as evidence."""


@dataclass
class Method:
    """A way to learn from votes: its fields are its settings, with the defaults of its source.

    A training works on a copy of its own, in which `prepare` lays out what the method keeps of examples or weights.

    Attributes:
        name: how `fit(method=...)` knows it.
        source: the paper, and where the defaults are from.
        averaging: whether the weights kept are averaged along the way; None leaves it to the protocol.
        noise_is: "unused", "needed", or "estimated" where it is not given.
        takes_views: whether it can be shown two views of each image at once.
        trains_embeddings: whether it is there for searching rather than for telling classes.
    """

    name: ClassVar[str] = ""
    source: ClassVar[str] = ""
    averaging: ClassVar[bool | None] = None
    noise_is: ClassVar[str] = "unused"
    takes_views: ClassVar[bool] = False
    trains_embeddings: ClassVar[bool] = False

    def __str__(self) -> str:
        """Write the name with all settings, as `method_named` reads it."""
        settings = ",".join(f"{field.name}={getattr(self, field.name)!r}" for field in fields(self))
        return f"{self.name}:{settings}" if settings else self.name

    def loss(self) -> Loss:
        """Make the loss that prepares what is read of the votes, and by which held-out votes compare epochs."""
        return PickedVote()

    def knowing(self, noise: NoiseModel | None) -> Method:
        """Give the method with what it takes from the noise model.

        Raises:
            InputError: it needs a noise model, and there is none.
        """
        return self

    def noise_from_training(
        self, model: Any, images: Any, votes: Any, *, callbacks: Sequence[Callback] = (), **settings: Any
    ) -> NoiseModel | None:
        """Estimate the noise model by a training before the training, where the method does so; arguments as `fit`."""
        return None

    def prepare(self, training: Course) -> None:
        """Lay out what is kept along the training.

        Raises:
            InputError: the network is of a kind that the method cannot train.
        """

    def gradients(self, training: Course, batch: Batch) -> Tensor:
        """Fill the gradients of the model's weights, which are empty; give the mean loss, still on the device."""
        loss = self.objective(training, batch)
        loss.backward()  # type: ignore[no-untyped-call]
        return loss.detach()

    def objective(self, training: Course, batch: Batch) -> Tensor:
        """Give the mean loss of the batch."""
        return training.objective(batch)

    def settle(self, training: Course) -> None:
        """Bring the averaged network to what is measured; called at the end of an epoch, before held-out votes are."""

    def tensors(self) -> dict[str, Tensor]:
        """Give what a checkpoint must hold."""
        return {}

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Go on from what `tensors` gave, after `prepare`."""


@dataclass
class ByLoss(Method):
    """The training that a loss alone describes."""

    by: Loss
    takes_views: ClassVar[bool] = True

    def __str__(self) -> str:
        """Write nothing: the recipe names the loss."""
        return ""

    def loss(self) -> Loss:
        """Give the loss."""
        return self.by


def method_fault(method: Method | None, *, loss: Any = None, consistency: float | None = None) -> str:
    """Say what does not go with a method, or nothing."""
    if method is None:
        return ""
    if loss is not None:
        return f"a method has a loss of its own, but loss={loss!r} came beside {method}; give one of them"
    if consistency and not method.takes_views:
        return f"`consistency=...` shows two views of an image, which {method} cannot take; leave one out"
    return ""


def restored(kept: Tensor, like: Tensor) -> Tensor:
    """Put a kept tensor on the device of another of its shape.

    Raises:
        ValueError: it has another shape.
    """
    if kept.shape != like.shape:
        raise ValueError(f"expected {tuple(like.shape)}, but {tuple(kept.shape)} came")
    return torch.empty_like(like).copy_(kept)
