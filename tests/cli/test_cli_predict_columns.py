"""A table's columns are the features that bear their names, in any order; where nothing names them, it is told."""

from __future__ import annotations

import json

import numpy as np
import pytest
from commands import run

NAMES = ("wide", "high", "deep")
PREDICT = ["predict", "-o", "p.csv", "--json"]


def columns(order=NAMES):
    """Features of which `wide` alone tells the classes apart, and the others say the contrary by their size."""
    draw = np.random.default_rng(1)
    labels = np.arange(120) % 2
    found = {"wide": 4.0 * labels, "high": 4.0 * (labels == 0) + 50, "deep": np.full(120, 9.0)}
    return {name: found[name] + draw.normal(0, 0.1, 120) for name in order} | {
        "label": np.array(["cat", "cow"])[labels]
    }


def write(path, order=NAMES):
    table = columns(order)
    rows = [",".join(map(str, row)) for row in zip(*table.values(), strict=True)]
    path.write_text("\n".join([",".join(table), *rows, ""]), encoding="utf-8")


@pytest.fixture
def table(tmp_path):
    """A fit of the table `as.csv` in `run`, and the table in another order in `other.csv`."""
    write(tmp_path / "as.csv")
    write(tmp_path / "other.csv", NAMES[::-1])
    run("train", "as.csv", "--noise", "symmetric:0.05", "--model", "perceptron", "--epochs", 30, "-o", "run")
    return tmp_path


def predicted(fit, place, *more):
    outcome = run(*PREDICT, fit, place, *more)
    return json.loads(outcome.stdout), outcome.stderr


@pytest.mark.parametrize("fit", ["run", "run/fit"])
def test_columns_in_another_order_are_found_by_the_names_that_the_fit_keeps(table, fit):
    told, said = predicted(fit, "other.csv")
    assert told["agreement_with_labels"] > 0.9 and "in this order" not in said


def test_a_saved_data_set_in_another_order_is_read_by_names_as_a_table_is(table):
    datasets = pytest.importorskip("datasets")
    datasets.disable_progress_bars()
    datasets.Dataset.from_dict({k: v.tolist() for k, v in columns(NAMES[::-1]).items()}).save_to_disk("saved")
    assert predicted("run", "saved")[0]["agreement_with_labels"] > 0.9


def test_a_fit_without_names_says_in_which_order_it_takes_the_columns(table):
    path = table / "run" / "fit" / "fit.json"
    facts = json.loads(path.read_text(encoding="utf-8"))
    assert facts.pop("feature_names") == list(NAMES)
    path.write_text(json.dumps(facts), encoding="utf-8")
    told, said = predicted("run/fit", "other.csv")
    assert "deep, high, wide are taken in this order" in said and any(
        "in this order" in odd for odd in told["oddities"]
    )
    named = [f"--column=features={name}" for name in NAMES]
    told, said = predicted("run/fit", "other.csv", *named)
    assert told["agreement_with_labels"] > 0.9 and "in this order" not in said and not told["oddities"]


def test_a_column_that_the_fit_was_trained_on_and_is_not_there_is_refused(table):
    text = (table / "other.csv").read_text(encoding="utf-8").replace("wide", "width")
    (table / "other.csv").write_text(text, encoding="utf-8")
    said = run(*PREDICT, "run/fit", "other.csv", exit_code=2).stderr
    assert "got 'wide'; did you mean 'width'?" in said
