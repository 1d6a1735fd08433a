"""Charts of an audit: shares with their intervals, line by line, and how labels go wrong, class by class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from murk.show.palette import OKABE_ITO

if TYPE_CHECKING:
    import altair

__all__ = ["CHECKED", "RANGE", "VOTED", "chart_shares", "chart_transition"]

Row = Mapping[str, Any]

CHECKED, RANGE = "by checked labels: interval", "by two opposite assumptions: range"
VOTED = "by noisy votes: interval"
LINE = 24  # pixels
NUMBERED = 12  # classes, up to which cells bear their number
LEAST_NUMBER = 0.005
SIGN, MOST_ROOM = 7.5, 240  # pixels of a sign at the side, and of all


def chart_shares(rows: Sequence[Row], *, title: str, mark: str = "") -> altair.LayerChart:
    """Chart shares, a line each, in their order, with intervals or ranges as bars.

    Args:
        rows: name, value, low and high in [0, 1], and kind, `CHECKED`, `RANGE` or `VOTED`.
        title: of the axis.
        mark: the rows' name of another share, drawn as an upright stroke; "" for none.
    """
    import altair

    names = [row["name"] for row in rows]
    kinds = [kind for kind in (CHECKED, VOTED, RANGE) if any(row["kind"] == kind for row in rows)]
    solid = OKABE_ITO["blue"], [1, 0]
    looks = {CHECKED: solid, VOTED: solid, RANGE: (OKABE_ITO["vermillion"], [4, 3])}
    legend = altair.Legend(title=None, orient="top", labelLimit=400)
    colour = altair.Color("kind:N", legend=legend, sort=kinds,
                          scale=altair.Scale(domain=kinds, range=[looks[kind][0] for kind in kinds]))  # fmt: skip
    dash = altair.StrokeDash("kind:N", legend=legend, sort=kinds,
                             scale=altair.Scale(domain=kinds, range=[looks[kind][1] for kind in kinds]))  # fmt: skip
    x = altair.Axis(format=".0%", tickCount=6, orient="top")
    hover = [altair.Tooltip("name:N", title=" "), altair.Tooltip("value:Q", title="share", format=".2%"),
             altair.Tooltip("low:Q", title="from", format=".2%"),
             altair.Tooltip("high:Q", title="to", format=".2%")]  # fmt: skip
    base = altair.Chart(altair.Data(values=[dict(row) for row in rows])).encode(  # type: ignore[no-untyped-call]
        y=altair.Y("name:N", sort=names, title=None, axis=_side(names)),
        color=colour, tooltip=hover,
    )  # fmt: skip
    scale = altair.Scale(domain=[0, min(1.0, 1.05 * max(row["high"] for row in rows) or 1.0)])
    bars = base.mark_rule(strokeWidth=2.5).encode(
        x=altair.X("low:Q", title=title, axis=x, scale=scale), x2="high:Q", strokeDash=dash
    )
    points = base.mark_point(filled=True, size=70, opacity=1).encode(x=altair.X("value:Q", title=title, axis=x))
    strokes = [base.mark_tick(thickness=2.5, size=16).encode(x=f"{mark}:Q", color=altair.value(OKABE_ITO["grey"]))]
    layers = [bars, points, *(strokes if mark else [])]
    return altair.LayerChart(layer=layers).properties(width="container", height=LINE * max(len(rows), 3))


def chart_transition(cells: Sequence[Row], names: Sequence[str]) -> altair.LayerChart:
    """Chart T as a table of tinted cells, true classes down, labels across; up to twelve classes with numbers.

    Args:
        cells: true, label, value, low and high in [0, 1].
        names: of the classes, in their order.
    """
    import altair

    base = altair.Chart(altair.Data(values=[dict(cell) for cell in cells])).encode(  # type: ignore[no-untyped-call]
        x=altair.X("label:N", sort=list(names), title="label",
                   axis=altair.Axis(orient="top", labelAngle=-40, labelLimit=120, domain=False, ticks=False)),
        y=altair.Y("true:N", sort=list(names), title="true class",
                   axis=_side(names)),
        tooltip=[altair.Tooltip("true:N", title="true class"), altair.Tooltip("label:N", title="label"),
                 altair.Tooltip("value:Q", title="share", format=".2%"),
                 altair.Tooltip("low:Q", title="from", format=".2%"),
                 altair.Tooltip("high:Q", title="to", format=".2%")],
    )  # fmt: skip
    # square roots: what is rare is what is looked for
    legend = None if len(names) <= NUMBERED else altair.Legend(title=None, format=".0%", orient="right")
    colour = altair.Color("value:Q", legend=legend,
                          scale=altair.Scale(type="sqrt", domain=[0, 1], scheme="blues"))  # fmt: skip
    layers = [base.mark_rect(stroke="white", strokeWidth=1).encode(color=colour)]
    if len(names) <= NUMBERED:
        dark = altair.when(altair.datum.value > 0.3).then(altair.value("white")).otherwise(altair.value("#1c1d1f"))
        seen = altair.when(altair.datum.value >= LEAST_NUMBER).then(altair.value(1)).otherwise(altair.value(0))
        layers.append(base.mark_text(fontSize=11).encode(
            text=altair.Text("value:Q", format=".0%"), color=dark, opacity=seen
        ))  # fmt: skip
    return altair.LayerChart(layer=layers).properties(width="container", height=LINE * max(len(names), 5) + 20)


def _side(names: Sequence[str]) -> altair.Axis:
    """Give room to names at the side, whatever font they are drawn in."""
    import altair

    longest = max((len(name) for name in names), default=0)
    return altair.Axis(
        labelLimit=MOST_ROOM, minExtent=min(SIGN * longest, MOST_ROOM), domain=False, ticks=False
    )  # fmt: skip
