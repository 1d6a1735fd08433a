"""Accuracy against alpha: how each way to train holds while right labels drown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from murk.errors import InputError
from murk.show.palette import in_legend_order, series_of

if TYPE_CHECKING:
    import altair
    from matplotlib.axes import Axes

__all__ = ["chart_accuracy_by_alpha", "draw_accuracy_by_alpha"]

Row = Mapping[str, Any]

X_TITLE = "Random labels per right one, α"
Y_TITLE = "Test accuracy (share right)"
SET_APART = 1.018  # series stand side by side by this factor in 1 + alpha, so that intervals do not hide each other
MARGIN = 1.12  # in 1 + alpha, left and right of the points
HEIGHT = 380


def draw_accuracy_by_alpha(rows: Sequence[Row], ax: Axes, *, chance: float | None = None) -> Axes:
    """Draw accuracy with its interval against alpha, a line a method; alpha on the scale log(1 + alpha).

    Args:
        rows: {"method", "alpha", "accuracy": {"value", "low", "high", "confidence_level"}, "n_seeds"}, as
            `DemoRow.to_dict` gives them. Points stand a little apart sideways.
        ax: where to draw.
        chance: accuracy of guessing, drawn as a dotted line.

    Raises:
        InputError: no rows.

    Example:
        >>> from matplotlib.figure import Figure
        >>> accuracy = {"value": 0.9, "low": 0.88, "high": 0.92, "confidence_level": 0.95}
        >>> rows = [{"method": "evidence", "alpha": alpha, "accuracy": accuracy, "n_seeds": 5} for alpha in (0, 10)]
        >>> len(draw_accuracy_by_alpha(rows, Figure().subplots()).lines) >= 1
        True
    """
    methods = _methods(rows)
    for place, method in enumerate(methods):
        look, ours = series_of(method), [row for row in rows if row["method"] == method]
        value, low, high = (np.array([row["accuracy"][end] for row in ours]) for end in ("value", "low", "high"))
        ax.errorbar(
            [_apart(row["alpha"], place, len(methods)) for row in ours], value, yerr=[value - low, high - value],
            label=look.name, color=look.colour, marker=look.marker, markersize=5, linewidth=1.6, capsize=0,
            elinewidth=1.6, linestyle=(0, look.dash) if look.dash else "-",
        )  # fmt: skip
    if chance is not None:
        ax.axhline(chance, color="#808080", linewidth=1, linestyle=":")
        ax.annotate(f"guessing, {chance:.0%}", (0, chance), (4, 3), ("axes fraction", "data"), "offset points",
                    color="#606060", fontsize="small")  # fmt: skip
    _dress(ax, sorted({int(row["alpha"]) for row in rows}))
    ax.set_xlabel("\n".join([X_TITLE, *_sample(rows)]))
    return ax


def chart_accuracy_by_alpha(rows: Sequence[Row]) -> altair.LayerChart:
    """Chart what `draw_accuracy_by_alpha` draws, for pages: values on hover, series toggled by the legend.

    Args:
        rows: as for `draw_accuracy_by_alpha`.

    Raises:
        InputError: no rows.
    """
    import altair

    methods = _methods(rows)
    alphas = sorted({int(row["alpha"]) for row in rows})
    values = [_point(row, methods.index(row["method"]), len(methods)) for row in rows]
    picked = altair.selection_point(fields=["series"], bind="legend")
    shown = altair.when(picked).then(altair.value(1)).otherwise(altair.value(0.08))
    x_axis = altair.Axis(values=alphas, grid=False, format="d", labelOverlap=True)
    x_scale = altair.Scale(type="symlog", constant=1, nice=False, padding=14)
    y_axis, y_scale = altair.Axis(format=".0%", tickCount=6), altair.Scale(domain=[0, 1])
    y = altair.Y("value:Q", title=Y_TITLE, scale=y_scale, axis=y_axis)
    looks, hover = _looks(methods), _hover(rows)
    base = altair.Chart(altair.Data(values=values)).encode(  # type: ignore[no-untyped-call]
        x=altair.X("x:Q", title=X_TITLE, scale=x_scale, axis=x_axis), color=looks["color"], opacity=shown
    )
    lines = base.mark_line(strokeWidth=2).encode(y=y, strokeDash=looks["strokeDash"])
    bars = base.mark_rule(strokeWidth=2).encode(y=altair.Y("low:Q", title=Y_TITLE), y2="high:Q", tooltip=hover)
    points = base.mark_point(filled=True, size=70, opacity=1).encode(y=y, shape=looks["shape"], tooltip=hover)
    title = altair.TitleParams(_sample(rows), anchor="start", frame="group", fontWeight="normal")
    layered = altair.LayerChart(layer=[lines, bars, points.add_params(picked)])
    return layered.properties(width="container", height=HEIGHT, title=title)


def _looks(methods: Sequence[str]) -> dict[str, Any]:
    """Give colour, shape and dash of each series, under one legend."""
    import altair

    looks = [series_of(method) for method in methods]
    names = [look.name for look in looks]
    columns = altair.ExprRef("width < 420 ? 1 : 2")
    legend = altair.Legend(title=None, orient="top", columns=columns, symbolSize=90, labelLimit=260)
    ranges: dict[Any, Any] = {
        altair.Color: [look.colour for look in looks],
        altair.Shape: [look.shape for look in looks],
        altair.StrokeDash: [list(look.dash) or [1, 0] for look in looks],
    }
    colour, shape, dash = (
        channel("series:N", legend=legend, sort=names, scale=altair.Scale(domain=names, range=ends))
        for channel, ends in ranges.items()
    )
    return {"color": colour, "shape": shape, "strokeDash": dash}


def _hover(rows: Sequence[Row]) -> list[altair.Tooltip]:
    import altair

    level = 100 * rows[0]["accuracy"].get("confidence_level", 0.95)
    shown = {
        "series:N": ("Training", ""), "alpha:Q": ("α", "d"), "value:Q": ("Accuracy", ".1%"),
        "low:Q": (f"{level:g}% from", ".1%"), "high:Q": ("to", ".1%"), "runs:Q": ("Runs", "d"),
    }  # fmt: skip
    return [
        altair.Tooltip(field, title=title, format=form) if form else altair.Tooltip(field, title=title)
        for field, (title, form) in shown.items()
    ]


def _methods(rows: Sequence[Row]) -> list[str]:
    """List the methods that occur, in the legend's order."""
    if not rows:
        raise InputError("there are no rows to draw; give at least one")
    return in_legend_order(row["method"] for row in rows)


