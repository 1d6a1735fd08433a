"""Neighbours: images that are nearly the same as another, and images unlike all others, by their embeddings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from murk.errors import InputError, refuse
from murk.measure.predicted import read_array
from murk.measure.search import directions
from murk.noise.numbers import whole_fault

__all__ = ["Neighbours", "find_neighbours"]

COUNT = 10  # neighbours looked at
FALSE_ALARM = 0.05  # P(any pair is called nearly the same), where none is
STRANGE = 3.5  # robust standard deviations of the log distance from which an example is unlike all others
LEAST_SPREAD = 1e-3  # of log distances that tell what is usual
TO_SIGMA = 1.4826  # of the median absolute deviation of a normal variable
SAME = 1e-12  # cosine distance of what is equal but for rounding in float32


@dataclass(frozen=True, eq=False)
class Neighbours:
    """What lies near each of N examples.

    Attributes:
        nearest: int64 [N, k], the nearest other examples, the nearest first.
        distance: float64 [N, k], theirs: 1 - cosine of the angle, in [0, 2].
        copy_of: int64 [N], the first example of those that are nearly the same; its own position where there is none.
        strangeness: float64 [N], by how many robust standard deviations the log distance to the k-th neighbour is above
            the median; 0 where most distances are the same, and nothing tells what is usual.
        dimension: in which the examples seem to lie, as their distances tell.
    """

    nearest: Int[np.ndarray, "N k"]
    distance: Float[np.ndarray, "N k"]
    copy_of: Int[np.ndarray, " N"]
    strangeness: Float[np.ndarray, " N"]
    dimension: float

    @property
    def copies(self) -> Bool[np.ndarray, " N"]:
        """Which examples are nearly the same as another, the first of them included."""
        return np.asarray(np.bincount(self.copy_of, minlength=len(self.copy_of))[self.copy_of] > 1)

    @property
    def strange(self) -> Bool[np.ndarray, " N"]:
        """Which examples are unlike all others: strangeness above 3.5, one in 4,300 of a log-normal distance."""
        return self.strangeness > STRANGE

    def disagreeing(self, labels: Any) -> Bool[np.ndarray, " N"]:
        """Say which examples are nearly the same as one with another label: at least one of the two is probably wrong.

        Raises:
            InputError: labels that are not N integers.
        """
        given = read_array(labels, what="labels")
        if given.shape != self.copy_of.shape or given.dtype.kind not in "iu":
            raise InputError(f"labels are {len(self.copy_of)} integers, but {given.dtype} of shape {given.shape} came")
        pairs = np.unique(np.stack([self.copy_of, given.astype(np.int64)], axis=1), axis=0)
        return np.asarray(np.bincount(pairs[:, 0], minlength=len(given))[self.copy_of] > 1)


def find_neighbours(embeddings: Any, *, count: int = COUNT) -> Neighbours:
    """Find near-duplicates and examples unlike all others.

    Two examples are nearly the same where the nearest neighbour of one is so near, compared with its k-th, that among N
    examples drawn from a density that is even around each of them it would happen anywhere with probability .05: there
    (d_1 / d_k)^m is the least of k - 1 uniform numbers, m the dimension, which is estimated from the distances. Real
    densities are uneven, so look at the pairs. Of more than k copies of one example, only equal ones are found.

    Args:
        embeddings: float [N, D], what a network makes of each example before its last layer, or other features; only
            their directions count. Finite, no row all zero.
        count: k, neighbours looked at, >= 3; fewer than N.

    Raises:
        InputError: what is no table of numbers, holds NaN, infinity or a row of zeros, or has too few rows.

    Not promised: speed at a million examples; every pair is compared (50,000 of 512 numbers take half a minute).

    Example:
        >>> rng = np.random.default_rng(0)
        >>> table = rng.normal(size=(300, 8))
        >>> table[7] = table[3] + 1e-5
        >>> found = find_neighbours(table)
        >>> np.flatnonzero(found.copies).tolist(), int(found.copy_of[7])
        ([3, 7], 3)

    Source: Levina and Bickel 2005 (dimension); Sun, Ming, Zhu and Li 2022 (distance to the k-th neighbour of normalised
    embeddings); the test of near-duplicates is derived.
    """
    from sklearn.neighbors import NearestNeighbors

    table = _directions(embeddings, count)
    searched = NearestNeighbors(n_neighbors=count + 1, algorithm="brute", metric="euclidean").fit(table)
    found, nearest = searched.kneighbors(table)
    own = nearest == np.arange(len(table))[:, None]
    own[~own.any(1), -1] = True  # of more copies than neighbours, an example need not be among its own
    keep = ~own
    nearest = nearest[keep].reshape(len(table), count)
    distance = found[keep].reshape(len(table), count) ** 2 / 2
    distance = np.where(distance < SAME, 0.0, distance)
    dimension = _dimension(distance)
    return Neighbours(nearest, distance, _copy_of(nearest, distance, dimension), _strangeness(distance), dimension)


def _strangeness(distance: np.ndarray) -> np.ndarray:
    """Give the robust deviations of the log distance to the k-th neighbour; 0 where most are at one distance."""
    far, apart = np.log(np.maximum(distance[:, -1], SAME)), distance[:, -1] > 0
    middle = np.median(far[apart]) if apart.any() else 0.0
    spread = TO_SIGMA * np.median(np.abs(far[apart] - middle)) if apart.any() else 0.0
    return np.asarray((far - middle) / spread if spread > LEAST_SPREAD else np.zeros(len(far)))


def _directions(embeddings: Any, count: int) -> np.ndarray:
    refuse([whole_fault(count, lowest=3, what="count of neighbours")])
    return directions(embeddings, least_rows=count + 1, dtype=np.float32)


def _dimension(distance: np.ndarray) -> float:
    """Estimate the dimension from the ratios of the distances, the nearest left out, which may be a copy's.

    (d_j / d_k)^m are the k - 1 uniform numbers in their order; the logarithms of all but the least have the mean
    (k - 1 - H) / (k - 2), H = 1 + 1/2 + ... + 1/(k - 1).
    """
    some = distance[(distance[:, 1] > 0) & (distance[:, -1] > 0)]
    if not len(some):
        return 1.0
    # a cosine distance grows as the square of the length
    ratios = np.log(some[:, -1:] / some[:, 1:-1]) / 2
    others = distance.shape[1] - 1
    expected = (others - (1 / np.arange(1, others + 1)).sum()) / (others - 1)
    return float(np.clip(expected / max(ratios.mean(), 1e-9), 1.0, 1e3))


def _copy_of(nearest: np.ndarray, distance: np.ndarray, dimension: float) -> np.ndarray:
    """Give the first of the examples that are nearly the same, through chains of pairs."""
    size, count = nearest.shape
    each = FALSE_ALARM / size
    ratio = np.sqrt(distance / np.maximum(distance[:, -1:], SAME)) ** dimension
    chance = -np.expm1((count - 1) * np.log1p(-np.minimum(ratio, 1 - 1e-12)))
    row, column = np.nonzero((chance < each) | (distance == 0))
    pairs = coo_array((np.ones(len(row), np.bool_), (row, nearest[row, column])), shape=(size, size))
    _, group = connected_components(pairs, directed=False)
    first = np.full(group.max() + 1, size, np.int64)
    np.minimum.at(first, group, np.arange(size))
    return np.asarray(first[group])
