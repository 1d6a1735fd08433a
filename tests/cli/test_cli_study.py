"""`murk study`: a file becomes runs, the runs become a table, and a store carries them on and to other machines."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import socket
import subprocess
import sys
import time
from types import SimpleNamespace

import pyarrow.parquet as pq
import pytest

from murk.lab import Store, run_id

PATIENCE = 120.0
STUDY = """
name = "noise"
[base]
data = "digits"
model = "mlp1"
train_size = 200
test_size = 100
passes = 2000
[grid]
alpha = [0, 5]
seed = [0, 1]
"""
COUNTS = {"waiting": 0, "running": 0, "done": 4, "failed": 0}


@pytest.fixture
def study(tmp_path):
    (tmp_path / "study.toml").write_text(STUDY)
    return tmp_path / "study.toml"


@pytest.fixture
def finished(study, murk):
    outcome = murk("study run study.toml")
    assert outcome.exit_code == 0, outcome.stderr
    return outcome


@pytest.fixture
def unlucky(monkeypatch):
    """Runs of seed 1 fail until this is undone."""
    from murk.lab import driver

    compute = driver.compute_run

    def compute_run(resolved, **more):
        if resolved["seed"] == 1:
            raise ValueError("no luck")
        return compute(resolved, **more)

    with monkeypatch.context() as patch:
        patch.setattr(driver, "compute_run", compute_run)
        patch.setattr("murk.lab.driver.batches", lambda runs: ([run] for run in runs))
        yield patch


def outcomes(store):
    with Store(store, read_only=True) as opened:
        return {run.id: run.outcome["estimates"] for run in opened.runs(states=["done"])}


def test_a_study_runs_and_is_finished_when_asked_again(finished, murk, murk_json, tmp_path):
    assert "Finished; to see it: murk study results noise" in finished.stdout
    again = murk_json("study run study.toml")
    assert (again["study"], again["store"], again["counts"], again["failed"]) == ("noise", "murk.sqlite", COUNTS, [])
    resumed = murk("study resume")
    assert resumed.exit_code == 0 and "Finished already" in resumed.stdout and not resumed.stderr
    with Store(tmp_path / "murk.sqlite", read_only=True) as store:
        assert [run.attempts for run in store.runs()] == [1] * 4


def test_in_processes_the_numbers_are_the_same_and_stdout_is_json_alone(finished, murk_json, tmp_path):
    said = murk_json("study run study.toml --jobs 2 --store other.sqlite")
    assert said["counts"] == COUNTS and said["seconds"] > 0
    assert outcomes(tmp_path / "other.sqlite") == outcomes(tmp_path / "murk.sqlite")


def test_failed_runs_are_named_with_their_errors_and_run_again_on_demand(study, murk, murk_json, unlucky):
    outcome = murk("study run study.toml")
    assert outcome.exit_code == 1 and outcome.stdout.count("ValueError: no luck") == 2
    assert "alpha 5, seed 1" in outcome.stdout and "murk study resume noise --retry-failed" in outcome.stdout
    assert [run["error"] for run in murk_json("study status")["studies"][0]["failed"]] == ["ValueError: no luck"] * 2
    assert "ValueError: no luck" in murk("study status").stdout
    assert murk("study resume").exit_code == 1, "what failed stays failed until told otherwise"
    unlucky.undo()
    assert murk_json("study resume noise --retry-failed")["counts"] == COUNTS


def test_when_the_minutes_are_over_it_says_how_to_go_on(study, murk, murk_json):
    outcome = murk("study run study.toml --minutes 0.0000001 --store a.sqlite")
    assert outcome.exit_code == 0 and "To go on: murk study resume noise --store a.sqlite" in outcome.stdout
    assert murk_json("study resume --store a.sqlite")["counts"] == COUNTS


@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        ("study run study.toml --jobs 2 --ray auto", 2, "give one of them"),
        ("study run study.toml --minutes 0", 2, "--minutes is a number > 0"),
        ("study run study.toml --minutes nan", 2, "--minutes is a number > 0"),
        ("study run study.toml --ray somewhere", 2, "auto"),
        ("study run study.toml --device abacus", 2, "device 'abacus' cannot be used"),
        ("study run wrong.toml", 2, "`alhpa`: did you mean `alpha`?"),
        ("study run nowhere.toml", 1, "cannot read nowhere.toml"),
        ("study resume", 1, "there is no store murk.sqlite"),
        ("study status", 1, "there is no store murk.sqlite"),
        ("study results --csv --json", 2, "choose one"),
        ("study results", 1, "there is no store murk.sqlite"),
        ("study import nowhere.json", 1, "cannot read nowhere.json"),
        ("study import study.toml", 2, "does not hold a study's results"),
    ],
)
def test_what_is_wrong_is_told_in_one_line_before_a_store_is_begun(study, murk, tmp_path, line, code, said):
    (tmp_path / "wrong.toml").write_text("[base]\nalhpa = 5\nalpha = -1\n")
    outcome = murk(line)
    assert outcome.exit_code == code and said in outcome.stderr and outcome.stderr.count("\n") == 1, outcome.stderr
    assert not outcome.stdout and not list(tmp_path.glob("murk.sqlite*"))


def test_a_name_is_needed_where_there_are_several_studies(finished, murk, tmp_path):
    (tmp_path / "study.toml").write_text(STUDY.replace("noise", "second"))
    assert murk("study run study.toml").exit_code == 0
    for command in ("resume", "results"):
        outcome = murk(f"study {command}")
        assert outcome.exit_code == 2 and "holds 2 studies; name one of noise, second" in outcome.stderr
    assert "nearest: second" in murk("study results secnod").stderr
    assert {line.split()[1] for line in murk("study status").stdout.splitlines() if "│" in line} == {"noise", "second"}


def test_status_works_beside_a_driver_and_tells_the_time_left(finished, murk_json, tmp_path):
    with Store(tmp_path / "murk.sqlite") as store, store.driving():
        runs = [(run_id({"n": n}), {"n": n}) for n in range(2)]
        store.add_study("noise", [*((run.id, run.settings) for run in store.runs()), *runs])
        store.start(runs[0][0])
        (said,) = murk_json("study status noise")["studies"]
    assert said["counts"] == {"waiting": 1, "running": 1, "done": 4, "failed": 0}
    assert said["seconds_left"] > 0 and [run["id"] for run in said["running"]] == [runs[0][0]]


def test_watching_ends_when_nothing_waits_or_runs(finished, murk, tmp_path, monkeypatch):
    with Store(tmp_path / "murk.sqlite") as store, store.driving():
        one = run_id({"n": 1})
        store.add_study("more", [(one, {"n": 1})])
        steps = iter([lambda: store.start(one), lambda: store.fail(one, "no luck")])
        # the command's own clock alone: whoever else sleeps meanwhile takes no step
        clock = SimpleNamespace(sleep=lambda seconds: next(steps)(), monotonic=time.monotonic)
        monkeypatch.setattr("murk.cli.study.time", clock)
        outcome = murk("study status --watch")
    assert outcome.exit_code == 0 and "no luck" in outcome.stdout
    lines = [line for line in outcome.stderr.splitlines() if line.startswith("more")]
    assert lines == ["more: 1 waiting", "more: 1 running", "more: 1 failed"]


def test_a_study_whose_driver_was_killed_is_told_as_interrupted_and_not_watched_for_ever(finished, murk, murk_json):
    with Store("murk.sqlite") as store:
        one = run_id({"n": 1})
        for name in ("more", "most"):
            store.add_study(name, [(one, {"n": 1}), *((run.id, run.settings) for run in store.runs("noise"))])
        store.start(one)
    outcome = murk("study status more --watch")
    assert outcome.exit_code == 0 and outcome.stderr == "more: 1 interrupted, 4 done\n"
    assert outcome.stdout.rstrip().endswith("Nobody is running them. To go on: murk study resume more")
    assert "To go on: murk study resume NAME (NAME: more, most)" in murk("study status").stdout
    assert murk("study status").stdout.count(one[:8]) == 1, "a run of two studies is one run"
    said = murk_json("study status more")
    assert not said["driven"] and [run["id"] for run in said["studies"][0]["running"]] == [one]


def test_nothing_is_fetched_for_a_study_that_cannot_run(study, murk, monkeypatch, tmp_path):
    def fetched(names):
        pytest.fail(f"{list(names)} were fetched")

    monkeypatch.setattr("murk.cli.study.fetch_sets", fetched)
    study.write_text("[base]\ndata = 'cifar10'\nmodel = 'mpl1'\nalpha = 5\n")
    outcome = murk("study run study.toml")
    assert outcome.exit_code == 2 and "no model is called 'mpl1'" in outcome.stderr
    assert not list(tmp_path.glob("murk.sqlite*"))


@pytest.mark.parametrize("device", ["abacus", "meta"])
def test_a_device_that_cannot_compute_what_waits_is_refused_and_the_runs_wait(study, murk, murk_json, device):
    assert murk("study run study.toml --minutes 0.0000001").exit_code == 0
    outcome = murk(f"study resume --device {device}")
    assert outcome.exit_code == 2 and "device" in outcome.stderr and outcome.stderr.count("\n") == 1
    assert murk_json("study status")["studies"][0]["counts"] == {**COUNTS, "waiting": 4, "done": 0}


def test_a_ray_cluster_that_does_not_answer_is_told_before_a_store_is_begun(study, murk, tmp_path):
    pytest.importorskip("ray", reason="Ray is not installed; pip install 'murk[ray]'")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    outcome = murk(f"study run study.toml --ray 127.0.0.1:{port}")
    assert outcome.exit_code == 2 and "no Ray cluster answers" in outcome.stderr
    assert not list(tmp_path.glob("murk.sqlite*"))


def test_top_5_accuracy_stands_in_the_table_where_a_run_has_it(finished, murk, tmp_path):
    assert "top5" not in murk("study results --csv").stdout
    with Store(tmp_path / "murk.sqlite") as store:
        store.connection.execute("UPDATE runs SET outcome = json_set(outcome, '$.estimates.top5', json(?))",
                                 ('{"value": 0.75, "low": 0.5, "high": 0.875}',))  # fmt: skip
    rows = list(csv.DictReader(io.StringIO(murk("study results --csv").stdout)))
    assert [(row["top5"], row["top5_low"], row["top5_high"]) for row in rows] == [("0.75", "0.5", "0.875")] * 4
    assert "top5 %" in murk("study results").stdout


def test_results_are_the_same_numbers_in_every_form(finished, murk, murk_json, tmp_path):
    whole = murk_json("study results")
    assert (whole["study"], whole["schema"], len(whole["runs"])) == ("noise", 1, 4)
    fields = {"id", "settings", "state", "outcome", "error", "attempts", "started", "finished", "seconds", "metrics"}
    assert all(set(run) == fields and run["id"] == run_id(run["settings"]) for run in whole["runs"])
    rows = list(csv.DictReader(io.StringIO(murk("study results --csv").stdout)))
    assert list(rows[0])[:2] == ["alpha", "accuracy"] and list(rows[0])[-3:] == ["seed", "seconds", "id"]
    assert murk("study results -o table.parquet").exit_code == 0
    table = pq.read_table(tmp_path / "table.parquet").to_pylist()
    shown = murk("study results").stdout
    for run, row, cells in zip(whole["runs"], rows, table, strict=True):
        accuracy = run["outcome"]["estimates"]["accuracy"]
        assert [float(row[f"accuracy{end}"]) for end in ("", "_low", "_high")] == [
            accuracy[end] for end in ("value", "low", "high")
        ]
        assert {name: str(value) for name, value in cells.items()} == row
        assert "{:.1f} ({:.1f} to {:.1f})".format(*(100 * accuracy[e] for e in ("value", "low", "high"))) in shown


def test_text_that_a_spreadsheet_would_run_is_disarmed(finished, murk, tmp_path):
    with Store(tmp_path / "murk.sqlite") as store:
        done = store.runs("noise")
        store.connection.execute("UPDATE runs SET settings = json_set(settings, '$.model', '=1+1') WHERE id = ?",
                                 (done[0].id,))  # fmt: skip
    rows = csv.DictReader(io.StringIO(murk("study results --csv").stdout))
    assert {row["model"] for row in rows} == {"'=1+1", "mlp1"}


def test_a_study_moves_to_another_machine_and_back_without_a_loss(study, murk, murk_json, tmp_path, unlucky):
    assert murk("study run study.toml --store there.sqlite").exit_code == 1
    (tmp_path / "study.json").write_text(murk("study results --json --store there.sqlite").stdout)
    unlucky.undo()
    taken = {"store": "here.sqlite", "study": "noise", "taken": 2, "known": 0, "waiting": 2}
    assert murk_json("study import study.json --store here.sqlite") == taken
    assert murk_json("study import study.json --store here.sqlite") == {**taken, "taken": 0, "known": 2}
    there, here = (murk_json(f"study results --store {name}.sqlite")["runs"] for name in ("there", "here"))
    assert [run for run in here if run["state"] == "done"] == [run for run in there if run["state"] == "done"]
    assert [run["state"] for run in here] == ["done", "waiting"] * 2
    assert murk_json("study resume --store here.sqlite")["counts"] == COUNTS


def test_importing_joins_runs_to_a_study_and_overwrites_none(finished, murk_json, tmp_path):
    document = murk_json("study results")
    first, *others = document["runs"]
    first["outcome"]["estimates"]["accuracy"]["value"] = 0.0
    settings = {**first["settings"], "seed": 77}
    new = {**first, "id": run_id(settings), "settings": settings}
    (tmp_path / "study.json").write_text(json.dumps({**document, "runs": [new, first]}))
    before = outcomes(tmp_path / "murk.sqlite")
    assert murk_json("study import study.json")["taken"] == 1
    after = murk_json("study results")["runs"]
    assert [run["id"] for run in after] == [first["id"], *(run["id"] for run in others), new["id"]]
    assert {key: value for key, value in outcomes(tmp_path / "murk.sqlite").items() if key in before} == before


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda d: d.update(schema=2), "schema"),
        (lambda d: d.update(study=" "), "printable name"),
        (lambda d: d.pop("runs"), "runs"),
        (lambda d: d["runs"][3].pop("state"), "runs.3.state"),
        (lambda d: d["runs"][3].update(attempts="1"), "runs.3.attempts"),
        (lambda d: d["runs"][3].update(more=1), "runs.3.more"),
        (lambda d: d["runs"][3].update(state="finished"), "'finished'"),
        (lambda d: d["runs"][3]["settings"].update(alpha=6), "has the settings of another run"),
        (lambda d: d["runs"].append(d["runs"][0]), "came twice"),
        (lambda d: d["runs"][3].update(outcome=None), "has an outcome when it is done"),
        (lambda d: d["runs"][3]["outcome"].pop("estimates"), "lacks estimates"),
        (lambda d: d["runs"][3]["outcome"].update(facts={}), "lacks facts.training_seconds, a number, facts.test_ex"),
        (lambda d: d["runs"][3]["outcome"].pop("machine"), "lacks machine with cores, precision, processor, threads"),
        (lambda d: d["runs"][3]["outcome"]["estimates"].update(top5={}), "lacks estimates.top5 with value, low and"),
        (lambda d: d["runs"][3]["outcome"]["facts"].update(seconds=float("nan")), "facts.seconds is nan"),
        (lambda d: d["runs"][3].update(metrics=[[1, "loss", float("inf")]]), "'loss' at step 1 is inf"),
    ],
)
def test_a_changed_file_is_refused_and_nothing_of_it_is_kept(imported, murk, tmp_path, change, said):
    document = json.loads(imported)
    change(document)
    (tmp_path / "study.json").write_text(json.dumps(document))
    outcome = murk("study import study.json --store new.sqlite")
    assert outcome.exit_code == 2 and said in outcome.stderr and outcome.stderr.count("\n") == 1, outcome.stderr
    assert not (tmp_path / "new.sqlite").exists()


@pytest.fixture(scope="module")
def imported(tmp_path_factory):
    """The results of a finished study, as JSON."""
    from murk.lab import Study
    from murk.lab.study_results import study_results

    folder = tmp_path_factory.mktemp("study")
    (folder / "study.toml").write_text(STUDY)
    with Store(folder / "a.sqlite") as store:
        Study.read(folder / "study.toml").run(store)
        return json.dumps(study_results(store, "noise").to_dict())


@pytest.mark.skipif(os.name != "posix", reason="Ctrl-C is sent as a POSIX signal")
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_stopped_half_way_a_study_is_resumed_from_the_store_alone(tmp_path, murk_json, how):
    longer = STUDY.replace("passes = 2000", "passes = 20000").replace("[0, 1]", "[0, 1, 2]")
    (tmp_path / "study.toml").write_text(longer)
    run = subprocess.Popen(
        [sys.executable, "-c", "from murk.cli import main; main()", "study", "run", "study.toml", "--jobs", "2"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # the tests may run deaf to it
    )  # fmt: skip
    try:
        deadline = time.monotonic() + PATIENCE
        while not (tmp_path / "murk.sqlite").exists() or not murk_json("study status")["studies"] or not (
            murk_json("study status")["studies"][0]["counts"]["running"]
        ):  # fmt: skip
            assert time.monotonic() < deadline and run.poll() is None, "no run was started, or seen"
            time.sleep(0.05)
        (tmp_path / "study.toml").unlink()
        run.send_signal(how)
        _, said = run.communicate(timeout=PATIENCE)
    finally:
        run.kill()
        run.communicate()
    if how == signal.SIGINT:
        assert run.returncode == 130
        assert said == "murk: interrupted: what is done is kept; to go on: murk study resume noise\n"
        assert murk_json("study status")["studies"][0]["counts"]["running"] == 0
    resumed = murk_json("study resume")
    assert resumed["counts"] == {"waiting": 0, "running": 0, "done": 6, "failed": 0}
