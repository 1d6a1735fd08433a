"""The store: runs move as they may and no other way, studies share them, and nothing is written twice."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from filelock import FileLock

from murk.errors import InputError
from murk.lab.store import STATES, Store, StoredRun

A, B, C, D = (digit * 32 for digit in "abcd")
GRID = [(A, {"alpha": 1}), (B, {"alpha": 2, "more": [1, None, {"deep": True}]}), (C, {"alpha": 3})]
CURVE = [(1, "loss", 0.5), (2, "loss", 0.25), (2, "accuracy", 0.75)]


@pytest.fixture
def store(tmp_path):
    with Store(tmp_path / "deep" / "murk.db") as store:
        store.add_study("grid", GRID)
        yield store


def one(store, run_id) -> StoredRun:
    return next(run for run in store.runs() if run.id == run_id)


def bring(store, run_id, state):
    """Bring a waiting run into a state."""
    if state != "waiting":
        store.start(run_id)
    if state == "done":
        store.finish(run_id, {"accuracy": 0.5})
    if state == "failed":
        store.fail(run_id, "ValueError: no")


def test_a_run_that_waits_knows_its_settings_and_nothing_else(store):
    assert one(store, B) == StoredRun(B, GRID[1][1], "waiting", None, None, 0, None, None, None)


def test_a_done_run_gives_back_what_it_found(store):
    outcome = {"accuracy": {"value": 0.1 + 0.2, "low": 1e-300, "n": 2**70}, "names": ["é", "\udc80", ""], "none": None}
    store.start(A)
    store.finish(A, outcome, CURVE)
    run = one(store, A)
    assert run.outcome == outcome and (run.state, run.error, run.attempts) == ("done", None, 1)
    started, finished = datetime.fromisoformat(run.started), datetime.fromisoformat(run.finished)
    assert started.utcoffset() == timedelta(0)
    assert run.seconds == pytest.approx(max(0, (finished - started).total_seconds()), abs=0.0015)
    assert store.metrics(A) == [(1, "loss", 0.5), (2, "accuracy", 0.75), (2, "loss", 0.25)]
    assert store.metrics(B) == []


def test_a_failed_run_says_why_and_can_be_tried_again(store):
    for run_id in (A, B):
        store.start(run_id)
        store.fail(run_id, "ValueError: half a \udc80 pair")
    store.add_study("other", GRID[1:])
    assert (one(store, A).state, one(store, A).error) == ("failed", "ValueError: half a \\udc80 pair")
    assert store.retry_failed("other") == 1 and store.counts() == {"waiting": 2, "running": 0, "done": 0, "failed": 1}
    assert one(store, B) == StoredRun(B, GRID[1][1], "waiting", None, None, 1, None, None, None)
    assert store.retry_failed() == 1 and store.retry_failed() == 0
    bring(store, A, "done")
    assert one(store, A).attempts == 2


def test_a_released_run_waits_with_its_attempt_counted(store):
    store.start(A)
    store.start(B)
    store.release(A)
    assert one(store, A) == StoredRun(A, {"alpha": 1}, "waiting", None, None, 1, None, None, None)
    assert one(store, B).state == "running", "only the named run is released"


MOVES = {
    "start": ("waiting", lambda store: store.start(A)),
    "finish": ("running", lambda store: store.finish(A, {"accuracy": 0.0}, CURVE)),
    "fail": ("running", lambda store: store.fail(A, "other")),
    "release": ("running", lambda store: store.release(A)),
}


@pytest.mark.parametrize("move", MOVES)
@pytest.mark.parametrize("state", STATES)
def test_a_run_moves_from_its_right_state_only(store, state, move):
    bring(store, A, state)
    before, (needed, go) = store.runs(), MOVES[move]
    if state == needed:
        go(store)
        assert one(store, A).state != state and store.runs()[1:] == before[1:]
    else:
        with pytest.raises(InputError, match=f"run {A} is {state}, but a {needed} one was expected"):
            go(store)
        assert store.runs() == before and store.metrics(A) == []


@pytest.mark.parametrize("run_id", ["", "A" * 32, "a" * 31, "a" * 32 + "\n", "\udc80", None])
def test_what_is_no_run_id_is_refused(store, run_id):
    with pytest.raises(InputError, match="32 hex digits"):
        store.start(run_id)


def test_unknown_runs_are_refused(store):
    for use in (lambda: store.start(D), lambda: store.finish(D, {}), lambda: store.metrics(D)):
        with pytest.raises(InputError, match=f"no run {D}"):
            use()


@pytest.mark.parametrize(
    ("outcome", "said"),
    [
        ({"accuracy": {"low": [0.5, float("nan")]}}, r"outcome\.accuracy\.low\[1\] is nan"),
        ({"loss": float("-inf")}, r"outcome\.loss is -inf"),
        ({"a": {1: 2}}, r"outcome\.a has the key 1"),
        ({"a": {"b": {1, 2}}}, r"outcome\.a\.b is a set"),
    ],
)
def test_an_outcome_that_json_cannot_hold_is_refused_by_the_name_of_the_fault(store, outcome, said):
    store.start(A)
    with pytest.raises(InputError, match=said):
        store.finish(A, {**outcome, "fine": 1})
    assert (one(store, A).state, one(store, A).outcome) == ("running", None)


@pytest.mark.parametrize(
    ("metric", "said"),
    [
        ((1, "loss", float("nan")), "'loss' at step 1 is nan"), ((1, "loss", 10**400), "finite"),
        ((1, "loss", "0.5"), "finite"), ((-1, "loss", 0.5), "step"), ((0.5, "loss", 0.5), "step"),
        ((2**63, "loss", 0.5), "step"), ((1, " ", 0.5), "printable"), ((1, "\udc80", 0.5), "printable"),
    ],
)  # fmt: skip
def test_a_bad_metric_is_refused_and_nothing_of_the_run_is_kept(store, metric, said):
    store.start(A)
    with pytest.raises(InputError, match=said):
        store.finish(A, {"accuracy": 0.5}, [(0, "loss", 1.0), metric])
    assert one(store, A).state == "running" and store.metrics(A) == []


def test_all_faults_of_a_study_are_told_together_and_it_is_not_added(store):
    with pytest.raises(InputError, match=r"name.*hex digits.*came twice.*settings of b+\.alpha is inf"):
        store.add_study("", [("x", {}), (A, {}), (A, {}), (B, {"alpha": float("inf")})])
    assert [study.name for study in store.studies()] == ["grid"]


def test_metrics_that_come_twice_are_refused(store):
    store.start(A)
    with pytest.raises(InputError, match="'loss' came 2 times at step 1"):
        store.finish(A, {}, [(1, "loss", 0.5), (1, "loss", 0.5)])


def test_a_study_is_exactly_its_runs_in_their_order(store):
    bring(store, B, "done")
    store.add_study("grid", [(D, {"alpha": 9}), (B, GRID[1][1]), (A, {"alpha": 1})])
    assert [run.id for run in store.runs("grid")] == [D, B, A]
    assert [run.id for run in store.runs("grid", states=["waiting"])] == [D, A] and store.runs(states=[]) == []
    assert one(store, B).outcome == {"accuracy": 0.5}
    assert [run.id for run in store.runs()] == [A, B, C, D], "a dropped run stays in the file"


def test_studies_share_runs_and_count_them_each(store):
    store.add_study("second", [(C, {"alpha": 3}), (D, {"alpha": 4})])
    store.add_study("empty", [])
    bring(store, C, "done")
    bring(store, D, "failed")
    found = {study.name: study.counts for study in store.studies()}
    assert found == {
        "grid": {"waiting": 2, "running": 0, "done": 1, "failed": 0},
        "second": {"waiting": 0, "running": 0, "done": 1, "failed": 1},
        "empty": dict.fromkeys(STATES, 0),
    }
    assert all(store.counts(name) == counts for name, counts in found.items())
    assert store.counts() == {"waiting": 2, "running": 0, "done": 1, "failed": 1}


def test_a_study_keeps_the_day_it_was_first_added(store):
    (before,) = store.studies()
    store.connection.execute("UPDATE studies SET created = '2000-01-01T00:00:00.000+00:00'")
    store.add_study("grid", GRID)
    assert store.studies()[0].created == "2000-01-01T00:00:00.000+00:00" < before.created


def test_an_id_stands_for_one_set_of_settings(store):
    with pytest.raises(InputError, match=f"run {B} is known with other settings"):
        store.add_study("other", [(D, {"alpha": 1}), (B, {"alpha": 2})])
    assert len(store.studies()) == 1 and len(store.runs()) == 3, "nothing of a refused study is kept"
    store.add_study("other", [(B, dict(reversed(GRID[1][1].items())))])


@pytest.mark.parametrize("ask", [Store.runs, Store.counts, Store.retry_failed])
def test_an_unknown_study_is_refused_with_the_nearest(store, ask):
    with pytest.raises(InputError, match="no study 'gird'; nearest: grid"):
        ask(store, "gird")


def test_an_unknown_state_is_refused_with_the_nearest_and_an_empty_file_has_no_nearest(store, tmp_path):
    with pytest.raises(InputError, match="no state 'finished'; nearest: "):
        store.runs(states=["done", "finished"])
    with Store(tmp_path / "new.db") as new, pytest.raises(InputError, match="no study 'grid'; add one"):
        new.runs("grid")


ELSEWHERE = StoredRun(A, {"alpha": 1}, "done", {"accuracy": 0.9}, None, 3, "2026-01-01T00:00:00.000+00:00",
                      "2026-01-01T00:01:00.000+00:00", 60.0)  # fmt: skip


@pytest.mark.parametrize("state", ["waiting", "failed"])
def test_a_run_done_elsewhere_is_taken_over_once(store, state):
    bring(store, A, state)
    assert store.insert_done(ELSEWHERE, CURVE) is True
    assert one(store, A) == ELSEWHERE and sorted(store.metrics(A)) == sorted(CURVE)
    assert [run.id for run in store.runs("grid")] == [A, B, C] == [run.id for run in store.runs()]
    assert store.insert_done(replace(ELSEWHERE, outcome={"accuracy": 0.1}), [(9, "loss", 9.0)]) is False
    assert one(store, A) == ELSEWHERE and len(store.metrics(A)) == 3


def test_a_run_done_elsewhere_may_be_new_here(store):
    assert store.insert_done(replace(ELSEWHERE, id=D, settings={"alpha": 4})) is True
    store.add_study("later", [(D, {"alpha": 4})])
    assert store.counts("later")["done"] == 1


def test_what_cannot_be_taken_over_is_refused(store):
    for faulty, said in [
        (replace(ELSEWHERE, state="failed", outcome=None, error="no"), "only a done run"),
        (replace(ELSEWHERE, outcome=None), "only a done run"),
        (replace(ELSEWHERE, settings={"alpha": 7}), "other settings"),
        (replace(ELSEWHERE, id="x", outcome={"a": float("nan")}), r"hex digits.*outcome\.a"),
    ]:
        with pytest.raises(InputError, match=said):
            store.insert_done(faulty)
    store.start(A)
    with pytest.raises(InputError, match="running here"):
        store.insert_done(ELSEWHERE)
    assert store.metrics(A) == [] and one(store, A).state == "running"


def test_runs_left_running_wait_again_when_the_next_driver_comes(store):
    store.start(A)
    bring(store, B, "done")
    with store.driving():
        assert store.counts("grid") == {"waiting": 2, "running": 0, "done": 1, "failed": 0}
        assert one(store, A).attempts == 1


def test_only_one_drives_at_a_time(store, tmp_path):
    with Store(store.path) as other:
        with store.driving():
            with pytest.raises(InputError, match="another process is running"), other.driving():
                pass
            store.start(A)
        with pytest.raises(RuntimeError, match="inside"), other.driving():
            raise RuntimeError("inside")
        with store.driving():
            assert store.counts()["running"] == 0


def test_a_reader_knows_whether_somebody_drives(store):
    with Store(store.path, read_only=True) as reader:
        assert not reader.is_driven()
        with store.driving():
            assert reader.is_driven() and store.is_driven()
        assert not reader.is_driven()


def test_who_only_asks_keeps_no_driver_out(store):
    """Asking takes the lock for a moment; here for a long one."""
    asking = FileLock(store.path.with_name(store.path.name + ".lock"), thread_local=False)
    asking.acquire()
    threading.Timer(0.1, asking.release).start()
    with store.driving():
        assert store.is_driven()


def test_one_state_is_seen_while_another_writes(store):
    with Store(store.path, read_only=True) as reader, reader.reading():
        before = reader.counts()
        store.start(store.runs(states=["waiting"])[0].id)
        assert reader.counts() == before
    with Store(store.path, read_only=True) as reader:
        assert reader.counts() == store.counts() != before
