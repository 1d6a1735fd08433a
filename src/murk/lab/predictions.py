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
        labels: int [N], what the data itself says, in [0, K), or -1.
        probs: float32 [N, K], rows sum to one.
    """

    ids: Shaped[np.ndarray, " N"]
    parts: Shaped[np.ndarray, " N"]
    labels: Int[np.ndarray, " N"]
    probs: Float[np.ndarray, "N K"]

    @classmethod
    def joined(cls, tables: Sequence[PredictedTable]) -> PredictedTable:
        """Put tables of the same classes under each other.

        Raises:
            InputError: there is none.
        """
        refuse(["" if tables else "there is no example to predict"])
        return cls(*(np.concatenate([getattr(table, name) for table in tables]) for name in cls.__annotations__))

    @property
    def predicted(self) -> Int[np.ndarray, " N"]:
        """The likeliest class of each example; the first one of equals."""
        found: Int[np.ndarray, " N"] = self.probs.argmax(1)
        return found

    @property
    def agreement(self) -> float | None:
        """The share of the labelled examples whose class is their label; None without any."""
        known = self.labels >= 0
        return float((self.predicted == self.labels)[known].mean()) if known.any() else None


def write_predictions(path: str | Path, table: PredictedTable, *, class_names: Sequence[str]) -> None:
    """Write a table: id, part, label and class (by name), probability_0 ...; the file is whole or not there.

    Args:
        path: ends in .parquet (whose metadata holds `class_names`) or .csv.
        table: what to write.
        class_names: K names.

    Raises:
        InputError: another ending.
        DataError: the file cannot be written; an older one stays.
    """
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.parquet

    path = Path(path)
    if path.suffix not in ENDINGS:
        raise InputError(f"a table of predictions ends in {' or '.join(ENDINGS)}, but {path.name!r} came")
    names = np.array([*class_names, None], dtype=object)
    columns = {
        "id": pa.array(table.ids.tolist(), pa.string()), "part": pa.array(table.parts.tolist(), pa.string()),
        "label": pa.array(names[table.labels].tolist(), pa.string()),
        "class": pa.array(names[table.predicted].tolist(), pa.string()),
        **{f"probability_{k}": table.probs[:, k] for k in range(table.probs.shape[1])},
    }  # fmt: skip
    out, whole = io.BytesIO(), pa.table(columns, metadata={"class_names": json.dumps(list(class_names))})
    (pyarrow.parquet.write_table if path.suffix == ".parquet" else pyarrow.csv.write_csv)(whole, out)
    replace_file(path, out.getvalue())
