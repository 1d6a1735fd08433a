"""Files that are small on the disk and large in memory are refused before they fill it."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

from murk.data import array_file, arrays, read
from murk.data.tables import facts_beside, open_table, parquet_file, table_file
from murk.errors import DataError, InputError


def written(path, columns, **how):
    parquet.write_table(pa.table(columns), path, **how)
    return path


@pytest.fixture
def a_megabyte(monkeypatch):
    """A limit of 1 MB in place of 4 GiB."""
    for module in (array_file, arrays, parquet_file, table_file):
        monkeypatch.setattr(module, "LARGEST_UNPACKED", 1_000_000)


def test_arrays_of_an_archive_are_held_to_one_limit_together(a_megabyte, tmp_path):
    np.savez_compressed(tmp_path / "few.npz", X=np.zeros((100, 1000)), labels=np.zeros(100, np.int64))
    np.savez_compressed(tmp_path / "many.npz", X=np.zeros((100, 1000)), X_test=np.zeros((100, 1000)))
    assert len(read(tmp_path / "few.npz").dataset.train) == 100
    assert (tmp_path / "many.npz").stat().st_size < 10_000
    with pytest.raises(DataError, match="say they unpack to 1,600,"):
        read(tmp_path / "many.npz")


def test_small_whole_numbers_are_not_widened_beyond_the_limit(a_megabyte, tmp_path):
    np.savez_compressed(tmp_path / "small.npz", X=np.zeros((100, 2000), np.int8))
    np.savez_compressed(tmp_path / "wide.npz", X=np.zeros((100, 4000), np.int8))
    assert read(tmp_path / "small.npz").dataset.train.images.dtype == np.float32
    with pytest.raises(InputError, match=r"convert features with \.astype"):
        read(tmp_path / "wide.npz")


def test_arrays_of_more_votes_than_fit_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(arrays, "_MOST_VOTES", 10)
    np.savez(tmp_path / "votes.npz", X=np.ones((4, 2)), votes=np.zeros((4, 3), np.int8))
    with pytest.raises(InputError, match="at most 10 cells of votes"):
        read(tmp_path / "votes.npz")


@pytest.mark.parametrize("cells", [[7] * 150_000, [[1.5] * 1000] * 150], ids=["numbers", "lists"])
def test_runs_of_one_value_count_as_what_they_are_in_memory(cells, a_megabyte, tmp_path):
    path = written(tmp_path / "run.parquet", {"x": pa.array(cells)})
    assert path.stat().st_size < 20_000
    with pytest.raises(DataError, match="1,200,000 bytes in memory"):
        open_table(path)


@pytest.mark.parametrize("nested", [False, True])
def test_names_of_few_lines_of_json_are_not_columns_of_too_many(nested, a_megabyte, tmp_path):
    inner = {f"a:{k}": k for k in range(10)}
    names = json.dumps({f"b{k}": inner for k in range(9)} if nested else {f'{k}"': k for k in range(99)})
    (tmp_path / "few.jsonl").write_text(names + "\n{}" * 1000)
    assert len(open_table(tmp_path / "few.jsonl").names) == (9 if nested else 99)
    (tmp_path / "many.jsonl").write_text(names + "\n{}" * 2000)
    with pytest.raises(DataError, match="2,000 lines with 99 columns fill more than"):
        open_table(tmp_path / "many.jsonl")


@pytest.mark.parametrize("nested", [False, True])
def test_a_blob_that_is_repeated_is_held_once(nested, tmp_path):
    blob = pa.DictionaryArray.from_arrays(np.zeros(100_000, np.int32), pa.array([b"x" * 100_000]))
    column = pa.StructArray.from_arrays([blob], ["bytes"]) if nested else blob
    path = written(tmp_path / "blob.parquet", {"image": column}, dictionary_pagesize_limit=1 << 20)
    table = open_table(path)
    assert len(table) == 100_000 and table.arrow.nbytes < 2_000_000  # written out, it is 10 GB
    cell = table.arrow.column("image")[99_999].as_py()
    assert (cell["bytes"] if nested else cell) == b"x" * 100_000


def test_what_a_file_says_of_itself_is_not_trusted_once_it_is_read(a_megabyte, tmp_path, monkeypatch):
    path = written(tmp_path / "lie.parquet", {"x": np.zeros(200_000)}, row_group_size=50_000)
    monkeypatch.setattr(parquet_file, "_decoded_size", lambda *_: 0)
    with pytest.raises(DataError, match="fills more than 1,000,000 bytes"):
        open_table(path)


def test_json_beside_a_table_of_votes_has_a_limit(tmp_path, monkeypatch):
    (tmp_path / "votes.csv").write_text("example,label\n0,1\n")
    (tmp_path / "votes.csv.json").write_text(json.dumps({"num_classes": 2, "num_examples": 1, "note": "x" * 1000}))
    table = open_table(tmp_path / "votes.csv")
    assert facts_beside(tmp_path / "votes.csv", table)["num_classes"] == 2
    monkeypatch.setattr(table_file, "_NOTE", 1000)
    with pytest.raises(DataError, match="longer than 1,000 bytes"):
        facts_beside(tmp_path / "votes.csv", table)


@pytest.mark.parametrize("name", ["num_classes", "num_examples"])
def test_sizes_that_a_table_of_votes_tells_are_looked_at_before_anything_is_made_of_them(name, tmp_path):
    sizes = {"num_classes": 2, "num_examples": 2, name: 10**12}
    (tmp_path / "data.csv").write_text("x,y\n1,2\n2,1\n")
    (tmp_path / "votes.csv").write_text("example,label\n0,1\n")
    (tmp_path / "votes.csv.json").write_text(json.dumps(sizes))
    with pytest.raises(DataError, match="got 1000000000000; write the votes again"):
        read(tmp_path / "data.csv", votes=tmp_path / "votes.csv")
