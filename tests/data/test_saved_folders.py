"""Saved data sets and those of a hub, laid out here without the library that writes them."""

from __future__ import annotations

import json
import os
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from murk.data import read
from murk.data.huggingface import is_saved, table_of_saved
from murk.errors import DataError, InputError, MurkError

FEATURES = {"label": {"_type": "ClassLabel", "names": ["dog", "cat"]}}
DATA = "data-00000-of-00001.arrow"
ROWS = pa.table({"x": [0.5, 1.5, 2.5], "label": [1, 0, -1], "note": ["ann", None, "bob"]})


def lay_out(root, **splits):
    """Write the folder that `save_to_disk` writes for a data set with these splits."""
    root.mkdir()
    (root / "dataset_dict.json").write_text(json.dumps({"splits": list(splits)}))
    for name, table in splits.items():
        folder = root / name
        folder.mkdir()
        (folder / "state.json").write_text(json.dumps({"_data_files": [{"filename": DATA}]}))
        (folder / "dataset_info.json").write_text(json.dumps({"features": FEATURES}))
        with pa.OSFile(str(folder / DATA), "wb") as file, pa.ipc.new_stream(file, table.schema) as stream:
            stream.write_table(table)
    return root


@pytest.fixture
def saved(tmp_path):
    """A saved data set with a part to train on and one to test with."""
    return lay_out(tmp_path / "pets", train=ROWS, validation=ROWS.slice(1))


CELLS = {
    "x": st.floats(allow_nan=False), "label": st.integers(-1, 1), "note": st.one_of(st.none(), st.text(max_size=3)),
    "list": st.lists(st.integers(-9, 9), max_size=3), "image": st.fixed_dictionaries({"bytes": st.binary(max_size=4)}),
}  # fmt: skip
TYPES = pa.schema({
    "x": pa.float64(), "label": pa.int64(), "note": pa.string(), "list": pa.list_(pa.int64()),
    "image": pa.struct({"bytes": pa.binary()}),
})  # fmt: skip
TABLES = st.lists(st.fixed_dictionaries(CELLS), min_size=1, max_size=5).map(
    lambda rows: pa.Table.from_pylist(rows, schema=TYPES)
)


@settings(max_examples=40, deadline=None)
@given(train=TABLES, test=st.one_of(st.none(), TABLES))
def test_what_is_saved_is_what_is_read(tmp_path_factory, train, test):
    splits = {"train": train} | ({} if test is None else {"test": test})
    table, lengths = table_of_saved(lay_out(tmp_path_factory.mktemp("saved") / "pets", **splits))
    assert lengths == [(name, part.num_rows) for name, part in splits.items()]
    assert table.arrow.to_pylist() == pa.concat_tables(splits.values()).to_pylist()
    assert table.told_classes("label") == ("dog", "cat")


FILES = ("dataset_dict.json", "train/state.json", "train/dataset_info.json", f"train/{DATA}", f"validation/{DATA}")


@settings(max_examples=150, deadline=None)
@given(data=st.data(), file=st.sampled_from(FILES))
def test_folders_that_are_changed_somewhere_give_murks_own_errors_and_stay_as_they_are(tmp_path_factory, data, file):
    root = lay_out(tmp_path_factory.mktemp("saved") / "pets", train=ROWS, validation=ROWS.slice(1))
    content = bytearray((root / file).read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(content)))
        stop = data.draw(st.integers(start, min(len(content), start + 8)))
        content[start:stop] = data.draw(st.one_of(st.binary(max_size=8), st.just(b"\xff" * (stop - start))))
    (root / file).write_bytes(content)
    before = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    try:
        reading = read(root, side=4)
    except MurkError:
        pass
    else:
        assert len(reading.dataset.train)
    assert {path: path.read_bytes() for path in root.rglob("*") if path.is_file()} == before
    shutil.rmtree(root)


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=3), st.just(DATA), st.just("../x")),
    lambda inner: st.one_of(
        st.lists(inner, max_size=2),
        st.dictionaries(
            st.sampled_from(["splits", "_data_files", "filename", "features", "label", "_type", "names"]), inner
        ),
    ),
    max_leaves=6,
)


@settings(max_examples=60, deadline=None)
@given(said=JSON, file=st.sampled_from(FILES[:3]))
def test_whatever_the_notes_say_nothing_but_murks_own_errors_comes(tmp_path_factory, said, file):
    root = lay_out(tmp_path_factory.mktemp("saved") / "pets", train=ROWS, validation=ROWS)
    (root / file).write_text(json.dumps(said))
    try:
        read(root, side=4)
    except MurkError:
        pass
    shutil.rmtree(root)


