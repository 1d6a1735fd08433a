"""Hugging Face data sets: objects and the folders they save; nothing is fetched or run, no path leaves its folder."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from image_folders import drawn
from PIL import Image

from murk.data import read
from murk.errors import DataError, InputError

datasets = pytest.importorskip("datasets", reason="the extra murk[huggingface] is not installed")

IMAGES = [Image.fromarray(drawn(seed, 12, 16)) for seed in range(4)]


@pytest.fixture
def pets(cache):
    """Four images with labels, one of them unknown."""
    features = datasets.Features({
        "image": datasets.Image(), "label": datasets.ClassLabel(names=["dog", "cat"]), "note": datasets.Value("string"),
    })  # fmt: skip
    return datasets.Dataset.from_dict({"image": IMAGES, "label": [1, 0, -1, 1], "note": ["x"] * 4}, features=features)


@pytest.fixture
def saved(pets, tmp_path):
    """The folder of a saved data set with a part to train on and one to test with."""
    datasets.disable_progress_bars()
    datasets.DatasetDict(train=pets, validation=pets.select([1, 0])).save_to_disk(tmp_path / "pets")
    return tmp_path / "pets"


def test_an_object_gives_its_images_and_classes_in_their_order(pets):
    reading = read(pets, side=12)
    train = reading.dataset.train
    assert (reading.kind, train.class_names, train.labels.tolist()) == ("dataset", ("dog", "cat"), [1, 0, -1, 1])
    assert np.array_equal(train.images, [drawn(seed, 12, 16)[:, 2:14] for seed in range(4)])
    assert reading.roles == {"image": "images", "label": "labels", "note": "not used: text"}


def test_what_is_chosen_or_shuffled_is_read_so(pets):
    shuffled = pets.shuffle(seed=3)
    assert read(shuffled, side=4).dataset.train.labels.tolist() == shuffled["label"][:]
    assert read(pets.select([3, 1]), side=4).dataset.train.labels.tolist() == [1, 0]


def test_a_saved_folder_gives_the_same_as_the_object(pets, saved):
    reading = read(saved, side=6)
    assert reading.dataset.name == "pets" and reading.dataset.test.labels.tolist() == [0, 1]
    assert np.array_equal(reading.dataset.train.images, read(pets, side=6).dataset.train.images)
    assert np.array_equal(reading.dataset.test.images, reading.dataset.train.images[[1, 0]])
    assert np.array_equal(read(saved / "train", side=6).dataset.train.images, reading.dataset.train.images)


def test_a_saved_folder_is_read_without_the_library_or_a_network(saved):
    code = (
        "import sys, socket; sys.modules['datasets'] = None; socket.socket.connect = None; "
        f"from murk.data import read; print(len(read({str(saved)!r}, side=4).dataset.train))"
    )
    outcome = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert outcome.stdout.strip() == "4", outcome.stderr


def test_lists_of_numbers_are_features_and_columns_are_votes(cache):
    values = {"embedding": [[0.5, 1], [2, 3]], "vote_1": ["x", "y"], "vote_2": ["y", None]}
    reading = read(
        datasets.DatasetDict(train=datasets.Dataset.from_dict(values), test=datasets.Dataset.from_dict(values))
    )
    assert reading.dataset.train.images.tolist() == [[0.5, 1], [2, 3]] and reading.dataset.train.ids is None
    for votes in (reading.votes, reading.test_votes):
        assert votes.example.tolist() == [0, 1, 0] and votes.label.tolist() == [0, 1, 1]


def test_what_is_no_whole_data_set_is_refused(pets):
    with pytest.raises(InputError, match="got IterableDataset; load it whole"):
        read(pets.to_iterable_dataset())
    with pytest.raises(InputError, match=r"expected splits .* got extra"):
        read(datasets.DatasetDict(train=pets, extra=pets))
    with pytest.raises(DataError, match="the same columns in all splits"):
        read(datasets.DatasetDict(train=pets, test=pets.remove_columns("note")))


@pytest.mark.parametrize("name", ["../train/data-00000-of-00001.arrow", "/etc/passwd", "link.arrow", 3, "gone.arrow"])
def test_a_saved_folder_cannot_name_files_elsewhere(name, saved):
    os.symlink(saved / "validation/data-00000-of-00001.arrow", saved / "train/link.arrow")
    state = json.loads((saved / "train/state.json").read_text())
    state["_data_files"][0]["filename"] = name
    (saved / "train/state.json").write_text(json.dumps(state))
    with pytest.raises(DataError, match="save"):
        read(saved, side=4)


@pytest.mark.parametrize(("file", "content"), [
    ("dataset_dict.json", b'{"splits": ["../x"]}'), ("train/state.json", b"[" * 100_000), ("train/state.json", b"{}"),
    ("train/data-00000-of-00001.arrow", b"x" * 100), ("train/dataset_info.json", b"{"),
])  # fmt: skip
def test_a_damaged_folder_is_an_error_that_says_so(file, content, saved):
    (saved / file).write_bytes(content)
    with pytest.raises(DataError, match="save"):
        read(saved, side=4)
