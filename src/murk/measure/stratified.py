"""Shares of a finite set from samples of its strata, with intervals that hold where what is counted is rare."""

from __future__ import annotations

from typing import Any

import numpy as np

from murk.errors import refuse
from murk.measure.binomial import exact_binomial
from murk.measure.estimate import Estimate, level_fault
from murk.measure.predicted import read_array

__all__ = ["stratified_share"]

METHOD = "exact intervals of strata, combined by variance recovery"


def stratified_share(hits: Any, trials: Any, sizes: Any, *, confidence_level: float = 0.95) -> Estimate:
    """Estimate which share of a finite set is hit, from a random sample of each stratum.

    With weights w_h = N_h / N and shares p_h = hits_h / trials_h, the estimate is sum_h w_h p_h. Each stratum's exact
    (Clopper-Pearson) interval [l_h, u_h] is drawn in by sqrt(1 - trials_h / N_h), for what has been looked at is
    known, and the ends combine as low = estimate - sqrt(sum_h (w_h (p_h - l_h))^2), high likewise. So a stratum in
    which nothing was hit still widens the interval by what its sample leaves open; one without a sample is open
    between 0 and 1.

    Args:
        hits: int [..., H], in [0, trials].
        trials: int [..., H], looked at, drawn from the stratum at random without repeats; in [0, sizes].
        sizes: int [..., H] >= 0, examples of the stratum; the strata are fixed before anything is looked at.
        confidence_level: in (0, 1).

    Returns:
        An estimate of the leading shape; what is known of hits and misses bounds it.

    Raises:
        InputError: numbers that are not whole, out of order, or a set without examples.

    Example:
        >>> print(stratified_share([0, 45], [100, 50], [9000, 1000]))
        0.090 (0.078 to 0.123, 95 %)

    Source: Zou and Donner 2008 (recovered variances); the exact intervals, the finite set and their coverage, which the
        tests simulate, are ours.
    """
    arrays = [read_array(each, what=what) for each, what in ((hits, "hits"), (trials, "trials"), (sizes, "sizes"))]
    whole = all(each.dtype.kind in "iu" and each.ndim for each in arrays)
    found, seen, total = np.broadcast_arrays(*arrays) if whole else arrays
    refuse([
        level_fault(confidence_level),
        "" if whole and ((found >= 0) & (found <= seen) & (seen <= total)).all() and (total.sum(-1) > 0).all() else
        "expected whole numbers with 0 <= hits <= trials <= sizes, and examples, "
        f"but hits {hits!r}, trials {trials!r}, sizes {sizes!r} came",
    ])  # fmt: skip
    looked_at = seen > 0
    exact = exact_binomial(np.where(looked_at, found, 0), np.maximum(seen, 1), confidence_level=confidence_level)
    share = np.where(looked_at, exact.value, 0.5)
    open_part = np.sqrt(1 - seen / np.maximum(total, 1))
    below = np.where(looked_at, (share - exact.low) * open_part, 0.5)
    above = np.where(looked_at, (exact.high - share) * open_part, 0.5)
    weight = total / total.sum(-1, keepdims=True)
    value = (weight * share).sum(-1)
    low = value - np.sqrt(((weight * below) ** 2).sum(-1))
    high = value + np.sqrt(((weight * above) ** 2).sum(-1))
    least, most = found.sum(-1) / total.sum(-1), 1 - (seen - found).sum(-1) / total.sum(-1)
    value = np.clip(value, least, most)
    return Estimate(value, np.clip(low, least, value), np.clip(high, value, most), confidence_level, METHOD)
