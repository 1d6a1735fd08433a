"""Own data in other forms by the commands: arrays, wide votes, annotators; what has changed, and Ctrl-C."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from pathlib import Path

import numpy as np
import pyarrow.csv
import pyarrow.parquet
import pytest
from commands import run
from pets import NAMES
from PIL import Image

import murk.cli.place
import murk.cli.train

DOCS = Path(__file__).parents[2] / "docs"


def trained_on(*arguments):
    """The JSON that a training of few epochs tells."""
    return json.loads(run("train", *arguments, "--json").stdout)


@pytest.fixture
def own(pets, tmp_path):
    """A copy of the pets and their votes, to be changed."""
    shutil.copytree(pets, tmp_path / "own")
    return tmp_path / "own"


def blocks_of(page, language):
    """The blocks of a page in one language."""
    text = (DOCS / page).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def lay_out_photos(pets):
    shutil.copytree(pets / "pets", "photos")
    shutil.copytree(pets / "pets" / "test" / "cow", "new-photos")
    shutil.copy(pets / "votes.csv", "votes.csv")


def lay_out_texts(_):
    """By the page's own Python: texts and votes in the first block, their files in the last."""
    first, *_, last = blocks_of("text.md", "python")
    exec(first + last, {})  # the project's own document


@pytest.mark.parametrize(
    ("page", "lay_out", "rows"), [("own-data.md", lay_out_photos, 10), ("text.md", lay_out_texts, 2)]
)
def test_the_shell_commands_of_the_page_run_as_they_stand(pets, page, lay_out, rows):
    commands = [line for block in blocks_of(page, "sh") for line in block.splitlines()]
    lay_out(pets)
    assert [command.split()[1] for command in commands] == ["data", "train", "predict"]
    for command in commands:
        run(*shlex.split(command)[1:], *(["--epochs", 1] if " train " in command else []))
    (out,) = Path().glob("predictions.*")
    table = pyarrow.parquet.read_table(out) if out.suffix == ".parquet" else pyarrow.csv.read_csv(out)
    assert table.num_rows == rows


def test_arrays_with_votes_train_and_are_predicted(tmp_path):
    draw = np.random.default_rng(3)
    truth = draw.integers(0, 3, 240)
    features = draw.normal(0, 0.2, (240, 3)) + np.eye(3)[truth]
    votes = np.where(draw.random((200, 3)) < 0.3, draw.integers(0, 3, (200, 3)), truth[:200, None])
    votes[draw.random((200, 3)) < 0.2] = -1
    np.savez(tmp_path / "a.npz", X=features[:200], votes=votes, X_test=features[200:], y_test=truth[200:],
             class_names=np.array(NAMES))  # fmt: skip
    told = trained_on("a.npz", "--noise", "symmetric:0.2", "--test-labels", "clean", "--epochs", 20, "-o", "run")
    assert told["facts"]["votes"] == (votes >= 0).sum() and told["estimates"]["accuracy"]["value"] > 0.9
    run("predict", "run", "a.npz", "-o", "p.parquet")
    table = pyarrow.parquet.read_table("p.parquet").to_pydict()
    assert table["part"] == ["train"] * 200 + ["test"] * 40 and table["label"][:200] == [None] * 200
    assert table["label"][200:] == np.array(NAMES)[truth[200:]].tolist()
    assert np.mean(np.array(table["class"]) == np.array(NAMES)[truth]) > 0.9


