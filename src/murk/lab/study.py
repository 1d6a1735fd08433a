"""Studies: many settings under one name, checked as a whole, run in any order, stopped and resumed at will."""

from __future__ import annotations

import itertools
import time
import tomllib
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from murk.errors import DataError, InputError, refuse
from murk.lab.compute import Computed, compute_run
from murk.lab.executors import Ended, Executor, Here, Job
from murk.lab.resolve import resolve, run_id
from murk.lab.setting import Setting, read_settings
from murk.lab.store import Store
from murk.lab.stored import StoredRun, is_name

__all__ = ["Study", "StudyProgress", "run_study", "seconds_left"]

PARTS = ("name", "base", "grid", "runs")


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


@dataclass(frozen=True)
class Study:
    """Settings of runs under one name.

    Attributes:
        name: of the study, in the store.
        settings: one a run, all different.

    Example:
        >>> study = Study.of("alpha", base={"data": "digits", "model": "mlp1"}, grid={"alpha": [0, 5], "seed": [0, 1]})
        >>> [(setting.alpha, setting.seed) for setting in study.settings]
        [(0, 0), (0, 1), (5, 0), (5, 1)]
    """

    name: str
    settings: tuple[Setting, ...]

    def __post_init__(self) -> None:
        """Check the name, and that there is something to run."""
        object.__setattr__(self, "settings", tuple(dict.fromkeys(self.settings)))
        refuse([
            "" if is_name(self.name) else f"a study has a printable name, but {self.name!r} came",
            "" if self.settings else "a study has at least one run; give a grid, or runs",
        ])  # fmt: skip

    @staticmethod
    def of(
        name: str,
        *,
        base: Mapping[str, Any] | None = None,
        grid: Mapping[str, Sequence[Any]] | None = None,
        runs: Sequence[Mapping[str, Any]] = (),
    ) -> Study:
        """Lay out a study: each of `runs` (or one run, without any) over the whole grid, upon the base.

        Args:
            name: of the study.
            base: settings that all runs share; see `murk.lab.Setting`.
            grid: names of settings, each with the values it takes; every combination is run, the last name fastest.
            runs: settings that belong together, such as a protocol with its learning rate; none that the grid varies.

        Raises:
            InputError: unknown settings, values out of range, contradictions: all of them together.
        """
        grid = grid or {}
        refuse([
            "" if isinstance(values, Sequence) and not isinstance(values, str) and len(values) else
            f"the grid's `{setting}` is a list of values, but {values!r} came" for setting, values in grid.items()
        ] + [
            f"`{setting}` stands both in the grid and in a run; give it in one of them"
            for setting in grid if any(setting in run for run in runs)
        ])  # fmt: skip
        cells = [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())]
        return Study(name, tuple(read_settings([{**(base or {}), **run, **c} for run in runs or ({},) for c in cells])))

    @staticmethod
    def read(path: str | Path) -> Study:
        """Read a study from TOML: `name`, `[base]`, `[grid]`, and any number of `[[runs]]`.

        Raises:
            DataError: the file cannot be read.
            InputError: it is no TOML, or not a study; all faults together.
        """
        try:
            found = tomllib.loads(Path(path).read_text(encoding="utf-8"))
        except OSError as error:
            raise DataError(f"cannot read {path} ({error.strerror}); name a TOML file") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise InputError(f"{path} is no TOML: {error}") from error
        base, grid, runs = found.get("base", {}), found.get("grid", {}), found.get("runs", [])
        refuse([
            *(f"a study file has {', '.join(PARTS)}, but `{part}` came" for part in found if part not in PARTS),
            "" if isinstance(base, dict) and isinstance(grid, dict) else "[base] and [grid] are tables",
            "" if isinstance(runs, list) and all(isinstance(run, dict) for run in runs) else "[[runs]] are tables",
        ])  # fmt: skip
        return Study.of(found.get("name", Path(path).stem), base=base, grid=grid, runs=runs)

    def resolved(self, *, device: str = "auto") -> list[tuple[str, dict[str, Any]]]:
        """Give each run's id and complete settings, in order; settings that come to the same are one run.

        Raises:
            InputError: what cannot be run, all faults together, each once.
            DataError: data that cannot be found.
        """
        planned, faults = dict[str, dict[str, Any]](), dict[str, None]()
        for setting in self.settings:
            try:
                complete = resolve(setting, device=device)
            except InputError as error:
                faults[str(error)] = None
            else:
                planned[run_id(complete)] = complete
        refuse(faults)
        return list(planned.items())

    def run(
        self,
        store: Store,
        *,
        executor: Executor | None = None,
        device: str = "auto",
        minutes: float | None = None,
        on_progress: Callable[[StudyProgress], None] | None = None,
    ) -> StudyProgress:
        """Put the study into a store and run what is not done yet; arguments as `run_study`."""
        store.add_study(self.name, self.resolved(device=device))
        return run_study(store, self.name, executor=executor, minutes=minutes, on_progress=on_progress)


