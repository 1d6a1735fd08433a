"""Tables of votes beside data: whose votes they are, and about which example."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from image_folders import lay_out

import murk
from murk.data import Columns, content, content_sha256, read
from murk.data.content import computed_sha256
from murk.errors import DataError, InputError
from murk.lab.vote_table import write_votes
from murk.noise import NONE_OF_THESE, Annotators, Votes


@pytest.fixture
def written(tmp_path):
    """Write a text: written(name, text) -> its path."""

    def write(name, text):
        (tmp_path / name).write_text(text)
        return tmp_path / name

    return write


@pytest.fixture
def photos(tmp_path, cache):
    """The folder train/{a,b}/{a,b}_{0..2}.png and one of each to test with."""
    return lay_out(tmp_path / "photos", train=3, val=1, classes=("a", "b"))


def told(reading):
    return " | ".join(reading.oddities)


@pytest.mark.parametrize("names", [
    ("a/a_2.png", "b/b_1.png"), ("train/a/a_2.png", "train/b/b_1.png"), ("a_2.png", "b_1.png"), ("a_2", "b_1"),
    ("a/a_2", "train/b/b_1"),
])  # fmt: skip
def test_images_are_told_by_their_path_or_what_of_it_is_clear(names, written, photos):
    rows = "".join(f"{name},{worker},{answer}\n" for name, worker, answer in zip(names, "pq", "ba", strict=True))
    reading = read(photos, votes=written("votes.csv", f"image,worker,answer\n{rows}"), side=8)
    assert reading.votes.example.tolist() == [2, 4] and reading.votes.label.tolist() == [1, 0]
    assert reading.votes.annotators == ("p", "q") and reading.test_votes is None
    assert reading.dataset.train.labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert reading.roles["votes.csv:worker"] == "who voted" and "4 examples to train on without a vote" in told(reading)
    assert content_sha256(reading.dataset) == content_sha256(read(photos, side=8).dataset)


def test_votes_on_both_parts_are_told_apart_and_share_their_annotators(written, photos):
    rows = "val/a/a_0.png,p,b\ntrain/b/b_0.png,q,b\nval/b/b_0.png,q,a\n"
    reading = read(photos, votes=written("votes.csv", f"image,worker,answer\n{rows}"), side=8)
    assert reading.votes.example.tolist() == [3] and reading.votes.annotator.tolist() == [1]
    assert reading.test_votes.example.tolist() == [0, 1] and reading.test_votes.annotator.tolist() == [0, 1]
    assert reading.test_votes.label.tolist() == [1, 0] and reading.votes.annotators == ("p", "q")


def test_a_name_that_could_be_several_images_is_refused(written, photos):
    with pytest.raises(InputError, match="got a/a_0, which could be several"):
        read(photos, votes=written("votes.csv", "image,answer\na/a_0,b\n"), side=8)


def test_classes_that_only_votes_name_come_after_those_of_the_folder(written, photos):
    votes = written("votes.csv", "image,answer\na_1,0\na_2,a\nb_1,b\n")
    reading = read(photos, votes=votes, side=8)
    assert reading.dataset.class_names == ("a", "b", "0") and reading.votes.label.tolist() == [2, 0, 1]
    with pytest.raises(InputError, match="among the 2 classes b, a, got '0'"):
        read(photos, votes=votes, side=8, class_names=("b", "a"))
    reading = read(photos, votes=written("votes.csv", "image,answer\na_1,0\na_2,1\n"), side=8)
    assert reading.dataset.class_names == ("a", "b") and reading.votes.label.tolist() == [0, 1]


def test_few_votes_on_unknown_examples_are_told_and_many_refused(written):
    data = written("data.csv", "id,a\nx,1\ny,2\n")
    reading = read(data, votes=written("votes.csv", "id,vote_1\nx,0\nz,1\ny,1\n"))
    assert reading.votes.example.tolist() == [0, 1]
    assert "1 vote of votes.csv on examples that are not there, left out: z" in told(reading)
    says = r"called x, y, \.\.\., got 2 votes of 3 on others: X, Y; call them the same"
    with pytest.raises(InputError, match=says):
        read(data, votes=written("votes.csv", "id,vote_1\nX,0\nx,0\nY,1\n"))


def test_examples_without_ids_are_told_by_their_row(written):
    data = written("data.csv", "a,label\n1,cat\n3,dog\n2,cat\n")
    votes = written("votes.csv", "example,label\n2,dog\n0,cat\n2,cat\n")
    assert read(data, votes=votes).votes.example.tolist() == [2, 0, 2]
    with pytest.raises(InputError, match="1 vote of 3 on others: 3"):
        read(data, votes=written("votes.csv", "example,label\n1,dog\n2,cat\n3,cat\n"))


def test_a_wide_table_of_votes_has_a_row_an_example(written):
    data = written("data.csv", "id,a\nx,1\ny,2\n")
    reading = read(data, votes=written("votes.csv", "id,lf_2,lf_10,label\ny,0,1,0\nx,,0,0\n"))
    assert reading.votes.annotators == ("lf_2", "lf_10")
    assert reading.votes.example.tolist() == [1, 1, 0] and reading.votes.label.tolist() == [0, 1, 0]
    assert "'label'" in told(reading)
    with pytest.raises(InputError, match=r"once in the wide table votes\.csv, got 'x' in 2 rows"):
        read(data, votes=written("votes.csv", "id,lf_2,lf_10\nx,0,1\nx,,0\n"))


def test_columns_are_looked_for_in_both_tables(written):
    data = written("data.csv", "key,p,q,truth\nx,1,5,cat\ny,2,6,dog\n")
    votes = written("votes.csv", "ref,who,said\nx,ann,dog\ny,bob,dog\n")
    columns = Columns(id="key", features=("q",), label="truth", example="ref", annotator="who", votes="said")
    reading = read(data, votes=votes, columns=columns)
    assert reading.dataset.train.images.tolist() == [[5], [6]] and reading.votes.annotators == ("ann", "bob")
    with pytest.raises(InputError, match=r"columns of data\.csv and votes\.csv.*got 'saids'; did you mean 'said'"):
        read(data, votes=votes, columns=Columns(votes="saids"))


def test_an_answer_that_fits_no_class_is_one_only_where_it_is_named(written):
    data = written("data.csv", "id,a\nx,1\ny,2\n")
    votes = written("votes.csv", "id,annotator,answer\nx,p,none\ny,p,cat\n")
    assert read(data, votes=votes).dataset.class_names == ("cat", "none")
    reading = read(data, votes=votes, none_of_these="none")
    assert reading.dataset.class_names == ("cat",) and reading.votes.label.tolist() == [NONE_OF_THESE, 0]
    with pytest.raises(InputError, match=r"labels of data\.csv that are classes, got 'none'"):
        read(written("data.csv", "id,a,label\nx,1,none\ny,2,cat\n"), votes=votes, none_of_these="none")


def test_repeated_votes_of_an_annotator_count_and_are_told(written):
    data = written("data.csv", "id,a\nx,1\ny,2\n")
    reading = read(data, votes=written("votes.csv", "id,worker,label\nx,p,0\nx,q,0\nx,p,1\n"))
    assert len(reading.votes) == 3 and "1 vote of votes.csv by an annotator who voted" in told(reading)


def test_votes_in_the_data_and_beside_it_are_refused(written):
    data = written("data.csv", "id,a,vote_1\nx,1,0\ny,2,1\n")
    with pytest.raises(InputError, match="got some in both"):
        read(data, votes=written("votes.csv", "id,vote_1\nx,0\n"))


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_tables_of_votes_that_murk_writes_are_read_by_row_and_number(ending, tmp_path):
    labels = np.array([2, 0, 1, 2, 1])
    np.savez(tmp_path / "data.npz", X=np.eye(5), y=labels, ids=np.arange(5) + 7, class_names=np.array(["2", "0", "z"]))
    drawn = Annotators(np.full((4, 3, 3), 1 / 3), votes_per_example=2).draw(labels, seed=0)
    path = tmp_path / f"votes.{ending}"
    facts = {"data": {}, "drawn_by": {}, "source": "copies", "seed": 0}
    write_votes(path, drawn, facts=facts)
    given = read(tmp_path / "data.npz", votes=path).votes
    again = Votes.from_long(given.example, given.label, given.annotator, num_examples=5, num_classes=3)
    for ours, theirs in zip(again.batches(), drawn.batches(), strict=True):
        assert np.array_equal(ours.labels, theirs.labels) and np.array_equal(ours.offsets, theirs.offsets)
        assert np.array_equal(ours.annotators, theirs.annotators)
    with pytest.raises(InputError, match=r"votes over the 3 classes of the data, got .* which tells of 4"):
        write_votes(path, Votes.from_labels([0, 1, 3, 0, 0], num_classes=4), facts=facts)
        read(tmp_path / "data.npz", votes=path)
    with pytest.raises(InputError, match=r"on the 5 examples to train on in data\.npz, got .* which tells of 2"):
        write_votes(path, Votes.from_labels([0, 1], num_classes=3), facts=facts)
        read(tmp_path / "data.npz", votes=path)
    if ending == "csv":
        path.with_name("votes.csv.json").write_text("{")
        with pytest.raises(DataError, match="cannot be read"):
            read(tmp_path / "data.npz", votes=path)


def test_what_was_read_trains(written, photos):
    votes = written("votes.csv", "image,worker,label\n" + "".join(f"{c}_{i},w,{c}\n" for c in "ab" for i in (1, 2)))
    reading = read(photos, votes=votes, side=8)
    given = reading.votes
    stored = Votes.from_long(given.example, given.label, given.annotator, num_examples=6, num_classes=2)
    fit = murk.fit("perceptron", reading.dataset.train, stored, loss="pairs", epochs=1, device="cpu", seed=0)
    assert fit.class_names == ("a", "b") and fit.predict_probs(reading.dataset.test).shape == (2, 2)


def test_the_digest_of_a_folder_of_images_is_known_though_votes_lie_beside_it(written, photos, monkeypatch):
    reading = read(photos, votes=written("votes.csv", "image,answer\na_1,c\na_2,b\n"), side=8)
    known = content_sha256(reading.dataset)
    assert known == computed_sha256(reading.dataset)
    monkeypatch.setattr(content, "computed_sha256", None)
    assert content_sha256(reading.dataset) == known


@settings(max_examples=30, deadline=None)
@given(st.data(), st.integers(1, 8), st.integers(1, 4), st.sampled_from(["csv", "parquet"]))
def test_long_votes_come_back_in_any_order(tmp_path_factory, data, count, voters, ending):
    folder = tmp_path_factory.mktemp("votes")
    table = np.array(data.draw(st.lists(st.lists(st.integers(-1, 2), min_size=voters, max_size=voters),
                                        min_size=count, max_size=count)))  # fmt: skip
    table[0, 0] = 2
    rows = data.draw(st.permutations(list(zip(*np.nonzero(table >= 0), strict=True))))
    np.save(folder / "data.npy", np.ones((count, 2)))
    columns = {"example": [int(row) for row, _ in rows], "worker": [f"w{m}" for _, m in rows],
               "label": [["x", "y", "z"][table[row, m]] for row, m in rows]}  # fmt: skip
    if ending == "csv":
        lines = [",".join(columns), *(",".join(map(str, row)) for row in zip(*columns.values(), strict=True))]
        (folder / "votes.csv").write_text("\n".join(lines))
    else:
        parquet.write_table(pa.table(columns), folder / "votes.parquet")
    reading = read(folder / "data.npy", votes=folder / f"votes.{ending}", class_names=("x", "y", "z"))
    found, votes = np.full((count, voters), -1), reading.votes
    found[votes.example, np.array([int(name[1:]) for name in votes.annotators])[votes.annotator]] = votes.label
    assert np.array_equal(found, table)
