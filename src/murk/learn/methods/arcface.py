"""ArcFace: a class must be nearer than all others by an angle."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from murk.errors import name_fault, refuse
from murk.learn.losses import EvidenceLoss, Loss, PickedVote, cross_entropy
from murk.learn.method import Batch, Course, Method
from murk.learn.methods.embedded import cosine_head
from murk.learn.methods.settings import positive
from murk.models.embedding import SCALE

__all__ = ["ArcFace", "log_probs_with_margin"]

READINGS = ("pairs", "evidence")
UNTOLD = 1e-6  # difference of probabilities


@dataclass
class ArcFace(Method):
    """p_j as if class j alone were further away: its logit s cos(theta_j + margin), those of others s cos theta_k.

    Read of a vote at a time, cross-entropy of it; of evidence, cross-entropy with the posterior given the votes.
    (Probabilities with a margin do not sum to one: their own evidence would be highest where all images are of one
    class, and a posterior that asks the network would come to the same.) For networks with an embedding.

    Args:
        margin: the angle, in radians, in (0, pi).
        scale: s, > 0.
        votes: "pairs", a vote at a time, or "evidence", which needs a noise model.

    Raises:
        InputError: a setting out of range, or a network without an embedding.
    """

    margin: float = 0.5
    scale: float = 64.0
    votes: str = "pairs"
    name: ClassVar[str] = "arcface"
    source: ClassVar[str] = "Deng et al. 2019, arXiv 1801.07698; its margin and scale"
    trains_embeddings: ClassVar[bool] = True

    def __post_init__(self) -> None:
        """Check the settings."""
        self.margin, self.scale = positive(self.margin, "margin"), positive(self.scale, "scale")
        refuse([
            "" if self.margin < math.pi else f"`margin` is an angle in (0, pi), but {self.margin!r} came",
            name_fault("votes", self.votes, READINGS),
        ])  # fmt: skip

    def loss(self) -> Loss:
        """Read votes as asked."""
        return EvidenceLoss() if self.votes == "evidence" else PickedVote()

    def prepare(self, training: Course) -> None:
        """Refuse heads that do not tell classes by angles."""
        cosine_head(training)

    def objective(self, training: Course, batch: Batch) -> Tensor:
        """Hold the probabilities with margin against the votes."""
        cosine = training.logits(batch.x).float() / SCALE
        log_probs = log_probs_with_margin(cosine, margin=self.margin, scale=self.scale)
        if self.votes == "pairs":
            return cross_entropy(log_probs, training.labels(batch)).mean()
        posterior = training.posterior(batch.index)
        told = posterior.amax(1) - posterior.amin(1) > UNTOLD  # without votes there is nothing to pull at
        return -(posterior * log_probs).sum(1)[told].sum() / len(told)


def log_probs_with_margin(cosine: Float[Tensor, "B K"], *, margin: float, scale: float) -> Float[Tensor, "B K"]:
    """Give log p_j, where class j alone is further away by the margin.

    Beyond an angle of pi - margin, where cos(theta + margin) would rise again, cos theta - margin sin(margin) goes on
    falling.
    """
    angle = torch.acos(cosine.clamp(-1 + 1e-6, 1 - 1e-6))
    far = torch.where(
        angle <= math.pi - margin, torch.cos(angle + margin), torch.cos(angle) - margin * math.sin(margin)
    )
    logits = scale * cosine
    best = logits.argmax(1, keepdim=True)
    together = torch.logsumexp(logits, dim=1, keepdim=True)
    # of all others: from the sum of all, but where one makes up most of it
    others = together + torch.log1p(-torch.exp((logits - together).clamp(max=-1e-4)))
    without_best = torch.logsumexp(logits.scatter(1, best, -torch.inf), dim=1, keepdim=True)
    others = others.scatter(1, best, without_best)
    return -torch.nn.functional.softplus(others - scale * far)
