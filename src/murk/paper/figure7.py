"""Figure 7: noisy labels on copies of the clean images, or on fresh images.

Shown: test accuracy against alpha on MNIST with Conv4, where the noisy labels stand on the clean images themselves and
where each stands on an image of its own.
Command: murk reproduce fig7
Time: size small, about 31 minutes of one core (x86 with bfloat16, one thread a run); full wants a GPU.
The paper's claim: no essential difference.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from murk.paper.figure import Axis, Cell, Figure
from murk.paper.sizes import Size
from murk.paper.ways import WAYS_WITH_ONE_VOTE, trained

__all__ = ["FIGURE", "SOURCES"]

SOURCES = {"same-set": "Copies of the clean images", "fresh": "Fresh images"}
SHARE = 4  # one clean image in so many of the size's: enough stay over for the fresh ones


def cells(size: Size, _: Any) -> Iterator[Cell]:
    """Copies and fresh images at each noise level, each image with one label."""
    clean = size.digits["train_size"] // SHARE
    for source, panel in SOURCES.items():
        for alpha in size.alphas:
            base = {**size.digits, "train_size": clean, "model": "conv4", **size.conv, "alpha": alpha}
            for way in WAYS_WITH_ONE_VOTE:
                noisy = {"source": source} if alpha else {}
                yield Cell(panel, way, alpha, trained(way, {**base, **noisy}), size.seeds[0])


def note(size: Size) -> str:
    """Say what else is smaller here."""
    return f"{size.note} Here one in {SHARE} of the size's images has a right label, so that fresh ones stay over."


FIGURE = Figure(
    "fig7", "Copies or fresh images, MNIST",
    "Test accuracy of Conv4 against alpha, with a quarter of the size's clean images, so that each noisy label can "
    "stand on an image of its own (used again in turn where there are too few). One label an image; evidence weighs "
    "it by T.",
    "No essential difference [recalled].",
    Axis("Noisy images per clean one, α", "log1p"), cells, note=note,
)  # fmt: skip
