"""Evidence: what the votes of an example say about its class.

e_j = log P(ordered votes given y = j), normalised over vote sequences and never over j, so that noise models can
be compared by likelihood. Everything else in murk (losses, error ranking, estimates) reads evidence and does not
know which kind of label it came from.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from murk.errors import InputError, refuse
from murk.noise.numbers import class_count_fault

__all__ = ["Evidence", "concatenate", "from_candidates", "from_labels"]


@dataclass(frozen=True)
class Evidence:
    """Log evidence of B examples over K classes, dense or sparse.

    Dense: `values` is [B, K] and `offsets`, `classes` are None; the evidence is base + values.
    Sparse (for many classes): example i has evidence base[i] everywhere, except in its classes
    classes[offsets[i]:offsets[i+1]], where it is the value of the same position (base not added).

    Attributes:
        num_classes: K.
        base: float64 [B].
        values: float64 (or float32) [B, K] (dense) or [V] (sparse); -inf means impossible.
        offsets: int64 [B + 1], sparse only.
        classes: int32 [V] in [0, K), sparse only, ascending within an example.

    Source: the marginal likelihood -logsumexp_j(log p_j + e_j) is exact for every kind of label.
    """

    num_classes: int
    base: Float[np.ndarray, " B"]
    values: np.ndarray
    offsets: Int[np.ndarray, " B_plus_1"] | None = None
    classes: Int[np.ndarray, " V"] | None = None

    def __len__(self) -> int:
        """Count the examples."""
        return len(self.base)

    @property
    def is_sparse(self) -> bool:
        """Whether only some classes of an example are stored."""
        return self.offsets is not None

    def dense(self) -> Float[np.ndarray, "B K"]:
        """Write the evidence out as float64 [B, K]."""
        if self.offsets is None or self.classes is None:
            return np.asarray(self.base[:, None] + self.values)
        out = np.repeat(self.base[:, None], self.num_classes, axis=1)
        out[np.repeat(np.arange(len(self)), np.diff(self.offsets)), self.classes] = self.values
        return out

    def take(self, indices: np.ndarray) -> Evidence:
        """Keep the examples of `indices` (int [B'], in this order)."""
        indices = np.asarray(indices, dtype=np.int64)
        if self.offsets is None or self.classes is None:
            return Evidence(self.num_classes, self.base[indices], self.values[indices])
        offsets, positions = ragged_rows(self.offsets, indices)
        return Evidence(self.num_classes, self.base[indices], self.values[positions], offsets, self.classes[positions])

    def blocks(self, rows: int = 65_536) -> Iterator[tuple[slice, Evidence]]:
        """Walk over the examples in pieces, so that dense copies stay small."""
        for start in range(0, len(self), rows):
            part = slice(start, min(start + rows, len(self)))
            yield part, self.take(np.arange(part.start, part.stop))


def ragged_rows(offsets: np.ndarray, indices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Find where the rows `indices` of a ragged array lie: their new offsets and the positions to gather."""
    lengths = offsets[indices + 1] - offsets[indices]
    out = np.zeros(len(indices) + 1, dtype=np.int64)
    np.cumsum(lengths, out=out[1:])
    positions = np.arange(out[-1]) - np.repeat(out[:-1] - offsets[indices], lengths)
    return out, positions


def dense_evidence(values: Float[np.ndarray, "B K"], indices: np.ndarray, *, model: str) -> Evidence:
    """Wrap dense log evidence, or refuse examples whose votes are impossible under the noise model."""
    top = values.max(axis=1) if len(values) else np.zeros(0)
    refuse_impossible(np.flatnonzero(np.isneginf(top)), indices, model=model)
    return Evidence(values.shape[1], top, values - top[:, None])


def refuse_impossible(rows: np.ndarray, indices: np.ndarray, *, model: str) -> None:
    """Refuse rows in which no class could have given the votes, and name their examples."""
    if len(rows):
        named = ", ".join(str(i) for i in indices[rows[:5]])
        raise InputError(
            f"expected votes that {model} can give, but those of {len(rows)} example(s) are impossible for every "
            f"class (example {named}{', ...' if len(rows) > 5 else ''}); use a noise model that leaves every vote "
            "a chance, or check these votes"
        )


def from_labels(labels: Int[np.ndarray, " B"], num_classes: int) -> Evidence:
    """Give the evidence of clean labels: 0 for the label, -inf elsewhere; -1 (unknown) says nothing: 0 everywhere.

    Raises:
        InputError: a label lies outside [-1, num_classes).

    Example:
        >>> from_labels(np.array([1]), 3).dense().tolist()
        [[-inf, 0.0, -inf]]
    """
    labels = np.asarray(labels)
    refuse([class_count_fault(num_classes) or labels_fault(labels, num_classes, lowest=-1)])
    values = np.where(labels[:, None] == np.arange(num_classes), 0.0, -np.inf)
    values[labels < 0] = 0.0
    return Evidence(num_classes, np.zeros(len(labels)), values)


def from_candidates(candidates: Bool[np.ndarray, "B K"]) -> Evidence:
    """Give the evidence of candidate sets: 0 for the classes in the set, -inf elsewhere.

    Args:
        candidates: bool [B, K], whether class k is a candidate of example b.

    Raises:
        InputError: a set is empty, or no table of booleans came.

    Example:
        >>> from_candidates(np.array([[True, False, True]])).dense().tolist()
        [[0.0, -inf, 0.0]]
    """
    candidates = np.asarray(candidates)
    if candidates.ndim != 2 or candidates.dtype != np.bool_:
        raise InputError(f"candidates are booleans [B, K], but {candidates.dtype} of shape {candidates.shape} came")
    values = np.where(candidates, 0.0, -np.inf)
    return dense_evidence(values, np.arange(len(values)), model="a candidate set with at least one class")


def labels_fault(labels: np.ndarray, num_classes: int, *, lowest: int = 0) -> str:
    """Say which labels are not integers in [lowest, num_classes), or nothing."""
    if labels.ndim != 1 or (labels.size and labels.dtype.kind not in "iu"):
        return f"labels are a 1-D array of integers, but {labels.dtype} of shape {labels.shape} came"
    wrong = np.flatnonzero((labels < lowest) | (labels >= num_classes))
    if not len(wrong):
        return ""
    return (
        f"labels lie in [{lowest}, {num_classes}), but example {wrong[0]} has {labels[wrong[0]]} "
        f"({len(wrong)} such); check num_classes or the labels"
    )


def concatenate(parts: list[Evidence]) -> Evidence:
    """Join evidence of consecutive examples, all dense or all sparse."""
    first = parts[0]
    base = np.concatenate([part.base for part in parts])
    values = np.concatenate([part.values for part in parts])
    if not first.is_sparse:
        return Evidence(first.num_classes, base, values)
    lengths = np.concatenate([np.diff(part.offsets) for part in parts if part.offsets is not None])
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    return Evidence(
        first.num_classes, base, values, offsets, np.concatenate([p.classes for p in parts if p.classes is not None])
    )
