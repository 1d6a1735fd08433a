"""Accuracy from noisy votes alone: no clean label needed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from scipy.special import xlogy

from murk.errors import InputError, UndecidedError, refuse
from murk.measure.estimate import Estimate, level_fault
from murk.measure.inverse_accuracy import inverse_accuracy
from murk.measure.likelihood_ratio import likelihood_ratio_accuracy
from murk.measure.predicted import read_predicted, refuse_misfit
from murk.measure.vote_agreement import agreement_doubt
from murk.noise import Channel, Dilution, Flat, NoiseModel, Pattern, VoteBatch, Votes

__all__ = ["accuracy_from_votes", "channel_loglik", "dilution_loglik"]

SAME = 1e-9  # matrix entries that differ by less count as equal


def accuracy_from_votes(
    predictions_or_probs: Any, votes: Votes, *, noise: Any, confidence_level: float = 0.95
) -> Estimate:
    """Estimate the accuracy of predictions from noisy votes, where it is known, or estimated, how they go wrong.

    Where noise is uniform and known, with c votes for the predicted class out of n, an example has the likelihood
    A P(c | right) + (1 - A) P(c | wrong), whatever classes the errors go to; A alone is estimated, by
    `likelihood_ratio_accuracy`. Any other noise is read through the inverse of its T
    (`murk.measure.inverse_accuracy`): a free confusion matrix would not cover.

    Assumption: a vote depends on the example only through its true class, and the noise is as given. The model must
    not have been trained or selected on these votes. What is estimated is the accuracy on the population the examples
    came from. Examples without votes contribute nothing. The noise must be the one that gave the votes: votes of an
    exact dilution weighed as independent ones give an interval that does not cover.

    Some of what can be wrong shows by itself: more votes agree with the predictions, or fewer, than the noise makes
    likely at any accuracy in [0, 1]. By exact binomial tails, this is told at the end of `method` where its chance is
    below (1 - confidence_level) / 2, and refused where it is below a millionth. Not promised: that noise is right if
    nothing is told.

    Args:
        predictions_or_probs: predicted classes, int [N] in [0, K), or probabilities, float [N, K] (the largest column,
            the first one of equals).
        votes: the votes of the same N examples.
        noise: `Channel`, `Dilution`, or `Annotators`; or T with its intervals, which then count: what
            `estimate_transition` found, or the `Estimate` [K, K] of `Audit.transition`.
        confidence_level: in (0, 1).

    Returns:
        A single estimate in [0, 1].

    Raises:
        InputError: other noise, noise that leaves no information (right = 1/K, dependent rows: "cannot say"), numbers
            of examples or classes that do not fit, weighted or out-of-class votes, no votes at all, votes impossible
            under the noise, or more (fewer) votes that agree than the noise allows at any accuracy.

    Example:
        >>> import numpy as np
        >>> from murk.noise import Dilution
        >>> labels, noise = np.arange(1000) % 10, Dilution(10, num_classes=10)
        >>> estimate = accuracy_from_votes(labels, noise.draw(labels, seed=0), noise=noise)
        >>> estimate.low > 0.97 and estimate.high == 1
        True

    Source: derived; simulated coverage in benchmarks/results/accuracy_from_votes.json.
    """
    refuse([level_fault(confidence_level)])
    reading = _reading(noise)
    if reading is None:
        return inverse_accuracy(predictions_or_probs, votes, noise=noise, confidence_level=confidence_level)
    predicted = read_predicted(predictions_or_probs)
    refuse_misfit(predicted, votes, noise.num_classes)
    seen = _count(predicted.classes, votes, noise)
    correct, wrong = reading.loglik(seen.hits, seen.totals)
    impossible = np.flatnonzero(np.isneginf(np.maximum(correct, wrong)))
    if len(impossible):
        raise InputError(
            f"the votes of example {seen.first[impossible[0]]} are impossible under {noise}, its prediction right or "
            "wrong; use a noise model that leaves every vote a chance, or check these votes"
        )
    doubt = reading.doubt(seen, least_chance=(1 - confidence_level) / 2)
    found = likelihood_ratio_accuracy(correct, wrong, confidence_level=confidence_level, repeats=seen.examples)
    kind = "exact dilution" if isinstance(noise, Dilution) else "independent votes"
    method = "; ".join(filter(None, (found.method, f"{kind}, uniform noise known", doubt)))
    return Estimate(found.value, found.low, found.high, confidence_level, method)


def dilution_loglik(
    hits: Int[np.ndarray, " N"], *, alpha: int, num_classes: int
) -> tuple[Float[np.ndarray, " N"], Float[np.ndarray, " N"]]:
    """Weigh c votes for the predicted class among the 1 + alpha of exact uniform dilution.

    P(c | right) : P(c | wrong) = c : (1 + alpha - c) / (K - 1).

    Args:
        hits: c, in [0, 1 + alpha].
        alpha: random votes per clean one, >= 0.
        num_classes: K >= 2.

    Returns:
        Log-likelihoods if the prediction is right, and if it is wrong, up to a common constant.

    Example:
        >>> import numpy as np
        >>> dilution_loglik(np.array([1]), alpha=9, num_classes=10)
        (array([0.]), array([0.]))
    """
    with np.errstate(divide="ignore"):
        return np.log(hits), np.log((1 + alpha - hits) / (num_classes - 1))


def channel_loglik(
    hits: Int[np.ndarray, " N"], totals: Int[np.ndarray, " N"], *, right: float, num_classes: int
) -> tuple[Float[np.ndarray, " N"], Float[np.ndarray, " N"]]:
    """Weigh c votes for the predicted class among n independent ones of flat noise.

    c is Binomial(n, right) if the prediction is right, else Binomial(n, (1 - right) / (K - 1)).

    Args:
        hits: c, in [0, n].
        totals: n >= 0.
        right: P(a vote is right), in [0, 1].
        num_classes: K >= 2.

    Returns:
        Log-likelihoods if the prediction is right, and if it is wrong, up to a common constant.

    Example:
        >>> import numpy as np
        >>> correct, wrong = channel_loglik(np.array([2]), np.array([2]), right=0.8, num_classes=2)
        >>> bool(np.isclose(correct - wrong, 2 * np.log(0.8 / 0.2))[0])
        True
    """
    named = (1 - right) / (num_classes - 1)
    misses = totals - hits
    correct = xlogy(hits, right) + xlogy(misses, 1 - right)
    return correct, xlogy(hits, named) + xlogy(misses, 1 - named)


@dataclass(frozen=True)
class _Seen:
    """The distinct pairs (votes for the predicted class, votes): how many examples have each, and the first of them."""

    hits: Int[np.ndarray, " U"]
    totals: Int[np.ndarray, " U"]
    examples: Int[np.ndarray, " U"]
    first: Int[np.ndarray, " U"]


@dataclass(frozen=True)
class _Reading:
    """What uniform noise says of votes for the predicted class.

    Attributes:
        loglik: of (hits, totals), if the prediction is right, and if it is wrong.
        sure: votes of an example that are right for certain.
        if_right: P(another vote agrees | the prediction is right).
        if_wrong: P(another vote agrees | the prediction is wrong).
    """

    loglik: Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]
    sure: int
    if_right: float
    if_wrong: float

    def doubt(self, seen: _Seen, *, least_chance: float) -> str:
        """Say, or refuse, that so many votes are likely to agree at no accuracy."""
        hits, votes = int(seen.hits @ seen.examples), int(seen.totals @ seen.examples)
        sure = self.sure * int(seen.examples.sum())
        return agreement_doubt(
            hits, sure=sure, drawn=votes - sure, if_right=self.if_right, if_wrong=self.if_wrong,
            least_chance=least_chance,
        )  # fmt: skip


def _reading(noise: Any) -> _Reading | None:
    """Choose how votes are read under uniform noise, or refuse it; None for other noise."""
    num_classes = getattr(noise, "num_classes", 0)
    if isinstance(noise, Dilution):
        right = _right_of(noise.pattern)
        if right is not None and abs(right - 1 / num_classes) < SAME:
            exact = partial(dilution_loglik, alpha=noise.alpha, num_classes=num_classes)
            return _Reading(lambda hits, totals: exact(hits), sure=1, if_right=right, if_wrong=right)
    if isinstance(noise, Channel):
        right = _right_of(noise.transition)
        if right is not None and abs(right - 1 / num_classes) < SAME:
            raise UndecidedError(
                f"cannot say: a vote that is right with probability 1/K = {1 / num_classes:.4g} tells nothing of the "
                "class: every accuracy in [0, 1] explains the votes equally well; give a noise model under which votes "
                "inform"
            )
        if right is not None:
            each = partial(channel_loglik, right=right, num_classes=num_classes)
            return _Reading(each, sure=0, if_right=right, if_wrong=(1 - right) / (num_classes - 1))
    return None


def _right_of(pattern: Pattern) -> float | None:
    """Give the diagonal of a flat pattern, or None where it is not flat."""
    if isinstance(pattern, Flat):
        return float(pattern.right)
    rows = pattern.matrix()
    if rows.shape[0] != rows.shape[1]:
        return None
    right = float(rows.diagonal().mean())
    flat = np.full(rows.shape, (1 - right) / (len(rows) - 1))
    np.fill_diagonal(flat, right)
    return right if np.abs(rows - flat).max() < SAME else None


def _count(classes: Int[np.ndarray, " N"], votes: Votes, noise: NoiseModel) -> _Seen:
    """Count, batch by batch, each example's votes and those for its predicted class; no table of N x K is made."""
    parts = [_count_batch(classes[batch.indices], batch, noise) for batch in votes.batches()]
    hits, totals = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    if not totals.any():
        raise InputError(f"expected at least one vote, but none of the {len(classes)} examples has any")
    widest = int(totals.max()) + 1
    codes, first, examples = np.unique(totals * widest + hits, return_index=True, return_counts=True)
    voted = codes >= widest
    codes, first, examples = codes[voted], first[voted], examples[voted]
    return _Seen(codes % widest, codes // widest, examples, first)


def _count_batch(classes: Int[np.ndarray, " B"], batch: VoteBatch, noise: NoiseModel) -> tuple[np.ndarray, np.ndarray]:
    totals = batch.lengths
    if batch.weights is not None:
        raise InputError("accuracy from votes counts whole votes, but weighted ones came; give them without weights")
    outside = np.flatnonzero(batch.labels >= batch.num_classes)
    if len(outside):
        raise InputError(
            f'example {batch.indices[batch.rows[outside[0]]]} has a vote for "none of these", of which uniform noise '
            "says nothing; leave such votes out (-1) if they fall alike on all classes"
        )
    if isinstance(noise, Dilution):
        wrong = np.flatnonzero((totals != 0) & (totals != 1 + noise.alpha))
        if len(wrong):
            raise InputError(
                f"with alpha = {noise.alpha} an example has {1 + noise.alpha} votes, but example "
                f"{batch.indices[wrong[0]]} has {totals[wrong[0]]}; for any number of votes use noise.independent()"
            )
    rows = batch.rows
    return np.bincount(rows[batch.labels == classes[rows]], minlength=len(batch)), totals
