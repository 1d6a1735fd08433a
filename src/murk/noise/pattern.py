"""Patterns: row-stochastic matrices Q[j, k] = P(a noisy label says k given truth j), and how to draw from them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from murk.errors import InputError, refuse
from murk.noise.draws import MASK, below, permutation
from murk.noise.evidence import Evidence, dense_evidence, refuse_impossible
from murk.noise.votes import VoteBatch, refuse_class_count

__all__ = ["Flat", "Matrix", "Pattern", "Structured", "Uniform", "confusion_ranking", "pair_flip", "random_ranking"]

ROW_SUM_TOLERANCE = 1e-6


class Pattern(ABC):
    """What labels may say of each class: a row-stochastic matrix, and how to draw from its rows.

    Attributes:
        num_classes: K.
        words_per_draw: uniform 32-bit words that one draw uses.
    """

    num_classes: int
    words_per_draw: int

    @abstractmethod
    def matrix(self) -> Float[np.ndarray, "K A"]:
        """Write the pattern out as float64 [K, K]; each row sums to one."""

    @abstractmethod
    def draw(self, labels: Int[np.ndarray, " B"], words: Int[np.ndarray, "B W"]) -> Int[np.ndarray, "B M"]:
        """Turn uniform words into votes, M = W / words_per_draw of them from the row of each label."""

    @abstractmethod
    def mixed(self, alpha: int) -> Pattern:
        """Give (I + alpha Q) / (1 + alpha): what a random vote says when alpha votes of Q join one clean one."""

    @abstractmethod
    def weigh(self, batch: VoteBatch, *, clean_votes: int = 0) -> Evidence:
        """Weigh votes: log P(ordered votes given y = j), each an independent draw from row j.

        With clean_votes = 1, one of the votes is the truth itself and any of them may be it (exact dilution).
        """

    @property
    def diagonal(self) -> Float[np.ndarray, " K"]:
        """The chance of a right label per true class."""
        return np.diagonal(self.matrix())


@dataclass(frozen=True)
class Flat(Pattern):
    """The truth with one probability, every other class with one other: symmetric noise, at any K.

    Args:
        num_classes: K >= 2.
        right: P(the label is right), in [0, 1]; 1/K is the uniform pattern, 1 - r is symmetric noise at rate r.

    Raises:
        InputError: a value out of range.

    Example:
        >>> Flat(4, 0.7).matrix()[0].round(2).tolist()
        [0.7, 0.1, 0.1, 0.1]
    """

    num_classes: int
    right: float

    words_per_draw = 2

    def __post_init__(self) -> None:
        """Check both numbers."""
        refuse_class_count(self.num_classes)
        if not 0 <= self.right <= 1:
            raise InputError(f"the chance of a right label lies in [0, 1], but {self.right!r} came")

    @property
    def wrong(self) -> float:
        """P(the label names one given false class)."""
        return (1 - self.right) / (self.num_classes - 1)

    def matrix(self) -> Float[np.ndarray, "K A"]:
        """Write the pattern out as float64 [K, K]."""
        out = np.full((self.num_classes, self.num_classes), self.wrong)
        np.fill_diagonal(out, self.right)
        return out

    def draw(self, labels: Int[np.ndarray, " B"], words: Int[np.ndarray, "B W"]) -> Int[np.ndarray, "B M"]:
        """Decide by one word whether the label is right, and by another which false class it names."""
        truth = labels[:, None]
        false = below(words[:, 1::2], self.num_classes - 1)
        false += false >= truth
        return np.where(words[:, 0::2] < round(self.right * 2**32), truth, false)

    def mixed(self, alpha: int) -> Flat:
        """Give (I + alpha Q) / (1 + alpha)."""
        return Flat(self.num_classes, (1 + alpha * self.right) / (1 + alpha))

    def weigh(self, batch: VoteBatch, *, clean_votes: int = 0) -> Evidence:
        """Weigh votes; sparse where K is large, for classes without a vote all share one value."""
        counts = _in_class_counts(batch, str(self))
        if isinstance(counts, np.ndarray):
            log_rows = _log(self.matrix())
            return dense_evidence(_weigh_counts(counts, log_rows, clean_votes), batch.indices, model=str(self))
        total = np.asarray(counts.sum(axis=1), dtype=np.float64).ravel()
        rows = np.repeat(np.arange(len(batch)), np.diff(counts.indptr))
        voted = counts.data.astype(np.float64)
        base = _power(self.wrong, total) if not clean_votes else np.where(total > 0, -np.inf, 0.0)
        values = _power(self.right, voted - clean_votes) + _power(self.wrong, total[rows] - voted)
        if clean_votes:
            values = values + np.log(voted) - np.log(total[rows])
        best = base.copy()
        np.maximum.at(best, rows, values)
        refuse_impossible(np.flatnonzero(np.isneginf(best)), batch.indices, model=str(self))
        return Evidence(self.num_classes, base, values, counts.indptr.astype(np.int64), counts.indices.astype(np.int32))


class Uniform(Flat):
    """Every class alike: Q = 1/K, which may hit the true class too.

    Example:
        >>> Uniform(10).matrix()[0, 0]
        0.1
    """

    words_per_draw = 1

    def __init__(self, num_classes: int) -> None:
        """Take the number of classes K >= 2."""
        refuse_class_count(num_classes)
        super().__init__(num_classes, 1 / num_classes)

    def __repr__(self) -> str:
        """Name the pattern."""
        return f"Uniform({self.num_classes})"

    def draw(self, labels: Int[np.ndarray, " B"], words: Int[np.ndarray, "B W"]) -> Int[np.ndarray, "B M"]:
        """Take each word's share of K; the labels do not matter."""
        return np.asarray(below(words, self.num_classes))


