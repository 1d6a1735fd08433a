"""Shrinkage: transitions from counted votes, drawn towards a simpler matrix as far as the counts themselves say."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from scipy.optimize import minimize_scalar
from scipy.special import gammaln

__all__ = ["flat", "shrunk", "strength_towards", "tilt", "tilted"]

WEAKEST, STRONGEST = 1.0, 1e6  # votes that the simpler matrix may be worth
TILTS, MOST_TILT = 60, 1e4
SMOOTHING = 0.5  # votes added on either side of a rate, so that none is 0 or 1


def flat(votes: Float[np.ndarray, "S K A"]) -> Float[np.ndarray, "S K A"]:
    """Give each source one rate of right answers, all false classes alike: from votes per source, true class, answer.

    Where there is an answer more than classes ("none of these"), it has one chance for all classes.
    """
    classes, answers = votes.shape[1:]
    within = votes[:, :, :classes]
    right, total = np.einsum("sjj->s", within), within.sum((1, 2))
    rate = (right + SMOOTHING) / (total + 2 * SMOOTHING)
    none = np.zeros(len(votes))
    if answers > classes:
        none = (votes[:, :, classes].sum(1) + SMOOTHING) / (votes.sum((1, 2)) + 2 * SMOOTHING)
    out = np.empty_like(votes, dtype=np.float64)
    out[:, :, :classes] = ((1 - none) * (1 - rate) / (classes - 1))[:, None, None]
    out[:, range(classes), range(classes)] = ((1 - none) * rate)[:, None]
    out[:, :, classes:] = none[:, None, None]
    return out


def tilted(votes: Float[np.ndarray, "S K A"]) -> Float[np.ndarray, "S K A"]:
    """Give each source its own share of every answer, and one factor by which the right answer is likelier.

    T[j, k] proportional to b_k g^[j = k], with g >= 1: a source that only ever names one class, or mostly none, still
    says something by when it does. Fitted by scaling in turn b to how often each answer came, and g to how often it was
    right, until both are met.
    """
    sources, classes = votes.shape[:2]
    came, right = votes.sum(1) + SMOOTHING, np.einsum("sjj->s", votes[:, :, :classes]) + SMOOTHING
    wrong = votes[:, :, :classes].sum((1, 2)) + 2 * SMOOTHING - right
    members = votes.sum(2)
    base, factor = came / came.sum(1, keepdims=True), np.full(sources, 2.0)
    for _ in range(TILTS):
        expected = np.einsum("sj,sjk->sk", members, tilt(base, factor, classes)) + SMOOTHING
        base = base * came / expected
        base /= base.sum(1, keepdims=True)
        own = tilt(base, factor, classes)
        met = np.einsum("sj,sjj->s", members, own[:, :, :classes]) + SMOOTHING
        missed = np.einsum("sj,sjk->s", members, own[:, :, :classes]) + 2 * SMOOTHING - met
        factor = np.clip(factor * (right / wrong) / (met / missed), 1.0, MOST_TILT)
    return tilt(base, factor, classes)


def tilt(base: Float[np.ndarray, "S A"], factor: Float[np.ndarray, " S"], classes: int) -> Float[np.ndarray, "S K A"]:
    """Give T[j, k] proportional to base[k], the right answer being `factor` times as likely."""
    rows = np.repeat(base[:, None, :], classes, axis=1)
    rows[:, range(classes), range(classes)] *= factor[:, None]
    return np.asarray(rows / rows.sum(2, keepdims=True))


def strength_towards(votes: Float[np.ndarray, "*S K A"], towards: Float[np.ndarray, "*S K A"]) -> tuple[float, float]:
    """Choose how many votes of each class `towards` is worth, by the likelihood of the counts.

    Rows of the transition are drawn from Dirichlet(s towards), the counts from the rows: their probability with the
    rows integrated out has its peak at the s returned. So rows that differ from `towards` only by chance are drawn onto
    it, whatever the number of classes, and rows that differ in truth are left as they are.

    Returns:
        s in [1, 10^6] and its log likelihood (without what does not depend on s).
    """
    totals = votes.sum(-1)
    seen = votes > 0  # the other terms cancel

    def loglik(log_s: float) -> float:
        prior = np.exp(log_s) * towards[seen]
        whole = gammaln(np.exp(log_s)) * totals.size - gammaln(np.exp(log_s) + totals).sum()
        return float(whole + (gammaln(prior + votes[seen]) - gammaln(prior)).sum())

    bounds = (np.log(WEAKEST), np.log(STRONGEST))
    best = minimize_scalar(lambda log_s: -loglik(log_s), bounds=bounds, method="bounded", options={"xatol": 0.1})
    at_most = loglik(bounds[1])
    if at_most >= -best.fun:
        return STRONGEST, at_most
    return float(np.exp(best.x)), float(-best.fun)


def shrunk(votes: Float[np.ndarray, "S K A"]) -> tuple[Float[np.ndarray, "S K A"], float]:
    """Estimate transitions, rows free but drawn together.

    One source: towards its flat matrix. Several: the transition that all share is found so first; then each source is
    drawn towards that, or towards its own flat matrix, or its tilted one, or towards answers that do not depend on the
    class (a source that knows nothing), whichever makes the counts likelier.

    Returns:
        Transitions [S, K, A] and the strength of the last shrinkage, in votes a class.
    """
    pooled = votes.sum(0, keepdims=True)
    shared, strength = _drawn(pooled, flat(pooled))
    if len(votes) == 1:
        return shared, strength
    answered = votes.sum(1, keepdims=True) + SMOOTHING
    blind = np.broadcast_to(answered / answered.sum(2, keepdims=True), votes.shape)
    bases = (np.broadcast_to(shared, votes.shape), flat(votes), tilted(votes), blind)
    best = max(bases, key=lambda base: strength_towards(votes, base)[1])
    return _drawn(votes, best)


def _drawn(votes: np.ndarray, towards: np.ndarray) -> tuple[np.ndarray, float]:
    strength, _ = strength_towards(votes, towards)
    rows = votes + strength * towards
    return np.asarray(rows / rows.sum(-1, keepdims=True)), strength
