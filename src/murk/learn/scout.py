"""Scout: goes along with a training on one half of the examples, and learns the noise from the other half."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from murk.learn.training import Training
from murk.measure.clusters import clustered
from murk.measure.expectation import Expectation, maximise
from murk.measure.transition import free_transitions, transitions_of_surest
from murk.noise import Evidence

__all__ = ["Scout"]

REFRESHES = 8  # over a training
SURE_UNTIL = 0.5  # of the training: from then on all examples are read, before only the surest
TRUSTED = 0.5  # estimated accuracy from which predictions may say how labels go wrong
EM_STEPS = 100
LEAST_CHANCE = 1e-4  # that an example belongs to a cluster


@dataclass
class Scout:
    """Transitions that follow a training: estimated on examples it does not see, used for those that it does.

    At the end of every eighth of the epochs the network's probabilities of the other half and the votes there give new
    transitions; the training goes on with its votes weighed by them. Early on, the surest half of each predicted class
    is read alone: at worst that makes the noise look larger than it is, and from that side training comes back, while
    noise that is thought too small is explained by smeared probabilities and stays. Nothing is changed as long as
    predictions are wrong more often than right, by their agreement with the votes.

    With `clusters`, it is not predictions but their clusters that are read early on: they need not say which class is
    right, where a wrong one is voted for as often.

    Attributes:
        votes: log probabilities left open, and the votes of all N examples.
        trained: int64, the examples that are trained on.
        others: int64, those that are not.
        transitions: float64 [S, K, A], at present.
        clusters: whether clusters of predictions stand for classes early on.
    """

    votes: Expectation
    trained: np.ndarray
    others: np.ndarray
    transitions: np.ndarray
    clusters: bool = False

    def evidence(self) -> Evidence:
        """Weigh the votes of all examples by the present transitions."""
        values = self.votes.log_evidence(self.transitions)
        return Evidence(values.shape[1], np.zeros(len(values)), values)

    def end_of_epoch(self, training: Training, epoch: int) -> None:
        """Estimate again, where it is time, and weigh the votes anew."""
        epochs = training.recipe.epochs
        if epoch != math.ceil(epoch * REFRESHES // epochs * epochs / REFRESHES):
            return
        seen = self.expectation(training.log_probs(self.others))
        if epoch > SURE_UNTIL * epochs:
            found = maximise(seen, transitions_of_surest(seen), free_transitions, steps=EM_STEPS).transitions
        elif self.clusters:
            found = transitions_of_surest(_clusters_of(seen, seed=training.recipe.seed))
        else:
            found = transitions_of_surest(seen)
        if self.clusters or _trusted(seen, found):
            self.transitions = found
            self._weigh(training)

    def _weigh(self, training: Training) -> None:
        evidence = self.evidence()
        training.targets = training.loss.targets(evidence, None, None, device=training.compute.device)

    def expectation(self, log_probs: np.ndarray) -> Expectation:
        """Set the probabilities of the other examples beside their votes."""
        return replace(self.votes.rows(self.others), log_probs=log_probs.astype(np.float64))

    def tensors(self) -> dict[str, Tensor]:
        """Give the transitions, for the checkpoint."""
        return {"transitions": torch.from_numpy(self.transitions.copy())}

    def restore(self, training: Training, tensors: dict[str, Tensor]) -> None:
        """Go on with the transitions of the checkpoint."""
        kept = tensors["transitions"].double().numpy()
        if kept.shape != self.transitions.shape:
            raise ValueError(f"transitions of shape {kept.shape}, not {self.transitions.shape}")
        self.transitions = kept
        self._weigh(training)


def _clusters_of(predicted: Expectation, *, seed: int) -> Expectation:
    """Put clusters in the place of predictions."""
    chances = clustered(np.exp(predicted.log_probs), seed=seed)
    return replace(predicted, log_probs=np.log(np.maximum(chances, LEAST_CHANCE)))


def _trusted(expectation: Expectation, transitions: np.ndarray) -> bool:
    """Say whether predictions are more often right than not, as far as the votes tell.

    Votes agree with right predictions at the rate of T's diagonal, with wrong ones at about that of its other entries.
    """
    best = expectation.log_probs.argmax(1)
    pooled = expectation.counted(np.eye(expectation.log_probs.shape[1])[best])
    share = pooled / max(pooled.sum(), 1)
    shared = np.einsum("s,ska->ka", share.sum((1, 2)), transitions)
    right = float(np.diagonal(shared).mean())
    wrong = (1 - right) / (shared.shape[1] - 1)
    return bool(np.einsum("sjj->", share) - wrong > TRUSTED * (right - wrong) > 0)
