"""Range: two numbers between which a third lies under stated assumptions. Not an interval, and without a point."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from murk.errors import refuse

__all__ = ["Range"]


@dataclass(frozen=True)
class Range:
    """What a number may be, where the data do not determine it: its ends under two opposite assumptions.

    No level belongs to it: where the assumptions hold the number in, it is in; nothing is said of how often they do.

    Attributes:
        low: the low end.
        high: the high end, >= low.
        assumed: what makes it low, and what high, in words.

    Raises:
        InputError: low <= high fails.

    Example:
        >>> print(Range(0.04, 0.13, "low: ...; high: ..."))
        0.04 to 0.13
    """

    low: float
    high: float
    assumed: str

    def __post_init__(self) -> None:
        """Check the order."""
        refuse([
            "" if self.low <= self.high else f"expected low <= high, but {self.low} and {self.high} came",
        ])  # fmt: skip

    def __str__(self) -> str:
        """Write `low to high`."""
        return f"{self.low:.4g} to {self.high:.4g}"

    def to_dict(self) -> dict[str, Any]:
        """Give the fields as plain numbers and text, ready for JSON."""
        return asdict(self)
