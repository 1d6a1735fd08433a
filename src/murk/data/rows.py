"""Rows of a collection as the caller names them: checked once, then plain int64 positions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Int64

from murk.errors import InputError

ArrayLike = np.ndarray | torch.Tensor | Sequence[Any]
"""What `np.asarray` makes an array of; arrays and memory maps are kept as they are."""

Indices = np.ndarray | torch.Tensor | Sequence[int]
"""Row numbers [B], any integer type, each in [0, N)."""


def checked_rows(indices: Indices, length: int) -> Int64[np.ndarray, " B"]:
    """Row numbers as int64 on the host, each in [0, `length`); `InputError` for anything else."""
    rows = indices.detach().cpu().numpy() if isinstance(indices, torch.Tensor) else np.asarray(indices)
    if rows.size == 0 and rows.ndim == 1:
        return np.zeros(0, np.int64)
    if rows.ndim != 1 or rows.dtype.kind not in "iu":
        raise InputError(
            f"expected indices as a list or array of whole numbers [B], got shape {rows.shape} of {rows.dtype}; "
            "for one example i use [i]"
        )
    low, high = int(rows.min()), int(rows.max())
    if low < 0 or high >= length:
        raise InputError(
            f"expected indices in [0, {length}), got {low if low < 0 else high}; negative indices do not count from "
            "the end here"
        )
    return rows.astype(np.int64, copy=False)
