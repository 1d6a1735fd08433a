"""Figure 8: accuracy against the number of clean labels, on MNIST.

Shown: test accuracy of Conv4 against N, the images with a right label among 1 + alpha, at several alpha.
Command: murk reproduce fig8
Time: size small, about 135 minutes of one core (x86 with bfloat16, one thread a run); full wants a GPU.
The paper's claim: a threshold that rises with alpha: 90 % needs 2,000 clean labels at alpha = 10, 10,000 at 50.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from murk.paper.figure import Axis, Cell, Figure
from murk.paper.sizes import Size
from murk.paper.values import PaperValue
from murk.paper.ways import WAYS, trained

__all__ = ["FIGURE", "cells"]


def cells(size: Size, _: Any) -> Iterator[Cell]:
    """Each number of clean labels at each noise level, trained in each way."""
    for alpha in size.alphas:
        for count in size.clean_counts:
            for way in WAYS:
                setting = {**size.digits, "train_size": count, "model": "conv4", **size.conv, "alpha": alpha}
                yield Cell(f"α = {alpha}", way, count, trained(way, setting), size.seeds[0], level=alpha)


FIGURE = Figure(
    "fig8", "How many clean labels, MNIST",
    "Test accuracy of Conv4 against the number of images, each with one right label and α random ones.",
    "There is a threshold of clean labels, and it rises with alpha [read].",
    Axis("Images, each with one right label", "log"), cells,
    (PaperValue("α = 10", 2000, 0.9, "recalled", "90 % from 2,000"),
     PaperValue("α = 50", 10_000, 0.9, "recalled", "90 % from 10,000")),
)  # fmt: skip
