"""Accuracy on clean labels, over all examples and per class, with exact intervals."""

from __future__ import annotations

from typing import Any

import numpy as np

from murk.errors import InputError, refuse
from murk.measure.binomial import exact_binomial
from murk.measure.estimate import Estimate, level_fault
from murk.measure.predicted import read_labels, read_predicted, refuse_empty_classes

__all__ = ["accuracy", "accuracy_per_class", "top_k_accuracy"]


def accuracy(labels: Any, predictions_or_probs: Any, *, confidence_level: float = 0.95) -> Estimate:
    """Estimate the share of right predictions, with the exact binomial interval.

    The interval is for the population the examples came from, if they were drawn from it independently; it does not
    cover for repeated photographs of one thing, nor for a model that was chosen by these same labels.

    Args:
        labels: true classes, int [N] in [0, K).
        predictions_or_probs: predicted classes, int [N], or probabilities (any scores), float [N, K]: the largest
            column is the prediction, the first one of equals.
        confidence_level: in (0, 1).

    Returns:
        A single estimate in [0, 1].

    Raises:
        InputError: no examples, unknown (-1) or out-of-range labels, NaN, or shapes that do not fit.

    Example:
        >>> print(accuracy([0, 1, 1, 0], [0, 1, 1, 1]))
        0.750 (0.194 to 0.994, 95 %)

    Source: Clopper and Pearson 1934.
    """
    refuse([level_fault(confidence_level)])
    predicted = read_predicted(predictions_or_probs)
    truth, _ = read_labels(labels, predicted)
    right = int((truth == predicted.classes).sum())
    return exact_binomial(right, len(truth), confidence_level=confidence_level)


def accuracy_per_class(
    labels: Any, predictions_or_probs: Any, *, num_classes: int | None = None, confidence_level: float = 0.95
) -> Estimate:
    """Estimate each true class's share of right predictions (its recall), with exact binomial intervals.

    Each interval holds at the level on its own, not all K of them together.

    Args:
        labels: true classes, int [N] in [0, K), every class at least once.
        predictions_or_probs: as for `accuracy`.
        num_classes: K; without it, the columns of the probabilities or the highest class that occurs plus one.
        confidence_level: in (0, 1).

    Returns:
        An estimate of shape [K].

    Raises:
        InputError: a class without examples, or what `accuracy` refuses.

    Example:
        >>> accuracy_per_class([0, 1, 1, 0], [0, 1, 1, 1]).value.tolist()
        [0.5, 1.0]

    Source: Clopper and Pearson 1934.
    """
    refuse([level_fault(confidence_level)])
    predicted = read_predicted(predictions_or_probs)
    truth, settled = read_labels(labels, predicted, num_classes)
    sizes = refuse_empty_classes(truth, settled, what="accuracy per class")
    right = np.bincount(truth[truth == predicted.classes], minlength=settled)
    return exact_binomial(right, sizes, confidence_level=confidence_level)


def top_k_accuracy(labels: Any, probs: Any, *, k: int, confidence_level: float = 0.95) -> Estimate:
    """Estimate the share of examples whose true class is among the k largest probabilities.

    An example counts as right if fewer than k classes have a larger probability than its true class, or as large a one
    and a smaller number.

    Args:
        labels: true classes, int [N] in [0, K).
        probs: probabilities or any scores, float [N, K].
        k: in [1, K).
        confidence_level: in (0, 1).

    Returns:
        A single estimate in [0, 1], with the exact binomial interval.

    Raises:
        InputError: predicted classes in place of probabilities, k out of range, or what `accuracy` refuses.

    Example:
        >>> top_k_accuracy([0, 2], [[0.2, 0.5, 0.3], [0.4, 0.5, 0.1]], k=2).value
        0.0

    Source: Clopper and Pearson 1934.
    """
    refuse([level_fault(confidence_level)])
    predicted = read_predicted(probs)
    columns = predicted.num_classes
    if columns is None or not 1 <= k < columns:
        raise InputError(f"top-k needs probabilities [N, K] and k in [1, K), but k = {k!r} and K = {columns} came")
    truth, _ = read_labels(labels, predicted)
    scores = np.asarray(probs)
    own = scores[np.arange(len(truth)), truth][:, None]
    before = (scores > own) | ((scores == own) & (np.arange(columns) < truth[:, None]))
    return exact_binomial(int((before.sum(axis=1) < k).sum()), len(truth), confidence_level=confidence_level)
