"""Figure 2: uniform noise on CIFAR-10, three networks of growing depth.

Shown: test accuracy against alpha for Conv4, Conv6 and ResNet-18.
Command: murk reproduce fig2
Time: size small, about 146 minutes of one core (x86 with bfloat16, one thread a run); full wants a GPU (ResNet-18: a
minute a run on an H200).
The paper's claim: ResNet-18 reaches 85 % with 10 random labels per right one; deeper networks are more robust.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from murk.paper.figure import Axis, Cell, Figure
from murk.paper.sizes import Size
from murk.paper.values import PaperValue
from murk.paper.ways import TWO_VIEWS, WAYS, trained

__all__ = ["FIGURE", "MODELS"]

MODELS = {"conv4": "Conv4", "conv6": "Conv6", "resnet18": "ResNet-18"}


def cells(size: Size, _: Any) -> Iterator[Cell]:
    """Each network at each noise level, trained in each way; at full size ResNet-18 with two views, too."""
    for model, panel in MODELS.items():
        if size.name == "smoke" and model == "conv6":
            continue  # its unpadded convolutions need more than the 8 pixels of the digits
        for alpha in size.photograph_alphas:
            for way in (*WAYS, TWO_VIEWS) if model == "resnet18" and size.name == "full" else WAYS:
                width = size.resnet if model == "resnet18" else size.conv
                setting = {**size.photographs, "model": model, **width, "alpha": alpha}
                yield Cell(panel, way, alpha, trained(way, setting), size.seeds[1])


FIGURE = Figure(
    "fig2", "Uniform noise on CIFAR-10",
    "Test accuracy against the number of random labels beside each right one, for networks of growing depth.",
    "ResNet-18 reaches 85 % at alpha = 10 [recalled]; deeper networks are more robust [read].",
    Axis("Random labels per right one, α", "log1p"), cells,
    (PaperValue("ResNet-18", 10, 0.85, "recalled", "85 %"),),
)  # fmt: skip
