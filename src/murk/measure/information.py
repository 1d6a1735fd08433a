"""What votes are worth: their information about the true class, as a number of clean labels."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.special import entr, logsumexp
from scipy.stats import binom

from murk.errors import InputError, refuse
from murk.measure.predicted import read_array
from murk.noise import Annotators, Channel, Dilution, Flat, NoiseModel, Votes

__all__ = [
    "effective_clean_labels", "effective_clean_labels_per_annotator", "effective_clean_labels_per_class",
    "information_log_score", "information_per_example", "information_per_vote",
]  # fmt: skip

ENTRIES_AT_ONCE = 1 << 19  # of the table [block, K], so that memory does not grow with N
PRIOR_SUM_TOLERANCE = 1e-6
NEGLIGIBLE = 1e-18  # probability of the tails left out of an expectation
UNIFORM_TOLERANCE = 1e-9


def effective_clean_labels(votes: Votes, noise: NoiseModel, *, prior: Any = None) -> float:
    """Count how many clean labels the votes are worth: n_eff = sum_i I_i / H(prior).

    I_i = H(prior) - H(softmax_j(e_ij + log prior_j)) in nats, with e the log evidence of example i's votes. A clean
    label is worth H(prior), log K for the uniform prior, and so counts as one; no vote counts as zero. With another
    prior a single I_i can be negative (a vote against the common class leaves more doubt than none did); their mean
    over votes drawn by the noise model is not. The prior is that of the classes in the data, not of a trained model.

    Not promised: under a wrong noise model this is not information. Where truth is known, set
    `information_log_score` beside it.

    Args:
        votes: the votes of N examples.
        noise: the noise model that weighs them, of the same K.
        prior: class probabilities, float [K], summing to one; None for 1/K each.

    Returns:
        n_eff, at most N; a bare number, for it is a function of votes and noise and nothing is estimated.

    Raises:
        InputError: K differs, a faulty prior or one that is sure of a class, votes impossible under noise and prior, or
            tempered annotators, whose evidence is no likelihood.

    Example:
        >>> import numpy as np
        >>> from murk.noise import Dilution
        >>> effective_clean_labels(Dilution(0, num_classes=10).draw(np.arange(5), seed=0), Dilution(0, num_classes=10))
        5.0

    Source: derived; the votes' mutual information with the class (Cover and Thomas, Elements of Information Theory).
    """
    return float(effective_clean_labels_per_class(votes, noise, prior=prior).sum())


def effective_clean_labels_per_class(votes: Votes, noise: NoiseModel, *, prior: Any = None) -> Float[np.ndarray, " K"]:
    """Count how many clean labels the votes are worth for each class: sum_i P(j given votes_i) I_i / H(prior).

    What an example's votes tell counts for each class as far as they say that it is of that class. The sum over classes
    is n_eff (`effective_clean_labels`).

    Args, raises: as `effective_clean_labels`.

    Returns:
        float64 [K]; with another prior than the uniform one a class can come out below zero.

    Example:
        >>> import numpy as np
        >>> from murk.noise import Dilution
        >>> clean = Dilution(0, num_classes=3)
        >>> effective_clean_labels_per_class(clean.draw(np.array([0, 0, 1]), seed=0), clean).tolist()
        [2.0, 1.0, 0.0]

    Source: derived.
    """
    log_prior, entropy = _read_prior(prior, noise.num_classes)
    if getattr(noise, "tempering", None) is not None:
        raise InputError("tempered evidence is no likelihood and does not tell what votes are worth; give Annotators "
                         "without tempering, or a Channel")  # fmt: skip
    gained = np.zeros(noise.num_classes)
    for _, log_posterior in _log_posteriors(votes, noise, log_prior):
        posterior = np.exp(log_posterior)
        gained += (entropy - entr(posterior).sum(axis=1)) @ posterior
    return gained / entropy


def information_per_vote(noise: Channel | Annotators, *, prior: Any = None) -> float | Float[np.ndarray, " S"]:
    """Give the information of one vote about the class, in nats: I = sum_jk prior_j T[j, k] log(T[j, k] / P(k)).

    Of a symmetric channel that errs at the rate r, with every class as probable: log K + (1 - r) log(1 - r) +
    r log(r / (K - 1)). Votes on one example tell the same thing twice in part: their informations do not add up.

    Args:
        noise: a `Channel`, or `Annotators`, of whom each has a number of their own.
        prior: class probabilities, float [K], summing to one; None for 1/K each.

    Returns:
        Nats, in [0, H(prior)]; of annotators [S].

    Raises:
        InputError: other noise, or a faulty prior.

    Example:
        >>> from murk.noise import Channel
        >>> round(information_per_vote(Channel.symmetric(0.4, num_classes=10)), 6)
        0.750684

    Source: the channel's mutual information (Cover and Thomas, Elements of Information Theory).
    """
    if isinstance(noise, Annotators):
        transitions = np.asarray(noise.transitions)
    elif isinstance(noise, Channel):
        transitions = noise.transition.matrix()[None]
    else:
        raise InputError(f"one vote has an information of its own in a Channel or of Annotators, but {noise} came; of "
                         "a dilution take noise.independent()")  # fmt: skip
    log_prior, _ = _read_prior(prior, noise.num_classes)
    shares = np.exp(log_prior)
    mean = np.einsum("j,sjk->sk", shares, transitions)
    told = entr(mean).sum(1) - np.einsum("j,sj->s", shares, entr(transitions).sum(2))
    told = np.maximum(told, 0)
    return told if isinstance(noise, Annotators) else float(told[0])


def effective_clean_labels_per_annotator(
    votes: Votes, noise: Annotators, *, prior: Any = None
) -> Float[np.ndarray, " S"]:
    """Count how many clean labels each annotator's votes would be worth by themselves: votes times I / H(prior).

    Where annotators vote on the same examples they tell the same in part: the sum is more than n_eff of all votes.

    Args:
        votes: with annotators.
        noise: of these annotators.
        prior: as `information_per_vote`.

    Returns:
        float64 [S].

    Raises:
        InputError: votes without annotators, other noise, or a faulty prior.

    Example:
        >>> import numpy as np
        >>> from murk.noise import Annotators, Votes
        >>> noise = Annotators(np.stack([np.eye(2), np.full((2, 2), 0.5)]))
        >>> votes = Votes.from_long([0, 1, 2, 0], [0, 1, 0, 1], [0, 0, 0, 1], num_examples=3, num_classes=2)
        >>> effective_clean_labels_per_annotator(votes, noise).tolist()
        [3.0, 0.0]
    """
    if not isinstance(noise, Annotators):
        raise InputError(f"annotators have a noise of their own each (Annotators), but {type(noise).__name__} came")
    told = np.asarray(information_per_vote(noise, prior=prior))
    cast = np.zeros(len(told), np.int64)
    for batch in votes.batches():
        if batch.annotators is None:
            raise InputError("expected votes with annotators (Votes.from_long), but these do not say who voted")
        if len(batch.annotators) and batch.annotators.max() >= len(told):
            raise InputError(f"the noise has {len(told)} annotators, but annotator {batch.annotators.max()} voted")
        cast += np.bincount(batch.annotators, minlength=len(told))
    return np.asarray(cast * told / _read_prior(prior, noise.num_classes)[1])


def information_per_example(noise: NoiseModel) -> float:
    """Give the mean information of one example's votes under exact uniform dilution, in nats, in closed form.

    I = E log(K (1 + B) / (1 + alpha)) over B ~ Binomial(alpha, 1/K), with every class as probable. Of a channel of one
    vote an example it is that of the vote (`information_per_vote`).

    Args:
        noise: a `Dilution` with the uniform pattern, or a `Channel` with one vote an example.

    Returns:
        I in [0, log K]; N examples are worth N I / log K clean labels.

    Raises:
        InputError: other noise, for which there is no closed form here.

    Example:
        >>> from murk.noise import Dilution
        >>> round(information_per_example(Dilution(10, num_classes=10)), 6)
        0.486524

    Source: derived.
    """
    if isinstance(noise, Channel) and noise.votes_per_example == 1:
        return float(information_per_vote(noise))
    if (
        not isinstance(noise, Dilution)
        or not isinstance(noise.pattern, Flat)
        or abs(noise.pattern.right - 1 / noise.num_classes) > UNIFORM_TOLERANCE
    ):
        raise InputError(
            f"the closed form is for Dilution with the uniform pattern or one vote of a Channel, but {noise} came; "
            "draw votes and use effective_clean_labels"
        )
    alpha, num_classes = noise.alpha, noise.num_classes
    lowest, highest = (int(end(NEGLIGIBLE, alpha, 1 / num_classes)) for end in (binom.ppf, binom.isf))
    hits = np.arange(lowest, highest + 1)
    return float(binom.pmf(hits, alpha, 1 / num_classes) @ np.log(num_classes * (1 + hits) / (1 + alpha)))


def information_log_score(votes: Votes, noise: NoiseModel, labels: Any, *, prior: Any = None) -> float:
    """Average log(posterior of the truth / prior of the truth) over examples, in nats: what the votes really told.

    Under the right noise model and prior its expectation is that of I in `effective_clean_labels`; under a wrong one it
    is less than the votes hold, and says what this noise model gets out of them.

    Args:
        votes: the votes of N examples.
        noise: the noise model that weighs them, of the same K.
        labels: true classes, int [N] in [0, K).
        prior: class probabilities, float [K], summing to one; None for 1/K each.

    Returns:
        Nats per example, at most log K for the uniform prior; negative if the votes mislead.

    Raises:
        InputError: K or N differ, labels out of range, a faulty prior, or votes under which a true label is impossible.

    Example:
        >>> import numpy as np
        >>> from murk.noise import Dilution
        >>> labels, noise = np.arange(10), Dilution(0, num_classes=10)
        >>> bool(np.isclose(information_log_score(noise.draw(labels, seed=0), noise, labels), np.log(10)))
        True

    Source: the logarithmic score (Good 1952).
    """
    log_prior, _ = _read_prior(prior, noise.num_classes)
    truth = _read_truth(labels, votes)
    gained = 0.0
    for indices, log_posterior in _log_posteriors(votes, noise, log_prior):
        true_class = truth[indices]
        told = log_posterior[np.arange(len(indices)), true_class]
        impossible = np.flatnonzero(np.isneginf(told))
        if len(impossible):
            raise InputError(
                f"the noise model (or the prior) gives the true label of example {indices[impossible[0]]} no chance, "
                "so that its log-score is -infinity; this noise model is wrong for these votes"
            )
        gained += float((told - log_prior[true_class]).sum())
    return gained / len(truth)


def _log_posteriors(
    votes: Votes, noise: NoiseModel, log_prior: Float[np.ndarray, " K"]
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Walk over the examples in blocks: their indices, and log softmax(e + log prior)."""
    if votes.num_classes != noise.num_classes:
        raise InputError(f"the noise model has {noise.num_classes} classes, but the votes have {votes.num_classes}")
    rows = max(1, ENTRIES_AT_ONCE // max(noise.num_classes, votes.votes_per_example))
    for start in range(0, votes.num_examples, rows):
        indices = np.arange(start, min(start + rows, votes.num_examples))
        joint = noise.log_evidence(votes.batch(indices)).dense() + log_prior
        total = logsumexp(joint, axis=1, keepdims=True)
        impossible = np.flatnonzero(np.isneginf(total))
        if len(impossible):
            raise InputError(
                f"the votes of example {indices[impossible[0]]} are impossible under this prior; "
                "give every class that may occur some probability"
            )
        yield indices, joint - total


def _read_prior(prior: Any, num_classes: int) -> tuple[np.ndarray, float]:
    """Read class probabilities; give their logs and their entropy."""
    if prior is None:
        return np.full(num_classes, -math.log(num_classes)), math.log(num_classes)
    given = read_array(prior, what="prior").astype(np.float64)
    if given.shape != (num_classes,):
        raise InputError(f"a prior has one probability for each of {num_classes} classes, but {given.shape} came")
    refuse([
        "" if np.isfinite(given).all() and (given >= 0).all() else "a prior is finite and >= 0, but this one is not",
        f"a prior sums to one, but this one to {given.sum():.6g}"
        if not abs(given.sum() - 1) <= PRIOR_SUM_TOLERANCE else "",
    ])  # fmt: skip
    entropy = float(entr(given).sum())
    if entropy <= 0:
        raise InputError("a prior that is sure of one class leaves nothing to learn; give other classes a chance")
    with np.errstate(divide="ignore"):
        return np.log(given), entropy


def _read_truth(labels: Any, votes: Votes) -> np.ndarray:
    truth: np.ndarray = read_array(labels, what="labels")
    if truth.shape != (votes.num_examples,) or truth.dtype.kind not in "iu" or not len(truth):
        raise InputError(
            f"expected a true label, an integer, for each of the {votes.num_examples} examples (at least one), "
            f"but {truth.dtype} of shape {truth.shape} came"
        )
    if truth.min() < 0 or truth.max() >= votes.num_classes:
        raise InputError(f"labels lie in [0, {votes.num_classes}), but {truth.min()} .. {truth.max()} came")
    return truth
