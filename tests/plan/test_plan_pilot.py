"""Pilots: trained on parts, measured by votes that no training has seen, within the time given, and gone on with."""

import itertools
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import murk
from murk.errors import DataError, InputError, UndecidedError
from murk.measure import accuracy_from_votes, effective_clean_labels
from murk.measure.vote_reading import read_votes_by
from murk.noise import Channel, pair_flip
from murk.plan import Pilot, pilot

DIGITS = murk.load("digits").train
NOISE = Channel(pair_flip(10, 0.2))
VOTES = NOISE.draw(DIGITS.labels, seed=0)
QUICK: dict[str, Any] = {"noise": NOISE, "epochs": 12, "device": "cpu", "seed": 0}
ALONE = 128  # examples a batch, of which seeds train one after the other: together would not be faster


def found(minutes: float = 1e-6, **change: Any) -> Pilot:
    return pilot("mlp1", DIGITS, VOTES, **{**QUICK, "minutes": minutes, **change})


def test_sizes_double_measured_examples_are_apart_and_accuracies_are_those_of_clean_labels() -> None:
    told = found(minutes=5.0, sizes=[120, 240, 480, 960])
    assert {run.images for run in told.runs} == {120, 240, 480, 960} and len(told.runs) == 16
    assert {run.seed for run in told.runs} == {0, 1, 2, 3}
    clean = found(minutes=5.0, sizes=[120, 240, 480, 960], labels=DIGITS.labels)
    assert clean.clean and not told.clean and told.measured == clean.measured == 259
    held = [by_votes.accuracy.low <= by_labels.accuracy.value <= by_votes.accuracy.high
            for by_votes, by_labels in zip(told.runs, clean.runs, strict=True)]  # fmt: skip
    assert sum(held) >= 12  # one set of votes measures all of them
    mean = {size: np.mean([run.accuracy.value for run in clean.runs if run.images == size]) for size in (120, 960)}
    assert mean[960] > mean[120] + 0.05
    assert told.effective == pytest.approx(effective_clean_labels(VOTES, NOISE))
    assert told.runs[0].effective < told.runs[-1].effective < told.effective
    assert np.linalg.eigvalsh(told.covariance).min() > -1e-12
    predicted = told.curve().predict(told.effective)
    assert predicted.low < mean[960] + 0.05 and predicted.high > mean[960]


def test_time_is_kept_but_for_the_three_sizes_that_a_curve_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = itertools.count(0, 10)  # each training takes ten seconds, as far as it can tell
    monkeypatch.setattr(sys.modules[Pilot.__module__], "time", SimpleNamespace(perf_counter=lambda: next(clock)))
    sizes = [130, 260, 519, 1038]

    def told(minutes: float, **change: Any) -> list[tuple[int, int]]:
        return [(run.images, run.seed) for run in found(minutes=minutes, sizes=sizes, **change).runs]

    assert told(1e-6, batch_size=ALONE) == [(size, 0) for size in sizes[:3]]
    assert told(0.6, batch_size=ALONE) == [(size, 0) for size in sizes[:3]]  # none takes less than ten more
    assert told(1.0, batch_size=ALONE) == [*((size, 0) for size in sizes), (130, 1), (260, 1)]
    assert told(1e-6) == [(size, seed) for size in sizes[:3] for seed in range(4)]


def test_seeds_that_train_together_end_as_they_would_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    together = found(sizes=[130, 260, 519], checkpoint=tmp_path)
    assert len(list(tmp_path.iterdir())) == len(together.runs) == 12
    monkeypatch.setattr(sys.modules[Pilot.__module__], "replicas_pay", lambda *_, **__: False)
    alone = found(sizes=[130, 260, 519], minutes=5.0)
    by_name = {(run.images, run.seed): run.accuracy.value for run in alone.runs}
    away = [abs(run.accuracy.value - by_name[run.images, run.seed]) for run in together.runs]
    assert max(away) < 0.02 and len(by_name) == 12  # but for rounding
    again = found(sizes=[130, 260, 519], checkpoint=tmp_path, minutes=5.0)  # what trained together is read one by one
    assert [run.seconds for run in sorted(again.runs, key=lambda run: (run.images, run.seed))] == [
        run.seconds for run in together.runs
    ]


