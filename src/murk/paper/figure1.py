"""Figure 1: uniform noise on MNIST, from a perceptron to a ConvNet.

Shown: test accuracy against alpha, the random labels beside each right one, for five networks.
Command: murk reproduce fig1
Time: size small, about 30 minutes of one core (x86 with bfloat16, one thread a run); full wants a GPU.
The paper's claim: a ConvNet of four layers is right above 90 % of the time with 100 random labels per right one, and
perceptron < MLP < ConvNet in robustness.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from murk.paper.figure import Axis, Cell, Figure
from murk.paper.sizes import Size
from murk.paper.values import PaperValue
from murk.paper.ways import WAYS, trained

__all__ = ["FIGURE", "MODELS"]

MODELS = {
    "perceptron": "Perceptron", "mlp1": "1 hidden layer", "mlp2": "2 hidden layers", "mlp4": "4 hidden layers",
    "conv4": "Conv4",
}  # fmt: skip


def cells(size: Size, _: Any) -> Iterator[Cell]:
    """Each network at each noise level, trained in each way."""
    for model, panel in MODELS.items():
        for alpha in size.alphas:
            for way in WAYS:
                width = size.conv if model == "conv4" else {}
                setting = {**size.digits, "model": model, **width, "alpha": alpha}
                yield Cell(panel, way, alpha, trained(way, setting), size.seeds[0])


FIGURE = Figure(
    "fig1", "Uniform noise on MNIST",
    "Test accuracy against the number of random labels beside each right one, for five networks.",
    "A four-layer ConvNet stays above 90 % at alpha = 100; robustness grows from perceptron over MLP to ConvNet "
    "[read].",
    Axis("Random labels per right one, α", "log1p"), cells,
    (PaperValue("Conv4", 100, 0.91, "recalled", "91 %"),
     PaperValue("Conv4", 100, 0.90, "read", "above 90 %")),
)  # fmt: skip
