"""Structured noise: some false classes likelier than others, by a ranking that you give or that a model makes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Int

from murk.errors import InputError, refuse
from murk.noise.draws import permutation, seed_fault
from murk.noise.numbers import chance_fault, class_count_fault, real_numbers, whole_fault
from murk.noise.pattern import Matrix, Pattern, Uniform

__all__ = ["Structured", "confusion_ranking", "random_ranking"]

ROUNDING = 1e-9


@dataclass(frozen=True, eq=False)
class Structured:
    """Structured noise: false classes by rank, from uniform (delta 0) to the top one as likely as the truth (1).

    P(rank r) = [alpha/K + delta (1 - 2 (r-1)/(K-2))] / (1 + alpha), P(true) = (1 + alpha/K) / (1 + alpha). It becomes
    a pattern once alpha is known: `Structured(...).at(alpha)`; `Dilution` does that by itself.

    Args:
        delta: degree of structure, in [0, 1].
        ranking: int [K, K-1], K > 2; row j holds the false classes of j, most confused first
            (`confusion_ranking`, `random_ranking`).

    Raises:
        InputError: K = 2, delta out of range, or rows that are not the false classes; all faults together.

    Example:
        >>> ranking = confusion_ranking([[0, 2, 1], [2, 0, 1], [1, 2, 0]])
        >>> Structured(1.0, ranking).at(6).mixed(6).matrix()[0].round(3).tolist()
        [0.429, 0.429, 0.143]

    Source: Rolnick et al. 2017, arXiv 1705.10694, section on structured noise (derived).
    """

    delta: float
    ranking: Any

    def __post_init__(self) -> None:
        """Check delta and the ranking."""
        ranking = np.array(self.ranking)
        object.__setattr__(self, "ranking", ranking)
        refuse([chance_fault(self.delta, what="delta"), *_ranking_faults(ranking)])
        ranking.setflags(write=False)

    def __eq__(self, other: object) -> bool:
        """Compare delta and the ranking."""
        if not isinstance(other, Structured):
            return NotImplemented
        return self.delta == other.delta and np.array_equal(self.ranking, other.ranking)

    def __hash__(self) -> int:
        """Hash delta and the ranking."""
        return hash((self.delta, self.ranking.tobytes()))

    @property
    def num_classes(self) -> int:
        """K."""
        return len(self.ranking)

    def at(self, alpha: int) -> Pattern:
        """Give Q for alpha votes per clean one: at delta = 0 the uniform pattern.

        Raises:
            InputError: alpha is no whole number, or alpha < K delta, for which a probability would be negative.
        """
        refuse([whole_fault(alpha, lowest=0, what="alpha")])
        num_classes = self.num_classes
        if alpha < num_classes * self.delta * (1 - ROUNDING):
            raise InputError(
                f"structured noise needs alpha >= K delta = {num_classes * self.delta:g}, but alpha {alpha} came"
            )
        if self.delta == 0:
            return Uniform(num_classes)
        rank = np.arange(num_classes - 1)
        by_rank = 1 / num_classes + self.delta / alpha * (1 - 2 * rank / (num_classes - 2))
        rows = np.full((num_classes, num_classes), 1 / num_classes)
        np.put_along_axis(rows, self.ranking, by_rank[None, :], axis=1)
        return Matrix(np.clip(rows, 0, None))  # rounding alone can leave -1e-18 at alpha = K delta


def _ranking_faults(ranking: np.ndarray) -> list[str]:
    """Say what is wrong with a ranking."""
    shaped = ranking.ndim == 2 and ranking.shape[1] == ranking.shape[0] - 1
    if not shaped or (ranking.size and ranking.dtype.kind not in "iu"):
        return [f"a ranking is an integer table [K, K-1], but {ranking.dtype} of shape {ranking.shape} came"]
    classes = np.arange(len(ranking))
    right = (np.sort(np.column_stack([classes, ranking]), axis=1) == classes).all(axis=1)
    return [
        "" if len(ranking) > 2 else "structured noise needs more than two classes, but the ranking has two",
        "" if right.all() else f"row j of a ranking holds every class but j once, but row {np.argmin(right)} does not",
    ]


def confusion_ranking(confusion: Any, *, reverse: bool = False) -> Int[np.ndarray, "K K_minus_1"]:
    """Rank each class's false classes by a confusion matrix, most confused first (or last); ties by class number.

    Args:
        confusion: [K, K], finite counts or rates; confusion[j, k] is how often truth j was taken for k.
        reverse: least confused first.

    Raises:
        InputError: the table is not square and finite.

    Example:
        >>> confusion_ranking([[9, 1, 4], [0, 9, 2], [5, 3, 9]]).tolist()
        [[2, 1], [2, 0], [0, 1]]
    """
    confusion = real_numbers(confusion, what="a confusion matrix")
    square = confusion.ndim == 2 and confusion.shape[0] == confusion.shape[1]
    if not square or not np.isfinite(confusion).all():
        raise InputError(f"a confusion matrix is square and finite, but the shape {confusion.shape} came"
                         f"{' with NaN or infinity' if square else ''}")  # fmt: skip
    keys = confusion if reverse else -confusion
    np.fill_diagonal(keys, -np.inf)  # the class itself sorts first and is dropped
    return np.argsort(keys, axis=1, kind="stable")[:, 1:].astype(np.int64)


def random_ranking(num_classes: int, *, seed: int) -> Int[np.ndarray, "K K_minus_1"]:
    """Rank each class's false classes at random.

    Args:
        num_classes: K >= 2.
        seed: integer >= 0.

    Raises:
        InputError: num_classes or the seed out of range.
    """
    refuse([class_count_fault(num_classes), seed_fault(seed)])
    orders = [permutation(seed, f"ranking/{j}", num_classes) for j in range(num_classes)]
    return np.stack([order[order != j] for j, order in enumerate(orders)])
