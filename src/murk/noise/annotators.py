"""Annotators: votes by people (or rules) who each err in their own way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from murk.errors import InputError, refuse
from murk.noise.channel import refuse_other_classes
from murk.noise.draws import words
from murk.noise.evidence import Evidence, dense_evidence
from murk.noise.numbers import real_numbers, whole_fault
from murk.noise.pattern import Matrix
from murk.noise.votes import DrawnVotes, VoteBatch, true_labels
from murk.noise.weighing import log_of

__all__ = ["Annotators"]


@dataclass(frozen=True, eq=False)
class Annotators:
    """Independent votes by A annotators, each with a transition matrix of their own.

    Evidence: e_j = sum over votes (a, v) of log T_a[j, v].

    Args:
        transitions: float [A, K, K] (or [A, K, K + 1] with "none of these"); rows sum to one.
        votes_per_example: how many different annotators `draw` asks about each example, in [1, A].
        tempering: float [A, 2] in [0, 1], how much each annotator's votes for classes count, and their votes for "none
            of these", where annotators repeat each other (copied scrapes, labelling functions); None for in full. With
            it the evidence is no longer normalised over votes: noise models cannot be compared by it.

    Raises:
        InputError: a faulty matrix (its annotator is named), votes_per_example or tempering out of range; all faults
            together.

    Example:
        >>> Annotators(np.stack([np.eye(3), np.full((3, 3), 1 / 3)])).num_annotators
        2

    Source: Dawid and Skene 1979.
    """

    transitions: Any
    votes_per_example: int = 1
    tempering: Any = None

    def __post_init__(self) -> None:
        """Read every annotator's matrix."""
        transitions = real_numbers(self.transitions, what="the annotators' matrices")
        faults = [whole_fault(self.votes_per_example, lowest=1, what="votes_per_example")]
        if transitions.ndim != 3 or not len(transitions):
            faults.append(f"expected one matrix an annotator, [A, K, K], but the shape {transitions.shape} came")
        elif not faults[0] and self.votes_per_example > len(transitions):
            faults.append(
                f"votes_per_example is at most the number of annotators, {len(transitions)}, "
                f"but {self.votes_per_example} came: nobody votes twice on an example"
            )
        patterns = []
        for annotator, rows in enumerate(transitions if transitions.ndim == 3 else ()):
            try:
                patterns.append(Matrix(rows))
            except InputError as error:
                faults.append(f"annotator {annotator}: {error}")
        tempering = None if self.tempering is None else real_numbers(self.tempering, what="tempering")
        if tempering is not None and (
            tempering.shape != (len(transitions), 2) or not ((tempering >= 0) & (tempering <= 1)).all()
        ):
            faults.append(f"tempering is [A, 2] = ({len(transitions)}, 2) shares in [0, 1], but {tempering.shape} came")
        refuse(faults)
        if tempering is not None:
            tempering = np.array(tempering)  # not the caller's own, which stays writable
            tempering.setflags(write=False)
        object.__setattr__(self, "tempering", tempering)
        transitions = np.stack([pattern.matrix() for pattern in patterns])
        transitions.setflags(write=False)
        object.__setattr__(self, "transitions", transitions)
        object.__setattr__(self, "votes_per_example", int(self.votes_per_example))
        object.__setattr__(self, "_patterns", tuple(patterns))

    def __eq__(self, other: object) -> bool:
        """Compare the matrices, the votes per example and the tempering."""
        if not isinstance(other, Annotators):
            return NotImplemented
        same = self.votes_per_example == other.votes_per_example
        both = (self.tempering, other.tempering)
        alike = both[0] is both[1] if any(each is None for each in both) else np.array_equal(*both)
        return same and alike and np.array_equal(self.transitions, other.transitions)

    def __hash__(self) -> int:
        """Hash the matrices and the votes per example."""
        return hash((self.transitions.tobytes(), self.votes_per_example))

    @property
    def num_annotators(self) -> int:
        """A."""
        return len(self.transitions)

    @property
    def num_classes(self) -> int:
        """K."""
        return int(self.transitions.shape[1])

    def draw(self, labels: Any, *, seed: int) -> DrawnVotes:
        """Draw votes for true labels (int [N] in [0, K)) from annotators chosen at random for each example.

        Raises:
            InputError: labels or seed out of range.
        """
        truth = true_labels(labels, num_classes=self.num_classes, seed=seed)
        patterns: tuple[Matrix, ...] = self._patterns  # type: ignore[attr-defined]
        count, asked = self.num_annotators, self.votes_per_example

        def votes_of(indices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            who = np.argsort(words(seed, "annotators", indices, count), axis=1, kind="stable")[:, :asked]
            drawn = words(seed, "votes", indices, count)  # one word an annotator: who else is asked does not matter
            votes = np.empty(who.shape, dtype=np.int64)
            for annotator in np.unique(who):
                row, column = np.nonzero(who == annotator)
                votes[row, column] = patterns[annotator].draw(truth[indices[row]], drawn[row, annotator][:, None])[:, 0]
            return votes, who

        return DrawnVotes(
            len(truth), num_classes=self.num_classes, votes_per_example=asked, draw=votes_of, num_annotators=count,
            numbers_per_example=2 * count,
        )  # fmt: skip

    def log_evidence(self, votes: VoteBatch) -> Evidence:
        """Weigh votes, each by its annotator's matrix: dense [B, K].

        Raises:
            InputError: votes without annotators, an unknown annotator, another K, or impossible votes.
        """
        refuse_other_classes(votes, self.num_classes)
        if votes.annotators is None:
            raise InputError("these votes do not say who voted; give `annotator` to Votes.from_long, or use a Channel")
        if len(votes.annotators) and votes.annotators.max() >= self.num_annotators:
            raise InputError(
                f"annotators lie in [0, {self.num_annotators}), but {votes.annotators.max()} came; "
                "give a matrix for each"
            )
        refuse([
            f"example {votes.indices[votes.rows[votes.labels == self.num_classes]][0]} has a vote for \"none of these\""
            "; give matrices [K, K + 1], or leave these votes out (-1)"
            if (votes.labels >= self.transitions.shape[2]).any() else ""
        ])  # fmt: skip
        each = log_of(self.transitions)[votes.annotators, :, votes.labels]  # [V, K]
        if votes.weights is not None:
            each = np.where(np.isneginf(each), each, votes.weights[:, None] * each)
        if self.tempering is not None:
            share = self.tempering[votes.annotators, (votes.labels == self.num_classes).astype(int)][:, None]
            never = np.isneginf(each)
            each = np.where(never & (share > 0), each, share * np.where(never, 0.0, each))
        values = np.zeros((len(votes), self.num_classes))
        np.add.at(values, votes.rows, each)
        return dense_evidence(values, votes.indices, model="the annotators")
