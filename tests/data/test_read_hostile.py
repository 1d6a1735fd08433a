"""Whatever bytes lie there: nothing but murk's own errors, and nothing written."""

from __future__ import annotations

import io
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from murk.data import Columns, read
from murk.data.arrays import found_in_arrays
from murk.data.gathered import gathered
from murk.errors import MurkError

QUICK = settings(max_examples=50, deadline=None)


def _parquet():
    buffer = io.BytesIO()
    columns = {"id": ["a", "b", "c"], "x": [1.0, 2, 3], "label": ["u", "v", None], "vote_1": ["u", None, "v"]}
    parquet.write_table(pa.table(columns), buffer)
    return buffer.getvalue()


def _npz(save):
    buffer = io.BytesIO()
    save(
        buffer,
        X=np.eye(3),
        y=np.array([0, 1, 1]),
        votes=np.array([[0, -1], [1, 1], [-2, 0]]),
        ids=np.array(list("abc")),
    )
    return buffer.getvalue()


def _npy():
    buffer = io.BytesIO()
    np.save(buffer, np.eye(3))
    return buffer.getvalue()


WHOLE = {
    "csv": b'id,x,label,vote_1\na,1,u,u\nb,2,"v",\nc,3,,v\n',
    "tsv": b"id\tx\tlabel\na\t1\tu\nb\t2\tv\n",
    "jsonl": b'{"id": "a", "x": 1, "label": "u", "votes": ["u"]}\n{"id": "b", "x": 2.5, "label": null}\n',
    "parquet": _parquet(),
    "npz": _npz(np.savez_compressed),
    "npy": _npy(),
}


def tried(folder, content, ending, **settings):
    """Read it; murk may refuse, and must leave nothing behind."""
    path = folder / f"data.{ending}"
    path.write_bytes(content)
    try:
        reading = read(path, **settings)
    except MurkError:
        pass
    else:
        assert len(reading.dataset.train) and set(np.unique(reading.dataset.train.labels)) <= {
            *range(-1, reading.dataset.num_classes)
        }
    assert [file.name for file in folder.iterdir()] == [path.name]
    path.unlink()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("hostile")


@pytest.mark.parametrize("ending", WHOLE)
def test_the_whole_files_are_read(ending, folder):
    (folder / f"data.{ending}").write_bytes(WHOLE[ending])
    assert len(read(folder / f"data.{ending}").dataset.train) >= 2
    (folder / f"data.{ending}").unlink()


@pytest.mark.parametrize("ending", WHOLE)
@QUICK
@given(content=st.binary(max_size=200))
@example(content=b"")
def test_any_bytes(ending, content, folder):
    tried(folder, content, ending)


@pytest.mark.parametrize("ending", WHOLE)
@settings(max_examples=80, deadline=None)
@given(data=st.data())
def test_whole_files_that_are_changed_somewhere(ending, data, folder):
    content = bytearray(WHOLE[ending])
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(content)))
        stop = data.draw(st.integers(start, min(len(content), start + 8)))
        content[start:stop] = data.draw(st.one_of(st.binary(max_size=8), st.just(b"\xff" * (stop - start))))
    tried(folder, bytes(content), ending)


CELLS = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(), st.text(max_size=6),
    st.lists(st.one_of(st.integers(-3, 3), st.text(max_size=2), st.none()), max_size=3),
    st.dictionaries(st.sampled_from(["bytes", "path", "x"]), st.text(max_size=3), max_size=2),
)  # fmt: skip
NAMES = st.one_of(
    st.sampled_from("id path image label vote vote_1 votes annotator example weight group split x y embedding".split()),
    st.text(max_size=5),
)


@QUICK
@given(rows=st.lists(st.dictionaries(NAMES, CELLS, max_size=6), min_size=1, max_size=6))
def test_any_objects_of_json(rows, folder):
    tried(folder, "\n".join(map(json.dumps, rows)).encode(), "jsonl", cache=folder.parent / "pixels", side=4)


TEXTS = st.lists(st.text(max_size=4), min_size=1, max_size=20)
CLASSES = st.one_of(st.none(), st.lists(st.text(max_size=3), max_size=3))


@QUICK
@given(st.lists(NAMES, min_size=1, max_size=5, unique=True), TEXTS, CLASSES, st.one_of(st.none(), st.text(max_size=2)))
def test_any_cells_of_csv(folder, names, cells, classes, none):
    width = len(names)
    rows = [names, *([*cells[start : start + width], *[""] * width][:width] for start in range(0, len(cells), width))]
    quoted = "\n".join(",".join('"' + cell.replace('"', '""') + '"' for cell in row) for row in rows)
    tried(folder, quoted.encode(errors="replace"), "csv", class_names=classes, none_of_these=none, side=4,
          cache=folder.parent / "pixels")  # fmt: skip


