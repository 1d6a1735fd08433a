"""The losses as plain functions of tensors, for a training loop of your own.

Each takes logits [B, K] as a model gives them and one row [B, K] an example, as `VotedDataset` gives it, and gives the
loss in nats: its mean over the batch, or one an example [B] with `reduction="none"`. Half-precision logits are computed
with in float32.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int, Real
from torch import Tensor

from murk.errors import InputError
from murk.learn.losses import Composite, EvidenceLoss, HAlpha, Pairs, SoftLabels

__all__ = ["composite_loss", "evidence_loss", "h_alpha_loss", "pairs_loss", "soft_label_loss"]

REDUCTIONS = ("mean", "sum", "none")


def evidence_loss(
    logits: Float[Tensor, "B K"], log_evidence: Float[Tensor, "B K"], *, reduction: str = "mean"
) -> Tensor:
    """Give the marginal likelihood of the votes, -logsumexp_j(log p_j + e_j).

    One clean label (0 for the class, -inf elsewhere) makes it cross-entropy; one vote v with T (log T[:, v]) forward
    correction; a row of zeros gives 0 and no gradient.

    Args:
        logits: [B, K], before softmax.
        log_evidence: [B, K], e_j = log P(votes given class j), up to a constant an example, by which the loss then
            differs, not its gradient. -inf is an impossible class. A row of nothing but -inf is not looked for here
            (that would wait for the device): its loss is infinite.
        reduction: "mean" over the batch, "sum", or "none" for [B].

    Raises:
        InputError: rows of another shape than the logits, or an unknown reduction.

    Example:
        >>> one_vote = torch.tensor([[0.9, 0.2]]).log()  # a vote that classes 0 and 1 cast with chance .9 and .2
        >>> evidence_loss(torch.zeros(1, 2), one_vote)  # -log(.5 x .9 + .5 x .2)
        tensor(0.5978)

    Source: Patrini et al. 2017 (one vote); Dawid and Skene 1979 (the likelihood of many).
    """
    return _reduced(EvidenceLoss()(_log_probs(logits, log_evidence, "log_evidence"), log_evidence), reduction)


def pairs_loss(
    logits: Float[Tensor, "B K"], counts: Real[Tensor, "B K"], uniforms: Float[Tensor, " B"], *, reduction: str = "mean"
) -> Tensor:
    """Give the cross-entropy of one vote of each example, taken at random; an example without votes gives 0.

    Args:
        logits: [B, K], before softmax.
        counts: [B, K], votes per class, >= 0.
        uniforms: [B] in [0, 1), one random number an example: vote number floor(u V) of its V is taken.
        reduction: "mean" over the batch, "sum", or "none" for [B].

    Raises:
        InputError: rows of another shape than the logits, or an unknown reduction.

    Example:
        >>> pairs_loss(torch.tensor([[0.0, 9.0]]), torch.tensor([[1.0, 3.0]]), torch.tensor([0.2]))  # the first vote
        tensor(9.0001)

    Source: Rolnick et al. 2017, arXiv 1705.10694.
    """
    log_probs = _log_probs(logits, counts, "counts")
    if uniforms.shape != logits.shape[:1]:
        raise InputError(f"uniforms hold one number an example, [{len(logits)}], but {list(uniforms.shape)} came")
    return _reduced(Pairs()(log_probs, _shares(counts), uniforms), reduction)


def soft_label_loss(logits: Float[Tensor, "B K"], counts: Real[Tensor, "B K"], *, reduction: str = "mean") -> Tensor:
    """Give the cross-entropy against the shares of the votes, -sum_k (c_k / sum c) log p_k; without votes it is 0.

    Args:
        logits: [B, K], before softmax.
        counts: [B, K], votes per class, >= 0.
        reduction: "mean" over the batch, "sum", or "none" for [B].

    Raises:
        InputError: rows of another shape than the logits, or an unknown reduction.

    Example:
        >>> soft_label_loss(torch.zeros(1, 2), torch.tensor([[1.0, 3.0]]))
        tensor(0.6931)
    """
    return _reduced(SoftLabels()(_log_probs(logits, counts, "counts"), _shares(counts)), reduction)


def composite_loss(
    logits: Float[Tensor, "B K"], counts: Real[Tensor, "B K"], transition: Any, *, reduction: str = "mean"
) -> Tensor:
    """Give the composite likelihood -sum_k c_k log((p T)_k): every vote corrected forward by itself.

    Args:
        logits: [B, K], before softmax.
        counts: [B, K], votes per class, >= 0.
        transition: T [K, K], rows sum to one, as `noise.transition.matrix()` gives it (an array or a tensor).
        reduction: "mean" over the batch, "sum", or "none" for [B].

    Raises:
        InputError: rows or T of another shape than the logits ask for, or an unknown reduction.

    Example:
        >>> composite_loss(torch.zeros(1, 2), torch.tensor([[1.0, 3.0]]), torch.eye(2))
        tensor(2.7726)
    """
    log_probs = _log_probs(logits, counts, "counts")
    loss = Composite()
    loss._transition = _square(transition, logits)
    return _reduced(loss(log_probs, counts), reduction)


def h_alpha_loss(
    logits: Float[Tensor, "B K"], labels: Int[Tensor, " B"], transition: Any, *, reduction: str = "mean"
) -> Tensor:
    """Give the loss of infinitely many votes, -sum_k T[y, k] log p_k, which needs the truth y.

    Args:
        logits: [B, K], before softmax.
        labels: [B], the true classes, in [0, K).
        transition: T [K, K], rows sum to one, as `noise.transition.matrix()` gives it (an array or a tensor).
        reduction: "mean" over the batch, "sum", or "none" for [B].

    Raises:
        InputError: labels or T of another shape than the logits ask for, or an unknown reduction.
        IndexError: torch's own, for labels outside [0, K), -1 (unknown) too.

    Example:
        >>> h_alpha_loss(torch.zeros(1, 2), torch.tensor([1]), torch.eye(2))
        tensor(0.6931)

    Source: Rolnick et al. 2017, arXiv 1705.10694, figure 10.
    """
    if labels.shape != logits.shape[:1]:
        raise InputError(f"labels hold one class an example, [{len(logits)}], but {list(labels.shape)} came")
    rows = _square(transition, logits).index_select(0, labels)  # which, unlike [labels], refuses -1
    return _reduced(HAlpha()(_log_probs(logits, rows, "the rows of T"), rows), reduction)


def _log_probs(logits: Tensor, rows: Tensor, what: str) -> Tensor:
    """Give log p [B, K], or refuse rows that would be broadcast against it."""
    if logits.ndim != 2 or rows.shape != logits.shape:
        raise InputError(
            f"expected logits [B, K] and {what} of the same shape, but {list(logits.shape)} and {list(rows.shape)} "
            "came; give each example of the batch its row of K numbers"
        )
    return torch.log_softmax(logits.to(torch.promote_types(logits.dtype, torch.float32)), dim=1)


def _shares(counts: Tensor) -> Tensor:
    return counts / counts.sum(1, keepdim=True).clamp(min=1e-30)


def _square(transition: Any, logits: Tensor) -> Tensor:
    """Take T beside the logits, or refuse what is no table of their classes."""
    table = transition if isinstance(transition, Tensor) else torch.tensor(np.asarray(transition))
    rows = table.to(logits.device, torch.promote_types(logits.dtype, torch.float32))
    if rows.shape != (logits.shape[-1], logits.shape[-1]):
        raise InputError(
            f"expected T as [K, K] for the {logits.shape[-1]} classes of the logits, but {list(rows.shape)} came; "
            "noise.transition.matrix() gives it"
        )
    return rows


def _reduced(losses: Tensor, reduction: str) -> Tensor:
    if reduction not in REDUCTIONS:
        raise InputError(f"reduction is one of {', '.join(REDUCTIONS)}, but {reduction!r} came")
    if reduction == "none":
        return losses
    return losses.mean() if reduction == "mean" else losses.sum()
