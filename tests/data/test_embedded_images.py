"""Images within a table: the rule of files, their cache, and what is damaged told by its row."""

from __future__ import annotations

import io

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
from image_folders import drawn, files_in, kept
from PIL import Image

import murk.data.tables.embedded as embedded
from murk.data import read
from murk.errors import DataError

SIDE = 6


def packed(seed):
    """The bytes of a PNG."""
    file = io.BytesIO()
    Image.fromarray(drawn(seed, SIDE, SIDE)).save(file, format="PNG")
    return {"bytes": file.getvalue(), "path": None}


@pytest.fixture
def written(tmp_path, cache):
    """Write a table of images: written(cells, **columns) -> its path."""

    def write(cells, name="t.parquet", **columns):
        labels = [("cat", "dog")[row % 2] for row in range(len(cells))]
        parquet.write_table(pa.table({"image": cells, "label": labels, **columns}), tmp_path / name)
        return tmp_path / name

    return write


@pytest.fixture
def decoded(monkeypatch):
    """The rows that are decoded, as they are."""
    rows = []
    original = embedded.write_block
    monkeypatch.setattr(
        embedded, "write_block", lambda block, content: rows.extend(block.positions) or original(block, content)
    )
    return rows


@pytest.mark.parametrize("processes", [1, 3])
def test_the_second_start_decodes_nothing_wherever_the_table_lies(written, tmp_path, cache, decoded, processes):
    path = written([packed(seed) for seed in range(40)])
    first = read(path, side=SIDE, processes=processes).dataset.train.images
    assert np.array_equal(first, [drawn(seed, SIDE, SIDE) for seed in range(40)]) and sorted(decoded) == [*range(40)]
    assert isinstance(first, np.memmap) and files_in(kept(cache)) == ["pixels", "record.json"]
    path.rename(tmp_path / "moved.parquet")
    second = read(tmp_path / "moved.parquet", side=SIDE).dataset.train.images
    assert np.array_equal(first, second) and len(decoded) == 40


def test_another_image_or_side_is_decoded_anew(written, decoded):
    read(written([packed(0), packed(1)]), side=SIDE)
    other = read(written([packed(0), packed(2)]), side=SIDE).dataset.train.images
    assert np.array_equal(other[1], drawn(2, SIDE, SIDE)) and len(decoded) == 4
    assert read(written([packed(0), packed(2)]), side=4).dataset.example_shape == (4, 4, 3) and len(decoded) == 6


def test_damaged_cells_are_refused_by_row_and_the_call_that_skips_them_goes_on(written, decoded):
    path = written([packed(0), {"bytes": b"no image", "path": None}, packed(2), {"bytes": None, "path": "/etc/passwd"}])
    for _ in range(2):
        with pytest.raises(DataError, match=r"row 1 of t\.parquet \(no image .*row 3 of .*skip_corrupt"):
            read(path, side=SIDE)
    decoded.clear()
    reading = read(path, side=SIDE, skip_corrupt=True)
    assert sorted(decoded) == [1, 3] and reading.dataset.train.ids.tolist() == [0, 2]
    assert np.array_equal(reading.dataset.train.images, [drawn(seed, SIDE, SIDE) for seed in (0, 2)])


def test_each_skipped_row_has_its_own_reason_whatever_the_order_of_the_parts(written):
    bad = {"bytes": b"no image", "path": None}
    cells = [bad, packed(1), packed(2), {"bytes": None, "path": None}]
    reading = read(written(cells, split=["test", "test", "train", "train"]), side=SIDE, skip_corrupt=True)
    (oddity,) = (said for said in reading.oddities if "skipped" in said)
    assert "row 3 (no image in this cell), row 0 (no image in one of" in oddity
    assert reading.skipped == ("3", "0")
    assert np.array_equal(reading.dataset.test.images, [drawn(1, SIDE, SIDE)])


def test_every_skipped_image_of_a_table_is_named(written):
    cells = [packed(0), *[{"bytes": b"no image", "path": None}] * 7, packed(8)]
    reading = read(written(cells, id=[f"i{row}" for row in range(9)]), side=SIDE, skip_corrupt=True)
    assert reading.skipped == tuple(f"i{row}" for row in range(1, 8))


def test_a_table_of_which_no_image_is_whole_is_refused_in_any_case(written, cache):
    with pytest.raises(DataError, match=r"expected 2 images that can be decoded, got 2 that cannot"):
        read(written([{"bytes": b"x", "path": None}] * 2), side=SIDE, skip_corrupt=True)
    assert files_in(kept(cache)) == []
