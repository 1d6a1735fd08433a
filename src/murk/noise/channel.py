"""Channel: independent votes, each drawn from the row of the true class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Int

from murk.errors import InputError
from murk.noise.draws import words
from murk.noise.evidence import Evidence
from murk.noise.pattern import Flat, Matrix, Pattern
from murk.noise.votes import DrawnVotes, VoteBatch, refuse_vote_count

__all__ = ["Channel"]


@dataclass(frozen=True)
class Channel:
    """Votes that err independently of each other, by one transition matrix T[true, noisy].

    Evidence: e_j = sum over votes v of log T[j, v]; for one vote the loss is forward correction.

    Args:
        transition: float [K, K] with rows that sum to one, or [K, K + 1] with a last column for "none of these",
            or a `Pattern` (`Flat` needs no matrix at any K).
        votes_per_example: votes that `draw` gives each example, >= 1; weighing takes any number.

    Raises:
        InputError: rows that do not sum to one, NaN, negative entries, or votes_per_example < 1.

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
        refuse_vote_count(self.votes_per_example)
        if not isinstance(self.transition, Pattern):
            object.__setattr__(self, "transition", Matrix(self.transition))

    @property
    def num_classes(self) -> int:
        """K."""
        return int(self.transition.num_classes)

    @staticmethod
    def symmetric(rate: float, *, num_classes: int, votes_per_example: int = 1) -> Channel:
        """Flip a label with probability `rate` to one of the K - 1 other classes, all alike.

        Raises:
            InputError: the rate is outside [0, (K-1)/K).
        """
        limit = (num_classes - 1) / num_classes
        if not 0 <= rate < limit:
            raise InputError(
                f"symmetric noise has a rate in [0, (K-1)/K) = [0, {limit:.4g}), but {rate} came; "
                "at (K-1)/K a label says nothing"
            )
        return Channel(Flat(num_classes, 1 - rate), votes_per_example)

    def draw(self, labels: Int[np.ndarray, " N"], *, seed: int) -> DrawnVotes:
        """Draw votes for true labels (int [N] in [0, K)); virtual, nothing is stored.

        Raises:
            InputError: labels out of range.
        """
        pattern: Pattern = self.transition
        count = self.votes_per_example

        def votes_of(indices: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, None]:
            return pattern.draw(labels, words(seed, "votes", indices, count * pattern.words_per_draw)), None

        return DrawnVotes(labels, num_classes=self.num_classes, votes_per_example=count, draw=votes_of)

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
