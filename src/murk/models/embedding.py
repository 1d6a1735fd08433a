"""Embeddings: features brought to a size and to length one, and the classes as directions among them."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from murk.models.features import FeatureModule

__all__ = ["CosineHead", "Embedding"]

SCALE = 20.0


class Embedding(FeatureModule):
    """Features [B, E] of length one: a linear layer over others, whose directions are to be searched by.

    Args:
        body: gives features [B, D].
        size: E.

    Example:
        >>> import torch
        >>> from murk.models import build
        >>> model = build("mlp1", example_shape=(8, 8, 1), num_classes=10, embedding=16)
        >>> found = model.features(torch.rand(3, 1, 8, 8))
        >>> found.shape, bool(torch.allclose(found.norm(dim=1), torch.ones(3)))
        (torch.Size([3, 16]), True)
    """

    def __init__(self, body: FeatureModule, size: int) -> None:
        """Put the linear layer on the body."""
        super().__init__()
        self.body = body
        self.project = nn.Linear(body.num_features, size)
        self.num_features = size

    def forward(self, x: Float[Tensor, " B *input"]) -> Float[Tensor, "B E"]:
        """Directions of a batch."""
        return functional.normalize(self.project(self.body(x)).float())


class CosineHead(nn.Linear):
    """Logits 20 cos(angle to each class's direction): normalised softmax; of what it reads only directions count.

    Source: Zhai and Wu 2019, arXiv 1811.12649, with its temperature of 1/20.
    """

    def __init__(self, in_features: int, out_features: int) -> None:
        """Draw the directions."""
        super().__init__(in_features, out_features, bias=False)

    def forward(self, x: Float[Tensor, "B E"]) -> Float[Tensor, "B K"]:
        """Logits of embeddings."""
        return SCALE * functional.linear(functional.normalize(x.float()), functional.normalize(self.weight.float()))
