"""How well transitions are known: the estimate repeated on examples drawn again."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float
from scipy.stats import beta

from murk.measure.expectation import Maximum, maximise
from murk.measure.noise_family import Update
from murk.noise.draws import stream_key

__all__ = ["Repeats", "beta_interval", "repeat"]

REPEATS = 60
EXAMPLES_AT_MOST = 20_000  # of which each repeat is made; spreads are scaled to all
STEPS = 30
TINY = 1e-9
PROOF = 3.0  # votes below which an answer may as well never be given: EM spreads fractions of votes


@dataclass(frozen=True)
class Repeats:
    """Estimates from data drawn again, spread as those from all N examples would be.

    Attributes:
        transitions: float64 [R, S, K, A], around the estimate.
        shares: float64 [R, K], the shares of the classes, around theirs.
    """

    transitions: Float[np.ndarray, "R S K A"]
    shares: Float[np.ndarray, "R K"]


def repeat(found: Maximum, update: Update, *, groups: np.ndarray, seed: int) -> Repeats:
    """Estimate again with every group of examples counted Poisson(1) times, from what was found on.

    The sharpness of the probabilities (or the classes' shares) is learned again each time; what else the probabilities
    miss is not in the spread.
    """
    expectation, rng = found.expectation, np.random.default_rng(stream_key(seed, "transition/repeats"))
    chosen = np.arange(len(expectation.votes))
    if len(chosen) > EXAMPLES_AT_MOST:
        chosen = np.sort(rng.permutation(len(chosen))[:EXAMPLES_AT_MOST])
    scale = np.sqrt(len(chosen) / len(expectation.votes))
    centre = maximise(expectation.rows(chosen), found.transitions, update, steps=STEPS)
    at, middle = _shares(found), _shares(centre)
    transitions: list[np.ndarray] = []
    shares: list[np.ndarray] = []
    while len(transitions) < REPEATS:
        weights = rng.poisson(1.0, groups.max() + 1)[groups[chosen]].astype(np.float64)
        if not weights.any():  # of very few groups; an estimate from nothing is none
            continue
        own = centre.expectation.weights
        part = replace(centre.expectation, weights=weights if own is None else weights * own)
        again = maximise(part, centre.transitions, update, steps=STEPS, tolerance=1e-6)
        transitions.append(found.transitions + scale * (again.transitions - centre.transitions))
        shares.append(at + scale * (_shares(again) - middle))
    return Repeats(np.stack(transitions), np.stack(shares))


def _shares(found: Maximum) -> np.ndarray:
    members = found.expectation.expected(found.transitions).members
    return np.asarray(members / members.sum())


def beta_interval(
    value: np.ndarray, spread: np.ndarray, *, votes_at_most: np.ndarray, confidence_level: float
) -> tuple[np.ndarray, np.ndarray]:
    """Give an interval in [0, 1] for chances of standard deviation `spread`: the exact one of a binomial as well known.

    `votes_at_most` bounds the votes that the binomial is taken to have, so that a chance of which nothing was seen
    still has an interval.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        votes = value * (1 - value) / spread**2
    votes = np.where(np.isfinite(votes), np.minimum(votes, votes_at_most), votes_at_most)
    tail = (1 - confidence_level) / 2
    right, wrong = value * votes, (1 - value) * votes
    low = beta.ppf(tail, np.maximum(right, TINY), wrong + 1)
    high = beta.ppf(1 - tail, right + 1, np.maximum(wrong, TINY))
    low, high = np.where(right < PROOF, 0.0, low), np.where(wrong < PROOF, 1.0, high)
    return np.minimum(low, value), np.maximum(high, value)
