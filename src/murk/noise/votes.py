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
from murk.noise.draws import seed_fault
from murk.noise.evidence import labels_fault, ragged_rows
from murk.noise.numbers import checked_indices, class_count_fault, real_numbers, whole_fault, whole_numbers

__all__ = ["NONE_OF_THESE", "NO_VOTE", "DrawnVotes", "StoredVotes", "VoteBatch", "Votes"]

NO_VOTE = -1
NONE_OF_THESE = -2
SPARSE_FROM = 257  # classes from which counts come as a SciPy matrix: an image has few votes, not K
VOTES_AT_ONCE = 1 << 20
NUMBERS_AT_ONCE = 1 << 16  # so that a piece's words stay in cache


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
            parts = (weights, self.labels, self.offsets)
            per_class = sparse.csr_array(parts, shape=(len(self), answers), copy=True)  # summing sorts in place
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
        rows = max(1, votes_at_once // max(1, self.votes_per_example, self.num_classes))
        for start in range(0, max(len(indices), 1), rows):
            yield self.batch(indices[start : start + rows])

    def take(self, indices: Any) -> StoredVotes:
        """Keep the votes of the examples `indices` (int [B] in [0, N)), in that order, as those of examples 0 .. B - 1.

        Raises:
            InputError: an index lies outside [0, N).
        """
        batch = self.batch(indices)
        labels = np.where(batch.labels == self.num_classes, NONE_OF_THESE, batch.labels)
        return StoredVotes(self.num_classes, batch.offsets, labels, weights=batch.weights, annotators=batch.annotators)

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

        Raises:
            InputError: labels are not one whole number an example, or out of range.

        Example:
            >>> Votes.from_labels([2, -1, 0], num_classes=3).counts().tolist()
            [[0, 0, 1], [0, 0, 0], [1, 0, 0]]
        """
        column = whole_numbers(labels, what="labels")
        if column.ndim != 1:
            raise InputError(f"expected one label an example, [N], but the shape {column.shape} came; several a row "
                             "go into Votes.from_matrix")  # fmt: skip
        return Votes.from_matrix(column[:, None], num_classes=num_classes)

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
        given = {"example": example, "label": label, "annotator": annotator, "weight": weight}
        columns = _long_columns(given, num_examples=num_examples, num_classes=num_classes)
        examples = columns["example"]
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
        refuse([
            class_count_fault(num_classes) or _outside(labels, num_classes),
            _annotator_fault(annotators),
            _weight_fault(weights),
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
        num_examples: int,
        *,
        num_classes: int,
        votes_per_example: int,
        draw: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray | None]],
        num_annotators: int = 0,
        numbers_per_example: int = 0,
    ) -> None:
        """Keep the noise model's `draw(indices [B]) -> (votes [B, M], annotators [B, M] or None)`.

        It is called for pieces of a batch; `numbers_per_example` says how many numbers it holds of each example at
        once, where that is more than the votes.
        """
        self._draw, self._votes_per_example = draw, votes_per_example
        self._numbers_per_example = max(votes_per_example, numbers_per_example)
        self.num_classes, self.num_examples, self.num_annotators = num_classes, num_examples, num_annotators

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
        rows = max(1, NUMBERS_AT_ONCE // self._numbers_per_example)
        for start in range(0, len(indices), rows):
            part = indices[start : start + rows]
            drawn, who = self._draw(part)
            votes[start : start + rows] = drawn
            if annotators is not None and who is not None:
                annotators[start : start + rows] = who
        offsets = np.arange(len(indices) + 1, dtype=np.int64) * per_example
        return VoteBatch(
            self.num_classes, indices, offsets, votes.reshape(-1),
            annotators=None if annotators is None else annotators.reshape(-1),
        )  # fmt: skip


def true_labels(labels: Any, *, num_classes: int, seed: Any) -> Int[np.ndarray, " N"]:
    """Read the true labels that votes are drawn for as int64 [N] of their own, or refuse them and the seed together."""
    labels = np.asarray(labels)
    refuse([labels_fault(labels, num_classes), seed_fault(seed)])
    return np.array(labels, dtype=np.int64)


def _outside(labels: np.ndarray, num_classes: int, *, also: int = NONE_OF_THESE) -> str:
    """Say which labels are neither classes nor "none of these" (nor `also`)."""
    special = (labels == NONE_OF_THESE) | (labels == also)
    wrong = np.flatnonzero(((labels < 0) & ~special) | (labels >= num_classes))
    if not len(wrong):
        return ""
    return (
        f'votes lie in [0, {num_classes}) (or are -1 for none, -2 for "none of these"), '
        f"but {labels[wrong[0]]} came ({len(wrong)} such)"
    )


def _annotator_fault(annotators: np.ndarray | None) -> str:
    if annotators is None or not annotators.size or 0 <= annotators.min() <= annotators.max() < 2**31:
        return ""
    return (
        f"annotators are numbered from 0 to 2^31 - 1, but {annotators.min()} .. {annotators.max()} came; number them "
        "by np.unique(..., return_inverse=True)"
    )


def _weight_fault(weights: np.ndarray | None) -> str:
    fine = weights is None or (np.isfinite(weights) & (weights > 0)).all()
    return "" if fine else "weights are finite and > 0, but others came; leave out votes that count for nothing"


def _long_columns(given: dict[str, Any], *, num_examples: Any, num_classes: Any) -> dict[str, np.ndarray]:
    """Read the columns of votes in long form, or refuse them with every fault that can be seen."""
    columns: dict[str, np.ndarray] = {}
    faults = [whole_fault(num_examples, lowest=0, what="num_examples"), class_count_fault(num_classes)]
    for name, values in given.items():
        try:
            if values is not None:
                columns[name] = (real_numbers if name == "weight" else whole_numbers)(values, what=name)
        except InputError as error:
            faults.append(str(error))
    shapes = {name: column.shape for name, column in columns.items()}
    if len(set(shapes.values())) > 1 or any(len(shape) != 1 for shape in shapes.values()):
        faults.append(f"expected lists of one length, but these shapes came: {shapes}")
    examples = columns.get("example", np.zeros(0, np.int64))
    if not faults[0] and examples.size and not (examples.min() >= 0 and examples.max() < num_examples):
        faults.append(f"examples lie in [0, {num_examples}), but {examples.min()} .. {examples.max()} came")
    if not faults[1] and "label" in columns:
        faults.append(_outside(columns["label"].ravel(), num_classes, also=NO_VOTE))
    refuse([*faults, _annotator_fault(columns.get("annotator")), _weight_fault(columns.get("weight"))])
    return columns
