"""Numbers in a Parquet file, a column each, read block by block: of any size, and never whole in memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from murk.errors import DataError, InputError

__all__ = ["ParquetNumbers"]

ROWS_AT_ONCE = 8192
NUMBERS_AT_ONCE = 1 << 25  # of a row group that is decoded whole


class ParquetNumbers:
    """Columns of numbers of a Parquet file as an array [N, D] of float32 of which rising blocks of rows are read.

    A block is a slice of rows with step 1. Blocks that rise read the file once; one that lies before the last begins
    again. An empty cell is NaN. In memory is one row group of up to 33 million numbers, or of a larger one some
    megabyte a column.

    Args:
        path: of the file.
        columns: D names, in their order.

    Raises:
        InputError: a column that is not there, or is none of numbers.
        DataError: the file is damaged; also when a block is read.
    """

    dtype, ndim = np.dtype(np.float32), 2

    def __init__(self, path: Path, columns: Sequence[str]) -> None:
        """Read what the file says of itself, no more."""
        import pyarrow as pa

        self._path, self._columns = path, list(columns)
        schema, rows = self._checked(lambda file: (file.schema_arrow, file.metadata.num_rows))
        for name in columns:
            kind = schema.field(name).type if name in schema.names else None
            if kind is None or not (pa.types.is_floating(kind) or pa.types.is_integer(kind)):
                raise InputError(f"expected numbers in column {name!r} of {path.name}, but {kind or 'no such'} came")
        self.shape: tuple[int, ...] = (int(rows), len(self._columns))
        self._blocks: Iterator[np.ndarray] = iter(())
        self._at, self._rest = rows + 1, np.zeros((0, len(self._columns)), np.float32)

    @classmethod
    def names(cls, path: Path) -> tuple[list[str], dict[bytes, bytes]]:
        """The names of the columns of a Parquet file, and its metadata.

        Raises:
            DataError: the file is damaged.
        """
        held = cls.__new__(cls)
        held._path = path
        schema = held._checked(lambda file: file.schema_arrow)
        return list(schema.names), dict(schema.metadata or {})

    def __len__(self) -> int:
        """Count the rows."""
        return self.shape[0]

    def __getitem__(self, part: slice) -> np.ndarray:
        """Read a block of rows: float32 [B, D]."""
        start, stop, step = part.indices(len(self))
        if step != 1:
            raise InputError(f"rows of {self._path.name} are read one after the other, but a step of {step} came")
        if start < self._at:
            self._blocks, self._at, self._rest = self._read(), 0, self._rest[:0]
        parts, wanted = [], stop - start
        self._skip(start - self._at)
        while wanted > 0:
            if not len(self._rest):
                self._rest = self._next()
            parts.append(self._rest[:wanted])
            self._rest, wanted = self._rest[wanted:], wanted - len(parts[-1])
        self._at = max(stop, start)
        return np.concatenate(parts) if parts else self._rest[:0]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        """Read all rows at once."""
        return np.asarray(self[:], dtype=dtype)

    def _skip(self, count: int) -> None:
        while count > 0:
            if not len(self._rest):
                self._rest = self._next()
            left_out = min(count, len(self._rest))
            self._rest, count = self._rest[left_out:], count - left_out

    def _next(self) -> np.ndarray:
        import pyarrow as pa

        try:
            return next(self._blocks)
        except StopIteration:
            raise DataError(f"{self._path} holds fewer rows than it says; write it again") from None
        except (pa.ArrowException, OSError, ValueError) as error:
            raise self._damaged(error) from error

    def _read(self) -> Iterator[np.ndarray]:
        import pyarrow.parquet

        with pyarrow.parquet.ParquetFile(self._path) as file:
            for group in range(file.num_row_groups):
                yield from self._group(file, group)

    def _group(self, file: Any, group: int) -> Iterator[np.ndarray]:
        if file.metadata.row_group(group).num_rows * len(self._columns) <= NUMBERS_AT_ONCE:
            parts = file.read_row_group(group, columns=self._columns).to_batches(ROWS_AT_ONCE)
        else:  # this way each column holds a page of its own in memory: much where columns are many
            parts = file.iter_batches(ROWS_AT_ONCE, row_groups=[group], columns=self._columns)
        for part in parts:
            block = np.empty((part.num_rows, len(self._columns)), np.float32)
            for at, name in enumerate(self._columns):
                block[:, at] = part.column(name).to_numpy(zero_copy_only=False)
            yield block

    def _checked(self, told: Any) -> Any:
        import pyarrow as pa
        import pyarrow.parquet

        try:
            with pyarrow.parquet.ParquetFile(self._path) as file:
                return told(file)
        except (pa.ArrowException, OSError, ValueError) as error:
            raise self._damaged(error) from error

    def _damaged(self, error: Exception) -> DataError:
        said = " ".join(str(error).split())[:200]
        return DataError(f"{self._path} cannot be read as Parquet ({said}); write it again")
