"""Posteriors: what probabilities and votes of the same examples say of their classes together."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.special import softmax

from murk.errors import refuse
from murk.measure.probabilities import read_probs
from murk.noise import NoiseModel, Votes
from murk.noise.model import evidence_of

__all__ = ["posterior", "votes_fault"]

LEAST_PROBABILITY = 1e-12  # a network that excludes a class may still be wrong


def posterior(probs: Any, votes: Votes, *, noise: NoiseModel) -> Float[np.ndarray, "N K"]:
    """Give P(class given x and votes), proportional to p_j(x) P(votes given class j).

    Where an example has votes, this is a better answer than the probabilities alone; without votes it is these.

    Args:
        probs: float [N, K], p(truth given x), as evidence training gives it; out-of-fold for examples trained on.
        votes: of the same examples.
        noise: how they go wrong, given or found.

    Raises:
        InputError: what does not fit, or votes impossible under the noise.

    Example:
        >>> from murk.noise import Channel
        >>> noise = Channel.symmetric(0.2, num_classes=2)
        >>> posterior([[0.5, 0.5], [0.2, 0.8]], Votes.from_labels([0, 0], num_classes=2), noise=noise).round(3).tolist()
        [[0.8, 0.2], [0.5, 0.5]]
    """
    table = read_probs(probs)
    refuse([votes_fault(votes, table)])
    evidence = evidence_of(votes, noise).dense()
    return np.asarray(softmax(np.log(np.maximum(table, LEAST_PROBABILITY)) + evidence, axis=1))


def votes_fault(votes: Any, probs: np.ndarray) -> str:
    """Say why votes are not those of the examples of probabilities [N, K], or nothing."""
    if not isinstance(votes, Votes):
        return f"expected Votes (Votes.from_labels(...)), but {type(votes).__name__} came"
    if (len(votes), votes.num_classes) != probs.shape:
        return f"votes of {len(votes)} examples and {votes.num_classes} classes do not fit probabilities {probs.shape}"
    return ""
