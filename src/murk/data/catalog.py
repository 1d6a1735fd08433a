"""The catalog: data sets by name, from a folder of official files, the user's cache, or a verified download."""

from __future__ import annotations

import difflib
import hashlib
import os
from contextlib import suppress
from pathlib import Path

import numpy as np

from murk.data.archive import extract
from murk.data.cache import cache_folder, exclusive, is_verified, mark_verified
from murk.data.digits import load_digits
from murk.data.download import ProgressCallback, download
from murk.data.entries import ENTRIES, CatalogEntry
from murk.data.examples import Dataset, Examples
from murk.data.readers import CIFAR_PIXELS, Decoded, read_cifar_split, read_idx_split
from murk.errors import DataError, InputError


def load(name: str, *, root: str | os.PathLike[str] | None = None, progress: ProgressCallback | None = None) -> Dataset:
    """A data set of the catalog.

    Looked for in `root` (or the folder MURK_DATA names), then in the cache (MURK_CACHE or the platform's place), then
    fetched from the published addresses, verified, into the cache. The decoded content must have the pinned SHA-256;
    it is digested at the first load of the files, and again whenever they change.

    Args:
        name: digits (bundled with scikit-learn), mnist, fashion-mnist, cifar10 or cifar100.
        root: a folder of official layouts (mnist/, fashion-mnist/, cifar-10-batches-bin/, cifar-100-binary/), in place
            of MURK_DATA. Nothing is ever written there.
        progress: called with a `Progress` for each piece of a download.

    Returns:
        Dataset with uint8 images [N,H,W,C] and labels [N]; for cifar100 the 100 fine ones.

    Raises:
        InputError: no such name (the nearest is told), or `root` is no folder.
        DataError: files are missing, damaged, not the official ones, or cannot be fetched.

    Example:
        >>> import murk.data
        >>> digits = murk.data.load("digits")
        >>> len(digits.train), len(digits.test), digits.train.example_shape
        (1297, 500, (8, 8, 1))
    """
    return load_entry(entry(name), root=root, progress=progress)


def entry(name: str) -> CatalogEntry:
    """The catalog's entry of this name; `InputError` with the nearest one if there is none."""
    names = [known.name for known in ENTRIES]
    if name in names:
        return ENTRIES[names.index(name)]
    nearest = difflib.get_close_matches(str(name).lower(), names, n=1, cutoff=0.0)
    raise InputError(f"expected one of {', '.join(names)}, got {name!r}; did you mean {nearest[0]!r}?")


def locate(name: str, *, root: str | os.PathLike[str] | None = None) -> Path | None:
    """The folder that holds a set's official files already, or None; nothing is fetched, and "digits" needs none.

    Raises:
        InputError: no such name, or `root` (or MURK_DATA) is no folder.
        DataError: the folder under `root` (or MURK_DATA) holds some of the files only.
    """
    return _located(entry(name), root)


def fetch(
    name: str, *, root: str | os.PathLike[str] | None = None, progress: ProgressCallback | None = None
) -> Path | None:
    """See that a set's official files are on this machine, fetching what is missing.

    Returns:
        The folder that holds them; None for "digits", which is bundled.

    Raises:
        InputError, DataError: as `load`; the content is verified at the first load.
    """
    return _fetched(entry(name), root, progress)


def content_sha256(dataset: Dataset) -> str:
    """The SHA-256 of a data set's content: the identity of what was trained on.

    Train images, train labels as little-endian int64, test images, test labels, one after the other in C order.

    Args:
        dataset: of images or features; a memory map is read block by block.

    Returns:
        64 hexadecimal digits.

    Not promised: names of classes, ids and groups are not part of it, nor are shapes.
    """
    digest = hashlib.sha256()
    for part in (dataset.train, dataset.test):
        for start in range(0, len(part), 4096):
            digest.update(np.ascontiguousarray(part.images[start : start + 4096]).data)
        digest.update(np.ascontiguousarray(part.labels, dtype="<i8").data)
    return digest.hexdigest()


