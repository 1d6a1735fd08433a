"""Vote tables: read back as they were, or refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import murk
from murk.errors import DataError, InputError
from murk.lab import read_votes, write_votes
from murk.lab.vote_table import plain_noise
from murk.noise import noise_from_state

FACTS = {"data": {"name": "x"}, "drawn_by": {}, "source": "copies", "seed": 0}


@pytest.mark.parametrize("ending", ["parquet", "csv"])
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=50)
@example(table=[[-1, -1, -1]])
@given(table=st.lists(st.lists(st.integers(-2, 3), min_size=3, max_size=3), min_size=1, max_size=9))
def test_votes_are_read_back_as_they_were(tmp_path, ending, table):
    votes = murk.Votes.from_matrix(np.array(table), num_classes=4)
    rows = write_votes(tmp_path / f"votes.{ending}", votes, facts=FACTS)
    read = read_votes(tmp_path / f"votes.{ending}")
    everyone = np.arange(len(table))
    before, after = votes.batch(everyone), read.votes.batch(everyone)
    assert rows == len(before.labels) and len(read.votes) == len(table)
    assert np.array_equal(before.labels, after.labels) and np.array_equal(before.offsets, after.offsets)
    assert rows == 0 or np.array_equal(before.annotators, after.annotators)
    assert {**FACTS, "num_examples": len(table), "num_classes": 4}.items() <= read.facts.items()


@pytest.mark.parametrize(
    "noise",
    [murk.Dilution(3, num_classes=4), murk.Channel.symmetric(0.2, num_classes=4), murk.Channel(np.eye(4, 5)),
     murk.Annotators(np.stack([np.eye(4)] * 2))],
    ids=lambda noise: type(noise).__name__,
)  # fmt: skip
def test_a_noise_model_survives_json(noise):
    again = noise_from_state(plain_noise(noise))
    labels = np.arange(4)
    assert np.array_equal(
        again.draw(labels, seed=1).batch(labels).labels, noise.draw(labels, seed=1).batch(labels).labels
    )


def test_a_csv_that_lost_rows_is_refused(tmp_path):
    write_votes(tmp_path / "votes.csv", murk.Votes.from_labels([0, 1], num_classes=2), facts=FACTS)
    (tmp_path / "votes.csv").write_text("example,label\n0,0\n")
    with pytest.raises(InputError, match=r"has 1 rows, but votes\.csv\.json tells of 2"):
        read_votes(tmp_path / "votes.csv")


@pytest.mark.parametrize(
    ("content", "said"),
    [("example,lable\n0,1\n", "lacks label"), ("", "cannot be read"), ("example,label\n0\n", "cannot be read")],
)
def test_a_table_of_something_else_is_refused(tmp_path, content, said):
    (tmp_path / "votes.csv").write_text(content)
    with pytest.raises(DataError, match=said):
        read_votes(tmp_path / "votes.csv", num_examples=2, num_classes=2)


@pytest.mark.parametrize("told", ["[]", "7", "{", '{"seed": 1}', '{"data": "mnist"}'])
def test_facts_of_another_kind_are_refused(tmp_path, told):
    (tmp_path / "votes.csv").write_text("example,label\n0,1\n")
    (tmp_path / "votes.csv.json").write_text(told)
    with pytest.raises(DataError, match="cannot be read"):
        read_votes(tmp_path / "votes.csv", num_examples=2, num_classes=2)


@pytest.mark.parametrize("row", ["0,cat", "0,9", "7,1", "0,", "-1,1"])
def test_votes_out_of_range_are_refused(tmp_path, row):
    (tmp_path / "votes.csv").write_text(f"example,label\n0,1\n{row}\n")
    with pytest.raises(InputError):
        read_votes(tmp_path / "votes.csv", num_examples=2, num_classes=2)
