"""Shares of a finite set from samples of its strata, with intervals that hold where what is counted is rare."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.stats import hypergeom

from murk.errors import refuse
from murk.measure.estimate import Estimate, level_fault
from murk.measure.predicted import read_array

__all__ = ["stratified_share"]

METHOD = "exact intervals of strata, combined by variance recovery"


def stratified_share(
    hits: Any, trials: Any, sizes: Any, *, expected: Any = 0.5, confidence_level: float = 0.95
) -> Estimate:
    """Estimate which share of a finite set is hit, from a random sample of each stratum.

    With weights w_h = N_h / N and shares p_h = hits_h / trials_h, the estimate is sum_h w_h p_h. The ends of the
    strata's exact (hypergeometric) intervals [l_h, u_h] combine as low = estimate - sqrt(sum_h (w_h (p_h - l_h))^2),
    high likewise: a stratum in which nothing was hit still widens the interval by what its sample leaves open. Strata
    without a sample add nothing to low and all of w_h to high: no chance evens out what nobody has looked at. Where
    hits are few, sums of squares say too much: low is at most what as many hits in every stratum at once leave a chance
    of (1 - confidence_level) / 2.

    Args:
        hits: int [..., H], in [0, trials].
        trials: int [..., H], looked at, drawn from the stratum at random without repeats; in [0, sizes].
        sizes: int [..., H] >= 0, examples of the stratum; the strata are fixed before anything is looked at.
        expected: float [..., H] in [0, 1], the share that the estimate (not the interval) takes of a stratum without a
            sample.
        confidence_level: in (0, 1).

    Returns:
        An estimate of the leading shape; what is known of hits and misses bounds it.

    Raises:
        InputError: numbers that are not whole, out of order, or a set without examples.

    Example:
        >>> print(stratified_share([0, 45], [100, 50], [9000, 1000]))
        0.090 (0.079 to 0.123, 95 %)

    Source: Zou and Donner 2008 (recovered variances); Katz 1953 (finite sets); strata without a sample and the
        coverage, which tests simulate and of small sets enumerate, are ours. Not promised: that it reaches the level
        in every design; of 300 small ones drawn at random the least covers .91, their mean .98.
    """
    arrays = [read_array(each, what=what) for each, what in ((hits, "hits"), (trials, "trials"), (sizes, "sizes"))]
    whole = all(each.dtype.kind in "iu" and each.ndim for each in arrays)
    found, seen, total = np.broadcast_arrays(*(each.astype(np.int64) for each in arrays)) if whole else arrays
    guess = np.asarray(expected, dtype=np.float64)
    refuse([
        level_fault(confidence_level),
        "" if ((guess >= 0) & (guess <= 1)).all() else f"expected shares lie in [0, 1], but {expected!r} came",
        "" if whole and ((found >= 0) & (found <= seen) & (seen <= total)).all() and (total.sum(-1) > 0).all() else
        "expected whole numbers with 0 <= hits <= trials <= sizes, and examples, "
        f"but hits {hits!r}, trials {trials!r}, sizes {sizes!r} came",
    ])  # fmt: skip
    looked_at = seen > 0
    share = np.where(looked_at, found / np.maximum(seen, 1), guess)
    tail = (1 - confidence_level) / 2
    fewest, most = _exact(found, seen, total, tail)
    examples = total.sum(-1)
    weight = total / examples[..., None]

    def reach(ends: np.ndarray) -> np.ndarray:
        """Give how far the ends of all strata together lie from the estimate."""
        away = weight * np.abs(share - ends / np.maximum(total, 1))
        open_part = np.where(looked_at, 0, away).sum(-1)
        return np.asarray(np.sqrt((np.where(looked_at, away, 0) ** 2).sum(-1)) + open_part)

    value, bottom, top = (weight * share).sum(-1), found.sum(-1) / examples, 1 - (seen - found).sum(-1) / examples
    value = np.clip(value, bottom, top)
    low = np.minimum(value - reach(fewest), _together(found, seen, total, tail) / examples)
    high = np.maximum(value + reach(most), 1 - _together(seen - found, seen, total, tail) / examples)
    low, high = np.clip(low, bottom, value), np.clip(high, value, top)
    return Estimate(value, low, high, confidence_level, METHOD)


def _exact(found: np.ndarray, seen: np.ndarray, total: np.ndarray, tail: float) -> tuple[np.ndarray, np.ndarray]:
    """Give the fewest and most hits in all that make so many, or so few, among those seen likelier than `tail`."""
    fewest, most = found.copy(), total - (seen - found)
    partly = (seen > 0) & (seen < total)
    hits, sample, size = found[partly], seen[partly], total[partly]
    fewest[partly] = _fewest(hits, sample, size, tail)
    most[partly] = size - _fewest(sample - hits, sample, size, tail)
    return fewest, most


def _together(found: np.ndarray, seen: np.ndarray, total: np.ndarray, tail: float) -> np.ndarray:
    """Give few hits in all strata together, of which so many would be seen in each at once with a chance above `tail`.

    Each stratum has the same part of the chance, but where no more hits than those found leave it a larger one.
    """
    free = (found > 0) & (seen > 0) & (seen < total)  # in the others, those found are certain to be seen, or enough
    chance = np.where(free, hypergeom.sf(found - 1, total, found, seen), 1.0)
    while True:
        left = tail / np.where(free, 1.0, chance).prod(-1, keepdims=True)
        part = left ** (1 / np.maximum(free.sum(-1, keepdims=True), 1))
        enough = free & (chance > part)
        if not enough.any():
            break
        free &= ~enough
    hits = found.copy()
    hits[free] = _fewest(found[free], seen[free], total[free], np.broadcast_to(part, free.shape)[free])
    return np.asarray(hits.sum(-1))


def _fewest(hits: np.ndarray, sample: np.ndarray, size: np.ndarray, tail: Any) -> np.ndarray:
    """Give the least number among `size` that shows at least `hits` in a sample with a chance above `tail`."""
    low, high = hits, size - (sample - hits)
    while (low < high).any():
        middle = (low + high) // 2
        likely = hypergeom.sf(hits - 1, size, middle, sample) > tail
        low, high = np.where(likely, low, np.minimum(middle + 1, high)), np.where(likely, middle, high)
    return np.asarray(low)
