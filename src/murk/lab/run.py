"""A run: train on votes, then measure on clean labels and on noisy votes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from murk.data import Dataset, Examples
from murk.errors import InputError, TrainingError, UndecidedError
from murk.lab.identity import describe_data
from murk.lab.mixed import Mixture
from murk.lab.result import Predictions, Result, machine, versions
from murk.lab.run_settings import FOUND, RunSettings
from murk.learn import LOSSES, Fit, fit
from murk.learn.device import settle_compute
from murk.learn.protocol import PROTOCOLS
from murk.learn.replicas import Replica, fit_replicas
from murk.learn.selection import held_out_examples
from murk.measure import (
    Estimate,
    TransitionEstimate,
    accuracy,
    accuracy_from_votes,
    effective_clean_labels,
    top_k_accuracy,
)
from murk.measure.vote_summary import summarise_votes
from murk.models import Classifier, build
from murk.noise import Dilution, NoiseModel, Unknown, Votes, unknown_named
from murk.noise.draws import stream_key

__all__ = [
    "Run",
    "RunSettings",
    "difference",
    "groups_of_run",
    "known_noise",
    "known_of",
    "network_of",
    "run_together",
    "run_training",
    "shared_settings",
    "weighed_as",
]

SHARED = ("protocol", "loss", "epochs", "batch_size", "weight_decay", "held_out", "augment", "precision")
NO_TEST_VOTES = "there are no votes on the test examples"
TOP_OF = 10  # with more classes than this, top-5 accuracy stands beside top-1


@dataclass(frozen=True, eq=False)
class Run:
    """What a run gives: the findings, the predictions they rest on, and the classifier.

    Attributes:
        result: the findings.
        predictions: of the test examples.
        fit: the classifier.
        steps_per_epoch: steps of the optimizer in an epoch, >= 1.
    """

    result: Result
    predictions: Predictions
    fit: Fit
    steps_per_epoch: int


def run_training(
    dataset: Dataset,
    mixed: Mixture,
    *,
    settings: RunSettings,
    described: dict[str, Any],
    device: str = "auto",
    checkpoint: str | Path | None = None,
    checkpoint_seconds: float = 20.0,
    last_checkpoint: bool = True,
    data: dict[str, Any] | None = None,
    network: Classifier | None = None,
    callbacks: Sequence[Any] = (),
) -> Run:
    """Train on votes and measure: on the test set's clean labels, and on noisy votes drawn for it.

    The test votes are drawn under a seed of their own by the noise model that weighs: the given one, or, weighed as
    independent, truly independent votes (votes of an exact dilution counted as independent ones would bias the
    estimate).

    Args:
        dataset: images and true labels; only measuring uses the truth (and the loss h-alpha).
        mixed: what is shown with which votes, and the noise model that weighs them.
        settings: how to train.
        described: what else the outcome depends on, as plain values: it goes into the result's settings.
        device: "auto" or a torch device.
        checkpoint: file to go on from, and to write.
        checkpoint_seconds: least time between two checkpoints, >= 0.
        last_checkpoint: whether to write one when the training has ended, too.
        data: what the result says of the data; None to describe it, which reads all of it.
        network: to train a copy of, in place of a model by the settings' name for it.
        callbacks: each is called with a `murk.learn.Progress`.

    Returns:
        The `Run`.

    Raises:
        InputError: what came does not fit together.
        TrainingError: the training had to stop.
    """
    weighed, truth = weighed_as(mixed.noise, settings.weigh_as), mixed.truth(dataset.train.labels)
    network = _network(dataset, settings, seed=settings.seed) if network is None else network
    fitted = fit(
        network, mixed.images, mixed.votes, noise=weighed,
        known=known_of(settings, truth), learning_rate=settings.learning_rate, seed=settings.seed,
        groups=groups_of_run(dataset, mixed), consistency=settings.consistency, method=settings.method,
        **shared_settings(settings), device=device, checkpoint=checkpoint, checkpoint_seconds=checkpoint_seconds,
        last_checkpoint=last_checkpoint, callbacks=callbacks,
    )  # fmt: skip
    data = describe_data(dataset) if data is None else data
    return measure_run(dataset, mixed, fitted, settings=settings, described=described, data=data, device=device)


def run_together(
    dataset: Dataset, mixtures: Sequence[Mixture], *, settings: Sequence[RunSettings], device: str = "auto"
) -> list[Run | TrainingError]:
    """Train and measure several runs on one set of images at once (`murk.learn.replicas`), each as if alone.

    Args:
        dataset: as `run_training`, the same for all.
        mixtures: votes on the set's own images, of each run.
        settings: of each run, alike but for seed and learning rate.
        device: "auto" or a torch device.

    Raises:
        InputError: runs that cannot be trained together.
    """
    first = settings[0]
    replicas = [
        Replica(mixed.votes, known_noise(mixed.noise, own.weigh_as), own.seed, own.learning_rate,
                known_of(own, mixed.truth(dataset.train.labels)))
        for mixed, own in zip(mixtures, settings, strict=True)
    ]  # fmt: skip
    trained = fit_replicas(
        lambda seed: _network(dataset, first, seed=seed), mixtures[0].images, replicas, device=device,
        groups=dataset.train.groups, **shared_settings(first),
    )  # fmt: skip
    return [
        found if isinstance(found, TrainingError)
        else measure_run(dataset, mixed, found, settings=own, described={}, data={}, device=device)
        for found, mixed, own in zip(trained, mixtures, settings, strict=True)
    ]  # fmt: skip


def measure_run(
    dataset: Dataset, mixed: Mixture, fitted: Fit, *, settings: RunSettings, described: dict[str, Any],
    data: dict[str, Any], device: str,
) -> Run:  # fmt: skip
    """Measure a training; arguments as `run_training`."""
    compute = settle_compute(device, settings.precision)
    weighed, truth = fitted.noise, mixed.truth(dataset.train.labels)
    fitted = replace(fitted, class_names=dataset.class_names)
    predictions = Predictions(dataset.test.labels, fitted.predict_probs(dataset.test, device=device))
    last = fitted.at_last_epoch().predict_probs(dataset.test, device=device)
    test_noise, test_seed = None if mixed.is_foreign else weighed, _test_seed(settings.seed)
    found = fitted.found is not None
    estimates, remarks = _estimates(
        dataset.test,
        predictions.probs,
        last,
        noise=test_noise if not found else fitted.found if mixed.test_votes is not None else None,
        votes=mixed.test_votes,
        simulated=mixed.simulated,
        seed=test_seed,
    )
    if found and mixed.test_votes is None:  # none are drawn from noise that is itself an estimate
        remarks["accuracy_from_votes"] = NO_TEST_VOTES
    result = Result(
        command="train", settings={**described, **asdict(settings)}, estimates=estimates, remarks=remarks,
        data=data, seeds={"training": settings.seed, "test votes": test_seed},
        facts=_facts(fitted, mixed.votes, noise=test_noise, truth=truth),
        history=tuple(asdict(epoch) for epoch in fitted.history),
        machine=machine(device=str(compute.device), precision=compute.precision), versions=versions(),
    )  # fmt: skip
    return Run(result, predictions, fitted, _steps_per_epoch(dataset, mixed, fitted))


def network_of(settings: RunSettings, *, example_shape: tuple[int, ...], num_classes: int, seed: int) -> Classifier:
    """Build the model that settings ask for, to the size of the data."""
    options = settings.model_options
    return build(settings.model, example_shape=example_shape, num_classes=num_classes, seed=seed, **options)


def _network(dataset: Dataset, settings: RunSettings, *, seed: int) -> Classifier:
    shape = dataset.train.example_shape
    return network_of(settings, example_shape=shape, num_classes=dataset.num_classes, seed=seed)


def groups_of_run(dataset: Dataset, mixed: Mixture) -> np.ndarray | None:
    """Name the group of each image shown: that of its showings, or as the data has it."""
    groups = mixed.groups()
    return dataset.train.groups if groups is None else groups


def _steps_per_epoch(dataset: Dataset, mixed: Mixture, fitted: Fit) -> int:
    """Count the steps of an epoch; groups held out whole leave another number of examples than the share says."""
    recipe = fitted.recipe
    training, _ = held_out_examples(
        len(mixed.votes), recipe.held_out, seed=recipe.seed, groups=groups_of_run(dataset, mixed)
    )  # fmt: skip
    return recipe.steps_per_epoch(len(training))


def shared_settings(settings: RunSettings) -> dict[str, Any]:
    """Give the settings that `fit` and `fit_replicas` take by the same names, and that runs trained together share."""
    return {name: getattr(settings, name) for name in SHARED}


def known_of(settings: RunSettings, truth: np.ndarray) -> np.ndarray | None:
    """Give the truth to the one loss that reads it."""
    if settings.method is not None:
        return None
    loss = PROTOCOLS[settings.protocol].loss if settings.loss is None else settings.loss
    return truth if LOSSES[loss].reads_truth else None


def weighed_as(noise: NoiseModel | None, weigh_as: str) -> NoiseModel | Unknown | None:
    """Give the noise that weighs: as given, without the knowledge that exactly one vote is right, not at all, or to
    be found.

    Raises:
        InputError: "independent" for noise that is no dilution.
    """
    return unknown_named(weigh_as) if weigh_as in FOUND else known_noise(noise, weigh_as)


def known_noise(noise: NoiseModel | None, weigh_as: str) -> NoiseModel | None:
    """Give the noise model that weighs, where it is not to be found; arguments and errors as `weighed_as`."""
    if weigh_as == "untold" or noise is None:
        return None
    if weigh_as == "given":
        return noise
    if not isinstance(noise, Dilution):
        raise InputError("only votes of a dilution can be weighed as independent ones; others already are")
    return noise.independent()


def difference(before: dict[str, Any], now: dict[str, Any]) -> str:
    """Name the settings in which two runs differ, or nothing; hashes only where nothing else tells."""
    names = sorted(name for name in {*before, *now} if before.get(name) != now.get(name))
    plain = [name for name in names if not name.endswith("sha256")]
    return ", ".join(f"{name} {before.get(name)!r}, now {now.get(name)!r}" for name in plain or names)


def _test_seed(seed: int) -> int:
    """Derive the seed of the test votes: with the training's own, example i would meet the same random numbers."""
    low, high = stream_key(seed, "test votes")
    return high << 32 | low


