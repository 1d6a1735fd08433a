"""Data of a user's own by the commands: read, trained on, predicted; and refused with a way out."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet
import pytest
from commands import run
from pets import NAMES

import murk
from murk.learn import Fit


def test_what_a_folder_and_its_votes_were_taken_for_is_told(pets):
    told = json.loads(run("data", "show", pets / "pets", "--side", 16, "--votes", pets / "votes.csv",
                               "--json").stdout)  # fmt: skip
    assert told["class_names"] == list(NAMES) and told["train"]["per_class"] == [20, 20, 20]
    given = told["given_votes"]
    assert (given["votes"], given["examples"], given["annotators"]) == (180, 60, ["w0", "w1", "w2"])
    assert sum(given["per_class"]) == 180 and all(count > 40 for count in given["per_class"])
    assert told["roles"]["votes.csv:worker"] == "who voted"
    shown = run("data", "show", pets / "pets", "--side", 16, "--votes", pets / "votes.csv").stdout
    assert "who voted" in shown and "60 to train on" in shown


def test_colours_told_apart_by_votes_alone_are_told_apart_on_clean_labels(trained):
    _, told = trained
    assert told["estimates"]["accuracy"]["value"] == 1
    assert told["facts"]["votes"] == 180 and told["facts"]["noise_rate"] is None
    assert told["estimates"]["accuracy_from_votes"] is None, "no vote is drawn where none came"
    assert told["settings"]["noise"] == "symmetric:0.3" and told["data"]["class_names"] == list(NAMES)


def test_predictions_carry_ids_classes_and_probabilities_of_unlabelled_images_too(pets, trained, tmp_path):
    out, _ = trained
    flat = tmp_path / "flat"
    flat.mkdir()
    for source in (pets / "pets" / "test" / "cow").iterdir():
        (flat / source.name).write_bytes(source.read_bytes())
    told = json.loads(run("predict", out, flat, "-o", tmp_path / "p.parquet", "--json").stdout)
    assert told["examples"] == 10 and told["agreement_with_labels"] is None
    table = pyarrow.parquet.read_table(tmp_path / "p.parquet")
    assert sorted(table["id"].to_pylist()) == sorted(path.name for path in flat.iterdir())
    assert table["class"].to_pylist() == ["cow"] * 10 and table["label"].to_pylist() == [None] * 10
    probs = np.stack([table[f"probability_{name}"].to_numpy() for name in NAMES], axis=1)
    assert np.allclose(probs.sum(1), 1, atol=1e-5)
    test = murk.data.read(pets / "pets", side=16).dataset.test
    order = {str(name).rsplit("/", 1)[-1]: row for row, name in enumerate(test.ids)}
    direct = Fit.load(out / "fit").predict_probs(test)[[order[name] for name in table["id"].to_pylist()]]
    assert np.array_equal(probs, direct)


def test_labels_of_the_data_are_compared_with_predictions_by_name(pets, trained, tmp_path):
    """In this folder class 0 is the cow, which the fit calls 1."""
    out, _ = trained
    for name in ("cow", "dog"):
        (tmp_path / "two" / name).mkdir(parents=True)
        for source in (pets / "pets" / "test" / name).iterdir():
            (tmp_path / "two" / name / source.name).write_bytes(source.read_bytes())
    told = json.loads(run("predict", out / "fit", tmp_path / "two", "-o", tmp_path / "p.csv", "--json").stdout)
    assert told["agreement_with_labels"] == 1 and told["examples"] == 20
    head = (tmp_path / "p.csv").read_text(encoding="utf-8").splitlines()[0]
    assert head == "id,part,label,class,probability_cat,probability_cow,probability_dog", "in the order of the fit"


def test_labels_of_a_test_part_without_votes_count_for_nothing_until_one_says_what_they_are(pets, tmp_path):
    train = ["train", pets / "pets", "--side", 16, "--votes", pets / "votes.csv", "--noise", "symmetric:0.3", "--model",
             "perceptron", "--epochs", 2, "--json", "-o"]  # fmt: skip
    told = json.loads(run(*train, tmp_path / "a").stdout)
    assert told["estimates"] == {"accuracy": None, "accuracy_last": None, "accuracy_from_votes": None}
    assert "no votes on the test examples" in told["remarks"]["accuracy_from_votes"]
    told = json.loads(run(*train, tmp_path / "b", "--test-labels", "votes").stdout)
    assert told["estimates"]["accuracy"] is None and told["estimates"]["accuracy_from_votes"] is not None


def test_votes_that_came_with_the_test_part_measure(pets, tmp_path):
    lines = (pets / "votes.csv").read_text(encoding="utf-8")
    files = sorted(path.name for path in (pets / "pets" / "test").rglob("*.png"))
    (tmp_path / "all.csv").write_text(lines + "".join(f"{name},w0,{name[:3]}\n" for name in files), encoding="utf-8")
    told = json.loads(run("train", pets / "pets", "--side", 16, "--votes", tmp_path / "all.csv", "--noise",
                          "symmetric:0.3", "--epochs", 30, "--json", "-o", tmp_path / "run").stdout)  # fmt: skip
    assert told["estimates"]["accuracy"] is None and told["estimates"]["accuracy_from_votes"]["value"] == 1


def test_the_same_folder_of_results_is_not_taken_for_other_data(pets, tmp_path):
    train = ["train", pets / "pets", "--votes", "draw", "--alpha", 1, "--model", "perceptron", "--epochs", 1, "-o",
             tmp_path / "run", "--side"]  # fmt: skip
    run(*train, 16)
    assert "another training" in run(*train, 20, exit_code=2).stderr
    assert "already" in run(*train, 16).stderr


def test_columns_in_another_order_are_the_same_features_and_missing_ones_are_told(tmp_path):
    draw = np.random.default_rng(1)
    labels = draw.integers(0, 2, 200)
    wide, high = draw.normal(0, 0.2, 200) + labels, draw.normal(50, 0.2, 200) - labels
    both = {"t": ("wide,high,label", wide, high), "swapped": ("high,wide,label", high, wide)}
    for name, (head, one, other) in both.items():
        rows = [f"{a},{b},{NAMES[k]}" for a, b, k in zip(one, other, labels, strict=True)]
        (tmp_path / f"{name}.csv").write_text(head + "\n" + "\n".join(rows) + "\n", encoding="utf-8")
    run("train", tmp_path / "t.csv", "--noise", "symmetric:0.05", "--epochs", 10, "-o", tmp_path / "run")
    found = [json.loads(run("predict", tmp_path / "run", tmp_path / f"{name}.csv", "-o", tmp_path / "p.csv",
                            "--json").stdout) for name in both]  # fmt: skip
    assert found[0]["agreement_with_labels"] == found[1]["agreement_with_labels"] > 0.9
    text = (tmp_path / "t.csv").read_text(encoding="utf-8").replace("wide", "depth")
    (tmp_path / "t.csv").write_text(text, encoding="utf-8")
    assert "wide" in run("predict", tmp_path / "run", tmp_path / "t.csv", "-o", tmp_path / "p.csv", exit_code=2).stderr


def test_nothing_that_is_read_is_written_over(pets, trained, tmp_path):
    out, _ = trained
    (tmp_path / "t.csv").write_text("a,b,label\n1,2,cat\n2,1,dog\n", encoding="utf-8")
    for command in (["dilute", tmp_path / "t.csv", "--alpha", 1, "-o", tmp_path / "t.csv"],
                    ["predict", out, pets / "pets", "-o", out / "predictions.parquet"],
                    ["train", pets / "pets", "--noise", "symmetric:.1", "-o", pets / "pets" / "run"]):  # fmt: skip
        assert "write into what is read" in run(*command, exit_code=2).stderr
    assert (tmp_path / "t.csv").read_text(encoding="utf-8").startswith("a,b,label")


def test_matrices_of_annotators_are_as_many_as_those_who_voted(pets, tmp_path):
    np.save(tmp_path / "two.npy", np.stack([np.full((3, 3), 0.1) + 0.7 * np.eye(3)] * 2))
    refused = run("train", pets / "pets", "--side", 16, "--votes", pets / "votes.csv", "--noise",
                  f"annotators:{tmp_path / 'two.npy'}", "-o", tmp_path / "run", exit_code=2)  # fmt: skip
    assert "3 voted, in this order: w0, w1, w2" in refused.stderr


def test_what_looks_odd_is_told_by_every_command_and_kept(pets, tmp_path):
    lines = (pets / "votes.csv").read_text(encoding="utf-8")
    (tmp_path / "odd.csv").write_text(lines + "ghost.png,w0,cat\n", encoding="utf-8")
    outcome = run("train", pets / "pets", "--side", 16, "--votes", tmp_path / "odd.csv", "--noise", "symmetric:0.3",
                  "--model", "perceptron", "--epochs", 1, "--json", "-o", tmp_path / "run")  # fmt: skip
    kept = json.loads(outcome.stdout)["data"]["oddities"]
    assert "ghost.png" in outcome.stderr and any("ghost.png" in said for said in kept)


def test_a_list_of_classes_refuses_a_mistyped_vote(pets, tmp_path):
    lines = (pets / "votes.csv").read_text(encoding="utf-8")
    (tmp_path / "typo.csv").write_text(lines.replace(",dog", ",dgo", 1), encoding="utf-8")
    show = ["data", "show", pets / "pets", "--side", 16, "--votes", tmp_path / "typo.csv", "--json"]
    assert len(json.loads(run(*show).stdout)["class_names"]) == 4
    assert "dgo" in run(*show, "--classes", "cat,cow,dog", exit_code=2).stderr


def test_labels_that_the_fit_does_not_know_stand_as_they_are_and_count_as_wrong(pets, trained, tmp_path):
    out, _ = trained
    for name, source in (("=ant", "cow"), ("dog", "dog")):
        (tmp_path / "some" / name).mkdir(parents=True)
        for number, path in enumerate((pets / "pets" / "test" / source).iterdir()):
            (tmp_path / "some" / name / f"{number}.png").write_bytes(path.read_bytes())
    told = json.loads(run("predict", out, tmp_path / "some", "-o", tmp_path / "p.parquet", "--json").stdout)
    labels = pyarrow.parquet.read_table(tmp_path / "p.parquet")["label"].to_pylist()
    assert told["agreement_with_labels"] == 0.5 and labels == ["=ant"] * 10 + ["dog"] * 10
    run("predict", out, tmp_path / "some", "-o", tmp_path / "p.csv")
    assert ",'=ant,cow," in (tmp_path / "p.csv").read_text(encoding="utf-8"), "no spreadsheet runs it"


def test_without_other_votes_the_labels_are_the_votes_and_no_truth(pets, tmp_path):
    told = json.loads(run("train", pets / "pets", "--side", 16, "--noise", "symmetric:0.2", "--model",
                         "perceptron", "--epochs", 20, "--json", "-o", tmp_path / "run").stdout)  # fmt: skip
    assert told["facts"]["votes"] == 60 and told["facts"]["noise_rate"] is None
    assert told["estimates"]["accuracy"] is None and "not all known" in told["remarks"]["accuracy"]
    assert told["estimates"]["accuracy_from_votes"]["value"] > 0.8


def test_votes_drawn_on_a_folder_go_with_that_folder(pets, tmp_path):
    run("dilute", pets / "pets", "--side", 16, "--alpha", 2, "--seed", 3, "-o", tmp_path / "v.parquet")
    both = [["--votes", tmp_path / "v.parquet"], ["--votes", "draw", "--alpha", 2]]
    told = [json.loads(run("train", pets / "pets", "--side", 16, *votes, "--seed", 3, "--model", "perceptron",
                                "--epochs", 3, "--json", "-o", tmp_path / f"run{number}").stdout)
            for number, votes in enumerate(both)]  # fmt: skip
    assert told[0]["history"] == told[1]["history"]
    assert told[0]["facts"]["votes"] == 180 and told[0]["facts"]["noise_rate"] > 0
    refused = run("train", pets / "pets", "--side", 24, "--votes", tmp_path / "v.parquet", "-o", tmp_path / "x",
                       exit_code=2)  # fmt: skip
    assert "as it was when they were drawn" in refused.stderr


def test_a_table_of_features_trains_an_mlp_by_the_same_command(tmp_path):
    draw = np.random.default_rng(0)
    labels = draw.integers(0, 2, 300)
    features = draw.normal(0, 0.3, (300, 2)) + labels[:, None]
    noisy = np.where(draw.random(300) < 0.2, 1 - labels, labels)
    rows = [f"{a},{b},{NAMES[k]}" for (a, b), k in zip(features, noisy, strict=True)]
    (tmp_path / "t.csv").write_text("width,height,species\n" + "\n".join(rows) + "\n", encoding="utf-8")
    told = json.loads(run("train", tmp_path / "t.csv", "--noise", "symmetric:0.2", "--epochs", 20,
                         "--column", "label=species", "--json", "-o", tmp_path / "run").stdout)  # fmt: skip
    assert told["settings"]["model"] == "mlp1" and "no test examples" in told["remarks"]["accuracy"]
    run("predict", tmp_path / "run", tmp_path / "t.csv", "-o", tmp_path / "p.parquet")
    found = pyarrow.parquet.read_table(tmp_path / "p.parquet")["class"].to_numpy(zero_copy_only=False)
    assert np.mean(found == np.array(NAMES)[labels]) > 0.9


def test_a_backbone_of_ones_own_is_imported_only_where_that_is_allowed(pets, tmp_path, monkeypatch):
    (tmp_path / "pets_body.py").write_text(
        "from torch import nn\ndef body():\n    return nn.Sequential(nn.AdaptiveAvgPool2d(2), nn.Flatten())\n"
    )
    monkeypatch.setattr(sys, "path", [*sys.path])
    train = ["train", pets / "pets", "--side", 16, "--noise", "symmetric:0.2", "--epochs", 20, "--model",
             "pets_body:body", "-o", tmp_path / "run"]  # fmt: skip
    assert "--allow-import" in run(*train, exit_code=2).stderr and not (tmp_path / "run").exists()
    run(*train, "--allow-import", "--frozen")
    predict = ["predict", tmp_path / "run", pets / "pets", "-o", tmp_path / "p.parquet"]
    assert "--model pets_body:body --allow-import" in run(*predict, exit_code=2).stderr
    assert "--allow-import" in run(*predict, "--model", "pets_body:body", exit_code=2).stderr
    run(*predict, "--model", "pets_body:body", "--allow-import")
    assert pyarrow.parquet.read_table(tmp_path / "p.parquet").num_rows == 90


@pytest.mark.parametrize(("arguments", "told"), [
    (["train", "digits", "--votes", "labels", "--alpha", "2"], "digits is a set"),
    (["train", "digits", "--alpha", "2", "--test-labels", "clean"], "those of the catalog are clean"),
    (["train", "digits", "--alpha", "2", "--frozen"], "--frozen goes with a backbone"),
    (["train", "digits", "--alpha", "2", "--side", "16"], "--side goes with data of yours"),
    (["train", "no/such/folder", "--noise", "symmetric:.2"], "got nothing there"),
    (["data", "show", "nofolder"], "or a path, got nofolder, neither of them"),
    (["train", "two.csv", "--votes", "lables", "--noise", "symmetric:.2"], "at a path labels or draw"),
    (["train", "two.csv"], "say how labels go wrong: --alpha 20, or --noise SPEC; or have it found, by --noise auto"),
    (["train", "one.csv", "--noise", "symmetric:.2"], "one class, cat; bring labels"),
    (["train", "none.csv", "--noise", "symmetric:.2"], "no label or vote; bring labels"),
    (["predict", "nothere", "two.csv"], "there is no folder nothere"),
    (["data", "show", "digits", "--votes", "v.csv"], "is a set of the catalog"),
    (["data", "show", "digits", "--column", "label=x"], "--column goes with data of yours"),
    (["data", "show", "t.csv", "--column", "lable=x"], "ROLE=NAME with a role of id, path, label"),
])  # fmt: skip
def test_what_does_not_go_together_is_told(tmp_path, arguments, told):
    for name, labels in (("two", "cat dog cat dog"), ("one", "cat cat cat cat")):
        rows = [f"{number},{number},{label}" for number, label in enumerate(labels.split())]
        (tmp_path / f"{name}.csv").write_text("\n".join(["a,b,label", *rows, ""]), encoding="utf-8")
    (tmp_path / "none.csv").write_text("a,b\n1,2\n3,4\n", encoding="utf-8")
    extra = {"data": [], "train": ["-o", tmp_path / "run"], "predict": ["-o", tmp_path / "p.csv"]}[arguments[0]]
    outcome = run(*arguments, *extra, exit_code=None)
    assert outcome.exit_code in (1, 2) and told in outcome.stderr
    assert not (tmp_path / "run").exists()


def test_a_damaged_image_is_told_by_name_and_left_out_only_if_asked(pets, trained, tmp_path):
    out, _ = trained
    folder = tmp_path / "some"
    folder.mkdir()
    for number, source in enumerate(sorted((pets / "pets" / "test" / "dog").iterdir())):
        (folder / source.name).write_bytes(source.read_bytes()[: 40 if number == 3 else None])
    damaged = sorted(folder.iterdir())[3].name
    refused = run("predict", out, folder, "-o", tmp_path / "p.parquet", exit_code=1)
    assert damaged in refused.stderr and not Path(tmp_path / "p.parquet").exists()
    run("predict", out, folder, "-o", tmp_path / "p.parquet", "--skip-corrupt")
    assert damaged not in pyarrow.parquet.read_table(tmp_path / "p.parquet")["id"].to_pylist()
