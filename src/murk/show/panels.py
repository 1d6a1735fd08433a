"""Panels drawn: small multiples with intervals, unfinished points told apart, and the values they are held against."""

from __future__ import annotations

import io
import itertools
import math
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from murk.show.multiples import SCALES, Y_FORMS, Mark, Panels, Row, is_unfinished, panels_csv
from murk.show.palette import series_of
from murk.show.text import clean_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["Mark", "Panels", "Row", "draw_panels", "is_unfinished", "panels_csv", "panels_png", "panels_svg"]

# inches, from the top down
WIDTH, LEFT, RIGHT, BETWEEN = 8.2, 0.72, 0.14, 0.16
TITLE, LEGEND_LINE, HEAD_LINE, PLOT, TICKS, X_TITLE, NOTE_LINE, MARGIN = 0.34, 0.21, 0.155, 1.75, 0.3, 0.27, 0.155, 0.1
MOST_IN_A_ROW, LEGEND_COLUMNS = 4, 3
SIGN = 0.063  # inches, the width of a letter at 8 points
NOTE_SIGNS = 126  # letters on a line of notes
STEP_APART = 0.016  # of the axis: series stand side by side, so that intervals do not hide each other
INK, QUIET = "#1c1d1f", "#5d6066"
LOOK = {
    "text.parse_math": False, "font.family": "sans-serif", "font.sans-serif": ["DejaVu Sans"], "font.size": 8.5,
    "axes.unicode_minus": True, "svg.hashsalt": "murk", "svg.fonttype": "none", "figure.facecolor": "white",
}  # fmt: skip


def panels_svg(panels: Panels) -> bytes:
    """Draw panels as SVG; the same panels give the same bytes."""
    return _file(panels, "svg", metadata={"Date": None})


def panels_png(panels: Panels, *, dpi: int = 184) -> bytes:
    """Draw panels as PNG, 8.2 inches wide."""
    return _file(panels, "png", dpi=dpi)


def draw_panels(panels: Panels, figure: Figure) -> Figure:
    """Draw small multiples: one panel beside the other on shared axes, up to four in a row, one legend for all.

    Points are means with their intervals, hollow where seeds are missing; series of one x stand a little apart. Marks
    are black stars, their labels at the head of their panel.

    Args:
        panels: what to draw; a panel without points says why it has none.
        figure: an empty figure; it gets the size that the panels and notes need.
    """
    import matplotlib

    with matplotlib.rc_context(LOOK):  # type: ignore[arg-type]  # plain values for known names
        sheet = _sheet(panels)
        figure.set_size_inches(WIDTH, sheet.height)
        figure.text(0.1 / WIDTH, 1 - 0.08 / sheet.height, _one_line(panels.title), fontsize=11, weight="bold",
                    color=INK, va="top")  # fmt: skip
        _legend(panels, figure, sheet)
        first: Axes | None = None
        for number, name in enumerate(panels.names or [""]):
            ax = figure.add_axes(sheet.box(number), sharex=first, sharey=first)
            first = first or ax
            _draw_one(panels, name, ax)
            _head(ax, sheet.heads[number])
            ax.tick_params(labelleft=number % sheet.columns == 0)
            if number % sheet.columns == 0:
                ax.set_ylabel(_one_line(panels.y_title))
        if first is not None:
            _dress(panels, first, sheet)
        below = sheet.notes_top
        figure.text((LEFT + (WIDTH - LEFT - RIGHT) / 2) / WIDTH, (below + X_TITLE) / sheet.height,
                    _one_line(panels.x_title), ha="center", va="top", color=INK)  # fmt: skip
        for line, note in enumerate(sheet.notes):
            figure.text(0.1 / WIDTH, (below - line * NOTE_LINE) / sheet.height, note, fontsize=8, color=QUIET,
                        va="top")  # fmt: skip
    return figure


class _Sheet(NamedTuple):
    """Where everything stands, in inches."""

    columns: int
    width: float  # of a panel
    heads: list[list[str]]  # the text above each panel
    head_heights: list[float]  # of each row of panels
    top: float  # title and legend
    notes: list[str]

    @property
    def height(self) -> float:
        return self.top + sum(self.head_heights) + len(self.head_heights) * (PLOT + TICKS) + X_TITLE + self.notes_top

    @property
    def notes_top(self) -> float:
        return len(self.notes) * NOTE_LINE + MARGIN

    def box(self, number: int) -> tuple[float, float, float, float]:
        """Give a panel's place as shares of the figure: left, bottom, width, height."""
        line, column = divmod(number, self.columns)
        left = LEFT + column * (self.width + BETWEEN)
        bottom = self.height - self.top - sum(self.head_heights[: line + 1]) - line * (PLOT + TICKS) - PLOT
        return left / WIDTH, bottom / self.height, self.width / WIDTH, PLOT / self.height


