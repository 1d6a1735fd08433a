"""Audit folders: what an audit found, kept so that pages and later commands can read it.

examples.parquet   per example: id, label, suggested class, P(error), flagged, predicted class, P(label)
errors.csv         the labels that are probably wrong, the surest first, for people
result.json        settings, data, the range or estimate of the noise rate, by class, confusions
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from murk.audit.findings import Findings
from murk.files import csv_text, replace_file
from murk.lab.result import FACTS, Result, machine, versions
from murk.measure import Estimate

__all__ = ["EXAMPLES", "LISTED", "result_of", "write_audit"]

EXAMPLES, LISTED = "examples.parquet", "errors.csv"
MOST_LISTED = 10_000


def write_audit(folder: str | Path, found: Findings, result: Result) -> None:
    """Write an audit folder; each file is whole or not there, and `result.json` comes last.

    Raises:
        DataError: the folder cannot be written.
    """
    folder = Path(folder)
    replace_file(folder / EXAMPLES, _parquet(found))
    replace_file(folder / LISTED, _listed(found).encode())
    text = json.dumps(result.to_dict(), indent=1, allow_nan=False) + "\n"
    replace_file(folder / FACTS, text.encode())


def result_of(
    found: Findings, *, settings: Mapping[str, Any], data: Mapping[str, Any], seeds: Mapping[str, int]
) -> Result:
    """Put what was found as plain values."""
    remarks = {} if found.audit is not None else dict.fromkeys(("noise_rate", "accuracy"), "no label was checked")
    classes = [
        {"name": each.name, "labelled": each.labelled, "flagged": each.flagged, "expected_wrong": each.expected_wrong,
         "noise_rate": _plain(each.noise_rate), "margin": _plain(each.margin)}
        for each in found.classes
    ]  # fmt: skip
    confusions = [
        {"true": each.true, "label": each.label, "expected": each.expected, "share": each.share,
         "audited": _plain(each.audited)} for each in found.confusions
    ]  # fmt: skip
    facts = {
        "examples": len(found.labels), "flagged": int(found.errors.flagged.sum()),
        "noise_rate_range": found.errors.rate.to_dict(), "errors_range": found.errors.count.to_dict(),
        "checked": 0 if found.audit is None else len(found.audit.indices),
        "checked_wrong": 0 if found.audit is None else int(found.audit.wrong.sum()),
        "classes": classes, "confusions": confusions, "said": list(found.sentences()),
    }  # fmt: skip
    return Result(
        command="audit", settings=settings, data={**data, "class_names": list(found.class_names)}, seeds=seeds,
        estimates={"noise_rate": found.noise_rate, "accuracy": found.accuracy}, remarks=remarks, facts=facts,
        machine=machine(device="cpu", precision="float32"), versions=versions(),
    )  # fmt: skip


def _plain(estimate: Estimate | None) -> dict[str, Any] | None:
    return None if estimate is None else estimate.to_dict()


def _parquet(found: Findings) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet

    names = pa.array(found.class_names, pa.string())
    size = len(found.labels)

    def classes(codes: np.ndarray) -> Any:
        return pa.DictionaryArray.from_arrays(pa.array(codes.astype(np.int32)), names)

    ids = pa.array(range(size)) if found.ids is None else pa.array(found.ids.tolist())
    columns = {
        "id": ids, "label": classes(found.labels), "suggested": classes(found.errors.suggested),
        "p_error": pa.array(found.errors.probability), "flagged": pa.array(found.errors.flagged),
        "predicted": classes(found.predicted), "p_label": pa.array(found.own),
    }  # fmt: skip
    out = io.BytesIO()
    pyarrow.parquet.write_table(pa.table(columns, metadata={"class_names": json.dumps(found.class_names)}), out)
    return out.getvalue()


def _listed(found: Findings) -> str:
    """Write the flagged labels, the surest first, at most 10,000."""
    ranked = found.errors.ranked()
    ranked = ranked[found.errors.flagged[ranked]][:MOST_LISTED]
    names = found.class_names
    rows = [
        (found.name_of(i), names[found.labels[i]], names[found.errors.suggested[i]],
         round(float(found.errors.probability[i]), 6)) for i in ranked.tolist()
    ]  # fmt: skip
    return csv_text(("id", "label", "suggested", "p_error"), rows)
