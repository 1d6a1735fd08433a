"""Scout: goes along with a training on one half of the examples, and learns the noise from the other half."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace

import numpy as np
import torch
from scipy import sparse
from scipy.optimize import nnls
from torch import Tensor

from murk.learn.training import Training
from murk.measure.clusters import clustered
from murk.measure.dependence import tempering_of
from murk.measure.expectation import Expectation, maximise
from murk.measure.transition import free_transitions, transitions_of_surest
from murk.noise import Evidence

__all__ = ["Look", "Scout", "Tempering", "agreements"]

REFRESHES = 8  # over a training
SURE_UNTIL = 0.5  # of the training: from then on all examples are read, before only the surest
TRUSTED = 0.5  # estimated accuracy from which predictions may say how labels go wrong
LACKING = 0.5  # a class predicted less often than this share of what its votes call for is lacking
LEAST_CHANCE = 1e-4  # that an example belongs to a cluster
EM_STEPS = 100


@dataclass(frozen=True)
class Look:
    """What a scout saw at one time.

    Attributes:
        transitions: float64 [S, K, A], estimated there.
        log_probs: float32 [others, K], of the examples that the training does not see.
        score: mean log likelihood of their votes, in nats an example; or, where annotators may repeat each other and
            there is no likelihood, the share of their votes that are for the predicted class.
    """

    transitions: np.ndarray
    log_probs: np.ndarray
    score: float


@dataclass(frozen=True)
class Tempering:
    """How votes that may repeat each other are to count.

    Attributes:
        power: of what `murk.measure.dependence.tempering_of` finds: 0 for votes in full, 1 as it is found.
        none: how much the answer "none of these" counts beside that.
    """

    power: float
    none: float

    def of(self, seen: Expectation, transitions: np.ndarray) -> np.ndarray:
        """Give the shares [S, 2]."""
        return tempering_of(seen, transitions, power=self.power, none=self.none)


@dataclass
class Scout:
    """Transitions that follow a training: estimated on examples it does not see, used for those that it does.

    At the end of every eighth of the epochs the network's probabilities of the other half and the votes there give new
    transitions; the training goes on with its votes weighed by them. Early on, the surest half of each predicted class
    is read alone: at worst that makes the noise look larger than it is, and from that side training comes back, while
    noise that is thought too small is explained by smeared probabilities and stays. Nothing is changed as long as
    predictions are wrong more often than right, by their agreement with the votes, nor early on while a class is hardly
    predicted at all: its examples would be counted for another, and stay there.

    With `clusters`, it is not predictions but their clusters that are read early on: they need not say which class is
    right, where a wrong one is voted for as often.

    A training that has begun to learn noise by heart says less of the noise than it did; so of all these times, the one
    whose probabilities made the other half's votes likeliest is kept in `best`.

    With `tempered`, each look also finds how much every source repeats the others, and votes count that much less.

    Attributes:
        votes: log probabilities left open, and the votes of all N examples.
        trained: int64, the examples that are trained on.
        others: int64, those that are not.
        transitions: float64 [S, K, A], at present.
        clusters: whether clusters of predictions stand for classes early on.
        tempered: how votes that may repeat each other are to count; None where they do not.
        best: what it saw at the best time; None before the first look.
    """

    votes: Expectation
    trained: np.ndarray
    others: np.ndarray
    transitions: np.ndarray
    clusters: bool = False
    tempered: Tempering | None = None
    best: Look | None = None

    def evidence(self) -> Evidence:
        """Weigh the votes of all examples by the present transitions; what differs between classes is float32."""
        classes = self.votes.votes.num_classes
        base, values = np.empty(len(self.votes.votes)), np.empty((len(self.votes.votes), classes), np.float32)
        for part in self.votes.parts():
            told = self.votes.log_evidence(self.transitions, part=part)
            base[part] = told.max(axis=1, initial=-np.inf)
            values[part] = told - base[part, None]
        return Evidence(classes, base, values)

    def end_of_epoch(self, training: Training, epoch: int) -> None:
        """Estimate again, where it is time, and weigh the votes anew."""
        epochs = training.recipe.epochs
        if epoch != math.ceil(epoch * REFRESHES // epochs * epochs / REFRESHES):
            return
        seen = replace(self.votes.rows(self.others), log_probs=training.log_probs(self.others))
        surest = transitions_of_surest(seen)
        if self.tempered is not None:
            seen = replace(seen, tempering=self.tempered.of(seen, surest))
        settled = maximise(seen, surest, free_transitions, steps=EM_STEPS)
        score = settled.loglik if self.tempered is None else float(agreements(seen).mean())
        if self.best is None or score > self.best.score:
            self.best = Look(settled.transitions, seen.log_probs, score)
        early = epoch <= SURE_UNTIL * epochs
        if early and self.clusters:
            self._weigh(training, transitions_of_surest(_clusters_of(seen, seed=training.recipe.seed)))
        elif _trusted(seen, surest) and not (early and _lacks_a_class(seen, self.transitions)):
            self.votes = replace(self.votes, tempering=seen.tempering)
            self._weigh(training, surest if early else settled.transitions)

    def _weigh(self, training: Training, transitions: np.ndarray) -> None:
        self.transitions = transitions
        training.targets = training.loss.targets(self.evidence(), None, None, device=training.compute.device)

    def tensors(self) -> dict[str, Tensor]:
        """Give the transitions at present and what is best so far, for the checkpoint."""
        kept = {"transitions": self.transitions}
        if self.votes.tempering is not None:
            kept["tempering"] = self.votes.tempering
        if self.best is not None:
            kept |= {f"best/{field.name}": getattr(self.best, field.name) for field in fields(Look)}
        return {name: torch.from_numpy(np.array(array)) for name, array in kept.items()}

    def restore(self, training: Training, tensors: dict[str, Tensor]) -> None:
        """Go on with what a checkpoint kept."""
        kept = {name: tensor.numpy() for name, tensor in tensors.items()}
        best = {field.name: kept[f"best/{field.name}"] for field in fields(Look) if f"best/{field.name}" in kept}
        shapes = {"transitions": self.transitions.shape, "log_probs": (len(self.others), training.targets.num_classes)}
        for name, array in (("transitions", kept["transitions"]), *best.items()):
            if array.shape != shapes.get(name, ()):
                raise ValueError(f"{name} of shape {array.shape}, not {shapes.get(name, ())}")
        if best:
            self.best = Look(best["transitions"], best["log_probs"], float(best["score"]))
        if self.votes.tempering is not None:
            if kept["tempering"].shape != self.votes.tempering.shape:
                raise ValueError(f"tempering of shape {kept['tempering'].shape}")
            self.votes = replace(self.votes, tempering=kept["tempering"])
        self._weigh(training, kept["transitions"])


def agreements(seen: Expectation) -> np.ndarray:
    """Give the share of each example's votes for classes that are for the predicted one: [examples with a vote]."""
    counts = seen.votes.per_class()[:, : seen.votes.num_classes]
    total = np.asarray(counts.sum(1))
    voted = np.flatnonzero(total > 0)
    best = sparse.csr_array((np.ones(len(voted)), seen.log_probs.argmax(1)[voted], np.arange(len(voted) + 1)),
                            shape=(len(voted), counts.shape[1]))  # fmt: skip
    return np.asarray(counts[voted].multiply(best).sum(1) / total[voted])