def test_a_wide_table_of_votes_on_images_trains(pets, tmp_path):
    rows = [line.split(",") for line in (pets / "votes.csv").read_text(encoding="utf-8").splitlines()[1:]]
    answers: dict[str, list[str]] = {}
    for image, _, label in rows:
        answers.setdefault(image, []).append(label)
    answers["cat-train0.png"][2] = ""
    lines = ["image,vote_ann,vote_bob,vote_cid", *(",".join([name, *said]) for name, said in answers.items())]
    (tmp_path / "wide.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    shown = json.loads(run("data", "show", pets / "pets", "--side", 16, "--votes", "wide.csv", "--json").stdout)
    assert shown["given_votes"]["annotators"] == ["vote_ann", "vote_bob", "vote_cid"]
    told = trained_on(pets / "pets", "--side", 16, "--votes", "wide.csv", "--noise", "symmetric:0.3", "--test-labels",
                      "clean", "--epochs", 30, "-o", "run")  # fmt: skip
    assert told["facts"]["votes"] == 179 and told["estimates"]["accuracy"]["value"] == 1


def test_each_annotator_is_weighed_by_the_matrix_in_the_order_that_is_shown(pets, tmp_path):
    """Two of three guess, and zoe, the last by name, says the next class for each: only her matrix tells the truth."""
    draw, matrices = np.random.default_rng(5), np.full((3, 3, 3), 1 / 3)
    matrices[2] = 0.01 + 0.97 * np.roll(np.eye(3), 1, axis=1)
    np.save(tmp_path / "T.npy", matrices)
    lines = ["image,worker,label"]
    for k, name in enumerate(NAMES):
        for number in range(20):
            said = {"zoe": NAMES[(k + 1) % 3], "ann": draw.choice(NAMES), "bob": draw.choice(NAMES)}
            lines += [f"{name}-train{number}.png,{who},{what}" for who, what in said.items()]
    (tmp_path / "v.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    told = trained_on(pets / "pets", "--side", 16, "--votes", "v.csv", "--noise", "annotators:T.npy", "--test-labels",
                      "clean", "--epochs", 30, "-o", "run")  # fmt: skip
    assert told["estimates"]["accuracy"]["value"] == 1


def test_an_unlabelled_folder_trains_on_votes_alone(pets, tmp_path):
    (tmp_path / "flat").mkdir()
    for source in (pets / "pets" / "train").rglob("*.png"):
        shutil.copy(source, tmp_path / "flat" / source.name)
    told = trained_on("flat", "--side", 16, "--votes", pets / "votes.csv", "--noise", "symmetric:0.3", "--epochs", 30,
                      "-o", "run")  # fmt: skip
    assert told["data"]["class_names"] == list(NAMES) and told["facts"]["votes"] == 180
    found = json.loads(run("predict", "run", pets / "pets", "-o", "p.parquet", "--json").stdout)
    assert found["agreement_with_labels"] == 1
    for command in (["dilute", "flat", "--alpha", 1, "--classes", "cat,cow,dog", "-o", "v.csv"],
                    ["data", "show", "flat", "--noise", "symmetric:.1", "--classes", "cat,cow,dog"],
                    ["train", "flat", "--votes", "draw", "--alpha", 1, "--classes", "cat,cow,dog", "-o", "x"],
                    ):  # fmt: skip
        assert "60 examples to train on without one" in run(*command, exit_code=2).stderr


def paint(own):
    """Another picture by the same name."""
    Image.new("RGB", (15, 12), "white").save(own / "pets" / "train" / "cat" / "cat-train0.png")


def relabel(own):
    """The same pictures, one of them in another class, of which the votes know by its name alone."""
    (own / "pets" / "train" / "cat" / "cat-train0.png").rename(own / "pets" / "train" / "dog" / "cat-train0.png")


def revote(own):
    """One vote is another."""
    text = (own / "votes.csv").read_text(encoding="utf-8")
    (own / "votes.csv").write_text(text.replace("cat-train0.png,w0,cat", "cat-train0.png,w0,cow"), encoding="utf-8")


def rematrix(own):
    """The same name of a file, other noise in it."""
    np.savetxt(own / "T.csv", 0.2 + 0.4 * np.eye(3), delimiter=",")


@pytest.mark.parametrize("change", [paint, relabel, revote, rematrix])
def test_a_finished_folder_is_not_taken_for_changed_data(own, change):
    np.savetxt(own / "T.csv", 0.1 + 0.7 * np.eye(3), delimiter=",")
    train = ["train", own / "pets", "--side", 16, "--votes", own / "votes.csv", "--noise", f"channel:{own / 'T.csv'}",
             "--model", "perceptron", "--epochs", 1, "-o", "run"]  # fmt: skip
    run(*train)
    assert "already" in run(*train).stderr
    change(own)
    assert "holds the result of another training" in run(*train, exit_code=2).stderr


def test_the_digest_told_is_that_of_the_data_as_it_lies_there(pets):
    dilute = ["dilute", pets / "pets", "--side", 16, "--alpha", 1, "-o", "v.csv"]
    run(*dilute)
    digest = json.loads(Path("v.csv.json").read_text(encoding="utf-8"))["data"]["sha256"]
    told = trained_on(pets / "pets", "--side", 16, "--noise", "symmetric:.1", "--epochs", 1, "--model", "perceptron",
                      "-o", "run")  # fmt: skip
    assert told["data"]["sha256"] == told["settings"]["data_sha256"] == digest


def test_what_looks_odd_is_told_by_predict_too(trained, own):
    (own / "pets" / "train" / "cat" / "notes.txt").write_text("a cat", encoding="utf-8")
    shutil.copytree(own / "pets" / "train", own / "some")
    outcome = run("predict", trained[0], own / "some", "-o", "p.parquet", "--json")
    assert "notes.txt" in outcome.stderr
    assert any("notes.txt" in said for said in json.loads(outcome.stdout)["oddities"])


def test_a_training_at_a_path_goes_on_after_ctrl_c_as_if_nothing_had_been(pets, monkeypatch):
    train = ["train", pets / "pets", "--side", 16, "--votes", pets / "votes.csv", "--noise", "symmetric:0.3", "--model",
             "mlp1", "--epochs", 4, "--checkpoint-seconds", 0, "--json", "-o"]  # fmt: skip
    teller = murk.cli.train.teller

    def stopping(advance):
        def tell(progress):
            teller(advance)(progress)
            if progress.epoch is not None and progress.epoch.epoch == 2:
                raise KeyboardInterrupt

        return tell

    with monkeypatch.context() as patch:
        patch.setattr(murk.cli.train, "teller", stopping)
        stopped = run(*train, "run", exit_code=130)
    assert "is kept in run; run the same command" in stopped.stderr
    again = run(*train, "run")
    assert "epoch 1," not in again.stderr and "epoch 4," in again.stderr
    assert json.loads(again.stdout)["history"] == json.loads(run(*train, "whole").stdout)["history"]


def test_reading_a_folder_goes_on_after_ctrl_c(pets, monkeypatch):
    show = ["data", "show", pets / "pets", "--side", 16, "--json"]

    def stopping(*_):
        def tell(_):
            raise KeyboardInterrupt

        return tell

    with monkeypatch.context() as patch:
        patch.setattr(murk.cli.place, "_teller", stopping)
        assert "images decoded so far are kept" in run(*show, exit_code=130).stderr
    assert json.loads(run(*show).stdout)["train"]["examples"] == 60


def test_noisy_images_come_from_a_path_and_are_found_again_until_they_change(own):
    (own / "pets" / "test").rename(own / "others")
    dilute = ["dilute", own / "pets", "--side", 16, "--alpha", 1, "--source", own / "others", "-o", "v.parquet"]
    train = [own / "pets", "--side", 16, "--votes", "v.parquet", "--source", own / "others", "--model", "perceptron",
             "--epochs", 1, "-o"]  # fmt: skip
    run(*dilute)
    assert trained_on(*train, "run")["facts"]["training_examples"] == 120
    Image.new("RGB", (15, 12), "white").save(own / "others" / "cat" / "cat-test0.png")
    assert "other images than when the votes" in run("train", *train, "again", exit_code=2).stderr
