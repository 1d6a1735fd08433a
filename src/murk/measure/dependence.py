"""Dependence: sources that repeat each other, and how much less each of them then counts."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from murk.measure.confident import surest
from murk.measure.expectation import TINY, Expectation

__all__ = ["tempering_of"]

NUMBERS_AT_ONCE = 1 << 25
LEAST = 0.02


def tempering_of(
    expectation: Expectation, transitions: Float[np.ndarray, "S K A"], *, power: float = 1.0, none: float = 1.0
) -> Float[np.ndarray, "S 2"]:
    """Say how much each source's evidence counts, given how it repeats that of the others.

    What source a says of an example is the vector u_a of its log T_a[j, answer] over classes j, less their mean. Under
    independence given the class, what is left of u_a and u_b once their means given the class are taken out does not
    correlate. Where it does, the sum of the evidence is surer of itself than it should be, by the factor
    1 + sum_b cov(u_a, u_b) / var(u_a) for source a; it counts one over that, and never more than once.

    Classes are those that the surest half of the predictions name, not the votes: six copies of a source outvote all
    others, and would be found to be right.

    Args:
        expectation: probabilities that have not seen these votes, and the votes.
        transitions: of each source.
        power: to which these shares are raised; 0 lets every source count in full, 1 takes dependence as it is found.
        none: how much the answer "none of these" counts beside that.

    Returns:
        Shares in (0, 1], of each source's votes for classes, and, perhaps 0, of its "none of these".

    Source: the adjustment of composite likelihoods by the variance of their score (Pauli, Racugno, Ventura 2011), here
    source by source.
    """
    votes = expectation.votes
    sources, classes, answers = transitions.shape
    most = max(1, NUMBERS_AT_ONCE // (sources * classes))
    part = slice(0, len(votes), max(1, -(-len(votes) // most)))
    seen = expectation.rows(np.arange(len(votes))[part])
    classed = (surest(seen.log_probs)[:, None] == np.arange(classes)).astype(np.float64)
    weights = np.ones(len(classed)) if seen.weights is None else seen.weights
    log_t = np.log(np.maximum(transitions, TINY))
    log_t = log_t - log_t.mean(1, keepdims=True)
    left = np.empty((sources, len(classed), classes))
    for source in range(sources):
        counts = seen.votes.counts[:, source * answers : (source + 1) * answers].toarray()
        if answers > classes:
            counts[:, classes] *= none
        said, voted = counts @ log_t[source].T, (counts.sum(1) > 0)[:, None]
        members = classed * voted * weights[:, None]
        mean = members.T @ said / np.maximum(members.sum(0), TINY)[:, None]
        sure = classed.sum(1, keepdims=True) * np.sqrt(weights)[:, None]
        left[source] = (said - classed @ mean) * voted * sure
    flat = left.reshape(sources, -1)
    covariance = flat @ flat.T
    variance = np.diagonal(covariance)
    together = np.where(variance > TINY, covariance.sum(1) / np.maximum(variance, TINY), 1.0)
    shares = np.clip(1 / np.maximum(together, 1.0), LEAST, 1.0) ** power
    return np.stack([shares, shares * none], axis=1)
