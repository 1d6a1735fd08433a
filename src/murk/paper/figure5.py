"""Figure 5: structured noise on MNIST, from uniform to as likely as the truth.

Shown: test accuracy against delta, the degree of structure, at alpha = 20 for Conv4, with false labels ordered by how
often a network trained on clean labels confuses them with the truth, in reverse, and at random.
Command: murk reproduce fig5
Time: size small, about 81 minutes of one core (x86 with bfloat16, one thread a run); full wants a GPU.
The paper's claim: accuracy like that of uniform noise until delta nears 1 [recalled] (a summary sees the fall begin
near .6 [read]), about 50 % at delta 1; the orders differ little, the confusing one is slightly better.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from murk.noise import confusion_ranking, random_ranking
from murk.paper.figure import Axis, Cell, Figure, Outcome
from murk.paper.sizes import Size
from murk.paper.values import PaperValue
from murk.paper.ways import EXACT, WAYS, trained

__all__ = ["ALPHA", "FIGURE", "clean", "rankings"]

ALPHA = 20
ORDERS = ("Confusing first", "Reverse", "Random")


def clean(size: Size) -> Iterator[Cell]:
    """The network trained on clean labels, whose confusions order the false labels."""
    setting = {**size.digits, "model": "conv4", **size.conv, "alpha": 0}
    yield Cell("", EXACT, 0, trained(EXACT, setting), 2)


def rankings(trained_clean: Sequence[Sequence[Outcome]]) -> dict[str, list[list[int]]]:
    """Order the false classes of each class by the clean network's probabilities, summed over the test images."""
    (outcomes,) = trained_clean
    confused = confusion_ranking(np.sum([outcome["confusion"] for outcome in outcomes], axis=0))
    ranked = (confused, confused[:, ::-1], random_ranking(len(confused), seed=0))
    return {order: np.asarray(ranking).tolist() for order, ranking in zip(ORDERS, ranked, strict=True)}


def cells(size: Size, needed: Sequence[Sequence[Outcome]]) -> Iterator[Cell]:
    """Each order at each degree of structure, trained in each way."""
    for order, ranking in rankings(needed).items():
        for delta in size.deltas:
            for way in WAYS:
                structure = {"delta": delta, "ranking": ranking} if delta else {}  # delta 0 has no order
                setting = {**size.digits, "model": "conv4", **size.conv, "alpha": ALPHA, **structure}
                yield Cell(order, way, delta, trained(way, setting), size.seeds[0])


FIGURE = Figure(
    "fig5", "Structured noise on MNIST",
    "Test accuracy of Conv4 at alpha = 20 against delta, from uniform noise (0) to the likeliest false label as likely "
    "as the true one (1), for three orders of the false labels. Evidence is given the noise pattern.",
    "Like uniform noise until delta nears 1 [recalled], or the fall begins near .6 [read]; about 50 % at delta 1 "
    "[read]; the orders differ little, the confusing one is slightly better [read].",
    Axis("Degree of structure, δ", "linear"), cells,
    tuple(PaperValue(order, 1, 0.5, "read", "about 50 %") for order in ORDERS), needs=clean,
)  # fmt: skip