@QUICK
@given(
    values=st.dictionaries(NAMES, st.one_of(
        st.lists(st.integers(-3, 3), min_size=4, max_size=4), st.lists(st.floats(width=32), min_size=4, max_size=4),
        st.lists(st.text(max_size=2), min_size=4, max_size=4),
        st.lists(st.lists(st.floats(width=32), max_size=2), min_size=4, max_size=4),
        st.just([None] * 4), st.just([b"x"] * 4), st.just([{"bytes": b"x", "path": None}] * 4),
    ), min_size=1, max_size=5), as_category=st.booleans(),
)  # fmt: skip
def test_any_columns_of_parquet(values, as_category, folder):
    columns = {name: pa.array(cells) for name, cells in values.items()}
    if as_category:
        columns = {name: cells.dictionary_encode() if pa.types.is_string(cells.type) else cells
                   for name, cells in columns.items()}  # fmt: skip
    buffer = io.BytesIO()
    parquet.write_table(pa.table(columns), buffer)
    tried(folder, buffer.getvalue(), "parquet", cache=folder.parent / "pixels", side=4)


@QUICK
@given(votes=st.lists(st.lists(st.text("ab01-,\n", max_size=3), min_size=3, max_size=3), max_size=8), data=st.data())
def test_any_votes_beside_data(votes, data, folder):
    names = data.draw(st.permutations(["example", "worker", "label"]))
    lines = [",".join(names), *(",".join(row) for row in votes)]
    beside = folder.parent / "votes.csv"
    beside.write_text("\n".join(lines))
    tried(folder, WHOLE["csv"].replace(b",vote_1", b",note"), "csv", votes=beside)


@pytest.mark.parametrize("given_value", [None, 3, "", "a\0b", "no/such", ["x"], b"data.csv"])
def test_what_is_no_path_is_refused(given_value):
    with pytest.raises(MurkError, match="expected"):
        read(given_value)


def test_settings_that_are_none_are_refused(folder):
    path = folder / "data.csv"
    path.write_bytes(WHOLE["csv"])
    for wrong in ({"class_names": "ab"}, {"class_names": []}, {"class_names": ["u", "u"]}, {"none_of_these": " "},
                  {"votes": ""}, {"columns": Columns(path="x", features="id")}):  # fmt: skip
        with pytest.raises(MurkError, match="expected"):
            read(path, **wrong)
    path.unlink()


DIGITS = "1" * 5000


@pytest.mark.parametrize("text", [
    f"x,label\n1,a{DIGITS}\n2,b\n", f"x,worker,vote\n1,a{DIGITS},u\n2,b,v\n", f"x,worker,vote\n1,{DIGITS},u\n2,3,v\n",
], ids=["label", "annotator", "numbers"])  # fmt: skip
def test_digits_without_end_are_text_as_any_other(text, folder):
    tried(folder, text.encode(), "csv")


@pytest.mark.parametrize("name", [DIGITS, "12345678", "007", "ann", "-1", "\u0663"])
def test_an_annotator_that_is_no_number_in_votes_of_murk_is_refused(name, folder):
    (folder / "data.csv").write_bytes(b"x,y\n1,2\n2,1\n")
    (folder / "votes.csv").write_text(f"example,annotator,label\n0,{name},1\n1,0,1\n", encoding="utf-8")
    (folder / "votes.csv.json").write_text('{"num_classes": 2, "num_examples": 2}')
    with pytest.raises(MurkError, match="annotators"):
        read(folder / "data.csv", votes=folder / "votes.csv")
    for file in folder.iterdir():
        file.unlink()


@pytest.mark.parametrize("number", ["--1", "-", "+1", "2", DIGITS])
def test_numbers_of_told_classes_are_refused_where_they_are_none(number, folder):
    told = {"info": {"features": {"label": {"_type": "ClassLabel", "names": ["u", "v"]}}}}
    columns = pa.table({"x": [1.0, 2.0, 3.0], "label": ["0", "-1", number]})
    parquet.write_table(columns.replace_schema_metadata({"huggingface": json.dumps(told)}), folder / "data.parquet")
    with pytest.raises(MurkError, match="to number its 2 classes"):
        read(folder / "data.parquet")
    (folder / "data.parquet").unlink()


def test_class_names_may_be_an_array(folder):
    np.savez(folder / "data.npz", X=np.eye(2), y=np.array(["u", "v"]))
    found = found_in_arrays(folder / "data.npz")
    assert gathered(found, class_names=np.array(["v", "u"])).dataset.class_names == ("v", "u")
    for wrong in (np.array([]), np.array("u"), np.array([["u", "v"]]), np.array([1, 2])):
        with pytest.raises(MurkError, match="expected class_names"):
            gathered(found, class_names=wrong)
    (folder / "data.npz").unlink()
