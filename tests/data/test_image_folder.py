"""Image folders: what is read, by which rule for the pixels, and what is refused."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from image_folders import CLASSES, drawn, lay_out
from PIL import Image

import murk
from murk.data import content_sha256, fetch, image_folder, load, locate
from murk.errors import DataError, InputError

REAL = Path(os.environ.get("MURK_DATA", "nowhere")) / "tiny-imagenet-12"


@pytest.fixture
def shown(tmp_path, cache):
    """What the rule for the pixels makes of one image: shown(save, side=...) -> uint8 [side, side, 3]."""

    def read(save, *, side, name="one.png"):
        root = tmp_path / "shown"
        lay_out(root, train=1, val=1, classes=("a",))
        (root / "train/a/a_0.png").unlink()
        save(root / "train/a" / name)
        return np.asarray(image_folder(root, side=side).train.images[0])

    return read


def test_a_folder_gives_its_classes_labels_names_and_pixels_in_order(tmp_path, cache):
    root = lay_out(tmp_path / "photos")
    dataset = image_folder(root, side=12)
    assert dataset.name == "photos" and dataset.class_names == CLASSES
    assert dataset.train.labels.tolist() == [0] * 4 + [1] * 4 + [2] * 4
    assert dataset.test.labels.tolist() == [0, 0, 1, 1, 2, 2]
    assert dataset.train.ids[:2].tolist() == ["n01440764/n01440764_0.png", "n01440764/n01440764_1.png"]
    for part, name, count in ((dataset.train, "train", 4), (dataset.test, "val", 2)):
        expected = [drawn((len(name), k, i), 12, 12) for k in range(3) for i in range(count)]
        assert np.array_equal(part.images, expected)


def test_the_images_are_a_read_only_memory_map(tmp_path, cache):
    dataset = image_folder(lay_out(tmp_path / "photos"), side=12)
    for part in (dataset.train, dataset.test):
        assert isinstance(part.images, np.memmap) and part.images.dtype == np.uint8
        assert not part.images.flags.writeable


def test_suffixes_count_in_any_case_and_hidden_files_do_not(tmp_path, cache):
    root = lay_out(tmp_path / "photos", train=1, val=1, classes=("a",))
    for name in ("b.JPEG", "c.jpg", "D.PNG"):
        Image.fromarray(drawn(0, 12, 12)).save(root / "train/a" / name)
    (root / "train/a/.hidden").write_text("")
    (root / "train/.DS_Store").write_text("")
    assert image_folder(root, side=12).train.ids.tolist() == ["a/D.PNG", "a/a_0.png", "a/b.JPEG", "a/c.jpg"]


def test_the_test_part_may_be_called_test_but_val_comes_first(tmp_path, cache):
    root = lay_out(tmp_path / "photos", parts=("train", "test"))
    assert len(image_folder(root, side=12).test) == 6
    lay_out(tmp_path / "other", train=1, val=1)
    (tmp_path / "other/val").rename(root / "val")
    assert len(image_folder(root, side=12).test) == 3


@pytest.mark.parametrize(("height", "width"), [(20, 31), (31, 20), (20, 20)])
def test_the_centred_square_is_shown_and_not_resampled_where_it_fits(shown, height, width):
    pixels = drawn(1, height, width)
    top, left = (height - 20) // 2, (width - 20) // 2
    found = shown(Image.fromarray(pixels).save, side=20)
    assert np.array_equal(found, pixels[top : top + 20, left : left + 20])


def test_images_are_made_smaller_with_antialiasing(shown):
    board = np.indices((64, 64)).sum(axis=0) % 2 * 255  # a filter that picks pixels would give 0 or 255
    found = shown(Image.fromarray(board.astype(np.uint8)).save, side=8)
    assert np.abs(found.astype(int) - 127).max() <= 2


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_exif_orientation_is_applied(shown, orientation):
    upright = drawn(2, 16, 16)
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: np.rot90(upright, 2),
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: np.rot90(upright, 1),
        7: np.rot90(upright, 2).transpose(1, 0, 2),
        8: np.rot90(upright, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = Image.fromarray(np.ascontiguousarray(stored))
    assert np.array_equal(shown(lambda path: image.save(path, exif=exif), side=16), upright)


def test_exif_that_cannot_be_read_counts_as_none(shown):
    image = Image.new("RGB", (16, 16), (200, 100, 50))
    found = shown(lambda path: image.save(path, exif=b"Exif\0\0II*\0\xff\xff\xff\xff"), side=16, name="one.jpg")
    assert np.abs(found.astype(int) - [200, 100, 50]).max() <= 3


def test_a_large_jpeg_shows_the_same_as_its_pixels_averaged(shown):
    rows, columns = np.mgrid[0:512, 0:512] / 512 * 255
    smooth = np.stack([rows, columns, 255 - rows], axis=-1)
    image = Image.fromarray(smooth.astype(np.uint8))
    found = shown(lambda path: image.save(path, quality=95), side=32, name="one.JPEG")
    averaged = smooth.reshape(32, 16, 32, 16, 3).mean(axis=(1, 3))
    assert np.abs(found - averaged)[1:-1, 1:-1].max() < 6


def test_everything_wrong_with_a_folder_is_told_at_once(tmp_path, cache):
    root = lay_out(tmp_path / "photos", train=1, val=1)
    lay_out(root, train=1, val=1, classes=("only_train", "only_val", "empty"))
    for gone in ("val/only_train/only_train_0.png", "train/only_val/only_val_0.png", "train/empty/empty_0.png"):
        (root / gone).unlink()
    (root / "val/only_train").rmdir()
    (root / "train/only_val").rmdir()
    (root / "train/notes.txt").write_text("")
    (root / "train/n01440764/image.svg").write_bytes(b"")
    with pytest.raises(DataError) as caught:
        image_folder(root, side=8)
    for told in (
        "1 classes of train/ that val/ lacks: only_train;",
        "1 classes of val/ that train/ lacks: only_val;",
        "1 classes without an image: train/empty;",
        "1 files where only folders of classes belong: train/notes.txt;",
        "train/n01440764/image.svg",
    ):
        assert told in str(caught.value)
    assert not cache.exists()


def test_links_are_followed_inside_the_folder_and_refused_where_they_lead_out(tmp_path, cache):
    root = lay_out(tmp_path / "photos", train=2, val=1, classes=("a",))
    (root / "train/a/link.png").symlink_to(root / "train/a/a_0.png")
    (tmp_path / "way").symlink_to(root)
    assert len(image_folder(tmp_path / "way", side=12).train) == 3
    (root / "train/a/link.png").unlink()
    (root / "train/a/link.png").symlink_to(lay_out(tmp_path / "other", classes=("b",)) / "train/b/b_0.png")
    (root / "val/b").symlink_to(tmp_path / "other/val/b")
    with pytest.raises(DataError, match=r"2 links that lead out of it: train/a/link\.png, val/b"):
        image_folder(root, side=12)


def test_a_folder_without_a_part_to_train_on_is_refused_with_the_layouts(tmp_path, cache):
    root = lay_out(tmp_path / "photos")
    (root / "train").rename(tmp_path / "gone")
    with pytest.raises(DataError, match=r"expected train/CLASS/FILE and val/CLASS/FILE, .* got val/ and no train/;"):
        image_folder(root, side=8)


def test_wrong_settings_are_told_together(tmp_path):
    with pytest.raises(InputError, match=r"expected a folder that holds.*side as a whole number.*processes as a whole"):
        image_folder(tmp_path / "nowhere", side=0, processes=0)


def test_a_named_folder_below_murk_data_is_loaded_at_the_side_in_its_name(tmp_path, cache, monkeypatch):
    sets = tmp_path / "sets"
    root = lay_out(sets / "tiny-birds")
    before = sorted(sets.rglob("*"))
    monkeypatch.setenv("MURK_DATA", str(sets))
    dataset = load("folder:tiny-birds@8")
    assert (dataset.name, dataset.example_shape) == ("folder:tiny-birds@8", (8, 8, 3))
    assert content_sha256(dataset) == content_sha256(image_folder(root, side=8))
    assert locate("folder:tiny-birds@8") == fetch("folder:tiny-birds@8") == root
    assert locate("folder:other@8") is None and sorted(sets.rglob("*")) == before


def test_imagenet_is_read_at_128_pixels_where_it_lies(tmp_path, cache):
    root = lay_out(tmp_path / "imagenet", train=1, val=1, suffix=".JPEG")
    dataset = load("imagenet", root=tmp_path)
    assert (dataset.name, dataset.example_shape, dataset.class_names) == ("imagenet", (128, 128, 3), CLASSES)
    assert locate("imagenet", root=tmp_path) == root


def test_imagenet_that_is_not_there_is_an_error_that_says_where_it_comes_from(tmp_path, cache):
    asks = r"imagenet/train/CLASS/FILE\.JPEG.*{}.*cannot fetch ImageNet.*https://image-net\.org.*MURK_DATA"
    for call in (load, fetch):
        with pytest.raises(DataError, match=asks.format("which is not set")):
            call("imagenet")
        with pytest.raises(DataError, match=asks.format("which has no such folder")):
            call("imagenet", root=tmp_path)
    assert locate("imagenet") is None


@pytest.mark.parametrize("name", ["folder:birds", "folder:birds@0", "folder:../up@8", "folder:a/b@8", "folder:@8"])
def test_a_name_of_a_folder_in_another_form_is_refused(name, tmp_path):
    with pytest.raises(InputError, match="expected folder:NAME@SIDE"):
        load(name, root=tmp_path)


def test_a_training_reads_the_memory_map(tmp_path, cache):
    dataset = image_folder(lay_out(tmp_path / "photos", train=6, side=16), side=16)
    noise = murk.Dilution(1, num_classes=3)
    votes = noise.draw(dataset.train.labels, seed=0)
    fit = murk.fit("resnet18", dataset.train, votes, noise=noise, epochs=1, batch_size=8, device="cpu", seed=0)
    assert fit.class_names == CLASSES and fit.predict_probs(dataset.test).shape == (6, 3)


@pytest.mark.skipif(not REAL.is_dir(), reason="MURK_DATA names no folder that holds tiny-imagenet-12")
def test_twelve_classes_of_tiny_imagenet_load_with_the_pixels_of_their_files(cache):
    dataset = load("folder:tiny-imagenet-12@64", root=REAL.parent)
    assert (len(dataset.train), len(dataset.test), dataset.num_classes) == (6000, 600, 12)
    assert set(np.bincount(dataset.train.labels)) == {500} and set(np.bincount(dataset.test.labels)) == {50}
    for row in (0, 3000, 5999):
        file = REAL / "train" / str(dataset.train.ids[row])
        assert np.array_equal(dataset.train.images[row], Image.open(file).convert("RGB"))
