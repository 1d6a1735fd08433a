"""Questions and answers: the labels to check as a table, and the table back with what is true."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import Int

from murk.audit.findings import Findings
from murk.data.tables import open_table
from murk.errors import InputError, refuse
from murk.files import csv_text, replace_file
from murk.measure import audit_sample

__all__ = ["audited_truth", "write_questions"]

COLUMNS = ("id", "label", "suggested", "p_error", "truth")
UNSURE = ("", "?", "unsure")


def write_questions(path: str | Path, found: Findings, size: int, *, seed: int) -> int:
    """Write a table of examples whose labels to check: id, label, suggested, p_error, and truth, which is to be filled.

    They are drawn by `audit_sample`, in an order that is random, too: whoever stops early leaves the rest empty. What
    was checked before is not drawn again.

    Args:
        path: of a .csv; an older file is replaced.
        found: the audit.
        size: of the sample, >= 1.
        seed: of the draw.

    Returns:
        The number of rows.

    Raises:
        InputError: a size that is none.
        DataError: the file cannot be written.
    """
    before = () if found.audit is None else found.audit.indices
    drawn = audit_sample(found.errors.probability, size, seed=seed, audited=before)
    names = found.class_names
    rows = [
        (found.name_of(i), names[found.labels[i]], names[found.errors.suggested[i]],
         round(float(found.errors.probability[i]), 4), "")
        for i in drawn.tolist()
    ]  # fmt: skip
    replace_file(Path(path), csv_text(COLUMNS, rows).encode())
    return len(rows)


def audited_truth(path: str | Path, found: Findings) -> tuple[Int[np.ndarray, " n"], Int[np.ndarray, " n"]]:
    """Read the answers: positions of the examples that were checked, and their true classes.

    A table with the columns id and truth (a name of a class); others are left alone. Rows whose truth is empty, "?" or
    "unsure" are left out: where many are, what is left is no random sample any more.

    Args:
        path: .csv, .parquet or .jsonl.
        found: the audit that the questions are of.

    Raises:
        InputError: missing columns, ids or classes that are not this audit's, an id twice, no answer at all; told
            together where that can be.
        DataError: no such table.
    """
    table = open_table(Path(path))
    missing = [name for name in ("id", "truth") if name not in table.names]
    if missing:
        raise InputError(f"answers have the columns id and truth, but {table.where} lacks {', '.join(missing)}")
    ids, truth = table.coded("id"), table.coded("truth").without(UNSURE)
    answered = np.flatnonzero(truth.codes >= 0)
    at = {found.name_of(i): i for i in range(len(found.labels))}
    names = {name: k for k, name in enumerate(found.class_names)}
    plain = {_unquoted(text): text for text in truth.texts}
    strange = [text for text in plain if text not in names]
    given = [_unquoted(ids.texts[code]) if code >= 0 else "" for code in ids.codes[answered]]
    unknown = [name for name in given if name not in at]
    twice = len(given) - len(set(given))
    refuse([
        f"{table.where} holds no answer: fill the column truth" if not len(answered) else "",
        f"truth is the name of a class, but {strange[0]!r} came ({len(strange)} such); the classes are "
        f"{', '.join(found.class_names[:6])}" if strange else "",
        f"{table.where} has answers on examples that this audit does not know, such as {unknown[0]!r} "
        f"({len(unknown)} such)" if unknown else "",
        f"{table.where} answers {twice} examples twice; keep one answer of each" if twice else "",
    ])  # fmt: skip
    classes = [names[_unquoted(truth.texts[code])] for code in truth.codes[answered]]
    return np.array([at[name] for name in given], np.int64), np.array(classes, np.int64)


def _unquoted(text: str) -> str:
    """Take away the quote that keeps a spreadsheet from running a text as a formula."""
    return text[1:] if text[:1] == "'" and text[1:2] in ("=", "+", "-", "@", "\t", "\r") else text
