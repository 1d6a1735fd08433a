"""Tables of predictions: a row an example, with its id, its class by name, and the probability of each class."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int, Shaped

from murk.errors import InputError, refuse
from murk.files import replace_file

__all__ = ["ENDINGS", "PredictedTable", "write_predictions"]

ENDINGS = (".parquet", ".csv")


@dataclass(frozen=True, eq=False)
class PredictedTable:
    """What a classifier said.

    Attributes:
        ids: text [N].
        parts: text [N], "train" or "test": the part of the data.
        labels: text [N], what the data itself says, or None.
        probs: float32 [N, K], rows sum to one.
        class_names: K names.
    """

    ids: Shaped[np.ndarray, " N"]
    parts: Shaped[np.ndarray, " N"]
    labels: Shaped[np.ndarray, " N"]
    probs: Float[np.ndarray, "N K"]
    class_names: tuple[str, ...]

    @classmethod
    def joined(cls, tables: Sequence[PredictedTable]) -> PredictedTable:
        """Put tables of the same classes under each other.

        Raises:
            InputError: there is none.
        """
        refuse(["" if tables else "there is no example to predict"])
        ids, parts, labels, probs = (
            np.concatenate([getattr(table, name) for table in tables]) for name in ("ids", "parts", "labels", "probs")
        )
        return cls(ids, parts, labels, probs, tables[0].class_names)

    @property
    def predicted(self) -> Int[np.ndarray, " N"]:
        """The likeliest class of each example; the first one of equals."""
        found: Int[np.ndarray, " N"] = self.probs.argmax(1)
        return found

    @property
    def classes(self) -> Shaped[np.ndarray, " N"]:
        """Their names."""
        names: Shaped[np.ndarray, " N"] = np.array(self.class_names, dtype=object)[self.predicted]
        return names

    @property
    def agreement(self) -> float | None:
        """The share of the labelled examples whose class is their label; None without any."""
        known = np.array([label is not None for label in self.labels])
        return float((self.classes == self.labels)[known].mean()) if known.any() else None


def write_predictions(path: str | Path, table: PredictedTable) -> None:
    """Write a table: id, part, label, class and probability_NAME of each class; the file is whole or not there.

    Args:
        path: ends in .parquet (whose metadata holds `class_names`) or .csv (where text that a spreadsheet would run as
            a formula gets a leading quote).
        table: what to write.

    Raises:
        InputError: another ending.
        DataError: the file cannot be written; an older one stays.
    """
    path = Path(path)
    if path.suffix not in ENDINGS:
        raise InputError(f"a table of predictions ends in {' or '.join(ENDINGS)}, but {path.name!r} came")
    texts = {"id": table.ids, "part": table.parts, "label": table.labels, "class": table.classes}
    probs = {f"probability_{name}": table.probs[:, k] for k, name in enumerate(table.class_names)}
    if path.suffix == ".csv":
        from murk.files import csv_text

        columns = [column.tolist() for column in (*texts.values(), *probs.values())]
        replace_file(path, csv_text([*texts, *probs], list(zip(*columns, strict=True))).encode())
        return
    import pyarrow as pa
    import pyarrow.parquet

    told = {name: pa.array(column.tolist(), pa.string()) for name, column in texts.items()}
    out = io.BytesIO()
    metadata = {"class_names": json.dumps(table.class_names)}
    pyarrow.parquet.write_table(pa.table({**told, **probs}, metadata=metadata), out)
    replace_file(path, out.getvalue())
