"""Result folders: what a run found out, kept so that pages and later commands can read it.

    result.json           settings, machine, versions, data, seeds, history, estimates
    predictions.parquet   per test example: label, predicted class, probability of each class
    fit/                  the trained classifier (`Fit.save`)

`result.json` is written last: a folder that has one is whole.
"""

from __future__ import annotations

import io
import json
import os
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int

from murk.errors import DataError
from murk.files import replace_file
from murk.learn import Fit
from murk.measure import Estimate
from murk.version import VERSION

__all__ = ["SCHEMA_VERSION", "Predictions", "Result", "machine", "read_result", "versions", "write_result"]

SCHEMA_VERSION = 1
"""The layout of result folders that this murk writes and reads."""
FACTS, PREDICTIONS, FIT = "result.json", "predictions.parquet", "fit"
LIBRARIES = ("numpy", "scipy", "scikit-learn", "torch", "safetensors", "pyarrow")


@dataclass(frozen=True)
class Result:
    """What a run found out, as plain values.

    Attributes:
        command: what made it, such as "train".
        settings: every setting that the outcome depends on.
        data: name, SHA-256 of the content, numbers of examples, class names.
        seeds: every seed used, by what it was for.
        estimates: an `Estimate` by name, or None where it cannot be told.
        remarks: why an estimate is None, or what to mind, by the estimate's name.
        facts: exact numbers and choices: noise rate, effective clean labels, selected epoch.
        history: one entry an epoch.
        machine: the kind of machine: system, processor, device, precision, threads.
        versions: of Python, murk and the libraries that compute.
        schema_version: of this layout.
    """

    command: str
    settings: Mapping[str, Any]
    data: Mapping[str, Any]
    seeds: Mapping[str, int]
    estimates: Mapping[str, Estimate | None]
    remarks: Mapping[str, str] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    history: tuple[Mapping[str, Any], ...] = ()
    machine: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    schema_version: int = SCHEMA_VERSION

    def to_dict(self) -> dict[str, Any]:
        """Give everything as values that JSON can hold."""
        estimates = {name: None if found is None else found.to_dict() for name, found in self.estimates.items()}
        return {**asdict(self), "estimates": estimates, "history": [dict(epoch) for epoch in self.history]}


@dataclass(frozen=True)
class Predictions:
    """What a classifier said of each test example.

    Attributes:
        labels: int [N], the true class, -1 where it is not known.
        probs: float [N, K].
    """

    labels: Int[np.ndarray, " N"]
    probs: Float[np.ndarray, "N K"]


def write_result(folder: str | Path, result: Result, *, predictions: Predictions, fit: Fit) -> None:
    """Write a result folder; each file is whole or not there, and `result.json` comes last.

    Args:
        folder: made if need be; an older result in it is replaced.
        result: the findings.
        predictions: of the test examples.
        fit: the trained classifier.

    Raises:
        DataError: the folder cannot be written.
    """
    folder = Path(folder)
    text = json.dumps(result.to_dict(), indent=1, allow_nan=False) + "\n"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / FACTS).unlink(missing_ok=True)
    except OSError as error:
        raise DataError(f"cannot write {folder} ({error.strerror or error}); choose another folder") from error
    fit.save(folder / FIT)
    replace_file(folder / PREDICTIONS, _parquet(predictions, result.data.get("class_names", ())))
    replace_file(folder / FACTS, text.encode())


def read_result(folder: str | Path) -> Result:
    """Read the findings of a result folder; weights and predictions stay on the disk.

    Raises:
        DataError: no whole result there, or one of another layout.
    """
    path = Path(folder) / FACTS
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if found["schema_version"] != SCHEMA_VERSION:
            raise DataError(
                f"{path} has the layout {found['schema_version']!r}, but this murk reads {SCHEMA_VERSION}; "
                "read it with the murk that wrote it"
            )
        estimates = {name: None if e is None else Estimate(**e) for name, e in found["estimates"].items()}
        return Result(**{**found, "estimates": estimates, "history": tuple(found["history"])})
    except FileNotFoundError as error:
        raise DataError(f"there is no result in {folder} ({FACTS} is missing); run `murk train` into it") from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise DataError(f"{path} is not a result that murk wrote ({type(error).__name__}: {error})") from error


def machine(*, device: str, precision: str) -> dict[str, Any]:
    """Describe the kind of machine, without names of hosts, users or folders."""
    kind = torch.device(device)
    return {
        "system": platform.system(), "processor": platform.machine(), "cores": os.cpu_count(),
        "threads": torch.get_num_threads(), "device": kind.type,
        "accelerator": torch.cuda.get_device_name(kind) if kind.type == "cuda" else None, "precision": precision,
    }  # fmt: skip


def versions() -> dict[str, str]:
    """Tell the versions of Python and of the libraries that compute."""
    libraries = {name: metadata.version(name) for name in LIBRARIES}
    return {"python": platform.python_version(), "murk": VERSION, **libraries}


def _parquet(predictions: Predictions, class_names: Any) -> bytes:
    """Write label, predicted class and one probability column a class, as Parquet."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    probs = np.asarray(predictions.probs, dtype=np.float32)
    columns = {"label": np.asarray(predictions.labels, np.int64), "predicted": probs.argmax(1).astype(np.int64)}
    columns |= {f"probability_{k}": probs[:, k] for k in range(probs.shape[1])}
    table = pa.table(columns, metadata={"class_names": json.dumps(list(class_names))})
    out = io.BytesIO()
    pq.write_table(table, out)
    return out.getvalue()
