"""Folders of images, one folder a class: listed, checked as a whole, decoded once into the pixel cache."""

from __future__ import annotations

import hashlib
import os
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Int64, UInt8

from murk.data.cache import cache_folder, exclusive
from murk.data.content import computed_sha256, remember_content
from murk.data.decoder import RULE
from murk.data.decoding import available_processors
from murk.data.download import Progress, ProgressCallback
from murk.data.examples import Dataset, Examples
from murk.data.pixel_cache import PixelCache
from murk.errors import DataError, refuse

LARGEST_SIDE = 4096
_SUFFIXES = (".jpeg", ".jpg", ".png")
_NAMED = 5  # names told of each fault; of the others the number

_Faults = defaultdict[str, list[str]]  # what is wrong -> with what


def image_folder(
    path: str | os.PathLike[str],
    *,
    side: int,
    cache: str | os.PathLike[str] | None = None,
    processes: int | None = None,
    verify: bool = False,
    name: str = "",
    on_progress: ProgressCallback | None = None,
) -> Dataset:
    """A data set from a folder of images in ImageNet's layout, mapped from the disk.

    `train/CLASS/FILE` is trained on and `val/CLASS/FILE` (or, where there is no val/, `test/CLASS/FILE`) tests. Files
    end in .jpeg, .jpg or .png, in any case; hidden ones are left out, anything else is refused. The first call decodes
    them all into a file of raw pixels; stopped half-way, by Ctrl-C too, the next one goes on. Later calls only list
    the folder and map that file: a changed name, size or time of change of any file means another cache.

    The pixels: JPEG decoded at the smallest of 1/8, 1/4, 1/2 and 1 of its size that is not below `side`; EXIF
    orientation applied; converted to RGB, transparency ignored; the centred square of the shorter side resized to
    `side` by Pillow's antialiased bicubic filter.

    Args:
        path: the folder that holds train/ and val/. Nothing is written there.
        side: edge of the square images in pixels, in [1, 4096].
        cache: a folder for the pixels, 3 side^2 bytes an image; None: `folders` in murk's cache (MURK_CACHE or the
            platform's place). What is in it may be deleted at any time.
        processes: how many decode, at least 1; None: one for each processor.
        verify: read all pixels and compare their digest with what it was when they were written.
        name: of the data set; "" for the folder's name.
        on_progress: called with a `Progress` (bytes of pixels) at the start and after each block of a first call.

    Returns:
        Dataset of read-only uint8 memory maps [N,side,side,3]; class_names are the folders' names in order, ids
        "CLASS/FILE". `content_sha256` knows its digest without reading it.

    Raises:
        InputError: `path` is no folder, or a setting is out of range; all told together.
        DataError: classes or files are missing, damaged or out of place, a link leads out of the folder, an image has
            more than 100 million pixels or more than 8 bits a channel; or the cache cannot be written, or has changed.

    Not promised: other versions of Pillow may decode to other pixels; the digest tells.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from PIL import Image
        >>> from murk.data import image_folder
        >>> root = Path(tempfile.mkdtemp())
        >>> for folder in ("train/cat", "train/dog", "val/cat", "val/dog"):
        ...     (root / folder).mkdir(parents=True)
        ...     Image.new("RGB", (40, 30), "orange").save(root / folder / "one.png")
        >>> pets = image_folder(root, side=16, cache=root / "cache")
        >>> pets.train.images.shape, pets.class_names, pets.train.ids.tolist()
        ((2, 16, 16, 3), ('cat', 'dog'), ['cat/one.png', 'dog/one.png'])

    Source: the layout of ILSVRC 2012, Russakovsky et al. 2015, arXiv 1409.0575.
    """
    root = _real(path)
    refuse(_setting_faults(root, side, processes))
    listing = _listed(root, side)
    folder = (cache_folder() / "folders" if cache is None else Path(cache)) / listing.key
    kept = PixelCache(folder, count=len(listing.names), side=side)
    content = kept.content_sha256() or _decoded(listing, kept, processes or available_processors(), on_progress)
    dataset = listing.dataset(kept.images(), name or root.name)
    if verify and computed_sha256(dataset) != content:
        raise DataError(
            f"{folder} is damaged: expected content with SHA-256 {content}, got something else; remove that folder "
            "and call again"
        )
    remember_content(dataset, content)
    return dataset


class _Listing(NamedTuple):
    """What is in a folder: the classes, and the files in the order of the examples, those to train on first."""

    root: Path
    class_names: tuple[str, ...]
    names: list[str]
    labels: Int64[np.ndarray, " N"]
    num_train: int
    key: str

    def dataset(self, images: UInt8[np.ndarray, "N S S 3"], name: str) -> Dataset:
        """The examples of both parts, over the pixels of all files."""
        train, test = (
            Examples(
                images[rows], self.labels[rows], self.class_names,
                ids=np.array([file.partition("/")[2] for file in self.names[rows]]),
            )
            for rows in (slice(0, self.num_train), slice(self.num_train, None))
        )  # fmt: skip
        return Dataset(train, test, name)


