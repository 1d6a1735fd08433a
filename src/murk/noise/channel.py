"""Channel: independent votes, each drawn from the row of the true class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from murk.errors import InputError, refuse
from murk.noise.draws import words
from murk.noise.evidence import Evidence
from murk.noise.numbers import chance_fault, class_count_fault, whole_fault
from murk.noise.pattern import Flat, Matrix, Pattern
from murk.noise.structured import Structured
from murk.noise.votes import DrawnVotes, VoteBatch, true_labels

__all__ = ["Channel"]


@dataclass(frozen=True)
class Channel:
    """Votes that err independently of each other, by one transition matrix T[true, noisy].

    Evidence: e_j = sum over votes v of log T[j, v]; for one vote the loss is forward correction.

    Args:
        transition: float [K, K] with rows that sum to one, or [K, K + 1] with a last column for "none of these",
            or a `Pattern` (`Flat` needs no matrix at any K). Structured noise is one once alpha is known:
            `Dilution(alpha, num_classes=K, pattern=structured).transition`.
        votes_per_example: votes that `draw` gives each example, >= 1; weighing takes any number.

    Raises:
        InputError: rows that do not sum to one, NaN, negative entries, or votes_per_example < 1; faults together.

    Example:
        >>> votes = Channel.symmetric(0.4, num_classes=5).draw(np.array([3, 1]), seed=0)
        >>> votes.batch([0, 1]).lengths.tolist()
        [1, 1]

    Source: Patrini et al. 2017, arXiv 1609.03683 (forward correction).
    """

    transition: Any
    votes_per_example: int = 1

    def __post_init__(self) -> None:
        """Read the matrix."""
        faults = [whole_fault(self.votes_per_example, lowest=1, what="votes_per_example")]
        transition = self.transition
        if isinstance(transition, Structured):
            faults.append("structured noise needs an alpha; give Dilution(alpha, ..., pattern=...).transition")
        elif not isinstance(transition, Pattern):
            try:
                object.__setattr__(self, "transition", Matrix(transition))
            except InputError as error:
                faults.append(str(error))
        refuse(faults)
        object.__setattr__(self, "votes_per_example", int(self.votes_per_example))

    @property
    def num_classes(self) -> int:
        """K."""
        return int(self.transition.num_classes)

    @staticmethod
    def symmetric(rate: float, *, num_classes: int, votes_per_example: int = 1) -> Channel:
        """Flip a label with probability `rate` to one of the K - 1 other classes, all alike.

        Raises:
            InputError: the rate is outside [0, (K-1)/K), or K < 2.
        """
        refuse([class_count_fault(num_classes), chance_fault(rate, what="a rate of symmetric noise")])
        limit = (num_classes - 1) / num_classes
        if rate >= limit:
            raise InputError(
                f"symmetric noise has a rate in [0, (K-1)/K) = [0, {limit:.4g}), but {rate} came; "
                "at (K-1)/K a label says nothing"
            )
        return Channel(Flat(num_classes, 1 - rate), votes_per_example)

    def draw(self, labels: Any, *, seed: int) -> DrawnVotes:
        """Draw votes for true labels (int [N] in [0, K)); virtual, nothing is stored.

        Raises:
            InputError: labels or seed out of range.
        """
        truth = true_labels(labels, num_classes=self.num_classes, seed=seed)
        pattern: Pattern = self.transition
        count = self.votes_per_example

        def votes_of(indices: np.ndarray) -> tuple[np.ndarray, None]:
            return pattern.draw(truth[indices], words(seed, "votes", indices, count * pattern.words_per_draw)), None

        return DrawnVotes(len(truth), num_classes=self.num_classes, votes_per_example=count, draw=votes_of)

    def log_evidence(self, votes: VoteBatch) -> Evidence:
        """Weigh votes: the sum of log T[j, v] over an example's votes; sparse for flat noise of many classes.

        Raises:
            InputError: K differs, or an example's votes are impossible for every class.
        """
        refuse_other_classes(votes, self.num_classes)
        pattern: Pattern = self.transition
        return pattern.weigh(votes)


def refuse_other_classes(votes: VoteBatch, num_classes: int) -> None:
    """Refuse votes over another number of classes than the noise model's."""
    if votes.num_classes != num_classes:
        raise InputError(
            f"the noise model has {num_classes} classes, but the votes have {votes.num_classes}; "
            "give both the same num_classes"
        )
