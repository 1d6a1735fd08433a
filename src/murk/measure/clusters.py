"""Clusters of predictions: classes told apart where no prediction names them."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from scipy.special import softmax

from murk.measure.naming import best_naming
from murk.noise.draws import permutation

__all__ = ["clustered"]

EXAMPLES_AT_MOST = 20_000
RESTARTS, DECIMALS = 4, 6


def clustered(probs: Float[np.ndarray, "N K"], *, seed: int) -> Float[np.ndarray, "N K"]:
    """Give each example's chance to belong to each of K clusters of predictions, [N, K], of the precision of the
    predictions.

    Under noise that lets a wrong class be voted for as often as the right one, a network cannot say which class is
    right; but of what it predicts instead, each class has its own mixture. K-means on the roots of the probabilities
    (so distances are Hellinger's) finds them, and a normal spread about each centre gives the chances. A cluster stands
    in the column that its examples predict most, each column once.
    """
    from sklearn.cluster import KMeans  # heavy, and needed by few

    roots, classes = np.sqrt(probs), probs.shape[1]
    sample = permutation(seed, "clusters", len(roots))[:EXAMPLES_AT_MOST]
    distinct = len(np.unique(roots[sample].round(DECIMALS), axis=0))  # a network at its start says the same of all
    found = KMeans(min(classes, distinct), n_init=RESTARTS, random_state=seed % 2**32).fit(roots[sample])
    variance = max(found.inertia_ / (len(sample) * classes), 1e-12)
    posterior = np.zeros((len(roots), classes), roots.dtype)
    distances = found.transform(roots) ** 2
    posterior[:, : distances.shape[1]] = softmax(-distances / (2 * variance), axis=1)
    named = np.empty_like(posterior)
    named[:, best_naming(posterior.T @ probs)] = posterior
    return named
