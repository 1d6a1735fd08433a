"""Distinct examples: equal rows with equal votes become one that weighs as much, in an order that is theirs alone.

So an example given twice is the same as one of weight 2, the order in which examples come plays no part, and copies
never stand on both sides of the split into training and held-out examples.
"""

from __future__ import annotations

import hashlib

import numpy as np

from murk.data.sparse_source import SparseSource
from murk.noise import NONE_OF_THESE, StoredVotes, Votes

__all__ = ["distinct_rows", "rows_of", "votes_of"]


def distinct_rows(
    examples: np.ndarray | SparseSource, votes: Votes, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Find one row for each different pair of example and votes, with the sum of their weights.

    Args:
        examples: uint8 [N, H, W, C], float32 [N, D] or sparse rows.
        votes: of these N examples; those without any say nothing and are left out.
        weights: float [N] >= 0; examples of weight 0 are left out.

    Returns:
        Row numbers int64 [U], ordered by a hash of their contents, and weights float64 [U] > 0.
    """
    digests, rows = [], []
    for batch in votes.batches():
        parts = [part for part in (batch.labels, batch.weights, batch.annotators) if part is not None]
        for place, row in enumerate(batch.indices.tolist()):
            said = slice(batch.offsets[place], batch.offsets[place + 1])
            if weights[row] > 0 and said.stop > said.start:
                content = [_row_bytes(examples, row), *(part[said].tobytes() for part in parts)]
                digests.append(hashlib.blake2b(b"|".join(content), digest_size=16).digest())
                rows.append(row)
    _, first, which = np.unique(np.array(digests, dtype="S16"), return_index=True, return_inverse=True)
    chosen = np.array(rows, dtype=np.int64)
    return chosen[first], np.bincount(which, weights=weights[chosen], minlength=len(first))


def rows_of(examples: np.ndarray | SparseSource, rows: np.ndarray) -> np.ndarray | SparseSource:
    """The chosen examples, in this order."""
    return examples.take(rows) if isinstance(examples, SparseSource) else examples[rows]


def votes_of(votes: Votes, rows: np.ndarray) -> StoredVotes:
    """The votes of the chosen examples, in this order."""
    batch = votes.batch(rows)
    labels = np.where(batch.labels == batch.num_classes, NONE_OF_THESE, batch.labels)
    return StoredVotes(
        batch.num_classes, batch.offsets, labels, weights=batch.weights, annotators=batch.annotators
    )  # fmt: skip


def _row_bytes(examples: np.ndarray | SparseSource, row: int) -> bytes:
    if isinstance(examples, SparseSource):
        return examples.row_bytes(row)
    return bytes((examples[row] + examples.dtype.type(0)).tobytes())  # -0.0 is 0.0