@pytest.mark.parametrize("change", [{"method": "elr"}, {"consistency": 1.0, "augment": "affine"}])
def test_other_ways_to_learn_are_trained_as_they_are(change: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    told = found(sizes=[130, 260, 519], **change)
    monkeypatch.setattr(sys.modules[Pilot.__module__], "replicas_pay", lambda *_, **__: False)
    alone = found(sizes=[130, 260, 519], **change)
    assert [run.accuracy for run in told.runs] == [run.accuracy for run in alone.runs] and len(told.runs) == 3


def test_what_has_run_is_kept_and_another_pilot_is_told(tmp_path: Path) -> None:
    first = found(checkpoint=tmp_path, batch_size=ALONE)
    times = {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    assert len(times) == 3
    again = found(checkpoint=tmp_path, batch_size=ALONE)
    assert {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == times
    assert [run.accuracy for run in again.runs] == [run.accuracy for run in first.runs]
    assert again.seconds == first.seconds
    with pytest.raises(DataError, match="of another pilot"):
        found(checkpoint=tmp_path, batch_size=ALONE, epochs=13)


def test_a_pilot_that_is_stopped_goes_on(tmp_path: Path) -> None:
    class StoppedError(Exception):
        pass

    def stop(progress: Any) -> None:
        if "260 images" in progress.phase and progress.epoch is not None and progress.epoch.epoch == 3:
            raise StoppedError

    with pytest.raises(StoppedError):
        found(checkpoint=tmp_path, callbacks=[stop], batch_size=ALONE)
    gone_on, whole = found(checkpoint=tmp_path, batch_size=ALONE), found(batch_size=ALONE)
    assert [run.accuracy for run in gone_on.runs] == [run.accuracy for run in whole.runs]


def test_groups_are_never_split_between_training_and_measuring() -> None:
    groups = np.arange(len(DIGITS)) // 13  # 99 whole ones, and ten examples
    assert found(groups=groups, sizes=[200, 400, 800]).measured % 13 in (0, 10)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"minutes": 0}, "minutes are > 0"),
        ({"sizes": [100, 200]}, "at least 3 rising"),
        ({"sizes": [100, 200, 5000]}, "at most the 1038"),
        ({"sizes": [200, 100, 300]}, "rising"),
        ({"labels": [0, 1]}, "labels are 1297 integers"),
        ({"seed": -1}, "seed"),
    ],
)
def test_what_does_not_fit_is_refused(change: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        found(**change)


def test_too_few_examples_for_three_sizes_cannot_be_said() -> None:
    few = DIGITS[:400]
    with pytest.raises(UndecidedError, match="cannot say: a curve needs 3 sizes"):
        pilot("mlp1", few, NOISE.draw(few.labels, seed=0), **QUICK)


@pytest.mark.parametrize("share", [0.9, 0.985, 1.0])
def test_accuracies_near_one_are_told_no_surer_than_votes_see_them(share: float) -> None:
    truth, noise = np.arange(1000) % 10, Channel.symmetric(0.4, num_classes=10)
    predicted = np.where(np.arange(1000) < 1000 * share, truth, (truth + 1) % 10)
    seen = []
    for seed in range(200):
        votes = noise.draw(truth, seed=seed)
        reading, classes = read_votes_by(noise, predicted, votes)
        estimate = accuracy_from_votes(predicted, votes, noise=noise)
        seen.append(sys.modules["murk.plan.pilot"]._seen(estimate, reading.worth(classes, votes).value))
    value, told = np.array(seen).T
    # the deviation of 200 normal numbers is within a fourth of the true one but once in a million times
    assert told.min() > 0.8 * value.std() and told.max() < 1.5 * value.std()
    assert abs(value.mean() - share) < 5 * value.std() / 200**0.5