def _estimates(
    test: Examples,
    probs: np.ndarray,
    last: np.ndarray,
    *,
    noise: NoiseModel | TransitionEstimate | None,
    votes: Votes | None,
    simulated: bool,
    seed: int,
) -> tuple[dict[str, Estimate | None], dict[str, str]]:
    """Estimate the accuracy from clean labels and from noisy votes; where one cannot be told, say why."""
    names = ["accuracy", "accuracy_last", *(["top5"] if test.num_classes > TOP_OF else []), "accuracy_from_votes"]
    estimates: dict[str, Estimate | None] = dict.fromkeys(names)
    if not len(test):
        return estimates, dict.fromkeys(estimates, "there are no test examples")
    remarks = {}
    if (test.labels >= 0).all():
        estimates |= {"accuracy": accuracy(test.labels, probs), "accuracy_last": accuracy(test.labels, last)}
        if "top5" in estimates:
            estimates["top5"] = top_k_accuracy(test.labels, probs, k=5)
        if votes is None and simulated and noise is not None and not isinstance(noise, TransitionEstimate):
            votes = noise.draw(test.labels, seed=seed)
    else:
        remarks = dict.fromkeys(estimates, "the test examples' true classes are not all known")
    if noise is None:
        return estimates, {**remarks, "accuracy_from_votes": "no noise model says how votes on the test examples err"}
    if votes is None:
        return estimates, {**remarks, "accuracy_from_votes": NO_TEST_VOTES}
    try:
        estimates["accuracy_from_votes"] = accuracy_from_votes(probs, votes, noise=noise)
        remarks.pop("accuracy_from_votes", None)
    except InputError as error:
        told = str(error)
        remarks["accuracy_from_votes"] = told if isinstance(error, UndecidedError) else f"cannot say: {told}"
    return estimates, remarks


