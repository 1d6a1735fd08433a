"""How right predictions are by how sure they are, as a picture: shares with intervals, beside what is said."""

from __future__ import annotations

from typing import Any

import numpy as np

from murk.measure import Reliability
from murk.show.audit_charts import VOTED, chart_shares
from murk.show.chart import chart_spec, chart_svg

__all__ = ["reliability_rows", "reliability_svg"]


def reliability_svg(told: Reliability, *, title: str = "share of right predictions") -> str:
    """Draw a `murk.measure.reliability` as SVG: a line a bin, the upright stroke where its probabilities say it lies.

    Args:
        told: confidence, accuracy with its interval, and examples, of each bin.
        title: of the axis.

    Example:
        >>> from murk.measure import Estimate
        >>> told = Reliability(np.array([0.7]), Estimate([0.6], [0.5], [0.7], 0.95, "made"), np.array([100]))
        >>> reliability_svg(told).startswith("<svg")
        True
    """
    rows = reliability_rows(told.confidence, told.accuracy.value, told.accuracy.low, told.accuracy.high, told.examples)
    return chart_svg(chart_spec(chart_shares(rows, title=title, mark="said")))


def reliability_rows(
    said: Any, value: Any, low: Any, high: Any, examples: Any, *, what: str = "sure to", kind: str = VOTED
) -> list[dict[str, Any]]:
    """Give a line for each bin, as `chart_shares` draws them."""
    columns = (np.asarray(each).tolist() for each in (said, value, low, high, examples))
    return [
        {"name": f"{what} {share:.1%}, {count:,} labels", "value": at, "low": least, "high": most, "said": share,
         "kind": kind} for share, at, least, most, count in zip(*columns, strict=True)
    ]  # fmt: skip
