"""How well transitions are known: the estimate repeated on examples drawn again."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from jaxtyping import Float
from scipy.stats import beta

from murk.measure.expectation import Expectation, maximise
from murk.measure.noise_family import Update

__all__ = ["Repeats", "beta_interval", "repeat"]

REPEATS = 60
EXAMPLES_AT_MOST = 20_000  # of which each repeat is made; spreads are scaled to all
STEPS = 30
TINY = 1e-9
PROOF = 3.0  # votes below which an answer may as well never be given: EM spreads fractions of votes


class Repeats:
    """Estimates from data drawn again, spread as those from all N examples would be.

    Attributes:
        transitions: float64 [R, S, K, A], around the estimate.
        shares: float64 [R, K], the shares of the classes.
    """

    def __init__(self, transitions: Float[np.ndarray, "R S K A"], shares: Float[np.ndarray, "R K"]) -> None:
        """Keep both."""
        self.transitions, self.shares = transitions, shares


def repeat(expectation: Expectation, at: np.ndarray, update: Update, *, groups: np.ndarray, seed: int) -> Repeats:
    """Estimate again with every group of examples counted Poisson(1) times, from the estimate `at` on.

    What the probabilities themselves miss is not in the spread: they are taken as they are.
    """
    rng = np.random.default_rng([seed, 7])
    chosen = np.arange(len(expectation.votes))
    if len(chosen) > EXAMPLES_AT_MOST:
        chosen = np.sort(rng.permutation(len(chosen))[:EXAMPLES_AT_MOST])
    part = expectation.rows(chosen)
    scale = np.sqrt(len(chosen) / len(expectation.votes))
    centre = maximise(part, at, update, steps=STEPS)
    transitions, shares = [], []
    for _ in range(REPEATS):
        weights = rng.poisson(1.0, groups.max() + 1)[groups[chosen]] * (1.0 if part.weights is None else part.weights)
        found = maximise(replace(part, weights=weights), centre.transitions, update, steps=STEPS, tolerance=1e-6)
        members = found.expectation.expected(found.transitions).members
        transitions.append(at + scale * (found.transitions - centre.transitions))
        shares.append(members / members.sum())
    return Repeats(np.stack(transitions), np.stack(shares))


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
