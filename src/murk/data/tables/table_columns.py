"""The columns of an open table: what kind each is, and its cells as codes or as numbers."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Literal

import numpy as np
from jaxtyping import Float32, Float64, Int64

from murk.data.coded import Coded, coded_column, compact, is_text, shown_text
from murk.errors import InputError

Kind = Literal["number", "text", "list", "image", "empty", "other"]
_SAMPLE = 100
_WHOLE_FRACTION = re.compile(r"-?[0-9]+\.0")
_COUNTED_FROM = 10  # rows from which 0, 1, 2, ... is a row number rather than chance


class Table:
    """A table in memory, its columns looked at when they are asked for.

    Args:
        where: its name, for messages.
        arrow: a `pyarrow.Table` with columns of different names.
        numbers_are_text: True for CSV, where each cell is text that may be a number.

    Attributes:
        names: the columns, in their order.
    """

    def __init__(self, where: str, arrow: Any, *, numbers_are_text: bool = False) -> None:
        """Look at nothing yet."""
        self.where, self.arrow, self.numbers_are_text = where, arrow, numbers_are_text
        self.names: tuple[str, ...] = tuple(arrow.column_names)
        self.kind = lru_cache(maxsize=None)(self._kind)

    def __len__(self) -> int:
        """Count the rows."""
        return int(self.arrow.num_rows)

    @property
    def metadata(self) -> dict[bytes, bytes]:
        """What the file says of itself."""
        return dict(self.arrow.schema.metadata or {})

    def hub_features(self) -> dict[str, Any]:
        """What Hugging Face's libraries say of each column, such as {"_type": "Image"}; {} if nothing."""
        try:
            said = json.loads(self.metadata.get(b"huggingface", b"{}"))["info"]["features"]
        except (ValueError, KeyError, TypeError, RecursionError):
            return {}
        return (
            {str(name): told for name, told in said.items() if isinstance(told, dict)} if isinstance(said, dict) else {}
        )

    def _kind(self, name: str) -> Kind:
        import pyarrow as pa

        column, kinds = self.arrow.column(name), pa.types
        kind = column.type.value_type if kinds.is_dictionary(column.type) else column.type
        if column.null_count == len(column):
            return "empty"
        if _is_number(kind):
            return "number"
        if is_text(kind):
            return "number" if self.numbers_are_text and self._parsed(name) is not None else "text"
        if kinds.is_list(kind) or kinds.is_large_list(kind) or kinds.is_fixed_size_list(kind):
            return "list"
        if kinds.is_struct(kind) and kind.get_field_index("bytes") >= 0:
            return "image"
        return "text" if kinds.is_temporal(kind) else "other"

    def coded(self, name: str) -> Coded:
        """The cells as codes; those of a class label of Hugging Face by the names that it tells.

        Where all cells of CSV are like 2.0, which is how whole numbers are written beside empty cells, they are 2.

        Raises:
            InputError: cells that are neither text nor numbers.
        """
        try:
            coded = coded_column(self.arrow.column(name))
        except InputError as error:
            raise InputError(f"column {name!r} of {self.where}: {error}") from None
        if self.numbers_are_text and coded.texts and all(map(_WHOLE_FRACTION.fullmatch, coded.texts)):
            return compact(coded.codes, [text[:-2] for text in coded.texts])
        classes = self.told_classes(name)
        if not classes:
            return coded
        named = {str(number): name for number, name in enumerate(classes)} | {"-1": ""}
        wrong = [text for text in coded.texts if text not in named]
        if wrong:
            raise InputError(f"expected column {name!r} of {self.where} to number its {len(classes)} classes, got "
                             f"{shown_text(wrong[0])}; write the table again")  # fmt: skip
        return compact(coded.codes, [named[text] for text in coded.texts])

    def told_classes(self, name: str) -> tuple[str, ...]:
        """The names that a class label of Hugging Face tells, or ()."""
        told = self.hub_features().get(name, {})
        names = told.get("names") if told.get("_type") == "ClassLabel" else None
        return tuple(map(str, names)) if isinstance(names, list) else ()

    def numbers(self, name: str) -> Float64[np.ndarray, " n"]:
        """The cells as float64, NaN where empty; of a column of kind "number"."""
        import pyarrow as pa

        column = self._parsed(name) if self.numbers_are_text else self.arrow.column(name)
        if pa.types.is_dictionary(column.type):
            column = column.cast(column.type.value_type)
        return np.asarray(column.cast(pa.float64(), safe=False).to_numpy(), dtype=np.float64)

    def vectors(self, name: str) -> Float32[np.ndarray, "n D"]:
        """The cells of a column of lists of numbers, all of one length.

        Raises:
            InputError: empty cells, lists of several lengths, or of anything but numbers.
        """
        import pyarrow as pa
        import pyarrow.compute as pc

        column = self.arrow.column(name)
        lengths = pc.fill_null(pc.list_value_length(column), -1).to_numpy().astype(np.int64)
        flat = pc.list_flatten(column)
        want = f"expected a list of numbers in each row of column {name!r} of {self.where}, all of one length"
        usual = int(np.bincount(np.maximum(lengths, 0)).argmax())
        odd = np.flatnonzero(lengths != usual)
        if len(odd):
            got = "none" if lengths[odd[0]] < 0 else f"one of {lengths[odd[0]]} where {usual} are usual"
            raise InputError(f"{want}, got {got} in row {odd[0]} ({len(odd):,} such); fill it or leave the row out")
        if not _is_number(flat.type) or not usual:
            raise InputError(f"{want}, got lists of {flat.type if usual else 'no length'}; write plain numbers")
        return np.asarray(flat.cast(pa.float32(), safe=False).to_numpy()).astype(np.float32).reshape(len(self), usual)

    def first_that_is_no_number(self, name: str) -> str:
        """Quote the first cell of a column of text that is no number, with its row; "" for others."""
        import pyarrow as pa
        import pyarrow.compute as pc

        column = self.arrow.column(name)
        if not self.numbers_are_text or not is_text(column.type):
            return ""
        is_number = pc.match_substring_regex(column, r"^\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*$")
        row = pc.index(is_number, pa.scalar(False)).as_py()
        return "" if row < 0 else f"{column[row].as_py()!r:.40} in row {row}"

    def holds_numbers(self, name: str) -> bool:
        """Whether the lists of a column hold numbers."""
        return _is_number(self.arrow.column(name).type.value_type)

    def listed(self, name: str) -> tuple[Coded, Int64[np.ndarray, " v"]]:
        """The cells within the lists of a column as codes, and the row of each.

        Raises:
            InputError: lists of anything but text or numbers.
        """
        import pyarrow as pa
        import pyarrow.compute as pc

        column = self.arrow.column(name)
        lengths = pc.fill_null(pc.list_value_length(column), 0).to_numpy().astype(np.int64)
        inner = pa.table({name: pc.list_flatten(column)})
        return Table(self.where, inner).coded(name), np.repeat(np.arange(len(self)), lengths)

    def counts_rows(self, name: str) -> bool:
        """Whether a column of numbers runs 0, 1, 2, ... or 1, 2, 3, ...: a row number, not a feature."""
        if len(self) < _COUNTED_FROM:
            return False
        numbers = self.numbers(name)
        return bool(numbers[0] in (0, 1) and np.array_equal(numbers, np.arange(len(numbers)) + numbers[0]))

    def all_different(self, name: str) -> bool:
        """Whether no cell occurs twice."""
        return len(self.coded(name).texts) == len(self)

    def _parsed(self, name: str) -> Any:
        """A column of text as float64, or None where a cell is no number."""
        import pyarrow as pa
        import pyarrow.compute as pc

        column = self.arrow.column(name)
        try:
            column.slice(0, _SAMPLE).cast(pa.float64())
            return column.cast(pa.float64())
        except pa.ArrowInvalid:
            pass
        try:
            return pc.utf8_trim_whitespace(column).cast(pa.float64())
        except pa.ArrowInvalid:
            return None


def repeats(keys: Int64[np.ndarray, " n"]) -> tuple[Int64[np.ndarray, " n"], Int64[np.ndarray, " distinct"]]:
    """Number equal keys in the order in which they first come: the number of each row, and each number's first row."""
    _, first, of = np.unique(keys, return_index=True, return_inverse=True)
    order = np.argsort(first, kind="stable")
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    return place[of.reshape(-1)], first[order].astype(np.int64)


def _is_number(kind: Any) -> bool:
    import pyarrow as pa

    kinds = pa.types
    return bool(kinds.is_integer(kind) or kinds.is_floating(kind) or kinds.is_boolean(kind) or kinds.is_decimal(kind))


def quoted(names: Sequence[str], *, most: int = 5) -> str:
    """Some names for a message, the rest counted."""
    shown = ", ".join(repr(name) for name in names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most:,} more"