@pytest.mark.parametrize(
    "linked", ["train", "dataset_dict.json", "train/state.json", "train/dataset_info.json", f"train/{DATA}"]
)
def test_nothing_of_a_saved_folder_may_be_a_link(linked, saved, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    (saved / linked).rename(elsewhere)
    os.symlink(elsewhere, saved / linked)
    with pytest.raises(DataError, match=r"got a link to .*elsewhere"):
        read(saved)


def test_the_folder_itself_may_be_named_by_a_link(saved, tmp_path):
    os.symlink(saved, tmp_path / "link")
    assert read(tmp_path / "link").dataset.train.labels.tolist() == [1, 0, -1]


@pytest.mark.parametrize("packed", ["zstd", "lz4"])
def test_compressed_files_are_refused_before_they_are_unpacked(packed, tmp_path):
    for name, zeros in {
        "numbers": pa.table({"x": np.zeros(100_000)}),
        "texts": pa.table({"x": pa.array(["a" * 1000] * 1000).dictionary_encode()}),
    }.items():
        root = lay_out(tmp_path / f"{name}-{packed}", train=zeros)
        table_of_saved(root)
        with pa.OSFile(str(root / "train" / DATA), "wb") as file:
            how = pa.ipc.IpcWriteOptions(compression=packed)
            with pa.ipc.new_stream(file, zeros.schema, options=how) as stream:
                stream.write_table(zeros)
        with pytest.raises(DataError, match="is compressed"):
            table_of_saved(root)


def shards(root, **splits):
    """Write the Parquet files of a data set of the hub, a list of tables a split."""
    root.mkdir(parents=True, exist_ok=True)
    for split, tables in splits.items():
        for number, table in enumerate(tables):
            told = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": FEATURES}})})
            parquet.write_table(told, root / f"{split}-{number:05}-of-{len(tables):05}.parquet")
    return root


@pytest.mark.parametrize("below", ["", "data", "plain_text"])
def test_the_parquet_files_of_a_hub_are_read_by_the_names_of_their_splits(below, tmp_path):
    root = tmp_path / "pets"
    root.mkdir()
    (root / "README.md").write_text("# Pets")
    (root / ".gitattributes").write_text("*.parquet")
    shards(root / below, train=[ROWS.slice(0, 1), ROWS.slice(1)], test=[ROWS.slice(0, 2)])
    reading = read(root)
    train, test = reading.dataset.train, reading.dataset.test
    assert (reading.kind, reading.dataset.name, train.class_names) == ("dataset", "pets", ("dog", "cat"))
    assert train.images.tolist() == [[0.5], [1.5], [2.5]] and train.labels.tolist() == [1, 0, -1]
    assert test.images.tolist() == [[0.5], [1.5]] and test.labels.tolist() == [1, 0]


def test_a_hub_folder_that_is_not_whole_or_not_clear_says_what_to_do(tmp_path):
    shards(tmp_path / "two" / "en", train=[ROWS])
    shards(tmp_path / "two" / "fr", train=[ROWS])
    with pytest.raises(DataError, match="got several: en, fr; name the folder of one"):
        read(tmp_path / "two")
    part = shards(tmp_path / "part", train=[ROWS, ROWS])
    (part / "train-00000-of-00002.parquet").unlink()
    with pytest.raises(DataError, match=r"expected 2 files of train .* download what is missing"):
        read(part)
    (shards(tmp_path / "more", train=[ROWS]) / "other.parquet").write_bytes(b"PAR1")
    with pytest.raises(DataError, match=r"got other\.parquet, too"):
        read(tmp_path / "more")
    (shards(tmp_path / "torn", train=[ROWS]) / "train-00000-of-00001.parquet").write_bytes(b"PAR1")
    with pytest.raises(DataError, match="download it again"):
        read(tmp_path / "torn")
    with pytest.raises(InputError, match="got unsupervised"):
        read(shards(tmp_path / "odd", train=[ROWS], unsupervised=[ROWS]))


def test_a_shard_that_is_a_link_is_refused(tmp_path):
    root = shards(tmp_path / "snapshot", train=[ROWS])
    (root / "train-00000-of-00001.parquet").rename(tmp_path / "blob")
    os.symlink(tmp_path / "blob", root / "train-00000-of-00001.parquet")
    with pytest.raises(DataError, match="copy it with its links followed"):
        read(root)


def test_shards_are_held_to_one_limit_together(tmp_path, monkeypatch):
    numbers = pa.table({"x": np.arange(1000.0), "label": [0, 1] * 500})
    root = shards(tmp_path / "big", train=[numbers], test=[numbers])
    monkeypatch.setattr("murk.data.tables.parquet_file.LARGEST_UNPACKED", 40_000)
    assert len(read(root).dataset.train) == 1000
    monkeypatch.setattr("murk.data.tables.parquet_file.LARGEST_UNPACKED", 30_000)
    with pytest.raises(DataError, match="above"):
        read(root)


def test_a_folder_of_images_is_none_of_these(tmp_path):
    (tmp_path / "photos" / "cat").mkdir(parents=True)
    (tmp_path / "photos" / "cat" / "train-00000-of-00001.png").touch()
    assert not is_saved(tmp_path / "photos")
