"""Crossings: where numbers first reach a level, as far as the places that were run can tell."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from murk.errors import InputError

__all__ = ["Range", "first_reached", "slope"]

STILL = 1e-12  # a number in the very middle does not move a slope, even if nothing bounds it
Range = tuple[float, float]
"""The least and the most that a number can be; the same twice where it is known."""


def first_reached(places: Sequence[float], values: Sequence[float], level: float) -> Range:
    """Find where values first reach a level, by linear interpolation; nothing is extrapolated.

    Args:
        places: rising, at least one.
        values: one a place.
        level: to be reached from below.

    Returns:
        The place twice; (-inf, first place) where the first value reaches it already; (last place, inf) where none
        does.

    Raises:
        InputError: places that do not rise, or not a value each.

    Example:
        >>> first_reached([0, 10], [0.8, 1.0], 0.9), first_reached([0, 10], [0.8, 1.0], 0.7)
        ((5.0, 5.0), (-inf, 0))
    """
    if not places or len(places) != len(values) or list(places) != sorted(set(places)):
        raise InputError(f"places rise, with a value each, but {list(places)} came with {len(values)} values")
    at = next((at for at, value in enumerate(values) if value >= level), None)
    if at is None:
        return places[-1], math.inf
    if at == 0:
        return -math.inf, places[0]
    share = (level - values[at - 1]) / (values[at] - values[at - 1])
    place = float(places[at - 1] + share * (places[at] - places[at - 1]))
    return place, place


def slope(places: Sequence[float], ranges: Sequence[Range]) -> Range:
    """Fit a line by least squares to numbers that are known within ranges; give the least and the most it can rise.

    Args:
        places: where the numbers stand; at least two that differ.
        ranges: of the numbers; an infinite end may leave the slope without a bound.

    Example:
        >>> slope([0, 1, 2], [(0, 0), (1, 1), (2, float("inf"))])
        (1.0, inf)
    """
    apart = np.asarray(places, dtype=np.float64) - np.mean(places)
    pulls = (apart / (apart @ apart)).tolist()
    moving = [(pull, low, high) for pull, (low, high) in zip(pulls, ranges, strict=True) if abs(pull) > STILL]
    least = sum(pull * (low if pull > 0 else high) for pull, low, high in moving)
    most = sum(pull * (high if pull > 0 else low) for pull, low, high in moving)
    return least, most
