"""What votes look like: how many, how far they agree with each other, and with the truth where it is known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from murk.errors import InputError
from murk.noise import Votes

__all__ = ["VoteSummary", "summarise_votes"]


@dataclass(frozen=True)
class VoteSummary:
    """Exact counts over one set of votes; shares are None where there is no vote or no truth.

    Attributes:
        num_votes: all votes, "none of these" included.
        fewest: votes of the example that has the fewest.
        most: votes of the example that has the most.
        mean: votes per example.
        agreement_with_majority: share of votes that name their example's most frequent answer; one vote an example
            always agrees with itself.
        agreement_with_truth: share of votes that name the true class.
        votes_per_class: votes that name each class, K numbers.
    """

    num_votes: int
    fewest: int
    most: int
    mean: float
    agreement_with_majority: float | None
    agreement_with_truth: float | None
    votes_per_class: tuple[int, ...]

    @property
    def noise_rate(self) -> float | None:
        """Share of votes that do not name the true class."""
        return None if self.agreement_with_truth is None else 1 - self.agreement_with_truth


def summarise_votes(votes: Votes, *, labels: Any = None) -> VoteSummary:
    """Count votes batch by batch; drawn votes never exist all at once.

    Args:
        votes: of N examples.
        labels: true classes, int [N] in [0, K), or None; -1 leaves an example out of the agreement with the truth.

    Raises:
        InputError: labels of another length.

    Example:
        >>> from murk.noise import Votes
        >>> summary = summarise_votes(Votes.from_matrix([[0, 0, 1]], num_classes=2), labels=[0])
        >>> round(summary.agreement_with_truth, 3), summary.most
        (0.667, 3)
    """
    truth = None if labels is None else np.asarray(labels)
    if truth is not None and truth.shape != (len(votes),):
        raise InputError(f"expected a label for each of {len(votes)} examples, but the shape {truth.shape} came")
    fewest, most, total, top, right, judged = np.iinfo(np.int64).max, 0, 0, 0, 0, 0
    per_class = np.zeros(votes.num_classes + 1, np.int64)
    for batch in votes.batches():
        if not len(batch):
            continue
        lengths = batch.lengths
        fewest, most, total = min(fewest, int(lengths.min())), max(most, int(lengths.max())), total + len(batch.labels)
        per_class += np.bincount(batch.labels, minlength=votes.num_classes + 1)
        pairs, counts = np.unique(batch.rows * (votes.num_classes + 1) + batch.labels, return_counts=True)
        most_frequent = np.zeros(len(batch), np.int64)
        np.maximum.at(most_frequent, pairs // (votes.num_classes + 1), counts)
        top += int(most_frequent.sum())
        if truth is not None:
            of_vote = truth[batch.indices][batch.rows]
            right, judged = right + int((of_vote == batch.labels).sum()), judged + int((of_vote >= 0).sum())
    return VoteSummary(
        num_votes=total, fewest=fewest if len(votes) else 0, most=most, mean=total / max(len(votes), 1),
        agreement_with_majority=top / total if total else None,
        agreement_with_truth=right / judged if judged else None,
        votes_per_class=tuple(int(count) for count in per_class[: votes.num_classes]),
    )  # fmt: skip
