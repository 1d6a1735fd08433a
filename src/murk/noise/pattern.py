"""Patterns: row-stochastic matrices Q[j, k] = P(a noisy label says k given truth j), and how to draw from them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from murk.errors import InputError, refuse
from murk.noise.alias import AliasTables
from murk.noise.draws import below
from murk.noise.evidence import Evidence, dense_evidence, refuse_impossible
from murk.noise.numbers import chance_fault, class_count_fault, real_numbers
from murk.noise.votes import VoteBatch
from murk.noise.weighing import in_class_counts, log_of, log_power, weigh_counts

__all__ = ["Flat", "Matrix", "Pattern", "Uniform", "class_flips", "pair_flip"]

ROW_SUM_TOLERANCE = 1e-6
EXACT_SUM = 1e-12  # nearer to one than this, rows stay as they are to the bit, so that what is written reads back equal


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
        refuse([class_count_fault(self.num_classes), chance_fault(self.right, what="the chance of a right label")])
        object.__setattr__(self, "num_classes", int(self.num_classes))
        object.__setattr__(self, "right", float(self.right))

    @property
    def wrong(self) -> float:
        """P(the label names one given false class)."""
        return (1 - self.right) / (self.num_classes - 1)

    def matrix(self) -> Float[np.ndarray, "K A"]:
        """Write the pattern out as float64 [K, K]."""
        out = np.full((self.num_classes, self.num_classes), self.wrong)
        np.fill_diagonal(out, self.right)
        return out

    @property
    def diagonal(self) -> Float[np.ndarray, " K"]:
        """The chance of a right label, K times over."""
        return np.full(self.num_classes, self.right)

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
        counts = in_class_counts(batch, model=str(self))
        if isinstance(counts, np.ndarray):
            values = weigh_counts(counts, log_of(self.matrix()), clean_votes=clean_votes)
            return dense_evidence(values, batch.indices, model=str(self))
        total = np.asarray(counts.sum(axis=1), dtype=np.float64).ravel()
        classes_voted = np.diff(counts.indptr)
        rows = np.repeat(np.arange(len(batch)), classes_voted)
        voted = counts.data.astype(np.float64)
        others = np.where(classes_voted[rows] == 1, 0.0, total[rows] - voted)  # exactly none, whatever weights round to
        values = log_power(self.right, voted - clean_votes) + log_power(self.wrong, others)
        base = log_power(self.wrong, total)
        if clean_votes:
            values += np.log(voted) - np.log(total[rows])
            base = np.where(total > 0, -np.inf, 0.0)
        best = base.copy()
        np.maximum.at(best, rows, values)
        refuse_impossible(np.flatnonzero(np.isneginf(best)), batch.indices, model=str(self))
        return Evidence(self.num_classes, base, values, counts.indptr.astype(np.int64), counts.indices.astype(np.int32))


class Uniform(Flat):
    """Every class alike: Q = 1/K, which may hit the true class too.

    Example:
        >>> Uniform(4).matrix()[0].tolist()
        [0.25, 0.25, 0.25, 0.25]
    """

    words_per_draw = 1

    def __init__(self, num_classes: int) -> None:
        """Take the number of classes K >= 2."""
        refuse([class_count_fault(num_classes)])
        super().__init__(num_classes, 1 / num_classes)

    def __repr__(self) -> str:
        """Name the pattern."""
        return f"Uniform({self.num_classes})"

    def draw(self, labels: Int[np.ndarray, " B"], words: Int[np.ndarray, "B W"]) -> Int[np.ndarray, "B M"]:
        """Take each word's share of K; the labels do not matter."""
        return np.asarray(below(words, self.num_classes))


class Matrix(Pattern):
    """Any row-stochastic matrix, drawn by Walker's alias method (each entry met to within K 2^-32).

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
        self._tables = AliasTables.of(rows)

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
        """Draw by the alias method, one word a vote."""
        return self._tables.draw(labels, words)

    def mixed(self, alpha: int) -> Matrix:
        """Give (I + alpha Q) / (1 + alpha)."""
        return Matrix((np.eye(*self._rows.shape) + alpha * self._rows) / (1 + alpha))

    def weigh(self, batch: VoteBatch, *, clean_votes: int = 0) -> Evidence:
        """Weigh votes, dense [B, K]."""
        square = self.num_answers == self.num_classes
        counts = in_class_counts(batch, model=str(self)) if square else batch.counts()
        values = weigh_counts(counts, log_of(self._rows), clean_votes=clean_votes)
        return dense_evidence(values, batch.indices, model=str(self))


def pair_flip(num_classes: int, rate: float = 1.0) -> Matrix:
    """Flip each class to the next one (the last to the first) at a rate in [0, 1].

    Raises:
        InputError: num_classes or the rate out of range.

    Example:
        >>> pair_flip(3, 0.45).matrix()[2].tolist()
        [0.45, 0.0, 0.55]
    """
    refuse([class_count_fault(num_classes), chance_fault(rate, what="a flip rate")])
    return Matrix((1 - rate) * np.eye(num_classes) + rate * np.roll(np.eye(num_classes), 1, axis=1))


def class_flips(num_classes: int, rate: float, to: Mapping[int, int]) -> Matrix:
    """Flip some classes to one other each at a rate in [0, 1]; the classes not named keep their labels.

    The "asymmetric" noise of CIFAR-10 in Patrini et al. 2017 (arXiv 1609.03683) is
    `class_flips(10, rate, {9: 1, 2: 0, 4: 7, 3: 5, 5: 3})`: trucks to cars, birds to planes, deer to horses, cats and
    dogs to each other.

    Args:
        num_classes: K >= 2.
        rate: P(a label of a named class flips).
        to: the class that labels of each named class flip to, both in 0 to K - 1.

    Raises:
        InputError: num_classes, the rate or a class out of range, or a class that flips to itself.

    Example:
        >>> class_flips(3, 0.4, {2: 0}).matrix().tolist()
        [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.4, 0.0, 0.6]]
    """
    refuse([class_count_fault(num_classes), chance_fault(rate, what="a flip rate")])
    outside = [label for pair in to.items() for label in pair if label not in range(num_classes)]
    refuse([
        f"classes are 0 to {num_classes - 1}, but {', '.join(map(str, outside))} came" if outside else "",
        *(f"class {label} flips to itself; leave it out" for label, other in to.items() if label == other),
    ])  # fmt: skip
    rows = np.eye(num_classes)
    for label, other in to.items():
        rows[label, label], rows[label, other] = 1 - rate, rate
    return Matrix(rows)


def checked_rows(rows: Any) -> Float[np.ndarray, "J K"]:
    """Read a row-stochastic matrix as a normalised float64 copy, or refuse it with all its faults."""
    rows = real_numbers(rows, what="probabilities")
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
    return np.asarray(rows / np.where(np.abs(sums - 1) <= EXACT_SUM, 1.0, sums)[:, None])
