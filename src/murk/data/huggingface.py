"""Hugging Face data sets: objects of their library, and folders as it saves or its hub keeps them; no code is run."""

from __future__ import annotations

import json
import os
import re
import struct
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from murk.data.image_files import real_path
from murk.data.tables.parquet_file import parquet_rows
from murk.data.tables.table import TESTS, TRAIN
from murk.data.tables.table_columns import Table
from murk.data.tables.table_file import check_table
from murk.data.told_names import counted, told_name, told_names
from murk.errors import DataError, InputError

_DICT, _STATE, _INFO = "dataset_dict.json", "state.json", "dataset_info.json"
_NOTE = 64 << 20
_LONGEST_NAME = 255
_DICTIONARY, _ROWS = 2, 3  # kinds of messages of an Arrow file
_SHARD = re.compile(r"(?P<split>\w+)-(?P<number>\d{5})-of-(?P<count>\d{5})(-[0-9a-f]+)?\.parquet")

Splits = list[tuple[str, int]]
"""Names and lengths of parts that lie one after the other."""


def is_saved(folder: Path) -> bool:
    """Whether a folder was written by `save_to_disk`, or holds the Parquet files of a data set of the hub."""
    return _is_written(folder) or bool(_of_hub(folder))


def _is_written(folder: Path) -> bool:
    return (folder / _DICT).is_file() or ((folder / _STATE).is_file() and (folder / _INFO).is_file())


def _of_hub(folder: Path) -> list[Path]:
    """The folders that hold shards, such as train-00000-of-00001.parquet: this one, or else some right in it."""
    try:
        if any(map(_SHARD.fullmatch, os.listdir(folder))):
            return [folder]
        return [below for below in sorted(folder.iterdir()) if below.is_dir() and _holds_shards(below)]
    except OSError:
        return []  # whoever lists it as a folder of images says what is wrong


def _holds_shards(folder: Path) -> bool:
    """Whether there are shards and nothing else."""
    names = [name for name in os.listdir(folder) if not name.startswith(".")]
    return bool(names) and all(map(_SHARD.fullmatch, names))


def is_object(given: Any) -> bool:
    """Whether this is an object of the library `datasets`, which need not be imported to tell."""
    return type(given).__module__.split(".")[0] == "datasets"


def table_of_object(given: Any) -> tuple[Table, Splits]:
    """A `datasets.Dataset` or `DatasetDict` as one table, and how long its splits are.

    Raises:
        InputError: an iterable one, or splits that are neither to train on nor to test with.
        DataError: splits with different columns.
    """
    parts = dict(given) if isinstance(given, Mapping) else {"train": given}
    wrong = [part for part in parts.values() if not hasattr(part, "with_format") or not hasattr(part, "num_rows")]
    if wrong or not parts:
        got = type(wrong[0]).__name__ if wrong else "none"
        raise InputError(f"expected a Dataset, or a DatasetDict of them, got {got}; load it whole, without streaming")
    tables = {}
    for name, part in parts.items():
        told = json.dumps({"info": {"features": part.features.to_dict()}})
        arrow = part.with_format("arrow")[:]
        tables[str(name)] = arrow.replace_schema_metadata({"huggingface": told})
    return _joined(tables, "the data set")


def table_of_saved(folder: Path) -> tuple[Table, Splits]:
    """A folder as `is_saved` knows it as one table, and how long its splits are; saved Arrow files are mapped.

    Raises:
        DataError: the folder is damaged or too large, names files outside itself or leads there by a link, holds
            several configurations of a data set, or its splits have different columns.
        InputError: splits that are neither to train on nor to test with.
    """
    root = real_path(folder)
    if not _is_written(root):
        return _joined(_of_shards(root), root.name)
    if not (root / _DICT).is_file():
        return _joined({"train": _saved(root)}, root.name)
    names = _note(root / _DICT).get("splits")
    if not isinstance(names, list) or not names or not all(map(_is_name, names)):
        raise DataError(f"expected the names of splits in {root / _DICT}, got {names!r:.80}; save the data set again")
    return _joined({name: _saved(root / name) for name in names}, root.name)


def _of_shards(root: Path) -> dict[str, Any]:
    """Split -> its rows, of Parquet files that are called by split and number."""
    import pyarrow as pa

    folders = _of_hub(root)
    if len(folders) > 1:
        raise DataError(f"expected one configuration of a data set in {root}, got several: "
                        f"{told_names(folder.name for folder in folders)}; name the folder of one")  # fmt: skip
    tables: dict[str, Any] = {}
    try:
        for split, shards in _shards(folders[0]).items():
            tables[split] = parquet_rows(shards, held=sum(table.nbytes for table in tables.values()))
            tables[split].validate(full=True)
    except (pa.ArrowException, OSError, ValueError, MemoryError) as error:
        raise DataError(f"{folders[0]} cannot be read as Parquet files of a data set ({_shortened(error)}); download "
                        "it again, or name one of them") from error  # fmt: skip
    return tables


