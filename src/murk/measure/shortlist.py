"""Shortlists: of each example the likeliest classes, its label among them. What an audit keeps of probabilities."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Int

from murk.errors import InputError, refuse
from murk.measure.predicted import read_array
from murk.measure.probabilities import OFF_BY

__all__ = ["LONGEST", "Shortlist", "TopK", "read_shortlist"]

LONGEST = 10  # classes kept of each example
BYTES_AT_ONCE = 1 << 23


@dataclass(frozen=True, eq=False)
class TopK:
    """The few likeliest classes of each example, where there are too many to write all.

    Args:
        classes: int [N, k], each row's classes, all different, in [0, K).
        probs: float [N, k] in [0, 1], their probabilities; a row sums to one at most, the rest is any other class's.
        num_classes: K.

    Example:
        >>> TopK([[3, 7]], [[0.6, 0.3]], num_classes=1000).num_classes
        1000
    """

    classes: Any
    probs: Any
    num_classes: int


@runtime_checkable
class Rows(Protocol):
    """A table of numbers of which rising blocks of rows are read, such as `murk.data.tables.ParquetNumbers`."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    ndim: int

    def __len__(self) -> int:
        """Count the rows."""
        ...

    def __getitem__(self, part: slice) -> np.ndarray:
        """Read a block of rows."""
        ...


@dataclass(frozen=True)
class Shortlist:
    """The m likeliest classes of each of N examples.

    Attributes:
        classes: int32 [N, m], all different within a row.
        probs: float32 [N, m], of these classes; what a row lacks of one belongs to the others.
        labels: int32 [N], the classes given; each among its row's.
        num_classes: K.
    """

    classes: Int[np.ndarray, "N m"]
    probs: Float[np.ndarray, "N m"]
    labels: Int[np.ndarray, " N"]
    num_classes: int

    def __len__(self) -> int:
        """Count the examples."""
        return len(self.labels)

    @property
    def predicted(self) -> Int[np.ndarray, " N"]:
        """The likeliest class of each example."""
        return np.take_along_axis(self.classes, self.probs.argmax(1)[:, None], axis=1)[:, 0]

    @property
    def most_unlisted(self) -> Float[np.ndarray, " N"]:
        """The most that a class not listed can have of each row's probability: 0 where all classes are listed."""
        if self.probs.shape[1] == self.num_classes:
            return np.zeros(len(self))
        rest = np.maximum(1 - self.probs.sum(1, dtype=np.float64), 0)
        likely = np.where(self.classes == self.labels[:, None], 1, self.probs)  # a label is listed however unlikely
        return np.asarray(np.minimum(rest, likely.min(1)))

    def rows(self, chosen: np.ndarray) -> Shortlist:
        """Keep the examples `chosen`."""
        return Shortlist(self.classes[chosen], self.probs[chosen], self.labels[chosen], self.num_classes)


def read_shortlist(labels: Any, probs: Any, *, longest: int = LONGEST, rows_at_once: int | None = None) -> Shortlist:
    """Read probabilities once, block by block, and keep each row's likeliest classes and its label.

    Nothing of the size of the table is ever in memory: `probs` may be a memory map. The result does not depend on the
    size of the blocks.

    Args:
        labels: int [N] in [0, K).
        probs: float [N, K], rows sum to one, an array or `Rows`; or `TopK`.
        longest: classes kept, m <= longest.
        rows_at_once: of a block; None for what fits 8 MiB.

    Raises:
        InputError: labels that are none or out of range, numbers that do not fit, and rows that are no probabilities of
            one class: NaN, negative (logits), or another sum than one (several labels at once, sigmoids).
    """
    table = _Table.of(probs)
    given = read_array(labels, what="labels")
    refuse([_labels_fault(given, table.num_rows, table.num_classes)])
    given = given.astype(np.int32)
    width = min(longest, table.width, table.num_classes)
    classes = np.empty((len(given), width), np.int32)
    kept = np.empty((len(given), width), np.float32)
    for part in _parts(table, rows_at_once):
        classes[part], kept[part] = table.likeliest(part, given[part], width)
    return Shortlist(classes, kept, given, table.num_classes)


