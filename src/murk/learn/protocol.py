"""Protocols: ways to train as a whole, so that two of them can be held side by side."""

from __future__ import annotations

from dataclasses import dataclass

from murk.errors import name_fault, refuse

__all__ = ["PROTOCOLS", "Protocol", "protocol_named"]


@dataclass(frozen=True)
class Protocol:
    """What a training does where its caller says nothing.

    Attributes:
        name: how `fit(protocol=...)` knows it.
        loss: name of the loss.
        optimizer: "adamw", "adadelta" or "sgd".
        schedule: "cosine" (a linear warm-up over 5 % of the steps, then a cosine to 0) or "constant".
        averaging: whether the weights kept are averaged along the way, or those of the last step.
        batch_size: examples a step; None to go by how many examples are shown (`murk.learn.recipe`).
        learning_rate: the highest, of networks with hidden layers and of those without.
        weight_decay: of networks without BatchNorm and with it.
        augment: as `fit` takes it.
        held_out: share of the examples whose votes choose the epoch; 0 takes the last epoch.
    """

    name: str
    loss: str
    optimizer: str
    schedule: str
    averaging: bool
    batch_size: int | None
    learning_rate: tuple[float, float]
    weight_decay: tuple[float, float]
    augment: str
    held_out: float


EVIDENCE = Protocol(
    "evidence", loss="evidence", optimizer="adamw", schedule="cosine", averaging=True, batch_size=None,
    learning_rate=(0.002, 0.01), weight_decay=(0.05, 0.5), augment="auto", held_out=0.1,
)  # fmt: skip
"""murk's own training, one setting for all noise levels.

A single layer has far to go and nothing to upset, so its rate is higher. BatchNorm takes the length of weights out:
there decay only keeps their direction moving.
"""

PAPER = Protocol(
    "paper", loss="pairs", optimizer="adadelta", schedule="constant", averaging=False, batch_size=128,
    learning_rate=(1.0, 1.0), weight_decay=(0.0, 0.0), augment="none", held_out=0.0,
)  # fmt: skip
"""How the study of 2017 trained: a vote at a time and cross-entropy, AdaDelta, batches of 128, the last epoch.

Source: Rolnick, Veit, Belongie, Shavit 2017, arXiv 1705.10694: the batches as reported, AdaDelta as remembered. Its
rate of 1, its decay of .95 (Zeiler 2012) and the missing augmentation are choices of murk's, where no source was found.
"""

SGD = Protocol(
    "sgd", loss="pairs", optimizer="sgd", schedule="constant", averaging=False, batch_size=128,
    learning_rate=(0.01, 0.01), weight_decay=(5e-4, 5e-4), augment="none", held_out=0.0,
)  # fmt: skip
"""How sharpness-aware minimisation was studied under label noise: plain SGD and the last epoch.

Source: Baek, Kolter, Raghunathan 2024, arXiv 2405.03676: batches, rate and decay as reported; a momentum of .9, the
constant rate and the missing augmentation are choices of murk's, where no source was found.
"""

PROTOCOLS = {protocol.name: protocol for protocol in (EVIDENCE, PAPER, SGD)}


def protocol_named(name: str) -> Protocol:
    """Find a protocol by its name.

    Raises:
        InputError: an unknown name; the nearest is named.

    Example:
        >>> protocol_named("paper").batch_size
        128
    """
    refuse([name_fault("a protocol", name, PROTOCOLS)])
    return PROTOCOLS[name]
