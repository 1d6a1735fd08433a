"""Where a command's data comes from: a set of the catalog by its name, or what lies at a path."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

import murk.data
from murk.cli.failure import kept_on_interrupt
from murk.cli.output import print_remark
from murk.cli.progress import progress_bar
from murk.cli.spelling import in_options
from murk.data import ENTRIES, Columns, Dataset, Reading, votes_on
from murk.data.cache import cache_folder
from murk.data.missing import did_you_mean, did_you_mean_path
from murk.data.told_names import counted, told_name
from murk.errors import DataError, InputError, refuse
from murk.lab.result import FACTS, read_result

__all__ = [
    "CATALOG",
    "HowRead",
    "columns_named",
    "count_of_classes",
    "is_path",
    "is_set",
    "load_shown",
    "read_shown",
    "refuse_foreign",
    "refuse_out",
    "refuse_unlabelled",
]

SIDE, CATALOG = 64, "catalog"
FOLDERS = "imagenet", "folder:NAME@SIDE"
OF_VOTES = "--column", "--none-of-these"  # options that say how a table of votes is read, too
MEGABYTE = 1_000_000


@dataclass(frozen=True)
class HowRead:
    """How data at a path is read; with a set of the catalog goes only what says how a table of votes on it is read.

    Attributes:
        side: edge in pixels to which images are brought; None for 64.
        skip_corrupt: leave out images that cannot be decoded.
        columns: "ROLE=NAME" each, a role of `murk.data.Columns`; several of one role for votes and features.
        classes: all classes, separated by commas, or None for those that occur.
        none_of_these: the text of an answer that no class fits.
        verify: compare all pixels that were decoded earlier with their digest, however many they are.
    """

    side: int | None = None
    skip_corrupt: bool = False
    columns: Sequence[str] = ()
    classes: str | None = None
    none_of_these: str | None = None
    verify: bool = False

    @property
    def options(self) -> list[str]:
        """The options that were given."""
        given = {"--side": self.side, "--skip-corrupt": self.skip_corrupt, "--column": self.columns,
                 "--classes": self.classes, "--none-of-these": self.none_of_these,
                 "--verify": self.verify}  # fmt: skip
        return [option for option, value in given.items() if value]


def read_shown(
    place: str,
    how: HowRead,
    *,
    votes: Path | None = None,
    tell: bool = True,
    before_decoding: Callable[[Reading], object] | None = None,
) -> Reading:
    """Read a set of the catalog, or what lies at a path; show how far fetching or decoding has come.

    Args:
        place: a name of the catalog (which wins over a file of the same name; `./name` is that file), or a path.
        how: to read what lies at a path.
        votes: a table of votes on the examples.
        tell: whether what looks odd is told on stderr.
        before_decoding: refuses what will not do; as `murk.data.read` says of a path. Of a set of the catalog, which
            is there whole before its votes are read, it is given the reading itself.

    Raises:
        InputError: an unknown role, options of a path for a set of the catalog, or what `murk.data.read` or
            `murk.data.votes_on` refuses.
    """
    columns = columns_named(how.columns)
    if is_path(place):
        reading = _at_path(place, how, columns, votes, before_decoding)
    else:
        reading = _of_set(place, how, columns, votes)
        if before_decoding is not None:
            before_decoding(reading)
    reading = replace(reading, oddities=tuple(map(in_options, reading.oddities)))
    for oddity in reading.oddities if tell else ():
        print_remark(f"{(Path(place) if votes is None or is_path(place) else votes).name}: {oddity}")
    return reading


def _at_path(
    place: str, how: HowRead, columns: Columns | None, votes: Path | None,
    before_decoding: Callable[[Reading], object] | None,
) -> Reading:  # fmt: skip
    """Read what lies at a path."""
    cache = cache_folder()
    kept = f"images decoded so far are kept in {cache}; run the same command to go on"
    with kept_on_interrupt(kept, cache), progress_bar(f"reading {Path(place).name}") as advance:
        return murk.data.read(
            place, votes=votes, columns=columns, side=how.side or SIDE, skip_corrupt=how.skip_corrupt,
            class_names=None if how.classes is None else [name.strip() for name in how.classes.split(",")],
            none_of_these=how.none_of_these, verify=how.verify or None, on_progress=_teller(advance, "pixels"),
            before_decoding=before_decoding,
        )  # fmt: skip


def _of_set(name: str, how: HowRead, columns: Columns | None, votes: Path | None) -> Reading:
    """Read a set of the catalog, and a table of votes on it."""
    known = () if votes is None else OF_VOTES
    refuse(
        f"{option} goes with data of yours, but {name} is a set of the catalog"
        for option in how.options if option not in known
    )  # fmt: skip
    dataset = _of_catalog(name)
    if votes is None:
        return Reading(dataset, kind=CATALOG)
    return replace(votes_on(dataset, votes, columns=columns, none_of_these=how.none_of_these), kind=CATALOG)


def count_of_classes(reading: Reading) -> int:
    """Count the classes.

    Raises:
        InputError: fewer than two, so that there is nothing to tell apart.
    """
    names = reading.dataset.class_names
    if len(names) < 2:
        found = f"one class, {told_name(names[0])}" if names else "no label or vote"
        raise InputError(f"the data holds {found}; bring labels or votes of at least two classes")
    return len(names)


def refuse_unlabelled(dataset: Dataset) -> None:
    """Refuse to draw votes for examples whose class is not known.

    Raises:
        InputError: there are such among those to train on.
    """
    unknown = int((dataset.train.labels < 0).sum())
    if unknown:
        raise InputError(f"votes are drawn for true labels, but {counted(unknown, 'example')} to train on without one "
                         f"came in {dataset.name}; label them, or leave them out")  # fmt: skip


def refuse_out(out: Path, *inputs: str | Path | None, endings: Sequence[str] = (), option: str = "-o") -> None:
    """Refuse, before anything is read, a place to write to that cannot be meant or will not do.

    Args:
        out: what the option names.
        inputs: what the command reads.
        endings: of a file; a folder has none.
        option: that names it.

    Raises:
        InputError: another ending, `out` is one of the inputs or lies in a folder that is one, or nothing can be
            written there.
    """
    above = next((folder for folder in out.absolute().parents if folder.exists()), Path())
    refuse([
        f"{option} names a file that ends in {' or '.join(endings)}, but {out.name!r} came"
        if endings and out.suffix not in endings else "",
        f"{option} {out} is a folder; name a file in it" if endings and out.is_dir() else "",
        f"{option} {out} cannot be written below {above}; name another place"
        if not (above.is_dir() and os.access(above, os.W_OK)) else "",
    ])  # fmt: skip
    for given in inputs:
        if given is None or not os.path.exists(given) or (isinstance(given, str) and not is_path(given)):
            continue
        place, target = Path(given).resolve(), out.resolve()
        if place == target or (place.is_dir() and place in target.parents):
            raise InputError(f"{option} {out} would write into what is read from ({given}); name another file")


def refuse_foreign(out: Path, command: str, known: Sequence[str]) -> None:
    """Refuse a folder that holds what a command did not write; beside what it wrote anything may lie, and stays.

    Args:
        out: the folder.
        command: whose result it may hold.
        known: how names begin that the command writes, from before it was stopped.

    Raises:
        InputError: a file, or a folder with other things.
    """
    if out.exists() and not out.is_dir():
        raise InputError(f"{out} is a file; name a folder by -o")
    try:
        if read_result(out).command == command:
            return
    except DataError:
        pass  # no result, or none that is whole
    ours = (*known, f"{FACTS}.")  # and parts that were left by a kill
    strange = [entry.name for entry in out.iterdir() if not entry.name.startswith(ours)] if out.exists() else []
    if strange:
        raise InputError(f"{out} holds other things ({', '.join(sorted(strange)[:3])}); name a new folder by -o")


def columns_named(given: Sequence[str]) -> Columns | None:
    """Read what --column says of the columns of tables: "ROLE=NAME" each; None where it says nothing.

    Raises:
        InputError: an unknown role, or one of which a table has one is given twice; all told together.

    Example:
        >>> columns_named(["label=species", "votes=ann", "votes=ben"]).votes
        ('ann', 'ben')
    """
    found: dict[str, list[str]] = {}
    roles = {field.name: field.default for field in fields(Columns)}
    faults = []
    for text in given:
        role, sign, name = text.partition("=")
        if not sign or not name or role not in roles:
            faults.append(f"a column is told as ROLE=NAME with a role of {', '.join(roles)}, but {text!r} came"
                          f"{did_you_mean(role, list(roles)) if role not in roles else ''}")  # fmt: skip
        elif role in found and roles[role] is None:
            faults.append(f"--column {role}=NAME is given twice; a table has one")
        found.setdefault(role, []).append(name)
    refuse(faults)
    if not found:
        return None
    return Columns(**{role: names[0] if roles[role] is None else tuple(names) for role, names in found.items()})  # type: ignore[arg-type]


def _of_catalog(name: str) -> Dataset:
    """Load a set; a name that none has may have been meant as a path, and what lies here under its name, too."""
    sets = [*(entry.name for entry in ENTRIES), *FOLDERS]
    if name not in sets and not name.startswith("folder:"):
        hint = did_you_mean_path(name, known=sets) or "; check how it is written"
        raise InputError(
            f"expected a set of the catalog ({', '.join(sets)}) or a path, got {told_name(name)}, neither of them{hint}"
        )
    if os.path.exists(name):
        print_remark(f"{name} is the set of the catalog; what lies here by that name is ./{name}")
    return load_shown(name)


def load_shown(name: str) -> Dataset:
    """Load a set of the catalog; where it must be fetched, show how far that has come."""
    cache = cache_folder()
    kept = f"what has arrived is kept in {cache}; run the same command to go on"
    with kept_on_interrupt(kept, cache), progress_bar(f"fetching {name}") as advance:
        return murk.data.load(name, progress=_teller(advance))


def _teller(advance: Callable[..., None], what: str = "") -> Callable[[murk.data.Progress], None]:
    def tell(progress: murk.data.Progress) -> None:
        sizes = f"{what or progress.name}, {progress.done / MEGABYTE:.1f} of {progress.total / MEGABYTE:.1f} MB"
        advance(progress.done, progress.total, sizes, milestone=progress.done == progress.total)

    return tell


def is_path(place: str) -> bool:
    """Tell whether a place is meant as a path: it is there, or looks like one, and is no name of the catalog."""
    looks = os.sep in place or Path(place).suffix != ""
    return not is_set(place) and (looks or os.path.exists(place))


def is_set(place: str) -> bool:
    """Tell whether a place is a name of the catalog."""
    return place in (*(entry.name for entry in ENTRIES), "imagenet") or place.startswith("folder:")
