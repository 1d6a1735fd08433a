"""Dilution: every right label drowned among alpha random ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from murk.errors import InputError, refuse
from murk.noise.channel import Channel, refuse_other_classes
from murk.noise.draws import below, words
from murk.noise.evidence import Evidence
from murk.noise.numbers import class_count_fault, whole_fault
from murk.noise.pattern import Flat, Pattern, Uniform
from murk.noise.structured import Structured
from murk.noise.votes import DrawnVotes, VoteBatch, true_labels

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
        faults = [
            whole_fault(self.alpha, lowest=0, what="alpha (random votes per clean one)"),
            class_count_fault(self.num_classes),
        ]
        pattern = self.pattern
        if isinstance(pattern, Structured) and not faults[0]:
            try:
                pattern = pattern.at(self.alpha)
            except InputError as error:
                faults.append(str(error))
        faults.extend(_pattern_faults(pattern, self.num_classes))
        refuse(faults)
        object.__setattr__(self, "alpha", int(self.alpha))
        object.__setattr__(self, "num_classes", int(self.num_classes))
        object.__setattr__(self, "pattern", Uniform(self.num_classes) if pattern is None else pattern)

    @property
    def transition(self) -> Pattern:
        """T = (I + alpha Q) / (1 + alpha): what one vote taken at random says."""
        pattern: Pattern = self.pattern
        return pattern.mixed(self.alpha)

    def independent(self) -> Channel:
        """Give the noise model that knows T but not that exactly one vote is right."""
        return Channel(self.transition, votes_per_example=1 + self.alpha)

    def draw(self, labels: Any, *, seed: int) -> DrawnVotes:
        """Draw 1 + alpha votes for each true label (int [N] in [0, K)); virtual, nothing is stored.

        The clean vote stands at a random place among them, so that the order says nothing.

        Raises:
            InputError: labels or seed out of range.
        """
        truth = true_labels(labels, num_classes=self.num_classes, seed=seed)
        pattern: Pattern = self.pattern
        count = 1 + self.alpha

        def votes_of(indices: np.ndarray) -> tuple[np.ndarray, None]:
            drawn = words(seed, "votes", indices, 1 + count * pattern.words_per_draw)
            clean = truth[indices]
            votes = pattern.draw(clean, drawn[:, 1:])
            votes[np.arange(len(clean)), below(drawn[:, 0], count)] = clean
            return votes, None

        return DrawnVotes(len(truth), num_classes=self.num_classes, votes_per_example=count, draw=votes_of)

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


def _pattern_faults(pattern: Any, num_classes: Any) -> list[str]:
    """Say what is wrong with a pattern for dilution over `num_classes` classes (None: the uniform one)."""
    if pattern is None:
        return []
    if not isinstance(pattern, Pattern | Structured):
        return [f"a pattern is Uniform(K), Flat, Matrix or Structured, but {pattern!r} came"]
    faults = []
    if pattern.num_classes != num_classes:
        faults.append(f"the pattern has {pattern.num_classes} classes, but num_classes is {num_classes}")
    if not isinstance(pattern, Flat | Structured) and pattern.matrix().shape[1] != pattern.num_classes:
        faults.append('dilution has no "none of these" votes; give a square pattern')
    return faults
