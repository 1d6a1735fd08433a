"""Folders of image files: their layout understood first, then decoded once into the pixel cache."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Int64, UInt8

from murk.data.coded import Coded
from murk.data.content import computed_sha256, remember_content
from murk.data.decoded_files import DecodeSettings, ImageFiles, WantedFiles, decoded_files
from murk.data.download import ProgressCallback
from murk.data.examples import Dataset, Examples
from murk.data.folder_layout import FolderLayout, folder_layout
from murk.data.folder_oddities import layout_oddities, pixel_oddities
from murk.data.found import Found, Pixels, pixels_of
from murk.data.image_files import folder_faults, real_path
from murk.data.reading import Reading
from murk.data.told_names import counted
from murk.errors import DataError, refuse

KIND = "folder of images"


def image_folder(
    path: str | os.PathLike[str],
    *,
    side: int,
    cache: str | os.PathLike[str] | None = None,
    processes: int | None = None,
    skip_corrupt: bool = False,
    verify: bool | None = None,
    name: str = "",
    on_progress: ProgressCallback | None = None,
) -> Dataset:
    """A data set from a folder of image files, mapped from the disk.

    The layout is one of these, told by what is there:

    - `train/CLASS/FILE` to train on, and `val/CLASS/FILE` (or else `validation/` or `test/`) to test with;
    - `train/CLASS/FILE` alone, or `CLASS/FILE`: all to train on, none to test with;
    - `FILE`: images without labels, which are -1.

    Files end in .bmp, .gif, .jfif, .jpe, .jpeg, .jpg, .png, .tif, .tiff or .webp, in any case, and are opened by what
    they hold; hidden ones are left out. In train/ and val/ anything else is refused; elsewhere it is left aside.
    The first call decodes them all into a file of raw pixels; stopped half-way, by Ctrl-C too, the next one goes on.
    Later calls list the folder, read 12 KiB of each file and map those pixels: a changed name, size or time of change
    of any file, or a change in the first, middle or last 4 KiB of one, means another cache.

    The pixels: the first frame of GIF, WebP and PNG, the first page of TIFF. JPEG decoded at the smallest of 1/8, 1/4,
    1/2 and 1 of its size that is not below `side`; EXIF orientation applied; grey of 16 bits scaled to 8 by v / 257,
    rounded, several channels of 16 bits by their high bytes; everything converted to RGB, CMYK by Pillow's plain
    formula, transparency ignored; the centred square of the shorter side resized to `side` by Pillow's antialiased
    bicubic filter.

    Args:
        path: the folder. Nothing is written there.
        side: edge of the square images in pixels, in [1, 4096].
        cache: a folder for the pixels, 3 side^2 bytes an image; None: `folders` in murk's cache (MURK_CACHE or the
            platform's place). What is in it may be deleted at any time.
        processes: how many decode, at least 1; None: one for each processor.
        skip_corrupt: leave out files that cannot be decoded rather than refuse them.
        verify: whether a later call reads all pixels and compares their digest with what it was when they were
            written; None: where they are at most 1 GiB, which takes less than a second once they are in memory.
        name: of the data set; "" for the folder's name.
        on_progress: called with a `Progress` (bytes of pixels) at the start and after each block of a first call.

    Returns:
        Dataset of read-only uint8 memory maps [N,side,side,3]; class_names are the folders' names in order, ids
        the paths below the part, "CLASS/FILE" or "FILE". Its test part is of length 0 where there is nothing to test
        with. `content_sha256` knows its digest without reading it.

    Raises:
        InputError: `path` is no folder, or a setting is out of range; all told together.
        DataError: classes or files are missing, damaged (though not to be skipped) or out of place, a link leads out of
            the folder, an image has more than 100 million pixels, a file more than 200 million bytes, grey is floating
            point or beyond 16 bits; or the cache cannot be written, or has changed.

    Not promised: other versions of Pillow may decode to other pixels; the digest tells. Two folders whose files agree
    in names, sizes, times of change and those 12 KiB each are taken for the same.

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

    Source: the first layout is that of ILSVRC 2012, Russakovsky et al. 2015, arXiv 1409.0575.
    """
    settings = DecodeSettings(side, cache, processes, skip_corrupt, verify, on_progress)
    return listed_folder(path, settings).dataset(name)


@dataclass(frozen=True, eq=False)
class ListedFolder:
    """A folder of images whose layout is understood, and whose pixels are read once, when they are asked for.

    Attributes:
        root: the folder, all its links followed.
        layout: what lies in it.
        settings: how its files become pixels.
    """

    root: Path
    layout: FolderLayout
    settings: DecodeSettings

    @cached_property
    def files(self) -> ImageFiles:
        """The pixels of its files; slow where they are not in the cache.

        Raises:
            DataError: as `image_folder` says of files and cache.
        """
        return decoded_files(_wanted(self.root, self.layout), self.settings)

    def dataset(self, name: str) -> Dataset:
        """Its examples, with the folders as classes; "" for the folder's own name."""
        dataset = _dataset(self.layout, self.files.images, self.files.kept, name or self.root.name)
        remember_content(dataset, self.files.content_sha256)
        return dataset

    def found(self) -> Found:
        """What is in it as what any reader finds, before a file is decoded."""
        layout = self.layout
        return Found(
            kind=KIND, where=self.root.name, num_train=layout.num_train,
            labels=Coded(layout.labels, list(layout.class_names)), pixels=self._pixels,
            ids=layout.ids(np.arange(len(layout.files))), are_paths=True, parts=layout.parts,
            class_names=layout.class_names, oddities=layout_oddities(layout),
            roles=_roles(layout, (layout.num_train, len(layout.files) - layout.num_train)),
        )  # fmt: skip

    def completed(self, reading: Reading) -> Reading:
        """A reading of what was found in it, with what each part was taken for.

        The digest of its content is known where the labels are those of the folder.
        """
        train, test = reading.dataset.train, reading.dataset.test
        if np.array_equal(np.concatenate([train.labels, test.labels]), self.layout.labels[self.files.kept]):
            remember_content(reading.dataset, self.files.content_sha256)
        return replace(reading, roles=_roles(self.layout, (len(train), len(test))))

    def _pixels(self) -> Pixels:
        odd = pixel_oddities(self.layout, self.files)
        return pixels_of(self.files.images, self.files.kept, num_train=self.layout.num_train, oddities=odd)


