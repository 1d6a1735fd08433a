"""Find out how labels go wrong: trainings, each on half the examples, tell it of the other half."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from torch import nn

from murk.data import as_source
from murk.errors import InputError, refuse
from murk.learn.checkpoint import scout_file
from murk.learn.fingerprint import fingerprint_of
from murk.learn.losses import EvidenceLoss, Loss
from murk.learn.progress import Callback
from murk.learn.scout import Look, Scout
from murk.learn.selection import held_out_examples
from murk.learn.setting_up import groups_of, known_of, training_of
from murk.learn.weighted import weighted
from murk.measure import TransitionEstimate, estimate_transition
from murk.measure.expectation import Expectation, maximise
from murk.measure.source_votes import SourceVotes
from murk.measure.transition import (
    VOTES_FOR_THEMSELVES,
    free_transitions,
    name_columns,
    one_right_fault,
    transitions_of_surest,
    weights_fault,
    weights_of,
)
from murk.noise import Evidence, Unknown, Votes, unknown_named

__all__ = ["find_noise"]

SCOUTING = 0.5  # epochs of each scout, as a share of those of the training proper
FEWEST_EPOCHS, FEWEST_STEPS = 8, 300  # of a scout: one for each look, and none before a network has learned anything
START = 0.3  # how far from chance (0) towards the truth (1) single votes are taken to be before anything is known


def find_noise(
    model: str | nn.Module,
    images: Any,
    votes: Votes | Evidence,
    noise: Unknown | str = "auto",
    *,
    known: Any = None,
    groups: Any = None,
    weights: Any = None,
    checkpoint: str | Path | None = None,
    checkpoint_seconds: float = 20.0,
    callbacks: Sequence[Callback] = (),
    seed: int,
    **settings: Any,
) -> TransitionEstimate:
    """Find the noise of votes by training: what `fit(noise="auto")` does first.

    Scouts, each trained on half the examples, for half the epochs (at least eight), learn the transitions of the other
    half as they go (`murk.learn.scout.Scout`): the first from uniform noise on, the second, on the other half, from
    where that ended. In the end `estimate_transition` reads the probabilities that they give the examples they have
    not seen. No clean label is used, unless `known` gives some.

    Where something names the classes in the end - audited labels, the one right vote, or three votes an example, by
    which T is known but for the order of its rows - another first scout need not name them: it reads clusters of
    predictions. Of the two, the one that makes the votes likelier is gone on with.

    Args:
        model: as `fit`, like the other settings; each scout trains a network of its own.
        images: as `fit`.
        votes: of the N examples; their noise model is what is asked for, so ready-made evidence will not do.
        noise: "auto", "auto:one-right", or `Unknown`, which says what is known nonetheless.
        known: int [N], the true class where you know it, -1 elsewhere.
        groups: [N], as `fit`: never split between the halves.
        weights: float [N] > 0, how many times each example counts; None for once.
        checkpoint: files beside this one (`murk.learn.checkpoint.checkpoint_files`) keep the scouts, so that a killed
            search goes on; they can go once the training is done.
        checkpoint_seconds: as `fit`.
        callbacks: as `fit`; `Progress.phase` says which scout it is.
        seed: as `fit`.
        settings: the other settings of `fit`.

    Raises:
        InputError: evidence in place of votes, or what `fit` and `estimate_transition` refuse; before anything is
            trained.

    Example:
        >>> import murk
        >>> digits = murk.load("digits")
        >>> votes = murk.Channel.symmetric(0.4, num_classes=10).draw(digits.train.labels, seed=0)
        >>> found = find_noise("mlp1", digits.train, votes, epochs=20, seed=0)
        >>> found.family
        'uniform'
    """
    unknown = unknown_named(noise) if isinstance(noise, str) else noise
    if not isinstance(votes, Votes):
        raise InputError(f"noise is found from votes, but {type(votes).__name__} came; give the votes it was made of")
    by_annotator = bool(votes.num_annotators) and not unknown.one_right
    by_annotator = by_annotator if unknown.by_annotator is None else unknown.by_annotator
    known, groups = known_of(known, len(as_source(images)), votes.num_classes), groups_of(groups, images)
    counted = SourceVotes.of(votes, by_annotator=by_annotator)
    refuse([weights_fault(weights, len(votes)), one_right_fault(counted, known) if unknown.one_right else ""])
    even = np.full((1, votes.num_classes), -np.log(votes.num_classes))
    blank = Expectation(counted, even, known, weights=weights_of(weights))
    audited = known is not None and bool((known >= 0).any())
    named_later = unknown.one_right or audited or counted.per_example >= VOTES_FOR_THEMSELVES
    keep = None if checkpoint is None else Path(checkpoint)
    search = _Search(model, images, settings | {"seed": seed}, keep, checkpoint_seconds, callbacks, 2 + named_later)
    ours, others = held_out_examples(len(votes), 0.5, seed=seed, groups=groups)
    first = Scout(blank, ours, others, _uniform(counted))
    tried = [search.follow(each) for each in (first, replace(first, clusters=True))[: 1 + named_later]]
    best = max(tried, key=lambda each: each.loglik)
    second = search.follow(Scout(blank, others, ours, best.transitions))
    log_probs = np.empty((len(votes), votes.num_classes))
    log_probs[others], log_probs[ours] = best.log_probs, second.log_probs
    if named_later:
        log_probs = _named(replace(blank, log_probs=log_probs), one_right=unknown.one_right)
    return estimate_transition(
        np.exp(log_probs), votes, known=known, groups=groups, weights=weights, one_right=unknown.one_right,
        by_annotator=by_annotator, seed=seed,
    )  # fmt: skip


@dataclass
class _Search:
    """How scouts are trained, one after another."""

    model: str | nn.Module
    images: Any
    settings: dict[str, Any]
    checkpoint: Path | None
    checkpoint_seconds: float
    callbacks: Sequence[Callback]
    scouts: int
    begun: int = 0

    def _loss(self, weights: np.ndarray | None) -> Loss:
        return EvidenceLoss() if weights is None else weighted(EvidenceLoss(), weights / weights.mean())

    def follow(self, scout: Scout) -> Look:
        """Train on the examples that the scout does not hold; give what it saw at the best time."""
        self.begun += 1
        training = training_of(
            self.model, self.images, scout.evidence(), noise=None, known=None, groups=None, held_out=None,
            split=(scout.trained, scout.others[:0]), **self.settings | {"loss": self._loss(scout.votes.weights)},
        )  # fmt: skip
        least = max(FEWEST_EPOCHS, -(-FEWEST_STEPS // training.steps_per_epoch))
        epochs = max(least, round(SCOUTING * training.recipe.epochs))
        training.recipe = replace(training.recipe, epochs=epochs, held_out=0.5)
        training.companion, training.callbacks = scout, self.callbacks
        training.phase = f"finding the noise, {self.begun} of {self.scouts}"
        if self.checkpoint is not None:
            training.checkpoint = scout_file(self.checkpoint, self.begun)
            training.checkpoint_seconds, training.fingerprint = self.checkpoint_seconds, fingerprint_of(training)
        training.run()
        assert scout.best is not None  # it looks at the end of the last epoch, if not before
        return scout.best


def _uniform(votes: SourceVotes) -> Float[np.ndarray, "S K A"]:
    """Give every source the same uniform noise, as far from chance as the votes of one example agree."""
    classes, answers = votes.num_classes, votes.num_answers
    tell = START if votes.per_example < 2 else votes.agreement
    shared = np.full((classes, answers), (1 - tell) / classes)
    shared[range(classes), range(classes)] += tell
    if answers > classes:
        none = float(votes.counts[:, answers - 1 :: answers].sum() / votes.counts.sum())
        shared[:, :classes] *= 1 - none
        shared[:, classes] = none
    return np.broadcast_to(shared, (votes.num_sources, classes, answers)).copy()


def _named(expectation: Expectation, *, one_right: bool) -> np.ndarray:
    """Give log probabilities [N, K] with every column in the place of the class that it stands for."""
    free = replace(expectation, known=None)
    found = maximise(free, transitions_of_surest(free), free_transitions)
    named = np.empty_like(expectation.log_probs)
    named[:, name_columns(found, known=expectation.known, one_right=one_right)] = expectation.log_probs
    return named