class Matrix(Pattern):
    """Any row-stochastic matrix, drawn exactly by Walker's alias method (each entry met to within 2^-32).

    Args:
        rows: float [K, K], each entry in [0, 1], each row summing to one (to 1e-6; then normalised); or [K, K + 1],
            where the last column is the answer "none of these".

    Raises:
        InputError: another shape, NaN, negative, or rows that do not sum to one.

    Example:
        >>> Matrix([[0.9, 0.1], [0.2, 0.8]]).mixed(1).matrix().round(2).tolist()
        [[0.95, 0.05], [0.1, 0.9]]

    Source: Walker 1977; Vose 1991.
    """

    words_per_draw = 1

    def __init__(self, rows: Any) -> None:
        """Check the matrix and normalise its rows."""
        rows = checked_rows(rows)
        if rows.shape[1] - rows.shape[0] not in (0, 1) or len(rows) < 2:
            raise InputError(
                f'expected a matrix [K, K] with K >= 2 (or [K, K + 1] with "none of these"), but {rows.shape} came'
            )
        self.num_classes, self.num_answers = rows.shape
        self._rows: np.ndarray = rows
        self._rows.setflags(write=False)
        self._threshold, self._alias = _alias_tables(rows)

    def __repr__(self) -> str:
        """Name the pattern."""
        return f"Matrix({self.num_classes} x {self.num_answers})"

    def __eq__(self, other: object) -> bool:
        """Compare the matrices."""
        return isinstance(other, Matrix) and np.array_equal(self._rows, other._rows)

    def __hash__(self) -> int:
        """Hash the matrix."""
        return hash(self._rows.tobytes())

    def matrix(self) -> Float[np.ndarray, "K A"]:
        """Give the matrix as float64 [K, K] (or [K, K + 1]), read-only."""
        return self._rows

    def draw(self, labels: Int[np.ndarray, " B"], words: Int[np.ndarray, "B W"]) -> Int[np.ndarray, "B M"]:
        """Take each word's share of the columns: the whole part names one, the fraction picks it or its alias."""
        scaled = words * self.num_answers
        cell = labels[:, None] * self.num_answers + (scaled >> 32)
        keep = (scaled & MASK) < self._threshold.take(cell)
        return np.asarray(np.where(keep, scaled >> 32, self._alias.take(cell)))

    def mixed(self, alpha: int) -> Matrix:
        """Give (I + alpha Q) / (1 + alpha)."""
        return Matrix((np.eye(*self._rows.shape) + alpha * self._rows) / (1 + alpha))

    def weigh(self, batch: VoteBatch, *, clean_votes: int = 0) -> Evidence:
        """Weigh votes, dense [B, K]."""
        square = self.num_answers == self.num_classes
        counts = _in_class_counts(batch, str(self)) if square else batch.counts()
        values = _weigh_counts(counts, _log(self._rows), clean_votes)
        return dense_evidence(values, batch.indices, model=str(self))


