"""murk data: what it says is what the library says."""

from __future__ import annotations

import gzip

import numpy as np
import pytest
from PIL import Image

import murk


def test_list_names_every_set_with_its_size_and_where_it_is(murk_json):
    found = {entry["name"]: entry for entry in murk_json("data list")["sets"]}
    assert list(found) == ["digits", "mnist", "fashion-mnist", "cifar10", "cifar100"]
    assert found["digits"]["found"] and found["digits"]["train"] == 1297
    assert not found["cifar100"]["found"] and found["cifar100"]["place"].startswith("murk data fetch cifar100")
    assert found["cifar100"]["classes"] == 100 and found["mnist"]["shape"] == [28, 28, 1]


def test_list_tells_of_an_incomplete_folder_and_still_lists_the_rest(murk_json, tmp_path, monkeypatch):
    (tmp_path / "sets" / "mnist").mkdir(parents=True)
    monkeypatch.setenv("MURK_DATA", str(tmp_path / "sets"))
    found = {entry["name"]: entry for entry in murk_json("data list")["sets"]}
    assert found["mnist"]["place"].startswith("incomplete: ") and not found["mnist"]["found"]
    assert found["digits"]["found"]


def test_a_folder_of_data_that_does_not_exist_is_bad_input(murk, monkeypatch):
    monkeypatch.setenv("MURK_DATA", "nowhere")
    outcome = murk("data list")
    assert outcome.exit_code == 2 and outcome.stderr.startswith("murk: expected MURK_DATA") and not outcome.stdout


def test_damaged_files_are_a_failure_in_one_line(murk, tmp_path, monkeypatch):
    folder = tmp_path / "sets" / "mnist"
    folder.mkdir(parents=True)
    for part in ("train", "t10k"):
        for kind in ("images-idx3", "labels-idx1"):
            (folder / f"{part}-{kind}-ubyte.gz").write_bytes(gzip.compress(b"not the set"))
    monkeypatch.setenv("MURK_DATA", str(tmp_path / "sets"))
    outcome = murk("data fetch mnist")
    assert outcome.exit_code == 1 and outcome.stderr.startswith("murk: ") and outcome.stderr.count("\n") == 1


def test_fetching_what_is_bundled_says_so(murk_json):
    assert murk_json("data fetch digits") == {
        "name": "digits", "folder": None, "bundled": True, "train": 1297, "test": 500,
    }  # fmt: skip


def test_show_counts_every_example_once(murk_json):
    shown = murk_json("data show digits")
    digits = murk.load("digits")
    assert shown["train"]["per_class"] == np.bincount(digits.train.labels).tolist()
    assert sum(shown["test"]["per_class"]) == shown["test"]["examples"] == 500
    assert shown["votes"] is None and shown["shape"] == [8, 8, 1]


def test_show_tells_of_votes_what_the_library_tells(murk_json):
    votes = murk_json("data show digits --noise dilution:20 --seed 3")["votes"]
    digits, noise = murk.load("digits"), murk.Dilution(20, num_classes=10)
    drawn = noise.draw(digits.train.labels, seed=3)
    assert votes["votes"] == 21 * 1297 and votes["fewest"] == votes["most"] == 21
    assert votes["effective_clean_labels"] == murk.effective_clean_labels(drawn, noise)
    right = drawn.counts()[np.arange(1297), digits.train.labels].sum()
    assert votes["agreement_with_truth"] == pytest.approx(right / (21 * 1297), rel=1e-12)
    assert votes["noise_rate"] == pytest.approx(1 - right / (21 * 1297), rel=1e-12)
    assert votes["transition_diagonal"] == pytest.approx([1 / 7] * 10)


def test_show_takes_annotators_from_a_file(murk_json, tmp_path):
    right = np.stack([np.full((10, 10), 0.02) + np.eye(10) * 0.8, np.full((10, 10), 0.06) + np.eye(10) * 0.4])
    np.save(tmp_path / "T.npy", right)
    votes = murk_json("data show digits --noise annotators:T.npy,votes=2")["votes"]
    assert votes["votes_per_example"] == 2
    assert votes["transition_diagonal"] == pytest.approx([(0.82 + 0.46) / 2] * 10)


def test_a_contact_sheet_is_a_png(murk_json, tmp_path):
    murk_json("data show digits --sheet sheet.png")
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.format == "PNG" and min(sheet.size) > 100


def test_tables_show_the_numbers_of_the_json(murk):
    shown = murk("data show digits --noise symmetric:0.4")
    assert shown.exit_code == 0 and "0.6000" in shown.stdout and "votes per example" in shown.stdout
    assert not shown.stderr
