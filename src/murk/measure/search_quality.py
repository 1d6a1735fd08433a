"""Search quality: how well a search by embeddings finds images of the query's class."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from murk.errors import InputError, refuse
from murk.measure.binomial import weighted_upper_limit
from murk.measure.estimate import Estimate, level_fault
from murk.measure.predicted import read_array
from murk.measure.search import Gallery, read_sides
from murk.noise import Votes

__all__ = ["Retrieval", "retrieval"]

BLOCK = 1 << 20  # ranks looked at, at a time
METHOD = "jackknife over images, as queries and in the gallery, within classes; beta limits with one more event"


@dataclass(frozen=True, eq=False)
class Retrieval:
    """How well a search finds.

    Attributes:
        recall_at_1: share of queries whose nearest neighbour is of their class.
        r_precision: mean share of right ones among the R nearest, R being how many right ones there are.
        map_at_r: mean over queries of (1/R) sum_{i <= R} P(i) [the i-th is right], P(i) the share of right ones among
            the i nearest.
        queries: that have a right neighbour, and count.
        left_out: queries that have none: no other image of their class is in the gallery.
        by_query: float64 [Q, 3], the three measures of each query; NaN where it is left out.
    """

    recall_at_1: Estimate
    r_precision: Estimate
    map_at_r: Estimate
    queries: int
    left_out: int
    by_query: Float[np.ndarray, "Q 3"]

    def __str__(self) -> str:
        """Say all in a line."""
        out = f"; {self.left_out:,} left out, with no other image of their class to be found" if self.left_out else ""
        return (
            f"Recall@1 {self.recall_at_1}, R-precision {self.r_precision}, MAP@R {self.map_at_r}; "
            f"n = {self.queries:,}{out}"
        )


def retrieval(
    embeddings: Any, labels: Any, *, gallery: Any = None, gallery_labels: Any = None, confidence_level: float = 0.95
) -> Retrieval:
    """Measure a search by cosine: Recall@1, R-precision and MAP@R.

    Neighbours are exact, and of equal ones the earlier in the gallery comes first (`nearest_neighbours`).

    The intervals are for images drawn anew from these classes, as many of each. An image counts twice, as a query and
    as what others find: so each one's influence on the measure is found by leaving it out in both roles, and their
    spread within classes gives the variance. Queries resampled alone would cover less, for neighbours often are each
    other's. Where a query has a single right image, nothing is left without it: such classes count as wholes, and the
    spread is that between them. That intervals cover is shown by simulation. Not promised: that other classes are found
    as well; measure several splits for that.

    Args:
        embeddings: float [Q, D], of the queries; only directions count.
        labels: int [Q], their true classes, >= 0.
        gallery: float [G, D], what is searched; None to search the queries themselves, each leaving itself out.
        gallery_labels: int [G]; with a gallery.
        confidence_level: in (0, 1).

    Raises:
        InputError: as `nearest_neighbours`; labels that are not known, a single class, or no query that has a right
            neighbour.

    Example:
        >>> found = retrieval([[1, 0], [1, 0.1], [0, 1], [0.1, 1], [1, 0.9]], [0, 0, 1, 1, 2])
        >>> found.recall_at_1.value, found.queries, found.left_out
        (1.0, 4, 1)

    Source: Musgrave, Belongie, Lim 2020, arXiv 2003.08505 (the measures); Efron and Stein 1981 (the jackknife of what
        is no mean). The influences in closed form are derived.
    """
    refuse(
        [
            level_fault(confidence_level),
            "give the gallery and its labels, or neither" if (gallery is None) != (gallery_labels is None) else "",
        ]
    )
    rows, others, among = read_sides(embeddings, gallery)
    truth, theirs = _numbered(labels, len(rows), None if among else gallery_labels, len(others))
    right = np.bincount(theirs, minlength=truth.max(initial=0) + 1)[truth] - among
    by_query, own = np.full((len(rows), 3), np.nan), np.zeros((len(rows), 3))
    influence = np.zeros((len(others), 3))
    for at, found in _ranked(rows, others, right, among=among):
        by_query[at], own[at], effect = _scores(theirs[found] == truth[at, None], right[at])
        for column in range(3):
            told = effect[..., column].ravel()
            influence[:, column] += np.bincount(found.ravel(), weights=told, minlength=len(others))
    counted = right > 0
    if not counted.any():
        raise InputError("no query has another image of its class to be found; bring two images or more of a class")
    values = np.where((right == 1)[:, None], by_query, own if among else by_query)[counted]
    if among:
        variance = _spread(values + influence[counted], truth[counted], right[counted] == 1)
    else:
        classes = np.concatenate([truth[counted], theirs])
        alone = np.bincount(theirs)[classes] == 1  # all of such a class is one row, queries and gallery
        classes[int(counted.sum()) :] += np.where(alone[int(counted.sum()) :], 0, classes.max() + 1)
        variance = _spread(np.concatenate([values, influence]), classes, alone)
    size = int(counted.sum())
    recall, precision, mean_precision = (
        _estimate(float(value), float(each), 1 / size, confidence_level)
        for value, each in zip(by_query[counted].mean(axis=0), variance / size**2, strict=True)
    )
    return Retrieval(recall, precision, mean_precision, size, len(rows) - size, by_query)


def _numbered(
    labels: Any, size: int, gallery_labels: Any, gallery_size: int
) -> tuple[Int[np.ndarray, " Q"], Int[np.ndarray, " G"]]:
    """Read true classes of both sides, and number them anew, from 0."""
    ours = _known(labels, size, what="labels")
    theirs = ours if gallery_labels is None else _known(gallery_labels, gallery_size, what="labels of the gallery")
    names, numbers = np.unique(np.concatenate([ours, theirs]), return_inverse=True)
    if len(names) == 1:
        raise InputError("all images are of one class, so there is nothing to tell apart; bring two classes or more")
    return numbers[:size], numbers[-gallery_size:] if gallery_labels is not None else numbers[:size]


def _known(labels: Any, size: int, *, what: str) -> Int[np.ndarray, " N"]:
    if isinstance(labels, Votes):
        raise InputError(f"{what} are true classes, but Votes came; measure by votes: `recall_at_1_from_votes`")
    given = read_array(labels, what=what)
    if not size:
        raise InputError("expected at least one query, but none came")
    if given.shape != (size,) or given.dtype.kind not in "iu":
        raise InputError(f"{what} are {size} integers, but {given.dtype} of shape {given.shape} came")
    wrong = np.flatnonzero(given < 0)
    if len(wrong):
        raise InputError(
            f"{what} are true classes >= 0, but number {wrong[0]} is {given[wrong[0]]} ({len(wrong)} such); leave "
            "these images out, or measure by votes: `recall_at_1_from_votes`"
        )
    return given.astype(np.uint64)  # of one type on both sides: of int64 and uint64 together float64 would be made


def _ranked(
    rows: np.ndarray, others: np.ndarray, right: np.ndarray, *, among: bool
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Give queries, those with about as many right ones together, and their nearest, one more than are right."""
    searched, most = Gallery(others), len(others) - among
    order = np.argsort(right, kind="stable")
    order = order[right[order] > 0]
    while len(order):
        count = min(int(right[order[-1]]) + 1, most)
        here = order[-max(1, BLOCK // count) :]
        order = order[: -len(here)]
        start = 0
        for found, _ in searched.search(rows[here], count=count, own=here if among else None):
            yield here[start : start + len(found)], found
            start += len(found)


def _scores(hit: np.ndarray, right: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Give each query's measures [B, 3], those without a right one beyond the R nearest, and what each found one adds.

    What one [B, C, 3] adds is the measure less that without it, where one further comes up; of right ones, less what
    any right one adds that was not found, which is the same for all of a class and drops out of its spread. A single
    right one adds nothing: without it there is no measure.
    """
    size = right[:, None].astype(np.float64)
    rank = np.arange(1, hit.shape[1] + 1)
    within = rank <= size
    counts, last, less = hit & within, rank == size, np.maximum(size - 1, 1)
    hits = np.cumsum(counts, axis=1)
    total = hits[:, -1:]
    after = (hit & (rank == size + 1)).any(axis=1, keepdims=True)  # whether the one that comes up is right
    worth = np.where(counts, hits / rank, 0.0)
    scores = np.concatenate([hit[:, :1], total / size, worth.sum(1, keepdims=True) / size], axis=1)

    effect, own = np.zeros((*hit.shape, 3)), scores.copy()
    second = hit[:, 1:2] if hit.shape[1] > 1 else hit[:, :1]
    effect[:, :1, 0] = np.where(hit[:, :1] & (size == 1), 0.0, hit[:, :1].astype(np.float64) - second)
    ends_right = (counts & last).any(axis=1, keepdims=True)
    own[:, 1] = ((total - ends_right) / less)[:, 0]
    effect[..., 1] = np.where(counts, (1.0 - ends_right) / less, -(after / size)) * within
    earlier = np.maximum(rank - 1, 1)
    moved = _later(np.where(counts, hits * (1 / earlier - 1 / rank), 0.0))
    wrong = -(moved + after * (total + 1) / size) / size
    shorter = (worth * ~last).sum(1, keepdims=True)
    own[:, 2] = (shorter / less)[:, 0]
    kept = shorter - (np.cumsum(worth, axis=1) - worth)
    effect[..., 2] = np.where(counts, (kept - _later(np.where(counts, (hits - 1) / earlier, 0.0))) / less, wrong)
    effect[..., 2] *= within
    return scores, own, effect


def _later(values: np.ndarray) -> np.ndarray:
    """Sum what comes after each rank."""
    return np.asarray(np.cumsum(values[:, ::-1], axis=1)[:, ::-1] - values)


def _spread(
    values: Float[np.ndarray, "N 3"], classes: Int[np.ndarray, " N"], whole: Bool[np.ndarray, " N"]
) -> Float[np.ndarray, " 3"]:
    """Sum the squares of values about their class's mean, made unbiased.

    Rows of classes that count as wholes are one row together; what is alone of its class is held against the mean of
    all that are, or of all rows where there is no other.
    """
    names, number = np.unique(classes, return_inverse=True)
    together = _sums(values[whole], number[whole], len(names))[np.bincount(number[whole], minlength=len(names)) > 0]
    values, number = values[~whole], number[~whole]
    sizes = np.bincount(number, minlength=len(names))
    several = sizes[number] > 1
    mean = _sums(values, number, len(names))[number] / sizes[number, None]
    unbiased = (sizes / np.maximum(sizes - 1, 1))[number, None]
    total = ((values - mean) ** 2 * unbiased)[several].sum(axis=0)
    for singles in (together, values[~several]):
        if len(singles) > 1:
            total += singles.var(axis=0, ddof=1) * len(singles)
        elif len(singles) and len(values) > 1:
            total += ((singles - values.mean(axis=0)) ** 2).sum(axis=0)
    return np.asarray(total)


def _sums(values: np.ndarray, number: np.ndarray, count: int) -> np.ndarray:
    return np.stack([np.bincount(number, weights=column, minlength=count) for column in values.T], axis=1)


def _estimate(value: float, variance: float, event: float, level: float) -> Estimate:
    low, high = (
        weighted_upper_limit(each, variance=variance, event_weight=event, confidence_level=level)
        for each in (1 - value, value)
    )
    return Estimate(value, min(1 - low, value), max(high, value), level, METHOD)
