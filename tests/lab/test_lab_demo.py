"""The demo's computing: rows that say what they should, and do not depend on how they were computed."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import t

from murk.errors import InputError, TrainingError
from murk.lab import demo
from murk.lab.demo import METHODS, run_demo, train_once
from murk.lab.repeats import mean_over_runs
from murk.measure import information_per_example
from murk.noise import Dilution


@pytest.fixture(scope="module")
def rows():
    return run_demo(alphas=(0, 5), seeds=2, epochs=2)


def test_every_method_has_a_row_at_every_alpha(rows):
    assert [(row.method, row.alpha) for row in rows] == [(method, alpha) for alpha in (0, 5) for method in METHODS]
    assert all([run.seed for run in row.runs] == [0, 1] for row in rows)


def test_a_row_is_the_mean_of_its_runs_with_both_intervals_around_it(rows):
    for row in rows:
        assert row.accuracy.value == pytest.approx(np.mean([run.accuracy for run in row.runs]), abs=1e-12)
        assert row.last.value == pytest.approx(np.mean([run.last for run in row.runs]), abs=1e-12)
        for estimate in (row.accuracy, row.accuracy_over_digits, row.last):
            assert 0 <= estimate.low < estimate.value < estimate.high <= 1


def test_the_noise_rate_and_the_worth_of_the_labels_are_the_closed_forms(rows):
    by_method = {row.method: row for row in rows if row.alpha == 5}
    assert by_method["plain"].noise_rate == pytest.approx(5 * 9 / (10 * 6), abs=1e-12)
    assert by_method["clean"].noise_rate == 0 and by_method["clean"].effective_clean_labels == pytest.approx(1297)
    expected = 1297 * information_per_example(Dilution(5, num_classes=10)) / np.log(10)
    spread = np.sqrt(1297 / 2)  # an example is worth 0 to 1 label, so its SD is at most 1/2; the bound is 5 SD and more
    assert abs(by_method["evidence"].effective_clean_labels - expected) < 5 * spread / 2
    assert by_method["evidence-independent"].effective_clean_labels < by_method["evidence"].effective_clean_labels


def test_with_right_labels_alone_every_method_is_the_same_training():
    from murk.data import Dataset, load

    digits = load("digits")
    few = Dataset(digits.train[:200], digits.test)
    clean, *others = [train_once(few, method, 0, seed=3, epochs=2, device="cpu") for method in METHODS]
    assert [(other.accuracy, other.last) for other in others] == [(clean.accuracy, clean.last)] * 3


def test_rows_do_not_depend_on_the_number_of_processes(rows):
    assert [row.to_dict() for row in run_demo(alphas=(5, 0), seeds=2, epochs=2, processes=2)] == [
        row.to_dict() for row in rows
    ]


def test_progress_counts_every_training_and_threads_are_left_as_they_were():
    before, told = torch.get_num_threads(), []
    run_demo(alphas=(1,), seeds=2, epochs=1, on_progress=told.append)
    assert [progress.done for progress in told] == list(range(9)) and {progress.total for progress in told} == {8}
    assert told[0].seconds_left is None and told[-1].seconds_left == 0
    assert torch.get_num_threads() == before


def test_all_faults_of_a_demo_are_named_together():
    with pytest.raises(InputError, match=r"alphas.*seeds is a whole number >= 2.*seed .*epochs.*processes.*abacus"):
        run_demo(alphas=(0.5,), seeds=1, seed=-1, epochs=0, processes=0, device="abacus")
    for alphas in ((), (2, 2), (-1,), (True,), (10_001,)):
        with pytest.raises(InputError, match="none twice"):
            run_demo(alphas=alphas)


def test_a_training_that_fails_ends_the_demo_and_is_named(monkeypatch):
    def failing(dataset, method, alpha, *, seed, epochs, device):
        raise TrainingError("the loss is not finite")

    monkeypatch.setattr(demo, "train_once", failing)
    told = []
    with pytest.raises(TrainingError, match=r"plain at alpha = 5 under seed 0.*the loss is not finite"):
        run_demo(alphas=(0, 5), seeds=2, epochs=1, on_progress=told.append)
    assert len(told) == 1, "no other training was begun"


def test_the_mean_over_runs_has_students_interval():
    values = [0.90, 0.93, 0.91, 0.96]
    estimate = mean_over_runs(values, confidence_level=0.9)
    low, high = t.interval(0.9, 3, loc=np.mean(values), scale=np.std(values, ddof=1) / 2)
    assert (estimate.low, estimate.high) == (pytest.approx(low, abs=1e-12), pytest.approx(high, abs=1e-12))


def test_runs_that_agree_still_leave_half_a_test_example_of_doubt_and_shares_stay_shares():
    agreed = mean_over_runs([0.5, 0.5, 0.5], resolution=0.002)
    assert (agreed.low, agreed.high) == (pytest.approx(0.499), pytest.approx(0.501))
    wide = mean_over_runs([0.0, 1.0])
    assert (wide.low, wide.high) == (0, 1)


@pytest.mark.parametrize("values", [[0.5], [], [0.5, 1.1], [0.5, float("nan")], [[0.5], [0.5]]])
def test_runs_that_give_no_interval_are_refused(values):
    with pytest.raises(InputError):
        mean_over_runs(values)