@dataclass(frozen=True)
class Structured:
    """Structured noise: false classes by rank, from uniform (delta 0) to the top one as likely as the truth (1).

    P(rank r) = [alpha/K + delta (1 - 2 (r-1)/(K-2))] / (1 + alpha), P(true) = (1 + alpha/K) / (1 + alpha). It becomes
    a pattern once alpha is known: `Structured(...).at(alpha)`; `Dilution` does that by itself.

    Args:
        delta: degree of structure, in [0, 1].
        ranking: int [K, K-1]; row j holds the false classes of j, most confused first
            (`confusion_ranking`, `random_ranking`).

    Raises:
        InputError: K = 2, delta out of range, or rows that are not the false classes.

    Source: Rolnick et al. 2017, arXiv 1705.10694, section on structured noise (derived).
    """

    delta: float
    ranking: Any

    def __post_init__(self) -> None:
        """Check delta and the ranking."""
        ranking = np.asarray(self.ranking)
        object.__setattr__(self, "ranking", ranking)
        if ranking.ndim != 2 or ranking.shape[1] != ranking.shape[0] - 1:
            raise InputError(f"a ranking is an integer table [K, K-1], but the shape {ranking.shape} came")
        classes = np.arange(len(ranking))
        whole = np.sort(np.column_stack([classes, ranking]), axis=1)
        refuse([
            "" if 0 <= self.delta <= 1 else f"delta lies in [0, 1], but {self.delta!r} came",
            "" if len(ranking) > 2 else "structured noise needs more than two classes",
            "" if (whole == classes).all() else "row j of a ranking holds every class but j once",
        ])  # fmt: skip

    def at(self, alpha: int) -> Matrix:
        """Give Q for alpha votes per clean one.

        Raises:
            InputError: alpha < K delta, for which a probability would be negative.
        """
        num_classes = len(self.ranking)
        if alpha < num_classes * self.delta:
            raise InputError(
                f"structured noise needs alpha >= K delta = {num_classes * self.delta:g}, but alpha {alpha} came"
            )
        rank = np.arange(num_classes - 1)
        by_rank = 1 / num_classes + self.delta / max(alpha, 1) * (1 - 2 * rank / (num_classes - 2))
        rows = np.full((num_classes, num_classes), 1 / num_classes)
        np.put_along_axis(rows, self.ranking, by_rank[None, :], axis=1)
        return Matrix(np.clip(rows, 0, None))  # rounding alone can leave -1e-18 at alpha = K delta


def confusion_ranking(confusion: Any, *, reverse: bool = False) -> Int[np.ndarray, "K K_minus_1"]:
    """Rank each class's false classes by a confusion matrix, most confused first (or last); ties by class number.

    Args:
        confusion: [K, K], counts or rates; confusion[j, k] is how often truth j was taken for k.
        reverse: least confused first.
    """
    confusion = np.array(confusion, dtype=np.float64)
    if confusion.ndim != 2 or confusion.shape[0] != confusion.shape[1] or not np.isfinite(confusion).all():
        raise InputError(f"a confusion matrix is square and finite, but the shape {confusion.shape} came")
    keys = confusion if reverse else -confusion
    np.fill_diagonal(keys, -np.inf)  # the class itself sorts first and is dropped
    return np.argsort(keys, axis=1, kind="stable")[:, 1:].astype(np.int64)


def random_ranking(num_classes: int, *, seed: int) -> Int[np.ndarray, "K K_minus_1"]:
    """Rank each class's false classes at random: int [K, K-1]."""
    refuse_class_count(num_classes)
    orders = [permutation(seed, f"ranking/{j}", num_classes) for j in range(num_classes)]
    return np.stack([order[order != j] for j, order in enumerate(orders)])


