"""Exact binomial intervals (Clopper-Pearson), and their extension to weighted means of proportions."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import betaincinv

from murk.errors import refuse
from murk.measure.estimate import Estimate, level_fault

__all__ = ["EXACT_BINOMIAL", "exact_binomial", "weighted_upper_limit"]

EXACT_BINOMIAL = "exact binomial (Clopper-Pearson)"


def exact_binomial(successes: Any, trials: Any, *, confidence_level: float = 0.95) -> Estimate:
    """Estimate a proportion with the exact (Clopper-Pearson) interval, which covers at least at its level.

    low solves P(X >= successes) = a/2 and high P(X <= successes) = a/2, where a = 1 - confidence_level.

    Args:
        successes: int, or int array, in [0, trials].
        trials: int >= 1, or array like successes.
        confidence_level: in (0, 1).

    Raises:
        InputError: a number out of range.

    Example:
        >>> print(exact_binomial(978, 1000))
        0.978 (0.967 to 0.986, 95 %)

    Source: Clopper and Pearson 1934.
    """
    hits, total = np.broadcast_arrays(np.asarray(successes), np.asarray(trials))
    whole = hits.dtype.kind in "iu" and total.dtype.kind in "iu"
    refuse([
        level_fault(confidence_level),
        "" if whole and (total >= 1).all() and (hits >= 0).all() and (hits <= total).all()
        else "expected whole numbers with 0 <= successes <= trials and trials >= 1, "
             f"but {successes!r} of {trials!r} came",
    ])  # fmt: skip
    tail = (1 - confidence_level) / 2
    low = np.where(hits == 0, 0.0, betaincinv(np.maximum(hits, 1), total - hits + 1.0, tail))
    high = np.where(hits == total, 1.0, betaincinv(hits + 1.0, np.maximum(total - hits, 1), 1 - tail))
    return Estimate(hits / total, low, high, confidence_level, EXACT_BINOMIAL)


def weighted_upper_limit(mean: float, *, variance: float, event_weight: float, confidence_level: float) -> float:
    """Give the high end for a weighted mean of proportions in [0, 1], allowing for one more event.

    With m = mean + event_weight and V = variance + event_weight^2, the limit is the upper quantile of the beta
    distribution of mean m and precision N = m (1 - m) / V: Beta(m N, (1 - m) N). With rare events this is the gamma
    limit of Fay and Feuer, for one binomial nearly Clopper and Pearson's, with many events the normal one.

    Args:
        mean: the observed weighted mean, in [0, 1].
        variance: an estimate of its sampling variance, >= 0.
        event_weight: what a single event more could add to the mean, > 0.
        confidence_level: of the two-sided interval, in (0, 1).

    Returns:
        The limit, in [mean, 1].

    Source: Fay and Feuer 1997, Statistics in Medicine 16 (gamma limits); the beta in its place is ours, its coverage is
        shown by simulation only.
    """
    shifted = mean + event_weight
    if shifted >= 1:
        return 1.0
    precision = shifted * (1 - shifted) / (variance + event_weight**2)
    quantile = betaincinv(shifted * precision, (1 - shifted) * precision, (1 + confidence_level) / 2)
    return float(max(quantile, mean))
