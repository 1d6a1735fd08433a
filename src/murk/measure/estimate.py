"""Estimate: a number with the interval that says how well it is known."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from murk.errors import refuse

__all__ = ["Estimate"]

LINES_SHOWN = 12  # an array of estimates prints so many lines, then how many more there are


@dataclass(frozen=True, eq=False)
class Estimate:
    """An estimated value (or array of values) with an interval, its confidence level and how it was made.

    low <= value <= high, element by element. The interval is meant to hold the true value with probability
    `confidence_level` over repetitions of the data; for arrays each element on its own, not all of them together.

    Attributes:
        value: the estimate; a float, or a float64 array of any shape (kept as a read-only copy).
        low: the interval's low end; like value.
        high: the interval's high end; like value.
        confidence_level: in (0, 1).
        method: how value and interval were made, in words.

    Raises:
        InputError: shapes differ, a number is NaN, low <= value <= high fails, or the level is outside (0, 1).

    Example:
        >>> print(Estimate(0.978, 0.973, 0.982, confidence_level=0.95, method="exact binomial"))
        0.978 (0.973 to 0.982, 95 %)
    """

    value: Any
    low: Any
    high: Any
    confidence_level: float
    method: str

    def __post_init__(self) -> None:
        """Copy the numbers and check them."""
        numbers = {name: np.array(getattr(self, name), dtype=np.float64) for name in ("value", "low", "high")}
        refuse([_shape_fault(numbers) or _order_fault(numbers), level_fault(self.confidence_level)])
        for name, array in numbers.items():
            array.setflags(write=False)
            object.__setattr__(self, name, array if array.ndim else float(array))
        object.__setattr__(self, "confidence_level", float(self.confidence_level))

    def __float__(self) -> float:
        """Give the value of a single estimate.

        Raises:
            TypeError: the estimate holds an array.
        """
        if isinstance(self.value, np.ndarray):
            raise TypeError(f"expected a single estimate, but this one has the shape {self.value.shape}; use .value")
        return float(self.value)

    def __eq__(self, other: object) -> bool:
        """Compare numbers, level and method exactly."""
        return isinstance(other, Estimate) and self.to_dict() == other.to_dict()

    def __hash__(self) -> int:
        """Hash what `__eq__` compares."""
        numbers = tuple(np.asarray(number).tobytes() for number in (self.value, self.low, self.high))
        return hash((numbers, self.confidence_level, self.method))

    def __str__(self) -> str:
        """Write `value (low to high, level %)`, one line an element."""
        rows = list(zip(*(np.ravel(number).tolist() for number in (self.value, self.low, self.high)), strict=True))
        lines = [_line(*row, level=self.confidence_level) for row in rows[:LINES_SHOWN]]
        rest = [f"... and {len(rows) - LINES_SHOWN} more"] if len(rows) > LINES_SHOWN else []
        return "\n".join(lines + rest)

    def to_dict(self) -> dict[str, Any]:
        """Give the fields as plain numbers, lists and text, ready for JSON."""
        numbers = {name: np.asarray(getattr(self, name)).tolist() for name in ("value", "low", "high")}
        return {**numbers, "confidence_level": self.confidence_level, "method": self.method}


def level_fault(confidence_level: Any) -> str:
    """Say what is wrong with a confidence level, or nothing."""
    number = isinstance(confidence_level, int | float | np.number) and not isinstance(confidence_level, bool)
    if number and 0 < confidence_level < 1:
        return ""
    return f"a confidence level lies in (0, 1), for instance 0.95, but {confidence_level!r} came"


def _shape_fault(numbers: dict[str, np.ndarray]) -> str:
    shapes = {name: array.shape for name, array in numbers.items()}
    return "" if len(set(shapes.values())) == 1 else f"value, low and high have one shape, but {shapes} came"


def _order_fault(numbers: dict[str, np.ndarray]) -> str:
    value, low, high = numbers["value"], numbers["low"], numbers["high"]
    wrong = np.argwhere(~((low <= value) & (value <= high)))  # NaN fails both comparisons
    if not len(wrong):
        return ""
    at = tuple(wrong[0])
    where = f" at {tuple(int(i) for i in at)}" if at else ""
    return f"expected low <= value <= high, but {low[at]}, {value[at]}, {high[at]} came{where} ({len(wrong)} such)"


def _line(value: float, low: float, high: float, *, level: float) -> str:
    """Write one estimate with as many decimals as its interval's width calls for."""
    width = high - low
    decimals = 3 if max(abs(low), abs(high)) <= 1 else 0
    if 0 < width < math.inf:
        decimals = min(15, max(decimals, -math.floor(math.log10(width))))
    return f"{value:.{decimals}f} ({low:.{decimals}f} to {high:.{decimals}f}, {100 * level:g} %)"
