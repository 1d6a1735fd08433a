"""Progress: what a training tells while it runs, and to whom."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor, nn

__all__ = ["TRAINING", "Callback", "Epoch", "Progress"]

TRAINING = "training"  # the phase of a training proper


@dataclass(frozen=True)
class Epoch:
    """What one epoch showed.

    Attributes:
        epoch: its number, from 1.
        training_loss: mean loss of its steps, in nats.
        held_out_loss: mean loss of the averaged weights on the held-out votes, or None without any.
        held_out_error: standard error of that mean (of one epoch: paired differences of epochs are far surer).
        selected: whether the selection rule took this epoch when it ended.
    """

    epoch: int
    training_loss: float
    held_out_loss: float | None
    held_out_error: float | None
    selected: bool


@dataclass(frozen=True)
class Progress:
    """What callbacks are told, every few steps and at the end of each epoch.

    Attributes:
        step: steps done.
        steps: steps in all.
        seconds: time since this process began the training.
        seconds_left: estimate of the time to go.
        loss: mean training loss since the last call, in nats.
        epoch: the epoch that has just ended, or None within one.
        model: the averaged weights (the latest, without averaging), in evaluation mode; not to be changed.
        predict: from a batch as the data source gives it to probabilities [B, K], by the averaged weights.
        phase: TRAINING, or what goes before it where the noise is to be found.
        seconds_waiting: of `seconds`, those in which nothing could be done but wait for examples to be read.
    """

    step: int
    steps: int
    seconds: float
    seconds_left: float
    loss: float
    epoch: Epoch | None
    model: nn.Module
    predict: Callable[[Tensor], Tensor]
    phase: str = TRAINING
    seconds_waiting: float = 0.0


Callback = Callable[[Progress], None]
