"""In this process, one job after another."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from murk.lab.executors.executor import Ended, Job, compute

__all__ = ["Here"]


class Here:
    """Computes in this process, with all its threads; Ctrl-C stops the job at hand, which then has not ended.

    Example:
        >>> from math import sqrt
        >>> list(Here().run(sqrt, [Job("a", 9.0), Job("b", -1.0)], on_start=print))
        a
        b
        [Ended(key='a', value=3.0, error=None), Ended(key='b', value=None, error='ValueError: math domain error')]
    """

    slots = 1

    def run(
        self, work: Callable[[Any], Any], jobs: Iterable[Job], *, on_start: Callable[[str], None]
    ) -> Iterator[Ended]:
        """Compute the jobs one after another; see `Executor.run`."""
        for job in jobs:
            on_start(job.key)
            yield compute(work, job)
