"""Who computes the runs of a study, and the sight of them: the options, and what they come to."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Annotated

import typer

from murk.cli.place import load_shown
from murk.data import ENTRIES
from murk.errors import refuse
from murk.lab import Executor, Here, Processes, RayCluster, StudyProgress

__all__ = ["Jobs", "Minutes", "Ray", "executor_for", "fetch_sets", "teller"]

Jobs = Annotated[
    int | None, typer.Option("--jobs", min=1, help="Trainings at a time, from 2 on in processes of one thread each.")
]
Ray = Annotated[str | None, typer.Option("--ray", metavar="auto|HOST:PORT", help="Compute on a Ray cluster.")]
Minutes = Annotated[float | None, typer.Option("--minutes", help="Begin no run after this time.")]


def executor_for(*, jobs: int | None, ray: str | None, minutes: float | None, default: int = 1) -> Executor:
    """Say who computes, before anything is written.

    Raises:
        InputError: --jobs beside --ray, minutes that are none, Ray missing, or no cluster at HOST:PORT.
    """
    refuse([
        "--jobs and --ray both say who computes; give one of them" if jobs is not None and ray is not None else "",
        "" if minutes is None or minutes > 0 else f"--minutes is a number > 0, but {minutes} came",
    ])  # fmt: skip
    if ray is not None:
        cluster = RayCluster(ray)
        cluster.refuse_silence()
        return cluster
    count = jobs or default
    return Here() if count == 1 else Processes(count)


def fetch_sets(names: Iterable[str]) -> None:
    """See that sets of the catalog are on this machine, with progress where they must be fetched."""
    known = {entry.name for entry in ENTRIES}
    for name in dict.fromkeys(names):
        if name in known:
            load_shown(name)


def teller(advance: Callable[..., None]) -> Callable[[StudyProgress], None]:
    """Give what shows the progress of a study on a `progress_bar`."""

    def tell(progress: StudyProgress) -> None:
        ended = progress.done + progress.failed
        failed = f", {progress.failed} failed" if progress.failed else ""
        advance(ended, progress.total, f"{ended} of {progress.total} runs{failed}", seconds_left=progress.seconds_left)

    return tell
