"""Weighing: from votes counted per class to log P(ordered votes given each class)."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float, Shaped

from murk.errors import InputError
from murk.noise.votes import VoteBatch

__all__ = ["in_class_counts", "log_of", "log_power", "weigh_counts"]


def in_class_counts(batch: VoteBatch, *, model: str) -> Any:
    """Count votes per class [B, K], or refuse "none of these", of which this model says nothing."""
    counts = batch.counts()
    outside = np.asarray(counts[:, [batch.num_classes]].sum(axis=1)).ravel()
    if outside.any():
        raise InputError(
            f'example {batch.indices[np.flatnonzero(outside)[0]]} has a vote for "none of these", of which {model} '
            "says nothing; give a Channel with one more column, or leave these votes out (-1)"
        )
    return counts[:, : batch.num_classes]


def log_of(rows: Shaped[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
    """Take logarithms; of zero: -inf, without a warning."""
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(rows))


def log_power(probability: float, exponent: Float[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
    """Take log(probability ** exponent), with 0 ** 0 = 1."""
    if probability == 0:
        return np.where(exponent == 0, 0.0, -np.inf)
    return np.asarray(exponent * np.log(probability))


def weigh_counts(counts: Any, log_rows: Float[np.ndarray, "K A"], *, clean_votes: int = 0) -> Float[np.ndarray, "B K"]:
    """Sum c_k log rows[j, k] over answers k, with 0 log 0 = 0.

    With clean_votes = 1 one vote is the truth, any of them: log c_j + sum_k c_k log Q[j, k] - log Q[j, j] - log sum c.
    """
    # impossible answers are counted apart: 0 x -inf would be NaN
    impossible = np.isneginf(log_rows)
    finite = np.where(impossible, 0.0, log_rows)
    values = counts @ finite.T
    vetoes = counts @ impossible.T.astype(np.float64) if impossible.any() else np.zeros_like(values)
    if clean_votes:
        counts = counts if isinstance(counts, np.ndarray) else counts.toarray()
        total = counts.sum(axis=1, keepdims=True)
        which = log_of(counts) - np.log(np.maximum(total, 1)) - np.diagonal(finite)
        values = np.where(total > 0, values + which, 0.0)
        vetoes = np.where(counts > 0, vetoes - np.diagonal(impossible), 0.0)
    return np.where(vetoes > 0, -np.inf, values)
