"""Figure 10: batch size, and the loss of infinitely many labels, on MNIST.

Shown: test accuracy of a ConvNet of two layers against the batch size, at several alpha; and trained on H_alpha, the
loss that infinitely many noisy labels would give (which needs the truth, and so is no way to train).
Command: murk reproduce fig10
Time: size small, about 112 minutes of one core (x86 with bfloat16, one thread a run); full wants a GPU.
The paper's claim: larger batches are better; with H_alpha accuracy hardly falls with alpha.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from murk.paper.figure import Axis, Cell, Figure
from murk.paper.sizes import Size
from murk.paper.ways import PAPER, WAYS, trained

__all__ = ["BATCHES", "FIGURE", "H_ALPHA", "LIMIT_BATCH"]

BATCHES = (32, 64, 128, 256)
H_ALPHA, LIMIT_BATCH = "h-alpha", 128
LIMIT_RATE = 1.0  # at every noise level, or a comparison of levels would compare the rates tuned for pairs


def cells(size: Size, _: Any) -> Iterator[Cell]:
    """Each batch size at each noise level, trained in each way, and on H_alpha by the paper's protocol."""
    for alpha in size.alphas[1:]:
        base = {**size.digits, "model": "conv2", **size.conv, "alpha": alpha}
        for batch in BATCHES:
            for way in WAYS:
                setting = trained(way, {**base, "batch_size": batch})
                yield Cell(f"α = {alpha}", way, batch, setting, size.seeds[0], level=alpha)
        limit = {**trained(PAPER, base), "batch_size": LIMIT_BATCH, "loss": "h-alpha"}
        limit["learning_rate"] = LIMIT_RATE
        yield Cell(f"α = {alpha}", H_ALPHA, LIMIT_BATCH, limit, size.seeds[0], level=alpha)


FIGURE = Figure(
    "fig10", "Batch size, MNIST",
    "Test accuracy of a two-layer ConvNet against the batch size; and trained on H_alpha, the loss of infinitely many "
    "noisy labels, which reads the truth.",
    "Larger batches are better; with H_alpha accuracy is almost the same at every alpha [read].",
    Axis("Images a batch", "log"), cells,
)  # fmt: skip
