"""Gathered: what a reader found becomes a reading; classes become numbers, and what is wrong or odd is told."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from jaxtyping import Float64, Int64, Shaped

from murk.data.classes import (
    NO_LABEL,
    NONE_OF_THESE,
    class_names_of,
    given_faults,
    label_faults,
    name_oddities,
    natural_order,
    numbered,
    numbers_of_classes,
    small_classes,
    unclear_minus_one,
)  # fmt: skip
from murk.data.coded import Coded, stacked
from murk.data.examples import Dataset, Examples
from murk.data.found import Found, FoundVotes, Pixels
from murk.data.matching import matched
from murk.data.reading import GivenVotes, Reading
from murk.data.tables import Columns, facts_beside, found_columns, open_table, read_vote_table
from murk.data.tables.vote_columns import twice_voted
from murk.data.told_names import counted, told_names
from murk.errors import DataError, InputError, refuse

_LONGEST_ANNOTATOR = 7  # digits of the number that is the name of an annotator


def gathered(
    found: Found,
    *,
    beside: FoundVotes | None = None,
    class_names: Sequence[str] | np.ndarray | None = None,
    none_of_these: str | None = None,
    name: str = "",
) -> Reading:
    """The reading of what was found.

    Args:
        found: examples, perhaps with votes.
        beside: votes from a table of their own.
        class_names: all classes there are, as the user names them.
        none_of_these: an answer that is no class.
        name: of the data set.

    Raises:
        InputError: labels, votes or names of classes are not what they should be.
        DataError: images cannot be read, or none is left to train on.
    """
    refuse([_both(found, beside), _none_fault(none_of_these), *given_faults(class_names)])
    given_names = None if class_names is None else tuple(map(str, class_names))
    odd: tuple[str, ...] = ()
    if beside is not None:
        beside, odd = matched(beside, found)
    votes = found.votes if beside is None else beside
    names = _classes(found, votes, given_names, none_of_these)
    known = given_names or found.class_names
    labels = _numbers(found.labels, names, known, None)
    pixels = found.pixels()
    num_train = len(pixels.train)
    if not num_train:
        raise DataError(f"expected examples of {found.where} to train on, got none that can be read; look at the table")
    given = None if votes is None else _given(votes, pixels, len(found), names, known, none_of_these)
    parts = [None, None] if given is None else [_part(given, 0, num_train), _part(given, num_train, len(pixels.kept))]
    dataset = _dataset(found, pixels, labels[pixels.kept], names, name)
    told = _oddities(found, dataset, votes, parts[0], labels)
    test_votes = parts[1] if parts[1] is not None and len(parts[1]) else None
    oddities = (*found.oddities, *odd, *pixels.oddities, *told)
    return Reading(dataset, parts[0], test_votes, found.kind, found.roles, oddities)


def votes_on(
    dataset: Dataset,
    path: str | os.PathLike[str],
    *,
    columns: Columns | None = None,
    none_of_these: str | None = None,
) -> Reading:
    """Read a table of votes on examples that are in memory already, such as those of a set of the catalog.

    Args:
        dataset: whose classes the votes name or number, and whose examples to train on they are about: told by their
            ids where these are text (paths may be shortened), else by their row from 0.
        path: of the table, wide or long, as `votes` of `murk.data.read`.
        columns: which columns are what, where their names do not tell.
        none_of_these: the text of an answer that no class fits.

    Returns:
        Reading with the data as it is, the votes on it, and what looks odd about them.

    Raises:
        InputError: columns, examples or votes are not what they should be.
        DataError: no such file, or it is damaged or too large.

    Example:
        >>> import tempfile
        >>> import murk
        >>> from murk.data import votes_on
        >>> path = Path(tempfile.mkdtemp()) / "votes.csv"
        >>> _ = path.write_text("example,worker,label,weight\\n7,ann,3,0.5\\n7,bob,5,1\\n")
        >>> votes = votes_on(murk.load("digits"), path).votes
        >>> votes.example.tolist(), votes.label.tolist(), votes.weight.tolist(), votes.annotators
        ([7, 7], [3, 5], [0.5, 1.0], ('ann', 'bob'))
    """
    path, train = Path(path), dataset.train
    table = open_table(path)
    beside, roles = read_vote_table(table, facts_beside(path, table), found_columns(columns or Columns(), [table])[0])
    ids = train.ids if train.ids is not None and train.ids.dtype.kind == "U" else None
    found = Found(
        kind="", where=dataset.name or "the data", num_train=len(train),
        labels=Coded(np.asarray(train.labels), list(train.class_names)),
        pixels=lambda: Pixels(train.images, None, np.arange(len(train))), ids=ids, are_paths=ids is not None,
    )  # fmt: skip
    read = gathered(found, beside=beside, class_names=train.class_names, none_of_these=none_of_these)
    told = {f"{beside.where}:{column}": said for column, said in roles.told.items()}
    return replace(read, dataset=dataset, roles=told, oddities=(*read.oddities, *roles.oddities))


def _both(found: Found, beside: FoundVotes | None) -> str:
    if found.votes is None or beside is None:
        return ""
    return (f"expected votes in {found.where} or in {beside.where}, got some in both; leave `votes=...` out, or "
            "take the columns of votes out of the data")  # fmt: skip


def _none_fault(none_of_these: str | None) -> str:
    if none_of_these is None or (isinstance(none_of_these, str) and none_of_these.strip()):
        return ""
    return f"expected none_of_these as the text of that answer, got {none_of_these!r:.60}"


def _classes(
    found: Found, votes: FoundVotes | None, given: tuple[str, ...] | None, none_of_these: str | None
) -> tuple[str, ...]:
    """The names of the classes, or everything that is wrong with the labels and votes."""
    columns = {f"labels of {found.where}": found.labels}
    told: Sequence[str] = found.class_names
    if votes is not None and not votes.num_classes:
        columns[f"votes of {votes.where}"] = votes.label
    names = class_names_of(list(columns.values()), given=given, told=told, none_of_these=none_of_these)
    faults = [] if given is not None else unclear_minus_one(stacked(list(columns.values())), " and ".join(columns))
    for what, column in columns.items():
        answer = None if column is found.labels else none_of_these
        faults += label_faults(
            column, names, what=what, none_of_these=answer, given=given is not None,
            by_number=numbers_of_classes(column, given or told),
        )  # fmt: skip
    if none_of_these in found.labels.texts:
        faults.append(f"expected labels of {found.where} that are classes, got {none_of_these!r}, which is to be "
                      "none; leave those cells empty, or leave `none_of_these=...` out")  # fmt: skip
    refuse(faults)
    return _with_numbered(votes, names) if votes is not None and votes.num_classes else names


def _with_numbered(votes: FoundVotes, names: tuple[str, ...]) -> tuple[str, ...]:
    """The names, where votes tell a number of classes; without names the numbers serve."""
    if names and len(names) != votes.num_classes:
        raise InputError(f"expected votes over the {counted(len(names), 'class', 'classes')} of the data, got "
                         f"{votes.where}, which tells of {votes.num_classes:,}; take the right one")  # fmt: skip
    names = names or tuple(map(str, range(votes.num_classes)))
    known = {*map(str, range(len(names))), "-1", "-2"}
    wrong = [text for text in votes.label.texts if text not in known]
    if wrong:
        raise DataError(f"expected labels of {votes.where} in [0, {len(names):,}), or -1 or -2, got {wrong[0]:.40}; "
                        "write the votes again")  # fmt: skip
    return names


def _numbers(
    column: Coded, names: tuple[str, ...], told: Sequence[str], none_of_these: str | None, *, are_numbers: bool = False
) -> Int64[np.ndarray, " n"]:
    by_number = are_numbers or numbers_of_classes(column, told)
    return numbered(column, names, none_of_these=none_of_these, by_number=by_number)


def _given(
    votes: FoundVotes, pixels: Pixels, count: int, names: tuple[str, ...], told: Sequence[str],
    none_of_these: str | None,
) -> tuple[FoundVotes, Int64[np.ndarray, " V"], Int64[np.ndarray, " V"]]:  # fmt: skip
    """The votes that count, with the rows of their examples among those that are kept, and their classes."""
    assert votes.position is not None  # found by now
    place = np.full(count + 1, -1)
    place[pixels.kept] = np.arange(len(pixels.kept))
    rows = place[votes.position]
    labels = _numbers(votes.label, names, told, none_of_these, are_numbers=bool(votes.num_classes))
    counted_ones = np.flatnonzero((rows >= 0) & (labels != NO_LABEL))
    return votes.taken(counted_ones), rows[counted_ones], labels[counted_ones]


def _part(
    given: tuple[FoundVotes, Int64[np.ndarray, " V"], Int64[np.ndarray, " V"]], start: int, stop: int
) -> GivenVotes:
    """The votes on the examples of one part; annotators are numbered alike in both."""
    votes, rows, labels = given
    codes, names = _annotators(votes)
    chosen = np.flatnonzero((rows >= start) & (rows < stop))
    weight: Float64[np.ndarray, " V"] | None = None if votes.weight is None else votes.weight[chosen]
    return GivenVotes(rows[chosen] - start, labels[chosen], None if codes is None else codes[chosen], weight, names)


def _annotators(votes: FoundVotes) -> tuple[Int64[np.ndarray, " V"] | None, tuple[str, ...]]:
    """Annotators as numbers, in the natural order of their names; those that have numbers of their own keep them."""
    if votes.annotator is None:
        return None, ()
    texts = votes.annotator.texts
    names = sorted(texts, key=natural_order(texts))
    if votes.num_classes:
        if not all(map(_is_number, texts)):
            raise DataError(f"expected annotators of {votes.where} as whole numbers from 0 of at most "
                            f"{_LONGEST_ANNOTATOR} digits, got {told_names(texts)}; write the votes again")  # fmt: skip
        names = list(map(str, range(max(map(int, texts), default=-1) + 1)))
    place = {name: number for number, name in enumerate(names)}
    return np.array([*(place[text] for text in texts), -1], np.int64)[votes.annotator.codes], tuple(names)


def _is_number(text: str) -> bool:
    """Whether this is what an annotator of murk's own tables is called."""
    return text.isascii() and text.isdecimal() and len(text) <= _LONGEST_ANNOTATOR and str(int(text)) == text


