"""Pilot: a few small trainings on what is at hand, measured by votes that none of them has seen."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy.special import ndtri
from torch import nn

from murk.data import SomeExamples, as_source
from murk.errors import DataError, InputError, TrainingError, UndecidedError, refuse
from murk.learn.checkpoint import read_tensors, write_tensors
from murk.learn.fingerprint import fingerprint_of
from murk.learn.fit import fit_of
from murk.learn.methods import method_named
from murk.learn.progress import Callback
from murk.learn.replicas import replicas_pay, run_replicas
from murk.learn.selection import held_out_examples
from murk.learn.setting_up import groups_of, training_of
from murk.learn.training import Training
from murk.measure import Estimate, TransitionEstimate, accuracy, accuracy_from_votes, effective_clean_labels
from murk.measure.predicted import read_array
from murk.measure.vote_reading import read_votes_by
from murk.noise import NoiseModel, Votes
from murk.noise.draws import permutation, seed_fault
from murk.plan.learning_curve import LearningCurve, learning_curve

__all__ = ["Pilot", "Trained", "pilot"]

SIZES, FEWEST_SIZES = 6, 3
LEAST_OF_CLASS = 10  # examples a class, on average, of the smallest training
MOST_SEEDS = 4
MEASURED = 0.2, 5000  # share of the examples that measure, and at most so many
HELD_OUT = 0.1  # of a training's own examples, whose votes choose its epoch


@dataclass(frozen=True)
class Trained:
    """One training of a pilot.

    Attributes:
        images: that it had, those held out for choosing its epoch included.
        seed: of the training.
        effective: clean labels that their votes are worth.
        accuracy: by the votes (or the clean labels) of examples that no training had.
        seconds: that it took.
    """

    images: int
    seed: int
    effective: float
    accuracy: Estimate
    seconds: float


@dataclass(frozen=True, eq=False)
class Pilot:
    """What a pilot found.

    Attributes:
        runs: the trainings.
        seen: float [R], their accuracies as they are read for a curve: without a bound at 1.
        covariance: float [R, R], of these, which the same votes measured.
        effective: clean labels that all votes at hand are worth.
        images: N, at hand.
        measured: examples by which accuracies were measured.
        num_classes: K.
        clean: whether clean labels measured.
    """

    runs: tuple[Trained, ...]
    seen: Float[np.ndarray, " R"]
    covariance: Float[np.ndarray, "R R"]
    effective: float
    images: int
    measured: int
    num_classes: int
    clean: bool

    def curve(self, *, confidence_level: float = 0.9) -> LearningCurve:
        """Learn how accuracy grows with effective clean labels.

        Raises:
            UndecidedError: fewer than three sizes, or trainings no better than guessing.
        """
        return learning_curve(
            np.array([run.effective for run in self.runs]), self.seen, self.covariance, num_classes=self.num_classes,
            confidence_level=confidence_level,
        )  # fmt: skip

    @cached_property
    def seconds(self) -> float:
        """That all trainings took."""
        return sum(run.seconds for run in self.runs)


def pilot(
    model: str,
    images: Any,
    votes: Votes,
    *,
    noise: NoiseModel | TransitionEstimate,
    minutes: float = 5.0,
    sizes: Sequence[int] | None = None,
    labels: Any = None,
    groups: Any = None,
    checkpoint: str | Path | None = None,
    callbacks: Sequence[Callback] = (),
    device: str = "auto",
    seed: int,
    **settings: Any,
) -> Pilot:
    """Train on parts of what is at hand, each about twice the one before, and measure each by votes that none has seen.

    A fifth of the examples (at most 5,000) measures and is never trained on. Every size is trained once, the smallest
    first, then again with other seeds, as long as `minutes` last by the speed so far; at least three sizes are. Where
    that is faster, all seeds of a size train together (`murk.learn.replicas`). No clean label is used, unless `labels`
    gives some.

    Args:
        model: a name, as `fit` takes it.
        images: as `fit`, N examples.
        votes: of these.
        noise: how they go wrong, known, or as it was found: then its own error counts where accuracies are measured.
        minutes: to spend on trainings, > 0.
        sizes: images of each size, at least three, rising; None for halves of what there is.
        labels: int [N], true classes where they are known (-1 elsewhere): where all that measure are known, they do.
        groups: [N], one name an example; what belongs together is never split.
        checkpoint: a folder: what has run stays in it, and the same call goes on.
        callbacks: as `fit`; `Progress.phase` says which training it is.
        device: as `fit`.
        seed: of parts and trainings.
        settings: other settings of `fit`.

    Raises:
        InputError: as `fit`, or sizes that are none.
        UndecidedError: too few examples for three sizes, or votes from which accuracy cannot be told.
        DataError: the folder holds another pilot.

    Example:
        >>> import murk
        >>> digits, noise = murk.load("digits").train, murk.Channel.symmetric(0.2, num_classes=10)
        >>> votes = noise.draw(digits.labels, seed=0)
        >>> found = pilot("mlp1", digits, votes, noise=noise, minutes=1e-6, epochs=10, batch_size=128, seed=0)
        >>> [run.images for run in found.runs], found.measured
        ([130, 260, 519], 259)
    """
    source, classes = as_source(images), votes.num_classes
    groups = groups_of(groups, images)
    refuse([
        seed_fault(seed),
        "" if isinstance(minutes, int | float) and 0 < minutes < float("inf") else
        f"minutes are > 0, but {minutes!r} came",
    ])  # fmt: skip
    if isinstance(settings.get("method"), str):
        settings["method"] = method_named(settings["method"])
    share = min(MEASURED[0], MEASURED[1] / max(len(source), 1))
    pool, measured = held_out_examples(len(source), share, seed=seed, groups=groups)
    pool = pool[permutation(seed, "pilot", len(pool))]
    counts = _sizes(len(pool), classes) if sizes is None else _checked(sizes, len(pool))
    truth = _truth(labels, measured, len(source))
    kept = None if checkpoint is None else Path(checkpoint)
    weighed, told_by = (noise.noise, noise) if isinstance(noise, TransitionEstimate) else (noise, noise)
    search = _Pilot(
        model, images, source, votes, weighed, told_by, groups, pool, measured, kept, tuple(callbacks), device, seed,
        settings,
    )  # fmt: skip
    told: list[tuple[int, int, Int[np.ndarray, " H"], float]] = []
    for count, numbers in search.rounds(counts):
        spent = sum(seconds for *_, seconds in told)
        enough = len({done for done, *_ in told}) >= FEWEST_SIZES
        each = search.expected(count, told) if enough else 0.0
        fitting = next((some for some in (numbers, numbers[:1]) if spent + len(some) * each <= 60 * minutes), ())
        told += [(count, *found) for found in search.predictions(count, fitting if enough else numbers)]
    return _measured(search, told, truth)


def _sizes(pool: int, classes: int) -> list[int]:
    found = [round(pool / 2**halved) for halved in reversed(range(SIZES))]
    found = [count for count in found if count >= LEAST_OF_CLASS * classes]
    if len(found) < FEWEST_SIZES:
        raise UndecidedError(
            f"cannot say: a curve needs {FEWEST_SIZES} sizes, each twice the one before, of at least {LEAST_OF_CLASS} "
            f"examples a class, but {pool} examples of {classes} classes are left to train on; bring more"
        )
    return found


def _checked(sizes: Sequence[int], pool: int) -> list[int]:
    found = list(sizes)
    whole = all(isinstance(count, int | np.integer) and count >= 2 for count in found)
    if len(found) < FEWEST_SIZES or not whole or sorted(set(found)) != found or found[-1] > pool:
        raise InputError(
            f"sizes are at least {FEWEST_SIZES} rising whole numbers, of at most the {pool} examples that do not "
            f"measure, but {found} came"
        )
    return [int(count) for count in found]


def _truth(labels: Any, measured: np.ndarray, size: int) -> Int[np.ndarray, " H"] | None:
    """Give the true classes of the examples that measure, where all are known."""
    if labels is None:
        return None
    given = read_array(labels, what="labels")
    if given.shape != (size,) or given.dtype.kind not in "iu":
        raise InputError(f"labels are {size} integers, -1 where not known, but {given.dtype} of {given.shape} came")
    return np.asarray(given[measured]) if (given[measured] >= 0).all() else None


@dataclass(frozen=True, eq=False)
class _Pilot:
    """What all trainings of a pilot share."""

    model: str | nn.Module
    images: Any
    source: Any
    votes: Votes
    noise: NoiseModel
    measured_by: NoiseModel | TransitionEstimate
    groups: np.ndarray | None
    pool: np.ndarray
    measured: np.ndarray
    kept: Path | None
    callbacks: tuple[Callback, ...]
    device: str
    seed: int
    settings: dict[str, Any]
    passes: dict[int, int] = field(default_factory=dict)  # images that a training shows, by how many it has

    def training(self, count: int, number: int) -> Training:
        """Lay out a training on so many examples."""
        inside = np.sort(self.pool[:count])
        own = None if self.groups is None else self.groups[inside]
        at, held = held_out_examples(count, HELD_OUT, seed=self.seed + number, groups=own)
        training = training_of(
            self.model, self.images, self.votes, noise=self.noise, split=(inside[at], inside[held]),
            held_out=HELD_OUT, device=self.device, seed=self.seed + number,
            **{**self.settings, "loss": copy.copy(self.settings.get("loss"))},
        )  # fmt: skip
        training.callbacks, training.phase = self.callbacks, f"pilot: {count:,} images, seed {self.seed + number}"
        training.fingerprint = fingerprint_of(training)
        return training

    def rounds(self, counts: Sequence[int]) -> Iterator[tuple[int, tuple[int, ...]]]:
        """Give what trains next: so many examples, with these seeds at once."""
        several = {count for count in counts if self.pays(count)}
        for number in range(MOST_SEEDS):
            for count in counts:
                if count not in several:
                    yield count, (number,)
                elif number == 0:
                    yield count, tuple(range(MOST_SEEDS))

    def pays(self, count: int) -> bool:
        """Tell whether trainings of so many examples are faster together."""
        training = self.training(count, 0)
        recipe = training.recipe
        return not recipe.consistency and not recipe.method and replicas_pay(
            training.model, replicas=MOST_SEEDS, batch_size=recipe.batch_size, device=self.device
        )  # fmt: skip

    def expected(self, count: int, told: Sequence[tuple[int, int, Any, float]]) -> float:
        """Tell how long a training of so many examples will take, by those of about as many that have run."""
        nearest = min(told, key=lambda each: abs(math.log(each[0] / count)))
        for each in (count, nearest[0]):
            if each not in self.passes:
                self.passes[each] = self.training(each, 0).recipe.epochs * each
        return nearest[3] * self.passes[count] / self.passes[nearest[0]]

    def predictions(self, count: int, numbers: Sequence[int]) -> list[tuple[int, Int[np.ndarray, " H"], float]]:
        """Train, or read what has run; give each number, the predicted classes of what measures, and the seconds."""
        trainings = {number: self.training(count, number) for number in numbers}
        paths = {number: self.path(count, number) for number in numbers}
        found = {
            number: _read(path, trainings[number].fingerprint)
            for number, path in paths.items() if path is not None and path.exists()
        }  # fmt: skip
        lacking = [number for number in numbers if number not in found]
        started, failures = time.perf_counter(), dict[int, TrainingError]()
        if len(lacking) == 1:
            self.train(trainings[lacking[0]], paths[lacking[0]])
        elif lacking:
            for number in lacking[1:]:
                trainings[number].callbacks = ()  # one of them tells how far all are
            stopped = run_replicas([trainings[number] for number in lacking])
            failures = {lacking[at]: failure for at, failure in stopped.items()}
        classes = {number: self.classes(trainings[number]) for number in lacking if number not in failures}
        seconds = (time.perf_counter() - started) / max(len(lacking), 1)
        for number in classes:
            found[number] = classes[number], seconds
            path, facts = paths[number], {"fingerprint": trainings[number].fingerprint, "seconds": seconds}
            if path is not None:
                write_tensors(path, {"predicted": torch.from_numpy(classes[number])}, facts)
                path.with_suffix(".checkpoint").unlink(missing_ok=True)
        for failure in failures.values():
            raise failure
        return [(number, *found[number]) for number in numbers]

    def path(self, count: int, number: int) -> Path | None:
        """Name the file in which a training's predictions are kept."""
        return None if self.kept is None else self.kept / f"pilot-{count}-{self.seed + number}.safetensors"

    def train(self, training: Training, path: Path | None) -> None:
        """Train one by itself, from its checkpoint if there is one."""
        if path is not None:
            training.checkpoint, training.last_checkpoint = path.with_suffix(".checkpoint"), False
        training.run()

    def classes(self, training: Training) -> Int[np.ndarray, " H"]:
        """Predict the classes of the examples that measure."""
        fit = fit_of(training, self.images, self.noise)
        probs = fit.predict_probs(SomeExamples(self.source, self.measured), device=self.device)
        return np.asarray(probs.argmax(1))


