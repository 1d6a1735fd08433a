"""Images that lie within a table, as bytes or as paths, to square pixels by the rule and the cache that files have."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Generator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int64, UInt8

from murk.data.decoded_files import DecodeSettings, Digest, Groups, decoded_files, pixels_sha256
from murk.data.decoder import LARGEST_FILE, RULE, Block, Fault, content_of, write_block
from murk.errors import refuse


def embedded_images(
    column: Any, *, where: str, rows: Int64[np.ndarray, " N"], may_open: bool, settings: DecodeSettings
) -> tuple[UInt8[np.ndarray, "M S S 3"], Int64[np.ndarray, " M"], tuple[tuple[int, str], ...]]:
    """The pixels of the images in a column, mapped from the pixel cache: decoded once, wherever the table lies.

    Args:
        column: an Arrow column of structs with `bytes` and perhaps `path`.
        where: the table, for messages.
        rows: which rows, in which order.
        may_open: whether a path without bytes is opened; only for objects that the caller made.
        settings: as of files; the processes are threads here.

    Returns:
        The images, the positions in `rows` that gave pixels, and row and reason of each that gave none.

    Raises:
        InputError: a setting is out of range.
        DataError: images are damaged, though not to be skipped, or none is whole; the system cannot read one; or the
            cache cannot be written, or has changed.
    """
    refuse(settings.faults())
    read = decoded_files(_Cells(column, rows, where, may_open), settings)
    left_out = rows[np.setdiff1d(np.arange(len(rows)), read.kept)]
    skipped = zip(left_out.tolist(), (reason for _, reason in read.skipped), strict=True)
    return read.images, read.kept, tuple(skipped)


@dataclass(frozen=True, eq=False)
class _Cells:
    """The N cells that are to be decoded, in the order of `rows`."""

    column: Any
    rows: Int64[np.ndarray, " N"]
    title: str
    may_open: bool
    root: Path = Path()
    digest: Digest = pixels_sha256

    def names(self) -> list[str]:
        return [f"row {row} of {self.title}" for row in self.rows]

    def key(self, side: int) -> str:
        """All that the cells hold, which is in memory anyway."""
        digest = hashlib.sha256(f"{RULE} {side} cells\n".encode())
        for position in range(len(self.rows)):
            try:
                digest.update(hashlib.sha256(self._content(position)).digest())
            except (OSError, ValueError) as error:  # told by who decodes it
                digest.update(f"{error}\n".encode(errors="backslashreplace"))
        return digest.hexdigest()[:32]

    def same(self, images: UInt8[np.ndarray, "M S S 3"], positions: Int64[np.ndarray, " M"]) -> Groups:
        """Not asked for."""
        return ()

    def decode(self, blocks: Sequence[Block], *, processes: int) -> Generator[tuple[Block, list[Fault]], None, None]:
        """Decode by threads, which share the table."""
        with warnings.catch_warnings(), ThreadPoolExecutor(processes) as threads:
            warnings.simplefilter("ignore")  # Pillow's remarks on what is odd and harmless
            asked = {threads.submit(self._write, block): block for block in blocks}
            try:
                for future in as_completed(asked):
                    yield asked[future], future.result()
            finally:
                threads.shutdown(cancel_futures=True)

    def _write(self, block: Block) -> list[Fault]:
        return write_block(block, lambda at: self._content(block.positions[at]))

    def _content(self, position: int) -> bytes:
        cell = self.column[int(self.rows[position])].as_py() or {}
        content, path = cell.get("bytes"), cell.get("path")
        if isinstance(content, bytes):
            if len(content) > LARGEST_FILE:
                raise ValueError(f"{len(content):,} bytes, expected at most {LARGEST_FILE:,}")
            return content
        if not path:
            raise ValueError("no image in this cell")
        if not self.may_open:
            raise ValueError("only a path and no bytes; paths that lead elsewhere are not followed")
        return content_of(path)
