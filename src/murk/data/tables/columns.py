"""Columns: which column of a table is what, as the user names them or as their names and kinds tell."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from murk.data.tables.table_columns import Table, quoted
from murk.errors import refuse

__all__ = ["Columns", "Roles", "found_columns"]

_SINGLE = ("id", "path", "label", "annotator", "example", "weight", "group", "split")


@dataclass(frozen=True)
class Columns:
    """Which columns of a table are what; whatever is None or () is found by its name and kind.

    | role | found as the column called (in any case; spaces, dots, `-` and `_` do not count) |
    |---|---|
    | path | path, file, filename, filepath, image, image_path, image_file, img, ..., if it is text; embedded images |
    | label | label, class, class_name, category, target, y |
    | votes | wide: vote_1, label_2, annotator_ann, worker7, rater 3, lf_3, ... (a number, or a word after a separator), or lists in one column vote, answer, response; long: the same column, else the label |
    | annotator | annotator, worker, rater, labeler, or these with _id: makes the table long, a row a vote |
    | example | example, item, task, unit, or these with _id, image_id, image: in long form, where it may come many times; else it is the id |
    | id | id, uid, uuid, identifier |
    | weight | weight, vote_weight, in a long table or one of votes; elsewhere it is a feature unless named |
    | group, split | group; split, subset, partition |
    | features | in a table without paths: the one column of lists of numbers, else every column of numbers left over but ids, row numbers and unnamed ones |

    A table is long if it has an annotator, an example that repeats, or an id or path that repeats beside the one column
    that is named as votes. There the example is told by `example`, else
    `id`, else `path`, and the votes are told by `votes`, else `label`. Columns that nothing uses are told as oddities.

    Args:
        id: names of the examples, all different; without it they are called by their path, else by their row.
        path: image files, below the table's folder.
        label: the label of each example.
        votes: one column a voter (wide), or the one that holds the votes (long).
        annotator: who gave the vote of a row (long).
        example: which example a row is about (long).
        weight: > 0, how much the votes of a row count.
        group: patient, user, near-duplicate; never split between training and held-out examples.
        split: train, or test / val, valid, validation, dev.
        features: numbers, one column a feature, or one column of lists.

    Raises:
        InputError: a name is no text, or one column is to be two things.

    Example:
        >>> from murk.data import Columns
        >>> Columns(label="species", features=("length", "width")).label
        'species'
    """  # noqa: E501 - rows of a table cannot be broken

    id: str | None = None
    path: str | None = None
    label: str | None = None
    votes: Sequence[str] = ()
    annotator: str | None = None
    example: str | None = None
    weight: str | None = None
    group: str | None = None
    split: str | None = None
    features: Sequence[str] = ()

    def __post_init__(self) -> None:
        """Take one name for a list of one; see that all names are text and each is named once."""
        for several in ("votes", "features"):
            value = getattr(self, several)
            object.__setattr__(self, several, (value,) if isinstance(value, str) else tuple(value))
        named = self.named()
        refuse(
            [f"expected names of columns as text, got {name!r} for {role}" for role, name in named
             if not isinstance(name, str)]
        )  # fmt: skip
        roles: dict[str, list[str]] = {}
        for role, name in named:
            roles.setdefault(name, []).append(role)
        refuse(
            f"expected one role for each column, got {name!r} as {' and '.join(given)}; name it once"
            for name, given in roles.items()
            if len(given) > 1
        )

    def named(self) -> list[tuple[str, str]]:
        """All (role, column) that are named."""
        pairs: list[tuple[str, str]] = []
        for role in fields(self):
            value = getattr(self, role.name)
            pairs += [
                (role.name, name) for name in (value if isinstance(value, tuple) else (value,)) if name is not None
            ]
        return pairs

    def within(self, names: Sequence[str]) -> Columns:
        """What of it is among these names."""
        kept: dict[str, Any] = {}
        for role in fields(self):
            value = getattr(self, role.name)
            several = isinstance(value, tuple)
            kept[role.name] = (
                tuple(name for name in value if name in names) if several else value if value in names else None
            )
        return Columns(**kept)


@dataclass
class Roles:
    """What each column of a table was taken for; `None` and () where there is none of the kind."""

    is_long: bool = False
    id: str | None = None
    path: str | None = None
    label: str | None = None
    votes: tuple[str, ...] = ()
    annotator: str | None = None
    example: str | None = None
    weight: str | None = None
    group: str | None = None
    split: str | None = None
    features: tuple[str, ...] = ()
    told: dict[str, str] = field(default_factory=dict)
    oddities: list[str] = field(default_factory=list)

    def used(self) -> set[str]:
        """Every column that has a role."""
        single = (getattr(self, role) for role in _SINGLE)
        return {name for name in single if name is not None} | {*self.votes, *self.features}


def found_columns(columns: Columns, tables: Sequence[Table]) -> list[Columns]:
    """What is named, table by table: each name in every table that has a column of this name.

    Raises:
        InputError: names that are in no table, with the nearest that is.
    """
    every = list(dict.fromkeys(name for table in tables for name in table.names))
    where = " and ".join(table.where for table in tables)
    faults = []
    for role, name in columns.named():
        if name not in every:
            near = difflib.get_close_matches(name, every, n=1, cutoff=0.0)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            faults.append(
                f"expected {role} as one of the columns of {where}, {quoted(every, most=12)}, got {name!r}{hint}"
            )
    refuse(faults)
    return [columns.within(table.names) for table in tables]
