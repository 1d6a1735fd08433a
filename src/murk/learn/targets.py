"""Targets: what a loss reads of each example's votes, as rows [B, K] on the training device."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from murk.errors import InputError
from murk.noise import Evidence, NoiseModel, Votes

__all__ = ["Targets"]


class Targets:
    """One row of K numbers an example, dense or sparse, gathered by index as float32 on a device.

    Rows of evidence are shifted so that their largest entry is 0, which keeps float32 exact; the shift (float64 [N])
    is kept apart, since only comparisons of noise models need it.

    Attributes:
        num_classes: K.
        shift: float64 [N], what each row was lowered by.
    """

    def __init__(self, num_classes: int, shift: np.ndarray, base: Tensor, values: Tensor, ragged: Any = None) -> None:
        """Hold the pieces; use `of_evidence` or `of_counts`."""
        self.num_classes, self.shift = num_classes, shift
        self._base, self._values, self._ragged = base, values, ragged

    def __len__(self) -> int:
        """N, the number of examples."""
        return len(self.shift)

    @property
    def device(self) -> torch.device:
        """Where the rows are."""
        return self._values.device

    @staticmethod
    def of_evidence(evidence: Evidence, *, device: torch.device) -> Targets:
        """Take log evidence as it is, dense or sparse.

        Raises:
            InputError: evidence that is NaN or +inf, or -inf for every class of an example.
        """
        if evidence.offsets is None or evidence.classes is None:
            shift = evidence.values.max(axis=1)
            _refuse_impossible(evidence.base + shift)
            values = torch.from_numpy((evidence.values - shift[:, None]).astype(np.float32))
            base = torch.zeros(len(evidence))
            return Targets(evidence.num_classes, evidence.base + shift, base.to(device), values.to(device))
        rows = np.repeat(np.arange(len(evidence)), np.diff(evidence.offsets))
        shift = evidence.base.copy()
        np.maximum.at(shift, rows, evidence.values)
        _refuse_impossible(shift)
        values = torch.from_numpy((evidence.values - shift[rows]).astype(np.float32)).to(device)
        base = torch.from_numpy((evidence.base - shift).astype(np.float32)).to(device)
        ragged = tuple(
            torch.from_numpy(part.astype(np.int64)).to(device) for part in (evidence.offsets, evidence.classes)
        )
        return Targets(evidence.num_classes, shift, base, values, ragged)

    @staticmethod
    def weighed(votes: Votes, noise: NoiseModel, *, indices: Any = None, device: torch.device) -> Targets:
        """Weigh votes by a noise model, those of all examples or of `indices`; no table of float64 is made of all.

        Raises:
            InputError: the noise model cannot have given these votes.
        """
        pieces = (noise.log_evidence(batch) for batch in votes.batches(indices))
        return Targets.joined([Targets.of_evidence(piece, device=device) for piece in pieces])

    @staticmethod
    def of_counts(counts: Any, *, device: torch.device) -> Targets:
        """Take counts (or shares) per class: an array [N, K] or a SciPy CSR array."""
        zeros = np.zeros(counts.shape[0])
        base = torch.zeros(len(zeros), device=device)
        if isinstance(counts, np.ndarray):
            return Targets(counts.shape[1], zeros, base, torch.from_numpy(counts.astype(np.float32)).to(device))
        values = torch.from_numpy(counts.data.astype(np.float32)).to(device)
        ragged = tuple(torch.from_numpy(p.astype(np.int64)).to(device) for p in (counts.indptr, counts.indices))
        return Targets(counts.shape[1], zeros, base, values, ragged)

    @staticmethod
    def joined(several: Sequence[Targets]) -> Targets:
        """Put the rows of several targets of the same classes one after the other; dense where any of them is."""
        if any(targets._ragged is None for targets in several):
            several = [targets._dense() for targets in several]
        base, values = (torch.cat(parts) for parts in zip(*((t._base, t._values) for t in several), strict=True))
        shift = np.concatenate([targets.shift for targets in several])
        ragged = None
        if several[0]._ragged is not None:
            ends = np.cumsum([0, *(len(targets._values) for targets in several)]).tolist()
            offsets = [t._ragged[0][:-1] + end for t, end in zip(several, ends, strict=False)]
            total = torch.tensor(ends[-1:], device=several[0].device)
            ragged = torch.cat([*offsets, total]), torch.cat([targets._ragged[1] for targets in several])
        return Targets(several[0].num_classes, shift, base, values, ragged)

    def _dense(self) -> Targets:
        everything = self.rows(torch.arange(len(self), device=self.device))
        return Targets(self.num_classes, self.shift, torch.zeros_like(self._base), everything)

    def update_digest(self, digest: Any) -> None:
        """Feed everything these rows are made of to a hash."""
        digest.update(self.shift.tobytes())
        for tensor in (self._base, self._values, *(self._ragged or ())):
            digest.update(tensor.cpu().contiguous().numpy().tobytes())

    def rows(self, indices: Int[Tensor, " B"]) -> Float[Tensor, "B K"]:
        """Gather the rows of these examples (int64 [B] on the targets' device)."""
        if self._ragged is None:
            return self._base[indices, None] + self._values[indices]
        offsets, classes = self._ragged
        starts = offsets[indices]
        lengths = offsets[indices + 1] - starts
        owners = torch.repeat_interleave(torch.arange(len(indices), device=indices.device), lengths)
        first = torch.cumsum(lengths, 0) - lengths
        positions = torch.arange(len(owners), device=indices.device) - first[owners] + starts[owners]
        rows = self._base[indices, None].repeat(1, self.num_classes)
        rows[owners, classes[positions]] = self._values[positions]
        return rows


def _refuse_impossible(best: np.ndarray) -> None:
    wrong = np.flatnonzero(~np.isfinite(best))
    if len(wrong):
        raise InputError(
            f"evidence is a log likelihood, finite for at least one class, but that of example {wrong[0]} is at most "
            f"{best[wrong[0]]} ({len(wrong)} such); check its votes and the noise model"
        )
