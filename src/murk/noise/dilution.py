"""Dilution: every right label drowned among alpha random ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Int

from murk.errors import InputError
from murk.noise.channel import Channel, refuse_other_classes
from murk.noise.draws import below, words
from murk.noise.evidence import Evidence
from murk.noise.pattern import Flat, Pattern, Structured, Uniform
from murk.noise.votes import DrawnVotes, VoteBatch, refuse_class_count

__all__ = ["Dilution"]


@dataclass(frozen=True)
class Dilution:
    """Exact dilution: of an example's 1 + alpha votes exactly one, nobody knows which, is the truth.

    Evidence: e_j = log c_j + sum_k c_k log Q[j, k] - log Q[j, j] - log(1 + alpha), and -inf where c_j = 0. That one
    vote is right is knowledge that only a simulation has: `independent()` gives the model without it.

    Args:
        alpha: random votes per clean one, a whole number >= 0.
        num_classes: K >= 2.
        pattern: what a random vote says given the truth: `Uniform` (the default), any `Pattern`, or `Structured`.

    Raises:
        InputError: a fractional or negative alpha, alpha < K delta, or a pattern of another K; all faults together.

    Example:
        >>> Dilution(20, num_classes=10).transition.right  # (1 + 20/10) / 21
        0.14285714285714285

    Source: Rolnick et al. 2017, arXiv 1705.10694.
    """

    alpha: int
    num_classes: int
    pattern: Any = None

    def __post_init__(self) -> None:
        """Check alpha and settle the pattern."""
        whole = isinstance(self.alpha, int | np.integer) and not isinstance(self.alpha, bool)
        if not whole or self.alpha < 0:
            raise InputError(f"alpha is a whole number >= 0 (random votes per clean one), but {self.alpha!r} came")
        refuse_class_count(self.num_classes)
        pattern = Uniform(self.num_classes) if self.pattern is None else self.pattern
        if isinstance(pattern, Structured):
            pattern = pattern.at(self.alpha)
        if not isinstance(pattern, Pattern):
            raise InputError(f"a pattern is Uniform(K), Flat, Matrix or Structured, but {pattern!r} came")
        if pattern.num_classes != self.num_classes:
            raise InputError(f"the pattern has {pattern.num_classes} classes, but num_classes is {self.num_classes}")
        if pattern.matrix().shape[1] != self.num_classes if not isinstance(pattern, Flat) else False:
            raise InputError('dilution has no "none of these" votes; give a square pattern')
        object.__setattr__(self, "pattern", pattern)

    @property
    def transition(self) -> Pattern:
        """T = (I + alpha Q) / (1 + alpha): what one vote taken at random says."""
        pattern: Pattern = self.pattern
        return pattern.mixed(self.alpha)

    def independent(self) -> Channel:
        """Give the noise model that knows T but not that exactly one vote is right."""
        return Channel(self.transition, votes_per_example=1 + self.alpha)

    def draw(self, labels: Int[np.ndarray, " N"], *, seed: int) -> DrawnVotes:
        """Draw 1 + alpha votes for each true label (int [N] in [0, K)); virtual, nothing is stored.

        The clean vote stands at a random place among them, so that the order says nothing.

        Raises:
            InputError: labels out of range.
        """
        pattern: Pattern = self.pattern
        count = 1 + self.alpha

        def votes_of(indices: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, None]:
            drawn = words(seed, "votes", indices, 1 + count * pattern.words_per_draw)
            votes = pattern.draw(labels, drawn[:, 1:])
            votes[np.arange(len(labels)), below(drawn[:, 0], count)] = labels
            return votes, None

        return DrawnVotes(labels, num_classes=self.num_classes, votes_per_example=count, draw=votes_of)

    def log_evidence(self, votes: VoteBatch) -> Evidence:
        """Weigh votes; an example has 1 + alpha of them, or none (which says nothing). Sparse for many classes.

        Raises:
            InputError: another number of votes, weighted votes, another K, or votes impossible for every class.
        """
        refuse_other_classes(votes, self.num_classes)
        if votes.weights is not None:
            raise InputError("exact dilution weighs whole votes, but weighted ones came; use `independent()`")
        lengths = votes.lengths
        wrong = np.flatnonzero((lengths != 1 + self.alpha) & (lengths != 0))
        if len(wrong):
            raise InputError(
                f"with alpha = {self.alpha} an example has {1 + self.alpha} votes, but example "
                f"{votes.indices[wrong[0]]} has {lengths[wrong[0]]}; use `independent()` for any number of votes"
            )
        pattern: Pattern = self.pattern
        return pattern.weigh(votes, clean_votes=1)
