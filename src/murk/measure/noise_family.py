"""Families of noise, from none to a transition for each annotator, and the choice among them by held-out votes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import logsumexp

from murk.measure.expectation import SHARPNESS, Expectation, maximise
from murk.measure.shrinkage import flat, settle_shrinkage, shrunk
from murk.noise.draws import stream_key

__all__ = ["FAMILIES", "FOLDS", "Choice", "Update", "choose_family", "settled_family"]

Update = Callable[[np.ndarray], np.ndarray]

FOLDS = 4
EXAMPLES_COMPARED = 50_000
SHARPNESS_TRIED = 17
NATS_IN_ALL = 3.0  # a richer family must gain so much over all examples compared


def _shared(estimate: Update) -> Update:
    def update(votes: np.ndarray) -> np.ndarray:
        return np.broadcast_to(estimate(votes.sum(0, keepdims=True)), votes.shape)

    return update


FAMILIES: dict[str, Update] = {
    "uniform": _shared(flat),
    "class-dependent": _shared(lambda votes: shrunk(votes)[0]),
    "a rate for each annotator": flat,
    "a transition for each annotator": lambda votes: shrunk(votes)[0],
}
"""From the simplest to the richest: transitions [S, K, A] from expected votes [S, K, A]; "none" comes before them."""


def settled_family(name: str, votes: np.ndarray) -> Update:
    """Give a family's estimate with all that counts choose in it held, to repeat it on data drawn again."""
    if name == "class-dependent":
        return _shared(settle_shrinkage(votes.sum(0, keepdims=True)))
    if name == "a transition for each annotator":
        return settle_shrinkage(votes)
    return FAMILIES["uniform" if name == "none" else name]


@dataclass(frozen=True)
class Choice:
    """A family of noise, chosen by votes that its estimate has not seen.

    Attributes:
        family: the simplest whose held-out likelihood is within one standard error (or 3 nats in all) of the best.
        behind: nats per example by which each family's held-out log likelihood is behind the best; inf where votes
            are impossible.
        standard_error: of each of these differences.
    """

    family: str
    behind: dict[str, float]
    standard_error: dict[str, float]


def choose_family(expectation: Expectation, start: np.ndarray, *, groups: np.ndarray, seed: int) -> Choice:
    """Compare the families by cross-validation over examples (groups are kept whole), from the transitions `start`."""
    rng = np.random.default_rng(stream_key(seed, "transition/folds"))
    chosen = rng.permutation(len(expectation.votes))[:EXAMPLES_COMPARED]
    fold = rng.permutation(groups.max() + 1)[groups[chosen]] % FOLDS
    names = list(FAMILIES) if expectation.votes.num_sources > 1 else list(FAMILIES)[:2]
    scores = {} if expectation.learns_shares else {"none": _without_noise(expectation.rows(chosen))}
    for name in names:
        held_out = np.empty(len(chosen))
        for k in range(FOLDS):
            found = maximise(expectation.rows(chosen[fold != k]), start, FAMILIES[name], tolerance=1e-5)
            theirs = expectation.rows(chosen[fold == k])
            if expectation.learns_shares:
                theirs = replace(theirs, log_probs=found.expectation.log_probs)
            theirs = replace(theirs, sharpness=found.expectation.sharpness)
            held_out[fold == k] = theirs.posterior(found.transitions)[1]
        scores[name] = held_out
    weights = np.ones(len(chosen)) if expectation.weights is None else expectation.weights[chosen]
    best = max(scores, key=lambda name: float(weights @ scores[name]))
    behind = {name: float(np.average(scores[best] - score, weights=weights)) for name, score in scores.items()}
    error = {name: _standard_error(scores[best] - score, weights, groups[chosen]) for name, score in scores.items()}
    simplest = next(name for name in scores if behind[name] <= max(error[name], NATS_IN_ALL / len(chosen)))
    return Choice(simplest, behind, error)


def _without_noise(expectation: Expectation) -> np.ndarray:
    """Give each example's log likelihood if all its votes are right: log q of the class that all of them name.

    At the best sharpness, as the other families have it too: a network that is too sure of itself is no noise.
    """
    named = expectation.votes.per_class().toarray() > 0
    several = named.sum(1, keepdims=True)
    allowed = np.where(several == 0, True, named & (several == 1))[:, : expectation.votes.num_classes]
    if expectation.known is not None:
        told = np.flatnonzero(expectation.known >= 0)
        allowed[told] &= np.eye(allowed.shape[1], dtype=np.bool_)[expectation.known[told]]
    tried = []
    for sharpness in np.geomspace(*SHARPNESS, SHARPNESS_TRIED):
        log_probs = replace(expectation, sharpness=float(sharpness)).sharpened()
        tried.append(logsumexp(np.where(allowed, log_probs, -np.inf), axis=1))
    return np.asarray(max(tried, key=lambda each: float(np.average(each, weights=expectation.weights))))


def _standard_error(differences: np.ndarray, weights: np.ndarray, groups: np.ndarray) -> float:
    """Give the standard error of a weighted mean over examples, of which those of one group go together."""
    if not np.isfinite(differences).all():
        return 0.0
    apart = weights * (differences - np.average(differences, weights=weights))
    return float(np.sqrt((np.bincount(groups, weights=apart) ** 2).sum()) / weights.sum())
