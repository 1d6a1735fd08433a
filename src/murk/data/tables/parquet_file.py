"""Parquet files as rows in bounded memory: what they say of themselves is summed up before any of it is read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from murk.data.array_file import LARGEST_UNPACKED

MOST_ROWS, MOST_COLUMNS = 200_000_000, 100_000  # of any table
_WIDTHS = {"BOOLEAN": 1, "INT32": 4, "INT64": 8, "INT96": 8, "FLOAT": 4, "DOUBLE": 8}  # bytes of a value in memory


def parquet_rows(paths: Sequence[Path], *, held: int = 0, columns: Sequence[str] | None = None) -> Any:
    """The rows of Parquet files with the same columns, one below the other, in bounded memory.

    Text and bytes come as dictionaries, so that a cell that is repeated is held once. What the files say of themselves
    is summed up before any of it is read; as that may be a lie, what is in memory is counted after each row group.

    Args:
        paths: of the files.
        held: bytes of memory that others fill already.
        columns: to read, those that there are; None for all.

    Raises:
        ValueError, OSError, pyarrow.ArrowException: damaged, too large, or with different columns.
    """
    import pyarrow as pa
    import pyarrow.parquet as parquet

    rows, width, unpacked, texts = 0, 0, held, []
    for path in paths:
        with parquet.ParquetFile(path) as file:
            told, schema = file.metadata, file.schema
        leaves = {
            leaf: column for leaf in range(len(schema))
            if (column := schema.column(leaf)) is not None and (columns is None or column.path.split(".")[0] in columns)
        }  # fmt: skip
        texts.append([leaf.path for leaf in leaves.values() if leaf.physical_type == "BYTE_ARRAY"])
        rows, width = rows + told.num_rows, max(width, told.num_columns)
        unpacked += sum(_decoded_size(told, group, leaves) for group in range(told.num_row_groups))
    if not 0 <= rows <= MOST_ROWS or width > MOST_COLUMNS or not 0 <= unpacked <= LARGEST_UNPACKED:
        raise ValueError(f"it says it holds {rows:,} rows, {width:,} columns and {unpacked:,} bytes in memory, above "
                         f"{MOST_ROWS:,}, {MOST_COLUMNS:,} or {LARGEST_UNPACKED:,}; split it")  # fmt: skip
    groups: list[Any] = []
    for path, as_dictionary in zip(paths, texts, strict=True):
        with parquet.ParquetFile(path, read_dictionary=as_dictionary) as file:
            groups.extend(_within_memory(file, held + sum(group.nbytes for group in groups), columns))
    return pa.concat_tables(groups)


def _within_memory(file: Any, held: int, columns: Sequence[str] | None) -> Iterator[Any]:
    """The row groups of an open file as long as they fit beside what is held; one without rows if it has none."""
    if not file.num_row_groups:
        yield file.read(columns=columns)
    for group in range(file.num_row_groups):
        rows = file.read_row_group(group, columns=columns)
        held += rows.nbytes
        if held > LARGEST_UNPACKED:
            raise ValueError(f"it fills more than {LARGEST_UNPACKED:,} bytes of memory; split it")
        yield rows


def _decoded_size(told: Any, group: int, leaves: Mapping[int, Any]) -> int:
    """Bytes in memory of a row group: of numbers all values, of text and bytes a code a value and each text once."""
    size = 0
    for leaf, column in leaves.items():
        chunk = told.row_group(group).column(leaf)
        if min(chunk.num_values, chunk.total_uncompressed_size) < 0:
            raise ValueError("it says it holds less than nothing")
        width = column.length if column.physical_type == "FIXED_LEN_BYTE_ARRAY" else _WIDTHS.get(column.physical_type)
        size += chunk.num_values * (width or 4) + (chunk.total_uncompressed_size if width is None else 0)
    return size
