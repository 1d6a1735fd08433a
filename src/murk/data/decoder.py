"""The decoder: image files to square RGB pixels, by one rule; also a process of its own that takes a block a line.

As a process it imports nothing of murk, so that it starts at once, and nothing of the caller's script.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import warnings
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from PIL.Image import Image

RULE = 1  # to be raised with every change of the pixels that `square` gives
LARGEST = 100_000_000  # pixels of one image
_ORIENTATION = 0x0112
_DEEP_MODES = ("F", "I")  # and all their variants: more than 8 bits a channel


class Block(NamedTuple):
    """Some files, and where their pixels belong.

    Args:
        pixels: the file written to; it exists.
        offset: byte of it at which the first image begins.
        side: edge of the images in pixels.
        root: the folder below which the files lie.
        names: their paths below it, in the order of the images.
    """

    pixels: str
    offset: int
    side: int
    root: str
    names: list[str]


class Fault(NamedTuple):
    """A file that gives no pixels.

    Args:
        name: its path below the folder.
        reason: what is wrong with it.
        is_damaged: False where the system could not read it, so that the same file may do next time.
    """

    name: str
    reason: str
    is_damaged: bool


def square(path: str, side: int) -> bytes:
    """The pixels of one JPEG or PNG file, whatever it is called: `side` x `side` x RGB, one byte each.

    JPEG is decoded at the smallest of 1/8, 1/4, 1/2 and 1 of its size that is not below `side`; the EXIF orientation
    is applied (one that cannot be read counts as none); everything becomes RGB, transparency ignored; the centred
    square of the shorter side is resized by Pillow's antialiased bicubic filter.

    Raises:
        OSError, ValueError or whatever else Pillow says of damaged files; ValueError for more than 100 million pixels
        or more than 8 bits a channel.
    """
    from PIL import Image

    with Image.open(path, formats=("JPEG", "PNG")) as image:
        if image.width * image.height > LARGEST:
            raise ValueError(f"{image.width:,} x {image.height:,} pixels, more than {LARGEST:,}")
        if image.mode.startswith(_DEEP_MODES):
            raise ValueError(f"mode {image.mode}: more than 8 bits a channel")
        image.draft("RGB", (side, side))
        image.load()
        upright = _turned(image).convert("RGB")
    width, height = upright.size
    edge = min(width, height)
    left, top = (width - edge) // 2, (height - edge) // 2
    box = (left, top, left + edge, top + edge)
    return upright.resize((side, side), Image.Resampling.BICUBIC, box=box).tobytes()


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


def decode_block(block: Block) -> list[Fault]:
    """Write the pixels of a block, one image after the other, and flush them to the disk.

    Returns:
        The files that give no pixels; if there are any, nothing is written.

    Raises:
        OSError: the pixels cannot be written.
    """
    content, faults = bytearray(), []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's remarks on what is odd and harmless
        for name in block.names:
            try:
                content += square(os.path.join(block.root, name), block.side)
            except Exception as error:  # damaged files make decoders fail in any way there is
                is_system = isinstance(error, OSError) and error.errno is not None
                reason = str(error.strerror if isinstance(error, OSError) and is_system else error)
                faults.append(Fault(name, reason or type(error).__name__, not is_system))
    if not faults:
        with open(block.pixels, "r+b") as file:
            file.seek(block.offset)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    return faults


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
