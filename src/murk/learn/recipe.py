"""The recipe of a training: how long, how large a batch, how fast; one default rule for all noise levels."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from murk.errors import refuse
from murk.learn.protocol import Protocol

__all__ = ["Recipe", "batch_size_for", "epochs_of", "learning_rate_at", "settle_recipe"]

PASSES = 100_000
EPOCHS = (10, 200)
STEPS = 700
BATCHES = (64, 512)
WARM_UP = 0.05  # share of all steps


@dataclass(frozen=True)
class Recipe:
    """Settings of one training, none left open.

    Attributes:
        epochs: passes over the training examples, >= 1.
        batch_size: examples a step, >= 1; at most as many as there are.
        learning_rate: the optimizer's highest rate, > 0.
        weight_decay: decoupled decay, >= 0, per unit of learning rate.
        augment: "none", "affine" or "crop-flip".
        loss: name of the loss.
        held_out: share of the examples (or groups) whose votes choose the epoch, in [0, 0.5].
        seed: of every draw.
        optimizer: "adamw", "adadelta" or "sgd".
        schedule: "cosine" (the rate warms up, then falls as a cosine to 0) or "constant".
        averaging: whether the weights kept are averaged along the way.
        consistency: weight of the disagreement of two views of an image in the loss, >= 0; 0 shows one view.
        method: the method with its settings, as `murk.learn.methods.method_named` reads it; "" goes by the loss.
    """

    epochs: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    augment: str
    loss: str
    held_out: float
    seed: int
    optimizer: str = "adamw"
    schedule: str = "cosine"
    averaging: bool = True
    consistency: float = 0.0
    method: str = ""

    def steps_per_epoch(self, num_examples: int) -> int:
        """Whole batches in an epoch; the examples left over change with the epoch's order."""
        return max(1, num_examples // self.batch_size)


def settle_recipe(
    num_examples: int,
    *,
    protocol: Protocol,
    epochs: int | None,
    passes: int | None = None,
    batch_size: int | None,
    learning_rate: float | None,
    weight_decay: float | None,
    batch_norm: bool,
    single_layer: bool,
    augment: str,
    loss: str,
    held_out: float,
    seed: int,
    consistency: float | None = None,
    averaging: bool | None = None,
    method: str = "",
) -> Recipe:
    """Fill in what is None by the protocol, which is one for all noise levels.

    Ten epochs, or more where there are few examples: as many as show 100,000 examples, but at most 200; few, because
    every epoch also learns noise by heart. `passes` says in place of `epochs` about how many examples to show; two
    views of one (`consistency`) count twice. Batches as `batch_size_for` gives them, where the protocol does not say;
    a batch holds all examples where there are fewer. `averaging` says so in place of the protocol.

    Raises:
        InputError: a value out of range, or fewer than one training example; all faults together.
    """
    refuse([
        "" if num_examples >= 1 else "there is no example left to train on; lower `held_out=...` or bring more",
        _positive("epochs", epochs, whole=True),
        _positive("batch_size", batch_size, whole=True),
        _positive("learning_rate", learning_rate),
        "" if weight_decay == 0 else _positive("weight_decay", weight_decay),
        "" if consistency == 0 else _positive("consistency", consistency),
        "" if not consistency or augment != "none" else
        "`consistency=...` compares two augmented views of an image, but `augment=...` is none, which makes them one; "
        "leave it out",
    ])  # fmt: skip
    views = 2 if consistency else 1
    if epochs is None:
        epochs = min(max(round(PASSES / views / num_examples), EPOCHS[0]), EPOCHS[1])
    if batch_size is None:
        batch_size = protocol.batch_size or batch_size_for((passes or epochs * num_examples * views) // views)
    if passes is not None:
        epochs = epochs_of(passes // views, num_examples=num_examples, batch_size=batch_size)
    return Recipe(
        epochs=int(epochs), batch_size=min(int(batch_size), num_examples),
        learning_rate=protocol.learning_rate[single_layer] if learning_rate is None else float(learning_rate),
        weight_decay=protocol.weight_decay[batch_norm] if weight_decay is None else float(weight_decay),
        augment=augment, loss=loss, held_out=float(held_out), seed=int(seed),
        optimizer=protocol.optimizer, schedule=protocol.schedule,
        averaging=protocol.averaging if averaging is None else averaging, consistency=float(consistency or 0),
        method=method,
    )  # fmt: skip


def batch_size_for(passes: int) -> int:
    """Give the largest power of two, in [64, 512], that makes at least 700 steps of so many examples shown.

    Large batches are the faster ones, but a network needs some hundreds of steps to get anywhere: noise makes each say
    less, and the average over steps makes up for small batches.

    Example:
        >>> [batch_size_for(passes) for passes in (10_000, 100_000, 600_000)]
        [64, 128, 512]
    """
    low, high = BATCHES
    return min(max(1 << max(passes // STEPS, 1).bit_length() - 1, low), high)


def epochs_of(passes: int, *, num_examples: int, batch_size: int) -> int:
    """Give the epochs that show about so many examples; each leaves out what fills no batch.

    Example:
        >>> epochs_of(100_000, num_examples=900, batch_size=512)
        195
    """
    batch_size = min(batch_size, num_examples)
    return max(1, round(passes / (max(1, num_examples // batch_size) * batch_size)))


def learning_rate_at(step: int, *, steps: int, highest: float, schedule: str = "cosine") -> float:
    """Give the learning rate of step number `step` (from 0) of `steps`: constant, or a warm-up, then a cosine to 0."""
    if schedule == "constant":
        return highest
    warm = max(1.0, WARM_UP * steps)
    return highest * min(1.0, (step + 1) / warm) * 0.5 * (1 + math.cos(math.pi * step / steps))


def _positive(name: str, value: Any, *, whole: bool = False) -> str:
    if value is None:
        return ""
    number = not isinstance(value, bool) and isinstance(value, int | float | np.number)
    if number and 0 < value < math.inf and (not whole or value == int(value)):
        return ""
    return f"`{name}=...` is a {'whole ' if whole else ''}number > 0, or left out for the rule, but {value!r} came"
