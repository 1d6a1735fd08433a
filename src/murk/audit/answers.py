"""Questions and answers: the labels to check as a table, and the table back with what is true."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Int

from murk.audit.findings import Findings
from murk.data.tables import Table, open_table
from murk.errors import InputError, refuse
from murk.files import csv_text, replace_file
from murk.measure.audited import audit_sample, strata_of

__all__ = ["Answers", "audited_truth", "clear_questions", "write_questions"]

COLUMNS = ("id", "label", "audit", "truth")
UNSURE = ("?", "unsure")
DECIMALS = 9  # of P(error), by which an audit is told from others


@dataclass(frozen=True, eq=False)
class Answers:
    """What someone who looked says of labels.

    Attributes:
        indices: int64 [n], positions of the examples whose true class is told.
        truth: int64 [n], their true classes.
        unsure: int64 [m], positions of examples that were looked at and left open.
    """

    indices: Int[np.ndarray, " n"]
    truth: Int[np.ndarray, " n"]
    unsure: Int[np.ndarray, " m"]

    def __len__(self) -> int:
        """Count the examples that were looked at."""
        return len(self.indices) + len(self.unsure)


def write_questions(path: str | Path, found: Findings, size: int, *, seed: int) -> Int[np.ndarray, " n"]:
    """Write a table of examples whose labels to check: id, label, which audit asks, and truth, which is to be filled.

    They are drawn by `audit_sample`, in an order that is random, too: whoever stops early leaves the rest empty. What
    was looked at before is not drawn again. Answers that stand in the file already, unsure ones with them, stay in it,
    above the new questions. Nothing that the audit suspects is told: an answer is to be one's own.

    Args:
        path: of a .csv.
        found: the audit.
        size: of the sample, >= 1.
        seed: of the draw.

    Returns:
        Positions of the examples newly asked for, in the order of the table.

    Raises:
        InputError: a size that is none, a file with answers to another audit, or classes that are called "?" and
            "unsure", both of them.
        DataError: the file cannot be written.
    """
    path, names, mark = Path(path), found.class_names, _mark(found)
    unsure = next((text for text in UNSURE if text not in names), "")
    before = np.zeros(0, np.int64)
    there = _answers(path, found) if path.exists() else Answers(before, before, before)
    checked = before if found.audit is None else found.audit.indices
    looked_at = np.unique(np.concatenate([checked, there.indices, there.unsure]))
    refuse([
        "classes are called '?' and 'unsure', so that nothing is left for what nobody can tell; rename one"
        if not unsure else ""
    ])  # fmt: skip
    drawn = audit_sample(found.errors.probability, size, seed=seed, audited=looked_at)
    told = [
        *zip(there.indices.tolist(), (names[k] for k in there.truth), strict=True),
        *((i, unsure) for i in there.unsure.tolist()), *((i, "") for i in drawn.tolist()),
    ]  # fmt: skip
    rows = [(found.name_of(i), names[found.labels[i]], mark, answer) for i, answer in told]
    replace_file(path, csv_text(COLUMNS, rows).encode())
    return drawn


def clear_questions(path: str | Path, found: Findings) -> bool:
    """Take away questions of another audit that nobody has answered; those of this one stay.

    Returns:
        Whether they were taken away.

    Raises:
        InputError: the file holds answers to another audit.
    """
    path = Path(path)
    if not path.exists():
        return False
    answers = _answers(path, found)
    table = open_table(path)
    own = "audit" in table.names and table.coded("audit").texts == [_mark(found)]
    if own or len(answers):
        return False
    path.unlink()
    return True


def audited_truth(path: str | Path, found: Findings) -> Answers:
    """Read the answers: positions of the examples that were checked, and their true classes.

    A table with the columns id and truth (a name of a class). With a column audit, as `write_questions` gives it, it
    must be this audit's: a sample that was drawn by another P(error) would tell wrong rates. Without one it must have
    been drawn simply at random. Rows whose truth is empty are left out, those with "?" or "unsure" (unless a class is
    called that) told apart: where many are unsure, what is left is no random sample any more.

    Args:
        path: .csv, .parquet or .jsonl.
        found: the audit that the questions are of.

    Raises:
        InputError: missing columns, ids or classes that are not this audit's, an id twice, answers to another audit, no
            answer at all; told together where that can be.
        DataError: no such table.
    """
    answers = _answers(Path(path), found)
    if not len(answers.indices):
        raise InputError(f"{Path(path).name} holds no answer: fill the column truth")
    return answers


def _answers(path: Path, found: Findings) -> Answers:
    table = open_table(path)
    missing = [name for name in ("id", "truth") if name not in table.names]
    if missing:
        raise InputError(f"answers have the columns id and truth, but {table.where} lacks {', '.join(missing)}")
    ids, truth = table.coded("id"), table.coded("truth")
    answered = np.flatnonzero(truth.codes >= 0)
    classes = {name: k for k, name in enumerate(found.class_names)}
    known = dict.fromkeys(UNSURE, -1) | classes
    given = [ids.texts[code] if code >= 0 else "" for code in ids.codes[answered]]
    told = [truth.texts[code] for code in truth.codes[answered]]
    told = [next((each for each in (text, text.strip(), _unquoted(text.strip())) if each in known), text)
            for text in told]  # fmt: skip
    wanted = {*given, *map(_unquoted, given)}
    at = {name: i for i in range(len(found.labels)) if (name := found.name_of(i)) in wanted}
    given = [name if name in at else _unquoted(name) for name in given]
    strange = [text for text in told if text not in known]
    unknown = [name for name in given if name not in at]
    twice = sorted({name for name, count in Counter(given).items() if count > 1})
    refuse([
        f"truth is the name of a class, but {strange[0]!r} came ({len(strange)} such); the classes are "
        f"{', '.join(found.class_names[:6])}" if strange else "",
        f"{table.where} has answers on examples that this audit does not know, such as {unknown[0]!r} "
        f"({len(unknown)} such)" if unknown else "",
        f"{table.where} answers {twice[0]!r} twice ({len(twice)} such); keep one answer of each" if twice else "",
        _mark_fault(table, answered, found),
    ])  # fmt: skip
    where = np.array([at[name] for name in given], np.int64)
    codes = np.array([known[text] for text in told], np.int64)
    return Answers(where[codes >= 0], codes[codes >= 0], where[codes < 0])


def _mark_fault(table: Table, answered: np.ndarray, found: Findings) -> str:
    """Say whether answers are to the questions of another audit, or nothing."""
    if "audit" not in table.names or not len(answered):
        return ""
    marks = table.coded("audit").taken(answered)
    if marks.texts == [_mark(found)] and (marks.codes >= 0).all():
        return ""
    return (
        f"{table.where} answers another audit's questions: its column audit is not {_mark(found)!r} in each answered "
        "row; audit the same labels and probabilities, read the same way"
    )


def _mark(found: Findings) -> str:
    """Name an audit by what its samples are drawn from: labels, and strata of P(error)."""
    strata = strata_of(found.errors.probability.round(DECIMALS))  # where a last digit is another's, the same
    told = hashlib.sha256(found.labels.astype("<i4").tobytes() + strata.tobytes())
    return f"audit-{told.hexdigest()[:12]}"


def _unquoted(text: str) -> str:
    """Take away the quote that keeps a spreadsheet from running a text as a formula."""
    return text[1:] if text[:1] == "'" and text[1:2] in ("=", "+", "-", "@", "\t", "\r") else text
