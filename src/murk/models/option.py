"""What an architecture lets its caller set: the default, and the values that are allowed."""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import SupportsIndex

from murk.errors import name_fault

__all__ = ["Choice", "Fraction", "Option", "OptionValue", "Whole", "whole_number"]

OptionValue = int | float | str | None
"""A setting of a model: plain enough for JSON."""

LARGEST_WHOLE = 65_536


def whole_number(value: object) -> int | None:
    """The whole number that `value` is (NumPy's included, booleans not), or None where it is none."""
    if isinstance(value, bool) or not isinstance(value, SupportsIndex):
        return None
    try:
        return operator.index(value)
    except TypeError:
        return None


@dataclass(frozen=True)
class Whole:
    """A whole number from 1 to 65,536, or None where `optional`."""

    default: int | None
    optional: bool = False

    def fault(self, name: str, value: object) -> str:
        """What is wrong with `value`, or the empty string."""
        number = whole_number(value)
        if (number is not None and 1 <= number <= LARGEST_WHOLE) or (value is None and self.optional):
            return ""
        return f"{name} must be a whole number from 1 to {LARGEST_WHOLE:,}, not {value!r}"

    def clean(self, value: object) -> int | None:
        """`value` as an int, or None."""
        return whole_number(value)


@dataclass(frozen=True)
class Fraction:
    """A number in [0, 1)."""

    default: float

    def fault(self, name: str, value: object) -> str:
        """What is wrong with `value`, or the empty string."""
        try:
            inside = not isinstance(value, bool | str) and 0.0 <= float(value) < 1.0  # type: ignore[arg-type]
        except (TypeError, ValueError):
            inside = False
        return "" if inside else f"{name} must be a number in [0, 1), not {value!r}"

    def clean(self, value: object) -> float:
        """`value` as a float."""
        return float(value)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Choice:
    """One of a few words; the first is the default."""

    words: tuple[str, ...]

    @property
    def default(self) -> str:
        """The first word."""
        return self.words[0]

    def fault(self, name: str, value: object) -> str:
        """What is wrong with `value` and which word is nearest, or the empty string."""
        return name_fault(name, value, self.words)

    def clean(self, value: object) -> str:
        """`value` as a str."""
        return str(value)


Option = Whole | Fraction | Choice
"""One setting of an architecture."""