def _sheet(panels: Panels) -> _Sheet:
    names = panels.names or [""]
    lines = math.ceil(len(names) / MOST_IN_A_ROW)
    columns = math.ceil(len(names) / lines)
    width = (WIDTH - LEFT - RIGHT - (columns - 1) * BETWEEN) / columns
    signs = int(width / SIGN)
    heads = [
        [*textwrap.wrap(_one_line(name), signs), *(line for mark in panels.marks if mark.panel == name
                                                   for line in textwrap.wrap(f"★ {_one_line(mark.label)}", signs))]
        for name in names
    ]  # fmt: skip
    notes = [line for note in (_sample(panels), *panels.notes) for line in textwrap.wrap(_one_line(note), NOTE_SIGNS)]
    legend = math.ceil(len(_legend_entries(panels)) / LEGEND_COLUMNS)
    head_heights = [0.1 + HEAD_LINE * max(map(len, heads[at : at + columns])) for at in range(0, len(heads), columns)]
    return _Sheet(columns, width, heads, head_heights, TITLE + legend * LEGEND_LINE + 0.02, notes)


def _draw_one(panels: Panels, name: str, ax: Axes) -> None:
    """Draw the points and stars of one panel."""
    forward, _ = SCALES[panels.x_scale]
    ours = sorted((row for row in panels.rows if row["panel"] == name), key=lambda row: row["x"])
    for series, apart in _apart(panels).items():
        placed = [(forward(row["x"]) + apart, row) for row in ours if row["series"] == series]
        _draw_series(placed, series, ax)
    stars = [(forward(mark.x), mark.value) for mark in panels.marks if mark.panel == name]
    for star in stars:
        ax.plot(*star, color="black", marker="*", markersize=10, markeredgecolor="white", markeredgewidth=0.6, zorder=5)
    if not ours:
        ax.text(0.5, 0.5, _why_empty(panels, name), transform=ax.transAxes, ha="center", va="center", color=QUIET)


def _why_empty(panels: Panels, name: str) -> str:
    """Say why a panel has no points."""
    left_out = panels.places and name not in {panel for panel, _ in panels.places}
    return "not at this size" if left_out else panels.unreached


def _draw_series(placed: Sequence[tuple[float, Row]], series: str, ax: Axes) -> None:
    """Draw a line through the points of a series, a bar for each interval, and the points, hollow if unfinished."""
    look = series_of(series)
    dash: Any = (0, look.dash) if look.dash else "-"
    ax.plot([x for x, _ in placed], [row["value"] for _, row in placed], color=look.colour, linewidth=1.3,
            linestyle=dash)  # fmt: skip
    bars = [(x, row["low"], row["high"]) for x, row in placed if row["low"] is not None]
    ax.vlines([x for x, _, _ in bars], [low for _, low, _ in bars], [high for _, _, high in bars], color=look.colour,
              linewidth=1.3)  # fmt: skip
    for hollow in (False, True):
        points = [(x, row["value"]) for x, row in placed if is_unfinished(row) == hollow]
        ax.plot([x for x, _ in points], [value for _, value in points], color=look.colour, marker=look.marker,
                markersize=4.8, markerfacecolor="white" if hollow else look.colour, linestyle="none")  # fmt: skip


def _apart(panels: Panels) -> dict[str, float]:
    """Give each series its step aside: a small one, and never so far that a point looks like one of the next x."""
    forward, _ = SCALES[panels.x_scale]
    places = [forward(x) for x in panels.xs]
    gaps = [right - left for left, right in itertools.pairwise(places)]
    series = panels.series
    step = min(STEP_APART * (places[-1] - places[0]), 0.6 * min(gaps) / len(series)) if gaps and series else 0.0
    return {name: step * (at - (len(series) - 1) / 2) for at, name in enumerate(series)}


def _head(ax: Axes, lines: Sequence[str]) -> None:
    """Write the panel's name and its marks' labels above it."""
    for line, text in enumerate(reversed(lines)):
        is_name = not any(each.startswith("★") for each in lines[: len(lines) - line])
        ax.annotate(text, (0, 1), (0, 4 + line * HEAD_LINE * 72), "axes fraction", "offset points",
                    fontsize=8.5 if is_name else 8, weight="bold" if is_name else "normal", color=INK)  # fmt: skip


