"""Reading what lies on the disk: a folder of images, a table, arrays or a data set, told by what is there."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache as asked_once
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from murk.data.arrays import ENDINGS as ARRAY_ENDINGS
from murk.data.arrays import found_in_arrays
from murk.data.decoded_files import DecodeSettings
from murk.data.download import ProgressCallback
from murk.data.folder import listed_folder
from murk.data.found import Found, Pixels, pixels_of
from murk.data.gathered import gathered
from murk.data.huggingface import is_object, is_saved, table_of_object, table_of_saved
from murk.data.missing import did_you_mean_path
from murk.data.reading import Reading
from murk.data.tables import (
    TABLE_ENDINGS,
    Columns,
    Roles,
    Table,
    facts_beside,
    found_columns,
    found_in_table,
    open_table,
    read_vote_table,
)
from murk.data.told_names import told_name
from murk.errors import DataError, InputError, refuse

__all__ = ["read"]


def read(
    path: Any,
    *,
    votes: str | os.PathLike[str] | None = None,
    columns: Columns | None = None,
    class_names: Sequence[str] | np.ndarray | None = None,
    none_of_these: str | None = None,
    side: int = 64,
    name: str = "",
    cache: str | os.PathLike[str] | None = None,
    processes: int | None = None,
    skip_corrupt: bool = False,
    verify: bool | None = None,
    on_progress: ProgressCallback | None = None,
    before_decoding: Callable[[Reading], object] | None = None,
) -> Reading:
    """Read examples, their labels and votes from wherever they are, and tell what was understood and what looks odd.

    | path | what it holds |
    |---|---|
    | a folder | images, in the layouts of `image_folder`; what `save_to_disk` of Hugging Face's `datasets` wrote; or the shards of a data set of its hub, `SPLIT-00000-of-00001.parquet`, in it or in one folder of it |
    | .csv, .tsv, .parquet, .jsonl | a table of paths of images (below its folder) or of features; `Columns` says how columns are recognised |
    | .npz, .npy | arrays `images` or `features`, `labels`, `votes`, `ids`, `groups`, the same with `test_`, and `class_names` |
    | an object | a `datasets.Dataset` or `DatasetDict` |

    Labels and votes are text; numbers are their decimal text, so that label k of 0..K-1 stays k. An empty cell (or null
    or NaN) is no label, and no vote. -1 beside whole numbers is none, too; beside 0 and 1 alone, `class_names` must say.
    Labels are not invented from votes: they are what the path says, -1 where it says nothing.

    Args:
        path: of the data.
        votes: a table of votes on them: wide, one row an example, or long, one row a vote. Its examples are told by
            their ids (for images the path, or the file's name where that is clear), else by their row from 0; murk's
            own tables of votes always by row.
        columns: which columns are what, in the table and in the table of votes, where their names do not tell.
        class_names: all classes, in order; then any other label is refused, and whole numbers count them. None: the
            classes that occur, in natural order ("2" before "10").
        none_of_these: the text of an answer in votes that no class fits.
        side: edge in pixels to which images are brought.
        name: of the data set; "" takes that of the file or folder.
        cache, processes, skip_corrupt, verify, on_progress: as `image_folder` says.
        before_decoding: called once, when all is right but the images, which are then still to be read; what it raises
            ends the reading. It is given the reading as it will be, with black images in place of its own, whatever
            they are, and nothing skipped.

    Returns:
        Reading. Oddities: columns and arrays that nothing uses, classes with fewer than 5 examples, names of classes
        that differ in case or spaces, examples without a label or vote, annotators who voted twice on an example (each
        counts), votes on examples that are not there (refused where they are the most), files that were skipped.

    Raises:
        InputError: what is named is not there or cannot be meant; labels that are not in `class_names`; ids twice;
            multi-label data, one-hot columns and regression targets. As many faults together as can be told.
        DataError: files are missing, damaged, too large, or hold Python objects.

    Example:
        >>> import tempfile
        >>> from murk.data import read
        >>> path = Path(tempfile.mkdtemp()) / "pets.csv"
        >>> _ = path.write_text("mass,ears,vote_1,vote_2\\n4.1,1.5,cat,cat\\n30.2,2.5,dog,\\n3.9,2.0,cat,dog\\n")
        >>> pets = read(path)
        >>> pets.dataset.class_names, pets.votes.example.tolist(), pets.votes.label.tolist()
        (('cat', 'dog'), [0, 1, 2, 0, 2], [0, 1, 0, 0, 1])
        >>> pets.roles["ears"], pets.roles["vote_1"]
        ('features', 'votes')
    """  # noqa: E501 - rows of a table cannot be broken
    settings = DecodeSettings(side, cache, processes, skip_corrupt, verify, on_progress)
    refuse([*_faults(columns), *settings.faults()])
    vote_table = None if votes is None else open_table(_existing(votes))
    source = _opened(path)
    tables = [*([source.table] if isinstance(source, Opened) else []), *([] if vote_table is None else [vote_table])]
    named = _named(columns or Columns(), tables)
    beside, roles = None, Roles()
    if vote_table is not None and votes is not None:
        beside, roles = read_vote_table(vote_table, facts_beside(Path(votes), vote_table), named[-1])
    listed = None
    if isinstance(source, Opened):
        found = found_in_table(
            source.table, named[0], settings, folder=source.folder, splits=source.splits, kind=source.kind
        )
    elif source.is_dir():
        listed = listed_folder(source, settings)
        found = listed.found()
    else:
        found = found_in_arrays(source)
    found = replace(found, pixels=asked_once(found.pixels))
    called = name or (found.where if listed is not None else source.stem)
    gather = partial(gathered, beside=beside, class_names=class_names, none_of_these=none_of_these, name=called)
    if before_decoding is not None:
        before_decoding(gather(replace(found, pixels=partial(_black, found, side))))
    reading = replace(gather(found), skipped=_skipped(found))
    if listed is not None:
        reading = listed.completed(reading)
    told = {f"{beside.where}:{column}": said for column, said in roles.told.items()} if beside is not None else {}
    return replace(reading, roles={**reading.roles, **told}, oddities=(*reading.oddities, *roles.oddities))


@dataclass(frozen=True, eq=False)
class Opened:
    """A table with examples, called `stem`; `found_in_table` says what the other three are."""

    stem: str
    table: Table
    folder: Path | None
    splits: Sequence[tuple[str, int]]
    kind: str


def _faults(columns: Columns | None) -> list[str]:
    if columns is None or isinstance(columns, Columns):
        return []
    return [f"expected columns as murk.data.Columns(...), got {columns!r:.60}"]


def _existing(path: Any) -> Path:
    """A path that is one, and is there."""
    if not isinstance(path, str | os.PathLike) or "\0" in os.fspath(path):
        raise InputError(f"expected the path of a file or folder, or a data set of Hugging Face, got {path!r:.60}; "
                         "arrays go into murk.Examples, or a file by np.savez")  # fmt: skip
    if not os.path.exists(path):
        hint = did_you_mean_path(path) or "; check the path"
        raise DataError(f"expected a file or folder at {told_name(os.fspath(path))}, got nothing there{hint}")
    return Path(path)


def _opened(path: Any) -> Opened | Path:
    """The table that holds the examples; else the folder of images or file of arrays, which is read later."""
    if is_object(path):
        table, splits = table_of_object(path)
        return Opened("", table, None, splits, "dataset")
    where = _existing(path)
    if where.is_dir() and is_saved(where):
        table, splits = table_of_saved(where)
        return Opened(where.name, table, where, splits, "dataset")
    if where.is_dir():
        return where
    if where.suffix.lower() in ARRAY_ENDINGS:
        return where
    if where.suffix.lower() not in TABLE_ENDINGS:
        raise InputError(f"expected a folder of images, a table ({', '.join(TABLE_ENDINGS)}) or arrays "
                         f"({', '.join(ARRAY_ENDINGS)}), got {told_name(where.name)}; convert it")  # fmt: skip
    return Opened(where.stem, open_table(where), where.parent, (), "table")


def _named(columns: Columns, tables: Sequence[Table]) -> list[Columns]:
    if not tables and columns.named():
        raise InputError("expected columns for a table, got them for data without one; leave `columns=...` out")
    return found_columns(columns, tables) if tables else []


def _black(found: Found, side: int) -> Pixels:
    """An image for each example, in the memory of a single byte."""
    images = np.broadcast_to(np.uint8(0), (len(found), side, side, 3))
    return pixels_of(images, np.arange(len(found)), num_train=found.num_train)


def _skipped(found: Found) -> tuple[str, ...]:
    """What the examples are called that have no pixels."""
    left_out = np.setdiff1d(np.arange(len(found)), found.pixels().kept)
    return tuple(map(found.called, left_out.tolist()))
