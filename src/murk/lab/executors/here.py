"""In this process, one job after another."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from murk.lab.executors.executor import Ended, Job, compute

__all__ = ["Here"]


class Here:
    """Computes in this process, with as many threads as the work takes; Ctrl-C stops the job at hand, unended.

    Example:
        >>> from math import sqrt
        >>> ends = Here().run(sqrt, [Job("a", 9.0), Job("b", -1.0)], on_start=print)
        >>> [(ended.key, ended.value, ended.error) for ended in ends]
        a
        b
        [('a', 3.0, None), ('b', None, 'ValueError: math domain error')]
    """

    slots = 1
    """How many jobs are computed at a time."""

    def run(
        self, work: Callable[[Any], Any], jobs: Iterable[Job], *, on_start: Callable[[str], None]
    ) -> Iterator[Ended]:
        """Compute the jobs one after another; see `Executor.run`."""
        for job in jobs:
            on_start(job.key)
            yield compute(work, job)
