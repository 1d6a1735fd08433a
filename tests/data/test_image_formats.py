"""The rule for the pixels: every format and mode gives pixels that are known beforehand, or is refused by name."""

from __future__ import annotations

import io
import os
import struct
import zlib

import numpy as np
import pytest
from image_folders import drawn
from PIL import Image

import murk.data.decoder as decoder
from murk.data.decoder import Block, decode_block, square

SIDE = 8
GREY = np.arange(SIDE * SIDE, dtype=np.uint8).reshape(SIDE, SIDE) * 4
DEEP = np.linspace(0, 65_535, SIDE * SIDE).round().astype(np.uint16).reshape(SIDE, SIDE)
ROUNDED = np.floor(DEEP / 257 + 0.5).astype(np.uint8)


def shown(image, form, side=SIDE, **settings):
    """What the rule makes of an image saved in a format: uint8 [side, side, 3]."""
    file = io.BytesIO()
    image.save(file, format=form, **settings)
    return pixels(file.getvalue(), side)


def pixels(content, side=SIDE):
    return np.frombuffer(square(content, side), np.uint8).reshape(side, side, 3)


def grey(values):
    """Each value three times."""
    return np.repeat(values[..., None], 3, axis=-1)


def png(depth, colour, rows):
    """A PNG file by hand: rows of raw bytes, in a bit depth and colour type that Pillow does not write."""
    width = len(rows[0]) * 8 // (depth * {0: 1, 2: 3, 4: 2, 6: 4}[colour])
    header = struct.pack(">IIBBBBB", width, len(rows), depth, colour, 0, 0, 0)
    data = zlib.compress(b"".join(b"\0" + row for row in rows))
    chunks = ((b"IHDR", header), (b"IDAT", data), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    )


@pytest.mark.parametrize(
    ("form", "settings"),
    [("PNG", {}), ("WEBP", {"lossless": True, "exact": True}), ("BMP", {}), ("TIFF", {}),
     ("TIFF", {"compression": "tiff_lzw"})],
)  # fmt: skip
def test_lossless_formats_give_the_very_pixels(form, settings):
    expected = drawn(0, SIDE, SIDE)
    assert np.array_equal(shown(Image.fromarray(expected), form, **settings), expected)


@pytest.mark.parametrize("form", ["PNG", "BMP", "GIF", "TIFF"])
def test_grey_is_the_same_in_all_three_channels(form):
    assert np.array_equal(shown(Image.fromarray(GREY), form), grey(GREY))


@pytest.mark.parametrize("form", ["PNG", "BMP", "TIFF"])
def test_one_bit_is_black_and_white(form):
    board = np.indices((SIDE, SIDE)).sum(axis=0) % 2 == 0
    assert np.array_equal(shown(Image.fromarray(board), form), grey(board * np.uint8(255)))


@pytest.mark.parametrize("form", ["PNG", "TIFF"])
@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_transparency_is_ignored_even_where_nothing_is_to_be_seen(form, mode):
    colours = drawn(1, SIDE, SIDE)
    image = Image.fromarray(colours) if mode == "RGBA" else Image.fromarray(GREY)
    image.putalpha(Image.fromarray(GREY))
    assert np.array_equal(shown(image, form), colours if mode == "RGBA" else grey(GREY))


@pytest.mark.parametrize("form", ["PNG", "GIF"])
@pytest.mark.parametrize("transparent", [None, 2])
def test_palettes_are_looked_up_transparent_entries_too(form, transparent):
    palette = np.array([[250, 0, 0], [0, 250, 0], [0, 0, 250], [9, 8, 7]], np.uint8)
    numbers = np.indices((SIDE, SIDE)).sum(axis=0) % 4
    image = Image.fromarray(numbers.astype(np.uint8), mode="L")
    image.putpalette(palette.tobytes())
    settings = {} if transparent is None else {"transparency": transparent}
    assert np.array_equal(shown(image, form, **settings), palette[numbers])