def _setting_faults(root: Path, side: Any, processes: Any) -> Iterator[str]:
    if not root.is_dir():
        yield f"expected a folder that holds train/ and val/, got {str(root)!r}; make it or correct it"
    if type(side) is not int or not 1 <= side <= LARGEST_SIDE:
        yield f"expected side as a whole number of pixels in [1, {LARGEST_SIDE}], got {side!r}; 64 or 128 are usual"
    if processes is not None and (type(processes) is not int or processes < 1):
        yield f"expected processes as a whole number of at least 1, got {processes!r}; None takes what there is"


def _decoded(listing: _Listing, kept: PixelCache, processes: int, on_progress: ProgressCallback | None) -> str:
    """The digest of the pixels, once all are written; who comes second waits, and finds them."""
    with exclusive(kept.folder):
        if not kept.content_sha256():
            with closing(kept.fill(listing.root, listing.names, processes=processes)) as steps:
                for through in steps:
                    if on_progress is not None:
                        on_progress(Progress(listing.root.name, through, kept.size))
            kept.finish(computed_sha256(listing.dataset(kept.images(), "")))
    return kept.content_sha256()


def _listed(root: Path, side: int) -> _Listing:
    """All files of both parts; `DataError` with everything that is wrong with the folder."""
    parts = ("train", "val" if (root / "val").exists() or not (root / "test").exists() else "test")
    missing = [f"{part}/" for part in parts if not (root / part).is_dir()]
    if missing:
        raise DataError(
            f"expected train/CLASS/FILE and val/CLASS/FILE in {root}, got no {' and no '.join(missing)}; lay the "
            "images out so, one folder a class"
        )
    faults: _Faults = defaultdict(list)
    faults["links that lead out of it"] += [part for part in parts if not _real(root / part).is_relative_to(root)]
    digest = hashlib.sha256(f"{RULE} {side}\n".encode())
    try:
        train, test = (_classes(root, part, digest, faults) for part in parts)
    except OSError as error:
        raise DataError(
            f"could not list {error.filename}: {error.strerror}; make it readable and call again"
        ) from error
    for part, other, only in ((*parts, train.keys() - test.keys()), (*parts[::-1], test.keys() - train.keys())):
        faults[f"classes of {part}/ that {other}/ lacks"] += sorted(only)
    _refuse_faults(root, faults)
    files = [*train.values(), *test.values()]
    return _Listing(
        root=root, class_names=tuple(train), names=[name for names in files for name in names],
        labels=np.repeat(np.tile(np.arange(len(train)), 2), [len(names) for names in files]),
        num_train=sum(map(len, train.values())), key=digest.hexdigest()[:32],
    )  # fmt: skip


def _classes(root: Path, part: str, digest: Any, faults: _Faults) -> dict[str, list[str]]:
    """Class -> its files, both in order; what identifies each file goes into the digest."""
    found: dict[str, list[str]] = {}
    for folder in _entries(root, part, faults):
        if folder.is_dir():
            found[folder.name] = _files(root, f"{part}/{folder.name}", digest, faults)
        else:
            faults["files where only folders of classes belong"].append(f"{part}/{folder.name}")
    faults["classes without an image"] += [f"{part}/{name}" for name, files in found.items() if not files]
    if not found:
        faults["parts without a class"].append(f"{part}/")
    return found


def _files(root: Path, below: str, digest: Any, faults: _Faults) -> list[str]:
    """The images of one class, in order."""
    files = []
    for file in _entries(root, below, faults):
        name = f"{below}/{file.name}"
        if file.is_file() and file.name.lower().endswith(_SUFFIXES):
            seen = file.stat()
            digest.update(os.fsencode(f"{name}\0{seen.st_size}\0{seen.st_mtime_ns}\0"))
            files.append(name)
        else:
            faults[f"entries that are no file in {', '.join(_SUFFIXES)}"].append(name)
    return files


def _entries(root: Path, below: str, faults: _Faults) -> list[os.DirEntry[str]]:
    """What a folder shows, in the order of names; links that lead out of the root are left out, as faults."""
    with os.scandir(root / below) as entries:
        shown = sorted((entry for entry in entries if not entry.name.startswith(".")), key=lambda entry: entry.name)
    inside = [entry for entry in shown if not entry.is_symlink() or _real(entry.path).is_relative_to(root)]
    if len(inside) < len(shown):
        faults["links that lead out of it"] += [f"{below}/{entry.name}" for entry in shown if entry not in inside]
    return inside


def _real(path: str | os.PathLike[str]) -> Path:
    """Where a path ends when all links are followed; unlike `Path.resolve` it bears links in a circle."""
    return Path(os.path.realpath(path))


def _refuse_faults(root: Path, faults: _Faults) -> None:
    told = [
        f"{len(names):,} {what}: {', '.join(names[:_NAMED])}{', ...' if len(names) > _NAMED else ''}"
        for what, names in faults.items()
        if names
    ]
    if told:
        raise DataError(
            f"expected the same classes in both parts of {root}, each a folder of images, got {'; '.join(told)}; put "
            "these right and call again"
        )
