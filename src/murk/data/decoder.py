"""The decoder: image files to square RGB pixels, by one rule; also a process of its own that takes a block a line.

As a process it imports nothing of murk, so that it starts at once, and nothing of the caller's script.
"""

from __future__ import annotations

import io
import json
import os
import signal
import stat
import sys
import warnings
from contextlib import suppress
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from PIL.Image import Image

RULE = 2  # to be raised with every change of the pixels that `square` gives
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF")
LARGEST = 100_000_000  # pixels of one image
LARGEST_FILE = 200_000_000  # bytes of one file
_ORIENTATION = 0x0112
_BITS, _PHOTOMETRIC = 258, 262  # TIFF's BitsPerSample and PhotometricInterpretation
_FULL = 65_535  # the lightest grey of 16 bits
_LONGEST_REASON = 200


class Block(NamedTuple):
    """Some files, and where their pixels belong.

    Args:
        pixels: the file written to; it exists.
        side: edge of the images in pixels.
        root: the folder below which the files lie.
        names: their paths below it.
        positions: of each, in ascending order: how many images come before it in `pixels`.
    """

    pixels: str
    side: int
    root: str
    names: list[str]
    positions: list[int]


class Fault(NamedTuple):
    """A file that gives no pixels.

    Args:
        position: of its pixels, had it any.
        reason: what is wrong with it.
        is_damaged: False where the system could not read it, so that the same file may do next time.
    """

    position: int
    reason: str
    is_damaged: bool


def square(content: bytes, side: int) -> bytes:
    """The pixels of one image file, whatever it is called: `side` x `side` x RGB, one byte each.

    The rule: of JPEG, PNG, WebP, BMP, GIF (its first frame) and TIFF (its first page), told by content. JPEG is
    decoded at the smallest of 1/8, 1/4, 1/2 and 1 of its size that is not below `side`. The EXIF orientation is
    applied (one that cannot be read counts as none). Grey of 16 bits becomes 8 by v / 257, rounded: the full range,
    nothing clipped; several channels of 16 bits keep their high bytes. Everything becomes RGB: palettes looked up,
    CMYK and YCCK by Pillow's plain formula without a colour profile, transparency ignored. The centred square of the
    shorter side is resized by Pillow's antialiased bicubic filter.

    Args:
        content: the whole file.
        side: edge in pixels, at least 1.

    Raises:
        OSError, ValueError or whatever else Pillow says of damaged files; ValueError for more than 100 million pixels,
        floating point, grey of 12 bits, grey of 16 bits with white as 0, and whole numbers beyond 16 bits.

    Not promised: that damage is noticed which the format has no way to notice.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        opened = Image.open(io.BytesIO(content), formats=_formats())
    except UnidentifiedImageError:  # whose text names an address in memory
        raise ValueError(f"no image in one of {', '.join(FORMATS)}, or damaged from the start") from None
    with opened as image:
        _refuse_unserved(image)
        image.draft("RGB", (side, side))
        image.load()
        upright = _rgb(_turned(image))
    width, height = upright.size
    edge = min(width, height)
    left, top = (width - edge) // 2, (height - edge) // 2
    box = (left, top, left + edge, top + edge)
    return upright.resize((side, side), Image.Resampling.BICUBIC, box=box).tobytes()


def _formats() -> tuple[str, ...]:
    """The formats, with their plugins loaded: these alone, where Pillow itself would load all it has."""
    from PIL import (  # noqa: F401
        BmpImagePlugin,
        GifImagePlugin,
        JpegImagePlugin,
        PngImagePlugin,
        TiffImagePlugin,
        WebPImagePlugin,
    )

    return FORMATS


def _refuse_unserved(image: Image) -> None:
    """What is told by the header alone, before memory is taken for pixels."""
    if not 0 < image.width * image.height <= LARGEST:
        raise ValueError(f"{image.width:,} x {image.height:,} pixels, expected 1 to {LARGEST:,}")
    if image.mode == "F":
        raise ValueError("mode F: floating point has no lightest value; save it with 8 or 16 bits a channel")
    tags = getattr(image, "tag_v2", {})
    if tags.get(_BITS) == (12,):
        raise ValueError("12 bits a channel; save it with 8 or 16")
    if tags.get(_BITS) == (16,) and tags.get(_PHOTOMETRIC) == 0:  # which Pillow does not turn round
        raise ValueError("16 bits with white as 0; save it with black as 0")


def _turned(image: Image) -> Image:
    """The image as its EXIF orientation says it is to be seen."""
    from PIL.Image import Transpose

    turns = {
        2: Transpose.FLIP_LEFT_RIGHT,
        3: Transpose.ROTATE_180,
        4: Transpose.FLIP_TOP_BOTTOM,
        5: Transpose.TRANSPOSE,
        6: Transpose.ROTATE_270,
        7: Transpose.TRANSVERSE,
        8: Transpose.ROTATE_90,
    }
    orientation = 1
    with suppress(Exception):  # the pixels are whole; what broken EXIF raises is not foreseeable
        orientation = image.getexif().get(_ORIENTATION, 1)
    return image.transpose(turns[orientation]) if orientation in turns else image


def _rgb(image: Image) -> Image:
    if image.mode in ("La", "RGBa"):  # stored multiplied by its transparency
        image = image.convert(image.mode.upper())
    if image.mode.startswith("I"):
        image = _eight_bits(image)
    return image.convert("RGB")


def _eight_bits(image: Image) -> Image:
    """Grey of 16 bits as grey of 8, v / 257 rounded: 0 stays 0 and 65,535 becomes 255."""
    whole = image.convert("I")
    low, high = (int(bound) for bound in whole.getextrema())  # type: ignore[arg-type]  # of one channel
    if low < 0 or high > _FULL:
        raise ValueError(f"mode {image.mode}: values from {low:,} to {high:,}, expected 0 to {_FULL:,}")
    return whole.point(lambda value: value * (255 / _FULL) + 0.5).convert("L")  # cut to whole numbers, so rounded


def opened(path: str) -> BinaryIO:
    """A file to be read; if it is a pipe by now, it is not waited for."""
    flags = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)
    return open(os.open(path, flags), "rb")


def content_of(path: str) -> bytes:
    """The bytes of an image file.

    Raises:
        OSError: the system cannot read it.
        ValueError: it is no regular file, or has more than 200 million bytes.
    """
    with opened(path) as file:
        seen = os.fstat(file.fileno())
        if not stat.S_ISREG(seen.st_mode):
            raise ValueError("no regular file")
        if seen.st_size > LARGEST_FILE:
            raise ValueError(f"{seen.st_size:,} bytes, expected at most {LARGEST_FILE:,}")
        return file.read(seen.st_size)


def decode_block(block: Block) -> list[Fault]:
    """Write the pixels of a block of files, as `write_block` says."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's remarks on what is odd and harmless
        return write_block(block, lambda at: content_of(os.path.join(block.root, block.names[at])))


