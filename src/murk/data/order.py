"""A seeded order of rows that is the same on every machine and in every NumPy."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int64, UInt64

from murk.errors import refuse

_GAMMA = np.uint64(0x9E3779B97F4A7C15)
_MIX = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))


def splitmix64(count: int, *, seed: int) -> UInt64[np.ndarray, " N"]:
    """The first `count` words of SplitMix64, word i a pure function of (seed, i).

    z_i = seed + (i + 1) gamma (mod 2^64), then two xor-shift-multiplies and a last xor-shift: a bijection, so no word
    comes twice.

    Args:
        count: how many words, at least 0.
        seed: in [0, 2^64).

    Source: Steele, Lea, Flood 2014, "Fast splittable pseudorandom number generators".
    """
    refuse(
        [
            f"expected count of at least 0, got {count}" if count < 0 else "",
            f"expected a seed in [0, 2**64), got {seed}" if not 0 <= seed < 2**64 else "",
        ]
    )
    with np.errstate(over="ignore"):
        z = np.uint64(seed) + (np.arange(count, dtype=np.uint64) + np.uint64(1)) * _GAMMA
        z = (z ^ (z >> np.uint64(30))) * _MIX[0]
        z = (z ^ (z >> np.uint64(27))) * _MIX[1]
        return z ^ (z >> np.uint64(31))


def seeded_order(count: int, *, seed: int) -> Int64[np.ndarray, " N"]:
    """A permutation of 0..count-1: the rows sorted by their SplitMix64 word.

    Args:
        count: N, at least 0.
        seed: in [0, 2^64).

    Example:
        >>> from murk.data.order import seeded_order
        >>> sorted(seeded_order(4, seed=0).tolist())
        [0, 1, 2, 3]
    """
    return np.argsort(splitmix64(count, seed=seed), kind="stable").astype(np.int64, copy=False)
