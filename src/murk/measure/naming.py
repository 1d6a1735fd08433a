"""Naming: which class is which, where votes alone would allow several answers."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int
from scipy.optimize import linear_sum_assignment

__all__ = ["best_naming", "runners_up", "score_by_known", "score_by_one_right"]

DOUBT = 0.01  # P(a posterior is wrong about an audited label), at least
SMOOTHING = 0.5  # votes added to each count


def best_naming(score: Float[np.ndarray, "K K"]) -> Int[np.ndarray, " K"]:
    """Name every column of probabilities, each class once, so that the names' scores [column, name] sum to the most."""
    return np.asarray(linear_sum_assignment(-score)[1])


def score_by_known(posterior: Float[np.ndarray, "N K"], known: Int[np.ndarray, " N"]) -> Float[np.ndarray, "K K"]:
    """Score names by audited labels: the log likelihood that column a is class k, [column, name].

    `posterior` must not have seen `known`; -1 is unknown.
    """
    audited = known >= 0
    score = np.zeros((posterior.shape[1],) * 2)
    np.add.at(score.T, known[audited], np.log(np.maximum(posterior[audited], DOUBT)))
    return score


def score_by_one_right(
    posterior: Float[np.ndarray, "N K"], counts: Float[np.ndarray, "N K"]
) -> Float[np.ndarray, "K K"]:
    """Score names by the fact that exactly one of an example's votes is right, [column, name], in nats.

    If column a is class k, each of its examples holds a vote for k, and the other votes follow one pattern Q: the log
    likelihood is log c_k + sum_m c_m log Q[m] - log Q[k], Q from the column's counts less one k an example. A share of
    its examples is of other classes, and is taken to have votes like the column's as a whole.
    """
    doubt = float(np.clip(1 - posterior.max(1).mean(), 1e-3, 0.5))
    with np.errstate(divide="ignore"):
        which = np.log(counts) - np.log(np.maximum(counts.sum(1, keepdims=True), 1))
    score = np.empty((posterior.shape[1],) * 2)
    for column, members in enumerate(posterior.T):
        total = members @ counts
        others = np.maximum(total - np.diag(np.full(len(total), members.sum())), 0) + SMOOTHING  # [name, vote]
        pattern = np.log(others / others.sum(1, keepdims=True))
        named = which + counts @ pattern.T - np.diagonal(pattern)
        any_vote = counts @ np.log((total + SMOOTHING) / (total + SMOOTHING).sum())
        score[column] = members @ np.logaddexp(np.log1p(-doubt) + named, np.log(doubt) + any_vote[:, None])
    return score


def runners_up(score: Float[np.ndarray, "K K"]) -> Int[np.ndarray, "K K"]:
    """Give, for each class, the best naming of all columns in which that class's column has another name.

    Columns are taken to be named as they are numbered.
    """
    namings = []
    for column in range(len(score)):
        barred = score.copy()
        barred[column, column] -= 2 * np.abs(score).sum() + 1
        namings.append(best_naming(barred))
    return np.stack(namings)
