"""Settings of methods: numbers read, or refused by name."""

from __future__ import annotations

import math

from murk.errors import InputError

__all__ = ["positive", "share"]


def share(value: object, name: str, *, above_zero: bool = False, below_one: bool = False) -> float:
    """Read a number between 0 and 1, or refuse it."""
    low, high = "(" if above_zero else "[", ")" if below_one else "]"
    number = _number(value)
    inside = 0 <= number <= 1 and not (above_zero and number == 0) and not (below_one and number == 1)
    if not inside:
        raise InputError(f"`{name}` is a number in {low}0, 1{high}, but {value!r} came")
    return number


def positive(value: object, name: str) -> float:
    """Read a number above 0, or refuse it."""
    number = _number(value)
    if not 0 < number < math.inf:
        raise InputError(f"`{name}` is a number > 0, but {value!r} came")
    return number


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else math.nan
