"""Found images as pixels: decoded once into the pixel cache, whoever asks for them, and mapped from there."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Int64, UInt8

from murk.data.cache import cache_folder, exclusive
from murk.data.decoder import RULE, opened
from murk.data.decoding import available_processors, decode_blocks
from murk.data.download import Progress, ProgressCallback
from murk.data.pixel_cache import Decode, PixelCache, Record, refused
from murk.data.same_files import same_files
from murk.errors import DataError

LARGEST_SIDE = 4096
PIECE = 4096  # bytes of the head, the middle and the tail of a file, by which its content is told from another
VERIFIED = 1 << 30  # bytes of pixels up to which each start verifies them

Digest = Callable[[UInt8[np.ndarray, "M S S 3"], Int64[np.ndarray, " M"]], str]
"""The digest of a content, from the images of it and their positions."""

Groups = tuple[tuple[int, ...], ...]


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
    verify: bool | None = None
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

    def verifies(self, size: int) -> bool:
        """Whether so many bytes of pixels are compared with their digest before they are used again."""
        return size <= VERIFIED if self.verify is None else self.verify

    def place(self) -> Path:
        """The folder that holds one folder of pixels for each set of files."""
        return cache_folder() / "folders" if self.cache is None else Path(self.cache)


@runtime_checkable
class Wanted(Protocol):
    """What is to be decoded: N images, at least one, known to be there."""

    @property
    def root(self) -> Path:
        """The folder below which they lie, where they are files."""

    @property
    def title(self) -> str:
        """What progress is told of."""

    @property
    def digest(self) -> Digest:
        """Of the content that is identified by it."""

    @property
    def decode(self) -> Decode:
        """Decodes blocks of them."""

    def names(self) -> list[str]:
        """What each is called."""

    def key(self, side: int) -> str:
        """What the pixels depend on: another cache for whatever changes in it."""

    def same(self, images: UInt8[np.ndarray, "M S S 3"], positions: Int64[np.ndarray, " M"]) -> Groups:
        """Groups of positions of those that are exactly equal, where that is asked for."""


@dataclass(frozen=True)
class WantedFiles:
    """Files that are to be decoded, and what for.

    Attributes:
        root: the folder below which the files lie.
        files: N of them, at least one, known to be there.
        title: what progress is told of.
        purpose: what tells two caches of the same files apart, where their digests are of different things.
        digest: of the content that is identified by it.
        decode: decodes blocks of them.
    """

    root: Path
    files: Sequence[FoundFile]
    title: str
    purpose: str
    digest: Digest
    decode: Decode = decode_blocks

    def names(self) -> list[str]:
        """The N paths."""
        return [file.name for file in self.files]

    def key(self, side: int) -> str:
        """What the pixels depend on: another cache for whatever changes in it, wherever the folder lies.

        Raises:
            DataError: files cannot be read.
        """
        digest = hashlib.sha256(f"{RULE} {side} {self.purpose}\n".encode())
        unread: list[tuple[int, str]] = []
        for position, file in enumerate(self.files):
            digest.update(f"{file.name}\0{file.size}\0{file.changed}\0".encode())
            try:
                digest.update(hashlib.sha256(_pieces(os.path.join(self.root, file.name), file.size)).digest())
            except OSError as error:
                unread.append((position, error.strerror or str(error)))
        if unread:
            raise refused(unread, self.names(), then="make them readable and call again")
        return digest.hexdigest()[:32]

    def same(self, images: UInt8[np.ndarray, "M S S 3"], positions: Int64[np.ndarray, " M"]) -> Groups:
        """Groups of positions of files with exactly the same bytes."""
        chosen = [self.files[position] for position in positions]
        groups = same_files(
            self.root, [file.name for file in chosen], sizes=[file.size for file in chosen],
            pixels=lambda row: images[row].tobytes(),
        )  # fmt: skip
        return tuple(tuple(int(positions[row]) for row in group) for group in groups)


def pixels_sha256(images: UInt8[np.ndarray, "M S S 3"], _: Int64[np.ndarray, " M"]) -> str:
    """The digest of images, one after the other."""
    digest = hashlib.sha256()
    for start in range(0, len(images), 4096):
        digest.update(np.ascontiguousarray(images[start : start + 4096]).data)
    return digest.hexdigest()


def _pieces(path: str, size: int) -> bytes:
    """A small file whole; of a larger one the head, the middle and the tail."""
    with opened(path) as file:
        if size <= 3 * PIECE:
            return file.read(3 * PIECE)
        pieces = []
        for start in (0, (size - PIECE) // 2, size - PIECE):
            file.seek(start)
            pieces.append(file.read(PIECE))
    return b"".join(pieces)


def decoded_files(wanted: Wanted, settings: DecodeSettings) -> ImageFiles:
    """The pixels of images that are known to be there, by settings that are checked.

    Raises:
        DataError: as `image_files` says.
    """
    names = wanted.names()
    kept = PixelCache(settings.place() / wanted.key(settings.side), count=len(names), side=settings.side)
    record = kept.record()
    is_remembered = record is not None and record.content_sha256 != ""
    if record is None or not is_remembered:
        with exclusive(kept.folder):  # who comes second waits, and finds what the first has made
            record = _digested(wanted, kept, _filled(wanted, kept, settings))
    if record.skipped and not settings.skip_corrupt:
        then = "replace or remove them and call again, or leave them out by `skip_corrupt=True`, as an earlier call did"
        raise refused(record.skipped, names, then=then)
    images, positions = kept.images(record), _positions(record, len(names))
    checks = is_remembered and settings.verifies(images.nbytes)
    if checks and wanted.digest(images, positions) != record.content_sha256:
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
    steps = kept.fill(
        wanted.root, wanted.names(), processes=processes, skip_corrupt=settings.skip_corrupt, decode=wanted.decode
    )
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
    images, positions = kept.images(record), _positions(record, kept.count)
    record = Record(wanted.digest(images, positions), record.skipped, wanted.same(images, positions))
    kept.finish(record)
    return record


def _positions(record: Record, count: int) -> Int64[np.ndarray, " M"]:
    """Of the files that gave pixels."""
    return np.delete(np.arange(count), [position for position, _ in record.skipped])
