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
DECIMALS = 4  # of p_error as it is written


def write_questions(path: str | Path, found: Findings, size: int, *, seed: int) -> Int[np.ndarray, " n"]:
    """Write a table of examples whose labels to check: id, label, suggested, p_error, and truth, which is to be filled.

    They are drawn by `audit_sample`, in an order that is random, too: whoever stops early leaves the rest empty. What
    was checked before is not drawn again. Answers that stand in the file already stay in it, above the new questions.

    Args:
        path: of a .csv.
        found: the audit.
        size: of the sample, >= 1.
        seed: of the draw.

    Returns:
        Positions of the examples newly asked for, in the order of the table.

    Raises:
        InputError: a size that is none, or a file with answers to another audit.
        DataError: the file cannot be written.
    """
    path = Path(path)
    before = np.zeros(0, np.int64) if found.audit is None else found.audit.indices
    where, truth = _answers(path, found) if path.exists() else (before[:0], before[:0])
    drawn = audit_sample(found.errors.probability, size, seed=seed, audited=np.union1d(before, where))
    names, chance = found.class_names, found.errors.probability
    rows = [
        (found.name_of(i), names[found.labels[i]], names[found.errors.suggested[i]], round(float(chance[i]), DECIMALS),
         answer) for i, answer in [*zip(where.tolist(), [names[k] for k in truth], strict=True),
                                   *((i, "") for i in drawn.tolist())]
    ]  # fmt: skip
    replace_file(path, csv_text(COLUMNS, rows).encode())
    return drawn


def audited_truth(path: str | Path, found: Findings) -> tuple[Int[np.ndarray, " n"], Int[np.ndarray, " n"]]:
    """Read the answers: positions of the examples that were checked, and their true classes.

    A table with the columns id and truth (a name of a class). With a column p_error, as `write_questions` gives it, it
    must be this audit's: a sample that was drawn by another P(error) would tell wrong rates. Rows whose truth is empty,
    "?" or "unsure" are left out: where many are, what is left is no random sample any more.

    Args:
        path: .csv, .parquet or .jsonl.
        found: the audit that the questions are of.

    Raises:
        InputError: missing columns, ids or classes that are not this audit's, an id twice, another audit's P(error), no
            answer at all; told together where that can be.
        DataError: no such table.
    """
    where, truth = _answers(Path(path), found)
    if not len(where):
        raise InputError(f"{Path(path).name} holds no answer: fill the column truth")
    return where, truth


def _answers(path: Path, found: Findings) -> tuple[Int[np.ndarray, " n"], Int[np.ndarray, " n"]]:
    table = open_table(path)
    missing = [name for name in ("id", "truth") if name not in table.names]
    if missing:
        raise InputError(f"answers have the columns id and truth, but {table.where} lacks {', '.join(missing)}")
    ids, truth = table.coded("id"), table.coded("truth").without(UNSURE)
    answered = np.flatnonzero(truth.codes >= 0)
    given = [_unquoted(ids.texts[code]) if code >= 0 else "" for code in ids.codes[answered]]
    told = [_unquoted(truth.texts[code]) for code in truth.codes[answered]]
    wanted = set(given)
    at = {name: i for i in range(len(found.labels)) if (name := found.name_of(i)) in wanted}
    names = {name: k for k, name in enumerate(found.class_names)}
    strange = [text for text in told if text not in names]
    unknown = [name for name in given if name not in at]
    refuse([
        f"truth is the name of a class, but {strange[0]!r} came ({len(strange)} such); the classes are "
        f"{', '.join(found.class_names[:6])}" if strange else "",
        f"{table.where} has answers on examples that this audit does not know, such as {unknown[0]!r} "
        f"({len(unknown)} such)" if unknown else "",
        f"{table.where} answers {len(given) - len(wanted)} examples twice; keep one answer of each"
        if len(wanted) < len(given) else "",
    ])  # fmt: skip
    where = np.array([at[name] for name in given], np.int64)
    if "p_error" in table.names and table.kind("p_error") == "number" and len(where):
        off = np.abs(table.numbers("p_error")[answered] - found.errors.probability[where]) > 2 * 10.0**-DECIMALS
        if off.any():
            raise InputError(
                f"{table.where} was drawn by another audit: its p_error of {given[int(off.argmax())]!r} is not this "
                "one's; audit the same labels and probabilities, read the same way"
            )
    return where, np.array([names[text] for text in told], np.int64)


def _unquoted(text: str) -> str:
    """Take away the quote that keeps a spreadsheet from running a text as a formula."""
    return text[1:] if text[:1] == "'" and text[1:2] in ("=", "+", "-", "@", "\t", "\r") else text
