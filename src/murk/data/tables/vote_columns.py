"""Votes in the columns of a table: wide, one column a voter, or long, one row a vote; as codes, no loop over rows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from jaxtyping import Float64, Int64

from murk.data.classes import emptied
from murk.data.coded import Coded, in_rows, stacked
from murk.data.found import FoundVotes
from murk.data.tables.columns import Columns, Roles
from murk.data.tables.recognition import recognised
from murk.data.tables.table_columns import Table, quoted
from murk.data.told_names import counted, told_name
from murk.errors import DataError, refuse

_MOST = {"num_examples": 200_000_000, "num_classes": 1_000_000}


def votes_of_table(table: Table, roles: Roles, example: Coded) -> tuple[FoundVotes | None, Int64[np.ndarray, " V"]]:
    """The votes of a table whose columns are known, and the row of each; None where it has none.

    Args:
        table: of examples and votes, or of votes alone.
        roles: of its columns.
        example: which example each row is about; never empty.

    Raises:
        InputError: a vote without an annotator where others have one, a weight that is not positive, a cell with
            several answers; all told together.
    """
    if not roles.votes:
        return None, np.zeros(0, np.int64)
    weight = None if roles.weight is None else table.numbers(roles.weight)
    refuse([*_weight_faults(table, roles, weight), *_wrong_kinds(table, roles)])
    cells = [_answers(table, name) for name in roles.votes]
    label, rows = stacked([answers for answers, _ in cells]), np.concatenate([rows for _, rows in cells])
    annotator = None if roles.annotator is None else table.coded(roles.annotator).taken(rows)
    if len(cells) > 1:
        annotator = Coded(np.repeat(np.arange(len(cells)), [len(rows) for _, rows in cells]), list(roles.votes))
    elif annotator is not None:
        nobody = (annotator.codes < 0) & (label.codes >= 0)
        refuse([f"expected an annotator for each vote of {table.where}, got an empty {roles.annotator!r} "
                f"{in_rows(rows[nobody])}; fill it" if nobody.any() else ""])  # fmt: skip
    given = np.flatnonzero(label.codes >= 0)
    rows = rows[given]
    return FoundVotes(
        table.where, example.taken(rows), label.taken(given),
        None if annotator is None else annotator.taken(given), None if weight is None else weight[rows],
    ), rows  # fmt: skip


def read_vote_table(table: Table, facts: dict[str, Any], columns: Columns) -> tuple[FoundVotes, Roles]:
    """The votes of a table that lies beside the data.

    Args:
        table: wide (one row an example) or long (one row a vote).
        facts: what murk says of votes that it wrote; {} of others.
        columns: what the user named, all of it in this table.

    Raises:
        InputError: columns or cells are not what they should be.
        DataError: murk's own table, but not as murk wrote it.
    """
    if facts:
        columns = Columns(
            example="example", votes="label", annotator="annotator" if "annotator" in table.names else None
        )
    roles = recognised(table, columns, for_votes=True)
    assert roles.example is not None  # else it is refused there
    example = table.coded(roles.example)
    empty = example.codes < 0
    refuse([f"expected an example in every row of {table.where}, got an empty {roles.example!r} {in_rows(empty)}; fill "
            "it" if empty.any() else "", *_repeated_rows(table, roles, example)])  # fmt: skip
    votes, _ = votes_of_table(table, roles, example)
    assert votes is not None  # as there is a column of votes
    if not facts:
        return votes, roles
    classes, examples = (_told_size(table, facts, name) for name in ("num_classes", "num_examples"))
    if facts.get("rows", len(table)) != len(table):
        raise DataError(f"expected {facts['rows']!r:.40} rows in {table.where}, as is told beside it, got "
                        f"{len(table):,}; write the votes again")  # fmt: skip
    return replace(votes, num_classes=classes, num_examples=examples), replace(roles, oddities=[])


def twice_voted(votes: FoundVotes, example: Int64[np.ndarray, " V"]) -> str:
    """The sentence on annotators who voted several times on one example, or "".

    Args:
        votes: as found.
        example: the example of each, as a number.
    """
    if votes.annotator is None or not len(votes):
        return ""
    pairs = example * len(votes.annotator.texts) + votes.annotator.codes
    order = np.argsort(pairs, kind="stable")
    again = order[1:][np.diff(pairs[order]) == 0]
    if not len(again):
        return ""
    who, which = (told_name(column.texts[column.codes[again[0]]]) for column in (votes.annotator, votes.example))
    return (f"{counted(len(again), 'vote')} of {votes.where} by an annotator who voted on that example before, such as "
            f"{who} on {which}; each counts")  # fmt: skip


def rows_as_codes(count: int) -> Coded:
    """Rows 0 to `count` - 1 by their number."""
    return Coded(np.arange(count), list(map(str, range(count))))


def _told_size(table: Table, facts: dict[str, Any], name: str) -> int:
    size, most = facts.get(name), _MOST[name]
    if type(size) is not int or not 1 <= size <= most:
        raise DataError(f"expected {name} of the votes in {table.where} as a whole number from 1 to {most:,}, got "
                        f"{size!r:.40}; write the votes again")  # fmt: skip
    return size


def _weight_faults(table: Table, roles: Roles, weight: Float64[np.ndarray, " n"] | None) -> list[str]:
    if weight is None:
        return []
    wrong = ~(np.isfinite(weight) & (weight > 0))
    if not wrong.any():
        return []
    return [f"expected weights above 0 in column {roles.weight!r} of {table.where}, got {weight[wrong][0]:g} "
            f"{in_rows(wrong)}; correct them, or leave the rows out"]  # fmt: skip


def _answers(table: Table, name: str) -> tuple[Coded, Int64[np.ndarray, " v"]]:
    """The answers in a column, one or a list in each cell, and the row of each."""
    if table.kind(name) == "list":
        answers, rows = table.listed(name)
        return emptied(answers), rows
    return emptied(table.coded(name)), np.arange(len(table))


def _wrong_kinds(table: Table, roles: Roles) -> list[str]:
    lists = [name for name in roles.votes if table.kind(name) not in ("text", "number", "empty", "list")]
    return [f"expected one answer in each cell of the votes of {table.where}, or a list of them, got others in "
            f"{quoted(lists)}; write one column a voter, or one row a vote"] if lists else []  # fmt: skip


def _repeated_rows(table: Table, roles: Roles, example: Coded) -> list[str]:
    """A wide table has a row an example; a repeated one is a slip, or votes in another form."""
    if roles.is_long or len(example.texts) == len(table):
        return []
    rows = example.rows_of(example.texts[int(example.counts().argmax())])
    name = example.texts[example.codes[rows[0]]]
    return [f"expected each example once in the wide table {table.where}, got {quoted((name,))} "
            f"{in_rows(rows)}; leave repeats out"]  # fmt: skip
