"""Vote tables: read back as they were, or refused."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import murk
from murk.errors import DataError, InputError, MurkError
from murk.lab import read_votes, write_votes
from murk.lab.vote_table import facts_of_votes, plain_noise
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


@pytest.fixture
def written(tmp_path):
    """Write a table as murk does, with other lines or other facts: written(lines, rows=2) -> its path."""

    def write(lines="example,label\n0,1\n", **told):
        (tmp_path / "votes.csv").write_text(lines)
        (tmp_path / "votes.csv.json").write_text(json.dumps({**FACTS, "num_examples": 2, "num_classes": 2, **told}))
        return tmp_path / "votes.csv"

    return write


@pytest.mark.parametrize(("content", "said"), [
    ("example,lable\n0,1\n", "expected a column label"), ("", "cannot be read"),
    ("example,label\n0\n", "cannot be read"), ("example,label\n0,cat\n", "whole numbers in column label"),
])  # fmt: skip
def test_a_table_of_something_else_is_refused(written, content, said):
    with pytest.raises(DataError, match=said):
        read_votes(written(content))


@pytest.mark.parametrize("told", ["[]", "7", "{", '{"seed": 1}', '{"data": "mnist"}', "[" * 100_000, "9" * 5000])
def test_a_table_that_does_not_say_what_made_it_is_left_to_another_reader(tmp_path, told):
    (tmp_path / "votes.csv").write_text("example,label\n0,1\n")
    (tmp_path / "votes.csv.json").write_text(told)
    assert facts_of_votes(tmp_path / "votes.csv") == {}
    with pytest.raises(InputError, match="does not say what made its votes; read it by murk"):
        read_votes(tmp_path / "votes.csv")


@pytest.mark.parametrize("row", ["0,9", "7,1", "0,", "-1,1", "0.5,1", "1e300,1"])
def test_votes_out_of_range_are_refused(written, row):
    with pytest.raises(InputError):
        read_votes(written(f"example,label\n0,1\n{row}\n"))


def test_sizes_are_compared_before_anything_is_made_of_them(written):
    assert len(read_votes(written(), num_examples=2, num_classes=2).votes) == 2
    for told in ({"num_examples": 10**12}, {"num_classes": 10**12}, {"num_examples": -1}, {"num_classes": 0}):
        with pytest.raises(InputError, match="tells of"):
            read_votes(written(**told))
        with pytest.raises(InputError, match=r"tells of .* take the right one"):
            read_votes(written(**told), num_examples=2, num_classes=2)


def test_a_parquet_table_larger_than_memory_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "votes.parquet"
    write_votes(path, murk.Votes.from_labels(np.zeros(10_000, int), num_classes=2), facts=FACTS)
    assert len(read_votes(path).votes) == 10_000
    monkeypatch.setattr("murk.data.tables.parquet_file.LARGEST_UNPACKED", 100_000)
    with pytest.raises(DataError, match="120,000 bytes in memory"):
        read_votes(path)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The bytes of each file of two tables that murk wrote."""
    folder = tmp_path_factory.mktemp("whole")
    votes = murk.Votes.from_matrix([[0, 1], [1, -1], [-2, 0]], num_classes=2)
    for ending in ("csv", "parquet"):
        write_votes(folder / f"votes.{ending}", votes, facts=FACTS)
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def tried(folder, name):
    """Read it both ways; murk may refuse, and leaves everything as it is."""
    before = {path: path.read_bytes() for path in folder.iterdir()}
    path = folder / name.removesuffix(".json")
    facts = facts_of_votes(path)
    try:
        table = read_votes(path)
    except MurkError:
        pass
    else:
        assert table.facts == facts and len(table.votes) == facts["num_examples"]
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


@pytest.mark.parametrize("name", ["votes.csv", "votes.csv.json", "votes.parquet"])
@settings(deadline=None, max_examples=80)
@given(data=st.data())
def test_files_that_are_changed_somewhere_give_murks_own_errors_alone(whole, tmp_path_factory, name, data):
    folder = tmp_path_factory.mktemp("changed")
    content = bytearray(whole[name])
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(content)))
        stop = data.draw(st.integers(start, min(len(content), start + 8)))
        content[start:stop] = data.draw(st.one_of(st.binary(max_size=8), st.just(b"\xff" * (stop - start))))
    for other, as_written in whole.items():
        (folder / other).write_bytes(bytes(content) if other == name else as_written)
    tried(folder, name)


@pytest.mark.parametrize("name", ["votes.csv", "votes.csv.json", "votes.parquet"])
@settings(deadline=None, max_examples=40)
@given(content=st.binary(max_size=200))
def test_any_bytes_give_murks_own_errors_alone(whole, tmp_path_factory, name, content):
    folder = tmp_path_factory.mktemp("any")
    for other, as_written in whole.items():
        (folder / other).write_bytes(content if other == name else as_written)
    tried(folder, name)


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-2, 5), st.integers(), st.text(max_size=3)),
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(st.text(max_size=3), inner, max_size=2)),
    max_leaves=4,
)


@settings(deadline=None, max_examples=100)
@given(told=st.dictionaries(st.sampled_from([*FACTS, "num_examples", "num_classes", "rows"]), JSON))
def test_whatever_the_facts_say_nothing_but_murks_own_errors_comes(whole, tmp_path_factory, told):
    folder = tmp_path_factory.mktemp("told")
    facts = json.loads(whole["votes.csv.json"])
    (folder / "votes.csv").write_bytes(whole["votes.csv"])
    (folder / "votes.csv.json").write_text(json.dumps({**facts, **told}))
    tried(folder, "votes.csv")
