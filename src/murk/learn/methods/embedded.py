"""What methods that train embeddings share: they read them before the head, whose directions are class means."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from murk.errors import InputError
from murk.learn.method import Batch, Course
from murk.models import Classifier, CosineHead

__all__ = ["cosine_head", "embedded", "place_classes"]

EXAMPLES = 10_000  # that class means are taken over, at most


def cosine_head(training: Course) -> CosineHead:
    """Give the head that tells classes by the angle of an embedding.

    Raises:
        InputError: a network without one.
    """
    model = training.model
    if not isinstance(model, Classifier) or not isinstance(model.head, CosineHead):
        raise InputError("this method trains an embedding, but the network has none; give `embedding=64` beside a "
                         "model's name, or a network that `murk.models.build(name, embedding=64)` made")  # fmt: skip
    return model.head


def embedded(training: Course, batch: Batch) -> Tensor:
    """Give embeddings [B, E] of length one, through which gradients reach the network."""
    read: list[Tensor] = []

    def note(module: nn.Module, inputs: tuple[Any, ...]) -> None:
        read.append(inputs[0])

    listening = cosine_head(training).register_forward_pre_hook(note)
    try:
        training.logits(batch.x)
    finally:
        listening.remove()
    return functional.normalize(read[0].float())


@torch.no_grad()
def place_classes(training: Course, told: Callable[[Tensor], Tensor]) -> None:
    """Bring the head's directions to the means of their classes' embeddings, less the mean of all.

    Pairs say which images lie together, not where: the head is no part of their loss, and learns nothing by it. The
    averaged network embeds the examples, or some evenly among them, as they are.

    Args:
        training: whose head is moved, the averaged one and that of the network.
        told: gives what votes tell of the classes of examples [B]: rows [B, K] that sum to one, or zeros.
    """
    head, average = cosine_head(training), training.average
    assert isinstance(average, Classifier)
    some = training.training[:: -(-len(training.training) // EXAMPLES)]
    sums, total = torch.zeros_like(head.weight), torch.zeros_like(head.weight[0])
    shares, size = torch.zeros_like(head.weight[:, 0]), 0
    for index, x in training.walk(some):
        embeddings = functional.normalize(average.features(x).to(sums.dtype))
        classes = told(index).to(sums.dtype)
        sums += classes.T @ embeddings
        total, shares, size = total + embeddings.sum(0), shares + classes.sum(0), size + len(index)
    directions = sums / max(size, 1) - torch.outer(shares / max(size, 1), total / max(size, 1))
    for each in (head, average.head):
        each.weight.copy_(directions)
