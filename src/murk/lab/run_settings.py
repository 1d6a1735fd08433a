"""How a run trains: what its caller may say, and what is left to the protocol."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from murk.errors import InputError, name_fault, refuse
from murk.learn import LOSSES
from murk.learn.methods import method_named
from murk.learn.protocol import PROTOCOLS

__all__ = ["FOUND", "WEIGH_AS", "RunSettings"]

FOUND = ("auto", "auto:one-right", "auto:dependent")
WEIGH_AS = ("given", "independent", "untold", *FOUND)
NEED_NOISE = ("evidence", "composite", "h-alpha")
MODEL_OPTIONS = ("width", "norm", "dropout", "stem", "embedding")


@dataclass(frozen=True)
class RunSettings:
    """How to train; None leaves a setting to the protocol (`murk.learn.protocol`) or to the model's own default.

    Attributes:
        model: a name of `murk.models.names()`.
        protocol: "evidence", murk's own training, "paper" or "sgd".
        method: a name of `murk.learn.methods.METHODS`, with settings of its own perhaps ("elr:pull=1"); None goes by
            the loss.
        loss: a name of `murk.learn.LOSSES`.
        weigh_as: "given" weighs votes by the noise model as it is; "independent" forgets that exactly one vote of a
            dilution is right; "untold" tells the training nothing of the noise; "auto" forgets all of it, and finds it
            while training; "auto:one-right" forgets all else; "auto:dependent" lets annotators repeat each other.
        epochs: passes over the training examples, >= 1.
        batch_size: examples a step, >= 1.
        learning_rate: the optimizer's highest rate, > 0.
        weight_decay: the optimizer's decay, >= 0.
        held_out: share of the examples whose votes choose the epoch, in [0, 0.5].
        augment: "auto", "none", "affine" or "crop-flip".
        consistency: weight of the disagreement of two views of an image, >= 0.
        precision: "auto", "float32" or "bfloat16".
        width: units or channels of the model's layers, >= 1.
        norm: "none", "batch" or "group".
        dropout: in [0, 1).
        stem: of a ResNet, "auto", "cifar" or "imagenet".
        embedding: numbers of an embedding to search by, >= 1.
        seed: of the training, and of the votes where they are drawn, >= 0.

    Raises:
        InputError: an unknown loss, protocol or way of weighing; the nearest is named.
    """

    model: str = "conv3"
    protocol: str = "evidence"
    method: str | None = None
    loss: str | None = None
    weigh_as: str = "given"
    epochs: int | None = None
    batch_size: int | None = None
    learning_rate: float | None = None
    weight_decay: float | None = None
    held_out: float | None = None
    augment: str | None = None
    consistency: float | None = None
    precision: str = "auto"
    width: int | None = None
    norm: str | None = None
    dropout: float | None = None
    stem: str | None = None
    embedding: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        """Check the names that nothing later checks by itself."""
        refuse([
            name_fault("a protocol", self.protocol, PROTOCOLS),
            "" if self.loss is None else name_fault("a loss", self.loss, LOSSES),
            name_fault("weigh_as", self.weigh_as, WEIGH_AS), _method_fault(self.method),
            "" if self.method is None or self.loss is None else
            "a method has a loss of its own; give method or loss",
            "" if self.seed >= 0 else f"a seed is a whole number >= 0, but {self.seed} came",
        ])  # fmt: skip

    @property
    def model_options(self) -> dict[str, Any]:
        """The options of the model that were given."""
        options = {name: getattr(self, name) for name in MODEL_OPTIONS}
        return {name: value for name, value in options.items() if value is not None}

    @property
    def needs_noise(self) -> bool:
        """Whether the training cannot begin before somebody says, or it is found, how votes go wrong."""
        if self.method is not None:
            return method_named(self.method).noise_is == "needed"
        return (self.loss or PROTOCOLS[self.protocol].loss) in NEED_NOISE


def _method_fault(text: str | None) -> str:
    try:
        if text is not None:
            method_named(text)
    except InputError as error:
        return str(error)
    return ""
