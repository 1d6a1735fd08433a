"""Balanced accuracy: the mean of the classes' accuracies."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Int

from murk.errors import refuse
from murk.measure.binomial import weighted_upper_limit
from murk.measure.estimate import Estimate, level_fault
from murk.measure.predicted import read_labels, read_predicted, refuse_empty_classes

__all__ = ["balanced_accuracy"]

METHOD = "mean of independent binomials, beta limits with one more event"


def balanced_accuracy(
    labels: Any, predictions_or_probs: Any, *, num_classes: int | None = None, confidence_level: float = 0.95
) -> Estimate:
    """Estimate (1/K) sum_k P(prediction is k given truth k), each class alike however rare.

    The classes' right predictions are independent binomials, each weighing 1 / (K n_k). Either end allows for one
    more event (an error, or a right prediction) in the rarest class, so that it holds near 0 and 1 and for classes
    with a handful of examples; there it is wider than needed. That it covers is shown by simulation, for 2 to 100
    classes of 1 to 2,000 examples, and is not proved.

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
        >>> balanced_accuracy([0, 0, 0, 1], [0, 0, 0, 0]).value
        0.5

    Source: Fay and Feuer 1997, Statistics in Medicine 16 (limits for weighted sums of rare events).
    """
    refuse([level_fault(confidence_level)])
    predicted = read_predicted(predictions_or_probs)
    truth, settled = read_labels(labels, predicted, num_classes)
    sizes = refuse_empty_classes(truth, settled, what="balanced accuracy")
    right = np.bincount(truth[truth == predicted.classes], minlength=settled)
    value = float((right / sizes).mean())
    limit = {
        "variance": _variance(right, sizes),
        "event_weight": 1 / (settled * float(sizes.min())),
        "confidence_level": confidence_level,
    }
    low = 1 - weighted_upper_limit(1 - value, **limit)
    return Estimate(value, min(low, value), weighted_upper_limit(value, **limit), confidence_level, METHOD)


def _variance(right: Int[np.ndarray, " K"], sizes: Int[np.ndarray, " K"]) -> float:
    """Estimate the variance without bias: class by class from two examples on, single-example classes pooled.

    Pooling is safe: p (1 - p) is concave, so that unlike classes make the pooled variance too large, not too small.
    """
    single = sizes == 1
    many = sizes[~single].astype(np.float64)
    hits = right[~single]
    variance = float((hits * (many - hits) / (many**2 * (many - 1))).sum())
    count = int(single.sum())
    if count > 1:
        share = float(right[single].mean())
        variance += count * share * (1 - share) * count / (count - 1)
    return variance / len(sizes) ** 2
