"""Annotators: how good each is, what they say together, and whom to ask next. From votes alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from scipy import sparse

from murk.errors import InputError, refuse
from murk.measure.estimate import Estimate, level_fault
from murk.measure.expectation import TINY, Expectation, maximise
from murk.measure.predicted import read_array
from murk.measure.repeated import Repeats, beta_interval, repeat
from murk.measure.shrinkage import settle_shrinkage
from murk.measure.source_votes import SourceVotes
from murk.measure.transition import free_transitions, known_fault
from murk.noise import Annotators, Votes
from murk.noise.draws import seed_fault
from murk.noise.numbers import whole_fault

__all__ = ["AnnotatorQuality", "Question", "dawid_skene"]

STEPS, TOLERANCE = 200, 1e-7
LEAST_VOTES = 0.01  # spread over each row, without shrinkage
EXAMPLES_ASKED = 5_000  # the least certain, among which the next questions are


@dataclass(frozen=True)
class Question:
    """A vote to ask for.

    Attributes:
        example: which.
        annotator: of whom.
        gain: nats that the answer is expected to tell of the example's class.
    """

    example: int
    annotator: int
    gain: float


@dataclass(frozen=True, eq=False)
class AnnotatorQuality:
    """What the votes of several annotators say of examples, and of the annotators.

    Attributes:
        posterior: float64 [N, K], P(class given all votes); of an example without votes the classes' shares.
        transitions: float64 [A, K, K or K + 1], T[annotator, true, answer].
        shares: float64 [K], of the classes among the examples.
        votes: int64 [A], how many each gave.
    """

    posterior: Float[np.ndarray, "N K"]
    transitions: Float[np.ndarray, "A K B"]
    shares: Float[np.ndarray, " K"]
    votes: Int[np.ndarray, " A"]
    _asked: Any  # sparse [N, A], who voted on what
    _repeated: Callable[[], Repeats]
    _confidence_level: float

    @cached_property
    def accuracy(self) -> Estimate:
        """P(the annotator's vote is right) over the classes' shares, [A]; [0, 1] for one who did not vote.

        Its intervals take many times as long as all else; they are made when asked for.
        """
        classes, silent = self.posterior.shape[1], self.votes == 0
        right = np.einsum("j,ajj->a", self.shares, self.transitions[:, :, :classes])
        repeats = self._repeated()
        spread = np.einsum("rj,rajj->ra", repeats.shares, repeats.transitions[..., :classes]).std(0, ddof=1)
        low, high = beta_interval(
            right, spread, votes_at_most=np.maximum(self.votes, 1e-9), confidence_level=self._confidence_level
        )
        return Estimate(
            np.where(silent, 0.5, right), np.where(silent, 0.0, low), np.where(silent, 1.0, high),
            self._confidence_level, "expectation-maximisation (Dawid and Skene); interval from examples drawn again",
        )  # fmt: skip

    @property
    def consensus(self) -> Int[np.ndarray, " N"]:
        """The likeliest class of each example."""
        return np.asarray(self.posterior.argmax(1))

    @property
    def confidence(self) -> Float[np.ndarray, " N"]:
        """P(the consensus is right), if annotators err independently of each other; else it is too sure."""
        return np.asarray(self.posterior.max(1))

    @property
    def noise(self) -> Annotators:
        """The noise model, ready to train by."""
        return Annotators(self.transitions)

    def ask_next(self, count: int, *, annotators: Any = None) -> tuple[Question, ...]:
        """Choose votes to ask for: for each of the least certain examples the annotator whose answer tells most.

        Gain is the mutual information of answer and class, given the votes so far. Nobody is asked twice about an
        example; each example comes at most once.

        Args:
            count: >= 1.
            annotators: int, those that can be asked; None for all who have voted.

        Returns:
            Questions by falling gain; fewer, where nobody is left to ask.

        Raises:
            InputError: count < 1, or annotators that are none.
        """
        refuse([whole_fault(count, lowest=1, what="the number of questions")])
        who = np.flatnonzero(self.votes > 0) if annotators is None else np.asarray(annotators, dtype=np.int64)
        if not len(who) or who.min() < 0 or who.max() >= len(self.votes):
            raise InputError(f"annotators are integers in [0, {len(self.votes)}), but {annotators!r} came")
        examples = np.argsort(self.posterior.max(1), kind="stable")[: max(count, EXAMPLES_ASKED)]
        gains = _gains(self.posterior[examples], self.transitions[who])
        gains[self._asked[examples][:, who].toarray() > 0] = -np.inf
        best = gains.argmax(1)
        gain = gains[np.arange(len(examples)), best]
        order = np.argsort(-gain, kind="stable")[:count]
        return tuple(
            Question(int(examples[i]), int(who[best[i]]), float(gain[i])) for i in order if np.isfinite(gain[i])
        )


def dawid_skene(
    votes: Votes, *, known: Any = None, shrink: bool = True, confidence_level: float = 0.95, seed: int = 0
) -> AnnotatorQuality:
    """Estimate each annotator's transition and each example's class together, by expectation-maximisation.

    Starts from the shares of an example's votes; then T_a[j, k] proportional to the votes k of annotator a on examples
    of class j, and P(class j) proportional to share_j times the product of T_a[j, vote], in turn. Intervals come from
    examples drawn again, and are no shorter than an exact binomial of as many votes.

    With `shrink`, transitions are drawn towards those of all annotators, or towards one rate each, as far as the counts
    say (`murk.measure.shrinkage`): with tens of votes an annotator that is more often right, and says less surely what
    it does not know. Without, it is the original.

    Assumes that annotators err independently of each other given the class, and that right votes are the most frequent
    at the start: otherwise classes may be found under each other's names (`estimate_transition` says when). Where
    several err on the same hard examples, consensus and annotators look better than they are.

    Args:
        votes: with annotators (`Votes.from_long`), two or more on some examples.
        known: int [N], true classes where they are known, -1 elsewhere.
        shrink: whether transitions are drawn together.
        confidence_level: of the intervals of `AnnotatorQuality.accuracy`, in (0, 1).
        seed: of the examples drawn again for them.

    Raises:
        InputError: votes without annotators, or no example with two; known labels out of range.

    Example:
        >>> from murk.noise import Flat
        >>> noise = Annotators([Flat(3, right).matrix() for right in (0.9, 0.8, 0.5, 0.4)], votes_per_example=3)
        >>> found = dawid_skene(noise.draw(np.arange(900) % 3, seed=0))
        >>> found.accuracy.value.argsort().tolist(), bool((found.consensus == np.arange(900) % 3).mean() > 0.85)
        ([3, 2, 1, 0], True)

    Source: Dawid and Skene 1979.
    """
    refuse([level_fault(confidence_level), seed_fault(seed)])
    counted = SourceVotes.of(votes, by_annotator=True)
    told = None if known is None else read_array(known, what="known labels")
    refuse([known_fault(told, (len(votes), votes.num_classes))])
    told = None if told is None else told.astype(np.int64)
    if not len(votes) or counted.counts.sum(1).max() < 2:
        raise InputError(
            "annotators are compared on examples that two or more have voted on, but there is none such; ask for more "
            "votes on the same examples, or give probabilities to estimate_transition"
        )
    classes = votes.num_classes
    first = counted.per_class().toarray()[:, :classes] + TINY
    expectation = Expectation(counted, np.full((1, classes), -np.log(classes)), told)
    update = free_transitions if shrink else _plain
    start = update(expectation.counted(first / first.sum(1, keepdims=True)))
    found = maximise(expectation, start, update, steps=STEPS, tolerance=TOLERANCE)
    again = settle_shrinkage(found.expectation.expected(found.transitions).votes) if shrink else _plain
    given = np.asarray(counted.counts.sum(0)).reshape(counted.num_sources, -1).sum(1)
    asked = sparse.csr_array(counted.counts @ np.repeat(np.eye(counted.num_sources), counted.num_answers, axis=0))
    return AnnotatorQuality(
        posterior=found.expectation.posterior(found.transitions)[0], transitions=found.transitions,
        shares=np.exp(found.expectation.log_probs[0]), votes=given.astype(np.int64), _asked=asked,
        _repeated=partial(repeat, found, again, groups=np.arange(len(votes)), seed=seed),
        _confidence_level=confidence_level,
    )  # fmt: skip


def _plain(votes: np.ndarray) -> np.ndarray:
    rows = votes + LEAST_VOTES / votes.shape[2]
    return np.asarray(rows / rows.sum(2, keepdims=True))


def _gains(posterior: np.ndarray, transitions: np.ndarray) -> np.ndarray:
    """Give the mutual information [B, A] of the class, of chances [B, K], and an answer by transitions [A, K, V]."""
    joint = posterior[:, None, :, None] * transitions  # [B, A, K, V]
    answer = joint.sum(2, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        told = joint * np.log(joint / (posterior[:, None, :, None] * answer))
    return np.asarray(np.nansum(told, axis=(2, 3)))
