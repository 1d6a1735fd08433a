"""Probabilities of classes, read and checked: finite, none below zero, rows that sum to one."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float

from murk.errors import InputError
from murk.measure.predicted import read_array

__all__ = ["OFF_BY", "probs_fault", "read_probs"]

OFF_BY = 0.01  # a row's sum may miss one, as sums of half-precision numbers do


def read_probs(probs: Any) -> Float[np.ndarray, "N K"]:
    """Read probabilities as float64 [N, K], N >= 1 and K >= 2, rows divided by their sums.

    Raises:
        InputError: another shape or kind, NaN, a number below zero, or a row that does not sum to one.
    """
    table = read_array(probs, what="probabilities")
    if table.ndim != 2 or table.shape[1] < 2 or not len(table):
        raise InputError(
            f"expected probabilities, floats [N, K] with K >= 2, but {table.dtype} of shape {table.shape} came"
        )
    fault = probs_fault(table, table.shape)
    if fault:
        raise InputError(fault)
    table = table.astype(np.float64)
    return np.asarray(table / table.sum(1, keepdims=True))


def probs_fault(probs: np.ndarray, shape: tuple[int, ...]) -> str:
    """Say what keeps a table from being probabilities [N, K] of this shape, or nothing."""
    if probs.shape != shape or probs.dtype.kind != "f":
        return f"expected probabilities, floats [N, K] = {shape}, but {probs.dtype} of shape {probs.shape} came"
    with np.errstate(invalid="ignore"):
        off = np.abs(probs.sum(1, dtype=np.float64) - 1)
        bad = np.flatnonzero(~((probs.min(1) >= 0) & (off <= OFF_BY)))  # NaN fails both
    if len(bad):
        return (
            f"probabilities are >= 0 and sum to one in each row, but example {bad[0]} is not so; apply softmax to "
            "logits first"
        )
    return ""
