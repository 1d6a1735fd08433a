"""Promises are judged by checked labels: kept ones hold, broken ones do not, and what nobody looked at is not said."""

import csv
from pathlib import Path

import numpy as np
import pyarrow.parquet
import pytest

from murk.audit import audit_labels, promises, write_corrected
from murk.audit.promises import HOLDS, NOT, UNKNOWN, _near
from murk.errors import InputError
from murk.measure import Estimate


def audited(flip: float, *, checked: int, sure: float = 0.8) -> tuple[list[str], float]:
    """Judge labels of which a share of one class is named another; give the verdicts."""
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 3, 6000)
    labels = np.where((truth == 0) & (rng.random(6000) < flip), 1, truth)
    probs = np.full((6000, 3), (1 - sure) / 2)
    probs[np.arange(6000), truth] = sure
    where = rng.choice(6000, checked, replace=False) if checked else np.zeros(0, int)
    found = audit_labels(labels, probs, probs_of="truth", checked=(where, truth[where]) if checked else None)
    return [each.verdict for each in promises(found)], float((labels != truth).mean())


def test_clean_labels_keep_their_promises_and_a_class_named_another_breaks_them() -> None:
    clean, _ = audited(0.0, checked=600)
    assert clean[0] == clean[1] == clean[3] == HOLDS and NOT not in clean
    broken, _ = audited(0.7, checked=600)
    assert broken[0] == NOT and broken[1] == NOT  # the score on these labels is .77, the accuracy 1


def test_without_checked_labels_and_with_few_nothing_is_said() -> None:
    assert audited(0.4, checked=0)[0] == [UNKNOWN] * 4
    assert audited(0.4, checked=12)[0][:3] == [UNKNOWN] * 3


def test_corrected_labels_are_as_checked_else_as_suggested_else_as_they_were(tmp_path: Path) -> None:
    truth = np.arange(300) % 3
    labels = truth.copy()
    labels[:30] = (labels[:30] + 1) % 3
    probs = np.where(np.eye(3)[truth] > 0, 0.9, 0.05)
    odd = np.array([0, 299])
    found = audit_labels(labels, probs, class_names=["=cat", "dog", "fox"], checked=(odd, (truth[odd] + 2) % 3))
    corrected = found.corrected
    assert (corrected[1:299] == truth[1:299]).all() and (corrected[odd] == (truth[odd] + 2) % 3).all()
    assert write_corrected(tmp_path / "all.csv", found) == (corrected != labels).sum()
    with (tmp_path / "all.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows[1] == {"id": "1", "label": "dog", "was": "fox"} and rows[40]["was"] == ""
    assert rows[3]["label"] == "'=cat"  # no spreadsheet runs it
    write_corrected(tmp_path / "all.parquet", found)
    table = pyarrow.parquet.read_table(tmp_path / "all.parquet")
    assert table.column_names == ["id", "label", "was"] and table["label"].to_pylist()[3] == "=cat"
    with pytest.raises(InputError, match=r"\.csv or \.parquet"):
        write_corrected(tmp_path / "all.txt", found)


def test_an_interval_near_the_promised_number_holds_and_one_on_the_edge_says_nothing() -> None:
    def judged(low: float, high: float) -> str:
        return _near(Estimate((low + high) / 2, low, high, 0.95, "made"), 0.5, "because")[0]

    assert judged(0.49, 0.51) == judged(0.505, 0.515) == HOLDS
    assert judged(0.3, 0.45) == judged(0.53, 0.6) == NOT
    assert judged(0.4, 0.6) == judged(0.51, 0.55) == UNKNOWN


def test_sets_larger_than_what_is_kept_of_a_row_are_not_judged() -> None:
    rng = np.random.default_rng(2)
    truth = rng.integers(0, 100, 3000)
    unsure = rng.dirichlet(np.full(100, 3.0), 3000) * 0.9
    unsure[np.arange(3000), truth] += 0.1
    where = rng.choice(3000, 300, replace=False)
    found = audit_labels(truth, unsure, probs_of="truth", checked=(where, truth[where]))
    told = promises(found)[3]
    assert told.verdict != NOT and told.estimate is not None and told.estimate.low < 0.9 < told.estimate.high
    labels = np.where(rng.random(3000) < 0.3, rng.integers(0, 100, 3000), truth)
    found = audit_labels(labels, unsure, probs_of="truth", checked=(where, truth[where]))
    told = promises(found)[3]
    assert told.verdict == UNKNOWN and told.estimate is None and "more than the 10 classes" in told.because
