"""Random numbers as a pure function of (seed, stream, index): Philox-4x32-10.

The generator keeps no state: word w of index i is a block cipher of the counter (i, w) under a key made from
the seed and the stream's name. Any index, in any order, batch, process or device, sees the same numbers. The
arithmetic is written once with plain operators on int64, so NumPy arrays and torch tensors give the same bits.

Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
"""

from __future__ import annotations

import hashlib
import math
from typing import Any

import numpy as np
import torch

from murk.errors import refuse
from murk.noise.numbers import whole_fault

__all__ = ["below", "normals", "permutation", "philox", "seed_fault", "stream_key", "uniforms", "words"]

MASK = 0xFFFFFFFF
ROUNDS = 10
MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
KEY_STEPS = (0x9E3779B9, 0xBB67AE85)
BLOCK = 16_384  # counters at a time: four int64 words each stay in a core's own cache

Array = Any  # np.ndarray or torch.Tensor, int64; what goes in comes out


def philox(counter: tuple[Array, Array, Array, Array], key: tuple[int, int]) -> tuple[Array, Array, Array, Array]:
    """Encrypt a 128-bit counter under a 64-bit key: four independent uniform 32-bit words.

    Args:
        counter: four int64 arrays or tensors with values in [0, 2^32), broadcastable.
        key: two integers in [0, 2^32).

    Returns:
        Four int64 arrays or tensors with values in [0, 2^32).

    Source: Random123's `philox4x32`; the tests hold its published vectors.
    """
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(ROUNDS):
        # int64 products wrap like uint64 ones, and the mask removes the sign that >> carries down
        p0, p1 = c0 * MULTIPLIERS[0], c2 * MULTIPLIERS[1]
        c0, c1, c2, c3 = ((p1 >> 32) & MASK) ^ c1 ^ k0, p1 & MASK, ((p0 >> 32) & MASK) ^ c3 ^ k1, p0 & MASK
        k0, k1 = (k0 + KEY_STEPS[0]) & MASK, (k1 + KEY_STEPS[1]) & MASK
    return c0, c1, c2, c3


def seed_fault(seed: Any) -> str:
    """Say what is wrong with a seed, or nothing."""
    fault = whole_fault(seed, lowest=0, what="a seed")
    return fault and f"{fault}; pass for example seed=0"


def stream_key(seed: int, stream: str) -> tuple[int, int]:
    """Derive the 64-bit key of a named stream: two streams of one seed are independent.

    Args:
        seed: any integer >= 0.
        stream: a name, such as "votes".

    Raises:
        InputError: the seed is not an integer >= 0.
    """
    refuse([seed_fault(seed)])
    digest = hashlib.blake2b(f"{int(seed)}/{stream}".encode(), digest_size=8).digest()
    return int.from_bytes(digest[:4], "little"), int.from_bytes(digest[4:], "little")


def words(seed: int, stream: str, index: Array, count: int) -> Array:
    """Draw `count` uniform 32-bit words for every index.

    Args:
        seed: integer >= 0.
        stream: name of the stream.
        index: integers [B], each in [0, 2^63) (a NumPy array or a torch tensor on any device).
        count: words per index, >= 0.

    Returns:
        int64 [B, count] with values in [0, 2^32), of the kind and on the device of `index`.

    Example:
        >>> words(0, "doc", np.arange(3), 2).shape
        (3, 2)
    """
    key = stream_key(seed, stream)
    blocks = -(-count // 4)
    tensor = isinstance(index, torch.Tensor)
    if tensor:
        index = index.to(torch.int64)
        out: Array = torch.empty((len(index), blocks * 4), dtype=torch.int64, device=index.device)
        block: Array = torch.arange(blocks, device=index.device)[None, :]
    else:
        index = np.asarray(index, dtype=np.int64)
        out = np.empty((len(index), blocks * 4), dtype=np.int64)
        block = np.arange(blocks, dtype=np.int64)[None, :]
    # a GPU wants all of it at once; a CPU wants pieces that fit its cache
    rows = len(index) if tensor and index.device.type != "cpu" else max(1, BLOCK // max(blocks, 1))
    for start in range(0, len(index) if blocks else 0, max(rows, 1)):
        part = index[start : start + rows, None]
        drawn = philox((part & MASK, (part >> 32) & MASK, block, block * 0), key)
        for lane, values in enumerate(drawn):
            out[start : start + rows, lane::4] = values
    return out[:, :count]


def below(drawn: Array, bound: int) -> Array:
    """Turn uniform 32-bit words into integers in [0, bound): each is met to within 2^-32."""
    return (drawn * bound) >> 32


def uniforms(seed: int, stream: str, index: Array, count: int) -> Array:
    """Draw float64 [B, count] uniform in the open interval (0, 1), in steps of 2^-32; arguments as `words`."""
    drawn = words(seed, stream, index, count)
    exact = drawn.to(torch.float64) if isinstance(drawn, torch.Tensor) else drawn  # torch alone would go to float32
    return (exact + 0.5) * 2.0**-32


def normals(seed: int, stream: str, index: Array, count: int) -> Array:
    """Draw float32 [B, count] standard normal (Box-Muller; |z| < 6.7); arguments as `words`.

    NumPy and torch agree to rounding of log, cos and sin, not to the bit.
    """
    pairs = -(-count // 2)
    drawn = uniforms(seed, stream, index, 2 * pairs)
    library: Any = torch if isinstance(drawn, torch.Tensor) else np
    radius = library.sqrt(-2 * library.log(drawn[:, :pairs]))
    angle = 2 * math.pi * drawn[:, pairs:]
    both = (radius * library.cos(angle), radius * library.sin(angle))
    if library is torch:
        return torch.cat(both, 1)[:, :count].to(torch.float32)
    return np.concatenate(both, 1)[:, :count].astype(np.float32)


def permutation(seed: int, stream: str, size: int) -> np.ndarray:
    """Draw a random order of range(size): int64 [size], each order equally likely (to 63-bit sort keys).

    Example:
        >>> sorted(permutation(0, "doc", 4).tolist())
        [0, 1, 2, 3]
    """
    drawn = words(seed, stream, np.arange(size, dtype=np.int64), 2)
    return np.argsort(drawn[:, 0] << 31 | drawn[:, 1] >> 1, kind="stable").astype(np.int64)
