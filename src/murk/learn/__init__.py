"""Fit a model to votes."""

from murk.learn.fit import fit
from murk.learn.fitted import Fit
from murk.learn.losses import LOSSES, Loss, loss_named
from murk.learn.recipe import Recipe
from murk.learn.training import Epoch, Progress

__all__ = ["LOSSES", "Epoch", "Fit", "Loss", "Progress", "Recipe", "fit", "loss_named"]
