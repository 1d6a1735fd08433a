"""Plain convolutional networks: stacks of 3x3 convolutions with max-pooling, then perhaps a dense layer."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor, nn

from murk.models.features import FeatureModule
from murk.models.norm import normaliser

__all__ = ["CONV2", "CONV3", "CONV4", "CONV6", "ConvNet", "ConvPlan"]


@dataclass(frozen=True)
class ConvPlan:
    """A plain ConvNet, its sizes relative to `width`, the channels of the first layer.

    Args:
        channels: channels of each 3x3 convolution, in multiples of the width.
        padded: for each convolution, whether zeros keep the image's size (True) or it loses two pixels (False).
        pooled: for each convolution, whether a 2x2 max-pool follows it.
        dense: units of the dense layer, in multiples of the width.
        width: channels of the first convolution unless the caller says otherwise.
        dropout: probability of dropping a dense unit unless the caller says otherwise; half of it after each pool.
        norm: "none", "batch" or "group" unless the caller says otherwise.
    """

    channels: tuple[int, ...]
    padded: tuple[bool, ...]
    pooled: tuple[bool, ...]
    dense: int
    width: int
    dropout: float
    norm: str = "none"

    def output_side(self, side: int) -> int:
        """Pixels left along one side of an image of `side` pixels; 0 where it is too small."""
        for padded, pooled in zip(self.padded, self.pooled, strict=True):
            side = side if padded else max(side - 2, 0)
            side = side // 2 if pooled else side
        return side

    def smallest_side(self) -> int:
        """The least number of pixels along a side that leaves at least one."""
        side = 1
        while self.output_side(side) == 0:
            side += 1
        return side


CONV2 = ConvPlan((1, 2), (False, False), (False, True), dense=4, width=32, dropout=0.5)
"""Conv 32-64 of 3x3, max-pool, dense 128: the MNIST example that came with Keras in 2017 [choice]."""

CONV3 = ConvPlan((1, 2, 2), (True, True, True), (True, True, True), dense=2, width=32, dropout=0.0, norm="batch")
"""Conv 32-64-64 of 3x3, each max-pooled, dense 64: about 93,000 parameters and 5.7 million multiplications for a 28x28
image. BatchNorm after the pools, where it is cheap, because it learns in fewer steps from strongly diluted labels;
width 16 or 24 is faster a step [choice]."""

CONV4 = ConvPlan((1, 1, 2, 2), (True,) * 4, (False, True, False, True), dense=4, width=32, dropout=0.5)
"""Conv 32-32-64-64 of 3x3, max-pool after each pair, dense 128. Four convolutions; padding [choice]."""

CONV6 = ConvPlan((1, 1, 2, 2), (True, False, True, False), (False, True, False, True), dense=16, width=32, dropout=0.5)
"""Conv 32-32-64-64 of 3x3, max-pool after each pair, dense 512: six layers with weights, counting the dense one and
the classes; the CIFAR-10 example that came with Keras in 2017, whose second convolution of a pair is unpadded
[choice]."""


class ConvNet(FeatureModule):
    """Features [B,D] of a plain ConvNet: convolutions, max-pools, then relu(W z + b) of the flattened map.

    Max-pooling comes before the ReLU: the two commute, and the ReLU then reads a quarter of the numbers.

    Args:
        plan: the layers.
        example_shape: (H, W, C) of the images; each side at least `plan.smallest_side()`.
        width: channels of the first convolution, 1 or more; all other layers scale with it.
        dropout: probability in [0, 1) of dropping a dense unit; after each pool half of it.
        norm: "none", "batch" or "group": what normalises each map before its ReLU; it then stands in for the
            convolution's bias.

    Example:
        >>> ConvNet(CONV3, (28, 28, 1), width=32, dropout=0.0, norm="none").num_features
        64
    """

    def __init__(
        self, plan: ConvPlan, example_shape: tuple[int, ...], *, width: int, dropout: float, norm: str
    ) -> None:
        """Lay out the layers of `plan` for images of one shape."""
        super().__init__()
        height, breadth, channels = example_shape
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        for layer, (multiple, padded, pooled) in enumerate(
            zip(plan.channels, plan.padded, plan.pooled, strict=True), start=1
        ):
            outputs, padding = multiple * width, 1 if padded else 0
            layers[f"conv{layer}"] = nn.Conv2d(channels, outputs, 3, padding=padding, bias=norm == "none")
            if pooled:
                layers[f"pool{layer}"] = nn.MaxPool2d(2)
            if norm != "none":
                layers[f"norm{layer}"] = normaliser(norm, outputs)
            layers[f"relu{layer}"] = nn.ReLU()
            if pooled and dropout > 0:
                layers[f"dropout{layer}"] = nn.Dropout(dropout / 2)
            channels = outputs
        layers["flatten"] = nn.Flatten()
        pixels = plan.output_side(height) * plan.output_side(breadth)
        layers["dense"] = nn.Linear(pixels * channels, plan.dense * width)
        layers["relu"] = nn.ReLU()
        if dropout > 0:
            layers["dropout"] = nn.Dropout(dropout)
        self.layers = nn.Sequential(layers)
        self.num_features = plan.dense * width

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B D"]:
        """Features of a batch of normalised images."""
        features: Tensor = self.layers(x)
        return features
