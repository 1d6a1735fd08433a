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

from murk.data.tables import Table, open_table
from murk.data.tables.table_file import told_facts
from murk.errors import DataError, InputError, refuse
from murk.files import replace_file
from murk.noise import NONE_OF_THESE, NoiseModel, StoredVotes, VoteBatch, Votes, noise_state

__all__ = ["VoteTable", "facts_of_votes", "plain_noise", "read_votes", "write_votes"]

KEY = b"murk"
ENDINGS = (".parquet", ".csv")
VOTES_AT_ONCE = 1 << 18
MOST_EXAMPLES, MOST_CLASSES = 200_000_000, 1_000_000
TOLD = {"num_examples": int, "num_classes": int, "data": dict, "drawn_by": dict, "source": str, "seed": int}

Shown = Callable[[np.ndarray], tuple[list[str], np.ndarray]]
"""shown(examples [B]) -> the name of the source and the row there of the image that each example shows."""


@dataclass(frozen=True, eq=False)
class VoteTable:
    """Votes as read from a file, and what the file says of them.

    Attributes:
        votes: of `num_examples` examples.
        facts: what `write_votes` was told.
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
    """Read a table of `write_votes`; `murk.data.votes_on` reads any other.

    Args:
        path: of the file.
        num_examples: N that the votes must be about; None: any.
        num_classes: K that they must be over; None: any.

    Raises:
        DataError: no such file, or it cannot be read as what its name says, or lacks columns.
        InputError: a table that does not say what made it, of other sizes, or with votes out of range.
    """
    path = Path(path)
    table = open_table(path, may_be_empty=True)
    facts = facts_of_votes(path)
    if not facts:
        raise InputError(f"{path} does not say what made its votes; read it by murk.data.votes_on(data, path)")
    refuse(_size_faults(path, len(table), facts, {"num_examples": num_examples, "num_classes": num_classes}))
    annotator = _numbers(path, table, "annotator") if "annotator" in table.names else None
    votes = Votes.from_long(
        _numbers(path, table, "example"), _numbers(path, table, "label"), annotator,
        num_examples=facts["num_examples"], num_classes=facts["num_classes"],
    )  # fmt: skip
    return VoteTable(votes, facts)


def facts_of_votes(path: str | Path) -> dict[str, Any]:
    """Tell what made the votes in a file of `write_votes`; nothing for any other file, or none that can be read."""
    import pyarrow as pa
    import pyarrow.parquet

    path = Path(path)
    try:
        metadata = (pa.parquet.read_schema(path).metadata or {}) if path.suffix == ".parquet" else {}
        facts = told_facts(path, metadata)
    except (OSError, ValueError, pa.ArrowException, DataError):
        return {}  # whoever reads the votes says what is wrong
    return facts if {name: type(facts.get(name)) for name in TOLD} == TOLD else {}


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


def _size_faults(path: Path, rows: int, facts: Mapping[str, Any], expected: Mapping[str, int | None]) -> list[str]:
    """What is wrong with the sizes that a file tells, before anything is made of that size."""
    most = {"num_examples": MOST_EXAMPLES, "num_classes": MOST_CLASSES}
    faults = [f"{path} has {rows} rows, but {_beside(path).name} tells of {facts['rows']!r:.40}; write it again"
              if facts.get("rows", rows) != rows else ""]  # fmt: skip
    for name, want in expected.items():
        if want is not None and facts[name] != want:
            faults.append(f"expected votes with {name} {want:,}, but {path} tells of {facts[name]:,}; take the right "
                          "one")  # fmt: skip
        elif not 1 <= facts[name] <= most[name]:
            faults.append(f"expected {name} from 1 to {most[name]:,}, but {path} tells of {facts[name]:,}")
    return faults


def _numbers(path: Path, table: Table, name: str) -> np.ndarray:
    """A column of whole numbers, as floats; what is wrong with their values is told by `Votes.from_long`."""
    if name not in table.names:
        raise DataError(f"expected a column {name} in {path}, as votes are written, got {', '.join(table.names[:5])}; "
                        "write it again")  # fmt: skip
    if not len(table):
        return np.zeros(0, np.int64)
    if table.kind(name) != "number":
        raise DataError(f"expected whole numbers in column {name} of {path}, got cells that are none; write it again")
    return table.numbers(name)


def _beside(path: Path) -> Path:
    return path.with_name(path.name + ".json")
