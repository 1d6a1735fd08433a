"""Vote tables: votes in long form on the disk, one row a vote, with what made them.

Columns: example, annotator (where it is known who voted), label (-2 is "none of these"), and for mixed sources
image_source and image_row, which image the example shows. What made them stands in the Parquet schema's metadata, or
beside a CSV file in `<name>.json`.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from murk.errors import DataError, InputError, refuse
from murk.files import replace_file
from murk.noise import NONE_OF_THESE, NoiseModel, StoredVotes, VoteBatch, Votes, noise_state

__all__ = ["VoteTable", "facts_of_votes", "plain_noise", "read_votes", "write_votes"]

KEY = b"murk"
ENDINGS = (".parquet", ".csv")
VOTES_AT_ONCE = 1 << 18
NEEDED, COLUMNS = ("example", "label"), ("example", "annotator", "label")
TOLD = {"num_examples": int, "num_classes": int, "data": dict, "drawn_by": dict, "source": str, "seed": int}

Shown = Callable[[np.ndarray], tuple[list[str], np.ndarray]]
"""shown(examples [B]) -> the name of the source and the row there of the image that each example shows."""


@dataclass(frozen=True, eq=False)
class VoteTable:
    """Votes as read from a file, and what the file says of them.

    Attributes:
        votes: of `num_examples` examples.
        facts: what `write_votes` was told; empty for a file that murk did not write.
    """

    votes: StoredVotes
    facts: Mapping[str, Any]


def write_votes(
    path: str | Path,
    votes: Votes,
    *,
    facts: Mapping[str, Any],
    shown: Shown | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> int:
    """Write votes row by row in bounded memory; the file is whole or not there.

    Args:
        path: ends in .parquet or .csv; an older file is replaced.
        votes: stored or drawn.
        facts: what made them, as values JSON can hold: data (a dict), drawn_by (`plain_noise`), source, seed, and what
            else is worth telling; num_examples and num_classes are added.
        shown: which image each example shows, for mixed sources.
        progress: called with (examples done, examples in all).

    Returns:
        The number of rows.

    Raises:
        InputError: another ending.
        DataError: the folder cannot be written, or the disk is full; an older file stays.
    """
    path = Path(path)
    if path.suffix not in ENDINGS:
        raise InputError(f"a table of votes ends in {' or '.join(ENDINGS)}, but {path.name!r} came")
    facts = {**facts, "num_examples": len(votes), "num_classes": votes.num_classes}
    with _in_place_of(path) as part:
        rows = _stream(part, votes, facts, path.suffix, shown, progress)
        if path.suffix == ".csv":
            replace_file(
                _beside(path), (json.dumps({**facts, "rows": rows}, indent=1, allow_nan=False) + "\n").encode()
            )
    return rows


def plain_noise(noise: NoiseModel) -> dict[str, Any]:
    """Write a noise model as values JSON can hold, from which `murk.noise.noise_from_state` makes it again."""
    written = json.dumps(noise_state(noise), default=lambda array: np.asarray(array).tolist())
    plain: dict[str, Any] = json.loads(written)
    return plain


def read_votes(path: str | Path, *, num_examples: int | None = None, num_classes: int | None = None) -> VoteTable:
    """Read a table of votes.

    Args:
        path: a file of `write_votes`, or any Parquet or CSV file with the columns example and label.
        num_examples: N, where the file does not say it.
        num_classes: K, where the file does not say it.

    Raises:
        DataError: no such file, or it cannot be read as what its name says.
        InputError: columns or sizes are missing, or votes are out of range.
    """
    path = Path(path)
    columns, facts = _read(path)
    num_examples, num_classes = facts.get("num_examples", num_examples), facts.get("num_classes", num_classes)
    refuse([
        f"{path} does not say how many examples and classes there are" if None in (num_examples, num_classes) else "",
        f"{path} has {len(columns['label'])} rows, but {_beside(path).name} tells of {facts['rows']}; write it again"
        if facts.get("rows", len(columns["label"])) != len(columns["label"]) else "",
    ])  # fmt: skip
    votes = Votes.from_long(
        columns["example"], columns["label"], columns.get("annotator"),
        num_examples=int(num_examples or 0), num_classes=int(num_classes or 0),
    )  # fmt: skip
    return VoteTable(votes, facts)


def facts_of_votes(path: str | Path) -> dict[str, Any]:
    """Tell what made the votes in a file of `write_votes`; nothing for any other file, or none that can be read."""
    import pyarrow as pa
    import pyarrow.parquet

    path = Path(path)
    try:
        if path.suffix == ".parquet":
            return _facts((pa.parquet.read_schema(path).metadata or {}).get(KEY, b"{}"))
        return _facts(_beside(path).read_text(encoding="utf-8")) if path.suffix == ".csv" else {}
    except (OSError, ValueError, pa.ArrowException):
        return {}  # whoever reads the votes says what is wrong


@contextmanager
def _in_place_of(path: Path) -> Iterator[Path]:
    """Give a name beside `path` to write under; move it there when done, or clear it away."""
    part = path.with_name(f"{path.name}.{secrets.token_hex(6)}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield part
        with part.open("rb") as file:
            os.fsync(file.fileno())
        os.replace(part, path)
    except OSError as error:
        raise DataError(
            f"cannot write {path} ({error.strerror or error}); free space or choose another folder"
        ) from error
    finally:
        if part.exists():
            part.unlink()


def _stream(
    part: Path, votes: Votes, facts: Mapping[str, Any], ending: str, shown: Shown | None,
    progress: Callable[[int, int], None] | None,
) -> int:  # fmt: skip
    """Write one batch of examples after the other."""
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.parquet

    kinds = {"example": pa.int64(), "annotator": pa.int32(), "label": pa.int32()}
    if not votes.num_annotators:
        del kinds["annotator"]
    if shown is not None:
        kinds |= {"image_source": pa.string(), "image_row": pa.int64()}
    schema = pa.schema(kinds, metadata={KEY: json.dumps(facts, allow_nan=False)})
    writer = pa.parquet.ParquetWriter if ending == ".parquet" else pa.csv.CSVWriter
    rows = done = 0
    with writer(part, schema) as file:
        for batch in votes.batches(votes_at_once=VOTES_AT_ONCE):
            file.write_table(pa.table(_columns(batch, shown), schema=schema))
            rows, done = rows + len(batch.labels), done + len(batch)
            if progress is not None:
                progress(done, len(votes))
    return rows


def _columns(batch: VoteBatch, shown: Shown | None) -> dict[str, Any]:
    examples = batch.indices[batch.rows]
    columns: dict[str, Any] = {"example": examples}
    if batch.annotators is not None:
        columns["annotator"] = batch.annotators
    columns["label"] = np.where(batch.labels == batch.num_classes, NONE_OF_THESE, batch.labels).astype(np.int32)
    if shown is not None:
        columns["image_source"], columns["image_row"] = shown(examples)
    return columns


def _read(path: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Read the columns that matter, and the facts."""
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.parquet

    if path.suffix not in ENDINGS:
        raise InputError(f"a table of votes ends in {' or '.join(ENDINGS)}, but {path.name!r} came")
    if not path.is_file():
        raise DataError(f"there is no file {path}; check the path, or write one by `murk dilute`")
    try:
        if path.suffix == ".parquet":
            table = pa.parquet.ParquetFile(path).read()
            facts = _facts((table.schema.metadata or {}).get(KEY, b"{}"))
        else:
            table = pa.csv.read_csv(path)
            facts = _facts(_beside(path).read_text(encoding="utf-8") if _beside(path).is_file() else "{}")
        missing = [name for name in NEEDED if name not in table.column_names]
        if missing:
            raise ValueError(f"it lacks {', '.join(missing)} among its columns, {', '.join(table.column_names)}")
        names = [name for name in COLUMNS if name in table.column_names]
        return {name: table.column(name).to_numpy() for name in names}, facts
    except (OSError, ValueError, pa.ArrowException) as error:
        raise DataError(f"{path} cannot be read as a table of votes ({error}); write it again") from error


def _facts(written: str | bytes) -> dict[str, Any]:
    """Read what made the votes; ValueError says what is wrong with it."""
    facts = json.loads(written)
    if not isinstance(facts, dict):
        raise ValueError("what made the votes is not told as a JSON object")
    if facts and {name: type(facts.get(name)) for name in TOLD} != TOLD:
        raise ValueError(f"what made the votes lacks or garbles one of {', '.join(TOLD)}")
    return facts


def _beside(path: Path) -> Path:
    return path.with_name(path.name + ".json")
