"""Soft labels: cross-entropy against the shares of the votes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from murk.learn.losses import PickedVote
from murk.learn.method import Method

__all__ = ["SoftLabels"]


@dataclass
class SoftLabels(Method):
    """Cross-entropy against the shares of the votes; with one vote an example it is `averaging`."""

    name: ClassVar[str] = "soft-labels"
    source: ClassVar[str] = "Peterson et al. 2019, arXiv 1908.07086; no settings"

    def loss(self) -> PickedVote:
        """Take all votes at once in place of one."""
        return _Shares()


class _Shares(PickedVote):
    draws = False

    def __call__(self, log_probs, rows, uniforms=None):  # type: ignore[no-untyped-def]
        """Give -sum_k share_k log p_k."""
        return -(rows * log_probs).sum(1)
