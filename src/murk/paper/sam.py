"""Sharpness-aware minimisation at 30 % noise: which part of it keeps a network from learning noise by heart.

Shown: test accuracy at the last epoch, and by how much the best epoch was better, for SGD, SAM of the batch, of single
examples, of its two parts, and the penalty that stands for one of them.
Command: murk reproduce sam
Time: size small, some 5 hours of one core.
As in Baek, Kolter, Raghunathan 2024 (arXiv 2405.03676): SGD, batches of 128, a rate of .01, decay 5e-4, 200 epochs, rho
.01; but 1,000 images of MNIST and a small network with GroupNorm, where they have CIFAR-10 and a ResNet-18.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from murk.paper.figure import Axis, Cell, Figure
from murk.paper.methods import SETS, rows
from murk.paper.sizes import Size

__all__ = ["FIGURE"]

METHODS = {
    "SGD": "cross-entropy", "n-SAM": "n-sam", "1-SAM": "1-sam", "L-SAM": "l-sam", "J-SAM": "j-sam",
    "penalty": "penalty",
}  # fmt: skip
SEEDS = {"smoke": 1, "small": 3}


def cells(size: Size, _: Any) -> Iterator[Cell]:
    """Each method, on the same images and votes."""
    base: dict[str, Any] = {"data": "mnist", "train_size": 1000, "epochs": 200, "model": "conv3"}
    if size.name == "smoke":
        base = {"data": "digits", "train_size": 200, "test_size": 200, "epochs": 3, "model": "conv2", "width": 4,
                "dropout": 0.0}  # fmt: skip
    for name, method in METHODS.items():
        setting = {**base, "noise": "symmetric:0.3", "protocol": "sgd", "norm": "group", "method": method,
                   "weigh_as": "untold", "watch": True, "precision": "float32"}  # fmt: skip
        yield Cell(f"{SETS[base['data']]}, symmetric 30 %", name, 0, setting, SEEDS[size.name])


def lacks(size: Size) -> str:
    """Say that CIFAR-10 at full size is not laid out."""
    return "is laid out at sizes smoke and small only" if size.name == "full" else ""


FIGURE = Figure(
    "sam", "Sharpness-aware minimisation at 30 % noise",
    "Test accuracy at the last epoch, plain weights. The gap says by how much the best epoch was better.",
    "Under label noise, SAM of single examples is far above SGD, and the gain is the Jacobian's (J-SAM).",
    Axis("", "linear"), cells, rows=rows, form="heat map", lacks=lacks, note=lambda size: "",
)  # fmt: skip
