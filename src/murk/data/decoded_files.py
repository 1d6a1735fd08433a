"""Files that were found, as pixels: decoded once into the pixel cache, whoever asks for them, and mapped from there."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Int64, UInt8

from murk.data.cache import cache_folder, exclusive
from murk.data.decoder import RULE
from murk.data.decoding import available_processors
from murk.data.download import Progress, ProgressCallback
from murk.data.pixel_cache import PixelCache, Record
from murk.data.same_files import same_files
from murk.errors import DataError

LARGEST_SIDE = 4096

Digest = Callable[[UInt8[np.ndarray, "M S S 3"], Int64[np.ndarray, " M"]], str]
"""The digest of a content, from the images of it and their positions."""


class FoundFile(NamedTuple):
    """An image file that is there: its '/'-separated path below the folder, its bytes, its time of change in ns."""

    name: str
    size: int
    changed: int


@dataclass(frozen=True, eq=False)
class ImageFiles:
    """Image files as pixels.

    Attributes:
        images: read-only uint8 memory map [M,S,S,3], M at least 1.
        kept: int64 [M], ascending: the positions of the files, among those asked for, that gave pixels.
        skipped: name and reason of each file that gave none, in order; empty unless skipping was asked for.
        content_sha256: 64 hexadecimal digits, found when the pixels were written.
        same: groups of positions, among those asked for, of files with exactly the same bytes.
    """

    images: UInt8[np.ndarray, "M S S 3"]
    kept: Int64[np.ndarray, " M"]
    skipped: tuple[tuple[str, str], ...]
    content_sha256: str
    same: tuple[tuple[int, ...], ...] = ()


@dataclass(frozen=True)
class DecodeSettings:
    """How image files become pixels; `image_files` says what each is."""

    side: int
    cache: str | os.PathLike[str] | None = None
    processes: int | None = None
    skip_corrupt: bool = False
    verify: bool = False
    on_progress: ProgressCallback | None = None

    def faults(self) -> Iterator[str]:
        """What is wrong with them."""
        side: Any = self.side
        if type(side) is not int or not 1 <= side <= LARGEST_SIDE:
            yield f"expected side as a whole number of pixels in [1, {LARGEST_SIDE}], got {side!r}; 64 or 128 are usual"
        processes: Any = self.processes
        if processes is not None and (type(processes) is not int or processes < 1):
            yield f"expected processes as a whole number of at least 1, got {processes!r}; None takes what there is"
        if self.cache is not None and "\0" in os.fspath(self.cache):
            yield "expected cache as a folder, got a path with a NUL in it; correct it"

    def place(self) -> Path:
        """The folder that holds one folder of pixels for each set of files."""
        return cache_folder() / "folders" if self.cache is None else Path(self.cache)


@dataclass(frozen=True)
class Wanted:
    """What is to be decoded, and what for.

    Attributes:
        root: the folder below which the files lie.
        files: N of them, at least one, known to be there.
        title: what progress is told of.
        purpose: what tells two caches of the same files apart, where their digests are of different things.
        digest: of the content that is identified by it.
    """

    root: Path
    files: Sequence[FoundFile]
    title: str
    purpose: str
    digest: Digest

    def names(self) -> list[str]:
        """The N paths."""
        return [file.name for file in self.files]

    def key(self, side: int) -> str:
        """What the pixels depend on: another cache for whatever changes in it."""
        digest = hashlib.sha256(f"{RULE} {side} {self.purpose}\n".encode())
        for name, size, changed in self.files:
            digest.update(f"{name}\0{size}\0{changed}\0".encode())
        return digest.hexdigest()[:32]


def decoded_files(wanted: Wanted, settings: DecodeSettings) -> ImageFiles:
    """The pixels of files that are known to be there, by settings that are checked.

    Raises:
        DataError: as `image_files` says.
    """
    names = wanted.names()
    kept = PixelCache(settings.place() / wanted.key(settings.side), count=len(names), side=settings.side)
    record = kept.record()
    if record is None or not record.content_sha256:
        with exclusive(kept.folder):  # who comes second waits, and finds what the first has made
            record = _digested(wanted, kept, _filled(wanted, kept, settings))
    if record.skipped and not settings.skip_corrupt:
        then = "replace or remove them and call again, or leave them out by `skip_corrupt=True`, as an earlier call did"
        raise kept.refused(record.skipped, names, then=then)
    images, positions = kept.images(record), _positions(record, len(names))
    if settings.verify and wanted.digest(images, positions) != record.content_sha256:
        raise DataError(
            f"{kept.folder} is damaged: expected content with SHA-256 {record.content_sha256}, got something else; "
            "remove that folder and call again"
        )
    skipped = tuple((names[position], reason) for position, reason in record.skipped)
    return ImageFiles(images, positions, skipped, record.content_sha256, record.same)


def _filled(wanted: Wanted, kept: PixelCache, settings: DecodeSettings) -> Record:
    """The record of pixels that are all written, by this process where no other has done so."""
    record = kept.record()
    if record is not None:
        return record
    processes = settings.processes or available_processors()
    steps = kept.fill(wanted.root, wanted.names(), processes=processes, skip_corrupt=settings.skip_corrupt)
    with closing(steps):
        for through in steps:
            if settings.on_progress is not None:
                settings.on_progress(Progress(wanted.title, through, kept.size))
    record = kept.record()
    if record is None:
        raise DataError(f"{kept.folder} was removed while it was written; call again")
    return record


def _digested(wanted: Wanted, kept: PixelCache, record: Record) -> Record:
    """The record with all that the pixels tell, by this process where no other has done so."""
    if record.content_sha256:
        return record
    images, positions = kept.images(record), _positions(record, len(wanted.files))
    chosen = [wanted.files[position] for position in positions]
    groups = same_files(
        wanted.root, [file.name for file in chosen], sizes=[file.size for file in chosen],
        pixels=lambda row: images[row].tobytes(),
    )  # fmt: skip
    same = tuple(tuple(int(positions[row]) for row in group) for group in groups)
    record = Record(wanted.digest(images, positions), record.skipped, same)
    kept.finish(record)
    return record


def _positions(record: Record, count: int) -> Int64[np.ndarray, " M"]:
    """Of the files that gave pixels."""
    return np.delete(np.arange(count), [position for position, _ in record.skipped])
