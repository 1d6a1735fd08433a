"""Where a command's data comes from: a set of the catalog by its name, or what lies at a path."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import fields
from pathlib import Path

import murk.data
from murk.cli.failure import kept_on_interrupt
from murk.cli.progress import progress_bar
from murk.data import ENTRIES, Columns, Dataset, Reading
from murk.data.cache import cache_folder
from murk.errors import refuse

__all__ = ["is_path", "load_shown", "read_shown"]

MEGABYTE = 1_000_000


def read_shown(
    place: str, *, side: int = 64, skip_corrupt: bool = False, columns: Sequence[str] = (), votes: Path | None = None
) -> Reading:
    """Read a set of the catalog, or what lies at a path; show how far fetching or decoding has come.

    Args:
        place: a name of the catalog (which wins over a file of the same name; `./name` is that file), or a path.
        side: edge in pixels to which images at a path are brought.
        skip_corrupt: leave out images at a path that cannot be decoded.
        columns: "ROLE=NAME" each, a role of `murk.data.Columns`; several of one role for votes and features.
        votes: a table of votes on the examples at a path.

    Raises:
        InputError: an unknown role, columns for a set of the catalog, or what `murk.data.read` refuses.
    """
    if not is_path(place):
        refuse(["--column goes with a table of yours, but a set of the catalog came" if columns else ""])
        return Reading(load_shown(place), kind="catalog")
    cache = cache_folder()
    kept = f"images decoded so far are kept in {cache}; run the same command to go on"
    with kept_on_interrupt(cache, kept), progress_bar(f"reading {Path(place).name}") as advance:
        return murk.data.read(
            place,
            votes=votes,
            columns=_columns(columns),
            side=side,
            skip_corrupt=skip_corrupt,
            on_progress=_teller(advance, "pixels"),
        )


def _columns(given: Sequence[str]) -> Columns | None:
    """Read roles and names."""
    found: dict[str, list[str]] = {}
    roles = {field.name: field.default for field in fields(Columns)}
    for text in given:
        role, sign, name = text.partition("=")
        refuse([
            "" if sign and role in roles else
            f"a column is told as ROLE=NAME with a role of {', '.join(roles)}, but {text!r} came",
            f"--column {role}= is given twice; a table has one" if role in found and roles[role] is None else "",
        ])  # fmt: skip
        found.setdefault(role, []).append(name)
    if not found:
        return None
    return Columns(**{role: names[0] if roles[role] is None else tuple(names) for role, names in found.items()})  # type: ignore[arg-type]


def load_shown(name: str) -> Dataset:
    """Load a set of the catalog; where it must be fetched, show how far that has come."""
    cache = cache_folder()
    kept = f"what has arrived is kept in {cache}; run the same command to go on"
    with kept_on_interrupt(cache, kept), progress_bar(f"fetching {name}") as advance:
        return murk.data.load(name, progress=_teller(advance))


def _teller(advance: Callable[..., None], what: str = "") -> Callable[[murk.data.Progress], None]:
    def tell(progress: murk.data.Progress) -> None:
        sizes = f"{what or progress.name}, {progress.done / MEGABYTE:.1f} of {progress.total / MEGABYTE:.1f} MB"
        advance(progress.done, progress.total, sizes, milestone=progress.done == progress.total)

    return tell


def is_path(place: str) -> bool:
    """Tell whether a place is meant as a path: it is there, or looks like one, and is no name of the catalog."""
    known = place in (*(entry.name for entry in ENTRIES), "imagenet") or place.startswith("folder:")
    looks = os.sep in place or Path(place).suffix != ""
    return not known and (looks or os.path.exists(place))
