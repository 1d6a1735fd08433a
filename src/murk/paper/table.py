"""Tables: the numbers of a figure by place, and the pairs of them that are held against each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from murk.paper.figure import Cell, Row

__all__ = ["LEARNED", "BySeed", "Contrast", "Point", "Table", "between", "has_learned", "mean_of"]

LEARNED = 0.3
"""Accuracy above which a network has learned something, of ten classes."""

BySeed = Mapping[int, float]
"""Numbers by seed."""
Point = tuple[str, BySeed]
"""What was trained, in words, and its test accuracies."""


def mean_of(values: BySeed) -> float:
    """Give the mean over seeds."""
    return sum(values.values()) / len(values)


def has_learned(accuracies: BySeed) -> bool:
    """Tell whether a network is right more often than `LEARNED`, in the mean over its seeds."""
    return mean_of(accuracies) > LEARNED


@dataclass(frozen=True)
class Contrast:
    """Two numbers of each seed, whose difference is judged.

    Attributes:
        values: by seed.
        others: by seed; they are taken off.
        networks: what must have learned for the difference to say anything, by name.
        name: what is compared, in words.
        most: by seed, where `values` are but the least that the numbers can be: the most that they can be; else None.
        why: what keeps the numbers from being known; "" where nothing does.
        resolution: the step in which the difference moves; None where it is that of an accuracy.
    """

    values: BySeed
    others: BySeed
    networks: Mapping[str, BySeed]
    name: str
    most: BySeed | None = None
    why: str = ""
    resolution: float | None = None

    @property
    def common(self) -> int:
        """How many seeds have both numbers."""
        return len(self.values.keys() & self.others.keys())

    @property
    def unlearned(self) -> list[str]:
        """The networks that have not learned."""
        return [name for name, accuracies in self.networks.items() if accuracies and not has_learned(accuracies)]


def between(one: Point, other: Point) -> Contrast:
    """Hold the accuracy of one point against that of another.

    Example:
        >>> between(("Conv4", {0: 0.9}), ("Perceptron", {0: 0.8, 1: 0.7})).name
        'Conv4 minus Perceptron'
    """
    return Contrast(one[1], other[1], dict([one, other]), f"{one[0]} minus {other[0]}")


@dataclass(frozen=True)
class Table:
    """The numbers of a figure by panel, series and place on the axis, seed by seed.

    Attributes:
        points: the numbers.
        resolution: the step in which an accuracy moves: runs that happen to agree are not more certain than that.
        xs: the places on the axis, as planned, rising.
        levels: the panels that are one noise level each, the lowest first, as planned, with their level.
    """

    points: Mapping[tuple[str, str, float], BySeed]
    resolution: float = 0.0
    xs: tuple[float, ...] = ()
    levels: tuple[tuple[str, int], ...] = ()

    @staticmethod
    def of(rows: Sequence[Row], cells: Sequence[Cell]) -> Table:
        """Take the rows of a figure, and the cells that were planned."""
        levels = {cell.panel: cell.level for cell in cells if cell.level is not None}
        return Table(
            {(row["panel"], row["series"], row["x"]): row["seeds"] for row in rows},
            max((1 / row["n_test"] for row in rows), default=0.0), tuple(sorted({cell.x for cell in cells})),
            tuple(sorted(levels.items(), key=lambda level: level[1])),
        )  # fmt: skip

    def at(self, panel: str, series: str, x: float) -> BySeed:
        """Give the numbers at one place; none where nothing has run."""
        return self.points.get((panel, series, x), {})

    def point(self, panel: str, series: str, x: float) -> Point:
        """Name a panel, with its numbers at one place."""
        return panel, self.at(panel, series, x)

    def along(self, panel: str, series: str) -> dict[int, list[float]]:
        """Give the numbers at every place of the axis, of the seeds that have them all."""
        each = [self.at(panel, series, x) for x in self.xs]
        whole = set.intersection(*(set(numbers) for numbers in each)) if each else set()
        return {seed: [numbers[seed] for numbers in each] for seed in sorted(whole)}

    @property
    def alphas(self) -> tuple[float, ...]:
        """The noise levels planned: of the panels where each is one, else on the axis."""
        return tuple(level for _, level in self.levels) or self.xs