def _clusters_of(predicted: Expectation, *, seed: int) -> Expectation:
    """Put clusters in the place of predictions."""
    chances = clustered(np.exp(predicted.log_probs), seed=seed)
    return replace(predicted, log_probs=np.log(np.maximum(chances, LEAST_CHANCE)))


def _lacks_a_class(expectation: Expectation, transitions: np.ndarray) -> bool:
    """Say whether some class is predicted less than half as often as its votes would have it under the transitions."""
    classes = transitions.shape[1]
    per_source = np.asarray(expectation.votes.counts.sum(0)).reshape(transitions.shape[0], -1)
    shared = np.einsum("s,ska->ka", per_source.sum(1) / max(per_source.sum(), 1), transitions)
    shares, _ = nnls(shared.T, per_source.sum(0) / max(per_source.sum(), 1))
    predicted = np.bincount(expectation.log_probs.argmax(1), minlength=classes) / len(expectation.log_probs)
    return bool((predicted < LACKING * shares)[shares > LACKING / classes].any())


def _trusted(expectation: Expectation, transitions: np.ndarray) -> bool:
    """Say whether predictions are more often right than not, as far as the votes for classes tell.

    Votes agree with right predictions at the rate of T's diagonal, with wrong ones at about that of its other entries.
    """
    classes = expectation.log_probs.shape[1]
    pooled = expectation.counted_classes(expectation.log_probs.argmax(1))[:, :, :classes]
    share = pooled / max(pooled.sum(), 1)
    shared = np.einsum("s,ska->ka", share.sum((1, 2)), transitions[:, :, :classes])
    right = float((np.diagonal(shared) / shared.sum(1)).mean())
    wrong = (1 - right) / (classes - 1)
    return bool(np.einsum("sjj->", share) - wrong > TRUSTED * (right - wrong) > 0)
