"""Figure 9: clean labels needed against alpha, on MNIST.

Shown: from the runs of figure 8, how many clean labels a given accuracy needs, against alpha.
Command: murk reproduce fig9
Time: that of figure 8, whose runs it shares.
The paper's claim: the number grows about linearly with alpha, more steeply for higher accuracies.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from murk.errors import InputError
from murk.lab import student_mean
from murk.paper.crossing import Range, first_reached
from murk.paper.figure import Axis, Cell, Figure, Outcome, Place, Row
from murk.paper.figure8 import cells

__all__ = ["FIGURE", "TARGETS", "labels_needed", "needed_by_seed"]

TARGETS = (0.8, 0.9, 0.95)
Needed = dict[tuple[int, str], dict[int, Range]]
"""Clean labels needed, by (noise level, series), seed by seed."""


def labels_needed(counts: Sequence[float], accuracies: Sequence[float], target: float) -> Range:
    """Find the fewest clean labels at which accuracy reaches a target, by interpolating in log N.

    Args:
        counts: numbers of clean labels, above 0, rising.
        accuracies: reached with them.
        target: accuracy wanted.

    Returns:
        The least and the most that it can be: the crossing twice; (0, fewest) where the fewest reach the target
        already; (most, inf) where none does. Nothing is extrapolated.

    Raises:
        InputError: counts that do not rise, or not an accuracy each.

    Example:
        >>> labels_needed([100, 10_000], [0.8, 1.0], 0.9), labels_needed([100, 10_000], [0.8, 1.0], 0.7)
        ((1000.0, 1000.0), (0.0, 100.0))
    """
    least, most = first_reached([float(np.log(count)) for count in counts], accuracies, target)
    return round(float(np.exp(least)), 6), round(float(np.exp(most)), 6) if np.isfinite(most) else most


def needed_by_seed(cells: Sequence[Cell], outcomes: Mapping[tuple[int, int], Outcome], target: float) -> Needed:
    """Find the clean labels needed at each noise level, in each way, from the seeds that have all runs."""
    found: Needed = {}
    for level, series in dict.fromkeys((_level(cell), cell.series) for cell in cells):
        ours = [(number, cell) for number, cell in enumerate(cells) if (cell.level, cell.series) == (level, series)]
        for seed in range(ours[0][1].seeds):
            if any((number, seed) not in outcomes for number, _ in ours):
                continue
            reached = [outcomes[number, seed]["estimates"]["accuracy"]["value"] for number, _ in ours]
            needed = labels_needed([cell.x for _, cell in ours], reached, target)
            found.setdefault((level, series), {})[seed] = needed
    return found


def _level(cell: Cell) -> int:
    """Give the noise level of a cell of figure 8."""
    if cell.level is None:
        raise InputError(f"cells of figure 8 have a noise level each, but {cell} came")
    return cell.level


def places(cells: Sequence[Cell]) -> Iterator[tuple[str, float]]:
    """Draw each accuracy in a panel of its own, at every noise level."""
    levels = sorted({_level(cell) for cell in cells})
    yield from ((_panel(target), level) for target in TARGETS for level in levels)


def _panel(target: float) -> str:
    return f"{target:.0%} right"


def rows(cells: Sequence[Cell], outcomes: Mapping[tuple[int, int], Outcome]) -> list[Row]:
    """Give the clean labels needed: geometric mean over seeds, with its interval only where every seed crosses."""
    found = []
    planned = max((cell.seeds for cell in cells), default=0)
    n_test = next((outcome["facts"]["test_examples"] for outcome in outcomes.values()), 0)
    for target in TARGETS:
        for (level, series), needed in needed_by_seed(cells, outcomes, target).items():
            values = {seed: low for seed, (low, high) in needed.items() if low == high}
            if not values:
                continue
            logs = np.log10(list(values.values()))
            mean = student_mean(list(logs)) if len(logs) == planned > 1 else None  # those beyond would move it
            found.append({
                "panel": _panel(target), "series": series, "x": level,
                "value": float(10 ** logs.mean()), "low": mean and 10**mean.low,
                "high": mean and 10**mean.high, "n_seeds": len(values), "planned": planned, "n_test": n_test,
                "seeds": values,
            })  # fmt: skip
    return found


def beyond(cells: Sequence[Cell], outcomes: Mapping[tuple[int, int], Outcome]) -> dict[Place, str]:
    """Say of the seeds that do not cross within the numbers run on which side they lie."""
    found = {}
    for target in TARGETS:
        for (level, series), needed in needed_by_seed(cells, outcomes, target).items():
            under = [f"under {high:,.0f}" for low, high in needed.values() if low == 0]
            over = [f"over {low:,.0f}" for low, high in needed.values() if np.isinf(high)]
            sides = [
                f"{side[0]}, n = {len(side)}" if len(side) < len(needed) else side[0] for side in (under, over) if side
            ]
            if sides:
                found[_panel(target), series, float(level)] = "; ".join(sides)
    return found


FIGURE = Figure(
    "fig9", "Clean labels needed, MNIST",
    "From the runs of figure 8: images, each with one right label, at which Conv4 first reaches an accuracy, "
    "interpolated in log N between the numbers that were run; mean and interval are those of log N. What lies under "
    "the fewest or over the most is not drawn: the table says on which side.",
    "Roughly linear in alpha, steeper for higher accuracies [read].",
    Axis("Random labels per right one, α", "log1p"), cells, rows=rows, y_title="Images needed", y_scale="log",
    places=places, unreached="outside the numbers run", hollow="crossed by some of the seeds", counted="that cross",
    beyond=beyond,
)  # fmt: skip
