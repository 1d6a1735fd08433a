"""Fit a model to votes."""

from murk.learn.averaging import polynomial_average
from murk.learn.cross_fit import CrossFit, cross_fit
from murk.learn.distributed import joined_processes
from murk.learn.fit import fit
from murk.learn.fitted import Fit
from murk.learn.functional import composite_loss, evidence_loss, h_alpha_loss, pairs_loss, soft_label_loss
from murk.learn.gradient_noise import GradientNoise, gradient_noise
from murk.learn.losses import LOSSES, Loss, loss_named
from murk.learn.progress import Epoch, Progress
from murk.learn.recipe import Recipe
from murk.learn.replicas import Replica, can_replicate, fit_replicas, replicas_pay
from murk.learn.selection import Selection, held_out_examples
from murk.learn.voted_dataset import VotedDataset

__all__ = [
    "LOSSES", "CrossFit", "Epoch", "Fit", "GradientNoise", "Loss", "Progress", "Recipe", "Replica", "Selection",
    "VotedDataset", "can_replicate", "composite_loss", "cross_fit", "evidence_loss", "fit", "fit_replicas",
    "gradient_noise", "h_alpha_loss", "held_out_examples", "joined_processes", "loss_named", "pairs_loss",
    "polynomial_average", "replicas_pay", "soft_label_loss",
]  # fmt: skip
