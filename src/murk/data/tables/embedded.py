"""Images that lie within a table, as bytes or as paths, to square pixels by the rule that holds for files."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any

import numpy as np
from jaxtyping import Int64, UInt8

from murk.data.decoded_files import DecodeSettings
from murk.data.decoder import LARGEST_FILE, content_of, square
from murk.data.decoding import available_processors
from murk.data.download import Progress
from murk.data.told_names import told_name, told_names
from murk.errors import DataError, refuse

_AT_ONCE = 256  # images that are in memory as they were packed


def embedded_images(
    column: Any, *, where: str, rows: Int64[np.ndarray, " N"], may_open: bool, settings: DecodeSettings
) -> tuple[UInt8[np.ndarray, "M S S 3"], Int64[np.ndarray, " M"], tuple[tuple[int, str], ...]]:
    """The pixels of the images in a column, held in memory: 3 side^2 bytes each.

    Args:
        column: an Arrow column of structs with `bytes` and perhaps `path`.
        where: the table, for messages.
        rows: which rows, in which order.
        may_open: whether a path without bytes is opened; only for objects that the caller made.
        settings: side, processes (threads here), whether to skip what is damaged, whom to tell of progress.

    Returns:
        The images, the positions in `rows` that gave pixels, and row and reason of each that gave none.

    Raises:
        InputError: a setting is out of range.
        DataError: images are damaged, though not to be skipped, or none is whole.
    """
    refuse(settings.faults())
    side = settings.side
    images = np.zeros((len(rows), side, side, 3), np.uint8)
    faults: dict[int, str] = {}

    def decode(position: int) -> None:
        try:
            content = _content(column[int(rows[position])].as_py(), may_open)
            images[position] = np.frombuffer(square(content, side), np.uint8).reshape(side, side, 3)
        except Exception as error:  # damaged images make decoders fail in any way there is
            faults[position] = str(error)[:200] or type(error).__name__

    with warnings.catch_warnings(), ThreadPoolExecutor(settings.processes or available_processors()) as threads:
        warnings.simplefilter("ignore")  # Pillow's remarks on what is odd and harmless
        for done in _in_blocks(threads, decode, len(rows)):
            if settings.on_progress is not None:
                settings.on_progress(Progress(where, done * side * side * 3, images.nbytes))
    skipped = tuple((int(rows[position]), reason) for position, reason in sorted(faults.items()))
    if skipped and (not settings.skip_corrupt or len(skipped) == len(rows)):
        told = told_names(f"row {row} ({told_name(reason)})" for row, reason in skipped)
        then = "replace them, or leave them out by `skip_corrupt=True`" if len(skipped) < len(rows) else "replace them"
        raise DataError(
            f"expected whole images in {where}, got {len(skipped):,} that cannot be decoded: {told}; {then}"
        )
    kept = np.array([position for position in range(len(rows)) if position not in faults], np.int64)
    return (images[kept] if skipped else images), kept, skipped


def _in_blocks(threads: ThreadPoolExecutor, decode: Any, count: int) -> Iterator[int]:
    """Decode a block after the other, and tell how many are done."""
    left, done = iter(range(count)), 0
    while block := list(islice(left, _AT_ONCE)):
        for _ in threads.map(decode, block):
            pass
        done += len(block)
        yield done


def _content(cell: Any, may_open: bool) -> bytes:
    content = (cell or {}).get("bytes")
    if isinstance(content, bytes):
        if len(content) > LARGEST_FILE:
            raise ValueError(f"{len(content):,} bytes, expected at most {LARGEST_FILE:,}")
        return content
    path = (cell or {}).get("path")
    if not path:
        raise ValueError("no image in this cell")
    if not may_open:
        raise ValueError("only a path and no bytes; paths that lead elsewhere are not followed")
    return content_of(path)
