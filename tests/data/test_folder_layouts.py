"""Layouts of image folders: recognised without being told, and what is odd in them told rather than refused."""

from __future__ import annotations

import pytest
from image_folders import drawn
from PIL import Image

import murk.data
from murk.data import image_folder, load
from murk.errors import DataError, InputError

SIDE = 6


def put(root, *names):
    """An image of random pixels, another for each name, in each place; returns the folder."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(drawn(list(name.encode()), SIDE, SIDE)).save(root / name, format="PNG")
    return root


def read(root, **settings):
    return murk.data.read(root, side=SIDE, **{"processes": 1, **settings})


@pytest.mark.parametrize(("part", "others"), [("val", ["validation", "test"]), ("validation", ["test"]), ("test", [])])
def test_the_first_of_val_validation_and_test_is_tested_with_and_the_others_are_told(tmp_path, cache, part, others):
    for name in ("train", part, *others):
        put(tmp_path / "photos", f"{name}/cat/1.png", f"{name}/dog/1.png")
    reading = read(tmp_path / "photos")
    assert dict(reading.roles) == {
        "train/": "2 images to train on, 2 classes", f"{part}/": "2 images to test with"
    }  # fmt: skip
    told = [oddity for oddity in reading.oddities if "not read" in oddity]
    assert bool(told) == bool(others) and all(f"{other}/" in told[0] for other in others)


@pytest.mark.parametrize("part", ["train/", ""])
def test_classes_without_a_part_to_test_with_give_an_empty_one(tmp_path, cache, part):
    root = put(tmp_path / "photos", *(f"{part}{name}/{k}.png" for name in ("cat", "dog") for k in range(5)))
    reading = read(root)
    train, test = reading.dataset.train, reading.dataset.test
    assert (reading.dataset.class_names, train.labels.tolist()) == (("cat", "dog"), [0] * 5 + [1] * 5)
    assert train.ids.tolist() == [f"{name}/{k}.png" for name in ("cat", "dog") for k in range(5)]
    assert len(test) == 0 and test.images.shape == (0, SIDE, SIDE, 3) and test.class_names == ("cat", "dog")
    assert reading.kind == "folder of images" and reading.votes is None and reading.oddities == ()
    assert dict(reading.roles) == {part or "CLASS/": "10 images to train on, 2 classes"}


def test_a_flat_folder_is_images_without_labels_by_their_names(tmp_path, cache):
    reading = read(put(tmp_path / "photos", "b.png", "a.JPG", "c.tiff"))
    train = reading.dataset.train
    assert train.ids.tolist() == ["a.JPG", "b.png", "c.tiff"] and train.labels.tolist() == [-1, -1, -1]
    assert reading.dataset.class_names == () and len(reading.dataset.test) == 0
    assert (train.images[1] == drawn(list(b"b.png"), SIDE, SIDE)).all()


@pytest.mark.parametrize("names", [["cat/1.png"], ["train/cat/1.png"], ["1.png"]], ids=["classes", "train", "flat"])
def test_every_layout_loads_by_name(tmp_path, cache, monkeypatch, names):
    put(tmp_path / "pets", *names)
    monkeypatch.setenv("MURK_DATA", str(tmp_path))
    assert load(f"folder:pets@{SIDE}").train.images.shape == (1, SIDE, SIDE, 3)


@pytest.mark.parametrize("suffix", "bmp gif jfif jpe jpeg JPG png tif tiff webp".split())
def test_every_suffix_counts_whatever_the_file_holds(tmp_path, cache, suffix):
    assert len(read(put(tmp_path / "photos", f"one.{suffix}")).dataset.train) == 1


@pytest.mark.parametrize("place", ["", "cat/", "train/cat/"], ids=["flat", "classes", "beside train"])
def test_other_files_beside_images_are_told_and_not_read(tmp_path, cache, place):
    root = put(tmp_path / "photos", *(f"{place}{k}.png" for k in range(5)))
    beside = "" if place.startswith("train/") else place
    for name in ("Thumbs.db", "README"):
        (root / beside / name).write_text("x")
    (root / "metadata.csv").write_text("x")
    (root / ".hidden").write_text("x")
    (oddity,) = read(root).oddities
    assert oddity.startswith("3 entries that are no images and are not read: ")
    assert all(name in oddity for name in ("metadata.csv", f"{beside}Thumbs.db", f"{beside}README"))


def test_small_classes_are_told_with_their_numbers(tmp_path, cache):
    root = put(
        tmp_path / "photos", *(f"{name}/{k}.png" for name, n in (("a", 5), ("b", 4), ("c", 1)) for k in range(n))
    )
    assert read(root).oddities == ("2 classes with fewer than 5 examples to train on: b (4), c (1)",)


def test_equal_files_under_two_classes_or_in_both_parts_are_told(tmp_path, cache):
    root = tmp_path / "photos"
    put(root, *(f"{part}/{name}/{k}.png" for part in ("train", "val") for name in ("cat", "dog") for k in range(5)))
    for first, *others in (
        ("train/cat/1.png", "train/dog/3.png"), ("train/cat/2.png", "val/cat/4.png"),
        ("val/dog/1.png", "val/dog/2.png"),
    ):  # fmt: skip
        for other in others:
            (root / other).write_bytes((root / first).read_bytes())
    two, both = read(root).oddities
    assert two == "1 image as exactly equal files under two classes or more: train/cat/1.png = train/dog/3.png"
    assert both == "1 image as exactly equal files both to train on and to test with: train/cat/2.png = val/cat/4.png"
    assert read(root).oddities == (two, both)  # as remembered


def test_images_that_look_the_same_in_files_that_differ_are_not_equal_files(tmp_path, cache):
    root = put(tmp_path / "photos", *(f"{name}/{k}.png" for name in ("cat", "dog") for k in range(5)))
    content = (root / "cat/1.png").read_bytes()
    (root / "dog/1.png").write_bytes(content + b"more")
    (root / "dog/2.png").write_bytes(content[:-4] + bytes(4))  # of the same length; only the last check differs
    assert read(root, skip_corrupt=True).oddities == ()


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (["cat/1.png", "2.png"], "1 images beside folders of classes: 2.png"),
        (["cat/1.png", "cat/more/2.png"], "1 folders inside a class: cat/more"),
        (["deep/cat/1.png"], "1 classes without an image: deep"),
        (["val/cat/1.png"], "got val/ and no train/"),
        (
            ["train/1.png"],
            "1 images that are in no class (to read them without labels, name the folder they are in): train/1.png",
        ),
        (["train/cat/1.png", "val/dog/1.png"], "1 classes of train/ that val/ lacks: cat; 1 classes of val/"),
        (["train/cat/1.png", "train/cat/1.txt"], "1 entries that are no file in .bmp"),
        ([], "got no file in .bmp"),
    ],
)
def test_what_is_no_layout_is_refused_with_the_layouts(tmp_path, cache, names, told):
    (tmp_path / "photos").mkdir()
    with pytest.raises(DataError) as caught:
        read(put(tmp_path / "photos", *names))
    assert told in str(caught.value) and "train/CLASS/FILE alone, CLASS/FILE, or FILE" in str(caught.value)
    assert not cache.exists()


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (["train.parquet", "test.parquet"], "got none, but 2 tables: test.parquet, train.parquet; name one table"),
        (["README.md", "data/pets.parquet"], "got none, but 1 table: data/pets.parquet; name one table"),
        (
            ["data/train-00000-of-00001.parquet", "data/notes.txt", "more/votes.csv"],
            "got none, but 2 tables: data/train",
        ),
        (["train/0000.parquet", "test/0000.parquet"], "got none, but 2 tables: t"),
        (["train/cat/0000.parquet", "val/cat/0000.parquet"], "got none, but 2 tables: t"),
        (["data/pets.parquet", "cat/1.png"], "1 classes without an image: data"),
    ],
)
def test_a_folder_of_tables_is_told_as_one(tmp_path, cache, names, told):
    (tmp_path / "pets").mkdir()
    with pytest.raises(DataError) as caught:
        read(put(tmp_path / "pets", *names))
    assert told in str(caught.value)
    assert ("train-00000-of-00001.parquet" in str(caught.value)) == ("got none" in told)
    assert not cache.exists()


@pytest.mark.parametrize(
    ("part", "place"),
    [("", "own"), ("", "own/pixels"), ("", "cat/pixels"), ("train/", "own"), ("train/", "train/own"),
     ("train/", "train/cat/pixels")],
)  # fmt: skip
def test_a_cache_inside_the_folder_is_no_part_of_it(tmp_path, cache, part, place):
    root = put(tmp_path / "photos", *(f"{part}{name}/{k}.png" for name in ("cat", "dog") for k in range(5)))
    first, second = read(root, cache=root / place), read(root, cache=root / place)
    assert first.dataset.train.ids.tolist() == second.dataset.train.ids.tolist()
    assert first.oddities == second.oddities == () and first.dataset.class_names == ("cat", "dog")


def test_the_folder_itself_is_no_cache(tmp_path, cache):
    with pytest.raises(InputError, match="expected a cache that is not the folder of images itself"):
        image_folder(put(tmp_path / "photos", "1.png"), side=SIDE, cache=tmp_path / "photos")


@pytest.mark.parametrize("path", ["nowhere", "nul\0", "x" * 5000, "\ud800"])
def test_a_path_that_is_no_folder_is_refused_with_all_settings(path):
    with pytest.raises(InputError, match=r"expected a folder that holds images.*side.*processes.*cache"):
        image_folder(path, side=0, processes=-1, cache="\0")
