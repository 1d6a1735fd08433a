"""Batch advice: how large a batch and how high a rate the noise of the votes calls for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from murk.errors import InputError, refuse
from murk.learn.gradient_noise import gradient_noise_of
from murk.learn.losses import EvidenceLoss
from murk.learn.recipe import BATCHES
from murk.learn.setting_up import training_of
from murk.measure import Estimate
from murk.noise import Evidence, NoiseModel, Votes
from murk.noise.numbers import whole_fault

__all__ = ["BatchAdvice", "batch_advice"]

TOP = 2.0  # times the protocol's rate: what a gradient without noise could take
WALK = 0.6  # parts of their size, by which noise alone may move the weights


@dataclass(frozen=True)
class BatchAdvice:
    """How to train on these votes.

    Attributes:
        batch_size: examples a step.
        learning_rate: the optimizer's highest rate, for that batch.
        scale: of which batch half would be noise, before the first step.
        usual_batch_size: what the rule for all noise levels says.
        usual_learning_rate: likewise.
    """

    batch_size: int
    learning_rate: float
    scale: Estimate
    usual_batch_size: int
    usual_learning_rate: float

    def sentence(self, *, batch: bool = True, rate: bool = True) -> str:
        """Say what to do, and why; of batch and rate only what is asked for."""
        told = [f"batches of {self.batch_size}" if batch else "", f"a rate of {self.learning_rate:.2g}" if rate else ""]
        usual = [str(self.usual_batch_size) if batch else "", f"{self.usual_learning_rate:.2g}" if rate else ""]
        advice, rule = (" at ".join(each for each in both if each) for both in (told, usual))
        low, high = (f"{end:,.0f}" if np.isfinite(end) else "any number" for end in (self.scale.low, self.scale.high))
        half = (
            f"half of what {self.scale.value:,.0f} examples say is noise ({low} to {high}" if
            np.isfinite(self.scale.value) else f"of no number of examples is half of what they say signal (from {low}"
        )  # fmt: skip
        return (
            f"{advice[:1].upper()}{advice[1:]} (the rule for all noise: {rule}): before the first step, {half}, "
            f"{100 * self.scale.confidence_level:g} %)."
        )


def batch_advice(
    model: str | nn.Module,
    images: Any,
    votes: Votes | Evidence,
    *,
    noise: NoiseModel | None = None,
    batch_size: int | None = None,
    device: str | torch.device = "auto",
    seed: int,
    **settings: Any,
) -> BatchAdvice:
    """Advise the batch and the learning rate for votes as noisy as these.

    A batch as large as the noise scale S / |G|^2 has as much noise as signal. Smaller ones waste nothing but time, so
    the batch is the power of two next to it, from 64 up to what leaves 700 steps (all examples, if there are no more).
    The rate, to two digits, is the higher of two, and at most twice the usual one: twice the usual one over
    sqrt(1 + scale / batch), for steps as long as their direction is sure; and that at which noise alone, each step its
    own way, would move the weights by .6 of their size at first, for lower rates gain nothing. With the evidence loss
    it is not below the usual one either: what a network has learned makes votes say more than they do before the first
    step.

    The scale is that of the votes before the first step (`gradient_noise` with uninformed=True): one vote at a time,
    alpha random ones beside the right one make it (1 + alpha)^2 times as large; read all at once, 1 + alpha times.

    Args:
        model: as `fit`.
        images: as `fit`.
        votes: as `fit`.
        noise: as `fit`, where the loss asks for it; how votes go wrong must be known.
        batch_size: to advise a rate for; None to advise both.
        device: as `fit`.
        seed: of initial weights and of the examples looked at.
        settings: others of `fit` (loss, epochs, held_out ...), but for the method and the protocol; gradients are taken
            in float32 whatever the precision.

    Raises:
        InputError: as `fit`; or fewer than 64 examples.

    Example:
        >>> import murk
        >>> digits, noise = murk.load("digits").train, murk.Dilution(20, num_classes=10)
        >>> votes = noise.draw(digits.labels, seed=0)
        >>> at_once, one = (
        ...     batch_advice("mlp1", digits, votes, noise=noise, loss=loss, seed=0) for loss in ("evidence", "pairs")
        ... )
        >>> one.scale.value > 10 * at_once.scale.value and one.learning_rate <= at_once.learning_rate
        True

    Source: McCandlish et al. 2018, arXiv 1812.06162 (the rate, for optimizers that divide by the gradient's size);
        twice the rate, .6 and "before the first step" are ours, by held-out votes on Fashion-MNIST; that the rate has a
        least one, and that evidence wants no lower one, was learned where digits were classified badly without, and
        holds by held-out votes on Fashion-MNIST.
    """
    refuse([
        "" if batch_size is None else whole_fault(batch_size, lowest=1, what="batch_size"),
        *(f"`{name}=...` is settled by murk's own training where batches are advised; leave it out"
          for name in ("method", "protocol", "learning_rate") if settings.get(name) is not None),
    ])  # fmt: skip
    training = training_of(
        model, images, votes, noise=noise, device=device, seed=seed, **{**settings, "precision": "float32"}
    )
    usual = training.recipe
    if len(training.training) < BATCHES[0]:
        raise InputError(
            f"expected at least {BATCHES[0]} examples to tell the noise of gradients by, but {len(training.training)} "
            "came; leave batch and rate to the rule"
        )
    size = _size(training.model)
    scale = gradient_noise_of(training, by="batch", uninformed=True, seed=seed).scale
    if batch_size is None:
        near = np.log2(np.clip(scale.value, BATCHES[0], max(usual.batch_size, BATCHES[0])))
        batch_size = 1 << round(float(near))
    batch_size = min(batch_size, len(training.training))
    steps = usual.epochs * max(1, len(training.training) // batch_size)
    top = TOP * usual.learning_rate
    least = usual.learning_rate if isinstance(training.loss, EvidenceLoss) else 0.0
    rate = max(top / (1 + scale.value / batch_size) ** 0.5, min(top, WALK * size / steps**0.5), least)
    return BatchAdvice(batch_size, float(f"{rate:.2g}"), scale, usual.batch_size, usual.learning_rate)


def _size(model: nn.Module) -> float:
    """Give the root mean square of the weights that multiply, as they are."""
    with torch.no_grad():
        weights = [weight.reshape(-1) for weight in model.parameters() if weight.requires_grad and weight.dim() > 1]
        return float(torch.cat(weights).double().square().mean().sqrt())
