"""What is wrong with own data is told in the words of the command line, and before anything slow begins."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import typer.main
from commands import run

import murk.data
from murk.cli import app
from murk.cli.spelling import SETTING, in_options
from murk.learn import augment, recipe, selection

MESSAGES = [*Path(murk.data.__file__).parent.rglob("*.py"),
            *(Path(str(module.__file__)) for module in (augment, recipe, selection))]  # fmt: skip
SETTINGS = sorted({found.group() for path in MESSAGES for found in SETTING.finditer(path.read_text(encoding="utf-8"))})


def test_there_are_settings_to_spell():
    assert "`skip_corrupt=True`" in SETTINGS and len(SETTINGS) > 5


@pytest.mark.parametrize("setting", SETTINGS)
def test_each_setting_that_a_message_names_is_an_option_of_training(setting):
    known = {name for each in typer.main.get_command(app).commands["train"].params for name in each.opts}
    assert in_options(f"say {setting}").split()[1] in known


def test_what_a_user_writes_is_no_setting():
    for text in ("class_names=x", "a file skip_corrupt=True.png", "`label`", "`x=3`", "'votes=...'"):
        assert in_options(text) == text


@pytest.fixture
def tables(tmp_path):
    """Tables with one thing wrong each."""
    rows = {
        "hot": ("a,label_cat,label_dog", "1,1,0", "2,0,1"), "minus": ("a,label", "1,-1", "2,0", "3,1"),
        "two": ("a,label,class", "1,x,y", "2,y,x"), "votes": ("example,label", "0,cat", "1,dog"),
        "bare": ("a,b", "1,2", "2,1"), "good": ("a,b,label", *(f"{k},{k % 2},{'xy'[k % 2]}" for k in range(20))),
        "twice": ("id,a,answers", "p,1,x", "p,1,y"), "who": ("worker,answer", "ann,x", "bob,y"),
    }  # fmt: skip
    for name, lines in rows.items():
        (tmp_path / f"{name}.csv").write_text("\n".join([*lines, ""]), encoding="utf-8")
    np.save(tmp_path / "two.npy", np.full((2, 2, 2), 0.5))


@pytest.mark.parametrize(("line", "told"), [
    ("data show hot.csv", "--column votes=NAME"), ("data show minus.csv", "by --classes: 0 and 1"),
    ("data show two.csv", "say which by --column label=NAME"), ("data show votes.csv", "beside data (--votes)"),
    ("data show good.csv --votes bare.csv", "by --column votes=NAME"), ("data show twice.csv", "--column votes=NAME"),
    ("data show good.csv --votes who.csv", "--column example=NAME"),
    ("data show good.csv --classes x", "name them too by --classes"),
    ("train good.csv --noise symmetric:.1 --consistency 1 -o run", "--consistency holds two changed views"),
    ("train good.csv --noise symmetric:.1 --augment affine -o run", "--augment affine changes images"),
    ("train digits --noise symmetric:.1 --consistency 1 --augment none -o run", "leave one of them out"),
    ("train digits --noise symmetric:.1 --consistency 1 --model perceptron -o run", "--model perceptron takes"),
    ("train good.csv --noise annotators:two.npy -o run", "do not say who voted; tell it by a column"),
    ("train good.csv --noise symmetric:.1 --held-out .7 -o run", "--held-out is a share in [0, 0.5]"),
    ("train good.csv --noise symmetric:.1 --batch-size 0 -o run", "--batch-size is a whole number > 0, or left out"),
    ("train good.csv --noise symmetric:.1 --learning-rate -1 -o run", "--learning-rate is a number > 0, or left out"),
    ("train good.csv --noise symmetric:.1 --augment flip -o run", "--augment"),
])  # fmt: skip
def test_messages_name_options_and_not_python(tables, line, told):
    said = run(*line.split(), exit_code=2).stderr
    assert told in said
    assert not re.search(r"Columns\(|class_names|none_of_these|skip_corrupt|`\w+=|=(True|None|')", said)


def test_murks_own_votes_without_names_do_not_go_with_annotators(tables):
    run("dilute", "good.csv", "--alpha", 1, "-o", "v.parquet")
    said = run("train", "good.csv", "--votes", "v.parquet", "--noise", "annotators:two.npy", "-o", "run", exit_code=2)
    assert "v.parquet does not say who voted" in said.stderr


@pytest.mark.parametrize(("line", "told"), [
    ("data show god.csv", "did you mean 'good.csv'?"), ("data show godo", "or a path, got godo, neither of them"),
    ("data show cifr10", "did you mean 'cifar10'?"),
    ("data show good.csv --votes vote.csv", "did you mean 'votes.csv'?"),
    ("train good.csv --votes vote.csv --noise symmetric:.1 -o run", "did you mean 'votes.csv'?"),
    ("train good.csv --votes lables --noise symmetric:.1 -o run", "did you mean 'labels'?"),
    ("data show good.csv --column lable=label", "did you mean 'label'?"),
    ("data show good.csv --column label=labels", "did you mean 'label'?"),
    ("dilute good.csv --alpha 1 --source sme-set -o v.csv", "did you mean 'same-set'?"),
])  # fmt: skip
def test_the_nearest_name_is_told_where_one_is_near(tables, line, told):
    assert told in run(*line.split(), exit_code=None).stderr


def test_all_faults_of_columns_are_told_together(tables):
    said = run("data", "show", "good.csv", *(f"--column={text}" for text in ("label=a", "label=b", "x", "lable=a")),
               exit_code=2).stderr  # fmt: skip
    assert "label=NAME is given twice" in said and "'x' came" in said and "'lable=a' came" in said


@pytest.mark.parametrize("command", [
    ("train", "--noise", "symmetric:.1", "--model", "package:backbone", "-o", "run"),
    ("train", "--noise", "symmetric:.1", "--model", "conv33", "-o", "run"),
    ("train", "--noise", "symmetric:.1", "--loss", "evidense", "-o", "run"),
    ("train", "--noise", "symmetric:.1", "-o", "good.csv/run"), ("train", "--votes", "vots.csv", "-o", "run"),
    ("dilute", "-o", "v.csv"), ("dilute", "--alpha", "1", "-o", "v.txt"),
    ("dilute", "--alpha", "1", "-o", "good.csv/v.csv"),
    ("train", "--noise", "channel:nowhere.csv", "-o", "run"), ("train", "--noise", "channel:ragged.csv", "-o", "run"),
    ("train", "--noise", "channel:unsure.csv", "-o", "run"), ("train", "--noise", "dilutoin:3", "-o", "run"),
    ("train", "--noise", "dilution:9,delta=1,ranking=nowhere.csv", "-o", "run"), ("train", "--delta", "1", "-o", "run"),
    ("data show", "--noise", "annotators:nowhere.npy"), ("data show", "--noise", "channel:ragged.csv"),
    ("data show", "--sheet", "good.csv/sheet.png"), ("data show", "--column", "lable=x"),
])  # fmt: skip
def test_options_that_will_not_do_are_told_before_an_image_is_decoded(tables, pets, tmp_path, command):
    words, *options = command
    (tmp_path / "ragged.csv").write_text("1,0\n1\n", encoding="utf-8")
    (tmp_path / "unsure.csv").write_text("1,0,0\n0,.5,0\n0,0,1\n", encoding="utf-8")
    said = run(*words.split(), pets / "pets", *options, exit_code=None)
    assert said.exit_code in (1, 2) and "reading pets" not in said.stderr
    assert not (tmp_path / "cache").exists() and not (tmp_path / "run").exists()


@pytest.mark.parametrize("options", [["--side", "16"], ["--skip-corrupt"], ["--classes", "a,b"], ["--column", "id=x"],
                                     ["--none-of-these", "x"]])  # fmt: skip
@pytest.mark.parametrize(
    "line", ["data show digits", "dilute digits --alpha 1 -o v.csv", "train digits --alpha 1 -o r"]
)
def test_options_of_data_at_a_path_are_refused_for_a_set(line, options):
    assert f"{options[0]} goes with data of yours" in run(*line.split(), *options, exit_code=2).stderr


def test_predict_refuses_them_for_a_set_too(trained):
    said = run("predict", trained[0], "digits", "--skip-corrupt", "-o", "p.csv", exit_code=2).stderr
    assert "--skip-corrupt goes with data of yours" in said


def test_a_folder_that_bears_the_name_of_a_set_is_told_of(tmp_path):
    (tmp_path / "digits").mkdir()
    outcome = run("data", "show", "digits", "--json")
    assert "what lies here by that name is ./digits" in outcome.stderr and '"kind": "catalog"' in outcome.stdout


@pytest.mark.parametrize("line", ["data show {} --noise symmetric:.1", "dilute {} --alpha 1 -o v.csv",
                                  "train {} --noise symmetric:.1 -o run"])  # fmt: skip
def test_without_two_classes_there_is_nothing_to_tell_apart(tables, tmp_path, line):
    (tmp_path / "one.csv").write_text("a,label\n1,cat\n2,cat\n", encoding="utf-8")
    assert "no label or vote; bring labels" in run(*line.format("bare.csv").split(), exit_code=2).stderr
    assert "one class, cat; bring labels" in run(*line.format("one.csv").split(), exit_code=2).stderr


def test_noisy_images_go_with_a_dilution_alone(tables):
    dilute = ["dilute", "good.csv", "--source", "same-set", "--noise", "annotators:two.npy", "-o", "v.csv"]
    said = run(*dilute, exit_code=2).stderr
    assert "--noise annotators:two.npy came" in said and "array" not in said


def test_predict_takes_the_classes_that_training_took(tables):
    run("train", "minus.csv", "--classes", "0,1", "--noise", "symmetric:.1", "--epochs", 1, "-o", "run")
    assert "--classes" in run("predict", "run", "minus.csv", "-o", "p.csv", exit_code=2).stderr
    run("predict", "run", "minus.csv", "--classes", "0,1", "-o", "p.csv")
    assert [line.split(",")[2] for line in Path("p.csv").read_text(encoding="utf-8").splitlines()] == [
        "label",
        "",
        "0",
        "1",
    ]


@pytest.mark.parametrize("noise", ["symmetric:0.6", "channel:T.csv", "dilution:4,delta=1,ranking=R.csv"])
def test_noise_that_is_right_for_the_number_of_classes_alone_is_not_refused_early(tables, pets, tmp_path, noise):
    """Two classes or a hundred would not do for any of these: catches an early check that refuses too much."""
    np.savetxt(tmp_path / "T.csv", 0.1 + 0.7 * np.eye(3), delimiter=",")
    np.savetxt(tmp_path / "R.csv", [[1, 2], [2, 0], [0, 1]], delimiter=",")
    run("data", "show", pets / "pets", "--side", 16, "--noise", noise)


def test_a_setting_that_a_command_has_no_option_for_keeps_its_name(tmp_path):
    """In a study's file it is called so."""
    text = 'name = "s"\n[base]\ndata = "digits"\naugment = "none"\nconsistency = 1.0\n[grid]\nalpha = [0]\n'
    (tmp_path / "s.toml").write_text(text, encoding="utf-8")
    said = run("study", "run", "s.toml", exit_code=2).stderr
    assert "consistency compares two" in said and "--consistency" not in said and "`" not in said