def _dress(panels: Panels, ax: Axes, sheet: _Sheet) -> None:
    """Set scales, ticks and limits, which all panels share, and take away what says nothing."""
    forward, _ = SCALES[panels.x_scale]
    places = [forward(x) for x in panels.xs] or [0.0]
    room = 0.07 * (places[-1] - places[0]) or 0.5
    ax.set_xlim(places[0] - room, places[-1] + room)
    ax.set_xticks(places, _tick_labels(panels.xs, places, sheet.width / (places[-1] - places[0] + 2 * room)))
    form = Y_FORMS[panels.y_scale]
    if panels.y_scale == "share":
        ax.set_ylim(0, 1.03)
        ax.set_yticks([0, 0.2, 0.4, 0.6, 0.8, 1])
    elif panels.y_scale == "log":
        from matplotlib.ticker import LogLocator, NullFormatter

        ax.set_yscale("log")
        ax.set_ylim(min(panels.ys, default=1) / 1.6, max(panels.ys, default=1) * 1.6)  # holds 1, 2 or 5 times a power
        ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        ax.yaxis.set_minor_formatter(NullFormatter())
    ax.yaxis.set_major_formatter(lambda value, _: format(value, form))
    for each in ax.figure.axes:
        each.grid(color="#808080", alpha=0.18, linewidth=0.6)
        each.spines[["top", "right"]].set_visible(False)
        each.tick_params(length=2.5, labelsize=8, colors=INK)
        each.yaxis.label.set_color(INK)


def _tick_labels(xs: Sequence[float], places: Sequence[float], inches: float) -> list[str]:
    """Write the numbers under the ticks, the largest first, leaving out those that would touch one written before."""
    labels = [""] * len(places)
    left = math.inf
    for at in reversed(range(len(places))):
        label = f"{xs[at]:,g}" if xs else ""
        half = len(label) * SIGN / 2
        if places[at] * inches + half + SIGN < left:
            labels[at], left = label, places[at] * inches - half
    return labels


def _legend_entries(panels: Panels) -> list[tuple[str, dict[str, Any]]]:
    entries: list[tuple[str, dict[str, Any]]] = []
    for series in panels.series:
        look = series_of(series)
        dash: Any = (0, look.dash) if look.dash else "-"
        sign = {"color": look.colour, "marker": look.marker, "markersize": 5, "linewidth": 1.3, "linestyle": dash}
        entries.append((_one_line(look.name), sign))
    if any(is_unfinished(row) for row in panels.rows):
        hollow = {"color": QUIET, "marker": "o", "markersize": 5, "markerfacecolor": "white", "linestyle": "none"}
        entries.append((f"Hollow: {_one_line(panels.hollow)}", hollow))
    if panels.marks:
        entries.append(("The paper's value", {"color": "black", "marker": "*", "markersize": 9, "linestyle": "none"}))
    return entries


def _legend(panels: Panels, figure: Figure, sheet: _Sheet) -> None:
    from matplotlib.lines import Line2D

    entries = _legend_entries(panels)
    if entries:
        drawn = figure.legend(
            [Line2D([], [], **sign) for _, sign in entries], ["."] * len(entries), loc="upper left", frameon=False,
            bbox_to_anchor=(0.06 / WIDTH, 1 - (TITLE - 0.06) / sheet.height), ncols=LEGEND_COLUMNS, labelcolor=INK,
            handlelength=2.4, columnspacing=2, labelspacing=0.45, borderaxespad=0,
        )  # fmt: skip
        for text, (name, _) in zip(drawn.get_texts(), entries, strict=True):
            text.set_text(name)  # as a label, a name that begins with an underscore would be left out


def _sample(panels: Panels) -> str:
    """Say how many seeds and examples stand behind a point."""
    if not panels.rows:
        return ""
    seeds, tested = (_range({int(row[key]) for row in panels.rows}) for key in ("planned", "n_test"))
    missing = {int(row["n_seeds"]) for row in panels.rows if is_unfinished(row)}
    told = f" where filled, {_range(missing)} {panels.counted} where hollow" if missing else ""
    return f"n = {seeds} {'seed' if seeds == '1' else 'seeds'} a point{told}; each measured on {tested} examples."


def _range(counts: set[int]) -> str:
    low, high = min(counts), max(counts)
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def _one_line(text: str) -> str:
    return " ".join(clean_text(str(text)).split())


def _file(panels: Panels, kind: str, **how: Any) -> bytes:
    import matplotlib
    from matplotlib.figure import Figure as Canvas

    file = io.BytesIO()
    with matplotlib.rc_context(LOOK):  # type: ignore[arg-type]
        draw_panels(panels, Canvas()).savefig(file, format=kind, **how)
    return file.getvalue()
