"""The page of a plan: what is reached now, what each thing buys, what to buy, and the pictures behind it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from murk.measure import Estimate
from murk.show.blocks import Block, Column, Facts, Figure, Prose, Table
from murk.show.page import Page
from murk.show.palette import OKABE_ITO

if TYPE_CHECKING:
    import altair

__all__ = ["plan_page"]

Plain = Mapping[str, Any]

HEIGHT = 340
METHOD = (
    "Trainings on parts of the data, each about twice the one before, are measured by votes that none of them has "
    "seen. Through their accuracies go four families of curves in effective clean labels (how many clean labels hold "
    "as much information as the votes), weighed by how well each extrapolates the smaller trainings to the larger. "
    "Bands are for the accuracy of one training, its seed and all. Single votes are read as independent."
)
LIMITS = (
    "The curve is that of this model trained this way; another has another. What is bought is taken to be like what is "
    "at hand: the same images, the same noise. Prices are yours. Beyond eight times the largest training seen, bands "
    "rest on what learning curves are like elsewhere more than on these data."
)


def plan_page(result: Plain) -> Page:
    """Build the page of a plan.

    Args:
        result: as `murk plan` writes it.
    """
    facts = result["facts"]
    blocks: list[Block] = [Facts(_glance(result), "At a glance"), _offers(facts)]
    if facts["frontier"]:
        blocks.append(_frontier(facts))
    blocks.append(_curve(facts))
    if facts["lines"]:
        blocks.append(_lines(facts))
    seeds = {f"seed of {name}": seed for name, seed in result["seeds"].items()}
    blocks += [
        Prose(METHOD, "Method"), Prose(LIMITS, "What a plan cannot know"),
        Facts({**result["settings"], **seeds}, "Settings"),
        Facts({**result["machine"], **result["versions"]}, "Machine and versions"),
    ]  # fmt: skip
    return Page("murk plan", "What to buy next?", " ".join(facts["said"]), blocks)


def _glance(result: Plain) -> dict[str, Any]:
    facts, estimates = result["facts"], result["estimates"]
    shown = {
        "images": f"{facts['images']:,}, worth {facts['effective']:,.0f} clean labels",
        "reached with all of it": _told(estimates["now"]),
        "labels without end would reach": _told(estimates["plateau"]),
    }
    bought = facts["purchase"]
    if bought is None:
        return shown | {"to buy": facts["why_not"]}
    amounts = f"{bought['labels']:,} noisy labels, {bought['votes']:,} votes, {bought['clean']:,} clean labels"
    return shown | {"to buy": f"{amounts}, for {bought['cost']:,.2f}", "that reaches": _told(estimates["bought"])}


def _told(estimate: Plain) -> str:
    level = 100 * estimate["confidence_level"]
    return f"{estimate['value']:.1%} ({estimate['low']:.1%} to {estimate['high']:.1%}, {level:g} %)"


def _offers(facts: Plain) -> Table:
    columns = [Column("What"), Column("Cost", ",.2f"), Column("Clean labels' worth of all", ",.0f"),
               Column("Accuracy then", ".1%"), Column("Accuracy now, if they measure it", ".1%")]  # fmt: skip
    body = [
        [each["name"], each["cost"], each["effective"],
         *(told and Estimate(**told) for told in (each["accuracy"], each["measured"]))] for each in facts["offers"]
    ]  # fmt: skip
    caption = "– where it has no price. Clean labels can also be kept out of training, to measure by."
    return Table(columns, body, "offers", "What each thing would buy", caption)


def _frontier(facts: Plain) -> Figure:
    rows = [
        {"cost": each["cost"], "labels": each["labels"], "votes": each["votes"], "clean": each["clean"],
         **_ends(each["accuracy"])} for each in facts["frontier"] if each["cost"] > 0
    ]  # fmt: skip
    told = ", ".join(f"{row['value']:.1%} for {row['cost']:,.2f}" for row in rows[:: max(1, len(rows) // 3)])
    return Figure(
        _banded(rows, "cost", "cost"), f"Accuracy against cost: {told}.", "frontier", "Accuracy against cost",
        "Each point is the best mix for its money; hover for the mix. The band is for one training.",
    )  # fmt: skip


def _curve(facts: Plain) -> Figure:
    rows = [{"effective": each["effective"], **_ends(each["accuracy"])} for each in facts["curve"]]
    points = [{"effective": each["effective"], **_ends(each["accuracy"]), "images": each["images"]}
              for each in facts["runs"]]  # fmt: skip
    last = rows[-1]
    return Figure(
        _banded(rows, "effective", "effective clean labels", points=points),
        f"Accuracy against effective clean labels: {len(points)} trainings and the curve through them, up to "
        f"{last['value']:.1%} at {last['effective']:,.0f}.", "curve", "The learning curve",
        "Points are the pilot's trainings with the intervals that votes give them (the same votes, so they err "
        "together); the band is the curve's, for one training.",
    )  # fmt: skip


def _lines(facts: Plain) -> Figure:
    import altair

    rows = [{"accuracy": f"{each[0]:.1%}", "alpha": each[1], "images": each[2]} for each in facts["lines"]]
    chart = altair.Chart(altair.Data(values=rows)).mark_line(point=True).encode(  # type: ignore[no-untyped-call]
        x=altair.X("alpha:Q", scale=altair.Scale(type="symlog", nice=False), title="random labels per right one, α"),
        y=altair.Y("images:Q", scale=altair.Scale(type="log"), title="images"),
        color=altair.Color("accuracy:N", title="accuracy"), strokeDash=altair.StrokeDash("accuracy:N"),
        tooltip=["accuracy:N", "alpha:Q", altair.Tooltip("images:Q", format=",.0f")],
    ).properties(width="container", height=HEIGHT)  # fmt: skip
    return Figure(
        altair.LayerChart(layer=[chart]).properties(width="container", height=HEIGHT),
        f"Images needed for {', '.join(dict.fromkeys(row['accuracy'] for row in rows))} against the random labels "
        "beside each right one.", "iso-accuracy", "The same accuracy, by images and noise",
        "Along a line accuracy is the same: how many images it takes, each with one right label and α random ones.",
    )  # fmt: skip


def _ends(estimate: Plain) -> dict[str, float]:
    return {end: estimate[end] for end in ("value", "low", "high")}


def _banded(rows: Sequence[Plain], x: str, title: str, *, points: Sequence[Plain] = ()) -> altair.LayerChart:
    """Chart a band with its middle line, and points with bars."""
    import altair

    least = min(row["low"] for row in (*rows, *points))
    scale = altair.Scale(domain=[max(0.0, least - 0.02), 1.0])
    across = altair.X(f"{x}:Q", scale=altair.Scale(type="log", nice=False), title=title)
    hover = [altair.Tooltip(f"{name}:Q", format=",.4g") for name in rows[0]]
    data, dots = (altair.Data(values=[dict(row) for row in part]) for part in (rows, points))  # type: ignore[no-untyped-call]
    base = altair.Chart(data).encode(x=across)
    axis = altair.Axis(format=".0%")
    layers = [
        base.mark_area(opacity=0.25, color=OKABE_ITO["blue"]).encode(
            y=altair.Y("low:Q", scale=scale, title="accuracy", axis=axis), y2="high:Q"),
        base.mark_line(color=OKABE_ITO["blue"], point=True).encode(y=altair.Y("value:Q", scale=scale), tooltip=hover),
    ]  # fmt: skip
    if points:
        seen = altair.Chart(dots).encode(x=across)
        red = OKABE_ITO["vermillion"]
        layers += [
            seen.mark_rule(color=red, opacity=0.6).encode(y=altair.Y("low:Q", scale=scale), y2="high:Q"),
            seen.mark_point(filled=True, size=45, color=red).encode(
                y=altair.Y("value:Q", scale=scale), tooltip=["images:Q", altair.Tooltip("value:Q", format=".2%")]),
        ]  # fmt: skip
    return altair.LayerChart(layer=layers).properties(width="container", height=HEIGHT)
