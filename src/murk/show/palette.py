"""Colours that people with any kind of colour vision tell apart, and the one look of a series everywhere."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["OKABE_ITO", "SERIES", "STUDY_SERIES", "Series", "in_legend_order", "series_of"]

OKABE_ITO = {
    "blue": "#0072B2",
    "vermillion": "#D55E00",
    "green": "#009E73",
    "orange": "#E69F00",
    "sky": "#56B4E9",
    "purple": "#CC79A7",
    "grey": "#808080",
}
"""Okabe and Ito 2008 (Color Universal Design), without black and yellow, which vanish on dark or light paper; the grey
stands for what is only a reference."""


@dataclass(frozen=True)
class Series:
    """How a series is named and drawn; shape and dash tell it apart where colour does not.

    Attributes:
        name: for people.
        colour: of `OKABE_ITO`.
        marker: matplotlib's sign.
        shape: Vega's sign.
        dash: on and off, in points; empty for a whole line.
    """

    name: str
    colour: str
    marker: str
    shape: str
    dash: tuple[int, ...] = ()


SERIES = {
    "clean": Series("Clean labels", OKABE_ITO["grey"], "D", "diamond", (5, 4)),
    "evidence": Series("Evidence, exact dilution", OKABE_ITO["blue"], "o", "circle"),
    "evidence-independent": Series("Evidence, independent votes", OKABE_ITO["green"], "s", "square"),
    "plain": Series("Ordinary training", OKABE_ITO["vermillion"], "^", "triangle-up"),
}
"""The ways to train that the demo compares, in the order in which a legend lists them."""

STUDY_SERIES = {
    "paper": Series("The paper's training", OKABE_ITO["vermillion"], "v", "triangle-down"),
    "evidence-single": Series("Evidence, one vote an image", OKABE_ITO["sky"], "o", "circle"),
    "evidence-two-views": Series(
        "Evidence, independent votes, two views agreeing", OKABE_ITO["purple"], "D", "diamond"
    ),
    "h-alpha": Series("The paper's, on H_alpha", OKABE_ITO["purple"], "P", "cross"),
    "drawn": Series("Votes drawn", OKABE_ITO["blue"], "o", "circle"),
    "probability": Series("Their probability", OKABE_ITO["grey"], "D", "diamond", (5, 4)),
}
"""What the paper's figures show beside them; the paper's training has the colour of ordinary training, which it is."""

LOOKS = {**STUDY_SERIES, **SERIES}


def series_of(method: str) -> Series:
    """Give a method's look; a method that has none is drawn grey under its own name.

    Example:
        >>> series_of("evidence").colour
        '#0072B2'
    """
    return LOOKS.get(method, Series(method, OKABE_ITO["grey"], "o", "circle"))


def in_legend_order(methods: Iterable[str]) -> list[str]:
    """List each method once: the known ones in the legend's order, then others as they come.

    Example:
        >>> in_legend_order(["mine", "evidence", "paper", "evidence"])
        ['paper', 'evidence', 'mine']
    """
    found = list(dict.fromkeys(methods))
    return [method for method in LOOKS if method in found] + [method for method in found if method not in LOOKS]