def _shards(folder: Path) -> dict[str, list[Path]]:
    """Split -> its files in their order, none of them missing."""
    found: dict[str, list[re.Match[str]]] = {}
    for name in sorted(os.listdir(folder)):
        shard = _SHARD.fullmatch(name)
        if shard is not None:
            found.setdefault(shard["split"], []).append(shard)
        elif name.endswith(".parquet"):
            raise DataError(f"expected Parquet files of {folder} all called like train-00000-of-00001.parquet, got "
                            f"{told_name(name)}, too; take it elsewhere")  # fmt: skip
    for split, shards in found.items():
        numbers, count = [int(shard["number"]) for shard in shards], int(shards[-1]["count"])
        if numbers != list(range(count)):
            raise DataError(f"expected {counted(count, 'file')} of {split} in {folder}, numbered from 0, got "
                            f"{told_names(shard.string for shard in shards)}; download what is missing")  # fmt: skip
    return {split: [_own(folder / shard.string) for shard in shards] for split, shards in found.items()}


def _joined(tables: dict[str, Any], where: str) -> tuple[Table, Splits]:
    """All splits one below the other; what is called otherwise than train or test has no place."""
    import pyarrow as pa

    known = {*TRAIN, *TESTS[0], *TESTS[1]}
    strange = [name for name in tables if name.casefold() not in known]
    if strange:
        raise InputError(f"expected splits {', '.join(sorted(known))} of {where}, got {told_names(strange)}; choose "
                         "what to train on, such as datasets.DatasetDict(train=...), or rename them")  # fmt: skip
    try:
        schema = next(iter(tables.values())).schema
        arrow = pa.concat_tables([part.cast(schema) for part in tables.values()])
    except (pa.ArrowException, ValueError, KeyError) as error:
        raise DataError(f"expected the same columns in all splits of {where}, got others ({str(error)[:200]}); remove "
                        "what is in one alone") from None  # fmt: skip
    check_table(where, arrow)
    return Table(where, arrow), [(name, part.num_rows) for name, part in tables.items()]


def _saved(folder: Path) -> Any:
    """The Arrow files of one split, as they stand in its state."""
    import pyarrow as pa

    state = _note(folder / _STATE)
    files = state.get("_data_files")
    entries = [entry for entry in files if isinstance(entry, dict)] if isinstance(files, list) else []
    names: list[Any] = [entry.get("filename") for entry in entries]
    if not names or not all(map(_is_name, names)):
        raise DataError(f"expected names of Arrow files of this folder in {folder / _STATE}, got {files!r:.80}; save "
                        "the data set again")  # fmt: skip
    if state.get("_indices_data_files"):
        raise DataError(f"expected {folder} with its rows in order, got an index of them; call flatten_indices() and "
                        "save it again")  # fmt: skip
    paths, features = [_own(folder / name) for name in names], _note(folder / _INFO).get("features")
    parts = []
    try:
        for path in paths:
            with pa.memory_map(str(path)) as file:
                if any(_is_compressed(message.metadata.to_pybytes()) for message in pa.MessageReader.open_stream(file)):
                    raise ValueError(f"{path.name} is compressed, and nothing bounds what it unpacks to")
                file.seek(0)
                parts.append(pa.ipc.open_stream(file).read_all())
        arrow = pa.concat_tables(parts)
        arrow.validate(full=True)
        return arrow.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features or {}}})})
    except (pa.ArrowException, OSError, ValueError, MemoryError, RuntimeError, struct.error) as error:
        raise DataError(f"{folder} cannot be read as a saved data set ({_shortened(error)}); save it again") from error


def _is_compressed(message: bytes) -> bool:
    """Whether what precedes a batch in an Arrow file, a table of the format FlatBuffers, tells of packed buffers."""

    def at(place: int, *, kind: str = "<I") -> int:
        return int(struct.unpack_from(kind, message, place)[0])

    def field(table: int, number: int) -> int:
        """Where a field is; 0 if it is left out."""
        fields, slot = table - at(table, kind="<i"), 4 + 2 * number
        step = at(fields + slot, kind="<H") if slot < at(fields, kind="<H") else 0
        return table + step if step else 0

    top = at(0)
    kind, header = at(field(top, 1), kind="<B"), field(top, 2) + at(field(top, 2))
    batch = field(header, 1) + at(field(header, 1)) if kind == _DICTIONARY else header
    return kind in (_DICTIONARY, _ROWS) and field(batch, 3) > 0


def _own(path: Path) -> Path:
    """A file of the data set, its folder's links followed already: one on the way from there could lead anywhere.

    Raises:
        DataError: it is none, or there is such a link.
    """
    if real_path(path) != path:
        raise DataError(f"expected {path} in the folder of the data set itself, got a link to "
                        f"{told_name(str(real_path(path)))}; save the data set again, or copy it with its links "
                        "followed, as cp -rL does")  # fmt: skip
    if not path.is_file():
        raise DataError(f"expected a file at {path}, got none; save the data set again")
    return path


def _shortened(error: Exception) -> str:
    return " ".join(str(error).split())[:200]


def _is_name(name: Any) -> bool:
    """Whether this names something in the folder itself."""
    return (
        isinstance(name, str) and 0 < len(name) <= _LONGEST_NAME and "\0" not in name and "\\" not in name
        and PurePosixPath(name).parts == (name,) and name != ".." and name.isprintable()
    )  # fmt: skip


def _note(path: Path) -> dict[str, Any]:
    """One of the folder's JSON files."""
    _own(path)
    try:
        if path.stat().st_size > _NOTE:
            raise ValueError("too long")
        said = json.loads(path.read_bytes())
        if not isinstance(said, dict):
            raise ValueError("no JSON object")
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{path} cannot be read ({str(error)[:200]}); save the data set again") from error
    return said