def run_study(
    store: Store,
    name: str,
    *,
    executor: Executor | None = None,
    minutes: float | None = None,
    on_progress: Callable[[StudyProgress], None] | None = None,
) -> StudyProgress:
    """Run what a stored study has waiting; resume is the same call.

    A run is done when its outcome is in the store, and is never run again. Killed at any moment, a driver or a worker
    loses at most what its trainings have done since their last checkpoint.

    Args:
        store: the file, of which this process becomes the one driver.
        name: of a study in it.
        executor: how runs are computed; one after another in this process unless said.
        minutes: no run is begun after this time, > 0.
        on_progress: called with a `StudyProgress` at the start and whenever a run ends.

    Raises:
        InputError: no such study, or another process is driving this store.
        DataError: the store cannot be written; what is done is kept.
        KeyboardInterrupt: on Ctrl-C; runs cut off wait again, with their checkpoints.
    """
    if minutes is not None and not minutes > 0:
        raise InputError(f"minutes is a number > 0, but {minutes!r} came")
    with store.driving():
        return _Drive(store, name, minutes, on_progress or (lambda progress: None)).through(executor or Here())


def seconds_left(runs: Sequence[StoredRun]) -> float | None:
    """Estimate from outside when the driver of a study will be through, at the pace of the runs that are done.

    Args:
        runs: all of the study.

    Returns:
        Seconds, or None where nothing is running or nothing is done yet.
    """
    taken = [run.seconds for run in runs if run.state == "done" and run.seconds is not None]
    running, waiting = (sum(run.state == state for run in runs) for state in ("running", "waiting"))
    return sum(taken) / len(taken) * (waiting + running) / running if taken and running else None


class _Drive:
    """One pass through what a study has waiting."""

    def __init__(self, store: Store, name: str, minutes: float | None, report: Callable[[StudyProgress], None]) -> None:
        self._store, self._name, self._report = store, name, report
        self._started = time.monotonic()
        self._until = None if minutes is None else self._started + 60 * minutes
        self._here = 0

    def through(self, executor: Executor) -> StudyProgress:
        progress = self._tell(None)
        ends = executor.run(_compute, self._jobs(), on_start=self._store.start)
        try:
            with closing(cast("Generator[Ended]", ends)):  # workers stop before their runs wait again
                for job in ends:
                    self._keep(job)
                    progress = self._tell(job.key)
        finally:
            for run in self._store.runs(states=("running",)):
                self._store.release(run.id)
            with suppress(OSError):  # missing, or with the checkpoints of runs that were cut off
                checkpoint_of(self._store, "any").parent.rmdir()
        return progress

    def _keep(self, job: Ended) -> None:
        error = job.error
        if error is None:
            try:
                self._store.finish(job.key, job.value.outcome, job.value.metrics)
            except InputError as fault:  # what cannot be kept, such as an infinite loss, is that run's failure alone
                error = f"InputError: {fault}"
        if error is not None:
            self._store.fail(job.key, error)
        checkpoint_of(self._store, job.key).unlink(missing_ok=True)
        self._here += 1

    def _jobs(self) -> Iterator[Job]:
        for run in self._store.runs(self._name, states=("waiting",)):
            if self._until is not None and time.monotonic() >= self._until:
                return
            yield Job(run.id, (run.settings, str(checkpoint_of(self._store, run.id))))

    def _tell(self, key: str | None) -> StudyProgress:
        counts, seconds = self._store.counts(self._name), time.monotonic() - self._started
        left = counts["waiting"] + counts["running"]
        progress = StudyProgress(
            counts["done"], counts["failed"], sum(counts.values()), seconds,
            seconds / self._here * left if self._here else None, None if key is None else self._store.run(key),
        )  # fmt: skip
        self._report(progress)
        return progress


def checkpoint_of(store: Store, key: str) -> Path:
    """Name the file in which a run that takes long keeps its training."""
    return store.path.with_name(f"{store.path.name}.checkpoints") / f"{key}.safetensors"


def _compute(argument: tuple[Mapping[str, Any], str]) -> Computed:
    resolved, checkpoint = argument
    return compute_run(resolved, checkpoint=Path(checkpoint))
