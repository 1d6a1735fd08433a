"""Computing a run: from resolved settings to its outcome, as plain values, in whatever process."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import torch

from murk.data import Dataset, Examples, as_source
from murk.errors import DataError, InputError, TrainingError
from murk.lab.checkpoints import laid_aside
from murk.lab.data_facts import dataset_of, sha256_of
from murk.lab.identity import noise_sha256
from murk.lab.mixed import Mixture, mixture
from murk.lab.resolve import SOURCES, noise_of, train_settings
from murk.lab.run import Run, run_together, run_training
from murk.lab.searched import measure_search, parted
from murk.learn.checkpoint import checkpoint_files
from murk.learn.progress import TRAINING, Progress
from murk.measure import accuracy
from murk.noise.draws import permutation

__all__ = ["Computed", "compute_batch", "compute_run"]

Metric = tuple[int, str, float]
CLASSES_OF_CONFUSION = 20
WATCHED_AT_ONCE = 1024


@dataclass(frozen=True)
class Computed:
    """What a run gives back.

    Attributes:
        outcome: what it found, as plain values.
        metrics: (step, name, value), in the order of the steps.
    """

    outcome: dict[str, Any]
    metrics: tuple[Metric, ...]


def compute_run(resolved: Mapping[str, Any], *, device: str = "auto", checkpoint: Path | None = None) -> Computed:
    """Train and measure one run.

    Args:
        resolved: as `murk.lab.resolve.resolve` gives it.
        device: "auto" or a torch device, of the kind that the settings were resolved for.
        checkpoint: a file from which a training that was cut off goes on.

    Raises:
        DataError: the data is not the one that the settings were resolved for.
        TrainingError: the training had to stop.
    """
    dataset, mixed = prepared(resolved)
    settled, started = _device(device, resolved), time.monotonic()
    searched = tuple(resolved.get("searched") or ())

    watch = _Watch(dataset.test) if resolved.get("watch") else None
    keep = checkpoint if watch is None else None  # what was seen before a kill is gone

    def train(callback: Callable[[Any], None]) -> Run:
        return run_training(
            dataset, mixed, settings=train_settings(resolved), described={}, device=settled, checkpoint=keep,
            last_checkpoint=False, data={}, callbacks=(callback, *(() if watch is None else (watch,))),
        )  # fmt: skip

    run = _going_on(train, keep)
    computed = outcome_of(run, seconds=time.monotonic() - started)
    if searched:
        unseen = parted(dataset_of(resolved["data"]), searched)[1]
        found = measure_search(run.fit, unseen, device=settled)
        computed.outcome["estimates"].update({name: each.to_dict() for name, each in found.items()})
    if watch is not None:
        best = accuracy(dataset.test.labels, np.eye(dataset.num_classes)[max(watch.seen, key=watch.right)])
        computed.outcome["estimates"]["accuracy_best"] = best.to_dict()
    return computed


class _Watch:
    """What each epoch predicts of the test examples."""

    def __init__(self, test: Examples) -> None:
        if (test.labels < 0).any():
            raise InputError("watch compares epochs by clean test labels, but some of these are unknown; leave it out")
        self._test, self._source = test, as_source(test)
        self.seen: list[np.ndarray] = []

    def __call__(self, progress: Progress) -> None:
        if progress.phase == TRAINING and progress.epoch is not None:
            parts = np.array_split(np.arange(len(self._test)), -(-len(self._test) // WATCHED_AT_ONCE))
            device = next(progress.model.parameters()).device
            self.seen.append(np.concatenate(
                [progress.predict(self._source.batch(part, device=device)).argmax(1).cpu().numpy() for part in parts]
            ))  # fmt: skip

    def right(self, predicted: np.ndarray) -> int:
        """Count the right ones."""
        return int((predicted == self._test.labels).sum())


def _going_on(train: Callable[[Callable[[Any], None]], Run], checkpoint: Path | None) -> Run:
    """Train from the checkpoint; where nothing can go on from it, damaged or of another training, begin again."""
    begun = Event()

    def tell(progress: Progress) -> None:
        if progress.phase == TRAINING:  # before it, scouts read checkpoints of their own
            begun.set()

    try:
        return train(tell)
    except (DataError, InputError):
        kept = () if checkpoint is None else [path for path in checkpoint_files(checkpoint) if path.exists()]
        if begun.is_set() or not kept:
            raise
    for path in kept:
        path.replace(laid_aside(path))
    try:
        return train(tell)
    finally:
        for path in kept:
            if begun.is_set():
                laid_aside(path).unlink()
            else:  # it was not to blame: without it the training cannot begin either
                laid_aside(path).replace(path)


def compute_batch(batch: Sequence[Mapping[str, Any]], *, device: str = "auto") -> list[Computed | TrainingError]:
    """Train several runs together (see `murk.lab.batches`), and measure each; a training that stops stops no other.

    Raises:
        DataError: as `compute_run`.
        InputError: runs that cannot be trained together.
    """
    made = [prepared(resolved) for resolved in batch]
    started = time.monotonic()
    found = run_together(
        made[0][0], [mixed for _, mixed in made], settings=[train_settings(resolved) for resolved in batch],
        device=_device(device, batch[0]),
    )  # fmt: skip
    seconds = (time.monotonic() - started) / len(batch)
    return [run if isinstance(run, TrainingError) else outcome_of(run, seconds=seconds, together=len(batch))
            for run in found]  # fmt: skip


def outcome_of(run: Run, *, seconds: float, together: int = 1) -> Computed:
    """Put a run's findings into plain values."""
    found = run.result.to_dict()
    outcome = {name: found[name] for name in ("estimates", "remarks", "machine", "versions")}
    facts = {name: value for name, value in found["facts"].items() if name != "recipe"}  # the settings hold it
    facts |= {"test_examples": len(run.predictions.labels), "training_seconds": round(seconds, 3)}
    facts |= {"trained_together": together}
    facts |= {"held_out_loss_last": run.fit.history[-1].held_out_loss}
    outcome |= {"facts": facts, "confusion": _confusion(run) if facts["noise_rate"] == 0 else None}
    metrics = [
        (epoch.epoch * run.steps_per_epoch, name, float(value))
        for epoch in run.fit.history
        for name, value in (("training_loss", epoch.training_loss), ("held_out_loss", epoch.held_out_loss),
                            ("held_out_error", epoch.held_out_error))
        if value is not None
    ]  # fmt: skip
    return Computed(outcome, tuple(metrics))


