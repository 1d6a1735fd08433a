"""Ways: the trainings that a figure draws side by side, on the same network and for as many images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["EXACT", "INDEPENDENT", "PAPER", "SINGLE", "TWO_VIEWS", "WAYS", "WAYS_WITH_ONE_VOTE", "trained"]

PAPER, EXACT, INDEPENDENT, SINGLE = "paper", "evidence", "evidence-independent", "evidence-single"
TWO_VIEWS = "evidence-two-views"
WAYS = (PAPER, EXACT, INDEPENDENT)
WAYS_WITH_ONE_VOTE = (PAPER, SINGLE)
"""Where each image carries one vote, no dilution can be known exactly."""

RATES = {
    "perceptron": {0: 0.3, 2: 0.1},
    "mlp": {0: 0.3, 2: 0.1, 5: 0.3},
    "conv": {0: 1.0, 20: 0.3},
}
"""AdaDelta's rate for each kind of network from this alpha on, by the held-out votes of `murk reproduce rates` at size
small, one seed; the paper tuned it for each noise level [recalled]. Those of two hidden layers serve every MLP, Conv4's
on MNIST all ConvNets and ResNets, on CIFAR-10 too; other sizes, and alpha above 20, take the same."""


def trained(way: str, setting: Mapping[str, Any]) -> dict[str, Any]:
    """Add to a setting, with its model and alpha, how one way trains it.

    "paper" trains on pairs by AdaDelta, in batches of 128, and reports the last epoch; "evidence" knows that exactly
    one vote is right; "evidence-independent" knows the noise rate alone; "evidence-single" has one vote an image, and
    knows the noise rate where noisy images are of the same set, but takes labels on foreign images and white noise as
    they are, which is plain cross-entropy; "evidence-two-views" is "evidence-independent" with two views of each image
    held against each other, and half the epochs.
    """
    if way == PAPER:
        model, alpha = setting["model"], setting["alpha"]
        rates = RATES[model if model == "perceptron" else "mlp" if model.startswith("mlp") else "conv"]
        rate = rates[max(level for level in rates if level <= alpha)]
        return {**setting, "protocol": "paper", "learning_rate": rate}
    knows = {"protocol": "evidence", "weigh_as": "independent" if way in (INDEPENDENT, TWO_VIEWS) else "given"}
    return {**setting, **knows, **({"consistency": 1.0} if way == TWO_VIEWS else {})}
