"""Tables of examples: their rows as examples, with what the columns say of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Int64, Shaped

from murk.data.classes import emptied
from murk.data.coded import Coded, compact, in_rows, shown_text
from murk.data.decoded_files import DecodeSettings
from murk.data.found import Found, FoundVotes, Pixels, pixels_of
from murk.data.image_files import image_files
from murk.data.tables.columns import Columns, Roles
from murk.data.tables.embedded import embedded_images
from murk.data.tables.recognition import recognised
from murk.data.tables.table_columns import Table, repeats
from murk.data.tables.vote_columns import rows_as_codes, votes_of_table
from murk.data.told_names import counted, told_name, told_names
from murk.errors import refuse

TRAIN, TESTS = ("train", "training"), (("val", "valid", "validation", "dev"), ("test", "testing"))


@dataclass(frozen=True, eq=False)
class Rows:
    """Which examples the n rows of a table hold.

    Attributes:
        first: int64 [N], the first row of each example.
        of: int64 [n], the example of each row.
    """

    first: Int64[np.ndarray, " N"]
    of: Int64[np.ndarray, " n"]


def found_in_table(
    table: Table,
    columns: Columns,
    settings: DecodeSettings,
    *,
    folder: Path | None,
    splits: Sequence[tuple[str, int]] = (),
    kind: str = "table",
) -> Found:
    """The examples of a table.

    Args:
        table: an open one.
        columns: what the user named, all of it in this table.
        settings: how images are decoded.
        folder: what paths of images start from; None: embedded images without bytes are opened wherever they are.
        splits: names and lengths of parts that lie one after the other, where columns do not say it.
        kind: as `Reading` says.

    Raises:
        InputError: columns or cells are not what they should be; all told together.
    """
    roles = recognised(table, columns)
    key = table.coded(roles.example) if roles.is_long and roles.example is not None else None
    rows = _rows(table, key)
    cells = _Cells(table, rows)
    part = _parts(table, splits) if splits else cells.coded(roles.split)
    order, num_train, oddities = _order(part, len(rows.first), table.where, cells.faults)
    label = cells.coded(roles.label)
    group = cells.coded(roles.group)
    column = roles.id or roles.example or (None if _is_embedded(table, roles) else roles.path)
    names = None if column is None else table.coded(column).taken(rows.first)
    if names is not None:
        cells.faults += _name_faults(table, str(column), names, part if splits else None)
    features = cells.features(roles.features, order)
    _check_label_kind(table, roles, cells.faults)
    refuse(cells.faults)
    return Found(
        kind=kind, where=table.where, num_train=num_train,
        labels=Coded(np.full(len(order), -1), []) if label is None else emptied(label).taken(order),
        pixels=_pixels(table, roles, rows.first[order], num_train, features, settings, folder),
        ids=names.taken(order).array("ids") if names is not None else None if splits else order,
        groups=None if group is None else group.taken(order).array("groups"),
        are_paths=column is not None and column == roles.path,
        left_out=frozenset(_texts(names, np.setdiff1d(np.arange(len(rows.first)), order))),
        votes=_own_votes(table, roles, rows, order, names),
        class_names=() if roles.label is None else table.told_classes(roles.label),
        roles=roles.told, oddities=(*roles.oddities, *oddities),
    )  # fmt: skip


class _Cells:
    """Cells of each example, taken from its first row; the others must agree. Faults are gathered."""

    def __init__(self, table: Table, rows: Rows) -> None:
        self.table, self.rows = table, rows
        self.faults: list[str] = []

    def coded(self, name: str | None) -> Coded | None:
        """A column as codes [N]."""
        if name is None:
            return None
        if self.table.kind(name) == "list":
            return Coded(np.full(len(self.rows.first), -1), [])  # refused by `_check_label_kind`
        coded = self.table.coded(name)
        self._agree(name, coded.codes)
        return coded.taken(self.rows.first)

    def features(self, names: Sequence[str], order: Int64[np.ndarray, " M"]) -> Float32[np.ndarray, "M D"] | None:
        """Columns of numbers, or the one of lists, as float32, all of them finite; examples in this order."""
        if not names:
            return None
        with np.errstate(over="ignore"):
            if self.table.kind(names[0]) == "list":
                values = self.table.vectors(names[0])
            else:
                values = np.empty((len(self.table), len(names)), np.float32)
                for column, name in enumerate(names):
                    values[:, column] = self.table.numbers(name)
        wrong = ~np.isfinite(values)
        if wrong.any():
            row, column = (int(place[0]) for place in np.nonzero(wrong))
            told = names[column] if len(names) > 1 else names[0]
            self.faults.append(f"expected features of {self.table.where} that are finite in float32, got an empty "
                               f"cell, NaN, infinity or overflow {in_rows(wrong.any(axis=1))}, first in column "
                               f"{shown_text(told)}: {values[row, column]}; fill or drop them")  # fmt: skip
        else:
            self._agree(told_names(names), values)
        rows = self.rows.first[order]
        return values if np.array_equal(rows, np.arange(len(values))) else values[rows]

    def _agree(self, name: str, values: Shaped[np.ndarray, "n ..."]) -> None:
        if len(self.rows.first) == len(values):
            return
        differs = values != values[self.rows.first[self.rows.of]]
        differs = differs.reshape(len(values), -1).any(axis=1)
        if differs.any():
            self.faults.append(f"expected one {name!r} for each example of {self.table.where}, got another than before "
                               f"{in_rows(differs)}; bring them into line")  # fmt: skip


def _rows(table: Table, key: Coded | None) -> Rows:
    if key is None:
        return Rows(np.arange(len(table)), np.arange(len(table)))
    if (key.codes < 0).any():
        refuse(
            [f"expected an example in every row of {table.where}, got an empty cell {in_rows(key.codes < 0)}; fill it"]
        )
    of, first = repeats(key.codes)
    return Rows(first, of)


def _parts(table: Table, splits: Sequence[tuple[str, int]]) -> Coded:
    lengths = [length for _, length in splits]
    return compact(np.repeat(np.arange(len(splits)), lengths), [name for name, _ in splits])


def _order(
    part: Coded | None, count: int, where: str, faults: list[str]
) -> tuple[Int64[np.ndarray, " M"], int, tuple[str, ...]]:
    """Examples in the order to train on, to test with; how many are to train on; who is left out."""
    if part is None:
        return np.arange(count), count, ()
    names = [text.strip().casefold() for text in part.texts]
    known = {*TRAIN, *TESTS[0], *TESTS[1]}
    strange = [text for text, name in zip(part.texts, names, strict=True) if name not in known]
    if strange or (part.codes < 0).any():
        got = f"got {shown_text(strange[0])}" if strange else f"got an empty cell {in_rows(part.codes < 0)}"
        faults.append(f"expected each example of {where} in train, or in {', '.join((*TESTS[0], TESTS[1][0]))}, {got}; "
                      "correct it, or name other columns")  # fmt: skip
        return np.arange(count), count, ()
    group = np.array([0 if name in TRAIN else 1 if name in TESTS[0] else 2 for name in names])[part.codes]
    train, val, test = (np.flatnonzero(group == which) for which in range(3))
    if not len(train):
        faults.append(f"expected examples of {where} to train on, got {told_names(part.texts)} alone; call them train")
    odd = f"{counted(len(test), 'example')} of test not read, as there is a part for validation to test with"
    return np.concatenate([train, val if len(val) else test]), len(train), ((odd,) if len(val) and len(test) else ())


def _name_faults(table: Table, column: str, names: Coded, part: Coded | None) -> list[str]:
    """Names of examples must be there and different; those of different splits may be equal."""
    faults, empty = [], names.codes < 0
    if empty.any():
        faults.append(f"expected a name in every row of column {column!r} of {table.where}, got an empty cell "
                      f"{in_rows(empty)}; fill it")  # fmt: skip
    keys = names.codes if part is None else names.codes + (len(names.texts) + 1) * part.codes
    _, first, counts = np.unique(keys[~empty], return_index=True, return_counts=True)
    if (counts > 1).any():
        twice = keys[~empty][first[counts > 1].min()]
        rows = np.flatnonzero((keys == twice) & ~empty)
        faults.append(f"expected names in column {column!r} of {table.where} that are all different, got "
                      f"{(counts > 1).sum():,} that repeat, such as {shown_text(names.texts[names.codes[rows[0]]])} "
                      f"{in_rows(rows)}; leave repeats out, or, if each row is a vote, name the column of votes by "
                      "`columns=Columns(votes=...)`")  # fmt: skip
    return faults


def _texts(names: Coded | None, examples: Int64[np.ndarray, " m"]) -> list[str]:
    """What these examples are called: by name, or by row."""
    return [str(row) if names is None else names.texts[names.codes[row]] for row in examples.tolist()]


def _check_label_kind(table: Table, roles: Roles, faults: list[str]) -> None:
    if roles.label is not None and table.kind(roles.label) == "list":
        faults.append(f"expected one label in each cell of column {roles.label!r} of {table.where}, got lists; "
                      "multi-label data is not served: keep one class each")  # fmt: skip


def _is_embedded(table: Table, roles: Roles) -> bool:
    return roles.path is not None and table.kind(roles.path) == "image"


def _own_votes(
    table: Table, roles: Roles, rows: Rows, order: Int64[np.ndarray, " M"], names: Coded | None
) -> FoundVotes | None:
    """The votes in the table itself, each about the example of its row."""
    place = np.full(len(rows.first), -1)
    place[order] = np.arange(len(order))
    called = rows_as_codes(len(rows.first)) if names is None else names
    votes, row = votes_of_table(table, roles, Coded(called.codes[rows.of], called.texts))
    return None if votes is None else replace(votes, position=place[rows.of[row]])


def _pixels(
    table: Table, roles: Roles, rows: Int64[np.ndarray, " M"], num_train: int,
    features: Float32[np.ndarray, "M D"] | None, settings: DecodeSettings, folder: Path | None,
) -> Callable[[], Pixels]:  # fmt: skip
    """How to read what the examples look like, in their order."""
    if features is not None:
        return partial(pixels_of, features, np.arange(len(features)), num_train=num_train)
    path = roles.path or ""  # else the table is refused

    def embedded() -> Pixels:
        images, kept, skipped = embedded_images(
            table.arrow.column(path), where=table.where, rows=rows, may_open=folder is None, settings=settings
        )
        told = tuple((f"row {row}", reason) for row, reason in skipped)
        return pixels_of(images, kept, num_train=num_train, oddities=_skipped(told))

    def files() -> Pixels:
        paths = table.coded(path).taken(rows).array(f"paths in column {path!r} of {table.where}").tolist()
        read = image_files(
            folder or Path(), paths, side=settings.side, cache=settings.cache, processes=settings.processes,
            skip_corrupt=settings.skip_corrupt, verify=settings.verify, on_progress=settings.on_progress,
        )  # fmt: skip
        return pixels_of(read.images, read.kept, num_train=num_train, oddities=_skipped(read.skipped))

    return embedded if _is_embedded(table, roles) else files


def _skipped(skipped: tuple[tuple[str, str], ...]) -> tuple[str, ...]:
    if not skipped:
        return ()
    told = told_names(f"{told_name(name)} ({told_name(reason)})" for name, reason in skipped)
    return (f"{counted(len(skipped), 'corrupt file')} skipped: {told}",)
