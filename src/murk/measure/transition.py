"""How labels go wrong, estimated from class probabilities and votes: T, the noise rate, and what cannot be known."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from murk.errors import InputError, refuse
from murk.measure.confident import surest
from murk.measure.estimate import level_fault
from murk.measure.expectation import Expectation, Maximum, maximise
from murk.measure.naming import best_naming, score_by_known, score_by_one_right
from murk.measure.noise_family import FAMILIES, FOLDS, Choice, choose_family, settled_family
from murk.measure.predicted import read_array
from murk.measure.probabilities import probs_fault
from murk.measure.repeated import repeat
from murk.measure.shrinkage import shrunk
from murk.measure.source_votes import SourceVotes
from murk.measure.transition_estimate import TransitionEstimate, estimate_of
from murk.noise import Votes
from murk.noise.draws import seed_fault, stream_key

__all__ = [
    "VOTES_FOR_THEMSELVES",
    "estimate_transition",
    "free_transitions",
    "known_fault",
    "name_columns",
    "one_right_fault",
    "transitions_of_surest",
    "weights_fault",
    "weights_of",
]

LEAST_PROBABILITY = 1e-6  # a network that excludes a class may still be wrong
VOTES_FOR_THEMSELVES = 3.0  # votes an example from which votes alone identify T (Kruskal 1977)
NAMED_BY = 200_000  # examples that say which class is which
STARTS, FIRST_STEPS, STEPS_ALONE = 4, 40, 1000


def estimate_transition(
    probs: Any,
    votes: Votes,
    *,
    known: Any = None,
    groups: Any = None,
    weights: Any = None,
    one_right: bool = False,
    by_annotator: bool = False,
    tempering: Any = None,
    confidence_level: float = 0.95,
    seed: int = 0,
) -> TransitionEstimate:
    """Estimate how votes go wrong: T[j, k] = P(a vote says k given truth j), by expectation-maximisation.

    r_ij = softmax_j(log p_ij + e_ij), T[j, k] proportional to sum_i r_ij c_ik, until the likelihood rests. T starts
    from the surest examples of each class, is drawn towards uniform noise as far as the votes say
    (`murk.measure.shrinkage`), and is of the simplest family (none, uniform, class-dependent; with annotators also one
    of each) whose held-out likelihood is within a standard error of the best.

    Assumes that a vote depends on an example only through its class, that votes are independent given the class, and
    that the probabilities are p(truth given x) of examples that their network has not seen, but for one power to which
    all are raised (`Expectation.sharpness`), which is learned along. Intervals hold the chance of the examples and of
    that power, not other errors of the probabilities.

    Args:
        probs: float [N, K], out-of-fold p(truth given x); None for the votes alone, of which there must then be three
            or more an example.
        votes: the votes of the N examples, independent of `probs`.
        known: int [N], the true class where you know it, -1 elsewhere, or None.
        groups: [N], a name an example: what belongs together is held out and drawn together.
        weights: float [N] > 0, how many times each example counts; None for once.
        one_right: whether exactly one vote of each example is right (exact dilution); then Q is estimated, and T of it.
        by_annotator: whether each annotator has a transition of their own.
        tempering: float [S, 2] in [0, 1], how much each annotator's votes for classes count, and their "none of these",
            where they repeat each other. Families are then not compared, for want of a likelihood: each annotator has a
            transition.
        confidence_level: of each interval, in (0, 1).
        seed: of folds and repeats.

    Raises:
        InputError: shapes that differ, probabilities that are none, known labels out of range, or votes that cannot do
            what is asked of them (fewer than four examples are too few); all faults that can be seen together.

    Example:
        >>> from murk.noise import Channel
        >>> rng = np.random.default_rng(0)
        >>> probs = rng.dirichlet([0.1, 0.1, 0.1], 3000)
        >>> truth = (probs.cumsum(1) > rng.random((3000, 1))).argmax(1)
        >>> votes = Channel.symmetric(0.3, num_classes=3).draw(truth, seed=0)
        >>> found = estimate_transition(probs, votes)
        >>> found.family, round(found.noise_rate.value, 1)
        ('uniform', 0.3)

    Source: Dawid and Skene 1979 (EM); the rest is derived.
    """
    refuse([level_fault(confidence_level), seed_fault(seed)])
    expectation, members = _read(
        probs, votes, known=known, groups=groups, weights=weights, one_right=one_right, by_annotator=by_annotator
    )
    expectation = replace(expectation, tempering=_tempering_of(tempering, expectation.votes))
    start = _start_of(expectation)
    if expectation.tempering is None:
        choice = choose_family(expectation, start, groups=members, seed=seed)
    else:
        choice = Choice(list(FAMILIES)[-1], {}, {})
    update = FAMILIES["uniform" if choice.family == "none" else choice.family]
    found = maximise(expectation, start, update, steps=STEPS_ALONE, tolerance=1e-9)
    again = settled_family(choice.family, found.expectation.expected(found.transitions).votes)
    repeats = repeat(found, again, groups=members, seed=seed)
    return estimate_of(found, choice, repeats, confidence_level=confidence_level)


def _read(
    probs: Any, votes: Votes, *, known: Any, groups: Any, weights: Any, one_right: bool, by_annotator: bool
) -> tuple[Expectation, np.ndarray]:
    """Read what EM reads, and the number of each example's group, or refuse them with every fault that can be seen."""
    size, classes = len(votes), votes.num_classes
    array, known, groups = (
        None if given is None else read_array(given, what=what)
        for given, what in ((probs, "probabilities"), (known, "known labels"), (groups, "groups"))
    )
    refuse([
        "" if array is None else probs_fault(array, (size, classes)), known_fault(known, (size, classes)),
        weights_fault(weights, size),
        "" if groups is None or groups.shape == (size,) else f"groups are {size} names, but {groups.shape} came",
        "votes alone do not tell which of them is right; give probabilities with one_right"
        if probs is None and one_right else "",
        "of each annotator's votes none is surely right; give one_right or by_annotator" if one_right and by_annotator
        else "",
    ])  # fmt: skip
    members = np.arange(size) if groups is None else np.unique(groups, return_inverse=True)[1]
    counted = SourceVotes.of(votes, by_annotator=by_annotator)
    known = None if known is None else known.astype(np.int64)
    refuse([
        "" if len(np.unique(members)) >= FOLDS else
        f"noise is estimated from {FOLDS} examples (or groups) on, but {len(np.unique(members))} came",
        "" if probs is not None or counted.per_example >= VOTES_FOR_THEMSELVES else
        f"votes alone tell how they go wrong from three an example on, but {counted.per_example:.2g} came; give "
        "out-of-fold probabilities too",
        one_right_fault(counted, known) if one_right else "",
    ])  # fmt: skip
    log_probs = np.full((1, classes), -np.log(classes))
    if array is not None:
        array = array / array.sum(1, keepdims=True, dtype=np.float64).astype(array.dtype)
        log_probs = np.log(np.maximum(array, LEAST_PROBABILITY))
    return Expectation(counted, log_probs, known, one_right, weights_of(weights)), members


