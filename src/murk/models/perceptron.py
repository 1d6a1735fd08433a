"""The perceptron and multilayer perceptrons, on features or on flattened images."""

from __future__ import annotations

import math
from collections import OrderedDict

from jaxtyping import Float
from torch import Tensor, nn

from murk.models.features import FeatureModule

__all__ = ["HiddenLayers"]


class HiddenLayers(FeatureModule):
    """Features [B,D] of a perceptron: the flattened input after `depth` fully connected ReLU layers.

    z_0 = flatten(x),  z_l = dropout(relu(W_l z_{l-1} + b_l)),  l = 1..depth; with depth 0 the input itself.

    Args:
        example_shape: (H, W, C) of the images or (D,) of the features.
        depth: number of hidden layers, 0 or more.
        width: units in every hidden layer, 1 or more.
        dropout: probability in [0, 1) of dropping a unit of a hidden layer.

    Example:
        >>> HiddenLayers((28, 28, 1), depth=2).num_features
        256
    """

    def __init__(self, example_shape: tuple[int, ...], *, depth: int, width: int = 256, dropout: float = 0.0) -> None:
        """Lay out `depth` layers for examples of one shape."""
        super().__init__()
        inputs = math.prod(example_shape)
        layers: OrderedDict[str, nn.Module] = OrderedDict(flatten=nn.Flatten())
        for layer in range(1, depth + 1):
            layers[f"dense{layer}"] = nn.Linear(inputs, width)
            layers[f"relu{layer}"] = nn.ReLU()
            if dropout > 0:
                layers[f"dropout{layer}"] = nn.Dropout(dropout)
            inputs = width
        self.layers = nn.Sequential(layers)
        self.num_features = inputs

    def forward(self, x: Float[Tensor, " B *example"]) -> Float[Tensor, "B D"]:
        """Features of a batch."""
        features: Tensor = self.layers(x)
        return features
