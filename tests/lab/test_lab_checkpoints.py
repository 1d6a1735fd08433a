"""Checkpoints of a study's runs: they carry a training on, never keep one from ending, and do not outlive it."""

from __future__ import annotations

import os

import pytest

from murk.errors import DataError
from murk.lab import Store, Study, compute_run, run_study, run_training
from murk.lab.checkpoints import RunCheckpoint, checkpoint_of, laid_aside
from murk.lab.compute import outcome_of, prepared
from murk.lab.resolve import train_settings
from murk.learn.checkpoint import scout_file

TINY = {"data": "digits", "model": "mlp1", "train_size": 100, "test_size": 50, "passes": 1500, "precision": "bfloat16"}


@pytest.fixture
def store(tmp_path):
    with Store(tmp_path / "murk.sqlite") as store:
        yield store


def planned(store, **more):
    study = Study.of("tiny", base={**TINY, "alpha": 2, **more})
    store.add_study("tiny", study.resolved())
    return store.runs("tiny")


def of_another_training(path, run):
    compute = {**run.settings, "seed": 1}
    dataset, mixed = prepared(compute)
    run_training(dataset, mixed, settings=train_settings(compute), described={}, device="cpu", checkpoint=path,
                 checkpoint_seconds=0, data={})  # fmt: skip


def garbage(path, run):
    path.parent.mkdir()
    path.write_bytes(b"no tensors")


@pytest.mark.parametrize("spoil", [garbage, of_another_training])
def test_a_checkpoint_from_which_nothing_can_go_on_costs_a_new_beginning_and_no_more(store, spoil):
    (run,) = planned(store)
    spoil(checkpoint_of(store, run.id), run)
    assert run_study(store, "tiny").done == 1
    assert store.run(run.id).outcome["estimates"] == compute_run(run.settings).outcome["estimates"]
    assert not checkpoint_of(store, run.id).parent.exists()


@pytest.mark.parametrize("number", [1, 2])
def test_what_scouts_keep_is_begun_anew_where_it_is_damaged_and_does_not_outlive_the_run(store, number):
    (run,) = planned(store, weigh_as="auto")
    path = checkpoint_of(store, run.id)
    path.parent.mkdir()
    scout_file(path, number).write_bytes(b"no tensors")
    assert run_study(store, "tiny").done == 1
    assert store.run(run.id).outcome["facts"]["found"]["family"]
    assert not path.parent.exists()


def test_a_fault_that_is_not_the_checkpoints_leaves_it_as_it_is(store, monkeypatch):
    (run,) = planned(store)
    path = checkpoint_of(store, run.id)
    garbage(path, run)

    def unreadable(*given, **more):
        raise DataError("no such image")

    monkeypatch.setattr("murk.lab.compute.run_training", unreadable)
    with pytest.raises(DataError, match=r"no such image; what is done is kept"):
        run_study(store, "tiny")
    assert path.read_bytes() == b"no tensors" and not laid_aside(path).exists()
    assert store.counts()["waiting"] == 1


def test_what_a_failed_run_says_of_its_checkpoint_stays_true(store, monkeypatch):
    (run,) = planned(store)
    path = checkpoint_of(store, run.id)

    def unlucky(resolved, *, checkpoint, **more):
        checkpoint.parent.mkdir()
        checkpoint.write_bytes(b"from before")
        raise ValueError("no luck")

    monkeypatch.setattr("murk.lab.driver.compute_run", unlucky)
    assert run_study(store, "tiny").failed == 1 and path.read_bytes() == b"from before"
    monkeypatch.undo()
    store.retry_failed("tiny")
    assert run_study(store, "tiny").done == 1 and not path.parent.exists()


def test_a_process_that_does_not_see_the_store_keeps_no_checkpoint(store, tmp_path):
    here = RunCheckpoint.of(store, "0" * 32)
    assert here.seen_here() == checkpoint_of(store, "0" * 32)
    moved = store.path.with_name("elsewhere")
    os.rename(store.path, moved)
    assert here.seen_here() is None, "nothing is there"
    store.path.write_bytes(b"another machine's")
    assert here.seen_here() is None, "another file has its name"
    os.replace(moved, store.path)
    assert here.seen_here() is not None


@pytest.mark.parametrize(("source", "batch_size"), [("same-set", 3), ("same-set", 4), ("copies", 3), ("white", 4)])
def test_a_metric_has_the_step_at_which_its_epoch_ended(store, source, batch_size):
    (run,) = planned(store, source=source, batch_size=batch_size, passes=600, precision="float32")
    dataset, mixed = prepared(run.settings)
    ends = []
    trained = run_training(
        dataset, mixed, settings=train_settings(run.settings), described={}, device="cpu", data={},
        callbacks=(lambda progress: ends.append(progress.step) if progress.epoch else None,),
    )  # fmt: skip
    told = [step for step, name, _ in outcome_of(trained, seconds=1.0).metrics if name == "training_loss"]
    assert told == ends
