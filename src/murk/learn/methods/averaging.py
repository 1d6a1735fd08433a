"""Averaging alone: cross-entropy, and the mean of the weights along the way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from murk.learn.method import Method

__all__ = ["Averaging"]


@dataclass
class Averaging(Method):
    """Cross-entropy on one vote a visit, with the weights averaged as in murk's own training."""

    name: ClassVar[str] = "averaging"
    source: ClassVar[str] = "polynomial-decay averaging, Shamir and Zhang 2013, eta = 8 as in murk's own training"
    averaging: ClassVar[bool | None] = True