def pair_flip(num_classes: int, rate: float = 1.0) -> Matrix:
    """Flip each class to the next one (the last to the first) at a rate in [0, 1].

    Example:
        >>> pair_flip(3, 0.45).matrix()[2].tolist()
        [0.45, 0.0, 0.55]
    """
    refuse_class_count(num_classes)
    if not 0 <= rate <= 1:
        raise InputError(f"a flip rate lies in [0, 1], but {rate!r} came")
    return Matrix((1 - rate) * np.eye(num_classes) + rate * np.roll(np.eye(num_classes), 1, axis=1))


def checked_rows(rows: Any) -> Float[np.ndarray, "J K"]:
    """Read a row-stochastic matrix as a float64 copy, or refuse it with all its faults."""
    rows = np.array(rows, dtype=np.float64)
    if rows.ndim != 2 or rows.size == 0:
        raise InputError(f"expected a matrix of probabilities, but the shape {rows.shape} came")
    if not np.isfinite(rows).all():
        raise InputError("probabilities are finite, but NaN or infinity came")
    sums = rows.sum(axis=1)
    worst = int(np.argmax(np.abs(sums - 1)))
    refuse([
        f"probabilities are >= 0, but {rows.min():g} came" if rows.min() < 0 else "",
        f"each row sums to one, but row {worst} sums to {sums[worst]:.6g}"
        if abs(sums[worst] - 1) > ROW_SUM_TOLERANCE else "",
    ])  # fmt: skip
    return np.asarray(rows / sums[:, None])


def _alias_tables(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Build Walker's tables for all rows at once: pair the scarcest open column with the richest, K - 1 times."""
    num_rows, num_classes = rows.shape
    mass = rows * num_classes
    threshold = np.full(rows.shape, 1 << 32, dtype=np.int64)
    alias = np.tile(np.arange(num_classes), (num_rows, 1))
    everyone, closed = np.arange(num_rows), np.zeros(rows.shape, dtype=bool)
    for _ in range(num_classes - 1):
        scarce = np.where(closed, np.inf, mass).argmin(axis=1)
        rich = np.where(closed, -np.inf, mass).argmax(axis=1)
        share = np.clip(mass[everyone, scarce], 0, 1)
        threshold[everyone, scarce] = np.rint(share * 2**32).astype(np.int64)
        alias[everyone, scarce] = rich
        mass[everyone, rich] -= 1 - share
        closed[everyone, scarce] = True
    return threshold, alias


def _in_class_counts(batch: VoteBatch, model: str) -> Any:
    """Count votes per class, or refuse "none of these", of which this pattern says nothing."""
    counts = batch.counts()
    outside = np.asarray(counts[:, [batch.num_classes]].sum(axis=1)).ravel()
    if outside.any():
        raise InputError(
            f'example {batch.indices[np.flatnonzero(outside)[0]]} has a vote for "none of these", of which {model} '
            "says nothing; give a Channel with one more column, or leave these votes out (-1)"
        )
    return counts[:, : batch.num_classes]


def _log(rows: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(rows))


def _power(probability: float, exponent: np.ndarray) -> np.ndarray:
    """Take log(probability ** exponent), with 0 ** 0 = 1."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(exponent == 0, 0.0, exponent * np.log(probability))


def _weigh_counts(counts: Any, log_rows: np.ndarray, clean_votes: int) -> np.ndarray:
    """Sum c_k log rows[j, k] over k with 0 log 0 = 0; with a clean vote, choose which one it was."""
    impossible = np.isneginf(log_rows)
    finite = np.where(impossible, 0.0, log_rows)
    values = counts @ finite.T
    vetoes = counts @ impossible.T.astype(np.float64) if impossible.any() else np.zeros_like(values)
    if clean_votes:
        counts = counts if isinstance(counts, np.ndarray) else counts.toarray()
        total = counts.sum(axis=1, keepdims=True)
        counts = counts[:, : len(log_rows)]
        with np.errstate(divide="ignore"):
            which = np.log(counts) - np.log(np.maximum(total, 1)) - np.diagonal(finite)
        values = np.where(total > 0, values + which, 0.0)
        vetoes = np.where(counts > 0, vetoes - np.diagonal(impossible), 0.0)
    return np.where(vetoes > 0, -np.inf, values)
