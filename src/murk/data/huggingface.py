"""Hugging Face data sets: objects of their library, and the folders it saves; nothing is run, fetched or unpickled."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from murk.data.tables.table import TESTS, TRAIN
from murk.data.tables.table_columns import Table
from murk.data.tables.table_file import check_table
from murk.data.told_names import told_names
from murk.errors import DataError, InputError

_DICT, _STATE, _INFO = "dataset_dict.json", "state.json", "dataset_info.json"
_NOTE = 64 << 20
_LONGEST_NAME = 255

Splits = list[tuple[str, int]]
"""Names and lengths of parts that lie one after the other."""


def is_saved(folder: Path) -> bool:
    """Whether a folder was written by `save_to_disk`."""
    return (folder / _DICT).is_file() or ((folder / _STATE).is_file() and (folder / _INFO).is_file())


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
    """A folder that `save_to_disk` wrote as one table, its Arrow files mapped, and how long its splits are.

    Raises:
        DataError: the folder is damaged, names files outside itself, or its splits have different columns.
        InputError: splits that are neither to train on nor to test with.
    """
    if not (folder / _DICT).is_file():
        return _joined({"train": _saved(folder)}, folder.name)
    names = _note(folder / _DICT).get("splits")
    if not isinstance(names, list) or not names or not all(map(_is_name, names)):
        raise DataError(f"expected the names of splits in {folder / _DICT}, got {names!r:.80}; save the data set again")
    return _joined({name: _saved(folder / name) for name in names}, folder.name)


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
    parts = []
    try:
        for name in names:
            if (folder / name).resolve().parent != folder.resolve():
                raise ValueError(f"{name} is a link that leads out of the folder")
            with pa.memory_map(str(folder / name)) as file:
                parts.append(pa.ipc.open_stream(file).read_all())
        arrow = pa.concat_tables(parts)
        arrow.validate(full=True)
    except (pa.ArrowException, OSError, ValueError, MemoryError, RuntimeError) as error:
        raise DataError(f"{folder} cannot be read as a saved data set ({' '.join(str(error).split())[:200]}); save it "
                        "again") from error  # fmt: skip
    features = _note(folder / _INFO).get("features")
    return arrow.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features or {}}})})


def _is_name(name: Any) -> bool:
    """Whether this names something in the folder itself."""
    return (
        isinstance(name, str) and 0 < len(name) <= _LONGEST_NAME and "\0" not in name and "\\" not in name
        and PurePosixPath(name).parts == (name,) and name != ".." and name.isprintable()
    )  # fmt: skip


def _note(path: Path) -> dict[str, Any]:
    """One of the folder's JSON files."""
    try:
        if path.stat().st_size > _NOTE:
            raise ValueError("too long")
        said = json.loads(path.read_bytes())
        if not isinstance(said, dict):
            raise ValueError("no JSON object")
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{path} cannot be read ({str(error)[:200]}); save the data set again") from error
    return said
