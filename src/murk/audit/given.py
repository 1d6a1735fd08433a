"""What is given: labels and probabilities as they lie in files, opened without trust and not read whole."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from murk.data.array_file import ArrayFile
from murk.data.tables import PARQUET_ENDINGS, TABLE_ENDINGS, ParquetNumbers, Table, open_table
from murk.errors import DataError, InputError, refuse
from murk.measure import TopK

__all__ = ["Given", "read_embeddings", "read_given"]

ARRAYS = (".npy", ".npz")
PROBS, LABELS, EMBEDDINGS, PREFIX = "probs", "label", "embeddings", "probability_"
CLASSES, NUM_CLASSES = "classes", "num_classes"


@dataclass(frozen=True, eq=False)
class Given:
    """Labels and probabilities of the same examples.

    Attributes:
        labels: int [N].
        probs: float [N, K], a memory map where it lies in an .npy, `ParquetNumbers` of Parquet; or `TopK`.
        class_names: K, or None where none are told.
        ids: [N], or None.
    """

    labels: np.ndarray
    probs: Any
    class_names: tuple[str, ...] | None
    ids: np.ndarray | None


def read_given(probs: str | Path, labels: str | Path | None = None, *, classes: Sequence[str] | None = None) -> Given:
    """Read probabilities, and labels that lie in another file or beside them.

    Probabilities: an .npy [N, K] (mapped, of any size), an .npz that holds `probs`, or a table (.parquet of any size,
    .csv, .jsonl) with a column for each class, `probability_NAME`, as `murk predict` writes it. An .npz with `classes`
    [N, k], `probs` [N, k] and `num_classes` has the likeliest classes only. Labels: an .npy [N] of integers, an
    .npz that holds `label`, or a table with a column `label`: names of classes, or their numbers. Where both are tables
    with a column `id`, they are brought together by it.

    Args:
        probs: the file of probabilities.
        labels: the file of labels; None for a column (or array) of the first.
        classes: names of the K classes, in the order of the probabilities; None for those that the file tells, else
            numbers.

    Raises:
        InputError: columns or arrays that are missing, labels that are no class, ids that do not match.
        DataError: a file that is not there, or not what its name says.
    """
    paths = [Path(probs), Path(probs if labels is None else labels)]
    for path in paths:
        if path.suffix.lower() not in (*ARRAYS, *TABLE_ENDINGS):
            raise InputError(f"expected .npy, .npz, .parquet, .csv or .jsonl, but {path.name!r} came; convert it")
        if not path.is_file():
            raise DataError(f"there is no file {path}; check the path")
    values, names, ids = _probs(paths[0])
    names = names if classes is None else tuple(map(str, classes))
    size, num_classes = _size(values)
    codes, own = _labels(paths[1], names, num_classes)
    if ids is not None and own is not None and labels is not None:
        codes = codes[_order(ids, own)]
    elif len(codes) != size:
        raise InputError(
            f"{size} rows of probabilities, but {len(codes)} labels came; give both with an id, or in one order"
        )
    return Given(codes, values, names, own if ids is None else ids)


def _size(values: Any) -> tuple[int, int]:
    """Give the number of rows, and of classes."""
    if isinstance(values, TopK):
        return len(values.probs), values.num_classes
    return len(values), values.shape[1] if values.ndim == 2 else 0


def read_embeddings(path: str | Path) -> Any:
    """Read what a network makes of each example: .npy [N, D], or .npz with an array `embeddings`.

    Raises:
        InputError: another ending, or no such array.
        DataError: no such file, or a damaged one.
    """
    path = Path(path)
    if path.suffix.lower() not in ARRAYS:
        raise InputError(f"embeddings are .npy or .npz, but {path.name!r} came; convert it")
    if not path.is_file():
        raise DataError(f"there is no file {path}; check the path")
    return _array(path, EMBEDDINGS)


def _probs(path: Path) -> tuple[Any, tuple[str, ...] | None, np.ndarray | None]:
    if path.suffix.lower() in ARRAYS:
        return _array_of_probs(path), None, None
    if path.suffix.lower() in PARQUET_ENDINGS:
        held, metadata = ParquetNumbers.names(path)
        columns = _of_classes(held, path.name)
        values: Any = ParquetNumbers(path, columns)
        ids = _ids(open_table(path, columns=["id"])) if "id" in held else None
    else:
        table = open_table(path)
        columns, metadata = _of_classes(table.names, table.where), table.metadata
        text = [name for name in columns if table.kind(name) != "number"]
        refuse([
            f"probabilities are numbers, but the column {text[0]!r} of {table.where} holds others ({len(text)} such)"
            if text else ""
        ])  # fmt: skip
        values = np.stack([table.numbers(name) for name in columns], axis=1).astype(np.float32)
        ids = _ids(table)
    names, told = tuple(name.removeprefix(PREFIX) for name in columns), metadata.get(b"class_names")
    if told is not None and set(found := _names(told)) == set(names):
        values = (
            ParquetNumbers(path, [PREFIX + name for name in found]) if isinstance(values, ParquetNumbers)
            else values[:, [names.index(name) for name in found]]
        )  # fmt: skip
        names = found
    return values, names, ids


def _of_classes(names: Sequence[str], where: str) -> list[str]:
    """Find the columns of probabilities."""
    columns = [name for name in names if name.startswith(PREFIX)]
    if len(columns) < 2:
        raise InputError(
            f"probabilities in a table are columns {PREFIX}NAME, one a class, but {where} has {len(columns)} such"
        )
    return columns


def _names(told: bytes) -> tuple[str, ...]:
    try:
        found = json.loads(told)
    except ValueError:
        return ()
    return tuple(map(str, found)) if isinstance(found, list) else ()


def _labels(path: Path, names: tuple[str, ...] | None, num_classes: int) -> tuple[np.ndarray, np.ndarray | None]:
    if path.suffix.lower() in ARRAYS:
        return np.asarray(_array(path, LABELS)), None
    nameless = f"labels in a table are a column {LABELS!r}, but {path.name} has none"
    if path.suffix.lower() in PARQUET_ENDINGS and LABELS not in ParquetNumbers.names(path)[0]:
        raise InputError(nameless)
    table = open_table(path, columns=[LABELS, "id"])
    if LABELS not in table.names:
        raise InputError(nameless)
    coded = table.coded(LABELS)
    numbers = {str(k): k for k in range(num_classes)}
    by_name = numbers if names is None else {name: k for k, name in enumerate(names)}
    known = by_name if all(text in by_name for text in coded.texts) else numbers
    strange = [text for text in coded.texts if text not in known]
    empty = np.flatnonzero(coded.codes < 0)
    refuse([
        f"labels are names of the classes ({', '.join([*by_name][:6])}) or their numbers, but {strange[0]!r} came in "
        f"{table.where} ({len(strange)} such)" if strange else "",
        f"row {empty[0]} of {table.where} has no label ({len(empty)} such); leave such examples out" if len(empty)
        else "",
    ])  # fmt: skip
    positions = np.array([known[text] for text in coded.texts], np.int64)
    return positions[coded.codes], _ids(table)


def _ids(table: Table) -> np.ndarray | None:
    return table.coded("id").array("ids") if "id" in table.names else None


def _array_of_probs(path: Path) -> Any:
    """Read all classes' probabilities, or those of the likeliest classes, beside which stand which they are."""
    held = ArrayFile(path)
    if path.suffix.lower() == ".npy" or CLASSES not in held:
        return _array(path, PROBS)
    if NUM_CLASSES not in held or np.ndim(held[NUM_CLASSES]) or np.asarray(held[NUM_CLASSES]).dtype.kind not in "iu":
        raise InputError(f"{path.name} names the likeliest {CLASSES} only; say how many there are in {NUM_CLASSES!r}")
    return TopK(held[CLASSES], _array(path, PROBS), num_classes=int(held[NUM_CLASSES]))


def _array(path: Path, name: str) -> Any:
    held = ArrayFile(path)
    if path.suffix.lower() == ".npy":
        return next(iter(held.values()))
    if name not in held:
        raise InputError(f"{path.name} holds {', '.join(held)}, but no array {name!r}; name it so")
    return held[name]


def _order(wanted: np.ndarray, own: np.ndarray) -> np.ndarray:
    """Say in which row each wanted id is."""
    at = {name: row for row, name in enumerate(own.tolist())}
    missing = [name for name in wanted.tolist() if name not in at]
    refuse([
        f"ids come once each, but {len(own) - len(at)} repeat among the labels" if len(at) < len(own) else "",
        f"no label has the id {missing[0]!r} of the probabilities ({len(missing)} such)" if missing else "",
        f"{len(own) - len(wanted)} labels have no probabilities" if not missing and len(own) > len(wanted) else "",
    ])  # fmt: skip
    return np.array([at[name] for name in wanted.tolist()], np.int64)
