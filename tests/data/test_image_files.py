"""Image files by name, as a table gives them: pixels in its order, and no way out of the folder."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from image_folders import drawn
from PIL import Image

from murk.data.image_files import image_files
from murk.errors import DataError, InputError

SIDE = 6


@pytest.fixture
def root(tmp_path, cache):
    """a.png .. d.png and deep/e.png, each of other pixels."""
    folder = tmp_path / "images"
    (folder / "deep").mkdir(parents=True)
    for name in ("a.png", "b.png", "c.png", "d.png", "deep/e.png"):
        Image.fromarray(pixels(name)).save(folder / name)
    return folder


def pixels(name):
    return drawn(list(name.encode()), SIDE, SIDE)


def read(root, names, **settings):
    return image_files(root, names, **{"side": SIDE, "processes": 1, **settings})


def test_pixels_come_in_the_order_of_the_names_and_as_often(root):
    names = ["deep/e.png", "a.png", "a.png", "c.png", "a.png"]
    read_ = read(root, names)
    assert np.array_equal(read_.images, [pixels(name) for name in names])
    assert read_.images.dtype == np.uint8 and not read_.images.flags.writeable and isinstance(read_.images, np.memmap)
    assert read_.kept.dtype == np.int64 and read_.kept.tolist() == [0, 1, 2, 3, 4] and read_.skipped == ()
    assert read_.content_sha256 == hashlib.sha256(read_.images.tobytes()).hexdigest()


def test_damaged_files_are_left_out_once_for_each_time_they_are_named(root):
    (root / "b.png").write_text("no image")
    names = ["b.png", "a.png", "b.png", "d.png"]
    with pytest.raises(DataError, match=r"expected 4 images that can be decoded, got 2 that cannot: b\.png \(no image"):
        read(root, names)
    for _ in range(2):  # decoded, and remembered
        found = read(root, names, skip_corrupt=True, verify=True)
        assert found.kept.tolist() == [1, 3] and [name for name, _ in found.skipped] == ["b.png", "b.png"]
        assert np.array_equal(found.images, [pixels("a.png"), pixels("d.png")])


@pytest.mark.parametrize(
    "name",
    ["/etc/passwd", "C:\\a.png", "C:/a.png", "\\\\host\\a.png", "../images/a.png", "deep/../a.png", "deep\\..\\a.png",
     "..", "nul\0.png", "a.png\0", "", ".", "deep", "a.png/", "gone.png", "x" * 300, "\ud800.png",
     "out.png", "way/a.png", "circle.png"],
)  # fmt: skip
def test_no_name_leaves_the_folder_and_every_one_that_names_no_file_in_it_is_told(root, tmp_path, cache, name):
    Image.fromarray(pixels("secret")).save(tmp_path / "secret.png")
    (tmp_path / "other").mkdir()
    Image.fromarray(pixels("secret")).save(tmp_path / "other/a.png")
    (root / "out.png").symlink_to(tmp_path / "secret.png")
    (root / "way").symlink_to(tmp_path / "other")
    (root / "circle.png").symlink_to(root / "circle.png")
    with pytest.raises(InputError, match=r"expected names of image files below .*, got 1 ") as caught:
        read(root, ["a.png", name])
    assert not cache.exists() and "\n" not in str(caught.value) and "\0" not in str(caught.value)


def test_all_faults_are_told_together_the_first_of_each_by_name(root):
    names = ["a.png", "/1.png", "../2.png", *(f"{k}.png" for k in range(7))]
    with pytest.raises(InputError) as caught:
        read(root, names, side=0)
    for told in (
        "expected side as a whole number",
        "got 1 that are absolute: /1.png;",
        "got 1 with '..' in them: ../2.png;",
        "got 7 where there is no file: 0.png, 1.png, 2.png, 3.png, 4.png and 2 more;",
    ):
        assert told in str(caught.value)


def test_no_names_at_all_and_no_folder_are_refused(root):
    with pytest.raises(InputError, match="expected at least one name"):
        read(root, [])
    with pytest.raises(InputError, match="expected a folder that holds images"):
        read(root / "nowhere", ["a.png"])


def test_links_inside_the_folder_are_followed(root):
    (root / "same.png").symlink_to(root / "a.png")
    (root / "also").symlink_to(root / "deep")
    assert np.array_equal(read(root, ["same.png", "also/e.png"]).images, [pixels("a.png"), pixels("deep/e.png")])


def test_the_same_names_in_another_order_have_pixels_of_their_own(root, cache):
    forth, back = read(root, ["a.png", "b.png"]), read(root, ["b.png", "a.png"])
    assert np.array_equal(forth.images, back.images[::-1]) and forth.content_sha256 != back.content_sha256
