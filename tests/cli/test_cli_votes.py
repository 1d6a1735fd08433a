"""murk train --votes: a table of votes is read by one reader, and never says by itself what is opened."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
from commands import run
from PIL import Image

import murk

SHORT = ["--model", "perceptron", "--epochs", 1]


def trained(*arguments):
    """The JSON that a short training tells."""
    return json.loads(run("train", *arguments, *SHORT, "--json", "-o", "run").stdout)


def test_votes_of_your_own_on_a_set_are_read_as_those_on_data_of_yours(tmp_path):
    labels = murk.load("digits").train.labels[:200]
    lines = ["example,vote_ann,vote_bob", *(f"{row},{label}," for row, label in enumerate(labels)), "7,,3"]
    (tmp_path / "wide.csv").write_text("\n".join(lines[:-1]))
    outcome = run("train", "digits", "--votes", "wide.csv", "--noise", "symmetric:0.1", *SHORT, "--json", "-o", "run")
    assert json.loads(outcome.stdout)["facts"]["votes"] == 200
    assert "wide.csv: " in outcome.stderr and "1,097 examples to train on without a vote" in outcome.stderr
    (tmp_path / "wide.csv").write_text("\n".join(lines))
    said = run("train", "digits", "--votes", "wide.csv", "--noise", "symmetric:0.1", *SHORT, "-o", "b", exit_code=2)
    assert "expected each example once" in said.stderr


def test_columns_of_votes_on_a_set_are_named_as_the_message_says(tmp_path):
    """The options that say how such a table is read go with a set; those of its images do not."""
    rows = [f"{row},{row % 10},{'none' if row < 5 else row % 10}" for row in range(50)]
    (tmp_path / "votes.csv").write_text("\n".join(["example,ann,ben", *rows, ""]))
    np.savetxt(tmp_path / "T.csv", np.full((10, 11), 0.02) + 0.78 * np.eye(10, 11), delimiter=",")
    line = ["digits", "--votes", "votes.csv", "--noise", "channel:T.csv"]
    said = run("train", *line, *SHORT, "-o", "run", exit_code=2).stderr
    assert "--column votes=NAME" in said
    columns = ["--column", "votes=ann", "--column", "votes=ben"]
    assert "'none'" in run("train", *line, *columns, *SHORT, "-o", "run", exit_code=2).stderr
    outcome = run("train", *line, *columns, "--none-of-these", "none", *SHORT, "--json", "-o", "run")
    assert json.loads(outcome.stdout)["facts"]["votes"] == 100
    assert "votes.csv: 1,247 examples to train on without a vote" in outcome.stderr
    said = run("train", *line, *columns, "--side", 16, "--classes", "a,b", *SHORT, "-o", "b", exit_code=2).stderr
    assert "--side goes with data of yours" in said and "--classes goes with data of yours" in said
    assert "--column" not in said


def test_weights_of_votes_on_a_set_count(tmp_path):
    worth = []
    for weight in (1, 3):
        rows = "".join(f"{row},{row % 10},{weight}\n" for row in range(50))
        (tmp_path / "votes.csv").write_text(f"example,label,weight\n{rows}")
        worth.append(trained("digits", "--votes", "votes.csv", "--noise", "symmetric:0.1")["facts"])
        shutil.rmtree(tmp_path / "run")
    assert worth[0]["effective_clean_labels"] < worth[1]["effective_clean_labels"]


def test_matrices_of_annotators_go_with_those_who_voted_on_a_set(tmp_path):
    np.save(tmp_path / "two.npy", np.stack([np.eye(10)] * 2))
    (tmp_path / "votes.csv").write_text("example,worker,label\n0,ann,1\n1,bob,2\n2,cid,3\n")
    said = run("train", "digits", "--votes", "votes.csv", "--noise", "annotators:two.npy", "-o", "run", exit_code=2)
    assert "matrices of 2 annotators, but 3 voted, in this order: ann, bob, cid" in said.stderr


@pytest.fixture
def drawn(pets, tmp_path):
    """Votes on pets among noisy images that lie in the folder others."""
    shutil.copytree(pets / "pets", tmp_path / "own" / "pets")
    (tmp_path / "own" / "pets" / "test").rename(tmp_path / "others")
    run("dilute", "own/pets", "--side", 16, "--alpha", 1, "--source", "others", "-o", "votes.parquet")
    return ["own/pets", "--side", 16, "--votes", "votes.parquet"]


def test_noisy_images_at_a_path_are_opened_where_they_are_named_again(drawn, tmp_path):
    assert trained(*drawn, "--source", "others")["facts"]["training_examples"] == 120
    (tmp_path / "others").rename(tmp_path / "moved")
    shutil.rmtree(tmp_path / "run")
    assert trained(*drawn, "--source", "moved")["facts"]["training_examples"] == 120
    Image.new("RGB", (15, 12), "white").save(tmp_path / "moved" / "cat" / "cat-test0.png")
    said = run("train", *drawn, "--source", "moved", *SHORT, "-o", "again", exit_code=2).stderr
    assert "moved holds other images than when the votes" in said


def test_a_table_of_votes_keeps_no_path(drawn, tmp_path):
    facts = json.loads(parquet.read_schema(tmp_path / "votes.parquet").metadata[b"murk"])
    assert facts["source"] == "others" and len(facts["source_sha256"]) == 64
    run("dilute", "own/pets", "--side", 16, "--alpha", 1, "--source", tmp_path / "own" / ".." / "others", "-o", "v.csv")
    assert json.loads((tmp_path / "v.csv.json").read_text())["source"] == "others"


@pytest.mark.parametrize("digest", [True, False])
def test_a_path_that_a_table_names_is_not_opened(digest, drawn, tmp_path, monkeypatch):
    table = parquet.read_table(tmp_path / "votes.parquet")
    facts = json.loads(table.schema.metadata[b"murk"]) | {"source": str(tmp_path / "others")}
    if not digest:
        facts["source_sha256"] = None
    parquet.write_table(pa.table(table).replace_schema_metadata({"murk": json.dumps(facts)}), "votes.parquet")
    monkeypatch.setattr("murk.cli.dilute.read_shown", lambda *_, **__: pytest.fail("the path was opened"))
    said = run("train", *drawn, *SHORT, "-o", "run", exit_code=2).stderr
    assert ("name it by --source PATH" if digest else "which murk does not know") in said


@pytest.mark.parametrize("line", ["digits --alpha 1", "digits --votes votes.csv --noise symmetric:.1",
                                  "digits --votes drawn.csv"])  # fmt: skip
def test_a_source_goes_with_votes_whose_images_lie_at_a_path_alone(line, tmp_path):
    (tmp_path / "votes.csv").write_text("example,label\n0,1\n")
    run("dilute", "digits", "--alpha", 1, "--source", "same-set", "-o", "drawn.csv")
    said = run("train", *line.split(), "--source", "others", *SHORT, "-o", "run", exit_code=2).stderr
    assert "--source others goes with --votes of `murk dilute --source PATH`" in said


def test_votes_that_are_told_of_another_size_are_refused(tmp_path):
    run("dilute", "digits", "--alpha", 1, "-o", "votes.csv")
    facts = json.loads((tmp_path / "votes.csv.json").read_text())
    nine = {"num_classes": 9, "pattern": {"kind": "uniform", "num_classes": 9}}
    for told, says in (
        ({"num_examples": 10**12}, "num_examples 1,297, but votes.csv tells of 1,000,000,000,000"),
        ({"drawn_by": facts["drawn_by"] | nine}, "drawn over 9 classes, but digits has 10"),
    ):
        (tmp_path / "votes.csv.json").write_text(json.dumps(facts | told))
        said = run("train", "digits", "--votes", "votes.csv", *SHORT, "-o", "run", exit_code=2)
        assert says in " ".join(said.stderr.split())
