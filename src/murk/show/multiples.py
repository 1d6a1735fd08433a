"""Small multiples of a study, before they are drawn: points, where points are due, and values they are held against."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from murk.errors import refuse
from murk.files import csv_text
from murk.show.palette import in_legend_order

__all__ = ["SCALES", "Y_FORMS", "Mark", "Panels", "Row", "is_unfinished", "panels_csv"]

Row = Mapping[str, Any]

CSV_COLUMNS = ("panel", "series", "x", "value", "low", "high", "n_seeds", "planned", "n_test")
SCALES: dict[str, tuple[Callable[[float], float], Callable[[float], bool]]] = {
    "linear": (float, math.isfinite),
    "log": (math.log, lambda x: 0 < x < math.inf),
    "log1p": (math.log1p, lambda x: -1 < x < math.inf),
}
"""How far right x stands, and which x can stand there."""
Y_FORMS = {"share": ".0%", "log": ",g", "amount": "g"}
TAGGED = re.compile(r"\[\w+\]$")


@dataclass(frozen=True)
class Mark:
    """A value from elsewhere, drawn as a black star.

    Attributes:
        panel: where it stands.
        x: on the horizontal axis.
        value: on the vertical axis.
        label: its words, ending in a tag that says how sure it is, such as "91 % [recalled]".

    Raises:
        InputError: the label has no tag, without which the value must not be shown.
    """

    panel: str
    x: float
    value: float
    label: str

    def __post_init__(self) -> None:
        """Look for the tag."""
        refuse([
            "" if TAGGED.search(self.label)
            else f"a mark's label ends in a tag such as [recalled], but {self.label!r} came; say how sure it is"
        ])  # fmt: skip


@dataclass(frozen=True)
class Panels:
    """A picture of small multiples, before it is drawn.

    Attributes:
        title: what it is about.
        rows: points: {"panel", "series", "x", "value", "low", "high" (both None without an interval), "n_seeds",
            "planned" (seeds), "n_test", "seeds": {seed: value}}.
        x_title: of the horizontal axis.
        x_scale: "linear", "log" or "log1p" (for what may be 0).
        y_title: of the vertical axis.
        y_scale: "share" runs from 0 to 100 %, "amount" and "log" over what there is.
        marks: values from elsewhere.
        notes: printed below, a paragraph each: what the intervals are, what is left out.
        places: (panel, x) where points are planned, in the order of the panels; empty where that is not known yet.
        unreached: words for a planned panel without points.
        hollow: words for the legend: what a point lacks that rests on fewer seeds than planned.
        counted: the same, after a number of seeds such as "n = 1 of 3".
        beyond: words on the seeds without a number, by (panel, series, x); there may be no point there.

    Raises:
        InputError: an unknown scale, or numbers that cannot stand on it; all faults together.

    Example:
        >>> row = {"panel": "Conv4", "series": "paper", "x": 10, "value": 0.9, "low": None, "high": None,
        ...        "n_seeds": 1, "planned": 3, "n_test": 1000, "seeds": {0: 0.9}}
        >>> panels = Panels("Noise", [row], "α", "log1p", "Accuracy", "share")
        >>> panels.names, panels.xs
        (['Conv4'], [10])
    """

    title: str
    rows: Sequence[Row]
    x_title: str
    x_scale: str
    y_title: str
    y_scale: str
    marks: Sequence[Mark] = ()
    notes: Sequence[str] = ()
    places: Sequence[tuple[str, float]] = ()
    unreached: str = "nothing has run yet"
    hollow: str = "seeds are missing"
    counted: str = "so far"
    beyond: Mapping[tuple[str, str, float], str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check the scales, and every number against them."""
        refuse([
            "" if self.x_scale in SCALES else f"x_scale is one of {', '.join(SCALES)}, but {self.x_scale!r} came",
            "" if self.y_scale in Y_FORMS else f"y_scale is one of {', '.join(Y_FORMS)}, but {self.y_scale!r} came",
        ])  # fmt: skip
        _, fits = SCALES[self.x_scale]
        refuse([
            *(f"x = {x} cannot stand on the scale {self.x_scale}" for x in self.xs if not fits(x)),
            *(f"the value {y} cannot stand on the scale {self.y_scale}" for y in self.ys
              if not math.isfinite(y) or (self.y_scale == "log" and y <= 0)),
        ])  # fmt: skip

    @property
    def names(self) -> list[str]:
        """The panels as planned, then those of the rows; marks may add some that no run has reached."""
        planned, run = (panel for panel, _ in self.places), (row["panel"] for row in self.rows)
        without = (panel for panel, _, _ in self.beyond)
        return list(dict.fromkeys([*planned, *run, *without, *(mark.panel for mark in self.marks)]))

    @property
    def series(self) -> list[str]:
        """The series, in the legend's order."""
        return in_legend_order(row["series"] for row in self.rows)

    def seeds_of(self, row: Row) -> str:
        """Say how many seeds a point rests on, and what the others lack."""
        return f"{row['n_seeds']} of {row['planned']} {self.counted}" if is_unfinished(row) else str(row["n_seeds"])

    @property
    def xs(self) -> list[float]:
        """Every x, as planned and of rows and marks, rising."""
        planned = (x for _, x in self.places)
        return sorted({*planned, *(row["x"] for row in self.rows), *(mark.x for mark in self.marks)})

    @property
    def ys(self) -> list[float]:
        """Every value and interval's end, of rows and marks."""
        ends = [row[end] for row in self.rows for end in ("value", "low", "high") if row[end] is not None]
        return [*ends, *(mark.value for mark in self.marks)]


def is_unfinished(row: Row) -> bool:
    """Tell whether a point rests on fewer seeds than planned."""
    return bool(row["n_seeds"] < row["planned"])


def panels_csv(rows: Sequence[Row]) -> str:
    """Write a line a point, unrounded: panel, series, x, value, low, high, n_seeds, planned, n_test, then each seed."""
    seeds = sorted({int(seed) for row in rows for seed in row["seeds"]})
    heads = [*CSV_COLUMNS, *(f"seed_{seed}" for seed in seeds)]
    lines = []
    for row in rows:
        found = {int(seed): value for seed, value in row["seeds"].items()}
        lines.append([*(row[column] for column in CSV_COLUMNS), *(found.get(seed) for seed in seeds)])
    return csv_text(heads, lines)
