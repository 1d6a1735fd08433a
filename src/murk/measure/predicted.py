"""Predicted classes, read from predictions or probabilities, and the true labels beside them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Int

from murk.errors import InputError, refuse
from murk.noise import Votes

__all__ = ["Predicted", "classes_fault", "read_labels", "read_predicted", "refuse_empty_classes", "refuse_misfit"]

ROWS_AT_ONCE = 65_536


@dataclass(frozen=True)
class Predicted:
    """The predicted class of each example.

    Attributes:
        classes: int64 [N] in [0, K).
        num_classes: K where the input says it (probabilities have K columns), else None.
    """

    classes: Int[np.ndarray, " N"]
    num_classes: int | None


def read_predicted(predictions_or_probs: Any) -> Predicted:
    """Read predicted classes: integers [N] as they are, a table [N, K] by its largest column (the first of equals).

    Raises:
        InputError: another shape or kind, NaN, no largest finite entry, or a negative class.
    """
    array = read_array(predictions_or_probs, what="predictions")
    if array.ndim == 2 and array.shape[1] >= 2 and array.dtype.kind == "f":
        return Predicted(_largest_column(array), array.shape[1])
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise InputError(
            "expected predicted classes, integers [N], or probabilities, floats [N, K] with K >= 2, "
            f"but {array.dtype} of shape {array.shape} came"
        )
    classes = array.astype(np.int64)
    _refuse_negative(classes, what="predicted class")
    return Predicted(classes, None)


def read_labels(labels: Any, predicted: Predicted, num_classes: int | None = None) -> tuple[np.ndarray, int]:
    """Read true labels to set beside predictions, and settle K.

    K is `num_classes` if given, else the number of columns of the probabilities, else the highest class seen plus 1.

    Raises:
        InputError: no examples, lengths differ, a label is unknown (-1) or outside [0, K), or two K disagree.
    """
    array = read_array(labels, what="labels")
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise InputError(f"true labels are integers [N], but {array.dtype} of shape {array.shape} came")
    array = array.astype(np.int64)
    if array.shape != predicted.classes.shape:
        raise InputError(
            f"expected one prediction for each label, but {len(array)} labels and {len(predicted.classes)} "
            "predictions came"
        )
    if not len(array):
        raise InputError("expected at least one example, but none came")
    _refuse_negative(array, what="label", unknown=True)
    columns = predicted.num_classes
    whole = isinstance(num_classes, int | np.integer) and not isinstance(num_classes, bool)
    if num_classes is not None and (not whole or num_classes < 2):
        raise InputError(f"num_classes is an integer >= 2, but {num_classes!r} came")
    if num_classes is not None and columns is not None and num_classes != columns:
        raise InputError(f"num_classes is {num_classes}, but the probabilities have {columns} columns")
    highest = int(max(array.max(), predicted.classes.max()))
    settled = int(num_classes if num_classes is not None else columns if columns is not None else max(highest + 1, 2))
    refuse([
        f"labels lie in [0, {settled}), but {array.max()} came" if array.max() >= settled else "",
        f"predicted classes lie in [0, {settled}), but {predicted.classes.max()} came"
        if predicted.classes.max() >= settled else "",
    ])  # fmt: skip
    return array, settled


def refuse_empty_classes(labels: Int[np.ndarray, " N"], num_classes: int, *, what: str) -> Int[np.ndarray, " K"]:
    """Count the examples of each true class, and refuse if a class has none."""
    sizes = np.bincount(labels, minlength=num_classes)
    empty = np.flatnonzero(sizes == 0)
    if len(empty):
        named = ", ".join(str(k) for k in empty[:5])
        raise InputError(
            f"{what} needs examples of every class, but {len(empty)} of {num_classes} have none "
            f"(class {named}{', ...' if len(empty) > 5 else ''}); add examples of them, or leave these classes out"
        )
    return sizes


def refuse_misfit(predicted: Predicted, votes: Any, num_classes: int) -> None:
    """Refuse predictions, votes and noise of K classes that are not of the same examples and classes."""
    if not isinstance(votes, Votes):
        raise InputError(f"expected Votes (Votes.from_labels(...)), but {type(votes).__name__} came")
    classes, columns = predicted.classes, predicted.num_classes
    refuse([
        f"the noise model has {num_classes} classes, but the votes have {votes.num_classes}"
        if votes.num_classes != num_classes else "",
        f"the noise model has {num_classes} classes, but the probabilities have {columns} columns"
        if columns not in (None, num_classes) else "",
        f"expected a prediction for each of the {votes.num_examples} examples that have votes, but {len(classes)} came"
        if len(classes) != votes.num_examples else "",
        f"predicted classes lie in [0, {num_classes}), but {classes.max()} came"
        if len(classes) and columns is None and classes.max() >= num_classes else "",
    ])  # fmt: skip


def classes_fault(classes: np.ndarray, size: int, num_classes: int, *, what: str) -> str:
    """Say what keeps an array from being `size` classes in [0, K), or nothing."""
    if classes.shape != (size,) or classes.dtype.kind not in "iu":
        return f"{what} are {size} integers, but {classes.dtype} of shape {classes.shape} came"
    if size and not ((classes >= 0) & (classes < num_classes)).all():
        return f"{what} lie in [0, {num_classes}), but {classes.min()} to {classes.max()} came"
    return ""


def read_array(values: Any, *, what: str) -> np.ndarray:
    """Read an array (NumPy, a list, a torch tensor on the CPU), or say why it cannot be read."""
    try:
        return np.asarray(values)
    except (TypeError, ValueError, RuntimeError) as error:
        raise InputError(f"{what}: expected an array (a torch tensor: .detach().cpu().numpy()), but {error}") from error


def _largest_column(scores: np.ndarray) -> np.ndarray:
    """Take each row's largest column, in blocks; argmax lands on a NaN if the row has one."""
    classes = np.empty(len(scores), dtype=np.int64)
    for start in range(0, len(scores), ROWS_AT_ONCE):
        block = scores[start : start + ROWS_AT_ONCE]
        best = block.argmax(axis=1)
        faulty = np.flatnonzero(~np.isfinite(block[np.arange(len(block)), best]))
        if len(faulty):
            raise InputError(
                f"probabilities are finite, but example {start + faulty[0]} has NaN or infinity; "
                "check the model's outputs, murk drops no example in silence"
            )
        classes[start : start + ROWS_AT_ONCE] = best
    return classes


def _refuse_negative(classes: np.ndarray, *, what: str, unknown: bool = False) -> None:
    wrong = np.flatnonzero(classes < 0)
    if len(wrong):
        advice = "; leave out the examples whose label is unknown (-1)" if unknown else ""
        raise InputError(
            f"expected a {what} >= 0, but example {wrong[0]} has {classes[wrong[0]]} ({len(wrong)} such){advice}"
        )