def _read(path: Path, fingerprint: str) -> tuple[np.ndarray, float]:
    tensors, facts = read_tensors(path)
    if facts.get("fingerprint") != fingerprint:
        raise DataError(f"{path} is of another pilot; name another folder, or remove this one")
    try:
        return np.asarray(tensors["predicted"].numpy()), float(facts["seconds"])
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"{path} lacks or garbles a value ({error}); remove it, and run the same again") from error


def _measured(search: _Pilot, told: Sequence[tuple[int, int, np.ndarray, float]], truth: np.ndarray | None) -> Pilot:
    """Measure all trainings by the same votes, or the same clean labels."""
    votes, count = search.votes.take(search.measured), len(search.measured)
    effective = {size: effective_clean_labels(search.votes.take(search.pool[:size]), search.noise)
                 for size in {size for size, *_ in told}}  # fmt: skip
    found, worth = [], []
    for size, number, classes, seconds in told:
        if truth is not None:
            estimate, own = accuracy(truth, classes), (classes == truth).astype(np.float64)
        else:
            estimate = accuracy_from_votes(classes, votes, noise=search.measured_by)
            reading, predicted = read_votes_by(search.measured_by, classes, votes)
            own = reading.worth(predicted, votes).value
        found.append(Trained(size, search.seed + number, effective[size], estimate, seconds))
        worth.append(own)
    seen = np.array([_seen(run.accuracy, own) for run, own in zip(found, worth, strict=True)])
    spread = seen[:, 1]
    with np.errstate(invalid="ignore"):
        together = np.nan_to_num(np.corrcoef(np.stack(worth)), nan=1.0).reshape(len(found), -1)
    return Pilot(
        runs=tuple(found), seen=seen[:, 0], covariance=spread[:, None] * spread * together,
        effective=effective_clean_labels(search.votes, search.noise), images=len(search.source), measured=count,
        num_classes=search.votes.num_classes, clean=truth is not None,
    )  # fmt: skip


def _seen(estimate: Estimate, worth: np.ndarray) -> tuple[float, float]:
    """Give an accuracy and its standard error: where votes drive the estimate to an end, what they are worth instead.

    That is no likelier a number, but one without bias, and a curve needs it: it knows by itself that errors are >= 0.
    """
    if 0 < float(estimate.value) < 1:
        z = float(ndtri((1 + estimate.confidence_level) / 2))
        sides = float(estimate.value) - float(estimate.low), float(estimate.high) - float(estimate.value)
        return float(estimate.value), max(sides) / z  # the other may be cut off at 0 or 1
    return float(worth.mean()), max(float(worth.std(ddof=1)), 1 / len(worth)) / len(worth) ** 0.5
