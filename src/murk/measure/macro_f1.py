"""Macro-F1: the mean of the classes' F1 scores."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Int

from murk.errors import refuse
from murk.measure.binomial import weighted_upper_limit
from murk.measure.estimate import Estimate, level_fault
from murk.measure.predicted import read_labels, read_predicted, refuse_empty_classes

__all__ = ["macro_f1"]

METHOD = "delta method on the multinomial, beta limits with one more event"


def macro_f1(
    labels: Any, predictions_or_probs: Any, *, num_classes: int | None = None, confidence_level: float = 0.95
) -> Estimate:
    """Estimate (1/K) sum_k F1_k with F1_k = 2 P(truth k, prediction k) / (P(truth k) + P(prediction k)).

    The true value is that of the population the examples were drawn from. The variance is the delta method's on the
    multinomial of (truth, prediction). Either end allows for one more event where it weighs most (an example that
    turns wrong, or right), and the high end for the score's downward bias in small classes, (1/K) sum_k F1_k (errors
    of k) / (n_k + m_k)^2 with m_k predictions of k and F1_k drawn a little to 1. So the interval holds near 0 and 1
    and for rare classes, where it is wider than needed. That it covers is shown by simulation, for 2 to 300 classes
    of 2 to 2,000 examples, and is not proved. Not promised: many classes with a single example.

    Args:
        labels: true classes, int [N] in [0, K), every class at least once.
        predictions_or_probs: as for `accuracy`.
        num_classes: K; without it, the columns of the probabilities or the highest class that occurs plus one.
        confidence_level: in (0, 1).

    Returns:
        A single estimate in [0, 1].

    Raises:
        InputError: a class without examples, or what `accuracy` refuses.

    Example:
        >>> macro_f1([0, 0, 1, 1], [0, 0, 1, 0]).value.__round__(4)
        0.7333

    Source: Fay and Feuer 1997, Statistics in Medicine 16 (limits for weighted sums of rare events); the weights are
        the score's influence function.
    """
    refuse([level_fault(confidence_level)])
    predicted = read_predicted(predictions_or_probs)
    truth, settled = read_labels(labels, predicted, num_classes)
    sizes = refuse_empty_classes(truth, settled, what="macro-F1")
    guesses = np.bincount(predicted.classes, minlength=settled)
    right = np.bincount(truth[truth == predicted.classes], minlength=settled)
    both = sizes + guesses
    scores = 2 * right / both
    value = float(scores.mean())
    variance = _variance(truth, predicted.classes, scores / both, 2 / both, sizes=sizes, right=right)
    bias = float(((2 * right + 1) / (both + 1) * (both - 2 * right) / both**2).mean())
    loss, gain = _loss_of_one_right(right, both), _gain_of_one_wrong(right, sizes, guesses)
    low, high = 0.0, 1.0
    if loss > 0:
        low = 1 - weighted_upper_limit(
            1 - value, variance=variance, event_weight=loss, confidence_level=confidence_level
        )
    if gain > 0:
        high = weighted_upper_limit(
            value + bias, variance=variance, event_weight=gain, confidence_level=confidence_level
        )
    return Estimate(value, min(low, value), high, confidence_level, METHOD)


def _variance(
    truth: Int[np.ndarray, " N"],
    guess: Int[np.ndarray, " N"],
    cost: np.ndarray,
    reward: np.ndarray,
    *,
    sizes: np.ndarray,
    right: np.ndarray,
) -> float:
    """Sum the squared influence of the examples, made unbiased within each true class; single ones are pooled."""
    num_classes = len(sizes)
    influence = np.where(truth == guess, reward[truth], 0.0) - cost[truth] - cost[guess]
    mean = np.bincount(truth, weights=influence, minlength=num_classes) / sizes
    within = np.bincount(truth, weights=(influence - mean[truth]) ** 2, minlength=num_classes)
    within *= np.where(sizes > 1, sizes / np.maximum(sizes - 1, 1), 0.0)
    single = sizes == 1
    count = int(single.sum())
    pooled = 0.0
    if count > 1:
        share = float(right[single].mean())
        pooled = share * (1 - share) * count**2 / (count - 1)
    return float(within.sum() + (sizes * mean**2).sum() + pooled) / num_classes**2


def _loss_of_one_right(right: Int[np.ndarray, " K"], both: Int[np.ndarray, " K"]) -> float:
    """Find the most that macro-F1 loses if one right example turns wrong: its class loses, and the one it goes to."""
    score = 2 * right / both
    own = np.where(right > 0, score - 2 * (right - 1) / (both - 1), -np.inf)
    other = score - 2 * right / (both + 1)
    return max(_best_pair(own, other) / len(right), 0.0)


def _gain_of_one_wrong(
    right: Int[np.ndarray, " K"], sizes: Int[np.ndarray, " K"], guesses: Int[np.ndarray, " K"]
) -> float:
    """Find the most that macro-F1 gains if one wrong example turns right, or one right example comes to the data."""
    both = sizes + guesses
    score = 2 * right / both
    own = np.where(sizes > right, 2 * (right + 1) / (both + 1) - score, -np.inf)
    freed = np.where(both > 1, 2 * right / np.maximum(both - 1, 1), 1.0) - score
    other = np.where(guesses > right, freed, 0.0)
    joined = np.where(both > 2 * right, 2 * (right + 1) / (both + 2) - score, -np.inf)
    return max(_best_pair(own, other) / len(right), float(joined.max()) / len(right), 0.0)


def _best_pair(own: np.ndarray, other: np.ndarray) -> float:
    """Maximise own[j] + other[k] over j != k."""
    second, first = np.argsort(other)[-2:]
    partner = np.where(np.arange(len(own)) == first, other[second], other[first])
    return float((own + partner).max())
