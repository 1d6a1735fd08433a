"""Coded columns: a column of a table as whole numbers that point at its distinct texts; no loop over rows."""

from __future__ import annotations

from collections.abc import Container, Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Int64

from murk.errors import InputError, refuse

LONGEST_NAME = 1_000  # characters of an id, a class, an annotator: NumPy holds as many for each row of the column
_LARGEST_TEXTS = 4 << 30  # bytes of one array of ids
_SHOWN = 60  # characters of a cell that a message quotes


class Coded(NamedTuple):
    """A column as codes.

    Attributes:
        codes: int64 [n], positions in `texts`; -1 where the cell is empty or blank.
        texts: the distinct texts that occur, in no order that means anything.
    """

    codes: Int64[np.ndarray, " n"]
    texts: list[str]

    def counts(self) -> Int64[np.ndarray, " distinct"]:
        """How often each text occurs."""
        return np.bincount(self.codes[self.codes >= 0], minlength=len(self.texts))

    def rows_of(self, text: str) -> Int64[np.ndarray, " found"]:
        """The rows that hold this text."""
        code = self.texts.index(text) if text in self.texts else -2
        return np.flatnonzero(self.codes == code)

    def taken(self, rows: Int64[np.ndarray, " m"]) -> Coded:
        """These rows alone; texts that are left without a row go."""
        return compact(self.codes[rows], self.texts)

    def without(self, texts: Container[str]) -> Coded:
        """The same rows, those that hold one of these texts as if they were empty."""
        gone = np.array([*(text in texts for text in self.texts), True])
        return self if not gone[:-1].any() else compact(np.where(gone[self.codes], -1, self.codes), self.texts)

    def array(self, what: str) -> np.ndarray:
        """Text [n] for NumPy; `InputError` where texts are too long, hold NUL (which NumPy drops) or are missing."""
        longest = max(map(len, self.texts), default=1)
        with_nul = next((text for text in self.texts if "\0" in text), None)
        refuse([
            f"expected {what} of at most {LONGEST_NAME:,} characters (and 4 GiB together), got one of {longest:,}; use "
            "shorter names" if longest > LONGEST_NAME or longest * 4 * len(self.codes) > _LARGEST_TEXTS else "",
            f"expected {what} without the character NUL, got {shown_text(with_nul)}; rename it" if with_nul else "",
            f"expected {what} in every row, got an empty cell {in_rows(self.codes < 0)}; fill it"
            if len(self.codes) and self.codes.min() < 0 else "",
        ])  # fmt: skip
        found: np.ndarray = np.array(self.texts or [""], dtype=np.str_)[self.codes]
        return found


def coded_column(column: Any) -> Coded:
    """Code an Arrow column of text, whole numbers, fractions or booleans; NaN counts as empty.

    Whole numbers are their decimal text, also as floats (2.0 is "2"); booleans are "false" and "true".

    Raises:
        InputError: a column of anything else.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    kinds, kind = pa.types, column.type
    if kinds.is_dictionary(kind):
        kind = kind.value_type
    if kinds.is_floating(kind) and not kinds.is_dictionary(column.type):
        column = pc.if_else(pc.is_nan(column.cast(pa.float64())), None, column.cast(pa.float64()))
    elif kinds.is_temporal(kind) or kinds.is_decimal(kind):
        column = column.cast(pa.string())
    elif not (kinds.is_integer(kind) or kinds.is_boolean(kind) or is_text(kind) or kinds.is_null(kind)):
        raise InputError(f"expected text or numbers, got cells of type {kind}")
    if not kinds.is_dictionary(column.type):
        column = column.dictionary_encode()
    chunks = column.unify_dictionaries().chunks if isinstance(column, pa.ChunkedArray) else [column]
    codes = [pc.fill_null(chunk.indices.cast(pa.int64()), -1).to_numpy(zero_copy_only=False) for chunk in chunks]
    values = chunks[0].dictionary.to_pylist() if chunks else []
    return compact(np.concatenate([np.zeros(0, np.int64), *codes]), [_text(value) for value in values])


def is_text(kind: Any) -> bool:
    """Whether an Arrow type is text."""
    import pyarrow as pa

    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def compact(codes: Int64[np.ndarray, " n"], texts: Sequence[str]) -> Coded:
    """Give equal texts one code, leave out the texts that no row holds, and take blank ones for empty cells."""
    used = np.flatnonzero(np.bincount(codes[codes >= 0], minlength=len(texts)))
    place: dict[str, int] = {}
    renamed = np.full(len(texts) + 1, -1, np.int64)  # the last one serves code -1
    for old in used.tolist():
        if texts[old].strip():
            renamed[old] = place.setdefault(texts[old], len(place))
    return Coded(renamed[codes], list(place))


def stacked(columns: Sequence[Coded]) -> Coded:
    """Columns one below the other, as one."""
    starts = np.cumsum([0, *(len(column.texts) for column in columns)])
    codes = [
        np.where(column.codes < 0, -1, column.codes + start) for column, start in zip(columns, starts, strict=False)
    ]
    return compact(
        np.concatenate([np.zeros(0, np.int64), *codes]), [text for column in columns for text in column.texts]
    )


def in_rows(found: Any) -> str:
    """Say where: "in 4 rows (3, 8, 11, ...)", rows counted from 0, of a mask or of row numbers."""
    found = np.asarray(found)
    rows = np.flatnonzero(found) if found.dtype == np.bool_ else found
    shown = ", ".join(str(row) for row in rows[:3])
    if len(rows) == 1:
        return f"in row {shown} (from 0)"
    return f"in {len(rows):,} rows ({shown}{', ...' if len(rows) > 3 else ''}; from 0)"


def shown_text(text: Any) -> str:
    """A cell as a message quotes it: escaped, and cut where it is long."""
    said = repr(text)
    return said if len(said) <= _SHOWN else f"{said[: _SHOWN - 4]}...{said[-1]}"


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return "" if value is None else str(value)
