"""The pixel cache: decoded images in one file on the disk, written block by block, once, and then only mapped."""

from __future__ import annotations

import errno
import json
import math
import shutil
from collections.abc import Generator, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from murk.data.decoder import Block, Fault
from murk.data.decoding import decode_blocks
from murk.errors import DataError
from murk.files import replace_file

BLOCK_BYTES = 4 << 20
_NAMED = 5  # faulty files told by name; of the others the number


class PixelCache:
    """A folder that holds N square RGB images.

    `pixels` is their raw bytes. While it is being filled, `done` has a byte for each image, 1 once that is on the
    disk. `record.json` appears when everything is. Whoever fills or finishes must hold the folder by `exclusive`.

    Args:
        folder: where the files lie, or will.
        count: N, at least 1.
        side: edge of an image in pixels, at least 1.
    """

    def __init__(self, folder: Path, *, count: int, side: int) -> None:
        """Remember where and what; nothing is read or written."""
        self.folder = folder
        self.shape = (count, side, side, 3)
        self.size = math.prod(self.shape)
        self._pixels, self._done, self._record = folder / "pixels", folder / "done", folder / "record.json"

    def content_sha256(self) -> str:
        """The digest that it was finished with; "" if it is not finished.

        Raises:
            DataError: it is finished, but its files are not as they were left.
        """
        if not self._record.exists():
            return ""
        try:
            record = json.loads(self._record.read_bytes())
            recorded, found = list(record["shape"]), self._pixels.stat().st_size
            content = str(record["content_sha256"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise self._damaged(f"its record and its pixels, got {type(error).__name__}: {error}") from error
        if recorded != list(self.shape) or found != self.size:
            raise self._damaged(f"{self.size:,} bytes for {list(self.shape)}, got {found:,} for {recorded}")
        return content

    def images(self) -> UInt8[np.ndarray, "N S S 3"]:
        """All images, mapped into memory for reading only.

        Raises:
            DataError: the file is not there, or too short.
        """
        try:
            return np.memmap(self._pixels, np.uint8, "r", shape=self.shape)
        except (OSError, ValueError) as error:
            raise self._damaged(f"pixels of shape {list(self.shape)}, got {error}") from error

    def fill(self, root: Path, names: Sequence[str], *, processes: int) -> Generator[int, None, None]:
        """Decode what is not there yet; stopped at any moment, the next call goes on.

        Args:
            root: the folder below which the image files lie.
            names: N paths below it, in the order of the images.
            processes: how many decode, at least 1.

        Yields:
            How many bytes are through, of `size`: at the start and after each block.

        Raises:
            DataError: some files give no pixels, or the disk does not take them. What is decoded is kept, except when
                a file is damaged: its repair makes another folder of it, which has another cache.
        """
        faults: list[Fault] = []
        image = self.size // len(names)
        try:
            blocks = self._missing(self._begun(), root, names)
            through = self.size - image * sum(len(block.names) for block in blocks)
            self._refuse_full_disk(self.size - through)
            yield through
            with (
                open(self._done, "r+b", buffering=0) as done,
                closing(decode_blocks(blocks, processes=max(1, min(processes, len(blocks))))) as decoded,
            ):
                for block, found in decoded:
                    faults += found
                    if not found:
                        done.seek(block.offset // image)
                        done.write(b"\1" * len(block.names))
                    through += image * len(block.names)
                    yield through
        except OSError as error:
            raise self._unwritable(error) from error
        if faults:
            raise self._refused(faults)

    def finish(self, content_sha256: str) -> None:
        """Say that everything is there, and what its digest is.

        Raises:
            DataError: the record cannot be written.
        """
        record = {"shape": list(self.shape), "content_sha256": content_sha256}
        replace_file(self._record, json.dumps(record).encode())
        self._done.unlink(missing_ok=True)

    def _begun(self) -> UInt8[np.ndarray, " N"]:
        """1 for each image that is on the disk; both files are made anew where one is missing or of another size."""
        count = self.shape[0]
        if _size(self._pixels) != self.size or _size(self._done) != count:
            self._done.unlink(missing_ok=True)
            with open(self._pixels, "wb") as file:
                file.truncate(self.size)
            self._done.write_bytes(bytes(count))
        return np.fromfile(self._done, np.uint8)

    def _missing(self, done: UInt8[np.ndarray, " N"], root: Path, names: Sequence[str]) -> list[Block]:
        """The blocks in which an image is not there yet."""
        image = self.size // len(names)
        each = max(1, BLOCK_BYTES // image)
        return [
            Block(str(self._pixels), start * image, self.shape[1], str(root), list(names[start : start + each]))
            for start in range(0, len(names), each)
            if not done[start : start + each].all()
        ]

    def _refuse_full_disk(self, needed: int) -> None:
        """The file has holes until it is filled, so that the disk would only complain half-way."""
        free = shutil.disk_usage(self.folder).free
        if free < needed:
            raise OSError(errno.ENOSPC, f"{needed:,} bytes are needed, {free:,} are free")

    def _refused(self, faults: Sequence[Fault]) -> DataError:
        """The error for files that give no pixels; what has become worthless by them is removed."""
        named = ", ".join(f"{fault.name} ({fault.reason})" for fault in sorted(faults)[:_NAMED])
        more = f" and {len(faults) - _NAMED:,} more" if len(faults) > _NAMED else ""
        then = "make them readable and call again: what is decoded is kept"
        if any(fault.is_damaged for fault in faults):
            self._done.unlink(missing_ok=True)
            self._pixels.unlink(missing_ok=True)
            then = "replace or remove them and call again; nothing is kept"
        return DataError(
            f"expected {self.shape[0]:,} images that can be decoded, got {len(faults):,} that cannot: {named}{more}; "
            f"{then}"
        )

    def _unwritable(self, error: OSError) -> DataError:
        return DataError(
            f"could not write {self._pixels}: {error.strerror or error}; make room or free it for writing and call "
            "again: what is decoded is kept; or name another folder by cache= or MURK_CACHE"
        )

    def _damaged(self, expected: str) -> DataError:
        return DataError(f"{self.folder} is damaged: expected {expected}; remove that folder and call again")


def _size(path: Path) -> int:
    """Its length in bytes; -1 where there is no such file."""
    return path.stat().st_size if path.is_file() else -1
