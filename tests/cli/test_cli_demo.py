"""`murk demo`: pure JSON, a page with the same numbers, and nothing half-written."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
import sys

import pytest

TINY = "demo --alphas 0,3 --seeds 2 --epochs 1 --processes 1"
FILES = {"demo.html", "demo.svg", "demo.png", "demo.csv", "result.json"}


def test_json_on_stdout_is_pure_and_equals_the_files(murk_json, tmp_path):
    said = murk_json(f"{TINY} --out here")
    assert set(said) == {"rows", "page"} and said["page"] == os.path.join("here", "demo.html")
    methods = ["clean", "plain", "evidence", "evidence-independent"]
    assert [(row["method"], row["alpha"]) for row in said["rows"]] == [(m, alpha) for alpha in (0, 3) for m in methods]
    for row in said["rows"]:
        assert {"value", "low", "high", "confidence_level", "method"} == set(row["accuracy"])
        assert 0 <= row["accuracy"]["low"] <= row["accuracy"]["value"] <= row["accuracy"]["high"] <= 1
    assert {path.name for path in (tmp_path / "here").iterdir()} == FILES
    assert json.loads((tmp_path / "here" / "result.json").read_text())["rows"] == said["rows"]
    written = list(csv.DictReader(io.StringIO((tmp_path / "here" / "demo.csv").read_text())))
    assert [(row["method"], int(row["alpha"]), float(row["accuracy_low"])) for row in written] == [
        (row["method"], row["alpha"], row["accuracy"]["low"]) for row in said["rows"]
    ]


def test_without_json_a_table_and_the_pages_place_are_printed(murk):
    outcome = murk(f"{TINY} --out here")
    assert outcome.exit_code == 0, outcome.stderr
    assert "evidence-independent" in outcome.stdout and os.path.join("here", "demo.html") in outcome.stdout


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("--alphas 1,x", "whole numbers such as"),
        ("--alphas 2,2", "none twice"),
        ("--alphas -1", "alphas are whole numbers"),
        ("--seeds 1", "seeds"),
        ("--epochs 0", "epochs"),
        ("--processes 0", "processes"),
        ("--device abacus", "device 'abacus' cannot be used"),
        ("--out file", "is a file"),
    ],
)
def test_bad_options_exit_2_and_leave_nothing(murk, tmp_path, options, said):
    (tmp_path / "file").write_text("in the way")
    outcome = murk(f"{TINY} {options}")
    assert outcome.exit_code == 2 and said in outcome.stderr and not outcome.stdout
    assert {path.name for path in tmp_path.iterdir()} == {"file"}


@pytest.mark.skipif(os.name != "posix", reason="Ctrl-C is sent as a POSIX signal")
def test_ctrl_c_leaves_nothing_half_written(tmp_path):
    command = "import sys; from murk.cli import main; main()"
    line = "demo --alphas 50 --seeds 2 --epochs 2000 --processes 1 --out here"
    run = subprocess.Popen(
        [sys.executable, "-c", f"import murk.lab.demo as d; old = d.train_once\n"
         f"def new(*a, **k):\n    print('training', flush=True); return old(*a, **k)\nd.train_once = new\n{command}",
         *line.split()],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # the tests may run deaf to it
    )  # fmt: skip
    assert run.stdout.readline() == "training\n"
    run.send_signal(signal.SIGINT)
    _, said = run.communicate(timeout=60)
    assert run.returncode == 130 and said.startswith("murk: interrupted") and said.count("\n") == 1
    assert not list(tmp_path.iterdir())
