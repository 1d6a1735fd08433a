"""Whatever lies in a folder and whatever it is called: pixels or murk's own errors, and nothing half-written."""

from __future__ import annotations

import io
import json
import os
import tempfile
from pathlib import Path
from unittest import mock

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import murk.data.decoder as decoder
from murk.data import read
from murk.data.image_files import image_files
from murk.errors import MurkError

SIDE = 4
FORMS = ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP")


def encoded(form):
    file = io.BytesIO()
    Image.fromarray(np.arange(300, dtype=np.uint8).reshape(10, 10, 3)).save(file, format=form)
    return file.getvalue()


WHOLE = {form: encoded(form) for form in FORMS}


@st.composite
def damaged(draw):
    """The bytes of an image, some of them changed, perhaps cut."""
    content = bytearray(WHOLE[draw(st.sampled_from(FORMS))])
    for at in draw(st.lists(st.integers(0, len(content) - 1), max_size=6)):
        content[at] = draw(st.integers(0, 255))
    return bytes(content[: draw(st.none() | st.integers(0, len(content)))])


CONTENTS = st.sampled_from([*WHOLE.values()]) | damaged() | st.binary(max_size=64)
HOSTILE = st.sampled_from(
    ["-rf", "=cmd|'/c calc'!A1", "two\nlines", "\x1b[31mred", "ünï", "日本", "\u202etxt", "a" * 250, " ", "..a", "~",
     "%s", "{0}", "$(id)", "'; drop table", "train", "val", "test", "\udcff", "CON", "a\\b"]
)  # fmt: skip
PLAIN = st.sampled_from(["cat", "dog", "train", "val", "one", "two"])
TEXT = st.text(st.characters(exclude_characters="/\0"), min_size=1, max_size=12)
STEMS = PLAIN | HOSTILE | TEXT
FILES = st.builds(str.__add__, STEMS, st.sampled_from([".png", ".png", ".JPG", ".gif", ".tiff", ".txt", ""]))
ANYTHING = st.dictionaries(st.builds(lambda above, name: (*above, name), st.lists(STEMS, max_size=3), FILES), CONTENTS,
                           max_size=8)  # fmt: skip


@st.composite
def laid_out(draw):
    """Two classes of hostile names, in no part, one or two, each with an image that is whole and some that may be."""
    parts = draw(st.sampled_from([(), ("train",), ("train", "val")])) or ("",)
    classes = draw(st.lists(STEMS, min_size=2, max_size=2))
    places = [tuple(filter(None, (part, name))) for part in parts for name in classes]
    tree = {(*place, "whole.png"): WHOLE["PNG"] for place in places}
    images = st.dictionaries(st.builds(lambda name: f"{name}.gif", STEMS), CONTENTS, max_size=2)
    return tree | {(*place, name): content for place in places for name, content in draw(images).items()}


TREES = ANYTHING | laid_out()


def grow(root, tree):
    """Write what the system takes of a tree."""
    root.mkdir()
    for parts, content in tree.items():
        path = root.joinpath(*(part for part in parts if part not in (".", "..")))
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        except (OSError, ValueError):
            continue  # too long, no text that the system knows, or a folder of that name


def seen(root):
    """All that lies in a folder, with what the files hold."""
    found = sorted(os.fsencode(path) for path in root.rglob("*"))
    return [(path, Path(os.fsdecode(path)).read_bytes() if os.path.isfile(path) else b"") for path in found]


def outcome_of(reader, *arguments, **settings):
    """What a reader gives, or the text of the error that it foresees."""
    try:
        return reader(*arguments, side=SIDE, processes=1, **settings)
    except MurkError as error:
        return str(error)


def assert_whole(cache, allowed):
    """Each folder of the cache holds a finished set of pixels, or nothing."""
    for folder in cache.glob("*"):
        names = {path.name for path in folder.iterdir()} - {".lock"}
        assert names in allowed, names
        if "record.json" in names:
            shape = json.loads((folder / "record.json").read_bytes())["shape"]
            assert (folder / "pixels").stat().st_size == np.prod(shape)


@settings(max_examples=80, deadline=None)
@given(tree=TREES, skip_corrupt=st.booleans())
def test_any_tree_gives_a_reading_or_one_error_and_leaves_no_half_of_a_cache(tree, skip_corrupt):
    with tempfile.TemporaryDirectory() as folder, mock.patch.object(decoder, "LARGEST", 10_000):
        root, cache = Path(folder, "root"), Path(folder, "cache")
        grow(root, tree)
        before = seen(root)
        reading = outcome_of(read, root, cache=cache, skip_corrupt=skip_corrupt)
        if isinstance(reading, str):
            assert reading.isprintable() and len(reading) < 20_000
            # none is whole; some are, and the call that skips the others goes on from them; or none to train on
            assert_whole(cache, [set(), {"done", "pixels"}, {"pixels", "record.json"}])
        else:
            train, test = reading.dataset.train, reading.dataset.test
            assert train.images.shape == (len(train), SIDE, SIDE, 3) and len(train) > 0
            assert len(test) == 0 or set(test.labels) <= set(range(test.num_classes))
            assert all(oddity.isprintable() for oddity in reading.oddities)
            assert_whole(cache, [{"pixels", "record.json"}])
        assert seen(root) == before


@settings(max_examples=60, deadline=None)
@given(names=st.lists(STEMS | FILES | st.text(max_size=20) | st.sampled_from(["a.png", "../secret.png"]), max_size=5))
def test_any_names_give_pixels_of_that_folder_or_one_error(names):
    with tempfile.TemporaryDirectory() as folder:
        root, cache = Path(folder, "root"), Path(folder, "cache")
        grow(root, {("a.png",): WHOLE["PNG"]})
        Path(folder, "secret.png").write_bytes(WHOLE["PNG"])
        found = outcome_of(image_files, root, names, cache=cache)
        if isinstance(found, str):
            assert found.isprintable() and not cache.exists()
        else:
            assert {os.path.normpath(name) for name in names} == {"a.png"} and len(found.images) == len(names)


@settings(max_examples=200, deadline=None)
@given(content=damaged())
def test_a_damaged_file_gives_all_pixels_or_none(content):
    with tempfile.TemporaryDirectory() as folder, mock.patch.object(decoder, "LARGEST", 10_000):
        Path(folder, "one").write_bytes(content)
        Path(folder, "pixels").write_bytes(b"")
        faults = decoder.decode_block(decoder.Block(str(Path(folder, "pixels")), SIDE, folder, ["one"], [0]))
        assert Path(folder, "pixels").stat().st_size == (0 if faults else 3 * SIDE**2)
        assert all(fault.is_damaged and fault.reason for fault in faults)
