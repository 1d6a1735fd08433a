"""Forward correction: the network's probabilities go through T before they meet the votes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Float

from murk.errors import InputError
from murk.learn.losses import Composite, Loss
from murk.learn.method import Method
from murk.learn.methods.averaging import Averaging
from murk.learn.methods.settings import share
from murk.learn.progress import Callback
from murk.learn.setting_up import training_of
from murk.noise import Channel, NoiseModel

__all__ = ["Forward", "anchor_transition"]


@dataclass
class Forward(Method):
    """-sum_v log (p T)_v over the votes v: each corrected alone, where evidence takes those of an example together.

    Without a noise model, T is that of anchors: a network is first trained by cross-entropy, and of each class the
    example that it is surest of (but for the last few) is taken to be of that class for certain, so that what the
    network says of it is a row of T. That takes as long again as the training, and after a kill is done again.

    Args:
        quantile: in (0, 1], which example is the anchor; 1 is the surest (see `anchor_transition`).

    Raises:
        InputError: a quantile out of range.
    """

    quantile: float = 0.97
    name: ClassVar[str] = "forward"
    source: ClassVar[str] = "Patrini et al. 2017, arXiv 1609.03683; the quantile as its authors take it for CIFAR-10"
    noise_is: ClassVar[str] = "estimated"

    def __post_init__(self) -> None:
        """Check the quantile."""
        self.quantile = share(self.quantile, "quantile", above_zero=True)

    def loss(self) -> Loss:
        """Make the composite likelihood, by which held-out votes compare epochs too."""
        return Composite()

    def noise_from_training(
        self, model: Any, images: Any, votes: Any, *, callbacks: Sequence[Callback] = (), **settings: Any
    ) -> NoiseModel:
        """Train by cross-entropy, and read T off the anchors."""
        first = training_of(model, images, votes, **settings | {"method": Averaging(), "loss": None})
        first.phase, first.callbacks = "estimating T", callbacks
        first.run()
        first.average.load_state_dict(first.selected.state_dict())
        probs = np.exp(first.log_probs(first.training))
        return Channel(anchor_transition(probs, quantile=self.quantile))


def anchor_transition(probs: Float[np.ndarray, "N K"], *, quantile: float = 0.97) -> Float[np.ndarray, "K K"]:
    """Read T off the examples that a network, trained plainly on the noisy labels, is surest of.

    Row j is the row of `probs` whose entry j is the `quantile` of all entries j (the nearest below). Where it would
    pass over more than half of the examples that label j is given to, it is the one in their middle: of many classes,
    or of a rare one, the quantile of all examples is an example of another class.

    Args:
        probs: what the network says of N >= 1 examples; rows sum to one.
        quantile: in (0, 1].

    Raises:
        InputError: no example.

    Example:
        >>> probs = np.array([[0.8, 0.2], [0.6, 0.4], [0.3, 0.7]])
        >>> anchor_transition(probs, quantile=1.0)
        array([[0.8, 0.2],
               [0.3, 0.7]])

    Source: Patrini et al. 2017, arXiv 1609.03683, equations 12 and 13.
    """
    if not len(probs):
        raise InputError("T is read off the surest example of each class, but none came; give probabilities [N, K]")
    passed = np.minimum((1 - quantile) * (len(probs) - 1), probs.sum(0) / 2)
    at = len(probs) - 1 - np.floor(passed + 1e-9).astype(np.int64)
    anchors = np.take_along_axis(np.argsort(probs, axis=0, kind="stable"), at[None], axis=0)[0]
    rows = np.asarray(probs, dtype=np.float64)[anchors]
    return np.asarray(rows / rows.sum(1, keepdims=True))
