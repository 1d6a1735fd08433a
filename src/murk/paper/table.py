"""Tables: the numbers of a figure by place, and the pairs of them that are held against each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass

from murk.paper.figure import Cell, Row

__all__ = ["BySeed", "Contrast", "Point", "Table", "between"]

BySeed = Mapping[int, float]
"""Numbers by seed."""
Point = tuple[str, BySeed]
"""What was trained, in words, and its test accuracies."""


@dataclass(frozen=True)
class Contrast:
    """Two numbers of each seed, whose difference is judged.

    Attributes:
        values: by seed.
        others: by seed; they are taken off.
        networks: what must have learned for the difference to say anything, by name.
    """

    values: BySeed
    others: BySeed
    networks: Mapping[str, BySeed]

    @property
    def common(self) -> int:
        """How many seeds have both numbers."""
        return len(self.values.keys() & self.others.keys())


def between(one: Point, other: Point) -> Contrast:
    """Hold the accuracy of one point against that of another.

    Example:
        >>> between(("Conv4", {0: 0.9}), ("Perceptron", {0: 0.8, 1: 0.7})).common
        1
    """
    return Contrast(one[1], other[1], dict([one, other]))


@dataclass(frozen=True)
class Table:
    """The numbers of a figure by panel, series and place on the axis, seed by seed.

    Attributes:
        points: the numbers.
        resolution: the step in which an accuracy moves: runs that happen to agree are not more certain than that.
        far: the far end of the axis, as planned.
        levels: the panels that are one noise level each, the lowest first, as planned, with their level.
        seeds: planned for a point.
        complete: series whose runs are all there.
    """

    points: Mapping[tuple[str, str, float], BySeed]
    resolution: float = 0.0
    far: float = 0.0
    levels: tuple[tuple[str, int], ...] = ()
    seeds: int = 0
    complete: frozenset[str] = frozenset()

    @staticmethod
    def of(rows: Sequence[Row], cells: Sequence[Cell], there: Set[tuple[int, int]] = frozenset()) -> Table:
        """Take the rows of a figure, the cells that were planned, and the (cell, seed) that have run."""
        levels = {cell.panel: cell.level for cell in cells if cell.level is not None}
        lacking = {cell.series for number, cell in enumerate(cells)
                   for seed in range(cell.seeds) if (number, seed) not in there}  # fmt: skip
        return Table(
            {(row["panel"], row["series"], row["x"]): row["seeds"] for row in rows},
            max((1 / row["n_test"] for row in rows), default=0.0), max((cell.x for cell in cells), default=0.0),
            tuple(sorted(levels.items(), key=lambda level: level[1])), max((cell.seeds for cell in cells), default=0),
            frozenset(cell.series for cell in cells) - lacking,
        )  # fmt: skip

    def at(self, panel: str, series: str, x: float) -> BySeed:
        """Give the numbers at one place; none where nothing has run."""
        return self.points.get((panel, series, x), {})

    def places(self, panel: str, series: str) -> list[float]:
        """List where on the axis there are numbers."""
        return sorted(x for here, way, x in self.points if (here, way) == (panel, series))

    @property
    def highest(self) -> str:
        """The highest noise level planned, in words."""
        return str(self.levels[-1][1]) if self.levels else f"{self.far:g}"

    def top(self, panel: str, series: str) -> Point:
        """Name a panel, with its numbers at the far end of the axis; nothing nearer stands in for them."""
        return panel, self.at(panel, series, self.far)