def _worth(votes: Votes, noise: NoiseModel | None) -> float | None:
    """Say how many clean labels the votes are worth, where their evidence is a likelihood."""
    if noise is None or getattr(noise, "tempering", None) is not None:
        return None
    return effective_clean_labels(votes, noise)


def _facts(fitted: Fit, votes: Votes, *, noise: NoiseModel | None, truth: np.ndarray) -> dict[str, Any]:
    """Collect the exact numbers of a run."""
    summary = summarise_votes(votes, labels=truth if (truth >= 0).all() else None)
    held_out = any(epoch.held_out_loss is not None for epoch in fitted.history)
    return {
        "votes": summary.num_votes, "noise_rate": summary.noise_rate,
        "effective_clean_labels": _worth(votes, noise),
        "training_examples": len(votes), "selected_epoch": fitted.selected_epoch, "epochs": len(fitted.history),
        "selected_by": "held-out votes, within one standard error" if held_out else "the last, for none was held out",
        "parameters": sum(weight.numel() for weight in fitted.model.parameters()),
        "recipe": asdict(fitted.recipe), 
        "found": None if fitted.found is None else fitted.found.to_dict(),
        "said": [] if fitted.found is None else list(fitted.found.sentences(fitted.class_names)),
    }  # fmt: skip
