"""Table files: CSV, Parquet and JSON lines, opened without trusting them; nothing in them is run or followed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from murk.data.array_file import LARGEST_UNPACKED
from murk.data.tables.parquet_file import MOST_COLUMNS, MOST_ROWS, parquet_rows
from murk.data.tables.table_columns import Table
from murk.errors import DataError, InputError

CSV_ENDINGS, PARQUET_ENDINGS, JSON_ENDINGS = (".csv", ".tsv"), (".parquet", ".pq"), (".jsonl", ".ndjson", ".json")
TABLE_ENDINGS = (*CSV_ENDINGS, *PARQUET_ENDINGS, *JSON_ENDINGS)
LONGEST_CELL = 1 << 20  # bytes of text in one cell
_BLOCK = 16 << 20  # bytes read at a time; no row may be longer
_HEADER = 1 << 20
_DEEPEST = 32  # brackets within brackets of a JSON line: deeper ones would exhaust the parser's stack
_NOTE = 64 << 20  # bytes of JSON beside a table: the matrices of a noise model are part of it


def open_table(path: Path, *, may_be_empty: bool = False, columns: Sequence[str] | None = None) -> Table:
    """Open a table by its ending.

    .csv and .tsv: UTF-8 with or without a mark, separated by comma, semicolon or tab (whichever the header holds most
    of), a header line, quoted line breaks allowed; only an empty cell is empty. .parquet (.pq): plain columns.
    .jsonl, .ndjson (.json): one object a line.

    Args:
        path: of the file.
        may_be_empty: whether a table without rows will do.
        columns: that are needed, those that there are: of Parquet no other is read; None for all.

    Raises:
        InputError: another ending.
        DataError: no such file, or not what its name says; no rows, a column name twice, a cell above 1 MiB, more than
            200 million rows or 100,000 columns, or Parquet that fills more than 4 GiB of memory.
    """
    ending = path.suffix.lower()
    if ending not in TABLE_ENDINGS:
        raise InputError(f"expected a table that ends in {', '.join(TABLE_ENDINGS)}, got {path.name!r}; convert it")
    if not path.is_file():
        raise DataError(f"expected a table at {str(path)!r}, got no file there; check the path")
    table = _opened(path, ending, columns)
    check_table(str(path), table, may_be_empty=may_be_empty)
    return Table(path.name, table, numbers_are_text=ending in CSV_ENDINGS)


def facts_beside(path: Path, table: Table) -> dict[str, Any]:
    """What murk says of votes that it wrote: in the Parquet file, or in NAME.json beside another; {} if nothing.

    Raises:
        DataError: something is said, but garbled.
    """
    return told_facts(path, table.metadata)


def told_facts(path: Path, metadata: dict[bytes, bytes]) -> dict[str, Any]:
    """As `facts_beside`, of a table of which only the metadata is known: that of its Parquet schema, else {}.

    Raises:
        DataError: something is said, but garbled.
    """
    beside = path.with_name(f"{path.name}.json")
    said = metadata.get(b"murk", b"")
    try:
        if not said and path.suffix.lower() in CSV_ENDINGS and beside.is_file():
            if beside.stat().st_size > _NOTE:
                raise ValueError(f"it is longer than {_NOTE:,} bytes")
            said = beside.read_bytes()
        facts = json.loads(said) if said else {}
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{beside} tells of {path.name}, but cannot be read ({error}); write the votes again") from None
    return facts if isinstance(facts, dict) and "num_classes" in facts else {}


def _opened(path: Path, ending: str, columns: Sequence[str] | None) -> Any:
    import pyarrow as pa

    kind, hint, reader = {
        "c": ("CSV", "save it as UTF-8 with one header line, every row as wide as it", _csv),
        "t": ("CSV", "save it as UTF-8 with one header line, every row as wide as it", _csv),
        "p": ("Parquet", "write it again", lambda path: parquet_rows([path], columns=columns)),
        "j": ("JSON lines", "write one object a line, in UTF-8, a column always of one kind", _json_lines),
        "n": ("JSON lines", "write one object a line, in UTF-8, a column always of one kind", _json_lines),
    }[ending[1]]
    try:
        table = reader(path)
        table.validate(full=True)
        return table
    except (pa.ArrowException, OSError, ValueError, MemoryError) as error:
        said = " ".join(str(error).split())[:200]
        raise DataError(f"{path} cannot be read as {kind} ({said}); {hint}") from error


def check_table(path: str, table: Any, *, may_be_empty: bool = False) -> None:
    """Refuse what no table of examples looks like, by `DataError`; `path` is its name for messages."""
    import pyarrow as pa
    import pyarrow.compute as pc

    from murk.data.coded import is_text

    names = table.column_names
    twice = sorted({name for name in names if names.count(name) > 1}) if len(set(names)) < len(names) else []
    if twice:
        raise DataError(f"expected columns of different names in {path}, got {twice[0]!r} twice; rename one")
    if not names or not (table.num_rows or may_be_empty):
        raise DataError(f"expected rows of examples or votes in {path}, got none; check how it was written")
    if table.num_rows > MOST_ROWS or len(names) > MOST_COLUMNS:
        raise DataError(
            f"expected at most {MOST_ROWS:,} rows and {MOST_COLUMNS:,} columns in {path}, got {table.num_rows:,} and "
            f"{len(names):,}; split it"
        )
    for name, column in zip(names, table.columns, strict=True):
        for chunk in column.chunks:
            texts = chunk.dictionary if pa.types.is_dictionary(chunk.type) else chunk
            longest = pc.max(pc.binary_length(texts)).as_py() if is_text(texts.type) else 0
            if (longest or 0) > LONGEST_CELL:
                raise DataError(f"expected cells of at most 1 MiB in {path}, got {longest:,} bytes in column {name!r}; "
                                "keep long texts elsewhere (an open quote looks so, too)")  # fmt: skip


def _csv(path: Path) -> Any:
    """Every column as text, so that "01" stays "01"; what is a number is found later."""
    import pyarrow as pa
    import pyarrow.csv as arrow_csv

    separator, width = _header(path)
    parse = arrow_csv.ParseOptions(delimiter=separator, newlines_in_values=True, ignore_empty_lines=width > 1)
    read = arrow_csv.ReadOptions(block_size=_BLOCK)
    with path.open("rb") as file, arrow_csv.open_csv(file, read_options=read, parse_options=parse) as reader:
        names = reader.schema.names
    if all(map(_is_number, names)) and names != [str(column) for column in range(len(names))]:  # as pandas counts them
        raise ValueError(f"its first line holds numbers, such as {names[0]}, and no names of columns")
    convert = arrow_csv.ConvertOptions(
        column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=True, null_values=[""]
    )
    with path.open("rb") as file:
        table = arrow_csv.read_csv(file, read_options=read, parse_options=parse, convert_options=convert)
    _check_quotes(path, table)
    return table


def _header(path: Path) -> tuple[str, int]:
    """The separator that the header holds most of, and the number of its columns."""
    with path.open("rb") as file:
        head = file.read(_HEADER)
    text = head.decode("utf-8-sig", errors="replace")
    outside = "".join(text.split('"')[::2])  # a doubled quote within quotes leaves an empty piece
    line = outside.lstrip("\r\n").splitlines()[0] if outside.strip() else ""
    separator = max(",;\t", key=lambda mark: (line.count(mark), mark == "\t" and path.suffix.lower() == ".tsv"))
    return separator, line.count(separator) + 1


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _check_quotes(path: Path, table: Any) -> None:
    """An open quote swallows the rest of the file into its last cell."""
    last = table.slice(max(table.num_rows - 1, 0)).to_pylist()
    if any("\n" in cell for row in last for cell in row.values() if cell):
        marks = sum(block.count(b'"') for block in _blocks(path))
        if marks % 2:
            raise ValueError("a quote is opened and never closed")


def _json_lines(path: Path) -> Any:
    """One object a line; what looks like a date stays the text that it is."""
    import pyarrow as pa
    import pyarrow.json as arrow_json

    _check_lines(path)
    read = arrow_json.ReadOptions(block_size=_BLOCK)
    with path.open("rb") as file:
        table = arrow_json.read_json(file, read_options=read)
    dates = [field.name for field in table.schema if pa.types.is_temporal(field.type)]
    if dates:
        parse = arrow_json.ParseOptions(explicit_schema=pa.schema([(name, pa.string()) for name in dates]))
        with path.open("rb") as file:
            table = arrow_json.read_json(file, read_options=read, parse_options=parse)
    return table


def _check_lines(path: Path) -> None:
    """See that each line closes what it opens and nests no deeper than 32, before a parser that recurses sees it.

    A name in a single line makes a column of all lines, so that few bytes could ask for much memory.
    """
    done, names = 0, set[tuple[bytes, ...]]()
    for block in _blocks(path, whole_lines=True):
        marks = np.frombuffer(block, np.uint8)
        quotes = marks == ord('"')
        quotes[_escaped(marks)] = False
        within = np.logical_xor.accumulate(quotes)
        steps = np.zeros(len(marks), np.int32)
        steps[(marks == ord("[")) | (marks == ord("{"))] = 1
        steps[(marks == ord("]")) | (marks == ord("}"))] = -1
        steps[within] = 0
        depth = np.cumsum(steps, dtype=np.int32)
        ends = np.append(np.flatnonzero(marks == ord("\n")), len(marks) - 1)
        wrong = np.flatnonzero((depth[ends] != 0) | within[ends])
        if len(wrong):
            raise ValueError(f"line {done + int(wrong[0]) + 1} leaves a bracket or a quote open")
        if (within & (marks == ord("\r"))).any():  # a place to cut for the parser, which would then begin inside it
            raise ValueError("a text holds a bare line break; write it as \\n")
        if len(depth) and (depth.max() > _DEEPEST or depth.min() < 0):
            raise ValueError(f"brackets nest deeper than {_DEEPEST} or close what was not opened")
        done += len(ends) - 1
        colons = np.flatnonzero((marks == ord(":")) & ~within & (depth > 0))
        names.update(_names(block, np.flatnonzero(quotes), colons, depth[colons]))
        if done * len(names) * 8 > LARGEST_UNPACKED:
            raise ValueError(f"{done:,} lines with {len(names):,} columns fill more than {LARGEST_UNPACKED:,} bytes of "
                             "memory; split it")  # fmt: skip


def _names(block: bytes, quotes: np.ndarray, colons: np.ndarray, depths: np.ndarray) -> Iterator[tuple[bytes, ...]]:
    """What stands in the quotes before each colon, after the names of the objects that it is in."""
    after = np.searchsorted(quotes, colons)
    starts, stops = (quotes[np.maximum(after - back, 0)].tolist() if len(quotes) else [] for back in (2, 1))
    path: tuple[bytes, ...] = ()
    for start, stop, depth in zip(starts, stops, depths.tolist(), strict=False):
        path = (*path[:depth], *((b"",) * (depth - len(path))), block[start + 1 : stop])
        yield path


def _escaped(marks: np.ndarray) -> np.ndarray:
    """Positions after an odd run of backslashes."""
    slashes = np.flatnonzero(marks == ord("\\"))
    if not len(slashes):
        return slashes
    starts = np.flatnonzero(np.diff(slashes, prepend=-2) != 1)
    lengths = np.diff(np.append(starts, len(slashes)))
    after: np.ndarray = slashes[starts] + lengths
    kept: np.ndarray = after[(lengths % 2 == 1) & (after < len(marks))]
    return kept


def _blocks(path: Path, *, whole_lines: bool = False) -> Any:
    """The bytes of a file, a few MiB at a time, with `whole_lines` up to the end of a line each."""
    with path.open("rb") as file:
        while block := file.read(_BLOCK // 4):
            if whole_lines:
                block += file.readline(_BLOCK)
                if len(block) >= _BLOCK:
                    raise ValueError(f"a line is longer than {_BLOCK:,} bytes")
            yield block
