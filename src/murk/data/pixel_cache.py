"""The pixel cache: decoded images in one file on the disk, written block by block, once, and then only mapped."""

from __future__ import annotations

import errno
import json
import math
import os
import shutil
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Int64, UInt8

from murk.data.decoder import Block, Fault
from murk.data.decoding import decode_blocks
from murk.data.told_names import NAMED, told_name
from murk.errors import DataError
from murk.files import replace_file

BLOCK_BYTES = 4 << 20
_FEW = 32  # images of a block that are worth a flush to the disk, however few there are in all
_REPAIR = "replace or remove them and call again, or go on without them by `skip_corrupt=True`: what is decoded is kept"
_TURNS = 16  # blocks for each process, so that all end at about the same time


Decode = Callable[..., Generator[tuple[Block, list[Fault]], None, None]]
"""Decodes blocks by so many `processes`, as `decode_blocks` does."""


class Record(NamedTuple):
    """What is known of a cache through which every file has gone.

    Args:
        content_sha256: the digest that it was finished with; "" until then.
        skipped: the position and the reason of each file that gave no pixels, in order.
        same: positions of files that are exactly equal, group by group.
    """

    content_sha256: str
    skipped: tuple[tuple[int, str], ...]
    same: tuple[tuple[int, ...], ...]


