"""Folders of images as data of the user's: what needs no pixel is told before a file is decoded."""

from __future__ import annotations

import numpy as np
import pytest
from image_folders import drawn, lay_out
from PIL import Image

from murk.data import content_sha256, read
from murk.data.content import computed_sha256
from murk.errors import InputError

VOTES = "image,answer\n"


@pytest.fixture
def photos(tmp_path, cache):
    """The folder train/{a,b}/{a,b}_{0..2}.png and one of each to test with."""
    return lay_out(tmp_path / "photos", train=3, val=1, classes=("a", "b"))


@pytest.fixture
def votes(tmp_path):
    """Write votes as rows "image,answer": votes(rows) -> the path of the table."""

    def write(rows):
        (tmp_path / "votes.csv").write_text(VOTES + rows)
        return tmp_path / "votes.csv"

    return write


@pytest.mark.parametrize(("rows", "settings", "said"), [
    ("x,a\ny,b\n", {}, "2 votes of 2 on others"),
    ("a_1,a\n", {"class_names": ("a", "c")}, "the nearest class is"),
    ("a_1,a\n", {"none_of_these": "b"}, "which is to be none"),
    ("a/a_0,a\n", {}, "which could be several"),
    ("a_1,a\n", {"none_of_these": " "}, "as the text of that answer"),
    ("a_1,a\n", {"side": 0}, "expected side"),
])  # fmt: skip
def test_what_needs_no_pixel_is_refused_before_a_file_is_decoded(photos, votes, cache, rows, settings, said):
    with pytest.raises(InputError, match=said):
        read(photos, votes=votes(rows), **{"side": 8, **settings})
    assert not cache.exists()


def test_a_caller_can_refuse_before_a_file_is_decoded(photos, votes, cache):
    def refuse(reading):
        assert (len(reading.dataset.train), len(reading.dataset.test)) == (6, 2)
        assert reading.dataset.class_names == ("a", "b", "c") and reading.votes.label.tolist() == [2]
        assert reading.dataset.example_shape == (8, 8, 3) and not reading.dataset.train.images.any()
        raise InputError("three classes")

    with pytest.raises(InputError, match="three classes"):
        read(photos, votes=votes("a_1,c\n"), side=8, before_decoding=refuse)
    assert not cache.exists()


def test_a_caller_that_refuses_nothing_changes_nothing(photos, votes):
    told = []
    reading = read(photos, votes=votes("a_1,c\nb_2,a\n"), side=8, before_decoding=told.append)
    (before,) = told
    assert np.array_equal(before.dataset.train.labels, reading.dataset.train.labels)
    assert (before.roles, before.kind) == ({key: reading.roles[key] for key in ("train/", "val/")}, reading.kind)
    assert np.array_equal(before.votes.example, reading.votes.example) and reading.dataset.train.images.any()
    assert content_sha256(reading.dataset) == computed_sha256(reading.dataset)


def test_votes_on_files_that_are_skipped_are_left_out(photos, votes):
    (photos / "train/a/a_1.png").write_text("no image")
    reading = read(photos, votes=votes("a_1,b\na_2,a\nval/b/b_0.png,a\n"), side=8, skip_corrupt=True)
    assert reading.dataset.train.ids.tolist()[:2] == ["a/a_0.png", "a/a_2.png"]
    assert reading.votes.example.tolist() == [1] and reading.test_votes.example.tolist() == [1]
    assert reading.skipped == ("train/a/a_1.png",)


def test_the_only_part_may_stand_before_the_names_in_votes(tmp_path, cache, votes):
    for name in ("a", "b"):
        (tmp_path / "photos/train" / name).mkdir(parents=True)
        Image.fromarray(drawn(list(name.encode()), 8, 8)).save(tmp_path / "photos/train" / name / "0.png")
    reading = read(tmp_path / "photos", votes=votes("train/b/0.png,a\na/0.png,b\n"), side=8)
    assert reading.votes.example.tolist() == [1, 0] and reading.votes.label.tolist() == [0, 1]


def test_labels_that_the_user_orders_otherwise_have_a_digest_of_their_own(photos):
    there, back = read(photos, side=8), read(photos, side=8, class_names=("b", "a"))
    assert back.dataset.train.labels.tolist() == [1, 1, 1, 0, 0, 0]
    assert content_sha256(back.dataset) == computed_sha256(back.dataset) != content_sha256(there.dataset)
