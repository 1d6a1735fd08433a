"""Progress on stderr, with the time left: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

from murk.cli.output import printable

__all__ = ["progress_bar", "shown_seconds"]

Advance = Callable[..., None]
"""advance(done, total, note="", seconds_left=None, milestone=False)"""

QUIET_SECONDS = 10.0  # between lines where stderr is no terminal


@contextmanager
def progress_bar(title: str, *, shown: bool = True) -> Iterator[Advance]:
    """Show how far a long work has come, unless it is not to be shown.

    Yields:
        advance(done, total, note="", seconds_left=None, milestone=False): without `seconds_left` it is estimated from
        the pace so far; a milestone is always written, also where there is no terminal.
    """
    title = printable(title)
    if not shown:
        yield lambda *told, **more: None
    elif sys.stderr.isatty():
        with _bar(title) as advance:
            yield advance
    else:
        yield _lines(title)


def shown_seconds(seconds: float) -> str:
    """Write a duration in the unit that fits it."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


@contextmanager
def _bar(title: str) -> Iterator[Advance]:
    # a name of a file is no markup: brackets in it would be cut out, or refused as a tag that nothing opened
    about, note = (TextColumn(text, markup=False) for text in ("{task.description}", "{task.fields[note]}"))
    columns = (about, BarColumn(), TaskProgressColumn(), note)
    with Progress(*columns, console=Console(file=sys.stderr), transient=True) as progress:
        task = progress.add_task(title, total=None, note="")
        started: list[tuple[float, float]] = []

        def advance(done: float, total: float, note: str = "", *, seconds_left: float | None = None,
                    milestone: bool = False) -> None:  # fmt: skip
            left = _left(started, done, total) if seconds_left is None else seconds_left
            progress.update(task, completed=done, total=total, note=_joined(note, left))

        yield advance


def _lines(title: str) -> Advance:
    started: list[tuple[float, float]] = []
    last = time.monotonic()

    def advance(done: float, total: float, note: str = "", *, seconds_left: float | None = None,
                milestone: bool = False) -> None:  # fmt: skip
        nonlocal last
        left = _left(started, done, total) if seconds_left is None else seconds_left
        if milestone or time.monotonic() - last >= QUIET_SECONDS:
            last = time.monotonic()
            print(f"{title}: {100 * done / max(total, 1):.0f} %, {_joined(note, left)}", file=sys.stderr, flush=True)

    return advance


def _left(started: list[tuple[float, float]], done: float, total: float) -> float | None:
    """Estimate the seconds to go from the pace since the first call; what was there before does not count."""
    now = time.monotonic()
    if not started:
        started.append((now, done))
    begun, before = started[0]
    return (now - begun) / (done - before) * (total - done) if done > before else None


def _joined(note: str, left: float | None) -> str:
    parts = (printable(note), "" if left is None else f"{shown_seconds(left)} left")
    return ", ".join(part for part in parts if part)
