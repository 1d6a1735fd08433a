"""Studies: checked as a whole, the same run always the same run, and one ended is never lost and never run again."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import threading
import time
from collections import Counter
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from murk.data import content_sha256, load
from murk.errors import DataError, InputError
from murk.lab import Here, Processes, Setting, Store, Study, StudySummary, resolve, run_id, run_study
from murk.lab.checkpoints import checkpoint_of
from murk.lab.compute import Computed, compute_run
from murk.lab.executors import Ended

PATIENCE = 120.0
TINY = {
    "data": "digits", "model": "mlp1", "train_size": 200, "test_size": 100, "passes": 2000,
    "precision": "bfloat16",  # in which each run is a job by itself
}  # fmt: skip
RESOLVE = import_module("murk.lab.resolve")  # the room gives the function of that name
SWIFT = multiprocessing.get_context("forkserver")
SWIFT.set_forkserver_preload(["murk.lab", "sklearn.datasets", "torch._dynamo"])


@pytest.fixture(autouse=True)
def _one_thread_and_children_that_can_import_this_module(monkeypatch):
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    monkeypatch.syspath_prepend(Path(__file__).parents[2])
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def store(tmp_path):
    with Store(tmp_path / "murk.sqlite") as store:
        yield store


def tiny(name="tiny", *, seeds=2, **more):
    return Study.of(name, base={**TINY, **more}, grid={"alpha": [0, 5], "seed": list(range(seeds))})


def found(store, name):
    """What the runs of a study found, without how long it took and where."""
    told = {}
    for run in store.runs(name):
        outcome = run.outcome or {}
        facts = {key: value for key, value in outcome.get("facts", {}).items() if key != "training_seconds"}
        told[run.id] = run.state, outcome.get("estimates"), facts, outcome.get("confusion"), store.metrics(run.id)
    return told


def undisturbed(study, folder):
    with Store(folder / "undisturbed.sqlite") as calm:
        study.run(calm)
        return found(calm, study.name)


def wait_until(promise, what):
    deadline = time.monotonic() + PATIENCE
    while not promise():
        assert time.monotonic() < deadline, f"not within {PATIENCE} s: {what}"
        time.sleep(0.005)


# --- what a study is ---


def test_a_study_is_every_run_over_the_whole_grid_the_last_name_fastest():
    runs = [{"protocol": "paper", "learning_rate": 1.0}, {"protocol": "evidence"}]
    study = Study.of("all", base={"data": "digits"}, grid={"alpha": [0, 5], "seed": [3, 4]}, runs=runs)
    told = [(s.protocol, s.learning_rate, s.alpha, s.seed) for s in study.settings]
    cells = [(0, 3), (0, 4), (5, 3), (5, 4)]
    assert told == [("paper", 1.0, *cell) for cell in cells] + [("evidence", None, *cell) for cell in cells]
    assert all(setting.data == "digits" for setting in study.settings)


def test_a_file_says_the_same_as_the_call_and_lends_its_name(tmp_path):
    text = "[base]\nmodel = 'mlp1'\n[grid]\nalpha = [0, 5]\n[[runs]]\nprotocol = 'paper'\n[[runs]]\nloss = 'pairs'\n"
    path, runs = tmp_path / "noise.toml", [{"protocol": "paper"}, {"loss": "pairs"}]
    path.write_text(text)
    assert Study.read(path) == Study.of("noise", base={"model": "mlp1"}, grid={"alpha": [0, 5]}, runs=runs)
    path.write_text("name = 'other'\n" + text)
    assert Study.read(path).name == "other"


def test_numbers_of_numpy_are_the_numbers_that_they_hold():
    ranking = [[k for k in range(10) if k != label] for label in range(10)]
    ours = Study.of("s", base={"alpha": np.int64(10), "delta": np.float64(1.0), "ranking": np.array(ranking)},
                    grid={"seed": np.arange(2), "learning_rate": [np.float64(0.5)]})  # fmt: skip
    plain = Study.of("s", base={"alpha": 10, "delta": 1.0, "ranking": ranking},
                     grid={"seed": [0, 1], "learning_rate": [0.5]})  # fmt: skip
    assert ours == plain and ours.resolved() == plain.resolved()


def test_all_faults_of_settings_are_told_together_each_once():
    base = {"alhpa": 5, "train_size": 0, "alpha": 1, "model": 7}
    with pytest.raises(InputError) as fault:
        Study.of("wrong", base=base, grid={"seed": [0, -1], "held_out": [0.1, 0.7]})
    for said in ("`alhpa`: did you mean `alpha`?", "`train_size`", "`seed`", "`held_out`", "`model`"):
        assert str(fault.value).count(said) == 1, str(fault.value)


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ({"grid": {"alpha": 5}}, "the grid's `alpha` is a list of values, but 5 came"),
        ({"grid": {"alpha": [], "data": "digits"}}, "`alpha` is a list.*`data` is a list"),
        ({"grid": {"alpha": [0]}, "runs": [{"alpha": 5}]}, "`alpha` stands both in the grid and in a run"),
        ({"grid": {"alpha": [0]}, "base": {"alpha": 5}}, r"`alpha` stands both in the grid and in \[base\]"),
        ({"grid": {"seed": [2, 3, 2]}, "base": {"alpha": 5}}, "the grid's `seed` has 2 twice"),
        ({"base": 5, "grid": [1], "runs": [5]}, r"\[base\] is a table.*\[grid\] is a table.*\[\[runs\]\] are tables"),
        ({"base": {"data": "digits"}}, "a run needs its noise"),
    ],
)
def test_what_is_no_study_is_refused(parts, said):
    with pytest.raises(InputError, match=said):
        Study.of("wrong", **parts)


@pytest.mark.parametrize("name", ["", " ", "two\nlines", 5])
def test_a_study_has_a_printable_name(name):
    with pytest.raises(InputError, match="printable name"):
        Study.of(name, base={"alpha": 0})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("base = 5\nruns = 7\nbsae = 1", r"`bsae` came; \[base\] is a table .*, but 5 came; \[\[runs\]\] are tables"),
        ("base = " + "[" * 5000 + "]" * 5000, "is no TOML"),
        ("[base", "is no TOML"), ("name = 5\n[base]\nalpha = 0", "printable name, but 5 came"), ("", "needs its noise"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_study_is_refused(tmp_path, text, said):
    (tmp_path / "study.toml").write_text(text)
    with pytest.raises(InputError, match=said):
        Study.read(tmp_path / "study.toml")


def test_what_cannot_be_run_is_told_together_before_anything_is_stored(store):
    base = {"data": "digits", "alpha": 0}
    study = Study.of("wrong", base=base, grid={"model": ["mlp9", "mlp1"], "train_size": [200, 9000]})
    with pytest.raises(InputError, match=r"mlp9.*1,297 training images, but 9,000"):
        study.run(store)
    assert store.studies() == []
    with pytest.raises(DataError, match=r"cannot read nowhere\.toml"):
        Study.read("nowhere.toml")


# --- which run is which ---


def identity(**more):
    return run_id(resolve(Setting(**{**TINY, "alpha": 5, **more})))


def test_the_same_run_has_one_id_however_it_is_asked_for():
    resolved = resolve(Setting(**TINY, alpha=5))
    spelled = {name: resolved[name] for name in ("epochs", "batch_size", "learning_rate", "precision", "augment")}
    assert run_id(resolved) == identity() == identity(passes=None, **spelled)
    assert run_id(resolved) == run_id(dict(reversed(resolved.items())))


@pytest.mark.parametrize("more", [{"seed": 1}, {"alpha": 6}, {"learning_rate": 0.0021}, {"test_size": 99}])
def test_another_setting_is_another_run(more):
    assert identity(**more) != identity()


def test_another_number_format_another_default_and_other_data_are_other_runs(monkeypatch):
    assert identity(precision="float32") != identity(precision="bfloat16")
    resolved = resolve(Setting(**TINY, alpha=5))
    assert resolved["data_sha256"] == content_sha256(load("digits"))
    for name in ("data_sha256", "noise_sha256", "device", "version"):
        assert run_id({**resolved, name: f"not {resolved[name]}"}) != run_id(resolved)
    settle = RESOLVE.settle_recipe
    monkeypatch.setattr(RESOLVE, "settle_recipe", lambda *a, **k: replace(settle(*a, **k), weight_decay=0.06))
    assert identity() != run_id(resolved), "a default that changes is a setting that changes"


def test_settings_that_come_to_the_same_are_one_run(store):
    study = Study.of("weighed", base=TINY, grid={"alpha": [0, 5], "weigh_as": ["given", "independent"]})
    assert len(study.settings) == 4 and len(study.resolved()) == 3, "one right vote weighs the same either way"
    assert study.run(store).total == 3


# --- how it is run ---


def test_progress_counts_runs_and_a_finished_study_runs_nothing_again(store):
    told = []
    last = tiny().run(store, on_progress=told.append)
    assert [(p.done, p.failed, p.total) for p in told] == [(done, 0, 4) for done in range(5)] and last is told[-1]
    assert told[0].ended is None and [p.ended.id for p in told[1:]] == [run.id for run in store.runs("tiny")]
    assert told[0].seconds_left is None and all(p.seconds_left > 0 for p in told[1:-1]) and last.seconds_left == 0
    before = store.runs()
    assert tiny().run(store).done == 4 and store.runs() == before
    assert not checkpoint_of(store, "any").parent.exists(), "a finished study leaves no checkpoints"


def test_here_and_in_processes_the_numbers_are_the_same(tmp_path, store, monkeypatch):
    monkeypatch.setattr("murk.lab.executors.processes.SPAWN", SWIFT)
    tiny().run(store, executor=Processes(2))
    assert found(store, "tiny") == undisturbed(tiny(), tmp_path)


def test_no_run_begins_when_the_minutes_are_over(store, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr("murk.lab.driver.time", SimpleNamespace(monotonic=lambda: clock[0]))

    def forty_seconds_a_run(progress):
        clock[0] += 40 * (progress.ended is not None)

    assert tiny().run(store, minutes=1, on_progress=forty_seconds_a_run).done == 2
    assert store.counts() == {"waiting": 2, "running": 0, "done": 2, "failed": 0}
    assert run_study(store, "tiny").done == 4
    for minutes in (0, -1, float("nan")):
        with pytest.raises(InputError, match="minutes is a number > 0"):
            run_study(store, "tiny", minutes=minutes)


def test_a_run_that_fails_or_finds_what_cannot_be_kept_stops_no_other_and_can_be_tried_again(
    store, monkeypatch, tmp_path
):
    def faulty(resolved, **more):
        if resolved["seed"] == 0:
            raise ValueError("no luck")
        computed = compute_run(resolved, **more)
        return computed if resolved["seed"] == 1 else Computed(computed.outcome, ((1, "loss", float("inf")),))

    monkeypatch.setattr("murk.lab.driver.compute_run", faulty)
    study = tiny(seeds=3)
    assert (study.run(store).done, store.counts()["failed"]) == (2, 4)
    errors = {run.settings["seed"]: run.error for run in store.runs(states=["failed"])}
    assert errors[0] == "ValueError: no luck" and "'loss' at step 1 is inf" in errors[2]
    monkeypatch.undo()
    assert run_study(store, "tiny").failed == 4, "a failed run waits for a word"
    store.retry_failed("tiny")
    run_study(store, "tiny")
    assert found(store, "tiny") == undisturbed(study, tmp_path)
    assert [run.attempts for run in store.runs("tiny")] == [2, 1, 2] * 2


def test_what_is_still_computed_stops_before_its_run_waits_again(store):
    seen = []

    class Watched:
        slots = 1

        def run(self, work, jobs, *, on_start):
            try:
                for job in jobs:
                    on_start(job.key)
                    yield Ended(job.key, error="no luck")
            finally:
                on_start(next(iter(jobs)).key)
                seen.append(store.counts()["running"])

    def stop_at_the_first_end(progress):
        if progress.ended:
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        tiny().run(store, executor=Watched(), on_progress=stop_at_the_first_end)
    assert seen == [1] and store.counts() == {"waiting": 3, "running": 0, "done": 0, "failed": 1}


def test_the_time_left_counts_runs_that_go_on_together_as_at_the_same_time():
    """16 done in 160 s at once, 16 running at once, 16 waiting: 160 s for those running and 160 s for the rest."""
    counts = {"waiting": 16, "running": 16, "done": 16, "failed": 0}
    assert StudySummary("s", "", counts, mean_seconds=160.0).seconds_left == 320.0
    assert StudySummary("s", "", counts).seconds_left is None, "nothing is done yet"
    assert StudySummary("s", "", {**counts, "running": 0}, mean_seconds=160.0).seconds_left is None


# --- what becomes of it when it is cut off ---


def drive(path, name, most):
    """Work off a study, `most` runs at a time, as a process that is there to be killed."""
    torch.set_num_threads(1)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # the tests may run deaf to it
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])  # as workers are, and what they brought about
    first = []

    def pause_after_most(progress):
        first.append(progress.done)
        if progress.done - first[0] >= most:
            signal.pause()

    try:
        with Store(path) as store:
            run_study(store, name, executor=Here(), on_progress=pause_after_most)
    except KeyboardInterrupt:
        os._exit(130)


def driver(store, name, most):
    process = SWIFT.Process(target=drive, args=(store.path, name, most), daemon=True)
    process.start()
    return process


def test_drivers_killed_at_any_moment_lose_nothing_and_repeat_nothing(tmp_path, store):
    draw, study, struck = random.Random(0), tiny("killed", seeds=20), set()
    store.add_study(study.name, study.resolved())
    kept = {}
    for life in range(15):
        before = sum(run.attempts for run in store.runs())
        process = driver(store, study.name, 2)
        if life % 4:
            wait_until(lambda before=before: sum(run.attempts for run in store.runs()) > before, "a run starts")
        time.sleep(draw.uniform(0, 0.1))
        process.kill()
        process.join()
        assert process.exitcode == -signal.SIGKILL
        for run in store.runs(states=["done"]):
            assert kept.setdefault(run.id, run) == run, "a done run is never touched again"
        struck |= {(run.id, run.attempts) for run in store.runs(states=["running"])}
    assert struck, "some kill struck a run"
    run_study(store, study.name)
    assert all(run == kept.get(run.id, run) for run in store.runs())
    cut = Counter(run for run, _ in struck)
    assert all(run.attempts == 1 + cut[run.id] for run in store.runs()), "once, and once more for each kill that struck"
    assert found(store, study.name) == undisturbed(study, tmp_path)


def test_workers_killed_at_any_moment_cost_their_run_alone(tmp_path, store, monkeypatch):
    monkeypatch.setattr("murk.lab.executors.processes.SPAWN", SWIFT)
    draw, study, timers = random.Random(0), tiny("workers", seeds=4), []
    dead = []

    def kill_a_worker():
        for worker in multiprocessing.active_children():
            os.kill(worker.pid, signal.SIGKILL)
            dead.append(worker.pid)

    def kill_soon(progress):
        if timers:
            timers[-1].join()  # so that no run is struck twice
        if len(timers) < 5:
            timers.append(threading.Timer(draw.uniform(0.01, 0.15), kill_a_worker))
            timers[-1].start()

    progress = study.run(store, executor=Processes(1), on_progress=kill_soon)
    assert (progress.done, progress.failed) == (8, 0) and dead
    assert all(run.attempts == 1 for run in store.runs()), "the driver starts each run once"
    assert found(store, study.name) == undisturbed(study, tmp_path)


def test_after_control_c_runs_wait_again_and_end_with_the_same_numbers(tmp_path, store):
    study = tiny("long", seeds=1, passes=100_000, train_size=1000)
    store.add_study(study.name, study.resolved())
    process = driver(store, study.name, 1)
    wait_until(lambda: store.counts()["running"], "a run starts")
    time.sleep(0.3)
    while process.is_alive():  # as one who waits presses again
        os.kill(process.pid, signal.SIGINT)
        process.join(20)
    assert process.exitcode == 130
    assert store.counts()["running"] == 0 and store.counts()["waiting"] > 0
    run_study(store, study.name)
    assert found(store, study.name) == undisturbed(study, tmp_path)


def test_a_full_disk_keeps_what_is_done_and_the_study_goes_on_when_there_is_room(tmp_path, store):
    study = tiny("full", seeds=10)
    store.add_study(study.name, study.resolved())
    (pages,) = store.connection.execute("PRAGMA page_count").fetchone()
    store.connection.execute(f"PRAGMA max_page_count = {pages + 8}")
    with pytest.raises(DataError, match=r"the disk is full. What is done is kept; free space, then go on"):
        run_study(store, study.name)
    kept = store.runs(states=["done"])
    assert 0 < len(kept) < 20 and store.counts()["running"] == store.counts()["failed"] == 0
    store.connection.execute("PRAGMA max_page_count = 1000000")
    assert run_study(store, study.name).done == 20
    assert [run for run in store.runs(states=["done"]) if run in kept] == kept
    assert found(store, study.name) == undisturbed(study, tmp_path)
