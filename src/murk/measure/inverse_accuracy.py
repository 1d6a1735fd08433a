"""Accuracy from noisy votes for any transition: through its inverse, without a model of the errors."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from scipy.special import ndtri

from murk.errors import UndecidedError, refuse
from murk.measure.estimate import Estimate, level_fault
from murk.measure.vote_reading import read_votes_by
from murk.noise import Votes

__all__ = ["accuracy_per_class_from_votes", "compare_from_votes", "inverse_accuracy"]

GRID = 2001
WIDEST = 0.5  # an interval wider than that says nothing that could be used
METHOD = "through the inverse of T; score interval"


def inverse_accuracy(
    predictions_or_probs: Any, votes: Votes, *, noise: Any, confidence_level: float = 0.95
) -> Estimate:
    """Estimate the accuracy of predictions from votes under any transition T whose rows are independent.

    With W such that T W = I, a vote v is worth W[v, a] for the predicted class a: in the mean 1 if the prediction is
    right and 0 if not, whatever its errors are. The estimate is the mean over examples (of the mean over an example's
    votes, noisy annotators counting less). The interval holds every A with |estimate - A| <= z sd(A), the variance
    being that at accuracy A of what a right and a wrong prediction's votes are worth, and that of T where it is an
    estimate.

    Args:
        predictions_or_probs: int [N], or float [N, K].
        votes: of the same examples, of which the predictions are independent.
        noise: `Channel`, `Dilution` of any pattern, `Annotators`; or an estimate of T with its intervals: a
            `TransitionEstimate`, or an `Estimate` [K, K] as `Audit.transition` gives it.
        confidence_level: in (0, 1).

    Raises:
        InputError: votes and noise that do not fit.
        UndecidedError: rows of T depend on each other, or so nearly that the interval would be wider than half.

    Example:
        >>> from murk.noise import Channel
        >>> truth = np.arange(4000) % 4
        >>> noise = Channel([[0.7, 0.1, 0.1, 0.1], [0.2, 0.8, 0, 0], [0, 0.3, 0.6, 0.1], [0, 0, 0, 1]])
        >>> estimate = inverse_accuracy(truth, noise.draw(truth, seed=0), noise=noise)
        >>> estimate.low > 0.95
        True

    Source: the inverse is that of Natarajan et al. 2013 (unbiased losses); Wilson's interval for it is derived.
    """
    refuse([level_fault(confidence_level)])
    reading, predicted = read_votes_by(noise, predictions_or_probs, votes)
    worth = reading.worth(predicted, votes)
    estimate, extra = float(worth.value.mean()), 0.0
    right, wrong = reading.variances(worth)
    if reading.answers is not None:
        shares = np.bincount(worth.predicted, minlength=reading.num_classes) / len(worth.predicted)
        bias = float(np.trace(reading.bias(reading.moments(predicted, votes).hits)))
        estimate -= bias
        extra = reading.variance_of_transition(np.diag(shares)) + bias**2  # as of predictions that are right
    low, high = _score_interval(estimate, len(worth.value), right, wrong, extra, confidence_level)
    value, low, high = (float(np.clip(each, 0, 1)) for each in (estimate, low, high))
    if high - low > WIDEST:
        raise UndecidedError(
            f"cannot say: by these votes the accuracy is between {low:.2f} and {high:.2f}; they are too few for such "
            f"noise (condition number of T: {reading.condition:.3g}); give more votes, or label some examples cleanly "
            "and use `accuracy`"
        )
    return Estimate(value, min(low, value), max(high, value), confidence_level, f"{METHOD}, {reading.told}")


def accuracy_per_class_from_votes(
    predictions_or_probs: Any, votes: Votes, *, noise: Any, confidence_level: float = 0.95
) -> Estimate:
    """Estimate each true class's share of right predictions, [K], from votes.

    A ratio of two means, P(predicted and true j) and P(true j): the interval holds every R at which their difference
    P(predicted and true j) - R P(true j) is within z standard deviations of zero, that deviation being the one at R,
    with that of T where it is an estimate. A class of which the votes do not even show that there is any has the
    interval [0, 1]. Each holds on its own.

    Args and raises: as `inverse_accuracy`, but no class is refused for its width.

    Example:
        >>> from murk.noise import Channel
        >>> truth = np.arange(4000) % 2
        >>> noise = Channel.symmetric(0.2, num_classes=2)
        >>> found = accuracy_per_class_from_votes(truth * 0, noise.draw(truth, seed=0), noise=noise)
        >>> bool(found.low[0] > 0.9 and found.high[1] < 0.1)
        True

    Source: Fieller 1954 (the ratio); its variance at R is derived.
    """
    refuse([level_fault(confidence_level)])
    reading, predicted = read_votes_by(noise, predictions_or_probs, votes)
    moments = reading.moments(predicted, votes)
    moments = replace(moments, hits=moments.hits - reading.bias(moments.hits))
    z = float(ndtri((1 + confidence_level) / 2))
    found = [
        _ratio_interval(*each, size=moments.size, z=z, extra=reading.variance_of_ratio(moments.hits, k))
        for k, each in enumerate(reading.ratios(moments))
    ]
    value, low, high = np.array(found).T
    return Estimate(value, low, high, confidence_level, f"{METHOD} of a ratio, {reading.told}")


def compare_from_votes(
    predictions_or_probs: Any, others: Any, votes: Votes, *, noise: Any, confidence_level: float = 0.95
) -> Estimate:
    """Estimate by how much one model's accuracy is above another's, on the same noisy votes.

    Where both predict the same class, noise adds nothing. The interval is normal over all examples, widened by one more
    example on which they differ, and by T's own error where it is an estimate.

    Args:
        predictions_or_probs: int [N], or float [N, K], of the one.
        others: of the other.
        votes: of the same examples.
        noise: as for `inverse_accuracy`.
        confidence_level: in (0, 1).

    Returns:
        An estimate in [-1, 1].

    Raises:
        InputError: as `inverse_accuracy`.

    Example:
        >>> from murk.noise import Channel
        >>> truth = np.arange(4000) % 4
        >>> noise = Channel.symmetric(0.3, num_classes=4)
        >>> worse = np.where(truth == 3, 0, truth)
        >>> print(compare_from_votes(truth, worse, noise.draw(truth, seed=0), noise=noise).low > 0.2)
        True
    """
    refuse([level_fault(confidence_level)])
    reading, predicted = read_votes_by(noise, predictions_or_probs, votes)
    _, other = read_votes_by(noise, others, votes)
    difference = reading.worth(predicted, votes).value - reading.worth(other, votes).value
    count = len(difference)
    largest = float(np.abs(reading.inverse).max())
    mean, extra = float(difference.mean()), 0.0
    if reading.answers is not None:
        hits = reading.moments(predicted, votes).hits - reading.moments(other, votes).hits
        bias = float(np.trace(reading.bias(hits)))
        mean, extra = mean - bias, reading.variance_of_transition(hits) + bias**2
    spread = float(np.sqrt((difference.var(ddof=1) if count > 1 else 1.0) / count + (largest / count) ** 2 + extra))
    reach = float(ndtri((1 + confidence_level) / 2)) * spread
    value = float(np.clip(mean, -1, 1))
    low, high = max(-1.0, mean - reach), min(1.0, mean + reach)
    method = f"paired, through the inverse of T; normal interval, {reading.told}"
    return Estimate(value, min(low, value), max(high, value), confidence_level, method)


def _score_interval(
    estimate: float, size: int, right: float, wrong: float, extra: float, confidence_level: float
) -> tuple[float, float]:
    """Give the A with (estimate - A)^2 <= z^2 ((A right + (1 - A) wrong + A (1 - A)) / size + extra)."""
    z2 = float(ndtri((1 + confidence_level) / 2)) ** 2
    a = 1 + z2 / size
    b = 2 * estimate + z2 * (right - wrong + 1) / size
    c = estimate**2 - z2 * (wrong / size + extra)
    root = np.sqrt(max(b**2 - 4 * a * c, 0.0))
    return (b - root) / (2 * a), (b + root) / (2 * a)


def _ratio_interval(
    hit: float, member: float, own: float, others_hit: float, others_missed: float, *, size: int, z: float,
    extra: tuple[float, float, float],
) -> tuple[float, float, float]:  # fmt: skip
    """Give hit / member, and the R in [0, 1] with (hit - R member)^2 <= z^2 (variance(R) / size + extra(R))."""
    ratio = np.linspace(0, 1, GRID)
    variance = member * own * ratio * (1 - ratio) + (1 - ratio) ** 2 * others_hit + ratio**2 * others_missed
    variance = np.maximum(variance, 1e-12) / size + np.polynomial.Polynomial(extra)(ratio)
    within = np.flatnonzero((hit - ratio * member) ** 2 <= z**2 * variance)
    if member <= 0 or not len(within):
        return 0.5, 0.0, 1.0
    value = min(max(hit / member, 0.0), 1.0)
    step = 1 / (GRID - 1)  # what the grid may have cut off
    low, high = max(0.0, ratio[within[0]] - step), min(1.0, ratio[within[-1]] + step)
    return value, min(low, value), max(high, value)
