"""Metric: embeddings trained by a loss of pytorch-metric-learning, on votes as they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor

from murk.errors import InputError, name_fault, refuse
from murk.learn.method import Batch, Course, Method
from murk.learn.methods.embedded import cosine_head, embedded, place_classes

__all__ = ["LOSSES_OF_PAIRS", "Metric"]

LOSSES_OF_PAIRS = {
    "contrastive": "ContrastiveLoss", "triplet": "TripletMarginLoss", "multi-similarity": "MultiSimilarityLoss",
    "supervised-contrastive": "SupConLoss", "nt-xent": "NTXentLoss",
}  # fmt: skip


@dataclass
class Metric(Method):
    """A loss of pairs or triplets, where images with the same vote are taken to be of one class; a vote each visit.

    The head has the means of classes. For networks with an embedding; needs `pip install "murk[retrieval]"`.

    Args:
        loss_of: "contrastive", "triplet", "multi-similarity", "supervised-contrastive" or "nt-xent".

    Raises:
        InputError: an unknown loss, the library is missing, or a network without an embedding.
    """

    loss_of: str = "contrastive"
    name: ClassVar[str] = "metric"
    source: ClassVar[str] = "Musgrave, Belongie, Lim 2020, arXiv 2008.09164; the losses' defaults are the library's"
    trains_embeddings: ClassVar[bool] = True

    def __post_init__(self) -> None:
        """Check the loss's name."""
        refuse([name_fault("a loss of pairs", self.loss_of, LOSSES_OF_PAIRS)])

    def prepare(self, training: Course) -> None:
        """Make the loss; the head is placed, not trained."""
        cosine_head(training).requires_grad_(False)
        try:
            from pytorch_metric_learning import losses
        except ImportError as error:
            raise InputError(
                "losses of pairs are those of pytorch-metric-learning, which is not installed; "
                'pip install "murk[retrieval]"'
            ) from error
        self._of_pairs: Any = getattr(losses, LOSSES_OF_PAIRS[self.loss_of])()

    def objective(self, training: Course, batch: Batch) -> Tensor:
        """Give the loss of the examples that have a vote."""
        labels = training.labels(batch)
        told = labels >= 0
        of_pairs: Tensor = self._of_pairs(embedded(training, batch)[told], labels[told])
        return of_pairs

    def settle(self, training: Course) -> None:
        """Place the classes, by the shares of votes."""
        place_classes(training, training.targets.rows)