def _tempering_of(tempering: Any, votes: SourceVotes) -> np.ndarray | None:
    if tempering is None:
        return None
    array = read_array(tempering, what="tempering")
    wanted = (votes.num_sources, 2)
    if array.shape == wanted and array.dtype.kind in "iuf" and ((array >= 0) & (array <= 1)).all():
        return array.astype(np.float64)
    raise InputError(f"tempering is {wanted} shares in [0, 1], of each annotator, but {array.dtype} of "
                     f"{array.shape} came")  # fmt: skip


def weights_fault(weights: Any, num_examples: int) -> str:
    """Say what is wrong with how many times examples count, or nothing."""
    if weights is None:
        return ""
    array = read_array(weights, what="weights")
    if array.shape == (num_examples,) and array.dtype.kind in "iuf" and (np.isfinite(array) & (array > 0)).all():
        return ""
    return (
        f"weights are {num_examples} finite numbers > 0, but {array.dtype} of {array.shape} came; leave out examples "
        "that count for nothing"
    )


def weights_of(weights: Any) -> np.ndarray | None:
    """Take faultless weights as float64 [N]; None stays None."""
    return None if weights is None else np.asarray(weights, dtype=np.float64)


def one_right_fault(votes: SourceVotes, known: np.ndarray | None) -> str:
    """Say why it cannot be that exactly one vote of each example is right, or nothing."""
    per_example = votes.counts.sum(1)
    if votes.num_answers > votes.num_classes or len(np.unique(per_example[per_example > 0])) > 1:
        return "exactly one vote of each example is right only where each has as many, all of them for classes"
    if known is None:
        return ""
    told = np.flatnonzero((known >= 0) & (per_example > 0))
    wrong = told[votes.counts[told].toarray()[range(len(told)), known[told]] == 0]
    if not len(wrong):
        return ""
    return (
        f"exactly one vote of each example is right, but none of example {wrong[0]} names its known class "
        f"{known[wrong[0]]} ({len(wrong)} such); check the known labels"
    )