def _apart(alpha: float, place: int, count: int) -> float:
    return float((1 + alpha) * SET_APART ** (place - (count - 1) / 2) - 1)


def _point(row: Row, place: int, count: int) -> dict[str, Any]:
    accuracy = row["accuracy"]
    return {
        "series": series_of(row["method"]).name, "alpha": row["alpha"], "x": _apart(row["alpha"], place, count),
        "value": accuracy["value"], "low": accuracy["low"], "high": accuracy["high"], "runs": row["n_seeds"],
    }  # fmt: skip


def _sample(rows: Sequence[Row]) -> list[str]:
    """Say how many runs stand behind a point, and what its bar is."""
    counts = sorted({int(row["n_seeds"]) for row in rows})
    runs = str(counts[0]) if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    level = 100 * rows[0]["accuracy"].get("confidence_level", 0.95)
    return [f"Points: mean of n = {runs} runs.", f"Bars: {level:g}% interval over the runs."]


def _dress(ax: Axes, alphas: list[int]) -> None:
    ax.set_xlim((1 + alphas[0]) / MARGIN - 1, (1 + alphas[-1]) * MARGIN - 1)
    ax.set_xscale("function", functions=(lambda x: np.log1p(np.maximum(x, -0.9)), np.expm1))
    ax.set_xticks(alphas, [str(alpha) for alpha in alphas])
    ax.set_xticks([], minor=True)
    ax.set_ylim(0, 1.02)
    ax.yaxis.set_major_formatter(lambda share, _: f"{share:.0%}")
    ax.set_ylabel(Y_TITLE)
    ax.grid(axis="y", color="#808080", alpha=0.2)
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(frameon=False, fontsize="small", loc="lower left", bbox_to_anchor=(-0.02, 1.0), ncols=3)