def listed_folder(path: str | os.PathLike[str], settings: DecodeSettings) -> ListedFolder:
    """The folder at a path, with its layout.

    Raises:
        InputError: `path` is no folder, or a setting is out of range; all told together.
        DataError: as `image_folder` says of the layout.

    Example:
        >>> import tempfile
        >>> from PIL import Image
        >>> from murk.data.folder import listed_folder
        >>> root = Path(tempfile.mkdtemp())
        >>> Image.new("RGB", (40, 30), "orange").save(root / "one.png")
        >>> _ = (root / "notes.txt").write_text("orange")
        >>> found = listed_folder(root, DecodeSettings(16, cache=root / "pixels")).found()
        >>> found.ids.tolist(), found.oddities
        (['one.png'], ('1 entry that is no image and is not read: notes.txt',))
    """
    root = real_path(path)
    refuse([*folder_faults(root), *settings.faults(), *_place_faults(root, settings)])
    return ListedFolder(root, folder_layout(root, cache=settings.place()), settings)


def _roles(layout: FolderLayout, counts: tuple[int, int]) -> dict[str, str]:
    """What each part of a folder was taken for, with the number of images that it gave."""
    if not layout.class_names:
        return {"FILE": f"{counted(counts[0], 'image')} to train on, without labels"}
    uses = (f"to train on, {counted(len(layout.class_names), 'class', 'classes')}", "to test with")
    return {
        f"{part}/" if part else "CLASS/": f"{counted(count, 'image')} {use}"
        for part, count, use in zip(layout.parts or ("",), counts, uses, strict=False)
    }


def _place_faults(root: Path, settings: DecodeSettings) -> Iterator[str]:
    if real_path(settings.place()) == root:
        yield f"expected a cache that is not the folder of images itself, got {root} for both; set MURK_CACHE"


def _wanted(root: Path, layout: FolderLayout) -> WantedFiles:
    """All files of the folder; the digest of their content is that of the data set, labels and all."""

    def digest(images: UInt8[np.ndarray, "M S S 3"], kept: Int64[np.ndarray, " M"]) -> str:
        return computed_sha256(_dataset(layout, images, kept, ""))

    return WantedFiles(root, layout.files, root.name, "folder", digest)


def _dataset(
    layout: FolderLayout, images: UInt8[np.ndarray, "M S S 3"], kept: Int64[np.ndarray, " M"], name: str
) -> Dataset:
    """The examples of both parts, over the pixels of the files that were kept."""
    num_train = int(np.searchsorted(kept, layout.num_train))
    if not num_train:
        raise DataError(
            f"expected images to train on, got {layout.num_train:,} files of which none can be decoded; replace them "
            "and call again"
        )
    parts = [
        Examples(images[rows], layout.labels[kept[rows]], layout.class_names, ids=layout.ids(kept[rows]))
        for rows in (slice(0, num_train), slice(num_train, None))
        if len(kept[rows])
    ]
    return Dataset(parts[0], parts[1] if len(parts) == 2 else parts[0][:0], name)