@dataclass(frozen=True)
class _Table:
    """Probabilities as they came: whole rows, or their likeliest classes."""

    probs: np.ndarray | Rows
    classes: np.ndarray | None
    num_classes: int

    @classmethod
    def of(cls, probs: Any) -> _Table:
        if isinstance(probs, TopK):
            return cls(*_read_top(probs))
        array = probs if isinstance(probs, Rows) else read_array(probs, what="probabilities")
        if array.ndim != 2 or array.shape[1] < 2 or array.dtype.kind != "f":
            raise InputError(
                f"expected probabilities, floats [N, K] with K >= 2, but {array.dtype} of shape {array.shape} came"
            )
        return cls(array, None, array.shape[1])

    @property
    def num_rows(self) -> int:
        return len(self.probs)

    @property
    def width(self) -> int:
        return self.num_classes if self.classes is None else self.probs.shape[1] + 1  # for a label that it lacks

    def likeliest(self, part: slice, labels: np.ndarray, width: int) -> tuple[np.ndarray, np.ndarray]:
        """Give the classes [B, width] and probabilities of a block of rows, each with its label."""
        import torch

        block = np.array(self.probs[part], dtype=np.float32)  # its own: a map cannot be written to
        total = block.sum(1, dtype=np.float64)
        self._refuse_rows(block, total, at=part.start)
        if self.classes is not None:
            return self._with_label(part, block, total, labels, width)
        top, at = (each.numpy() for each in torch.topk(torch.from_numpy(block), width, dim=1))
        top, at = top / total[:, None], at.astype(np.int32)
        lacks = np.flatnonzero((at != labels[:, None]).all(1))
        at[lacks, -1] = labels[lacks]
        top[lacks, -1] = block[lacks, labels[lacks]] / total[lacks]
        return at, top

    def _with_label(
        self, part: slice, block: np.ndarray, total: np.ndarray, labels: np.ndarray, width: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Put a label that a row lacks at its end; its probability is an equal part of the rest."""
        assert self.classes is not None
        named = np.asarray(self.classes[part], dtype=np.int32)
        order = np.argsort(-block, axis=1, kind="stable")
        named, block = np.take_along_axis(named, order, axis=1), np.take_along_axis(block, order, axis=1)
        others = max(self.num_classes - block.shape[1], 1)
        rest = np.maximum(1 - total, 0) / others
        if width > block.shape[1]:  # room for one more, the first class that the row does not name
            free = (np.arange(width) != named[:, :, None]).all(1).argmax(1)
            named, block = np.c_[named, free.astype(np.int32)], np.c_[block, rest.astype(np.float32)]
        named, block = named[:, :width].copy(), block[:, :width].copy()
        lacks = np.flatnonzero((named != labels[:, None]).all(1))
        own = np.asarray(self.classes[part])[lacks] == labels[lacks, None]
        told = (np.asarray(self.probs[part])[lacks] * own).sum(1)
        named[lacks, -1] = labels[lacks]
        block[lacks, -1] = np.where(own.any(1), told, rest[lacks])
        return named, block

    def _refuse_rows(self, block: np.ndarray, total: np.ndarray, *, at: int) -> None:
        bad = ~np.isfinite(total)
        _refuse(bad, at, "has NaN or infinity; check the model's outputs, no example is dropped in silence")
        _refuse(block.min(1) < 0, at, "has a number below 0; these look like logits: apply softmax first")
        _refuse(total > 1 + OFF_BY, at, lambda row: (
            f"sums to {total[row]:.4g}: rows are the probabilities of one class each and sum to one; scores of several "
            "labels at once (sigmoids) are not what is asked for here"
        ))  # fmt: skip
        _refuse(total <= 0, at, "has no probability above 0; give what the classifier said of it")
        low = np.zeros(len(total), np.bool_) if self.classes is not None else total < 1 - OFF_BY
        _refuse(low, at, lambda row: (
            f"sums to {total[row]:.4g}, not to one; divide each row by its sum, or give `TopK` where classes were left "
            "out"
        ))  # fmt: skip


def _refuse(wrong: np.ndarray, at: int, said: Any) -> None:
    row = np.flatnonzero(wrong)
    if len(row):
        told = said(row[0]) if callable(said) else said
        raise InputError(f"probabilities: example {at + row[0]} {told}")


def _read_top(given: TopK) -> tuple[np.ndarray, np.ndarray, int]:
    classes, probs = read_array(given.classes, what="classes"), read_array(given.probs, what="probabilities")
    size = given.num_classes
    whole = isinstance(size, int | np.integer) and size >= 2
    refuse([
        "" if classes.ndim == 2 and classes.dtype.kind in "iu" and probs.dtype.kind == "f"
        and probs.shape == classes.shape and classes.shape[1] else
        f"expected classes, integers [N, k], and as many probabilities, but {classes.dtype} of {classes.shape} and "
        f"{probs.dtype} of {probs.shape} came",
        "" if whole else f"num_classes is an integer >= 2, but {size!r} came",
    ])  # fmt: skip
    outside = (classes < 0) | (classes >= size)
    twice = (np.diff(np.sort(classes, axis=1), axis=1) == 0).any(1)
    refuse([
        f"classes lie in [0, {size}), but {classes[outside][0]} came" if outside.any() else "",
        f"a row's classes are all different, but example {np.flatnonzero(twice)[0]} names one twice" if twice.any()
        else "",
    ])  # fmt: skip
    return probs, classes, int(size)


def _labels_fault(labels: np.ndarray, num_rows: int, num_classes: int) -> str:
    if labels.ndim == 2 and labels.shape[0] == num_rows and num_rows:
        return (
            f"expected one label an example, but a table {labels.shape} came; several labels at once are not what is "
            "asked for here"
        )
    if labels.ndim != 1 or labels.dtype.kind not in "iu":
        return f"labels are integers [N], but {labels.dtype} of shape {labels.shape} came"
    if len(labels) != num_rows:
        return f"expected a row of probabilities for each label, but {len(labels)} labels and {num_rows} rows came"
    if not len(labels):
        return "expected at least one example, but none came"
    wrong = np.flatnonzero((labels < 0) | (labels >= num_classes))
    if len(wrong):
        return (
            f"labels lie in [0, {num_classes}), as many classes as the probabilities have, but example {wrong[0]} has "
            f"{labels[wrong[0]]} ({len(wrong)} such)"
        )
    return ""


def _parts(table: _Table, rows_at_once: int | None) -> Iterator[slice]:
    rows = rows_at_once or max(1, BYTES_AT_ONCE // (4 * table.probs.shape[1]))
    for start in range(0, table.num_rows, rows):
        yield slice(start, min(start + rows, table.num_rows))
