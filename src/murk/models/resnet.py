"""Residual networks of 18 and 34 layers (He, Zhang, Ren, Sun 2016, arXiv 1512.03385) for small and large images."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from murk.models.features import FeatureModule
from murk.models.norm import normaliser

__all__ = ["IMAGENET_SIDE", "RESNET18", "RESNET34", "SMALLEST_SIDE", "ResNet", "stem_for"]

RESNET18 = (2, 2, 2, 2)
"""Residual blocks in each of the four stages of ResNet-18."""

RESNET34 = (3, 4, 6, 3)
"""Residual blocks in each of the four stages of ResNet-34."""

IMAGENET_SIDE = 96
"""Images whose shorter side has at least this many pixels get the ImageNet stem [choice]."""

SMALLEST_SIDE = {"cifar": 8, "imagenet": 32}
"""The least number of pixels along a side for each stem: what its strides divide down to one."""


def stem_for(example_shape: tuple[int, ...]) -> str:
    """The stem that suits the image size: "imagenet" from 96 pixels along the shorter side, else "cifar"."""
    return "imagenet" if min(example_shape[:2]) >= IMAGENET_SIDE else "cifar"


class _Block(nn.Module):
    """relu(shortcut(x) + norm(conv(relu(norm(conv(x)))))), projecting the shortcut where the shape changes."""

    def __init__(self, inputs: int, channels: int, *, stride: int, norm: str) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, channels, 3, stride=stride, padding=1, bias=False)
        self.norm1 = normaliser(norm, channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm2 = normaliser(norm, channels)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or inputs != channels:
            projection = nn.Conv2d(inputs, channels, 1, stride=stride, bias=False)
            self.shortcut = nn.Sequential(projection, normaliser(norm, channels))

    def forward(self, x: Tensor) -> Tensor:
        residual = self.norm2(self.conv2(functional.relu(self.norm1(self.conv1(x)))))
        return functional.relu(self.shortcut(x) + residual)


class ResNet(FeatureModule):
    """Features [B,D] of a residual network, D = 8 times the width: four stages of blocks, averaged over pixels.

    The "cifar" stem is one 3x3 convolution; the "imagenet" stem a 7x7 convolution of stride 2 and a 3x3 max-pool of
    stride 2. Shortcuts that change shape are projections. Weights start from He's normal draw over the outputs; the
    last scale of each block starts at zero, so that every block starts as its shortcut (Goyal et al. 2017, arXiv
    1706.02677, section 5.1).

    Args:
        blocks: residual blocks in each of the four stages; `RESNET18` or `RESNET34`.
        example_shape: (H, W, C) of the images; each side at least `SMALLEST_SIDE[stem]`.
        stem: "cifar" or "imagenet".
        width: channels of the first stage, 1 or more; doubled at each later stage.
        norm: "batch" for BatchNorm, "group" for GroupNorm (no coupling between the examples of a batch).
        dropout: probability in [0, 1) of dropping a feature.

    Example:
        >>> ResNet(RESNET18, (32, 32, 3), stem="cifar", width=8, norm="group", dropout=0.0).num_features
        64
    """

    def __init__(
        self,
        blocks: tuple[int, ...],
        example_shape: tuple[int, ...],
        *,
        stem: str,
        width: int,
        norm: str,
        dropout: float,
    ) -> None:
        """Lay out the stem and four stages."""
        super().__init__()
        channels = example_shape[2]
        if stem == "imagenet":
            self.conv = nn.Conv2d(channels, width, 7, stride=2, padding=3, bias=False)
            self.pool: nn.Module = nn.MaxPool2d(3, stride=2, padding=1)
        else:
            self.conv = nn.Conv2d(channels, width, 3, padding=1, bias=False)
            self.pool = nn.Identity()
        self.norm = normaliser(norm, width)
        self.stages = nn.Sequential()
        channels = width
        for stage, depth in enumerate(blocks):
            for block in range(depth):
                stride = 2 if stage > 0 and block == 0 else 1
                self.stages.append(_Block(channels, width * 2**stage, stride=stride, norm=norm))
                channels = width * 2**stage
        self.dropout = nn.Dropout(dropout)
        self.num_features = channels
        self._initialise()

    def _initialise(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            elif isinstance(module, _Block):
                nn.init.zeros_(module.norm2.get_parameter("weight"))

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B D"]:
        """Features of a batch of normalised images."""
        maps = self.stages(functional.relu(self.pool(self.norm(self.conv(x)))))
        features: Tensor = self.dropout(maps.mean((2, 3)))
        return features
