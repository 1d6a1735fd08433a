"""Votes: the noisy labels an example received; none, one or many, stored or drawn on demand."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from scipy import sparse

from murk.errors import InputError, refuse
from murk.noise.evidence import ragged_rows, refuse_labels

__all__ = ["NONE_OF_THESE", "NO_VOTE", "DrawnVotes", "StoredVotes", "VoteBatch", "Votes"]

NO_VOTE = -1
NONE_OF_THESE = -2
SPARSE_FROM = 257  # classes from which counts come as a SciPy matrix: an image has few votes, not K
VOTES_AT_ONCE = 1 << 20


@dataclass(frozen=True)
class VoteBatch:
    """The votes of B examples, one after another.

    Attributes:
        num_classes: K.
        indices: int64 [B], which examples these are.
        offsets: int64 [B + 1]; example b's votes are labels[offsets[b]:offsets[b + 1]].
        labels: int32 [V] in [0, K]; the value K stands for "none of these".
        weights: float64 [V] > 0, or None for all one: a vote of weight w counts w times.
        annotators: int32 [V] >= 0, or None where it is not known who voted.
    """

    num_classes: int
    indices: Int[np.ndarray, " B"]
    offsets: Int[np.ndarray, " B_plus_1"]
    labels: Int[np.ndarray, " V"]
    weights: Float[np.ndarray, " V"] | None = None
    annotators: Int[np.ndarray, " V"] | None = None

    def __len__(self) -> int:
        """Count the examples."""
        return len(self.indices)

    @property
    def lengths(self) -> Int[np.ndarray, " B"]:
        """Votes per example."""
        return np.diff(self.offsets)

    @property
    def rows(self) -> Int[np.ndarray, " V"]:
        """The example (as a position in this batch) of each vote."""
        return np.repeat(np.arange(len(self)), self.lengths)

    def counts(self) -> Any:
        """Count (or sum the weights of) the votes per class: [B, K + 1], the last column "none of these".

        Dense up to 256 classes, a SciPy CSR array above.
        """
        answers = self.num_classes + 1
        if self.num_classes >= SPARSE_FROM:
            weights = np.ones(len(self.labels), np.int64) if self.weights is None else self.weights
            per_class = sparse.csr_array((weights, self.labels, self.offsets), shape=(len(self), answers))
            per_class.sum_duplicates()
            return per_class
        flat = self.rows * answers + self.labels
        counted = np.bincount(flat, weights=self.weights, minlength=len(self) * answers)
        return counted.reshape(len(self), answers)


class Votes(ABC):
    """The votes of N examples over K classes; `from_labels`, `from_matrix` and `from_long` store a user's own.

    Attributes:
        num_examples: N.
        num_classes: K.
        num_annotators: A, or 0 where it is not known who voted.
    """

    num_examples: int
    num_classes: int
    num_annotators: int = 0

    def __len__(self) -> int:
        """Count the examples."""
        return self.num_examples

    @abstractmethod
    def batch(self, indices: Any) -> VoteBatch:
        """Give the votes of the examples `indices` (int [B] in [0, N)).

        Raises:
            InputError: an index lies outside [0, N).
        """

    def counts(self, indices: Any = None) -> Any:
        """Count the votes per class: int64 [N, K] (float64 if weighted), a SciPy CSR array above 256 classes.

        Votes for "none of these" are not counted here.
        """
        parts = [batch.counts()[:, : self.num_classes] for batch in self.batches(indices)]
        if self.num_classes >= SPARSE_FROM:
            return sparse.vstack(parts, format="csr")
        return np.concatenate(parts)

    def batches(self, indices: Any = None, *, votes_at_once: int = VOTES_AT_ONCE) -> Iterator[VoteBatch]:
        """Walk over the examples (all, or `indices`) in batches of bounded size; at least one, though empty."""
        indices = np.arange(self.num_examples) if indices is None else np.asarray(indices, dtype=np.int64)
        rows = max(1, votes_at_once // max(1, self.votes_per_example, self.num_classes // 16))
        for start in range(0, max(len(indices), 1), rows):
            yield self.batch(indices[start : start + rows])

    @property
    @abstractmethod
    def votes_per_example(self) -> int:
        """The mean number of votes an example received, rounded up."""

    @staticmethod
    def from_labels(labels: Any, *, num_classes: int) -> StoredVotes:
        """Store one vote an example.

        Args:
            labels: int [N] in [0, K), or -1 for no vote, -2 for "none of these".
            num_classes: K >= 2.

        Example:
            >>> Votes.from_labels([2, -1, 0], num_classes=3).counts().tolist()
            [[0, 0, 1], [0, 0, 0], [1, 0, 0]]
        """
        return Votes.from_matrix(
            np.asarray(labels)[:, None] if np.ndim(labels) == 1 else labels, num_classes=num_classes
        )

    @staticmethod
    def from_matrix(labels: Any, *, num_classes: int) -> StoredVotes:
        """Store a table with a row an example and a column an annotator.

        Args:
            labels: int [N, M] in [0, K), or -1 for no vote, -2 for "none of these". With more than one column,
                column m is taken as annotator m.
            num_classes: K >= 2.

        Raises:
            InputError: labels are not whole numbers in range, or the table has not two dimensions.
        """
        table = whole_numbers(labels, what="labels")
        if table.ndim != 2:
            raise InputError(f"labels are a table [N, M] (or a list [N]), but the shape {table.shape} came")
        voted = table != NO_VOTE
        offsets = np.concatenate([[0], np.cumsum(voted.sum(1))]).astype(np.int64)
        annotators = np.broadcast_to(np.arange(table.shape[1]), table.shape)[voted] if table.shape[1] > 1 else None
        return StoredVotes(num_classes, offsets, table[voted], annotators=annotators)

    @staticmethod
    def from_long(
        example: Any, label: Any, annotator: Any = None, *, num_examples: int, num_classes: int, weight: Any = None
    ) -> StoredVotes:
        """Store votes in long form, one row a vote, in any order.

        Args:
            example: int [V] in [0, num_examples).
            label: int [V] in [0, K), or -1 for no vote (the row is left out), -2 for "none of these".
            annotator: int [V] >= 0, or None.
            num_examples: N.
            num_classes: K >= 2.
            weight: float [V] > 0, or None for all one.

        Raises:
            InputError: lengths differ, or a value is out of range.

        Example:
            >>> votes = Votes.from_long([1, 0, 1], [2, 0, 2], num_examples=2, num_classes=3)
            >>> votes.counts().tolist()
            [[1, 0, 0], [0, 0, 2]]
        """
        columns = {"example": whole_numbers(example, what="example"), "label": whole_numbers(label, what="label")}
        if annotator is not None:
            columns["annotator"] = whole_numbers(annotator, what="annotator")
        if weight is not None:
            columns["weight"] = np.asarray(weight, dtype=np.float64)
        shapes = {name: column.shape for name, column in columns.items()}
        if len(set(shapes.values())) > 1 or columns["example"].ndim != 1:
            raise InputError(f"expected lists of one length, but these shapes came: {shapes}")
        examples = columns["example"]
        if len(examples) and not (examples.min() >= 0 and examples.max() < num_examples):
            raise InputError(f"examples lie in [0, {num_examples}), but {examples.min()} .. {examples.max()} came")
        order = np.argsort(examples, kind="stable")
        order = order[columns["label"][order] != NO_VOTE]
        offsets = np.concatenate([[0], np.cumsum(np.bincount(examples[order], minlength=num_examples))])
        kept = {name: column[order] for name, column in columns.items()}
        return StoredVotes(
            num_classes, offsets.astype(np.int64), kept["label"],
            weights=kept.get("weight"), annotators=kept.get("annotator"),
        )  # fmt: skip


class StoredVotes(Votes):
    """Votes that lie in memory, ragged; made by `Votes.from_labels`, `from_matrix` or `from_long`."""

    def __init__(
        self,
        num_classes: int,
        offsets: Int[np.ndarray, " N_plus_1"],
        labels: Int[np.ndarray, " V"],
        *,
        weights: Float[np.ndarray, " V"] | None = None,
        annotators: Int[np.ndarray, " V"] | None = None,
    ) -> None:
        """Check the votes once and keep them; -2 ("none of these") becomes the answer after the last class."""
        refuse_class_count(num_classes)
        refuse([
            _outside(labels, num_classes),
            "annotators are numbered from 0, but a negative one came"
            if annotators is not None and len(annotators) and annotators.min() < 0 else "",
            "weights are finite and > 0, but others came"
            if weights is not None and not (np.isfinite(weights) & (weights > 0)).all() else "",
        ])  # fmt: skip
        self.num_classes, self.num_examples = int(num_classes), len(offsets) - 1
        self._labels = np.where(labels == NONE_OF_THESE, num_classes, labels).astype(np.int32)
        self._offsets, self._weights = offsets, weights
        self._annotators = None if annotators is None else annotators.astype(np.int32)
        self.num_annotators = int(annotators.max()) + 1 if annotators is not None and len(annotators) else 0

    @property
    def votes_per_example(self) -> int:
        """The mean number of votes an example received, rounded up."""
        return -(-len(self._labels) // max(self.num_examples, 1))

    def batch(self, indices: Any) -> VoteBatch:
        """Give the votes of the examples `indices`."""
        indices = checked_indices(indices, self.num_examples)
        offsets, positions = ragged_rows(self._offsets, indices)

        def gather(column: np.ndarray | None) -> np.ndarray | None:
            return None if column is None else column[positions]

        return VoteBatch(
            self.num_classes, indices, offsets, self._labels[positions],
            gather(self._weights), gather(self._annotators),
        )  # fmt: skip


class DrawnVotes(Votes):
    """Virtual votes: a noise model's draws for true labels, made when asked for; nothing of size N x votes exists.

    Vote v of example i is a pure function of (seed, i, v): it does not depend on batch, order or process.
    """

    def __init__(
        self,
        labels: Int[np.ndarray, " N"],
        *,
        num_classes: int,
        votes_per_example: int,
        draw: Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray | None]],
        num_annotators: int = 0,
    ) -> None:
        """Keep the labels and the noise model's `draw(indices [B], labels [B]) -> (votes [B, M], annotators)`."""
        labels = np.asarray(labels)
        refuse_labels(labels, num_classes)
        self.labels, self._draw, self._votes_per_example = labels, draw, votes_per_example
        self.num_classes, self.num_examples, self.num_annotators = num_classes, len(labels), num_annotators

    @property
    def votes_per_example(self) -> int:
        """The number of votes an example receives."""
        return self._votes_per_example

    def batch(self, indices: Any) -> VoteBatch:
        """Draw the votes of the examples `indices`."""
        indices = checked_indices(indices, self.num_examples)
        per_example = self.votes_per_example
        votes = np.empty((len(indices), per_example), dtype=np.int32)
        annotators = np.empty_like(votes) if self.num_annotators else None
        rows = max(1, VOTES_AT_ONCE // 16 // per_example)  # so that a piece's words stay in cache
        for start in range(0, len(indices), rows):
            part = indices[start : start + rows]
            drawn, who = self._draw(part, self.labels[part])
            votes[start : start + rows] = drawn
            if annotators is not None and who is not None:
                annotators[start : start + rows] = who
        offsets = np.arange(len(indices) + 1, dtype=np.int64) * per_example
        return VoteBatch(
            self.num_classes, indices, offsets, votes.reshape(-1),
            annotators=None if annotators is None else annotators.reshape(-1),
        )  # fmt: skip


def refuse_class_count(num_classes: Any) -> None:
    """Refuse a number of classes that is not an integer >= 2."""
    if isinstance(num_classes, bool) or not isinstance(num_classes, int | np.integer) or num_classes < 2:
        raise InputError(f"num_classes is an integer >= 2, but {num_classes!r} came")


def whole_numbers(values: Any, *, what: str) -> np.ndarray:
    """Read integers, also from a float column that holds nothing else."""
    array = np.asarray(values)
    if array.dtype.kind in "iu":
        return array.astype(np.int64)
    if array.dtype.kind == "f" and np.isfinite(array).all() and (array == np.trunc(array)).all():
        return array.astype(np.int64)
    if array.size == 0:
        return array.astype(np.int64)
    raise InputError(f"{what}: expected whole numbers without gaps (NaN), but {array.dtype} came; code no vote as -1")


def checked_indices(indices: Any, num_examples: int) -> np.ndarray:
    """Read indices as int64 [B], or refuse what lies outside [0, num_examples)."""
    indices = np.asarray(indices)
    if indices.ndim != 1 or (indices.dtype.kind not in "iu" and indices.size):
        raise InputError(f"indices are a 1-D array of integers, but {indices.dtype} of shape {indices.shape} came")
    if indices.size and not (indices.min() >= 0 and indices.max() < num_examples):
        raise InputError(f"indices lie in [0, {num_examples}), but {indices.min()} .. {indices.max()} came")
    return np.asarray(indices, dtype=np.int64)


def _outside(labels: np.ndarray, num_classes: int) -> str:
    wrong = np.flatnonzero(((labels < 0) & (labels != NONE_OF_THESE)) | (labels >= num_classes))
    if not len(wrong):
        return ""
    return (
        f'votes lie in [0, {num_classes}) (or are -1 for none, -2 for "none of these"), '
        f"but {labels[wrong[0]]} came ({len(wrong)} such)"
    )


def refuse_vote_count(votes_per_example: Any) -> None:
    """Refuse a number of votes per example that is not an integer >= 1."""
    whole = isinstance(votes_per_example, int | np.integer) and not isinstance(votes_per_example, bool)
    if not whole or votes_per_example < 1:
        raise InputError(f"votes_per_example is a whole number >= 1, but {votes_per_example!r} came")
