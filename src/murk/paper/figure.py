"""A figure of the paper: which runs it needs, and what they show together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from murk.lab import mean_over_runs
from murk.paper.sizes import Size
from murk.paper.values import PaperValue

__all__ = ["Axis", "Cell", "Figure", "Outcome", "Place", "Row", "accuracies"]

Outcome = Mapping[str, Any]
"""What a run found, as `murk.lab` keeps it."""
Row = dict[str, Any]
"""One point: panel, series, x, value, low, high (None with one seed), n_seeds, planned, n_test, seeds."""
Place = tuple[str, str, float]
"""Where a point stands: panel, series, x."""


@dataclass(frozen=True)
class Cell:
    """One point of a figure, before it is run: a setting with every seed.

    Attributes:
        panel: the part of the figure it stands in.
        series: one of `murk.paper.ways.WAYS`, or a name of the figure's own.
        x: on the horizontal axis.
        setting: of the runs, all but the seed.
        seeds: how many runs.
        level: the noise level alpha, where each panel is one of its own; else None.
    """

    panel: str
    series: str
    x: float
    setting: Mapping[str, Any]
    seeds: int
    level: int | None = None


@dataclass(frozen=True)
class Axis:
    """The horizontal axis.

    Attributes:
        title: what it counts.
        scale: "linear", "log" or "log1p" (for alpha, which may be 0).
    """

    title: str
    scale: Literal["linear", "log", "log1p"]


def accuracies(cells: Sequence[Cell], outcomes: Mapping[tuple[int, int], Outcome]) -> list[Row]:
    """Put the runs of each cell together: the mean test accuracy with its interval over seeds.

    Args:
        cells: in the order of the figure.
        outcomes: by (number of the cell, seed); only what has run.
    """
    rows = []
    for number, cell in enumerate(cells):
        found = {seed: outcomes[number, seed] for seed in range(cell.seeds) if (number, seed) in outcomes}
        if not found:
            continue
        values = {seed: outcome["estimates"]["accuracy"]["value"] for seed, outcome in found.items()}
        n_test = next(iter(found.values()))["facts"]["test_examples"]
        mean = mean_over_runs(list(values.values()), resolution=1 / n_test) if len(values) > 1 else None
        rows.append({
            "panel": cell.panel, "series": cell.series, "x": cell.x,
            "value": sum(values.values()) / len(values), "low": mean and mean.low, "high": mean and mean.high,
            "n_seeds": len(values), "planned": cell.seeds, "n_test": n_test, "seeds": values,
        })  # fmt: skip
    return rows


def nothing_first(size: Size) -> Iterable[Cell]:
    """Ask for no runs before those of the figure itself."""
    return ()


def nothing_lacking(size: Size) -> str:
    """Ask for no more than the sets of the catalog, which are fetched."""
    return ""


def places_of_cells(cells: Sequence[Cell]) -> Iterable[tuple[str, float]]:
    """Draw each cell where it stands."""
    return ((cell.panel, cell.x) for cell in cells)


def nothing_beyond(cells: Sequence[Cell], outcomes: Mapping[tuple[int, int], Outcome]) -> Mapping[Place, str]:
    """Leave no run without a point."""
    return {}


def note_of_size(size: Size) -> str:
    """Say of a figure what holds for every one of its size."""
    return size.note


@dataclass(frozen=True)
class Figure:
    """A figure of the paper as murk reproduces it.

    Attributes:
        name: "fig1" ... "fig11".
        title: what it is about.
        shown: what is drawn, and how it was run.
        claim: what the paper concludes from it.
        axis: the horizontal axis.
        cells: the points it needs at a size; the second argument gives the outcomes of `needs`, cell by cell.
        values: what the paper reports.
        needs: points that must have run before `cells` can be told.
        rows: from the cells and their outcomes to the points that are drawn.
        y_title: of the vertical axis.
        y_scale: "share" (0 to 100 %), "log", or "amount" (from the least to the most).
        lacks: what keeps the figure from being run at a size here, as the end of a sentence that begins with its name;
            "" where nothing does.
        places: from the cells to the (panel, x) where points are due.
        note: what the size means for this figure, and what it leaves out.
        unreached: words for a panel that has no point although runs are there.
        hollow: what a point lacks that rests on fewer seeds than planned.
        counted: the same, after "n = 1 of 3".
        beyond: from the cells and their outcomes to words on the seeds that gave no number at a place.
        form: "panels" of points against an axis, or a "heat map" of series against panels.
    """

    name: str
    title: str
    shown: str
    claim: str
    axis: Axis
    cells: Callable[[Size, Sequence[Sequence[Outcome]]], Iterable[Cell]]
    values: tuple[PaperValue, ...] = ()
    needs: Callable[[Size], Iterable[Cell]] = nothing_first
    rows: Callable[[Sequence[Cell], Mapping[tuple[int, int], Outcome]], list[Row]] = accuracies
    y_title: str = "Test accuracy"
    y_scale: Literal["share", "log", "amount"] = "share"
    lacks: Callable[[Size], str] = nothing_lacking
    places: Callable[[Sequence[Cell]], Iterable[tuple[str, float]]] = places_of_cells
    note: Callable[[Size], str] = note_of_size
    unreached: str = "nothing has run yet"
    hollow: str = "seeds are missing"
    counted: str = "so far"
    beyond: Callable[[Sequence[Cell], Mapping[tuple[int, int], Outcome]], Mapping[Place, str]] = nothing_beyond
    form: Literal["panels", "heat map"] = "panels"
