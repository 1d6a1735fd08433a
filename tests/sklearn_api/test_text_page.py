"""The tables of docs/text.md are those of the result file, and their intervals are of paired resamples."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import murk
from murk.measure import macro_f1

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("weak_supervision", ROOT / "benchmarks" / "weak_supervision.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where its dataclass looks for the names of its fields' types
    spec.loader.exec_module(module)
    return module


def test_the_tables_of_the_page_are_those_of_the_result_file(script):
    result = json.loads(script.RESULTS.read_text(encoding="utf-8"))
    page = (ROOT / "docs" / "text.md").read_text(encoding="utf-8")
    for table in (script.table(result), script.differences_table(result), script.told_table(result)):
        assert table in page


def test_scores_of_counts_are_accuracy_and_macro_f1(script):
    rng = np.random.default_rng(0)
    labels, predicted = rng.integers(0, 3, 60), rng.integers(0, 3, (2, 60))
    by_seed, _ = script.resampled(labels, predicted, 3)
    for scores, each in zip(by_seed, predicted, strict=True):
        assert scores == pytest.approx([(labels == each).mean(), macro_f1(labels, each).value])


def test_equal_predictions_differ_by_nothing_in_every_resample_and_a_sure_gain_is_sure_in_each(script):
    """Catches resamples that are drawn anew for each way."""
    labels = np.arange(60) % 3
    good, bad = np.tile(labels, (2, 1)), np.tile(np.where(np.arange(60) < 30, labels, (labels + 1) % 3), (2, 1))
    one, same, worse = (script.resampled(labels, each, 3)[1] for each in (bad, bad.copy(), good))
    assert (one == same).all() and (worse > one).all()


def test_a_majority_is_the_most_voted_a_tie_one_of_the_tied_and_no_vote_the_fallback(script):
    votes = murk.Votes.from_matrix([[0, 0, 1], [0, 2, -1], [-1, -1, -1]], num_classes=3)
    found = np.stack([script.majority(votes, fallback=1, seed=seed) for seed in range(40)])
    assert (set(found[:, 0]), set(found[:, 1]), set(found[:, 2])) == ({0}, {0, 2}, {1})