@pytest.mark.parametrize("form", ["JPEG", "TIFF"])
def test_cmyk_becomes_rgb_by_the_plain_formula(form):
    inks = (51, 102, 204, 51)  # each channel is (255 - ink) (255 - black) / 255
    expected = [round((255 - ink) * (255 - inks[3]) / 255) for ink in inks[:3]]
    settings = {"quality": 100} if form == "JPEG" else {}
    found = shown(Image.new("CMYK", (SIDE, SIDE), inks), form, **settings)
    assert np.abs(found.astype(int) - expected).max() <= 2


def test_ycck_becomes_rgb_like_cmyk():
    inks = np.array([200, 90, 40, 30])
    file = io.BytesIO()
    Image.new("CMYK", (SIDE, SIDE), tuple(inks)).save(file, format="JPEG", quality=100)
    plain = file.getvalue()
    # the same four channels, declared as YCbCr + black: Y, Cb, Cr of the inverted inks as they are stored
    adobe = plain.index(b"Adobe")
    assert plain[adobe + 11] == 0
    told = pixels(plain[: adobe + 11] + b"\2" + plain[adobe + 12 :])
    y, cb, cr, black = (255 - inks).astype(float)
    red, green, blue = y + 1.402 * (cr - 128), y - 0.344136 * (cb - 128) - 0.714136 * (cr - 128), y + 1.772 * (cb - 128)
    kept = 255 - np.clip([red, green, blue], 0, 255)  # libjpeg turns YCCK into CMYK: C = 255 - R, ...
    expected = kept * black / 255
    assert np.abs(told - expected).max() <= 4


@pytest.mark.parametrize("form", ["PNG", "TIFF"])
def test_grey_of_sixteen_bits_is_scaled_over_the_full_range(form):
    found = shown(Image.fromarray(DEEP), form)
    assert np.array_equal(found, grey(ROUNDED)) and found.min() == 0 and found.max() == 255


@pytest.mark.parametrize("kind", [">u2", "<i4"])
def test_grey_of_sixteen_bits_in_any_order_or_width_is_the_same(kind):
    image = Image.fromarray(DEEP.astype(kind)) if kind == "<i4" else Image.frombytes(
        "I;16B", (SIDE, SIDE), DEEP.astype(kind).tobytes()
    )  # fmt: skip
    assert np.array_equal(shown(image, "TIFF"), grey(ROUNDED))


@pytest.mark.parametrize(("colour", "channels"), [(2, 3), (4, 2), (6, 4)])
def test_several_channels_of_sixteen_bits_keep_their_high_bytes(colour, channels):
    values = np.random.default_rng(2).integers(0, 65_536, (SIDE, SIDE, channels)).astype(">u2")
    high = (values >> 8).astype(np.uint8)
    expected = grey(high[..., 0]) if channels == 2 else high[..., :3]
    assert np.array_equal(pixels(png(16, colour, [row.tobytes() for row in values])), expected)


@pytest.mark.parametrize("form", ["GIF", "WEBP", "TIFF", "PNG"])
def test_of_several_frames_the_first_is_shown(form):
    first, second = Image.new("RGB", (SIDE, SIDE), (255, 0, 0)), Image.new("RGB", (SIDE, SIDE), (0, 0, 255))
    settings = {"lossless": True} if form == "WEBP" else {}
    found = shown(first, form, save_all=True, append_images=[second], **settings)
    assert (found == [255, 0, 0]).all()


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_the_orientation_is_applied_once_in_every_format_that_has_one(form):
    stored = np.zeros((16, 16, 3), np.uint8)
    stored[:, :8] = 255  # white on the left; to be turned a quarter to the right, so white is above
    exif = Image.Exif()
    exif[0x0112] = 6
    found = shown(Image.fromarray(stored), form, side=16, exif=exif)
    assert found[:7].min() > 240 and found[9:].max() < 15


