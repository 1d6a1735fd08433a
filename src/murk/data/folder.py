"""Folders of image files: their layout understood, decoded once into the pixel cache, and what looks odd told."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from jaxtyping import Int64, UInt8

from murk.data.content import computed_sha256, remember_content
from murk.data.decoded_files import DecodeSettings, ImageFiles, Wanted, decoded_files
from murk.data.download import ProgressCallback
from murk.data.examples import Dataset, Examples
from murk.data.folder_layout import FolderLayout, folder_layout
from murk.data.folder_oddities import folder_oddities
from murk.data.image_files import folder_faults, real_path
from murk.data.reading import Reading
from murk.data.told_names import counted
from murk.errors import DataError, refuse


def image_folder(
    path: str | os.PathLike[str],
    *,
    side: int,
    cache: str | os.PathLike[str] | None = None,
    processes: int | None = None,
    skip_corrupt: bool = False,
    verify: bool = False,
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
    Later calls only list the folder and map that file: a changed name, size or time of change of any file means
    another cache.

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
        verify: read all pixels and compare their digest with what it was when they were written.
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

    Source: the first layout is that of ILSVRC 2012, Russakovsky et al. 2015, arXiv 1409.0575.
    """
    return read_folder(
        path, side=side, cache=cache, processes=processes, skip_corrupt=skip_corrupt, verify=verify, name=name,
        on_progress=on_progress,
    ).dataset  # fmt: skip


def read_folder(
    path: str | os.PathLike[str],
    *,
    side: int,
    cache: str | os.PathLike[str] | None = None,
    processes: int | None = None,
    skip_corrupt: bool = False,
    verify: bool = False,
    name: str = "",
    on_progress: ProgressCallback | None = None,
) -> Reading:
    """What `image_folder` reads, by the same settings, with what each part was taken for and what looks odd.

    Returns:
        Reading without votes, of kind "folder of images". The oddities: corrupt files that were skipped, entries that
        are no images, classes with fewer than 5 examples to train on, exactly equal files under two classes, and
        exactly equal files to train on and to test with.

    Raises:
        InputError, DataError: as `image_folder` says.

    Example:
        >>> import tempfile
        >>> from PIL import Image
        >>> from murk.data.folder import read_folder
        >>> root = Path(tempfile.mkdtemp())
        >>> Image.new("RGB", (40, 30), "orange").save(root / "one.png")
        >>> _ = (root / "notes.txt").write_text("orange")
        >>> reading = read_folder(root, side=16, cache=root / "pixels")
        >>> dict(reading.roles), reading.oddities
        ({'FILE': '1 image to train on, without labels'}, ('1 entry that is no image and is not read: notes.txt',))
    """
    root = real_path(path)
    settings = DecodeSettings(side, cache, processes, skip_corrupt, verify, on_progress)
    refuse([*folder_faults(root), *settings.faults(), *_place_faults(root, settings)])
    layout = folder_layout(root, cache=settings.place())
    read = decoded_files(_wanted(root, layout), settings)
    dataset = _dataset(layout, read.images, read.kept, name or root.name)
    remember_content(dataset, read.content_sha256)
    return Reading(dataset, kind="folder of images", roles=_roles(layout, read), oddities=folder_oddities(layout, read))


def _place_faults(root: Path, settings: DecodeSettings) -> Iterator[str]:
    if real_path(settings.place()) == root:
        yield f"expected a cache that is not the folder of images itself, got {root} for both; set MURK_CACHE"


def _wanted(root: Path, layout: FolderLayout) -> Wanted:
    """All files of the folder; the digest of their content is that of the data set, labels and all."""

    def digest(images: UInt8[np.ndarray, "M S S 3"], kept: Int64[np.ndarray, " M"]) -> str:
        return computed_sha256(_dataset(layout, images, kept, ""))

    return Wanted(root, layout.files, root.name, "folder", digest)


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


def _roles(layout: FolderLayout, read: ImageFiles) -> dict[str, str]:
    """What each part of the folder was taken for."""
    num_train = int(np.searchsorted(read.kept, layout.num_train))
    counts = (num_train, len(read.kept) - num_train)
    if not layout.class_names:
        return {"FILE": f"{counted(num_train, 'image')} to train on, without labels"}
    uses = (f"to train on, {counted(len(layout.class_names), 'class', 'classes')}", "to test with")
    return {
        f"{part}/" if part else "CLASS/": f"{counted(count, 'image')} {use}"
        for part, count, use in zip(layout.parts or ("",), counts, uses, strict=False)
    }
