"""Result folders: what is written is what is read, and a folder without result.json is not whole."""

from __future__ import annotations

import json

import numpy as np
import pytest

import murk
from murk.errors import DataError
from murk.lab import Predictions, Result, read_result, write_result


@pytest.fixture(scope="module")
def fit():
    digits, noise = murk.load("digits"), murk.Dilution(1, num_classes=10)
    votes = noise.draw(digits.train.labels, seed=0)
    return murk.fit("perceptron", digits.train, votes, noise=noise, epochs=1, seed=0)


RESULT = Result(
    command="train", settings={"alpha": 1, "pattern": None}, data={"name": "digits", "class_names": ["a", "b"]},
    seeds={"training": 0}, remarks={"unknown": "nobody looked"}, facts={"votes": 2}, history=({"epoch": 1},),
    estimates={"accuracy": murk.Estimate(0.5, 0.25, 0.75, 0.95, "exact"), "unknown": None},
    machine={"device": "cpu"}, versions={"murk": "0"},
)  # fmt: skip
PREDICTIONS = Predictions(np.array([0, -1]), np.array([[0.25, 0.75], [1.0, 0.0]]))


def test_what_is_written_is_what_is_read(tmp_path, fit):
    write_result(tmp_path / "a" / "b", RESULT, predictions=PREDICTIONS, fit=fit)
    assert read_result(tmp_path / "a" / "b") == RESULT


def test_a_second_result_replaces_the_first(tmp_path, fit):
    write_result(tmp_path / "run", RESULT, predictions=PREDICTIONS, fit=fit)
    write_result(tmp_path / "run", RESULT, predictions=PREDICTIONS, fit=fit)
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == ["fit", "predictions.parquet", "result.json"]


def test_a_failure_half_way_leaves_no_result(tmp_path, fit, monkeypatch):
    write_result(tmp_path / "run", RESULT, predictions=PREDICTIONS, fit=fit)

    def fail(*_, **__):
        raise DataError("the disk is full")

    monkeypatch.setattr("murk.lab.result._parquet", fail)
    with pytest.raises(DataError, match="full"):
        write_result(tmp_path / "run", RESULT, predictions=PREDICTIONS, fit=fit)
    with pytest.raises(DataError, match="no result"):
        read_result(tmp_path / "run")


@pytest.mark.parametrize(
    "text", ["", "[]", "{", "{}", '{"schema_version": 1}', "[" * 100_000,
             json.dumps({**RESULT.to_dict(), "estimates": {"accuracy": {"value": 2}}})],
)  # fmt: skip
def test_anything_else_is_refused_as_no_result(tmp_path, text):
    (tmp_path / "result.json").write_text(text)
    with pytest.raises(DataError, match="not a result"):
        read_result(tmp_path)


def test_another_layout_is_refused_by_its_number(tmp_path):
    (tmp_path / "result.json").write_text(json.dumps({**RESULT.to_dict(), "schema_version": 99}))
    with pytest.raises(DataError, match="layout 99"):
        read_result(tmp_path)
