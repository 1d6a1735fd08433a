"""Figure 4: what structured noise is.

Shown: how often a noisy label names the true class and each false one, by rank, at alpha = 20 and growing delta: votes
drawn (points) beside the probabilities they are drawn from (lines).
Command: murk reproduce fig4
Time: a second, at any size.
The paper's figure: an illustration of uniform and structured noise [recalled]; nothing is trained.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from murk.measure import exact_binomial
from murk.noise import Dilution, Structured, random_ranking
from murk.paper.figure import Axis, Cell, Figure, Outcome, Row
from murk.paper.sizes import Size

__all__ = ["FIGURE"]

ALPHA, CLASSES, IMAGES = 20, 10, 2000
DELTAS = (0.0, 0.5, 1.0)


def cells(size: Size, _: Any) -> Iterator[Cell]:
    """Nothing is trained."""
    yield from ()


def rows(cells: Sequence[Cell], outcomes: Mapping[tuple[int, int], Outcome]) -> list[Row]:
    """Count drawn votes by rank (0: the true class), and give the probabilities beside them."""
    ranking = np.asarray(random_ranking(CLASSES, seed=0))
    order = np.concatenate([np.arange(CLASSES)[:, None], ranking], axis=1)
    labels = np.arange(IMAGES) % CLASSES
    found = []
    for delta in DELTAS:
        pattern = Structured(delta, ranking) if delta else None
        noise = Dilution(ALPHA, num_classes=CLASSES, pattern=pattern)
        counts = np.asarray(noise.draw(labels, seed=0).counts())
        by_rank = np.take_along_axis(counts, order[labels], axis=1).sum(axis=0)
        expected = np.take_along_axis(noise.transition.matrix(), order, axis=1).mean(axis=0)
        for rank in range(CLASSES):
            share = exact_binomial(int(by_rank[rank]), int(counts.sum()))
            point = {"panel": f"δ = {delta:g}", "x": rank, "n_seeds": 1, "planned": 1, "n_test": int(counts.sum()),
                     "seeds": {}}  # fmt: skip
            found.append({**point, "series": "drawn", "value": share.value, "low": share.low, "high": share.high})
            found.append({**point, "series": "probability", "value": float(expected[rank]), "low": None, "high": None})
    return found


FIGURE = Figure(
    "fig4", "Structured noise, illustrated",
    f"How often a label names the true class (rank 0) and each false one, at alpha = {ALPHA}: shares of the votes "
    f"drawn for {IMAGES:,} labels, with exact binomial intervals, and the probabilities they were drawn from.",
    "At delta = 1 the likeliest false label is as likely as the true one [inferred].",
    Axis("Rank of the label: 0 is the truth, 1 the likeliest false one", "linear"), cells, rows=rows,
    y_title="Share of the labels", y_scale="amount",
)  # fmt: skip
