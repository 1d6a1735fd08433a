"""What is legal in a folder of images but looks wrong: told, not refused."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from murk.data.decoded_files import ImageFiles
from murk.data.folder_layout import FolderLayout
from murk.data.told_names import counted, told_name, told_names

FEW = 5  # examples to train on, below which a class is odd


def folder_oddities(layout: FolderLayout, read: ImageFiles) -> tuple[str, ...]:
    """A sentence for each kind of oddity that there is, with the first names and their number.

    Args:
        layout: of the folder.
        read: the pixels of its files.
    """
    return tuple(sentence for find in _KINDS for sentence in find(layout, read))


def _skipped(_: FolderLayout, read: ImageFiles) -> Iterable[str]:
    if read.skipped:
        told = told_names(f"{told_name(name)} ({told_name(reason)})" for name, reason in read.skipped)
        yield f"{counted(len(read.skipped), 'corrupt file')} skipped: {told}"


def _aside(layout: FolderLayout, _: ImageFiles) -> Iterable[str]:
    count = len(layout.aside)
    if count:
        what = "1 entry that is no image and is" if count == 1 else f"{count:,} entries that are no images and are"
        yield f"{what} not read: {told_names(layout.aside)}"


def _small_classes(layout: FolderLayout, read: ImageFiles) -> Iterable[str]:
    labels = layout.labels[read.kept[read.kept < layout.num_train]]
    counts = np.bincount(labels, minlength=len(layout.class_names)) if layout.class_names else np.empty(0, np.int64)
    few = [f"{told_name(layout.class_names[k])} ({counts[k]})" for k in np.flatnonzero(counts < FEW)]
    if few:
        yield f"{counted(len(few), 'class', 'classes')} with fewer than {FEW} examples to train on: {told_names(few)}"


def _two_classes(layout: FolderLayout, read: ImageFiles) -> Iterable[str]:
    groups = [group for group in read.same if len({int(layout.labels[position]) for position in group}) > 1]
    yield from _same("under two classes or more", layout, groups)


def _both_parts(layout: FolderLayout, read: ImageFiles) -> Iterable[str]:
    groups = [group for group in read.same if group[0] < layout.num_train <= group[-1]]
    yield from _same("both to train on and to test with", layout, groups)


def _same(where: str, layout: FolderLayout, groups: list[tuple[int, ...]]) -> Iterable[str]:
    if groups:
        told = (" = ".join(told_name(layout.files[position].name) for position in group) for group in groups)
        yield f"{counted(len(groups), 'image')} as exactly equal files {where}: {told_names(told)}"


_KINDS: tuple[Callable[[FolderLayout, ImageFiles], Iterable[str]], ...] = (
    _skipped, _aside, _small_classes, _two_classes, _both_parts,
)  # fmt: skip
