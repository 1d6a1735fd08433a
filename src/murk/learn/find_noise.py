"""Find out how labels go wrong: trainings, each on half the examples, tell it of the other half."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from torch import Tensor, nn

from murk.data import as_source
from murk.errors import DataError, InputError, refuse
from murk.learn.checkpoint import found_file, read_tensors, scout_file, with_arrays, without_arrays, write_tensors
from murk.learn.distributed import team
from murk.learn.fingerprint import fingerprint_of
from murk.learn.losses import EvidenceLoss, Loss
from murk.learn.progress import Callback
from murk.learn.scout import Look, Scout, Tempering, agreements
from murk.learn.selection import held_out_examples
from murk.learn.setting_up import groups_of, known_of, training_of
from murk.learn.weighted import weighted
from murk.measure import TransitionEstimate, estimate_transition
from murk.measure.expectation import Expectation, maximise
from murk.measure.shrinkage import tilt
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

    Where annotators may repeat each other (`Unknown(dependent=True)`), a likelihood that counts their votes in full
    says nothing. Then first scouts differ in how votes count: as much less as each annotator repeats the others, or in
    full; and the answer "none of these" not at all, or likewise. Of those whose predictions agree with the other half's
    votes as often as the best one's, within a standard error, the most cautious is gone on with.

    Args:
        model: as `fit`, like the other settings; each scout trains a network of its own.
        images: as `fit`.
        votes: of the N examples; their noise model is what is asked for, so ready-made evidence will not do.
        noise: "auto", "auto:one-right", "auto:dependent", or `Unknown`, which says what is known nonetheless.
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
    if unknown.dependent and not by_annotator:
        raise InputError(
            "who repeats whom is told by votes that say who voted; give annotators, or leave out dependent"
        )
    known, groups = known_of(known, len(as_source(images)), votes.num_classes), groups_of(groups, images)
    counted = SourceVotes.of(votes, by_annotator=by_annotator)
    refuse([weights_fault(weights, len(votes)), one_right_fault(counted, known) if unknown.one_right else ""])
    even = np.full((1, votes.num_classes), -np.log(votes.num_classes))
    blank = Expectation(counted, even, known, weights=weights_of(weights))
    audited = known is not None and bool((known >= 0).any())
    named_later = unknown.one_right or audited or counted.per_example >= VOTES_FOR_THEMSELVES
    keep = None if checkpoint is None else Path(checkpoint)
    tempered = _temperings(counted) if unknown.dependent else ()
    scouts = 1 + (len(tempered) or 1 + named_later)
    search = _Search(model, images, settings | {"seed": seed}, keep, checkpoint_seconds, callbacks, scouts)
    ours, others = held_out_examples(len(votes), 0.5, seed=seed, groups=groups)
    first = Scout(blank, ours, others, _uniform(counted))
    if tempered:
        chosen, best = _most_cautious(search, first, tempered)
        second = search.follow(_counting(Scout(blank, others, ours, best.transitions), chosen))
    else:
        tried = [search.follow(each) for each in (first, replace(first, clusters=True))[: 1 + named_later]]
        best = max(tried, key=lambda each: each.score)
        second = search.follow(Scout(blank, others, ours, best.transitions))
    mark = search.mark(unknown, known, groups, weights)
    before = None if keep is None else _kept(found_file(keep), mark)
    if before is not None:
        return before
    log_probs = np.empty((len(votes), votes.num_classes), np.float32)
    log_probs[others], log_probs[ours] = best.log_probs, second.log_probs
    if named_later:
        log_probs = _named(replace(blank, log_probs=log_probs), one_right=unknown.one_right)
    shares = None
    if tempered:
        seen = replace(blank, log_probs=log_probs)
        shares = chosen.of(seen, transitions_of_surest(seen))
    found = estimate_transition(
        np.exp(log_probs), votes, known=known, groups=groups, weights=weights, one_right=unknown.one_right,
        by_annotator=by_annotator, tempering=shares, seed=seed,
    )  # fmt: skip
    if keep is not None and team().leads:
        tensors: dict[str, Tensor] = {}
        write_tensors(found_file(keep), tensors, {"mark": mark, "found": without_arrays(found.state(), tensors)})
    return found


def _kept(path: Path, mark: str) -> TransitionEstimate | None:
    """Read the noise that was found before: found again, with other threads, its last digits could be others."""
    if not path.exists():
        return None
    tensors, facts = read_tensors(path)
    if facts.get("mark") != mark:
        return None
    try:
        return TransitionEstimate.from_state(with_arrays(facts["found"], tensors))
    except (KeyError, InputError) as error:
        raise DataError(f"{path} lacks or garbles a value ({error}); remove it, and run the same again") from error


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
    fingerprints: list[str] = field(default_factory=list)

    def mark(self, unknown: Unknown, known: Any, *more: Any) -> str:
        """Hash what the noise that is found depends on: the scouts' trainings, and what reads their predictions."""
        told = [*self.fingerprints, repr(unknown), self.settings["seed"]]
        digest = hashlib.sha256(json.dumps(told).encode())
        for each in (known, *more):
            names, codes = np.unique(np.asarray([] if each is None else each), return_inverse=True)
            digest.update(f"{len(codes)}/{names.tolist()}".encode() + codes.astype(np.int64).tobytes())
        return digest.hexdigest()

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
            training.checkpoint_seconds = self.checkpoint_seconds
        if self.checkpoint is not None or training.team.size > 1:
            training.fingerprint = fingerprint_of(training)
            self.fingerprints.append(training.fingerprint)
        training.run()
        assert scout.best is not None  # it looks at the end of the last epoch, if not before
        return scout.best


