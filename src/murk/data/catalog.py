"""The catalog: data sets by name, from a folder of official files, the user's cache, or a verified download."""

from __future__ import annotations

import difflib
import os
import re
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from murk.data.archive import extract
from murk.data.cache import cache_folder, exclusive, is_verified, mark_verified
from murk.data.content import content_sha256
from murk.data.digits import load_digits
from murk.data.download import ProgressCallback, download
from murk.data.entries import ENTRIES, CatalogEntry
from murk.data.examples import Dataset, Examples
from murk.data.folder import image_folder
from murk.data.readers import CIFAR_PIXELS, Decoded, read_cifar_split, read_idx_split
from murk.errors import DataError, InputError

IMAGENET_SIDE = 128
_FOLDER_NAME = re.compile(r"folder:([^/\\:.][^/\\:]*)@([1-9][0-9]*)")


def load(name: str, *, root: str | os.PathLike[str] | None = None, progress: ProgressCallback | None = None) -> Dataset:
    """A data set by name: one of the catalog, or a folder of images below MURK_DATA.

    A set of the catalog is looked for in `root` (or the folder MURK_DATA names), then in the cache (MURK_CACHE or the
    platform's place), then fetched from the published addresses, verified, into the cache. The decoded content must
    have the pinned SHA-256; it is digested at the first load of the files, and again whenever they change.

    Args:
        name: digits (bundled with scikit-learn), mnist, fashion-mnist, cifar10 or cifar100; "folder:NAME@SIDE" for
            `image_folder` of MURK_DATA/NAME at SIDE pixels; "imagenet", which is "folder:imagenet@128".
        root: a folder of official layouts (mnist/, fashion-mnist/, cifar-10-batches-bin/, cifar-100-binary/,
            imagenet/), in place of MURK_DATA. Nothing is ever written there.
        progress: called with a `Progress` for each piece of a download, or each block of decoded images.

    Returns:
        Dataset with uint8 images [N,H,W,C] and labels [N]; for cifar100 the 100 fine ones. Its name is the one asked
        for.

    Raises:
        InputError: no such name (the nearest is told), or `root` is no folder.
        DataError: files are missing, damaged, not the official ones, or cannot be fetched.

    Example:
        >>> import murk.data
        >>> digits = murk.data.load("digits")
        >>> len(digits.train), len(digits.test), digits.train.example_shape
        (1297, 500, (8, 8, 1))
    """
    asked = _asked_folder(name)
    if asked is None:
        return load_entry(entry(name), root=root, progress=progress)
    return image_folder(_found_folder(asked, root), side=asked.side, name=name, on_progress=progress)


def entry(name: str) -> CatalogEntry:
    """The catalog's entry of this name; `InputError` with the nearest one if there is none."""
    names = [known.name for known in ENTRIES]
    if name in names:
        return ENTRIES[names.index(name)]
    nearest = difflib.get_close_matches(str(name).lower(), names, n=1, cutoff=0.0)
    raise InputError(
        f"expected one of {', '.join(names)}, got {name!r}; did you mean {nearest[0]!r}? Folders of "
        "images are loaded as 'imagenet' and 'folder:NAME@SIDE'"
    )


def locate(name: str, *, root: str | os.PathLike[str] | None = None) -> Path | None:
    """The folder that holds a set's files already, or None; nothing is fetched, and "digits" needs none.

    Raises:
        InputError: no such name, or `root` (or MURK_DATA) is no folder.
        DataError: the folder under `root` (or MURK_DATA) holds some of the files only.
    """
    asked = _asked_folder(name)
    return _located(entry(name), root) if asked is None else _located_folder(asked, root)


def fetch(
    name: str, *, root: str | os.PathLike[str] | None = None, progress: ProgressCallback | None = None
) -> Path | None:
    """See that a set's official files are on this machine, fetching what is missing; folders of images must be there.

    Returns:
        The folder that holds them; None for "digits", which is bundled.

    Raises:
        InputError, DataError: as `load`; the content is verified at the first load.
    """
    asked = _asked_folder(name)
    return _fetched(entry(name), root, progress) if asked is None else _found_folder(asked, root)


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
    base = _base(root)
    if base is not None:
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


def _base(root: str | os.PathLike[str] | None) -> Path | None:
    """The folder that holds the official layouts: `root`, else what MURK_DATA names, else None."""
    named = root if root is not None else os.environ.get("MURK_DATA", "")
    if not os.fspath(named):
        return None
    if not Path(named).is_dir():
        whence = "root" if root is not None else "MURK_DATA"
        raise InputError(f"expected {whence} to name a folder of data sets, got {str(named)!r}; make it or correct it")
    return Path(named)


class _AskedFolder(NamedTuple):
    """A folder of images that a name asks for, and the edge of its images in pixels."""

    folder: str
    side: int


def _asked_folder(name: str) -> _AskedFolder | None:
    """What "imagenet" and "folder:NAME@SIDE" ask for; None for names of the catalog."""
    if name == "imagenet":
        return _AskedFolder("imagenet", IMAGENET_SIDE)
    if not str(name).startswith("folder:"):
        return None
    found = _FOLDER_NAME.fullmatch(name)
    if found is None:
        raise InputError(
            f"expected folder:NAME@SIDE, a folder right below MURK_DATA and an edge in pixels, got {name!r}; write it "
            "like folder:flowers@64, or read any folder by image_folder"
        )
    return _AskedFolder(found[1], int(found[2]))


def _located_folder(asked: _AskedFolder, root: str | os.PathLike[str] | None) -> Path | None:
    base = _base(root)
    return base / asked.folder if base is not None and (base / asked.folder).is_dir() else None


def _found_folder(asked: _AskedFolder, root: str | os.PathLike[str] | None) -> Path:
    """The folder of images that was asked for; `DataError` with the layout, and where ImageNet comes from."""
    found = _located_folder(asked, root)
    if found is not None:
        return found
    source = "lay your images out so"
    if asked.folder == "imagenet":
        source = (
            "murk cannot fetch ImageNet, whose terms ask each user to sign up: do so at https://image-net.org and "
            "unpack ILSVRC2012_img_train.tar and ILSVRC2012_img_val.tar, one folder a class (n01440764, ...)"
        )
    base = _base(root)
    raise DataError(
        f"expected {asked.folder}/train/CLASS/FILE.JPEG and {asked.folder}/val/CLASS/FILE.JPEG below "
        f"{'MURK_DATA, which is not set' if base is None else f'{base}, which has no such folder'}; {source}, and name "
        "the folder above by MURK_DATA"
    )


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
