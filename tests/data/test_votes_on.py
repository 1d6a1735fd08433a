"""A user's votes on examples that are in memory already: read as those beside data of their own are."""

from __future__ import annotations

import numpy as np
import pytest

import murk
from murk.data import Columns, Dataset, Examples, read, votes_on
from murk.errors import DataError, InputError
from murk.lab import write_votes

NAMES = ("airplane", "cat", "dog")
IMAGES = np.zeros((4, 2, 2, 3), np.uint8)


@pytest.fixture
def pets():
    """Four images to train on and one to test with, without ids."""
    train = Examples(IMAGES, [0, 1, 2, -1], NAMES)
    return Dataset(train, train[:1], "pets")


@pytest.fixture
def written(tmp_path):
    """Write a table of votes: written(text) -> its path."""

    def write(text):
        (tmp_path / "votes.csv").write_text(text)
        return tmp_path / "votes.csv"

    return write


def cells(reading):
    given = reading.votes
    who = None if given.annotator is None else [given.annotators[k] for k in given.annotator]
    return given.example.tolist(), given.label.tolist(), who, None if given.weight is None else given.weight.tolist()


@pytest.mark.parametrize("answers", [("airplane", "dog"), ("0", "2")], ids=["names", "numbers"])
def test_classes_are_named_or_numbered_and_weights_count(pets, written, answers):
    rows = f"3,b,{answers[0]},0.5\n0,a,{answers[1]},2\n"
    reading = votes_on(pets, written(f"example,worker,label,weight\n{rows}"))
    assert cells(reading) == ([3, 0], [0, 2], ["b", "a"], [0.5, 2.0])
    assert reading.dataset is pets and reading.roles["votes.csv:weight"] == "weights of the votes"


def test_a_wide_table_has_a_column_a_voter(pets, written):
    reading = votes_on(pets, written("example,vote_1,vote_2\n0,cat,\n2,dog,cat\n"))
    assert cells(reading) == ([0, 2, 2], [1, 2, 1], ["vote_1", "vote_1", "vote_2"], None)


def test_ids_that_are_text_are_what_examples_are_called(written):
    train = Examples(IMAGES, [-1] * 4, NAMES, ids=["cat/1.png", "cat/2.png", "dog/3.png", "dog/4.png"])
    reading = votes_on(Dataset(train, train[:0], ""), written("image,label\ncat/2.png,dog\n4.png,cat\n"))
    assert cells(reading) == ([1, 3], [2, 1], None, None)


@pytest.mark.parametrize(("text", "says"), [
    ("example,label\n0,car\n", "the nearest class is 'cat'"), ("example,label\n4,cat\n", "on rows 0 to 3"),
    ("example,label\n0,3\n", "among the 3 classes"), ("example,label,weight\n0,cat,-1\n", "weights above 0"),
    ("label\ncat\n", "which example each vote is about"),
])  # fmt: skip
def test_what_cannot_be_meant_is_refused(pets, written, text, says):
    with pytest.raises(InputError, match=says):
        votes_on(pets, written(text))


def test_columns_and_an_answer_that_fits_no_class_may_be_named(pets, written):
    path = written("row,said\n0,cat\n1,?\n")
    reading = votes_on(pets, path, columns=Columns(example="row", votes="said"), none_of_these="?")
    assert cells(reading) == ([0, 1], [1, -2], None, None)
    with pytest.raises(InputError, match="got 'rwo'; did you mean 'row'"):
        votes_on(pets, path, columns=Columns(example="rwo"))


def test_it_says_the_same_as_reading_the_data_with_the_table_beside_it(written, tmp_path):
    np.savez(tmp_path / "data.npz", images=IMAGES, labels=[0, 1, 2, -1], class_names=np.array(NAMES))
    path = written("example,rater,answer\n0,ann,cat\n0,ann,dog\n1,bob,airplane\n")
    beside = read(tmp_path / "data.npz", votes=path)
    alone = votes_on(beside.dataset, path)
    assert cells(alone) == cells(beside)
    assert set(alone.oddities) == {said.replace("data.npz", "data") for said in beside.oddities}


def test_votes_that_murk_wrote_are_by_row_and_number(pets, tmp_path):
    votes = murk.Votes.from_labels([2, 0, 1, -1], num_classes=3)
    write_votes(tmp_path / "votes.parquet", votes, facts={})
    assert cells(votes_on(pets, tmp_path / "votes.parquet"))[:2] == ([0, 1, 2], [2, 0, 1])
    write_votes(tmp_path / "votes.parquet", murk.Votes.from_labels([0], num_classes=3), facts={})
    with pytest.raises(InputError, match="tells of 1; take the right one"):
        votes_on(pets, tmp_path / "votes.parquet")


def test_a_file_that_is_none_is_told(pets, tmp_path):
    with pytest.raises(DataError, match="got no file there"):
        votes_on(pets, tmp_path / "no.csv")
