"""Losses: how a model's class probabilities are held against an example's votes.

Each loss reads rows [B, K] that it prepares once from votes (evidence, counts or shares), and is registered by name,
so that one conformance suite runs them all.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy import sparse
from torch import Tensor

from murk.errors import InputError, name_fault, refuse
from murk.learn.targets import Targets
from murk.noise import Dilution, Evidence, NoiseModel, Votes

__all__ = [
    "LOSSES", "Composite", "EvidenceLoss", "HAlpha", "Loss", "Pairs", "PickedVote", "SoftLabels", "cross_entropy",
    "loss_named", "picked",
]  # fmt: skip


class Loss(ABC):
    """A loss over rows of votes.

    Attributes:
        name: the name under which `fit(loss=...)` knows it.
        draws: whether it uses one uniform number an example and visit.
        reads_truth: whether its rows already hold the truth; with every other loss, examples whose class is known
            are trained by cross-entropy instead.
    """

    name: ClassVar[str]
    draws: ClassVar[bool] = False
    reads_truth: ClassVar[bool] = False

    @abstractmethod
    def targets(
        self, votes: Votes | Evidence, noise: NoiseModel | None, known: np.ndarray | None, *, device: torch.device
    ) -> Targets:
        """Prepare one row an example from its votes.

        Raises:
            InputError: the loss needs something (a noise model, the truth) that was not given.
        """

    @abstractmethod
    def __call__(
        self, log_probs: Float[Tensor, "B K"], rows: Float[Tensor, "B K"], uniforms: Float[Tensor, " B"] | None = None
    ) -> Float[Tensor, " B"]:
        """Give the loss of each example, in nats."""

    def held_out(self, log_probs: Float[Tensor, "B K"], rows: Float[Tensor, "B K"]) -> Float[Tensor, " B"]:
        """Give the loss of each example without chance, for comparing epochs by held-out votes; lower is better."""
        return self(log_probs, rows)


class EvidenceLoss(Loss):
    """The marginal likelihood of the votes: -logsumexp_j(log p_j + e_j), exact for any number and kind of votes.

    One clean label makes it cross-entropy, one vote with T forward correction, no vote nothing at all.

    Source: Patrini et al. 2017 (one vote); Dawid and Skene 1979 (the likelihood of many).
    """

    name = "evidence"

    def targets(
        self, votes: Votes | Evidence, noise: NoiseModel | None, known: np.ndarray | None, *, device: torch.device
    ) -> Targets:
        """Weigh the votes by the noise model; ready-made evidence is taken as it is."""
        if isinstance(votes, Evidence):
            return Targets.of_evidence(votes, device=device)
        if noise is None:
            raise InputError(
                "the evidence loss weighs votes by a noise model, but noise=None came; give noise=Dilution(...), "
                'Channel(...) or Annotators(...), or loss="pairs" to train on the labels as they are'
            )
        return Targets.weighed(votes, noise, device=device)

    def __call__(
        self, log_probs: Float[Tensor, "B K"], rows: Float[Tensor, "B K"], uniforms: Float[Tensor, " B"] | None = None
    ) -> Float[Tensor, " B"]:
        """Give -logsumexp_j(log p_j + e_j)."""
        return -torch.logsumexp(log_probs + rows, dim=1)


class _CountLoss(Loss):
    """A loss that reads the share of an example's votes per class."""

    def targets(
        self, votes: Votes | Evidence, noise: NoiseModel | None, known: np.ndarray | None, *, device: torch.device
    ) -> Targets:
        """Count the votes and divide by their number; an example without votes has a row of zeros."""
        pieces = _shares(_votes_only(votes, self.name))
        return Targets.joined([Targets.of_counts(piece, device=device) for piece in pieces])


class Pairs(_CountLoss):
    """One vote of the example, taken at random at each visit, with cross-entropy: how the paper trains.

    Source: Rolnick et al. 2017, arXiv 1705.10694.
    """

    name = "pairs"
    draws = True

    def __call__(
        self, log_probs: Float[Tensor, "B K"], rows: Float[Tensor, "B K"], uniforms: Float[Tensor, " B"] | None = None
    ) -> Float[Tensor, " B"]:
        """Pick vote number floor(u V) of the V votes sorted by class, and give -log p of it."""
        return self.held_out(log_probs, rows) if uniforms is None else cross_entropy(log_probs, picked(rows, uniforms))

    def held_out(self, log_probs: Float[Tensor, "B K"], rows: Float[Tensor, "B K"]) -> Float[Tensor, " B"]:
        """Give the mean over the example's votes."""
        return -(rows * log_probs).sum(1)


