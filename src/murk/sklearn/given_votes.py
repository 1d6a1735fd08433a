"""Labels as scikit-learn users hold them - of any type, one each or a table - read as votes over sorted classes."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils import column_or_1d
from sklearn.utils.multiclass import check_classification_targets

from murk.errors import InputError
from murk.noise import NO_VOTE, Votes

__all__ = ["classes_of", "read_votes"]


def classes_of(classes: Any) -> np.ndarray:
    """Read the classes a user names: [K], all different and sorted, as every array of scikit-learn's has them.

    Raises:
        InputError: fewer than two, repeats, or another order.
    """
    named = np.asarray(classes)
    if named.ndim != 1 or len(named) < 2:
        raise InputError(f"classes name every label there may be, at least two, but {classes!r} came")
    ordered = np.unique(named)
    if len(ordered) != len(named) or (ordered != named).any():
        raise InputError(
            f"classes are all different and sorted, as {ordered.tolist()}, but {named.tolist()} came; put the rows and "
            "columns of a transition matrix in that order too"
        )
    return ordered


def read_votes(given: Any, *, classes: np.ndarray | None = None) -> tuple[np.ndarray, Votes]:
    """Read labels or votes, and the classes that they are of.

    Args:
        given: labels [N] of any one type; a table of votes [N, M], column m being annotator m, with -1, None or NaN
            for no vote; or `Votes`.
        classes: the classes, sorted; None for those that are seen (0 .. K - 1 for `Votes`).

    Returns:
        The classes [K], sorted, and the votes over them.

    Raises:
        InputError: fewer than two classes, labels that are none of `classes`, numbers that are no labels, mixed types.

    Example:
        >>> classes, votes = read_votes([["cat", "dog"], [None, "dog"], ["cat", None]])
        >>> classes.tolist(), votes.counts().tolist()
        (['cat', 'dog'], [[1, 1], [0, 1], [1, 0]])
    """
    if isinstance(given, Votes):
        return _numbered(given, classes), given
    table = _table(given)
    voted = _is_vote(table) if table.ndim == 2 else np.ones(len(table), dtype=bool)
    labels = _of_one_type(table[voted])
    labels = _of_table(labels) if table.ndim == 2 else labels
    check_classification_targets(labels)
    seen, codes = np.unique(labels, return_inverse=True)
    known = seen if classes is None else classes
    if len(known) < 2:
        raise InputError(
            f"expected labels of two classes or more, but {len(known)} class{'' if len(known) else 'es'} came; a "
            "classifier has nothing to learn from one class (name those that are not seen by classes=)"
        )
    numbers = np.full(table.shape, NO_VOTE, dtype=np.int64)
    numbers[voted] = _places(seen, known)[codes]
    make = Votes.from_matrix if table.ndim == 2 else Votes.from_labels
    return known, make(numbers, num_classes=len(known))


def _numbered(votes: Votes, classes: np.ndarray | None) -> np.ndarray:
    if classes is None:
        return np.arange(votes.num_classes)
    if len(classes) != votes.num_classes:
        raise InputError(f"the votes have {votes.num_classes} classes, but classes= names {len(classes)}")
    return classes


def _table(given: Any) -> np.ndarray:
    """Labels as an array [N], or a table [N, M] of two columns or more; pandas' gaps become None."""
    if hasattr(given, "notna") and getattr(given, "ndim", 0) == 2:
        given = given.astype(object).where(given.notna(), None)
    try:
        array = np.asarray(given)
    except ValueError as error:
        raise InputError(f"expected labels [N] or a table of votes [N, M], but rows are ragged ({error})") from error
    if array.dtype.kind in "US" and not hasattr(given, "dtype"):
        array = np.asarray(given, dtype=object)  # of a list: NaN beside texts would be the text "nan"
    if array.ndim == 2 and array.shape[1] > 1:
        return array
    return np.asarray(column_or_1d(array, warn=True))


def _is_vote(table: np.ndarray) -> np.ndarray:
    """Which entries of a table are votes: all but -1, None and NaN."""
    if table.dtype.kind == "f":
        voted = ~np.isnan(table) & (table != NO_VOTE)
    elif table.dtype.kind == "O":
        voted = np.vectorize(lambda entry: not _is_gap(entry), otypes=[bool])(table)
    else:
        voted = np.ones(table.shape, dtype=bool) if table.dtype.kind not in "iu" else table != NO_VOTE
    return np.asarray(voted)


def _is_gap(entry: Any) -> bool:
    return entry is None or (isinstance(entry, int | float | np.number) and (entry == NO_VOTE or entry != entry))


def _of_one_type(labels: np.ndarray) -> np.ndarray:
    """Labels of one type, objects as what they hold."""
    if labels.dtype.kind == "O":
        kinds = {bool if isinstance(x, bool | np.bool_) else str if isinstance(x, str) else float for x in labels}
        if len(kinds) > 1:
            raise InputError("expected labels of one type, but texts and numbers came mixed; convert them to text")
        labels = np.asarray(labels.tolist())
    if labels.dtype.kind == "f" and not np.isfinite(labels).all():
        raise InputError("Input y contains NaN or infinity; drop examples without a label, or bring a table of votes, "
                         "in which NaN is no vote")  # fmt: skip
    return labels


def _of_table(labels: np.ndarray) -> np.ndarray:
    """Labels of a table: integers that NaN beside them made floats are integers again; below 0 there is only -1."""
    if labels.dtype.kind not in "if":
        return labels
    if (labels < 0).any():
        raise InputError(
            f"a table of votes numbers its classes from 0 and has -1 for no vote, but {labels.min()} came; "
            'votes for "none of these" go in by murk.Votes'
        )
    return labels.astype(np.int64) if (labels == np.trunc(labels)).all() and (labels < 2**53).all() else labels


def _places(seen: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Where each label that is seen stands among the classes."""
    comparable = (seen.dtype.kind in "US") == (known.dtype.kind in "US")
    strange = seen[~np.isin(seen, known)] if comparable else seen
    if len(strange):
        raise InputError(
            f"expected labels among the classes {known[:5].tolist()}{' ...' if len(known) > 5 else ''}, but "
            f"{strange[0]!r} came ({len(strange)} such); cross_val_predict renumbers y where it asks for "
            "probabilities: give the labels as votes= there"
        )
    return np.searchsorted(known, seen)
