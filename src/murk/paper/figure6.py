"""Figure 6: where the noisy images come from, on CIFAR-10.

Shown: test accuracy against alpha when the noisy images are other CIFAR-10 images, CIFAR-100 images (used again in turn
where there are too few) or white noise of the same mean and variance; all with random labels. Beside them, trained on
the clean images alone for as many clean images shown: what showing noise costs in time, not in harm.
Command: murk reproduce fig6
Time: size small, about 90 minutes of one core (x86 with bfloat16, one thread a run); full wants a GPU.
The paper's claim: CIFAR-100 does about half the harm, white noise almost none.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from murk.paper.figure import Axis, Cell, Figure
from murk.paper.sizes import Size
from murk.paper.ways import WAYS_WITH_ONE_VOTE, trained

__all__ = ["CONTROL", "FIGURE", "SOURCES"]

SOURCES = {"same-set": "CIFAR-10 itself", "foreign": "CIFAR-100", "white": "White noise"}
CONTROL = "Clean images alone, as often"


def cells(size: Size, _: Any) -> Iterator[Cell]:
    """Each source at each noise level, trained by the paper's protocol and by evidence."""
    base = {**size.photographs, "model": "conv4", **size.conv}
    for source, panel in {**SOURCES, "clean": CONTROL}.items():
        for alpha in size.photograph_alphas:
            noisy: dict[str, Any] = {"alpha": alpha, "source": size.foreign if source == "foreign" else source}
            if source == "clean":
                noisy = {"alpha": 0, "passes": round(base["passes"] / (1 + alpha))}
            elif not alpha:
                noisy = {"alpha": 0}
            for way in WAYS_WITH_ONE_VOTE:
                yield Cell(panel, way, alpha, trained(way, {**base, **noisy}), size.seeds[1])


FIGURE = Figure(
    "fig6", "The source of the noise, CIFAR-10",
    "Test accuracy of Conv4 against alpha, by where the noisy images come from. Each image carries one label; evidence "
    "weighs those of CIFAR-10 by T, and takes all others as they are. The last panel shows the clean images alone as "
    "often as the others show them: what is lost there is lost to fewer clean images shown.",
    "CIFAR-100 costs about half of what CIFAR-10 itself costs, white noise almost nothing [read].",
    Axis("Noisy images per clean one, α", "log1p"), cells,
)  # fmt: skip