class PickedVote(_CountLoss):
    """One vote of the example, taken at random at each visit, and held against as if it were right.

    What methods read that know one label an example. Where the true class is known, it stands in for the votes. Epochs
    are compared by how many held-out votes the predicted class misses, which asks nothing of the probabilities: methods
    bend those in different ways.
    """

    name = "picked-vote"
    draws = True
    reads_truth = True

    def targets(
        self, votes: Votes | Evidence, noise: NoiseModel | None, known: np.ndarray | None, *, device: torch.device
    ) -> Targets:
        """Take the share of an example's votes per class, or all of it for the known one."""
        pieces, done = [], 0
        for shares in _shares(_votes_only(votes, self.name)):
            own = None if known is None else known[done : done + shares.shape[0]]
            pieces.append(Targets.of_counts(shares if own is None else _with_truth(shares, own), device=device))
            done += shares.shape[0]
        return Targets.joined(pieces)

    def __call__(
        self, log_probs: Float[Tensor, "B K"], rows: Float[Tensor, "B K"], uniforms: Float[Tensor, " B"] | None = None
    ) -> Float[Tensor, " B"]:
        """Give `of_labels` of the vote that the uniform number picks."""
        if uniforms is None:
            return self.held_out(log_probs, rows)
        return self.of_labels(log_probs, picked(rows, uniforms))

    def of_labels(self, log_probs: Float[Tensor, "B K"], labels: Int[Tensor, " B"]) -> Float[Tensor, " B"]:
        """Give the loss of one label an example; 0 for the label -1."""
        return cross_entropy(log_probs, labels)

    def held_out(self, log_probs: Float[Tensor, "B K"], rows: Float[Tensor, "B K"]) -> Float[Tensor, " B"]:
        """Give the share of the example's votes that are not for the predicted class; 0 without any."""
        return rows.sum(1) - torch.gather(rows, 1, log_probs.argmax(1, keepdim=True))[:, 0]


class SoftLabels(_CountLoss):
    """Cross-entropy against the shares of the votes, -sum_k (c_k / sum c) log p_k."""

    name = "soft-labels"

    def __call__(
        self, log_probs: Float[Tensor, "B K"], rows: Float[Tensor, "B K"], uniforms: Float[Tensor, " B"] | None = None
    ) -> Float[Tensor, " B"]:
        """Give -sum_k share_k log p_k."""
        return -(rows * log_probs).sum(1)


class Composite(Loss):
    """Composite likelihood -sum_k c_k log((p T)_k): every vote corrected forward, as if each had its own truth."""

    name = "composite"

    def __init__(self) -> None:
        """Start without T; `targets` takes it from the noise model."""
        self._transition: Tensor | None = None

    def targets(
        self, votes: Votes | Evidence, noise: NoiseModel | None, known: np.ndarray | None, *, device: torch.device
    ) -> Targets:
        """Count the votes, and take T from the noise model."""
        pattern = getattr(noise, "transition", None)
        if pattern is None:
            raise InputError(f"the composite loss needs one T for all votes, but noise={noise!r} came; give Dilution "
                             "or Channel")  # fmt: skip
        rows = pattern.matrix()
        if rows.shape[0] != rows.shape[1]:
            raise InputError('the composite loss needs a square T; "none of these" votes go with the evidence loss')
        self._transition = torch.from_numpy(np.array(rows, dtype=np.float32)).to(device)
        batches = _votes_only(votes, self.name).batches()
        return Targets.joined([Targets.of_counts(batch.counts()[:, : len(rows)], device=device) for batch in batches])

    def __call__(
        self, log_probs: Float[Tensor, "B K"], rows: Float[Tensor, "B K"], uniforms: Float[Tensor, " B"] | None = None
    ) -> Float[Tensor, " B"]:
        """Give -sum_k c_k log((p T)_k)."""
        if self._transition is None:
            raise InputError("prepare the composite loss with targets(votes, noise, ...) first: it needs T")
        mixed = log_probs.exp() @ self._transition.to(log_probs.dtype)
        # set aside before the logarithm: the gradient of 0 x log 0 is NaN
        mixed = torch.where(rows > 0, mixed.clamp(min=torch.finfo(mixed.dtype).tiny), 1.0)
        return -(rows * torch.log(mixed)).sum(1)


