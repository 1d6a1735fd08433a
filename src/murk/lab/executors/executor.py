"""An executor: takes jobs as it can, and hands back how each ended."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from murk.errors import DataError

__all__ = ["ATTEMPTS", "Ended", "Executor", "Job", "compute", "given_up", "packed"]

ATTEMPTS = 3


@dataclass(frozen=True)
class Job:
    """One thing to compute.

    Attributes:
        key: what the job is called, such as a run id.
        argument: what the work is called with; plain picklable values.
    """

    key: str
    argument: Any


@dataclass(frozen=True)
class Ended:
    """How a job ended: with a value, or with an error.

    Attributes:
        key: the job's.
        value: what the work returned; None where it failed.
        error: "TypeName: message" of what the work raised, or None.
        stops_all: whether the other jobs would fare no better: what the work raised is a `DataError`, of data that
            cannot be read or a disk that is full.
    """

    key: str
    value: Any = None
    error: str | None = None
    stops_all: bool = False


class Executor(Protocol):
    """Computes jobs, several at a time; the same values whichever executor it is, in whatever order they end.

    A job that raises ends with its error, and the others go on. A job whose worker is killed half-way is computed
    again, three times in all. Closing the iterator, or an exception in its caller, stops what is still computing.
    """

    def run(
        self, work: Callable[[Any], Any], jobs: Iterable[Job], *, on_start: Callable[[str], None]
    ) -> Iterator[Ended]:
        """Compute `work(job.argument)` for every job.

        Args:
            work: a function at the top level of a module that workers can import too.
            jobs: with keys that differ; a job is taken only when a slot is free for it.
            on_start: called here with a job's key when it is handed out, once a job.

        Returns:
            An iterator over how the jobs ended, in the order in which they do.
        """
        ...


def compute(work: Callable[[Any], Any], job: Job) -> Ended:
    """Compute one job; what it raises is its end, and leaving by `sys.exit` is a failure like others."""
    try:
        return Ended(job.key, work(job.argument))
    except (Exception, SystemExit) as error:
        return _failed(job.key, error)


def packed(ended: Ended) -> bytes:
    """Pickle how a job ended; a value that cannot be is the job's fault, not the worker's."""
    try:
        return pickle.dumps(ended)
    except Exception as error:
        return pickle.dumps(_failed(ended.key, error))


def given_up(key: str, how: str) -> Ended:
    """End a job that no worker survived; `how` the last one died."""
    advice = "where memory ran out, compute fewer jobs at a time"
    return Ended(key, error=f"WorkerDied: the worker died {ATTEMPTS} times at this job, at last {how}; {advice}")


def _failed(key: str, error: BaseException) -> Ended:
    return Ended(key, error=f"{type(error).__name__}: {error}", stops_all=isinstance(error, DataError))
