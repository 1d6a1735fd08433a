"""Same class: embeddings brought together as far as votes say that two images are of one class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from murk.learn.losses import EvidenceLoss, Loss
from murk.learn.method import Batch, Course, Method
from murk.learn.methods.embedded import cosine_head, embedded, place_classes
from murk.learn.methods.settings import positive

__all__ = ["SameClass", "together"]


@dataclass
class SameClass(Method):
    """-log sum_k p_ik q_ik over the other images k of the batch, p_ik = exp(z_i z_k / t) / sum_l exp(z_i z_l / t).

    q_ik = P(same class given votes) = sum_j r_ij r_kj, r the posterior given an image's votes alone, all classes as
    likely before. If image i is of the class of a neighbour k, drawn with p_ik, then p_ik q_ik summed is how likely its
    votes are: a marginal likelihood, as the evidence loss of labels is. The head has the means of classes, weighed by
    r. For networks with an embedding.

    Args:
        temperature: t, > 0.

    Raises:
        InputError: a setting out of range, or a network without an embedding.
    """

    temperature: float = 0.2
    name: ClassVar[str] = "same-class"
    source: ClassVar[str] = "murk; of sure votes it is Goldberger et al. 2004 (NIPS 17); its temperature by digits"
    noise_is: ClassVar[str] = "needed"
    trains_embeddings: ClassVar[bool] = True

    def __post_init__(self) -> None:
        """Check the setting."""
        self.temperature = positive(self.temperature, "temperature")

    def loss(self) -> Loss:
        """Make the evidence loss, by which held-out votes compare epochs."""
        return EvidenceLoss()

    def prepare(self, training: Course) -> None:
        """Refuse networks without an embedding; the head is placed, not trained."""
        cosine_head(training).requires_grad_(False)

    def objective(self, training: Course, batch: Batch) -> Tensor:
        """Bring together what is of one class."""
        embeddings, classes = embedded(training, batch), training.posterior(batch.index)
        return together(embeddings, classes @ classes.T, temperature=self.temperature).mean()

    def settle(self, training: Course) -> None:
        """Place the classes."""
        place_classes(training, training.posterior)


def together(
    embeddings: Float[Tensor, "B E"], same: Float[Tensor, "B B"], *, temperature: float
) -> Float[Tensor, " B"]:
    """Give -log sum_k p_ik q_ik of each example; 0 for one that is surely the same as no other.

    Args:
        embeddings: of length one.
        same: q, the probability that two are of one class; the diagonal is not read.
        temperature: t.
    """
    itself = torch.eye(len(embeddings), dtype=torch.bool, device=embeddings.device)
    similar = (embeddings @ embeddings.T / temperature).masked_fill(itself, -torch.inf)
    possible = same.masked_fill(itself, 0.0)
    some = possible.sum(1) > 0
    log_likely = torch.logsumexp(similar[some] + torch.log(possible[some]), dim=1)
    losses = embeddings.new_zeros(len(embeddings))
    losses[some] = torch.logsumexp(similar[some], dim=1) - log_likely
    return losses
