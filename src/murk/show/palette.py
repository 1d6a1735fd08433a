"""Colours that people with any kind of colour vision tell apart, and the one look of a series everywhere."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["OKABE_ITO", "SERIES", "Series", "series_of"]

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
"""The ways to train, in the order in which a legend lists them."""


def series_of(method: str) -> Series:
    """Give a method's look; a method that has none is drawn grey under its own name.

    Example:
        >>> series_of("evidence").colour
        '#0072B2'
    """
    return SERIES.get(method, Series(method, OKABE_ITO["grey"], "o", "circle"))
