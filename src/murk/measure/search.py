"""Search: the examples of a gallery nearest to each query by cosine, exactly, block by block."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from threadpoolctl import threadpool_info, threadpool_limits

from murk.errors import InputError, refuse
from murk.measure.predicted import read_array
from murk.noise.draws import permutation
from murk.noise.numbers import whole_fault

__all__ = ["Gallery", "directions", "nearest_neighbours", "read_sides"]

BLOCK_VALUES = 1 << 23  # similarities at a time, over all threads
FEWEST_ROWS = 32  # of a block: products of fewer are slow
PAIRS = 1 << 15  # told apart in double precision at a time
ROWS = 1 << 15  # brought to length one at a time
SAMPLE = 2048  # of the gallery, by which it is told how similar the nearest are
HALF_ULP = 2.0**-24  # of float32


def nearest_neighbours(
    queries: Any, gallery: Any = None, *, count: int
) -> tuple[Int[np.ndarray, "Q k"], Float[np.ndarray, "Q k"]]:
    """Give the `count` examples of the gallery nearest to each query, the nearest first, and how similar they are.

    Exact: every query is held against every example, a block at a time, and no table of all similarities is ever in
    memory. Of examples as similar as each other (in double precision), the earlier in the gallery comes first.

    Args:
        queries: float [Q, D]; only directions count.
        gallery: float [G, D]; None to search among the queries, each leaving itself out.
        count: k, in [1, G], or [1, Q - 1] without a gallery.

    Returns:
        int64 [Q, k], positions in the gallery; float32 [Q, k], cosines in [-1, 1].

    Raises:
        InputError: no finite numbers [N, D], a row of zeros, another D, or more neighbours than there are.

    Example:
        >>> found, cosine = nearest_neighbours([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0]], count=1)
        >>> found[:, 0].tolist(), bool(cosine[0, 0] > 0.99)
        ([1, 0, 1], True)
    """
    refuse([whole_fault(count, lowest=1, what="count of neighbours")])
    rows, others, among = read_sides(queries, gallery)
    if count > len(others) - among:
        raise InputError(f"asked for {count} neighbours, but there are {len(others) - among}; ask for fewer")
    searched, found, similar = Gallery(others), [], []
    own = np.arange(len(rows))
    for one in searched.search(rows, count=count, own=own if among else None):
        found.append(one[0])
        similar.append(one[1])
    if not found:
        return np.zeros((0, count), np.int64), np.zeros((0, count), np.float32)
    return np.concatenate(found), np.concatenate(similar)


def read_sides(queries: Any, gallery: Any) -> tuple[Float[np.ndarray, "Q D"], Float[np.ndarray, "G D"], bool]:
    """Read queries and gallery (None: the queries) as directions, and say whether the queries search themselves.

    Raises:
        InputError: as `nearest_neighbours`.
    """
    among = gallery is None
    rows = directions(queries, what="queries")
    others = rows if among else directions(gallery, what="gallery")
    if rows.shape[1] != others.shape[1]:
        raise InputError(f"queries have {rows.shape[1]} numbers each, but the gallery {others.shape[1]}; embed both by "
                         "one model")  # fmt: skip
    return rows, others, among


def directions(
    embeddings: Any, *, what: str = "embeddings", least_rows: int = 0, dtype: Any = np.float64
) -> Float[np.ndarray, "N D"]:
    """Read embeddings and bring each row to length one, in `dtype` [N, D].

    Raises:
        InputError: no table of numbers, too few rows or columns, or a row that is not finite or all zero.
    """
    table = read_array(embeddings, what=what)
    if table.ndim != 2 or table.dtype.kind not in "fiu" or table.shape[1] < 2 or len(table) < least_rows:
        least = f" and N >= {least_rows}" if least_rows else ""
        raise InputError(f"expected {what}, numbers [N, D] with D >= 2{least}, but {table.dtype} of shape "
                         f"{table.shape} came")  # fmt: skip
    found, wrong = np.empty(table.shape, dtype), []
    for start in range(0, len(table), ROWS):
        part = table[start : start + ROWS].astype(np.float64)
        largest = np.maximum(part.max(axis=1), -part.min(axis=1))[:, None]
        faulty = ~np.isfinite(largest[:, 0]) | (largest[:, 0] == 0)
        wrong += (start + np.flatnonzero(faulty)).tolist()
        largest[faulty] = 1.0
        part /= largest  # lengths of very large or small numbers would leave double precision
        part[faulty] = 1.0
        found[start : start + ROWS] = part / np.linalg.norm(part, axis=1, keepdims=True)
    if wrong:
        raise InputError(
            f"{what} are finite and not all zero, but row {wrong[0]} is not ({len(wrong)} such); leave them out"
        )
    return found


@dataclass(frozen=True, eq=False)
class _Job:
    rows: Float[np.ndarray, "B D"]
    own: Int[np.ndarray, " B"] | None
    count: int


class Gallery:
    """Examples to be searched, float64 [G, D], each of length one (`directions`)."""

    def __init__(self, table: Float[np.ndarray, "G D"]) -> None:
        """Take the table, and shuffle it: a part of it then tells what the whole is like."""
        self._table = table
        self._mean = table.mean(axis=0) if len(table) else np.zeros(table.shape[1])
        self._order = permutation(0, "gallery", len(table))
        self._place = np.argsort(self._order)
        # less their mean, which leaves the order as it is: where all are alike, float32 still tells them apart
        away = table[self._order] - self._mean
        self._columns = np.ascontiguousarray(away.astype(np.float32).T)
        longest = float(np.sqrt(np.einsum("gd,gd->g", away, away).max(initial=0)))
        # two sums of D products in float32, of factors that were rounded: more they cannot be apart from the truth
        self._rounding = 2 * (table.shape[1] + 3) * HALF_ULP * longest + (table.shape[1] + 3) * 2.0**-51  # of float64

    def search(
        self, rows: Float[np.ndarray, "Q D"], *, count: int, own: Int[np.ndarray, " Q"] | None
    ) -> Iterator[tuple[Int[np.ndarray, "B k"], Float[np.ndarray, "B k"]]]:
        """Walk over queries (directions) in blocks, in their order; `own` are their places in the gallery, left out."""
        threads = max((pool["num_threads"] for pool in threadpool_info()), default=1)
        size = max(FEWEST_ROWS, BLOCK_VALUES // (threads * max(len(self._table), 1)))
        jobs = [
            _Job(rows[start : start + size], None if own is None else own[start : start + size], count)
            for start in range(0, len(rows), size)
        ]
        with ThreadPoolExecutor(threads) as pool:
            for first in range(0, len(jobs), 4 * threads):  # so that results do not pile up
                with threadpool_limits(1):  # a thread a block, none within a product
                    done = list(pool.map(self._nearest, jobs[first : first + 4 * threads]))
                yield from done

    def _nearest(self, job: _Job) -> tuple[np.ndarray, np.ndarray]:
        similar = job.rows.astype(np.float32) @ self._columns
        if job.own is not None:
            similar[np.arange(len(similar)), self._place[job.own]] = -np.inf
        row, column = self._candidates(similar, job.count)
        within = np.arange(len(row)) - np.searchsorted(row, row)  # the place among its query's candidates
        found = np.full((len(similar), within.max(initial=0) + 1), -np.inf, np.float32)
        where = np.full(found.shape, len(self._table))
        found[row, within], where[row, within] = similar[row, column], self._order[column]
        order = np.argsort(-found, axis=1)
        found, where = (np.take_along_axis(each, order, axis=1) for each in (found, where))
        return self._settled(job, found, where)

    def _candidates(self, similar: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Find, for each query, all that may be among the `count` nearest: rows in order, and columns."""
        size = similar.shape[1]
        sample = min(SAMPLE, size)
        expected = count * sample / size
        rank = min(sample, int(expected + 4 * expected**0.5 + 4))
        bar = np.partition(similar[:, :sample], sample - rank, axis=1)[:, sample - rank]
        found = np.flatnonzero(similar >= (bar - self._rounding)[:, None])
        above = found[similar.ravel()[found] >= bar[found // size]]
        few = np.bincount(above // size, minlength=len(similar)) < count  # the sample was unlike the rest
        if few.any():
            bar[few] = np.partition(similar[few], size - count, axis=1)[:, size - count]
            found = np.flatnonzero(similar >= (bar - self._rounding)[:, None])
        row, column = np.divmod(found, size)
        return row, column

    def _settled(self, job: _Job, found: np.ndarray, where: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Order what float32 cannot tell apart by double precision, and equal ones by their place in the gallery."""
        width = int((found >= found[:, [job.count - 1]] - self._rounding).sum(1).max(initial=0))
        found, where = found[:, :width], where[:, :width]
        close = found[:, 1:] >= found[:, :-1] - self._rounding
        unsure = np.pad(close, ((0, 0), (0, 1))) | np.pad(close, ((0, 0), (1, 0)))
        unsure &= where < len(self._table)  # no filling
        exact = found.astype(np.float64) + (job.rows @ self._mean)[:, None]
        row, column = np.nonzero(unsure)
        for start in range(0, len(row), PAIRS):
            one, at = row[start : start + PAIRS], column[start : start + PAIRS]
            exact[one, at] = (self._table[where[one, at]] * job.rows[one]).sum(1)
        again = np.flatnonzero(unsure.any(1))
        order = np.lexsort((where[again], -exact[again]), axis=1)
        for each in (exact, where):
            each[again] = np.take_along_axis(each[again], order, axis=1)
        return where[:, : job.count], np.clip(exact[:, : job.count], -1, 1).astype(np.float32)
