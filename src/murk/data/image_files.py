"""Image files by name: checked as a whole, decoded once into the pixel cache, and mapped from there."""

from __future__ import annotations

import os
import stat
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PureWindowsPath

from murk.data.decoded_files import DecodeSettings, FoundFile, ImageFiles, WantedFiles, decoded_files, pixels_sha256
from murk.data.download import ProgressCallback
from murk.data.told_names import told_name, told_names
from murk.errors import refuse

__all__ = ["ImageFiles", "folder_faults", "image_files", "is_utf8", "real_path"]

_NO_FILE = "where there is no file; correct them or bring the files"


def image_files(
    root: str | os.PathLike[str],
    names: Sequence[str],
    *,
    side: int,
    cache: str | os.PathLike[str] | None = None,
    processes: int | None = None,
    skip_corrupt: bool = False,
    verify: bool | None = None,
    on_progress: ProgressCallback | None = None,
) -> ImageFiles:
    """The pixels of image files that are given by name, for example by a table.

    Each file is opened by its content, whatever it is called, and becomes `side` x `side` RGB by the rule that
    `image_folder` states, into the same kind of cache: resumed where it was stopped, decoded once, then only mapped.

    Args:
        root: the folder below which all files lie. Nothing is written there.
        names: N paths below it, separated by '/'; a name may come several times, and then has pixels several times.
        side: edge of the square images in pixels, in [1, 4096].
        cache: a folder for the pixels, 3 side^2 bytes an image; None: `folders` in murk's cache (MURK_CACHE or the
            platform's place). What is in it may be deleted at any time.
        processes: how many decode, at least 1; None: one for each processor.
        skip_corrupt: leave out files that cannot be decoded, and say which, rather than refuse them.
        verify: whether a later call reads all pixels and compares their digest with what it was when they were
            written; None: where they are at most 1 GiB, which takes less than a second once they are in memory.
        on_progress: called with a `Progress` (bytes of pixels) at the start and after each block of a first call.

    Returns:
        ImageFiles; its `content_sha256` is the digest of the M images, one after the other.

    Raises:
        InputError: `root` is no folder, a setting is out of range, or a name is absolute, has '..' or NUL in it, leads
            out of the folder by a link, or names no file; all told together.
        DataError: files are damaged, though not to be skipped, or none is whole; the system cannot read one; or the
            cache cannot be written, or has changed.

    Example:
        >>> import tempfile
        >>> from PIL import Image
        >>> from murk.data.image_files import image_files
        >>> root = Path(tempfile.mkdtemp())
        >>> Image.new("RGB", (40, 30), "orange").save(root / "one.png")
        >>> _ = (root / "two.png").write_text("no image")
        >>> read = image_files(root, ["one.png", "two.png"], side=16, cache=root / "pixels", skip_corrupt=True)
        >>> read.images.shape, read.kept.tolist(), [name for name, reason in read.skipped]
        ((1, 16, 16, 3), [0], ['two.png'])
    """
    settings = DecodeSettings(side, cache, processes, skip_corrupt, verify, on_progress)
    base = real_path(root)
    inside: dict[str, bool] = {}
    found = {name: _file(base, name, inside) for name in dict.fromkeys(names)} if os.path.isdir(base) else {}
    refuse([*folder_faults(base), *settings.faults(), *_name_faults(base, found, len(names))])
    files = [file for file in map(found.__getitem__, names) if isinstance(file, FoundFile)]
    return decoded_files(WantedFiles(base, files, base.name, "files", pixels_sha256), settings)


def folder_faults(root: Path) -> Iterator[str]:
    """What is wrong with a path that should be a folder of images."""
    if not os.path.isdir(root):  # which bears any path, where `Path.is_dir` does not
        yield f"expected a folder that holds images, got {told_name(str(root))}; make it or correct it"


def real_path(path: str | os.PathLike[str]) -> Path:
    """Where a path ends when all links are followed; unlike `Path.resolve` it bears links in a circle, and any text."""
    try:
        return Path(os.path.realpath(path))
    except ValueError:  # NUL, or text that no file can be called
        return Path(path)


def is_utf8(name: str) -> bool:
    """Whether a name is text everywhere; on some systems names of files are bytes that need not be."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _name_faults(root: Path, found: Mapping[str, FoundFile | str], count: int) -> Iterator[str]:
    """What is wrong with the names: one sentence for each kind of fault."""
    if not count:
        yield "expected at least one name of an image file, got none"
    wrong: defaultdict[str, list[str]] = defaultdict(list)
    for name, fault in found.items():
        if isinstance(fault, str):
            wrong[fault].append(name)
    for fault, which in wrong.items():
        what, then = fault.split("; ")
        yield f"expected names of image files below {root}, got {len(which):,} {what}: {told_names(which)}; {then}"


def _file(root: Path, name: str, inside: dict[str, bool]) -> FoundFile | str:
    """The file of this name; or what is wrong with it, and what to do.

    `inside` remembers of each folder whether it lies below the root, where its links end.
    """
    if not isinstance(name, str):
        return "that are no text; write paths below it"
    if not is_utf8(name):
        return "that are not UTF-8; rename the files"
    if "\0" in name:
        return "with a NUL in them; correct them"
    if os.path.isabs(name) or PureWindowsPath(name).anchor:
        return "that are absolute; write them from that folder on"
    if ".." in PureWindowsPath(name).parts:
        return "with '..' in them; write them from that folder on, or name a folder further up"
    path = os.path.join(root, name)
    above = os.path.dirname(path)
    try:
        if above not in inside:
            inside[above] = real_path(above).is_relative_to(root)
        seen = os.lstat(path)
        if not inside[above] or (stat.S_ISLNK(seen.st_mode) and not real_path(path).is_relative_to(root)):
            return "that leave it by a link; put the files themselves there"
        seen = os.stat(path)
    except OSError:
        return _NO_FILE
    return FoundFile(name, seen.st_size, seen.st_mtime_ns) if stat.S_ISREG(seen.st_mode) else _NO_FILE
