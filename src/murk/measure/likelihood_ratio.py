"""The share of right predictions from what each example says of being right or wrong: a one-parameter mixture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.integrate import cumulative_trapezoid
from scipy.optimize import brentq
from scipy.stats import chi2

from murk.errors import InputError, refuse
from murk.measure.binomial import exact_binomial
from murk.measure.estimate import Estimate, level_fault

__all__ = ["likelihood_ratio_accuracy"]

METHOD = "one-parameter likelihood ratio, widened for few errors"
GRID_POINTS = 513
DEEPEST_DROP = 30.0  # log-likelihood below the top at which nothing is left to integrate: e^-30
ROWS_AT_ONCE = 4_096


def likelihood_ratio_accuracy(
    correct_loglik: Any,
    wrong_loglik: Any,
    *,
    confidence_level: float = 0.95,
    repeats: Any = None,
) -> Estimate:
    """Estimate A in prod_i [A P(data_i | prediction right) + (1 - A) P(data_i | prediction wrong)].

    The value maximises this likelihood on [0, 1]. The interval holds every A whose 2 log likelihood ratio against the
    value is at most the chi-square(1) quantile, and is widened to the central interval of the normalised likelihood
    (flat prior) where that reaches further: with fewer than some ten errors the ratio alone covers as little as
    85 %. Where every example says for sure whether it is right, the interval is the exact binomial one.

    Args:
        correct_loglik: float [N], log P(data_i | prediction i is right), in [-inf, inf), up to a constant of its own.
        wrong_loglik: float [N], log P(data_i | prediction i is wrong), up to the same constant.
        confidence_level: in (0, 1).
        repeats: int [N] >= 0, for how many examples each entry stands; None for one each.

    Returns:
        A single estimate in [0, 1]; at the ends of the range the interval is one-sided.

    Raises:
        InputError: shapes differ, NaN, no examples, an example impossible either way, or examples that all say nothing.

    Example:
        >>> import numpy as np
        >>> agreed = np.repeat([True, False], [74, 26])  # with a judge who is right 80 times of 100, on two classes
        >>> correct, wrong = np.where(agreed, 0.8, 0.2), np.where(agreed, 0.2, 0.8)
        >>> likelihood_ratio_accuracy(np.log(correct), np.log(wrong)).value.__round__(6)  # 0.2 + 0.6 A = 0.74
        0.9

    Source: Wilks 1938; widening and its simulated coverage are ours.
    """
    refuse([level_fault(confidence_level)])
    mixture = _read(correct_loglik, wrong_loglik, repeats)
    if not ((mixture.right > 0) & (mixture.wrong > 0)).any():
        right = int(mixture.repeats[mixture.right > 0].sum())
        return exact_binomial(right, int(mixture.repeats.sum()), confidence_level=confidence_level)
    value = mixture.maximum()
    drop = float(chi2.ppf(confidence_level, 1)) / 2
    low, high = mixture.crossing(value, 0.0, drop), mixture.crossing(value, 1.0, drop)
    flat_low, flat_high = mixture.flat_prior_interval(value, confidence_level)
    return Estimate(value, min(low, flat_low), max(high, flat_high), confidence_level, METHOD)


@dataclass(frozen=True)
class _Mixture:
    """Distinct likelihood pairs (the larger of each is one) and for how many examples each stands."""

    right: Float[np.ndarray, " U"]
    wrong: Float[np.ndarray, " U"]
    repeats: Float[np.ndarray, " U"]

    def loglik(self, accuracy: float) -> float:
        """Sum log(A right + (1 - A) wrong)."""
        with np.errstate(divide="ignore"):
            return float(self.repeats @ np.log(accuracy * self.right + (1 - accuracy) * self.wrong))

    def score(self, accuracy: float) -> float:
        """Differentiate the log-likelihood; it falls in A, and is infinite at an end that some example excludes."""
        with np.errstate(divide="ignore"):
            mixed = accuracy * self.right + (1 - accuracy) * self.wrong
            return float((self.repeats * ((self.right - self.wrong) / mixed)).sum())

    def maximum(self) -> float:
        """Find the A in [0, 1] of the largest likelihood."""
        if self.score(1.0) >= 0:
            return 1.0
        if self.score(0.0) <= 0:
            return 0.0
        below, above = 0.5, 0.5
        while self.score(below) < 0:
            below /= 2
        while self.score(above) > 0:
            above = 1 - (1 - above) / 2
        return below if below == above else float(brentq(self.score, below, above, xtol=1e-14))

    def crossing(self, value: float, end: float, drop: float) -> float:
        """Find where, from the maximum towards an end, the log-likelihood has fallen by `drop`; the end if never."""
        top = self.loglik(value)

        def excess(accuracy: float) -> float:
            return min(top - self.loglik(accuracy), 1e6) - drop

        if value == end or excess(end) <= 0:
            return end
        return float(brentq(excess, min(value, end), max(value, end), xtol=1e-14))

    def flat_prior_interval(self, value: float, confidence_level: float) -> tuple[float, float]:
        """Take the central interval of the likelihood, normalised over [0, 1]."""
        start, stop = (self.crossing(value, end, DEEPEST_DROP) for end in (0.0, 1.0))
        grid = np.linspace(start, stop, GRID_POINTS)
        loglik = np.zeros(GRID_POINTS)
        with np.errstate(divide="ignore"):
            for at in range(0, len(self.repeats), ROWS_AT_ONCE):
                part = slice(at, at + ROWS_AT_ONCE)
                mixed = np.multiply.outer(grid, self.right[part]) + np.multiply.outer(1 - grid, self.wrong[part])
                loglik += np.log(mixed) @ self.repeats[part]
        mass = cumulative_trapezoid(np.exp(loglik - self.loglik(value)), grid, initial=0)
        tail = (1 - confidence_level) / 2
        low, high = np.interp(np.array([tail, 1 - tail]) * mass[-1], mass, grid)
        return min(float(low), value), max(float(high), value)


def _read(correct_loglik: Any, wrong_loglik: Any, repeats: Any) -> _Mixture:
    """Check the log-likelihoods and keep each distinct difference once; what says nothing is dropped."""
    correct, wrong = np.asarray(correct_loglik, dtype=np.float64), np.asarray(wrong_loglik, dtype=np.float64)
    times = np.ones(correct.shape, np.int64) if repeats is None else np.asarray(repeats)
    if correct.ndim != 1 or correct.shape != wrong.shape or times.shape != correct.shape:
        raise InputError(
            "expected log-likelihoods (and repeats) as lists of one length, "
            f"but the shapes {correct.shape}, {wrong.shape} and {times.shape} came"
        )
    largest = np.maximum(correct, wrong)  # NaN stays NaN
    refuse([
        _fault(~(largest < np.inf), "log-likelihoods are below infinity and not NaN"),
        _fault(np.isneginf(largest), "an example is possible if its prediction is right, or if it is wrong"),
        "" if times.dtype.kind in "iu" and (times >= 0).all() else "repeats are whole numbers >= 0, but others came",
    ])  # fmt: skip
    difference, at = np.unique(correct - wrong, return_inverse=True)
    counted = np.bincount(at, weights=times, minlength=len(difference))
    telling = (difference != 0) & (counted > 0)
    if not telling.any():
        raise InputError(
            "expected examples that tell a right prediction from a wrong one, but every accuracy in [0, 1] explains "
            f"these {len(correct)} equally well; give votes, under noise that leaves them some information"
        )
    difference, counted = difference[telling], counted[telling]
    return _Mixture(np.exp(np.minimum(difference, 0)), np.exp(-np.maximum(difference, 0)), counted)


def _fault(wrong: np.ndarray, expected: str) -> str:
    at = np.flatnonzero(wrong)
    return f"expected that {expected}, but example {at[0]} is not so ({len(at)} such)" if len(at) else ""
