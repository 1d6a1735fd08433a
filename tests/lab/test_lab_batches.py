"""Runs trained together: chosen by rule, and ending with the numbers they have alone."""

from __future__ import annotations

import numpy as np
import pytest

from murk.errors import DataError, InputError, TrainingError
from murk.lab import Store, Study, compute_run
from murk.lab.batches import batches
from murk.lab.compute import Computed, compute_batch

BASE = {"data": "digits", "model": "mlp1", "width": 32, "batch_size": 32, "passes": 3000, "precision": "float32"}


def planned(tmp_path, **grid):
    study = Study.of("s", base={name: value for name, value in BASE.items() if name not in grid}, grid=grid)
    with Store(tmp_path / "s.sqlite") as store:
        store.add_study("s", study.resolved())
        return store.runs("s")


def test_runs_alike_but_for_seed_noise_and_rate_are_one_batch(tmp_path):
    runs = planned(tmp_path, alpha=[0, 5], learning_rate=[0.001, 0.002], protocol=["evidence", "paper"], seed=[0, 1])
    parted = list(batches(runs))
    assert sorted(map(len, parted)) == [8, 8]
    assert all(len({run.settings["protocol"] for run in part}) == 1 for part in parted)
    assert sorted(run.id for part in parted for run in part) == sorted(run.id for run in runs)


def test_parts_are_the_same_again_whichever_of_them_are_done_already(tmp_path):
    runs = planned(tmp_path, alpha=list(range(11)), seed=[0, 1])
    parted = list(batches(runs))
    assert max(map(len, parted)) > 1
    for number, done in enumerate(parted):
        left = [run for run in runs if run not in done]
        assert list(batches(left)) == parted[:number] + parted[number + 1 :]


def test_sixteen_runs_alike_keep_two_workers_busy(tmp_path):
    assert len(list(batches(planned(tmp_path, alpha=[0, 1, 2, 5], seed=[0, 1, 2, 3])))) >= 2


@pytest.mark.parametrize(
    "other",
    [{"precision": ["bfloat16"]}, {"model": ["conv2"]}, {"batch_size": [512], "width": [256]}, {"source": ["white"]},
     {"dropout": [0.5]}, {"consistency": [1.0]}],
    ids=["precision", "convolutions", "large steps", "other images", "dropout", "two views"],
)  # fmt: skip
def test_what_is_not_faster_or_not_the_same_runs_alone(tmp_path, other):
    runs = planned(tmp_path, alpha=[5], seed=[0, 1, 2, 3], **other)
    assert [len(part) for part in batches(runs)] == [1, 1, 1, 1]


def test_seeds_that_choose_their_own_images_are_not_trained_together(tmp_path):
    runs = planned(tmp_path, alpha=[2, 3, 4, 5], train_size=[500], seed=[0, 1])
    assert sorted(len(part) for part in batches(runs)) == [4, 4]


def test_a_run_trained_with_others_ends_with_the_numbers_it_has_alone(tmp_path):
    (together,) = batches(planned(tmp_path, alpha=[0, 10], weigh_as=["given", "independent"], seed=[0, 1]))
    found = compute_batch([run.settings for run in together])
    for run, computed in zip(together, found, strict=True):
        alone = compute_run(run.settings)
        assert isinstance(computed, Computed)
        assert computed.outcome["facts"]["trained_together"] == len(together)
        assert computed.outcome["estimates"] == alone.outcome["estimates"]
        assert [step for step, *_ in computed.metrics] == [step for step, *_ in alone.metrics]


def test_a_training_that_stops_does_not_stop_the_others(tmp_path):
    (together,) = batches(planned(tmp_path, alpha=[5], learning_rate=[0.001, 0.002, 0.003, 1e30], seed=[0]))
    ended = compute_batch([run.settings for run in together])
    stopped = [run.settings["learning_rate"] for run, end in zip(together, ended, strict=True)
               if isinstance(end, TrainingError)]  # fmt: skip
    assert stopped == [1e30]


def test_other_data_than_the_run_was_planned_for_is_refused(tmp_path):
    (run,) = planned(tmp_path, alpha=[5], seed=[0])
    with pytest.raises(DataError, match="plan it again"):
        compute_run({**run.settings, "data_sha256": "0" * 64})


@pytest.mark.parametrize("source", ["copies", "same-set", "fresh", "white", "digits"])
def test_noisy_images_come_from_wherever_a_setting_says(tmp_path, source):
    (run,) = planned(tmp_path, alpha=[3], train_size=[200], test_size=[100], source=[source], seed=[0])
    outcome = compute_run(run.settings).outcome
    assert outcome["facts"]["training_examples"] == (200 if source == "copies" else 800)
    assert outcome["facts"]["test_examples"] == 100


def test_noise_from_a_file_that_has_changed_since_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = np.full((10, 10), 0.05) + 0.5 * np.eye(10)
    np.save("noise.npy", rows)
    (run,) = planned(tmp_path, noise=["channel:noise.npy"], seed=[0])
    np.save("noise.npy", np.roll(rows, 1, axis=1))
    with pytest.raises(InputError, match="not what it was"):
        compute_run(run.settings)
