"""Figure 11: learning rate, on MNIST.

Shown: test accuracy of a ConvNet of two layers against the learning rate, as a multiple of each protocol's own
(AdaDelta 1, AdamW .002), at several alpha.
Command: murk reproduce fig11
Time: size small, about 101 minutes of one core (x86 with bfloat16, one thread a run); full wants a GPU.
The paper's claim: lower learning rates are better at higher noise.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from murk.learn.protocol import PROTOCOLS
from murk.paper.figure import Axis, Cell, Figure
from murk.paper.sizes import Size
from murk.paper.ways import EXACT, INDEPENDENT, PAPER, WAYS, trained

__all__ = ["FACTORS", "FIGURE"]

FACTORS = (0.03, 0.1, 0.3, 1.0, 3.0)
OWN = {
    PAPER: PROTOCOLS["paper"].learning_rate[False], EXACT: PROTOCOLS["evidence"].learning_rate[False],
    INDEPENDENT: PROTOCOLS["evidence"].learning_rate[False],
}  # fmt: skip


def cells(size: Size, _: Any) -> Iterator[Cell]:
    """Each learning rate at each noise level, trained in each way."""
    for alpha in size.alphas:
        for factor in FACTORS:
            for way in WAYS:
                setting = {**size.digits, "model": "conv2", **size.conv, "alpha": alpha}
                rate = float(f"{factor * OWN[way]:.6g}")
                rated = {**trained(way, setting), "learning_rate": rate}
                yield Cell(f"α = {alpha}", way, factor, rated, size.seeds[0], level=alpha)


FIGURE = Figure(
    "fig11", "Learning rate, MNIST",
    "Test accuracy of a two-layer ConvNet against the learning rate, as a multiple of each protocol's own: 1 for "
    "AdaDelta, .002 for AdamW.",
    "Lower learning rates are better at higher noise [read]; the rates themselves were not found.",
    Axis("Learning rate, relative to the protocol's own", "log"), cells,
)  # fmt: skip
