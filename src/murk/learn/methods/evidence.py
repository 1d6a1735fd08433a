"""Evidence: the marginal likelihood of the votes, murk's own way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from murk.learn.losses import EvidenceLoss, Loss
from murk.learn.method import Method

__all__ = ["EvidenceMethod"]


@dataclass
class EvidenceMethod(Method):
    """-logsumexp_j(log p_j + e_j), the votes weighed by a noise model that is known, or found by `noise="auto"`."""

    name: ClassVar[str] = "evidence"
    source: ClassVar[str] = "murk; of one vote it is forward correction, Patrini et al. 2017, arXiv 1609.03683"
    noise_is: ClassVar[str] = "needed"
    takes_views: ClassVar[bool] = True

    def loss(self) -> Loss:
        """Make the evidence loss, by which held-out votes compare epochs too."""
        return EvidenceLoss()