def known_fault(known: np.ndarray | None, shape: tuple[int, int]) -> str:
    """Say what keeps an array from being the known classes of N of K classes, or nothing."""
    if known is None or (known.shape == shape[:1] and known.dtype.kind in "iu" and (
        not len(known) or (known.min() >= -1 and known.max() < shape[1])
    )):  # fmt: skip
        return ""
    return f"known labels are {shape[0]} integers in [-1, {shape[1]}), -1 for unknown, but {known.dtype} of " \
           f"{known.shape} came"  # fmt: skip


def _start_of(expectation: Expectation) -> Float[np.ndarray, "S K A"]:
    """Give transitions to start EM from: those of the surest examples, or the likeliest that votes alone lead to."""
    if not expectation.learns_shares:
        return transitions_of_surest(expectation)
    blank = replace(expectation, known=None)
    per_class = expectation.votes.per_class()
    totals = []
    for part in blank.parts():
        counts = per_class[part].toarray()[:, : expectation.votes.num_classes]
        most = (counts == counts.max(1, keepdims=True)) & (counts > 0)
        totals.append(blank.counted(most / np.maximum(most.sum(1, keepdims=True), 1), part=part))
    first = free_transitions(np.maximum(sum(totals), 0))
    mixing = np.random.default_rng(stream_key(0, "transition/starts")).dirichlet(
        np.ones(first.shape[1]), (STARTS - 1, first.shape[1])
    )
    starts = [first, *(np.einsum("jl,slk->sjk", each, first) for each in mixing)]
    tried = [maximise(blank, start, free_transitions, steps=FIRST_STEPS) for start in starts]
    best = max(tried, key=lambda each: each.loglik)
    best = maximise(best.expectation, best.transitions, free_transitions, steps=STEPS_ALONE)
    names = name_columns(best, known=expectation.known, one_right=False)
    named = np.empty_like(best.transitions)
    named[:, names] = best.transitions
    return named


def transitions_of_surest(expectation: Expectation) -> Float[np.ndarray, "S K A"]:
    """Read transitions [S, K, A] off the surest half of the examples predicted to be of each class."""
    classes = surest(expectation.log_probs)
    if expectation.known is not None:
        classes = np.where(expectation.known >= 0, expectation.known, classes)
    return free_transitions(np.maximum(expectation.counted_classes(classes), 0))


def name_columns(found: Maximum, *, known: np.ndarray | None, one_right: bool) -> Int[np.ndarray, " K"]:
    """Say which class each column of what EM found is: int [K].

    By audited labels and by the one right vote where there are such, else so that classes get right votes more often
    than any other naming would make them. Of more than 200,000 examples evenly many are read, and all audited ones.
    """
    examples = np.arange(len(found.expectation.votes))
    read = examples % max(1, -(-len(examples) // NAMED_BY)) == 0
    if known is not None:
        read |= known >= 0
        known = known[read]
    free = replace(found.expectation.rows(examples[read]), known=None, one_right=False)
    score = np.zeros(found.transitions.shape[1:])[:, : free.votes.num_classes]
    posterior = free.posterior(found.transitions)[0]
    if known is not None and (known >= 0).any():
        score += score_by_known(posterior, known)
    if one_right:
        score += score_by_one_right(posterior, free.votes.counts.toarray())
    if not score.any():
        score = free.counted(posterior).sum(0)[:, : len(score)]
    return best_naming(score)


def free_transitions(votes: np.ndarray) -> np.ndarray:
    """Give transitions [S, K, A] of the richest family from expected votes [S, K, A]."""
    return shrunk(votes)[0]