def load_entry(
    wanted: CatalogEntry, *, root: str | os.PathLike[str] | None = None, progress: ProgressCallback | None = None
) -> Dataset:
    """What `load` does, for an entry in hand."""
    folder = _fetched(wanted, root, progress)
    dataset = load_digits() if folder is None else _decoded(wanted, folder)
    files = [] if folder is None else [folder / file for file in wanted.files]
    if files and is_verified(files, content_sha256=wanted.content_sha256):
        return dataset
    found = content_sha256(dataset)
    if found != wanted.content_sha256:
        raise DataError(
            f"{folder or 'the bundled set'} can be read but is not the official {wanted.name}: expected content "
            f"with SHA-256 {wanted.content_sha256}, got {found}; replace the files by the official ones"
        )
    if files:
        mark_verified(files, content_sha256=wanted.content_sha256)
    return dataset


def _located(wanted: CatalogEntry, root: str | os.PathLike[str] | None) -> Path | None:
    """The set's folder under `root` or MURK_DATA, else a complete one in the cache, else None."""
    if wanted.layout == "bundled":
        return None
    named = root if root is not None else os.environ.get("MURK_DATA", "")
    if os.fspath(named):
        base = Path(named)
        if not base.is_dir():
            whence = "root" if root is not None else "MURK_DATA"
            raise InputError(
                f"expected {whence} to name a folder of data sets, got {str(base)!r}; make it or correct it"
            )
        folder = base / wanted.folder
        missing = _missing(wanted, folder)
        if not missing:
            return folder
        if folder.exists():
            raise DataError(
                f"{folder} lacks {', '.join(missing)}; put the official files there, or remove the folder so that the "
                "set is fetched"
            )
    cached = _kept() / wanted.folder
    return None if _missing(wanted, cached) else cached


def _fetched(
    wanted: CatalogEntry, root: str | os.PathLike[str] | None, progress: ProgressCallback | None
) -> Path | None:
    """The folder of the official files, fetched into the cache if they are nowhere yet."""
    found = _located(wanted, root)
    if found is not None or wanted.layout == "bundled":
        return found
    kept = _kept()
    with exclusive(kept):
        folder = kept / wanted.folder
        if _missing(wanted, folder):
            _fill(wanted, kept, progress)
        return folder


def _fill(wanted: CatalogEntry, kept: Path, progress: ProgressCallback | None) -> None:
    """Download what is missing; an archive is unpacked and removed."""
    for remote in wanted.remotes:
        path = download(remote, kept, progress=progress)
        if wanted.layout == "cifar":
            try:
                extract(path, kept / wanted.folder, files=_archive_files(wanted))
            finally:
                with suppress(OSError):
                    path.unlink()


def _kept() -> Path:
    """The folder of fetched sets, in the same layout as a folder that MURK_DATA names."""
    return cache_folder() / "data"


def _missing(wanted: CatalogEntry, folder: Path) -> list[str]:
    return [file for file in wanted.files if not (folder / file).is_file()]


def _archive_files(wanted: CatalogEntry) -> dict[str, int | None]:
    """What a CIFAR archive must hold, with lengths, and what it may hold."""
    record = len(wanted.label_classes) + CIFAR_PIXELS
    sizes: dict[str, int | None] = {
        file: split.num_examples // len(split.files) * record
        for split in (wanted.train, wanted.test)
        for file in split.files
    }
    return sizes | dict.fromkeys(wanted.notes)


def _decoded(wanted: CatalogEntry, folder: Path) -> Dataset:
    """Both splits, read strictly."""
    train, test = (
        Examples(decoded.images, decoded.labels, wanted.class_names)
        for decoded in (_read(wanted, folder, is_test=False), _read(wanted, folder, is_test=True))
    )
    return Dataset(train=train, test=test, name=wanted.name)


def _read(wanted: CatalogEntry, folder: Path, *, is_test: bool) -> Decoded:
    split = wanted.test if is_test else wanted.train
    paths = [folder / file for file in split.files]
    if wanted.layout == "cifar":
        return read_cifar_split(paths, num_examples=split.num_examples, classes=wanted.label_classes)
    images, labels = paths
    shape = (split.num_examples, *wanted.example_shape)
    return read_idx_split(images, labels, shape=shape, num_classes=wanted.num_classes)
