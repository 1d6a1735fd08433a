"""A heat map of shares: series against panels, each cell with its number."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from murk.files import csv_text
from murk.show.panels import INK, LOOK, QUIET

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["HeatMap", "draw_heat_map", "heat_map_csv", "heat_map_markdown", "heat_map_svg"]

Row = dict[str, Any]

LEFT, RIGHT, CELL, LINE, HEAD, NOTE, MARGIN = 2.0, 0.1, 0.78, 0.24, 0.62, 0.16, 0.1  # inches
NOTE_SIGNS = 118
COLUMNS = ("panel", "series", "value", "low", "high", "last", "last_low", "last_high", "gap_to_best", "seconds",
           "n_seeds", "planned", "n_test")  # fmt: skip


@dataclass(frozen=True)
class HeatMap:
    """What is drawn.

    Attributes:
        title: above it.
        rows: one a cell: panel, series, value in [0, 1], low and high (None with one seed), n_seeds, planned, and
            what else goes into the table of numbers.
        notes: below it.
    """

    title: str
    rows: Sequence[Row]
    notes: Sequence[str] = ()

    @property
    def panels(self) -> list[str]:
        """Columns, in the order in which they come."""
        return list(dict.fromkeys(row["panel"] for row in self.rows))

    @property
    def series(self) -> list[str]:
        """Lines, in the order in which they come."""
        return list(dict.fromkeys(row["series"] for row in self.rows))

    def at(self, series: str, panel: str) -> Row | None:
        """Find a cell."""
        return next((row for row in self.rows if row["series"] == series and row["panel"] == panel), None)


def draw_heat_map(heat: HeatMap, figure: Figure) -> Figure:
    """Draw lines of cells, dark where much is right; a cell on fewer seeds than planned has its number in brackets.

    Each column has a scale of its own, from its lowest to its highest number: noises differ more than methods do.

    Args:
        heat: what to draw.
        figure: an empty figure; it gets the size that it needs.
    """
    import matplotlib

    panels, series = heat.panels, heat.series
    notes = [line for note in heat.notes for line in textwrap.wrap(note, NOTE_SIGNS)]
    width = LEFT + max(len(panels), 1) * CELL + RIGHT
    height = 0.34 + HEAD + max(len(series), 1) * LINE + len(notes) * NOTE + MARGIN
    with matplotlib.rc_context(LOOK):  # type: ignore[arg-type]
        figure.set_size_inches(width, height)
        figure.text(0.1 / width, 1 - 0.08 / height, heat.title, fontsize=11, weight="bold", color=INK, va="top")
        colours = matplotlib.colormaps["cividis"]
        for column, panel in enumerate(panels):
            x = (LEFT + (column + 0.5) * CELL) / width
            figure.text(x, 1 - (0.34 + HEAD - 0.05) / height, "\n".join(textwrap.wrap(panel, 13)), fontsize=7.5,
                        ha="center", va="bottom", color=INK)  # fmt: skip
            values = [row["value"] for row in heat.rows if row["panel"] == panel]
            low, span = min(values), max(max(values) - min(values), 1e-9)
            for line, name in enumerate(series):
                row = heat.at(name, panel)
                if row is None:
                    continue
                at = (row["value"] - low) / span
                bottom = height - 0.34 - HEAD - (line + 1) * LINE
                place = ((LEFT + column * CELL) / width, bottom / height)
                figure.patches.append(matplotlib.patches.Rectangle(
                    place, (CELL - 0.02) / width, (LINE - 0.02) / height, color=colours(at),
                    transform=figure.transFigure,
                ))  # fmt: skip
                figure.text(x, (bottom + LINE / 2) / height, _cell(row), fontsize=8, ha="center", va="center",
                            color="white" if at < 0.5 else INK)  # fmt: skip
        for line, name in enumerate(series):
            bottom = height - 0.34 - HEAD - (line + 0.5) * LINE
            figure.text((LEFT - 0.08) / width, bottom / height, name, fontsize=8, ha="right", va="center", color=INK)
        for line, note in enumerate(notes):
            figure.text(0.1 / width, (len(notes) - line) * NOTE / height, note, fontsize=8, color=QUIET, va="top")
    return figure


def heat_map_svg(heat: HeatMap) -> bytes:
    """Draw it as SVG; the same numbers give the same bytes."""
    import matplotlib
    from matplotlib.figure import Figure

    file = io.BytesIO()
    with matplotlib.rc_context(LOOK):  # type: ignore[arg-type]
        draw_heat_map(heat, Figure()).savefig(file, format="svg", metadata={"Date": None})
    return file.getvalue()


def heat_map_csv(rows: Sequence[Row]) -> str:
    """Write a line a cell, unrounded, then each seed's number."""
    seeds = sorted({int(seed) for row in rows for seed in row["seeds"]})
    lines = []
    for row in rows:
        found = {int(seed): value for seed, value in row["seeds"].items()}
        lines.append([*(row[column] for column in COLUMNS), *(found.get(seed) for seed in seeds)])
    return csv_text([*COLUMNS, *(f"seed_{seed}" for seed in seeds)], lines)


def heat_map_markdown(heat: HeatMap) -> str:
    """Write a table: each cell's number with half its interval, the last epoch's, and the gap to the best epoch."""
    lines = [f"| | {' | '.join(heat.panels)} |", "|---" * (len(heat.panels) + 1) + "|"]
    for name in heat.series:
        found = [heat.at(name, panel) for panel in heat.panels]
        lines.append(f"| {name} | {' | '.join('' if row is None else _told(row) for row in found)} |")
    return "\n".join(lines)


def _cell(row: Row) -> str:
    text = f"{100 * row['value']:.1f}"
    return text if row["n_seeds"] == row["planned"] else f"({text})"


def _told(row: Row) -> str:
    half = "" if row["low"] is None else f" ± {50 * (row['high'] - row['low']):.1f}"
    return f"{100 * row['value']:.1f}{half}, last {100 * row['last']:.1f}, gap {100 * row['gap_to_best']:.1f}"
