"""Driving a study: its waiting runs are handed to an executor, and each outcome is kept as it comes."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import Any, cast

from murk.errors import DataError, InputError, TrainingError, refuse
from murk.lab.batches import batches
from murk.lab.checkpoints import RunCheckpoint, checkpoint_of
from murk.lab.compute import Computed, compute_batch, compute_run
from murk.lab.data_facts import dataset_of
from murk.lab.executors import Ended, Executor, Here, Job
from murk.lab.resolve import SOURCES
from murk.lab.store import Store
from murk.lab.stored import StoredRun
from murk.lab.threads import one_thread
from murk.learn.device import settle_compute

__all__ = ["StudyProgress", "run_study"]


@dataclass(frozen=True)
class StudyProgress:
    """How far a study is.

    Attributes:
        done: runs with an outcome.
        failed: runs that ended with an error.
        total: runs in all.
        seconds: since this call began.
        seconds_left: estimate of the time to go, None until a run has ended.
        ended: the run that has just ended, or None.
    """

    done: int
    failed: int
    total: int
    seconds: float
    seconds_left: float | None
    ended: StoredRun | None = None


def run_study(
    store: Store,
    name: str,
    *,
    executor: Executor | None = None,
    device: str = "auto",
    minutes: float | None = None,
    on_progress: Callable[[StudyProgress], None] | None = None,
) -> StudyProgress:
    """Run what a stored study has waiting; resume is the same call.

    A run is done when its outcome is in the store, and is never run again. Killed at any moment, a driver or a worker
    loses at most what its trainings have done since their last checkpoint, which lies beside the store until the run is
    done. Runs trained together (`murk.lab.batches`, few and small), and those on machines that do not see the store's
    folder, begin again. Where data cannot be read, or the disk is full, all of it stops, and what has not ended waits.

    Args:
        store: the file, of which this process becomes the one driver.
        name: of a study in it.
        executor: how runs are computed; one after another in this process unless said.
        device: "auto" or a torch device, of the kind that the runs were planned for.
        minutes: no run is begun after this time, > 0.
        on_progress: called with a `StudyProgress` at the start and whenever a run ends.

    Raises:
        InputError: no such study, runs planned for a kind of device that is not here, or another process is driving
            this store; nothing has begun.
        DataError: data cannot be read, or the disk is full; what is done is kept.
        KeyboardInterrupt: on Ctrl-C; runs cut off wait again, with their checkpoints.
    """
    if minutes is not None and not minutes > 0:
        raise InputError(f"minutes is a number > 0, but {minutes!r} came")
    with store.driving():
        drive = _Drive(store, name, device, minutes, on_progress or (lambda progress: None))
        return drive.through(executor or Here())


class _Drive:
    """One pass through what a study has waiting."""

    def __init__(
        self, store: Store, name: str, device: str, minutes: float | None, report: Callable[[StudyProgress], None]
    ) -> None:
        self._store, self._name, self._device, self._report = store, name, device, report
        self._started = time.monotonic()
        self._until = None if minutes is None else self._started + 60 * minutes
        self._ended_here = 0
        self._waiting = store.runs(name, states=("waiting",))
        self._members: dict[str, list[str]] = {}

    def through(self, executor: Executor) -> StudyProgress:
        self._refuse_other_device()
        self._refuse_missing_data()
        progress = self._tell(None)
        ends = executor.run(_compute, self._jobs(), on_start=self._begin)
        try:
            with closing(cast("Generator[Ended]", ends)):  # workers stop before their runs wait again
                for job in ends:
                    self._keep(job)
                    for run_id in self._members[job.key]:
                        self._ended_here += 1
                        progress = self._tell(run_id)
        finally:
            for run in self._store.runs(states=("running",)):
                self._store.release(run.id)
            with suppress(OSError):  # missing, or with the checkpoints of runs that were cut off
                checkpoint_of(self._store, "any").parent.rmdir()
        return progress

    def _refuse_other_device(self) -> None:
        """Refuse runs planned for another kind of device than computes here, before each of them fails."""
        asked = None if self._device == "auto" else settle_compute(self._device).device.type
        refuse(
            f"{count} waiting runs of {self._name} are planned for a device of the kind {kind}, "
            + (f"but {asked} came" if asked else "which is not here")
            + "; resume on one, or plan the study for this machine: murk study run FILE.toml"
            for kind, count in Counter(run.settings["device"] for run in self._waiting).items()
            if (kind != asked if asked else not _is_here(kind))
        )

    def _refuse_missing_data(self) -> None:
        """Load every set once before anything runs, so that a missing one is told once."""
        named = {run.settings[key]: None for run in self._waiting for key in ("data", "source")}
        for name in named:
            if name not in SOURCES:
                dataset_of(name)

    def _jobs(self) -> Iterator[Job]:
        for together in batches(self._waiting):
            if self._until is not None and time.monotonic() >= self._until:
                return
            key = together[0].id
            self._members[key] = [run.id for run in together]
            yield Job(key, ([run.settings for run in together], self._device, RunCheckpoint.of(self._store, key)))

    def _begin(self, key: str) -> None:
        with self._store.at_once():
            for run_id in self._members[key]:
                self._store.start(run_id)

    def _keep(self, job: Ended) -> None:
        """Keep how a job ended, all its runs at once: resumed, runs are trained with the same others again."""
        if job.stops_all:
            told = str(job.error).partition(": ")[2]
            raise DataError(f"{told}; what is done is kept, and the rest waits")
        members = self._members[job.key]
        found = [job.error] * len(members) if job.error is not None else job.value
        with self._store.at_once():
            for run_id, end in zip(members, found, strict=True):
                self._keep_one(run_id, end)
        if self._store.run(job.key).state == "done":  # one that failed tells of its checkpoint, and may go on from it
            RunCheckpoint.of(self._store, job.key).forget()

    def _keep_one(self, run_id: str, end: Computed | str) -> None:
        error = end if isinstance(end, str) else None
        if isinstance(end, Computed):
            try:
                self._store.finish(run_id, end.outcome, end.metrics)
            except InputError as fault:  # what cannot be kept, such as an infinite loss, is that run's failure alone
                error = f"InputError: {fault}"
        if error is not None:
            self._store.fail(run_id, error)

    def _tell(self, key: str | None) -> StudyProgress:
        counts, seconds = self._store.counts(self._name), time.monotonic() - self._started
        left = counts["waiting"] + counts["running"]
        progress = StudyProgress(
            counts["done"], counts["failed"], sum(counts.values()), seconds,
            seconds / self._ended_here * left if self._ended_here else None,
            None if key is None else self._store.run(key),
        )  # fmt: skip
        self._report(progress)
        return progress


def _is_here(kind: str) -> bool:
    """Tell whether this machine has a device of a kind."""
    try:
        return settle_compute(kind).device.type == kind
    except InputError:
        return False


def _compute(argument: tuple[list[Mapping[str, Any]], str, RunCheckpoint]) -> list[Computed | str]:
    """Compute the runs of a job: one with its checkpoint, or several together."""
    settings, device, checkpoint = argument
    with one_thread():
        if len(settings) == 1:
            return [compute_run(settings[0], device=device, checkpoint=checkpoint.seen_here())]
        ends = compute_batch(settings, device=device)
    return [f"{type(end).__name__}: {end}" if isinstance(end, TrainingError) else end for end in ends]