class PixelCache:
    """A folder that holds the square RGB images of N files, or of those among them that could be decoded.

    `pixels` is their raw bytes. While it is being filled it has a place for each file, and `done` a byte for each, 1
    once the image is on the disk. `record.json` appears when every file is through, and the digest in it last. Whoever
    fills or finishes must hold the folder by `exclusive`.

    Args:
        folder: where the files lie, or will.
        count: N, at least 1.
        side: edge of an image in pixels, at least 1.
    """

    def __init__(self, folder: Path, *, count: int, side: int) -> None:
        """Remember where and what; nothing is read or written."""
        self.folder = folder
        self.count, self.side = count, side
        self.image = 3 * side**2
        self.size = count * self.image
        self._pixels, self._done, self._record = folder / "pixels", folder / "done", folder / "record.json"

    def record(self) -> Record | None:
        """What was found out when all files were through; None before.

        Raises:
            DataError: they were, but the files of the cache are not as they were left.
        """
        if not self._record.exists():
            return None
        try:
            held = json.loads(self._record.read_bytes())
            shape, found = list(held["shape"]), self._pixels.stat().st_size
            skipped = tuple((int(position), str(reason)) for position, reason in held["skipped"])
            same = tuple(tuple(map(int, group)) for group in held["same"])
            record = Record(str(held["content_sha256"]), skipped, same)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise self._damaged(f"its record and its pixels, got {type(error).__name__}: {error}") from error
        expected = self._shape(skipped)
        if shape != expected or found != math.prod(expected) or not self._are_positions(skipped, same):
            raise self._damaged(f"{math.prod(expected):,} bytes for {expected}, got {found:,} for {shape}")
        return record

    def images(self, record: Record) -> UInt8[np.ndarray, "M S S 3"]:
        """The M images, mapped into memory for reading only.

        Raises:
            DataError: the file is not there, or too short.
        """
        shape = tuple(self._shape(record.skipped))
        try:
            return np.memmap(self._pixels, np.uint8, "r", shape=shape)
        except (OSError, ValueError) as error:
            raise self._damaged(f"pixels of shape {list(shape)}, got {error}") from error

    def fill(
        self, root: Path, names: Sequence[str], *, processes: int, skip_corrupt: bool, decode: Decode = decode_blocks
    ) -> Generator[int, None, None]:
        """Decode what is not there yet; stopped at any moment, the next call goes on.

        Args:
            root: the folder below which the image files lie.
            names: N paths below it, in the order of the images.
            processes: how many decode, at least 1.
            skip_corrupt: leave damaged files out. Only if it is stopped in the seconds in which the images behind
                such a file close up does the next call begin anew.
            decode: decodes blocks.

        Yields:
            How many bytes are through, of `size`: at the start and after each block.

        Raises:
            DataError: some files give no pixels, or the disk does not take them. What is decoded is kept, for a call
                that skips the damaged files, too.
        """
        faults: list[Fault] = []
        try:
            done = self._begun()
            blocks = self._missing(done, root, names, processes)
            through = self.size - self.image * sum(len(block.names) for block in blocks)
            self._refuse_full_disk(self.size - through)
            yield through
            with (
                open(self._done, "r+b", buffering=0) as marks,
                closing(decode(blocks, processes=max(1, min(processes, len(blocks))))) as decoded,
            ):
                for block, found in decoded:
                    faults += found
                    done[sorted({*block.positions} - {fault.position for fault in found})] = 1
                    first, last = block.positions[0], block.positions[-1]
                    marks.seek(first)
                    marks.write(done[first : last + 1].tobytes())
                    through += self.image * len(block.names)
                    yield through
            self._refuse_faults(sorted(faults), names, skip_corrupt)
            self._close_gaps(done)
        except OSError as error:
            raise self._unwritable(error) from error
        self._keep(Record("", tuple((fault.position, fault.reason) for fault in sorted(faults)), ()))
        self._done.unlink(missing_ok=True)

    def finish(self, record: Record) -> None:
        """Say what was found out of the pixels, their digest above all.

        Raises:
            DataError: the record cannot be written.
        """
        self._keep(record)

    def _shape(self, skipped: Sequence[tuple[int, str]]) -> list[int]:
        return [self.count - len(skipped), self.side, self.side, 3]

    def _are_positions(self, skipped: Sequence[tuple[int, str]], same: Sequence[Sequence[int]]) -> bool:
        left_out = [position for position, _ in skipped]
        named = [*left_out, *(position for group in same for position in group)]
        return left_out == sorted(set(left_out)) and all(0 <= position < self.count for position in named)

    def _begun(self) -> UInt8[np.ndarray, " N"]:
        """1 for each image that is on the disk; both files are made anew where one is missing or of another size."""
        if _size(self._pixels) != self.size or _size(self._done) != self.count:
            self._done.unlink(missing_ok=True)
            with open(self._pixels, "wb") as file:
                file.truncate(self.size)
            self._done.write_bytes(bytes(self.count))
        return np.fromfile(self._done, np.uint8)

    def _missing(self, done: UInt8[np.ndarray, " N"], root: Path, names: Sequence[str], processes: int) -> list[Block]:
        """What is not there yet, in blocks."""
        positions = np.flatnonzero(done == 0).tolist()
        even = max(_FEW, math.ceil(len(positions) / (_TURNS * processes)))
        each = max(1, min(BLOCK_BYTES // self.image, even))
        return [
            Block(str(self._pixels), self.side, str(root), [names[position] for position in chosen], chosen)
            for chosen in (positions[start : start + each] for start in range(0, len(positions), each))
        ]

    def _refuse_full_disk(self, needed: int) -> None:
        """The file has holes until it is filled, so that the disk would only complain half-way."""
        free = shutil.disk_usage(self.folder).free
        if free < needed:
            raise OSError(errno.ENOSPC, f"{needed:,} bytes are needed, {free:,} are free")

    def _refuse_faults(self, faults: Sequence[Fault], names: Sequence[str], skip_corrupt: bool) -> None:
        """Refuse files that give no pixels, save those to be skipped; if none gives any, nothing is kept."""
        unread = [(fault.position, fault.reason) for fault in faults if not fault.is_damaged]
        damaged = [(fault.position, fault.reason) for fault in faults if fault.is_damaged]
        if unread and (skip_corrupt or not damaged):
            raise refused(unread, names, then="make them readable and call again: what is decoded is kept")
        if len(damaged) == self.count:
            self._done.unlink(missing_ok=True)
            self._pixels.unlink(missing_ok=True)
            raise refused(damaged, names, then="replace or remove them and call again")
        if damaged and not skip_corrupt:
            raise refused(sorted(unread + damaged), names, then=_REPAIR)

    def _close_gaps(self, done: UInt8[np.ndarray, " N"]) -> None:
        """Move the images that lie behind a skipped file up, so that those that there are lie without a gap."""
        kept = np.flatnonzero(done)
        if len(kept) == self.count:
            return
        with open(self._done, "r+b") as marks:  # which say nothing true from the first move on
            marks.truncate(0)
            os.fsync(marks.fileno())
        each = max(1, BLOCK_BYTES // self.image)
        held = np.memmap(self._pixels, np.uint8, "r", shape=(self.count, self.image))
        with open(self._pixels, "r+b") as file:
            for start in range(0, len(kept), each):
                rows: Int64[np.ndarray, " B"] = kept[start : start + each]
                if rows[-1] > start + len(rows) - 1:
                    file.seek(start * self.image)
                    file.write(held[rows].data)
            del held  # a file that is mapped cannot be cut everywhere
            file.truncate(len(kept) * self.image)
            file.flush()
            os.fsync(file.fileno())

    def _keep(self, record: Record) -> None:
        held = {"shape": self._shape(record.skipped), **record._asdict()}
        replace_file(self._record, json.dumps(held).encode())

    def _unwritable(self, error: OSError) -> DataError:
        return DataError(
            f"could not write {self._pixels}: {error.strerror or error}; make room or free it for writing and call "
            "again: what is decoded is kept; or name another folder by MURK_CACHE"
        )

    def _damaged(self, expected: str) -> DataError:
        return DataError(f"{self.folder} is damaged: expected {expected}; remove that folder and call again")


def refused(faults: Sequence[tuple[int, str]], names: Sequence[str], *, then: str) -> DataError:
    """The error for files that give no pixels: position and reason of each, and what to do next."""
    named = ", ".join(f"{told_name(names[position])} ({told_name(reason)})" for position, reason in faults[:NAMED])
    more = f" and {len(faults) - NAMED:,} more" if len(faults) > NAMED else ""
    return DataError(
        f"expected {len(names):,} images that can be decoded, got {len(faults):,} that cannot: {named}{more}; {then}"
    )


def _size(path: Path) -> int:
    """Its length in bytes; -1 where there is no such file."""
    return path.stat().st_size if path.is_file() else -1