class HAlpha(Loss):
    """The paper's loss of infinitely many votes: -sum_k T[y, k] log p_k, which needs the truth y.

    For uniform noise it is -(1/(1+alpha)) log p_y - (alpha/(K(1+alpha))) sum_k log p_k: label smoothing with
    epsilon = alpha/(1+alpha).

    Source: Rolnick et al. 2017, arXiv 1705.10694, figure 10.
    """

    name = "h-alpha"
    reads_truth = True

    def targets(
        self, votes: Votes | Evidence, noise: NoiseModel | None, known: np.ndarray | None, *, device: torch.device
    ) -> Targets:
        """Take the row of T of each example's true class."""
        if not isinstance(noise, Dilution):
            raise InputError(f"h-alpha is the loss of a dilution, but noise={noise!r} came; give noise=Dilution(...)")
        if known is None or (known < 0).any():
            raise InputError("h-alpha needs the true class of every example: give known=labels")
        return Targets.of_counts(noise.transition.matrix().astype(np.float32)[known], device=device)

    def __call__(
        self, log_probs: Float[Tensor, "B K"], rows: Float[Tensor, "B K"], uniforms: Float[Tensor, " B"] | None = None
    ) -> Float[Tensor, " B"]:
        """Give -sum_k T[y, k] log p_k."""
        return -(rows * log_probs).sum(1)


LOSSES: dict[str, type[Loss]] = {
    loss.name: loss for loss in (EvidenceLoss, Pairs, SoftLabels, Composite, HAlpha)
}  # fmt: skip


def loss_named(name: str | Loss) -> Loss:
    """Make a registered loss by its name (or take one as it is).

    Raises:
        InputError: an unknown name; the nearest is named.
    """
    if isinstance(name, Loss):
        return name
    refuse([name_fault("a loss", name, LOSSES)])
    return LOSSES[name]()


def picked(rows: Float[Tensor, "B K"], uniforms: Float[Tensor, " B"]) -> Int[Tensor, " B"]:
    """Pick vote number floor(u V) of each example's V votes sorted by class; -1 where there is none."""
    reached = torch.cumsum(rows.double(), 1)  # in float32, u close to 1 would round up to a class without votes
    total = reached[:, -1:]
    found = torch.searchsorted(reached, uniforms[:, None].double() * total, right=True).clamp_(max=rows.shape[1] - 1)
    return torch.where(total > 0, found, -1)[:, 0]


def cross_entropy(log_probs: Float[Tensor, "B K"], labels: Int[Tensor, " B"]) -> Float[Tensor, " B"]:
    """Give -log p of each example's label; 0 for the label -1."""
    of_label = torch.gather(log_probs, 1, labels.clamp(min=0)[:, None])[:, 0]
    return -torch.where(labels >= 0, of_label, 0.0)


def _votes_only(votes: Votes | Evidence, name: str) -> Votes:
    if isinstance(votes, Evidence):
        raise InputError(f'the {name} loss counts votes, but evidence came; give Votes, or loss="evidence"')
    return votes


def _shares(votes: Votes) -> Iterator[Any]:
    """Divide the counts of each example by their sum, batch by batch; dense or CSR."""
    for batch in votes.batches():
        if (batch.labels == votes.num_classes).any():
            raise InputError('this loss has no use for votes for "none of these"; leave them out (-1), or use evidence')
        counts = batch.counts()[:, : votes.num_classes].astype(np.float64)
        total = np.maximum(np.asarray(counts.sum(axis=1)).reshape(-1, 1), 1e-300)
        if isinstance(counts, np.ndarray):
            yield counts / total
        else:
            counts.data /= np.repeat(total[:, 0], np.diff(counts.indptr))
            yield counts


def _with_truth(shares: Any, known: np.ndarray) -> Any:
    """Put the known class of an example, -1 elsewhere, in the place of its votes."""
    told = np.flatnonzero(known >= 0)
    truth = sparse.csr_array((np.ones(len(told)), (told, known[told])), shape=shares.shape)
    rest = (known < 0)[:, None].astype(np.float64)
    dense = isinstance(shares, np.ndarray)
    return shares * rest + truth.toarray() if dense else sparse.csr_array(shares.multiply(rest)) + truth
