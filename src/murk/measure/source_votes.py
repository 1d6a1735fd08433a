"""Votes counted per source and answer: the table that estimates of noise read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

from murk.errors import InputError
from murk.noise import Votes

__all__ = ["SourceVotes"]


@dataclass(frozen=True)
class SourceVotes:
    """How often each source gave each answer, example by example.

    A source is an annotator, or all votes alike where nobody knows who voted.

    Attributes:
        counts: float64 CSR [N, S * A]; column s * A + k counts the votes of source s for answer k.
        num_sources: S.
        num_classes: K.
        num_answers: A, K or, where "none of these" was answered, K + 1.
    """

    counts: Any
    num_sources: int
    num_classes: int
    num_answers: int

    def __len__(self) -> int:
        """N, the number of examples."""
        return int(self.counts.shape[0])

    @property
    def per_example(self) -> float:
        """The mean number of votes of an example that has any."""
        totals = self.counts.sum(1)
        return float(totals.sum() / max((totals > 0).sum(), 1))

    @property
    def agreement(self) -> float:
        """How far from chance (0) towards the truth (1) votes are, by how often two votes of an example agree.

        Under uniform noise that says the truth with chance s and else any class, two votes agree with s^2 more than
        chance. Lies in [0.02, 0.98]; votes of one example that are not independent make it too large.
        """
        counts = self.per_class()[:, : self.num_classes]
        totals = counts.sum(1)
        pairs = (totals * (totals - 1)).sum()
        same = (counts.multiply(counts - counts.sign())).sum()
        by_chance = ((counts.sum(0) / max(totals.sum(), 1)) ** 2).sum()
        excess = (same / max(pairs, 1) - by_chance) / max(1 - by_chance, 1e-9)
        return float(np.clip(np.sqrt(max(excess, 0)), 0.02, 0.98))

    @staticmethod
    def of(votes: Votes, *, by_annotator: bool) -> SourceVotes:
        """Count votes, batch by batch.

        Raises:
            InputError: by_annotator, but the votes do not say who voted.
        """
        if by_annotator and not votes.num_annotators:
            raise InputError("these votes do not say who voted; give `annotator` to Votes.from_long, or estimate one "
                             "transition for all")  # fmt: skip
        sources, answers = votes.num_annotators if by_annotator else 1, votes.num_classes + 1
        parts = []
        for batch in votes.batches():
            who = 0 if batch.annotators is None or not by_annotator else batch.annotators.astype(np.int64)
            weights = np.ones(len(batch.labels)) if batch.weights is None else batch.weights
            columns = who * answers + batch.labels
            part = sparse.csr_array((weights, columns, batch.offsets), shape=(len(batch), sources * answers), copy=True)
            part.sum_duplicates()
            parts.append(part)
        counts = sparse.vstack(parts, format="csr")
        last = np.arange(1, sources + 1) * answers - 1
        if not counts[:, last].nnz:  # nobody answered "none of these"
            kept = np.delete(np.arange(sources * answers), last)
            return SourceVotes(counts[:, kept], sources, votes.num_classes, votes.num_classes)
        return SourceVotes(counts, sources, votes.num_classes, answers)

    def rows(self, chosen: np.ndarray) -> SourceVotes:
        """Keep the examples `chosen`, as many times as they are named."""
        return SourceVotes(self.counts[chosen], self.num_sources, self.num_classes, self.num_answers)

    def per_class(self) -> Any:
        """Sum over sources: CSR [N, A]."""
        pooling = sparse.vstack([sparse.eye_array(self.num_answers)] * self.num_sources, format="csr")
        return self.counts @ pooling
