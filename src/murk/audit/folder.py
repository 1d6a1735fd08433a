"""Audit folders: what an audit found, kept so that pages and later commands can read it.

examples.parquet   per example: id, label, suggested class, P(error), flagged, predicted class, P(label); with checked
                   labels also P(error) calibrated by them; with embeddings also copy_of (the id of the first that is
                   nearly the same) and strangeness
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

from murk.audit.by_class import within
from murk.audit.findings import Findings
from murk.audit.promises import promises
from murk.errors import InputError
from murk.files import csv_text, replace_file
from murk.lab.result import FACTS, Result, machine, versions
from murk.measure import Estimate, Range, Reliability

__all__ = ["EXAMPLES", "LISTED", "result_of", "write_audit", "write_corrected"]

EXAMPLES, LISTED = "examples.parquet", "errors.csv"
CORRECTED = ("id", "label", "was")
MOST_LISTED = 10_000
MOST_SHOWN = 30  # classes, up to which all of T is told


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


def write_corrected(path: str | Path, found: Findings) -> int:
    """Write all labels, put right as far as known: id, label, and what it was where it is another.

    What was checked is as checked; what is flagged becomes what is suggested.

    Args:
        path: .csv or .parquet.
        found: the audit.

    Returns:
        The number of labels that are others now.

    Raises:
        InputError: another ending.
        DataError: the file cannot be written.
    """
    path, labels, names = Path(path), found.corrected, found.class_names
    changed = labels != found.labels
    ids = range(len(labels)) if found.ids is None else found.ids.tolist()
    rows = [
        (name, names[now], names[was] if other else "")
        for name, now, was, other in zip(ids, labels.tolist(), found.labels.tolist(), changed.tolist(), strict=True)
    ]
    if path.suffix.lower() == ".csv":
        replace_file(path, csv_text(CORRECTED, rows).encode())
    elif path.suffix.lower() == ".parquet":
        import pyarrow as pa
        import pyarrow.parquet

        out = io.BytesIO()
        columns = [list(column) for column in zip(*rows, strict=True)]
        pyarrow.parquet.write_table(pa.table(dict(zip(CORRECTED, columns, strict=True))), out)
        replace_file(path, out.getvalue())
    else:
        raise InputError(f"corrected labels go to a .csv or .parquet, but {path.name!r} came")
    return int(changed.sum())


def result_of(
    found: Findings, *, settings: Mapping[str, Any], data: Mapping[str, Any], seeds: Mapping[str, int]
) -> Result:
    """Put what was found as plain values."""
    remarks = {} if found.audit is not None else dict.fromkeys(("noise_rate", "accuracy"), "no label was checked")
    classes = [
        {"name": each.name, "labelled": each.labelled, "flagged": each.flagged, "expected_wrong": each.expected_wrong,
         "range": _plain(each.range), "noise_rate": _plain(each.noise_rate), "margin": _plain(each.margin)}
        for each in found.classes
    ]  # fmt: skip
    confusions = [
        {"true": each.true, "label": each.label, "expected": each.expected, "share": each.share,
         "range": _plain(each.range), "audited": _plain(each.audited)} for each in found.confusions
    ]  # fmt: skip
    facts = {
        "examples": len(found.labels), "flagged": int(found.errors.flagged.sum()),
        "noise_rate_range": found.errors.rate.to_dict(), "errors_range": found.errors.count.to_dict(),
        "checked": 0 if found.audit is None else len(found.audit.indices),
        "checked_wrong": 0 if found.audit is None else int(found.audit.wrong.sum()),
        "promises": [
            {"name": each.name, "verdict": each.verdict, "because": each.because, "estimate": _plain(each.estimate)}
            for each in promises(found)
        ],
        "p_error": None if found.audit is None else _reliability(found.audit.reliability()),
        "confidence": _reliability(found.reliability()),
        "copies": None if found.neighbours is None else int(found.neighbours.copies.sum()),
        "strange": None if found.neighbours is None else int(found.neighbours.strange.sum()),
        "classes": classes, "confusions": confusions, "transition": _transition(found), "said": list(found.sentences()),
    }  # fmt: skip
    return Result(
        command="audit", settings=settings, data={**data, "class_names": list(found.class_names)}, seeds=seeds,
        estimates={"noise_rate": found.noise_rate, "accuracy": found.accuracy}, remarks=remarks, facts=facts,
        machine=machine(device="cpu", precision="float32"), versions=versions(),
    )  # fmt: skip


def _reliability(told: Reliability | None) -> dict[str, Any] | None:
    if told is None:
        return None
    ends = {"value": told.accuracy.value, "low": told.accuracy.low, "high": told.accuracy.high}
    return {"said": told.confidence.tolist(), "examples": told.examples.tolist(),
            **{name: np.asarray(each).tolist() for name, each in ends.items()}}  # fmt: skip


def _transition(found: Findings) -> dict[str, Any] | None:
    """Give T [K, K] with its ends, from checked labels or by assumption; None of more than 30 classes."""
    size = len(found.class_names)
    if size > MOST_SHOWN or found.errors.ends is None:
        return None
    if found.audit is not None and found.noise_rate is not None:
        estimate = found.audit.transition(confidence_level=found.noise_rate.confidence_level)
        value, low, high = estimate.value, estimate.low, estimate.high
    else:
        value = found.errors.transition.astype(np.float64)
        ends = found.errors.ends / np.maximum(found.errors.ends.sum(2, keepdims=True), 1e-9)
        low, high = within(value, ends, np.bincount(found.errors.suggested, minlength=size)[:, None])
    named = {"value": value, "low": low, "high": high}
    return {"checked": found.audit is not None, **{name: np.asarray(each).tolist() for name, each in named.items()}}


def _plain(estimate: Estimate | Range | None) -> dict[str, Any] | None:
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
    if found.audit is not None:
        columns["p_error_calibrated"] = pa.array(found.chances)
    if found.neighbours is not None:
        columns["copy_of"] = ids.take(pa.array(found.neighbours.copy_of))
        columns["strangeness"] = pa.array(found.neighbours.strangeness)
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
