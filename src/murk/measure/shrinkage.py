"""Shrinkage: transitions from counted votes, drawn towards a simpler matrix as far as the counts themselves say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.optimize import minimize_scalar
from scipy.special import gammaln

__all__ = ["SettledShrinkage", "fit_tilt", "flat", "settle_shrinkage", "shrunk", "strength_towards", "tilt", "tilted"]

WEAKEST, STRONGEST = 1.0, 1e6  # votes that the simpler matrix may be worth
TILTS, MOST_TILT = 60, 1e4
TILTED_ENOUGH, TILTED_AGAIN = 1e-4, 1e-2  # change of a factor at which it rests; from a start that is near
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
    says something by when it does.
    """
    return tilt(*fit_tilt(votes), votes.shape[1])


def fit_tilt(
    votes: Float[np.ndarray, "S K A"], start: tuple[np.ndarray, np.ndarray] | None = None
) -> tuple[Float[np.ndarray, "S A"], Float[np.ndarray, " S"]]:
    """Find b [S, A] and g [S], by scaling in turn b to how often each answer came and g to how often it was right.

    From `start`, if given: the b and g of counts that are nearly these.
    """
    sources, classes = votes.shape[:2]
    came, right = votes.sum(1) + SMOOTHING, np.einsum("sjj->s", votes[:, :, :classes]) + SMOOTHING
    wrong = votes[:, :, :classes].sum((1, 2)) + 2 * SMOOTHING - right
    members = votes.sum(2)
    base, factor = start or (came / came.sum(1, keepdims=True), np.full(sources, 2.0))
    for _ in range(TILTS):
        base = base * came / (np.einsum("sj,sjk->sk", members, tilt(base, factor, classes)) + SMOOTHING)
        base /= base.sum(1, keepdims=True)
        own, before = tilt(base, factor, classes)[:, :, :classes], factor
        met = np.einsum("sj,sjj->s", members, own) + SMOOTHING
        missed = np.einsum("sj,sjk->s", members, own) + 2 * SMOOTHING - met
        factor = np.clip(factor * (right / wrong) / (met / missed), 1.0, MOST_TILT)
        if np.abs(np.log(factor / before)).max() < (TILTED_ENOUGH if start is None else TILTED_AGAIN):
            break
    return base, factor


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
    totals, seen = votes.sum(-1), votes > 0
    counts, shares = votes[seen], towards[seen]  # the other terms cancel

    def loglik(log_s: float) -> float:
        prior = np.exp(log_s) * shares
        whole = gammaln(np.exp(log_s)) * totals.size - gammaln(np.exp(log_s) + totals).sum()
        return float(whole + (gammaln(prior + counts) - gammaln(prior)).sum())

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
    settled = settle_shrinkage(votes)
    return settled(votes), settled.strength


@dataclass(frozen=True)
class SettledShrinkage:
    """A shrinkage whose strengths, and what it draws towards, are settled: quick, for the same counts drawn again.

    Attributes:
        shared: strength with which the transition of all sources is drawn towards the flat one, in votes a class.
        base: which of `BASES` each of several sources is drawn towards.
        strength: of that, or of the first where there is one source.
        start: where to look for the tilt from.
    """

    shared: float
    base: str
    strength: float
    start: tuple[np.ndarray, np.ndarray] | None = None

    def __call__(self, votes: Float[np.ndarray, "S K A"]) -> Float[np.ndarray, "S K A"]:
        """Estimate transitions [S, K, A]."""
        if len(votes) == 1:
            return _drawn(votes, flat(votes), self.shared)
        if self.start is not None:
            return _drawn(votes, tilt(*fit_tilt(votes, self.start), votes.shape[1]), self.strength)
        return _drawn(votes, BASES[self.base](votes, self.shared), self.strength)


def settle_shrinkage(votes: Float[np.ndarray, "S K A"]) -> SettledShrinkage:
    """Choose by the likelihood of the counts towards what transitions are drawn, and how far."""
    pooled = votes.sum(0, keepdims=True)
    shared, _ = strength_towards(pooled, flat(pooled))
    if len(votes) == 1:
        return SettledShrinkage(shared, "", shared)
    tried = {name: strength_towards(votes, base(votes, shared)) for name, base in BASES.items()}
    best = max(tried, key=lambda name: tried[name][1])
    return SettledShrinkage(shared, best, tried[best][0], fit_tilt(votes) if best == "tilted" else None)


def _shared(votes: np.ndarray, strength: float) -> np.ndarray:
    pooled = votes.sum(0, keepdims=True)
    return np.broadcast_to(_drawn(pooled, flat(pooled), strength), votes.shape)


def _blind(votes: np.ndarray, _: float) -> np.ndarray:
    answered = votes.sum(1, keepdims=True) + SMOOTHING
    return np.broadcast_to(answered / answered.sum(2, keepdims=True), votes.shape)


BASES: dict[str, Callable[[np.ndarray, float], np.ndarray]] = {
    "shared": _shared, "flat": lambda votes, _: flat(votes), "tilted": lambda votes, _: tilted(votes), "blind": _blind,
}  # fmt: skip


def _drawn(votes: np.ndarray, towards: np.ndarray, strength: float) -> np.ndarray:
    rows = votes + strength * towards
    return np.asarray(rows / rows.sum(-1, keepdims=True))
