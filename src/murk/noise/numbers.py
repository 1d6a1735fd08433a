"""Numbers as the caller gives them: read exactly, or what is wrong with them in words."""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from murk.errors import InputError

__all__ = ["chance_fault", "checked_indices", "class_count_fault", "real_numbers", "whole_fault", "whole_numbers"]


def whole_fault(value: Any, *, lowest: int, what: str) -> str:
    """Say what is wrong with `value` as a whole number >= `lowest` (booleans are none), or nothing."""
    try:
        fits = not isinstance(value, bool | np.bool_) and operator.index(value) >= lowest
    except TypeError:
        fits = False
    return "" if fits else f"{what} is a whole number >= {lowest}, but {value!r} came"


def class_count_fault(num_classes: Any) -> str:
    """Say what is wrong with a number of classes, or nothing."""
    return whole_fault(num_classes, lowest=2, what="num_classes")


def chance_fault(value: Any, *, what: str) -> str:
    """Say what is wrong with `value` as a number in [0, 1], or nothing."""
    number = isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)
    return "" if number and math.isfinite(value) and 0 <= value <= 1 else f"{what} lies in [0, 1], but {value!r} came"


def real_numbers(values: Any, *, what: str) -> Float[np.ndarray, "*shape"]:
    """Read a float64 array of its own, or refuse what is ragged, or no number."""
    try:
        return np.array(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"expected {what} as numbers in rows of one length, but {type(values).__name__} came "
                         f"({error})") from error  # fmt: skip


def whole_numbers(values: Any, *, what: str) -> Int[np.ndarray, "*shape"]:
    """Read int64, also from a float column that holds nothing but whole numbers."""
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise InputError(f"{what}: expected rows of one length, but they are ragged ({error})") from error
    if array.size == 0:
        return array.astype(np.int64)
    whole = array.dtype.kind in "iu" or (
        array.dtype.kind == "f" and bool(np.isfinite(array).all() and (array == np.trunc(array)).all())
    )
    if not whole:
        raise InputError(f"{what}: expected whole numbers without gaps (NaN), but {array.dtype} came; "
                         "code no vote as -1")  # fmt: skip
    if array.dtype.kind in "uf" and (np.abs(array) >= 2.0**63).any():
        raise InputError(f"{what}: expected numbers within 64 bits, but {np.abs(array).max():g} came")
    return array.astype(np.int64)


def checked_indices(indices: Any, num_examples: int) -> Int[np.ndarray, " B"]:
    """Read indices as int64 [B], or refuse what lies outside [0, num_examples)."""
    indices = np.asarray(indices)
    if indices.ndim != 1 or (indices.dtype.kind not in "iu" and indices.size):
        raise InputError(f"indices are a 1-D array of integers, but {indices.dtype} of shape {indices.shape} came")
    if indices.size and not (indices.min() >= 0 and indices.max() < num_examples):
        raise InputError(f"indices lie in [0, {num_examples}), but {indices.min()} .. {indices.max()} came")
    return np.asarray(indices, dtype=np.int64)