def prepared(resolved: Mapping[str, Any]) -> tuple[Dataset, Mixture]:
    """Load the data of a run, choose its images, and draw its votes.

    Raises:
        DataError: the data is not the one that the settings were resolved for.
        InputError: the noise is not (a file that it is read from has changed).
    """
    whole = dataset_of(resolved["data"])
    _refuse_other_data(resolved["data"], resolved["data_sha256"])
    if resolved.get("searched"):
        whole, _ = parted(whole, resolved["searched"])
        if resolved["train_size"] > len(whole.train):
            raise InputError(f"the classes that are not searched have {len(whole.train):,} training images, but "
                             f"{resolved['train_size']:,} were asked for")  # fmt: skip
    order = permutation(resolved["seed"], "training images", len(whole.train))
    chosen, rest = np.sort(order[: resolved["train_size"]]), order[resolved["train_size"] :]
    everything = len(chosen) == len(whole.train)
    dataset = Dataset(
        whole.train if everything else whole.train[chosen], whole.test[: resolved["test_size"]], name=whole.name
    )
    noise = noise_of(resolved, whole.num_classes)
    if noise_sha256(noise) != resolved["noise_sha256"]:
        raise InputError(f"the noise {resolved['noise']} is not what it was when this run was planned; plan it again")
    name: str = resolved["source"]
    source: str | Examples = name
    if name == "fresh":
        source = whole.train[rest]
    elif name not in SOURCES:
        _refuse_other_data(name, resolved["source_sha256"])
        source = dataset_of(name).train
    mixed = mixture(dataset.train, noise, source=source, fresh=name == "fresh", seed=resolved["seed"])
    return dataset, mixed


def _device(asked: str, resolved: Mapping[str, Any]) -> str:
    """Choose the device asked for, or any of the kind that was planned for."""
    if asked == "auto":
        return str(resolved["device"])
    if torch.device(asked).type != resolved["device"]:
        raise InputError(f"this run was planned for a device of the kind {resolved['device']}, but {asked} came")
    return asked


def _refuse_other_data(name: str, sha256: str) -> None:
    if sha256_of(name) != sha256:
        raise DataError(f"{name} is not the set that this run was planned for (its content differs); plan it again")


def _confusion(run: Run) -> list[list[float]] | None:
    """Sum the probabilities over the test examples of each true class: what a network trained on truth confuses."""
    labels, probs = run.predictions.labels, run.predictions.probs
    if probs.shape[1] > CLASSES_OF_CONFUSION or (labels < 0).any():
        return None
    table = np.zeros((probs.shape[1], probs.shape[1]))
    np.add.at(table, labels, probs.astype(np.float64))
    return [[float(f"{value:.6g}") for value in row] for row in table]
