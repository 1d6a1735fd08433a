"""Damaged files in a folder of images: left out where that is asked for, remembered, and the others close up."""

from __future__ import annotations

import os
import shutil

import numpy as np
import pytest
from image_folders import files_in, kept, lay_out
from PIL import Image

import murk.data
import murk.data.decoding as decoding
import murk.data.pixel_cache as pixel_cache
from murk.data import content_sha256, image_folder
from murk.data.content import computed_sha256
from murk.errors import DataError

SIDE = 12
IMAGES = 18  # in six blocks of three
BAD = (0, 5, 6, 7, 8, 13)  # of the images in order: the first, two alone, a whole block, and one to test with
GOOD = [row for row in range(IMAGES) if row not in BAD]


@pytest.fixture
def root(tmp_path, cache, monkeypatch):
    monkeypatch.setattr(pixel_cache, "BLOCK_BYTES", 3 * SIDE * SIDE * 3)
    return lay_out(tmp_path / "photos", side=SIDE)


@pytest.fixture
def spoiled(root):
    """The folder with some damaged files; (folder, names of them, pixels of the others)."""
    files = [file for part in ("train", "val") for file in sorted((root / part).rglob("*.png"))]
    whole = np.stack([np.asarray(Image.open(file)) for file in files])
    for row in BAD:
        files[row].write_text("no image")
    return root, [str(files[row].relative_to(root)) for row in BAD], whole[GOOD]


@pytest.fixture
def decoded(monkeypatch):
    """The names of the files that this process decodes, as it does."""
    names = []
    original = decoding.decode_block
    monkeypatch.setattr(decoding, "decode_block", lambda block: names.extend(block.names) or original(block))
    return names


def read(root, **settings):
    return image_folder(root, side=SIDE, **{"processes": 1, **settings})


@pytest.mark.parametrize("processes", [1, 2])
def test_damaged_files_are_left_out_where_that_is_asked_for_and_the_others_close_up(spoiled, cache, processes):
    root, bad, expected = spoiled
    reading = murk.data.read(root, side=SIDE, processes=processes, skip_corrupt=True)
    train, test = reading.dataset.train, reading.dataset.test
    assert np.array_equal(np.concatenate([train.images, test.images]), expected)
    assert train.labels.tolist() == [0] * 3 + [1] + [2] * 3 and test.labels.tolist() == [0, 1, 1, 2, 2]
    left_out = {name.removeprefix("train/") for name in bad if name.startswith("train/")}
    assert len(left_out) == 5 and not left_out & {*train.ids}
    assert "6 corrupt files skipped: train/n01440764/n01440764_0.png (no image in one of JPEG" in reading.oddities[0]
    assert reading.skipped == tuple(bad) and bad[5] not in reading.oddities[0]
    assert reading.roles == {"train/": "7 images to train on, 3 classes", "val/": "5 images to test with"}
    assert (kept(cache) / "pixels").stat().st_size == expected.nbytes


def test_what_was_left_out_is_remembered_so_that_the_second_start_decodes_nothing(spoiled, decoded):
    root, bad, _ = spoiled
    first = murk.data.read(root, side=SIDE, processes=1, skip_corrupt=True)
    decoded.clear()
    second = murk.data.read(root, side=SIDE, processes=1, skip_corrupt=True, verify=True)
    assert decoded == [] and second.oddities == first.oddities and second.skipped == first.skipped == tuple(bad)
    assert content_sha256(second.dataset) == content_sha256(first.dataset) == computed_sha256(second.dataset)
    with pytest.raises(DataError, match=rf"got 6 that cannot: {bad[0]} .* and 1 more; .*as an earlier call did"):
        read(root)
    assert decoded == []


@pytest.mark.parametrize("call", range(1, 10), ids="stopped at flush {}".format)
def test_stopped_at_any_flush_to_the_disk_the_next_call_gives_the_same_without_the_damaged(
    spoiled, cache, monkeypatch, call
):
    root, _, expected = spoiled  # five blocks with pixels, the marks and the images that close up, the record twice
    flush, calls = os.fsync, []

    def stop(handle):
        calls.append(handle)
        if len(calls) == call:
            raise KeyboardInterrupt
        flush(handle)

    monkeypatch.setattr(os, "fsync", stop)
    with pytest.raises(KeyboardInterrupt):
        read(root, skip_corrupt=True)
    dataset = read(root, skip_corrupt=True)
    assert content_sha256(dataset) == computed_sha256(dataset)
    assert np.array_equal(np.concatenate([dataset.train.images, dataset.test.images]), expected)
    assert files_in(kept(cache)) == ["pixels", "record.json"]


def test_a_folder_without_a_whole_file_is_refused_even_where_damaged_ones_are_to_be_left_out(root, cache):
    for part, said in (("train", "12 files of which none can be decoded"), ("val", "18 images .*got 18 that cannot")):
        for file in (root / part).rglob("*.png"):
            file.write_text("no image")
        with pytest.raises(DataError, match=said):
            read(root, skip_corrupt=True)


def test_a_file_that_cannot_be_read_is_not_taken_for_damaged(spoiled, decoded):
    root, bad, _ = spoiled
    gone = root / "train/n01440764/n01440764_1.png"
    away = shutil.copy2(gone, root.parent / "away.png")
    with pytest.raises(DataError, match=r"got 1 that cannot: .*n01440764_1\.png \(No such file.*is kept"):
        read(root, skip_corrupt=True, on_progress=lambda progress: progress.done or gone.unlink())
    decoded.clear()
    shutil.copy2(away, gone)
    read(root, skip_corrupt=True)
    assert set(decoded) == {*bad, "train/n01440764/n01440764_1.png"}


def test_a_call_that_skips_goes_on_from_one_that_refused(spoiled, decoded):
    root, bad, expected = spoiled
    with pytest.raises(DataError, match=r"got 6 that cannot: .*go on without them by `skip_corrupt=True`"):
        read(root)
    decoded.clear()
    dataset = read(root, skip_corrupt=True)
    assert sorted(decoded) == sorted(bad)
    assert np.array_equal(np.concatenate([dataset.train.images, dataset.test.images]), expected)
