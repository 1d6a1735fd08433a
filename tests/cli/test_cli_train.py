"""murk train: what it finds, what it keeps, and that it goes on where it was stopped."""

from __future__ import annotations

import hashlib
import json
import os
import re
import signal
import subprocess
import sys

import numpy as np
import pyarrow.parquet
import pytest

import murk
from murk.data import load
from murk.lab import read_result
from murk.learn import Fit
from murk.noise import Dilution
from murk.plan import batch_advice

SHORT = "--model perceptron --epochs 3 --seed 1"
LONG = ["train", "digits", "--alpha", "5", "--model", "conv3", "--epochs", "30", "--seed", "1", "--device", "cpu"]
PROGRAM = "from murk.cli import main; main()"


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A finished training and what it printed."""
    from typer.testing import CliRunner

    from murk.cli import app

    out = tmp_path_factory.mktemp("finished") / "run"
    outcome = CliRunner().invoke(app, f"train digits --noise dilution:5 {SHORT} --json -o {out}".split())
    assert outcome.exit_code == 0, outcome.stderr
    return out, json.loads(outcome.stdout), outcome.stderr


def test_the_result_is_what_the_library_finds(finished):
    out, told, _ = finished
    digits, noise = murk.load("digits"), murk.Dilution(5, num_classes=10)
    fit = murk.fit("perceptron", digits.train, noise.draw(digits.train.labels, seed=1), noise=noise, epochs=3, seed=1)
    assert told["estimates"]["accuracy"] == fit.evaluate(digits.test).to_dict()
    assert told["facts"]["selected_epoch"] == fit.selected_epoch and told["facts"]["epochs"] == 3
    assert np.array_equal(Fit.load(out / "fit").predict_probs(digits.test), fit.predict_probs(digits.test))


def test_the_folder_tells_all_that_the_command_told(finished):
    out, told, _ = finished
    result = read_result(out)
    assert {**result.to_dict(), "out": str(out)} == told
    assert sorted(path.name for path in out.iterdir()) == ["fit", "predictions.parquet", "result.json"]
    assert result.data["sha256"] and result.machine["device"] == "cpu" and result.versions["murk"] == murk.__version__
    assert len(result.history) == 3 and result.settings["noise"] == "dilution:5"


def test_predictions_hold_the_probabilities_of_every_test_example(finished):
    out, told, _ = finished
    table = pyarrow.parquet.ParquetFile(out / "predictions.parquet").read()
    labels, predicted = table["label"].to_numpy(), table["predicted"].to_numpy()
    probs = np.stack([table[f"probability_{k}"].to_numpy() for k in range(10)], axis=1)
    assert len(labels) == 500 and np.allclose(probs.sum(1), 1, atol=1e-5)
    assert np.array_equal(probs.argmax(1), predicted)
    assert (labels == predicted).mean() == pytest.approx(told["estimates"]["accuracy"]["value"])


def test_test_votes_are_drawn_under_a_seed_of_their_own(finished):
    told = finished[1]
    assert told["seeds"]["test votes"] != told["seeds"]["training"] == 1
    estimate = told["estimates"]["accuracy_from_votes"]
    assert estimate["low"] <= told["estimates"]["accuracy"]["value"] <= estimate["high"]


def test_progress_goes_to_stderr_with_the_time_left(finished):
    assert "epoch 2" in finished[2] and "s left" in finished[2]


def test_the_same_command_again_reads_what_is_finished(murk_json, finished):
    out, told, _ = finished
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*")}
    assert murk_json(f"train digits --noise dilution:5 {SHORT} -o {out}") == told
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*")} == before


def test_another_training_into_the_same_folder_is_refused_by_name(murk, finished):
    outcome = murk(f"train digits --noise dilution:5 --model mlp1 --epochs 3 --seed 1 -o {finished[0]}")
    assert outcome.exit_code == 2 and "model 'perceptron', now 'mlp1'" in outcome.stderr
    assert "held_out" not in outcome.stderr and "sha256" not in outcome.stderr


def test_a_folder_of_other_things_is_left_alone(murk, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("years of work")
    outcome = murk(f"train digits --alpha 1 {SHORT} -o mine")
    assert outcome.exit_code == 2 and "thesis.tex" in outcome.stderr
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_stored_votes_train_to_the_same_weights_as_simulated_ones(murk_json, tmp_path, finished, ending):
    murk_json(f"dilute digits --alpha 5 --seed 1 -o votes.{ending}")
    told = murk_json(f"train digits --votes votes.{ending} {SHORT} -o stored")
    assert _weights(tmp_path / "stored") == _weights(finished[0])
    assert told["estimates"] == finished[1]["estimates"] and told["settings"]["votes_sha256"]


def test_votes_on_a_mixed_source_find_their_images_again(murk_json):
    murk_json("dilute digits --alpha 2 --source same-set --seed 1 -o votes.parquet")
    told = murk_json(f"train digits --votes votes.parquet {SHORT} --batch-size 32 -o same")
    assert told["facts"]["training_examples"] == 3 * 1297 and told["estimates"]["accuracy"]["value"] > 0.3


@pytest.mark.parametrize("source", ["digits", "white"])
def test_noise_on_foreign_images_only_leaves_votes_of_the_test_set_unsaid(murk_json, source):
    murk_json(f"dilute digits --alpha 2 --source {source} --seed 1 -o votes.parquet")
    told = murk_json(f"train digits --votes votes.parquet {SHORT} --batch-size 32 -o foreign")
    assert told["estimates"]["accuracy"]["value"] > 0.3 and told["facts"]["training_examples"] == 3 * 1297
    assert told["estimates"]["accuracy_from_votes"] is None and told["remarks"]["accuracy_from_votes"]


def test_votes_about_another_set_are_refused(murk, murk_json, tmp_path):
    murk_json("dilute digits --alpha 1 -o votes.csv")
    facts = json.loads((tmp_path / "votes.csv.json").read_text())
    facts["data"] = {"name": "mnist", "sha256": "0" * 64}
    (tmp_path / "votes.csv.json").write_text(json.dumps(facts))
    outcome = murk(f"train digits --votes votes.csv {SHORT} -o out")
    assert outcome.exit_code == 2 and "about 'mnist'" in outcome.stderr and not (tmp_path / "out").exists()


def test_votes_of_your_own_need_a_noise_model(murk, murk_json, tmp_path):
    rows = "\n".join(f"{i},{label}" for i, label in enumerate(murk_labels()))
    (tmp_path / "mine.csv").write_text(f"example,label\n{rows}\n")
    assert murk(f"train digits --votes mine.csv {SHORT} -o out").exit_code == 2
    told = murk_json(f"train digits --votes mine.csv --noise symmetric:0.1 {SHORT} -o out")
    assert told["facts"]["noise_rate"] == 0 and told["facts"]["votes"] == 1297


def murk_labels():
    return murk.load("digits").train.labels


def test_independent_weighing_forgets_that_one_vote_is_right(murk_json, tmp_path, finished):
    told = murk_json(f"train digits --noise dilution:5 --weigh-as independent {SHORT} -o independent")
    assert _weights(tmp_path / "independent") != _weights(finished[0])
    assert told["facts"]["effective_clean_labels"] < finished[1]["facts"]["effective_clean_labels"]
    assert "independent votes" in told["estimates"]["accuracy_from_votes"]["method"]


def test_where_noisy_votes_cannot_say_it_says_why(murk_json):
    told = murk_json(f"train digits --noise pairflip:0.5 {SHORT} -o out")  # at a half, T has no inverse
    assert told["estimates"]["accuracy"] and told["estimates"]["accuracy_from_votes"] is None
    assert told["remarks"]["accuracy_from_votes"].startswith("cannot say: ")


def test_every_loss_trains(murk_json):
    for loss in ("pairs", "soft-labels", "composite", "h-alpha"):
        assert murk_json(f"train digits --alpha 1 --loss {loss} {SHORT} -o {loss}")["settings"]["loss"] == loss


def test_a_loss_that_is_not_finite_fails_in_one_line_and_leaves_no_result(murk, tmp_path):
    outcome = murk(f"train digits --alpha 1 --learning-rate 1e38 {SHORT} -o out")
    assert outcome.exit_code == 1 and "Lower the learning rate" in outcome.stderr.splitlines()[-1]
    assert not (tmp_path / "out" / "result.json").exists()


def test_killed_half_way_the_same_command_ends_with_the_same_weights(tmp_path, murk, murk_json):
    process = _start([*LONG, "-o", "killed"], tmp_path)
    _read_until(process, "epoch 3")
    process.kill()
    process.communicate()
    assert (tmp_path / "killed" / "checkpoint.safetensors").exists()
    assert not (tmp_path / "killed" / "result.json").exists(), "it finished before it was killed"
    resumed = murk(" ".join([*LONG, "--json", "-o", "killed"]))
    assert "epoch 2," not in resumed.stderr and "epoch 30," in resumed.stderr, "it began again instead of going on"
    killed = json.loads(resumed.stdout)
    whole = murk_json(" ".join([*LONG, "-o", "whole"]))
    assert _weights(tmp_path / "killed") == _weights(tmp_path / "whole")
    assert killed["history"] == whole["history"] and killed["estimates"] == whole["estimates"]


def test_ctrl_c_keeps_a_checkpoint_and_says_how_to_go_on(tmp_path):
    process = _start([*LONG, "-o", "run"], tmp_path)
    _read_until(process, "epoch 2")
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate()
    assert process.returncode == 130 and not output
    last = errors.splitlines()[-1]
    assert last.startswith("murk: interrupted: what is done is kept in run;") and "same command" in last
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == ["checkpoint.safetensors"]


def _start(line, folder):
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *line, "--checkpoint-seconds", "0"], cwd=folder, env=environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # the tests may run deaf to it
    )  # fmt: skip


def _read_until(process, sign):
    for line in process.stderr:
        if sign in line:
            return
    raise AssertionError(f"the command ended before {sign!r} with code {process.wait()}")


def _weights(folder):
    return hashlib.sha256((folder / "fit" / "weights.safetensors").read_bytes()).hexdigest()


def test_another_method_trains_and_its_settings_are_kept(murk_json):
    gce = murk_json(f"train digits --noise symmetric:0.2 --method gce:q=0.5 {SHORT} -o gce")
    assert gce["settings"]["method"] == "gce:q=0.5"
    assert gce["facts"]["recipe"]["method"] == "gce:q=0.5"
    untold = murk_json(f"train digits --noise symmetric:0.2 --method forward --weigh-as untold {SHORT} -o forward")
    assert untold["facts"]["recipe"]["method"] == "forward:quantile=0.97"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("--method gcee", "did you mean 'gce'"),
        ("--method gce:q=2", r"`q` is a number in \(0, 1\]"),
        ("--method gce --loss pairs", "a method has a loss of its own"),
    ],
)
def test_a_method_that_cannot_be_is_refused_before_anything_is_trained(murk, tmp_path, options, said):
    ended = murk(f"train digits --noise symmetric:0.2 {options} -o run")
    assert ended.exit_code == 2
    assert re.search(said, ended.stderr)
    assert not (tmp_path / "run").exists()


def test_batch_and_rate_are_advised_and_the_same_command_again_reads_what_is_finished(murk, murk_json):
    asked = "train digits --alpha 4 --loss pairs --model mlp1 --epochs 40 --batch auto --lr auto -o advised"
    told = murk_json(asked)
    recipe = told["settings"]
    noise, digits = Dilution(4, num_classes=10), load("digits").train
    votes = noise.draw(digits.labels, seed=0)
    advice = batch_advice("mlp1", digits, votes, noise=noise, loss="pairs", epochs=40, seed=0)
    assert (recipe["batch_size"], recipe["learning_rate"]) == (advice.batch_size, advice.learning_rate)
    again = murk(asked)
    assert again.exit_code == 0 and "holds this very training already" in again.stderr
    assert "Batches of" in again.stderr
    rate_alone = murk(asked.replace("--batch auto", "--batch 512").replace("advised", "said")).stderr
    assert "A rate of" in rate_alone and "Batches" not in rate_alone
    only = murk_json(asked.replace("--batch auto", "--batch 512").replace("advised", "rate"))["settings"]
    assert only["batch_size"] == 512 and only["learning_rate"] > recipe["learning_rate"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("--alpha 4 --batch some", "--batch-size is a whole number or auto, but 'some' came"),
        ("--alpha 4 --lr auto --method gce", "leave them out, or --method"),
        ("--alpha 4 --weigh-as auto --lr auto", "go by how votes go wrong"),
    ],
)
def test_advice_without_ground_is_refused(murk, options, said):
    outcome = murk(f"train digits {options} {SHORT} -o out")
    assert outcome.exit_code == 2 and said in outcome.stderr