def _dataset(
    found: Found, pixels: Pixels, labels: Int64[np.ndarray, " L"], names: tuple[str, ...], name: str
) -> Dataset:
    def part(images: Shaped[np.ndarray, "n ..."], start: int) -> Examples:
        rows = slice(start, start + len(images))
        columns = (None if column is None else column[pixels.kept][rows] for column in (found.ids, found.groups))
        return Examples(images, labels[rows], names, *columns)

    train = part(pixels.train, 0)
    return Dataset(train, train[:0] if pixels.test is None else part(pixels.test, len(train)), name)


def _oddities(
    found: Found, dataset: Dataset, votes: FoundVotes | None, given: GivenVotes | None, labels: Int64[np.ndarray, " M"]
) -> list[str]:
    names, train = dataset.class_names, dataset.train
    told = name_oddities(names)
    known = train.labels[train.labels >= 0]
    if len(known):
        told += small_classes(np.bincount(known, minlength=len(names)), names, of="examples")
    elif given is not None:
        voted = given.label[given.label != NONE_OF_THESE]
        told += small_classes(np.bincount(voted, minlength=len(names)), names, of="votes")
    unknown = int((labels == NO_LABEL).sum())
    if 0 < unknown < len(labels):
        told.append(f"{counted(unknown, 'example')} of {found.where} without a label")
    if given is not None and votes is not None and votes.position is not None:
        again = twice_voted(votes, votes.position)
        without = len(train) - len(np.unique(given.example))
        told += [again] if again else []
        told += [f"{counted(without, 'example')} to train on without a vote"] if without else []
    columns = {"labels": found.labels} | ({} if votes is None or votes.num_classes else {"votes": votes.label})
    minus = [what for what, column in columns.items() if "-1" in column.texts and "-1" not in names]
    return [*told, *(f"{what} of -1 taken for no answer" for what in minus)]