def test_a_grey_jpeg_and_a_small_one_are_shown_by_the_same_rule():
    found = shown(Image.new("L", (400, 300), 90), "JPEG", side=16)
    assert np.abs(found.astype(int) - 90).max() <= 2
    assert np.abs(shown(Image.new("L", (3, 2), 90), "JPEG", side=16).astype(int) - 90).max() <= 2


FLOATS = Image.fromarray(np.full((SIDE, SIDE), 0.5, np.float32))


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        (FLOATS, "mode F: floating point"),
        (Image.fromarray(np.full((SIDE, SIDE), 65_536, np.int32)), "values from 65,536 to 65,536, expected 0 to 65,53"),
        (Image.fromarray(np.full((SIDE, SIDE), -1, np.int32)), "values from -1 to -1"),
    ],
    ids=["floats", "too large", "negative"],
)
def test_values_without_a_range_are_refused_rather_than_clipped(image, reason):
    with pytest.raises(ValueError, match=reason):
        shown(image, "TIFF")


@pytest.mark.parametrize(
    ("tag", "value", "reason"), [(258, 12, "12 bits a channel"), (262, 0, "16 bits with white as 0")]
)
def test_grey_that_would_be_shown_too_dark_or_inverted_is_refused(tag, value, reason):
    file = io.BytesIO()
    Image.fromarray(DEEP).save(file, format="TIFF")
    content = bytearray(file.getvalue())
    entry = content.index(struct.pack("<HHI", tag, 3, 1)) + 8  # a short of this tag, its value behind it
    content[entry : entry + 2] = struct.pack("<H", value)
    with pytest.raises(ValueError, match=reason):
        pixels(bytes(content))


@pytest.mark.parametrize("form", ["PNG", "GIF", "TIFF"])
def test_more_than_a_hundred_million_pixels_are_refused_before_they_are_decoded(form, monkeypatch):
    monkeypatch.setattr(decoder, "LARGEST", 10_000)
    with pytest.raises(ValueError, match="101 x 100 pixels, expected 1 to 10,000"):
        shown(Image.new("L", (101, 100)), form)
    many = {"save_all": True, "append_images": [Image.new("L", (100, 100), 9)] * 3}
    assert shown(Image.new("L", (100, 100)), form, **many).shape == (SIDE, SIDE, 3)


def test_a_header_that_promises_more_than_a_hundred_million_pixels_is_refused_with_its_numbers(tmp_path):
    content = bytearray(png(1, 0, [b"\0"]))
    content[16:29] = header = struct.pack(">IIBBBBB", 10_001, 10_000, 1, 0, 0, 0, 0)
    content[29:33] = struct.pack(">I", zlib.crc32(b"IHDR" + header))
    (tmp_path / "bomb.png").write_bytes(content)
    (fault,) = decode_block(Block(str(tmp_path / "pixels"), SIDE, str(tmp_path), ["bomb.png"], [0]))
    assert fault.reason == "10,001 x 10,000 pixels, expected 1 to 100,000,000" and fault.is_damaged


def test_a_file_that_is_too_long_or_no_file_is_not_opened(tmp_path, monkeypatch):
    monkeypatch.setattr(decoder, "LARGEST_FILE", 1000)
    (tmp_path / "long.png").write_bytes(bytes(1001))
    (tmp_path / "folder.png").mkdir()
    os.mkfifo(tmp_path / "pipe.png")
    names = ["long.png", "folder.png", "pipe.png", "gone.png"]
    (tmp_path / "pixels").write_bytes(b"")
    faults = decode_block(Block(str(tmp_path / "pixels"), SIDE, str(tmp_path), names, [0, 1, 2, 3]))
    assert [(fault.position, fault.is_damaged) for fault in faults] == [(0, True), (1, False), (2, True), (3, False)]
    assert "1,001 bytes, expected at most 1,000" in faults[0].reason and (tmp_path / "pixels").read_bytes() == b""