def write_block(block: Block, content: Callable[[int], bytes]) -> list[Fault]:
    """Write the pixels of a block, each image in its place, and flush them to the disk.

    Args:
        block: what to decode.
        content: gives the bytes of its first, second, ... file, told by numbers from 0; as `content_of` fails.

    Returns:
        The files that give no pixels; their places are left as they are.

    Raises:
        OSError: the pixels cannot be written.
    """
    decoded: list[tuple[int, bytes]] = []
    faults: list[Fault] = []
    for at, position in enumerate(block.positions):
        pixels = _decoded(content, at, block.side, position)
        if isinstance(pixels, Fault):
            faults.append(pixels)
        else:
            decoded.append((position, pixels))
    _write(block, decoded)
    return faults


def _decoded(content: Callable[[int], bytes], at: int, side: int, position: int) -> bytes | Fault:
    try:
        packed = content(at)
    except OSError as error:
        return Fault(position, error.strerror or str(error), is_damaged=False)
    except ValueError as error:
        return Fault(position, str(error), is_damaged=True)
    try:
        return square(packed, side)
    except MemoryError:
        return Fault(position, "out of memory", is_damaged=False)
    except Exception as error:  # damaged files make decoders fail in any way there is
        return Fault(position, str(error)[:_LONGEST_REASON] or type(error).__name__, is_damaged=True)


def _write(block: Block, decoded: list[tuple[int, bytes]]) -> None:
    if not decoded:
        return
    with open(block.pixels, "r+b") as file:
        for position, pixels in decoded:
            if file.tell() != position * len(pixels):  # a seek would flush what may be written in one piece
                file.seek(position * len(pixels))
            file.write(pixels)
        file.flush()
        os.fsync(file.fileno())


def _serve() -> None:
    """Answer each line, a `Block` as a JSON list, by a line; end with the input.

    Ctrl-C is for whoever asks.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for line in sys.stdin:
        answer: dict[str, object]
        try:
            answer = {"faults": decode_block(Block(*json.loads(line)))}
        except OSError as error:
            answer = {"errno": error.errno, "strerror": error.strerror}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    try:
        _serve()
    except BrokenPipeError:
        os._exit(1)  # whoever asked has gone; an ordinary exit would complain of the answer that it cannot flush