def _temperings(votes: SourceVotes) -> tuple[Tempering, ...]:
    """Give the ways in which votes may count, the most cautious first."""
    nones = (0.0, 1.0) if votes.num_answers > votes.num_classes else (1.0,)
    return tuple(Tempering(power, none) for none in nones for power in (1.0, 0.0))


def _shares(votes: SourceVotes, tempered: Tempering) -> np.ndarray:
    """Give the shares [S, 2] at the start, before anything is known of who repeats whom."""
    return np.tile([1.0, tempered.none], (votes.num_sources, 1))


def _counting(scout: Scout, tempered: Tempering) -> Scout:
    votes = replace(scout.votes, tempering=_shares(scout.votes.votes, tempered))
    return replace(scout, votes=votes, tempered=tempered)


def _most_cautious(search: _Search, first: Scout, tempered: Sequence[Tempering]) -> tuple[Tempering, Look]:
    """Follow a first scout for each way to count; choose by the votes of the half that none of them has seen."""
    looks = [search.follow(_counting(first, each)) for each in tempered]
    seen = first.votes.rows(first.others)
    agreed = [agreements(replace(seen, log_probs=look.log_probs)) for look in looks]
    best = max(agreed, key=lambda each: float(each.mean()))
    for way, look, own in zip(tempered, looks, agreed, strict=True):
        behind = best - own
        if behind.mean() <= behind.std(ddof=1) / np.sqrt(len(behind)):
            return way, look
    raise AssertionError("the best is never behind itself")


def _uniform(votes: SourceVotes) -> Float[np.ndarray, "S K A"]:
    """Give every source the same noise, as far from chance as the votes of one example agree.

    Where examples have several votes, or annotators may say "none of these", wrong answers are as frequent as each
    answer is: structured noise names some classes seldom, and if it were taken for even, none would be predicted to be
    of those. An annotator who only ever names one class tells by when. Of single votes, how often an answer comes is
    the class's share as much as the noise's.
    """
    classes, answers = votes.num_classes, votes.num_answers
    tell = START if votes.per_example < 2 else votes.agreement
    if votes.per_example >= 2 or (answers > classes and votes.num_sources > 1):
        came = np.asarray(votes.counts.sum(0)).reshape(votes.num_sources, answers) + 0.5
        factor = (1 + (classes - 1) * tell) / (1 - tell)
        return tilt(came / came.sum(1, keepdims=True), np.full(votes.num_sources, factor), classes)
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
