"""Fit a model to votes."""

from murk.learn.fit import fit
from murk.learn.fitted import Fit
from murk.learn.losses import LOSSES, Loss, loss_named
from murk.learn.recipe import Recipe
from murk.learn.replicas import Replica, can_replicate, fit_replicas, replicas_pay
from murk.learn.training import Epoch, Progress

__all__ = [
    "LOSSES", "Epoch", "Fit", "Loss", "Progress", "Recipe", "Replica", "can_replicate", "fit", "fit_replicas",
    "loss_named", "replicas_pay",
]  # fmt: skip
