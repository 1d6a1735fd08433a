"""What is legal in a folder of images but looks wrong: told, not refused."""

from __future__ import annotations

from collections.abc import Iterator

from murk.data.decoded_files import ImageFiles
from murk.data.folder_layout import FolderLayout
from murk.data.told_names import counted, told_name, told_names


def layout_oddities(layout: FolderLayout) -> tuple[str, ...]:
    """A sentence on what lies there and is not read, if anything does, with the first names and their number."""
    count = len(layout.aside)
    if not count:
        return ()
    what = "1 entry that is no image and is" if count == 1 else f"{count:,} entries that are no images and are"
    return (f"{what} not read: {told_names(layout.aside)}",)


def pixel_oddities(layout: FolderLayout, files: ImageFiles) -> tuple[str, ...]:
    """A sentence for each kind of oddity that only reading the files shows, with the first names and their number.

    Args:
        layout: of the folder.
        files: the pixels of its files.
    """
    labels = layout.labels
    classes = [group for group in files.same if len({int(labels[position]) for position in group}) > 1]
    parts = [group for group in files.same if group[0] < layout.num_train <= group[-1]]
    return (
        *_skipped(files),
        *_same("under two classes or more", layout, classes),
        *_same("both to train on and to test with", layout, parts),
    )


def _skipped(files: ImageFiles) -> Iterator[str]:
    if files.skipped:
        told = told_names(f"{told_name(name)} ({told_name(reason)})" for name, reason in files.skipped)
        yield f"{counted(len(files.skipped), 'corrupt file')} skipped: {told}"


def _same(where: str, layout: FolderLayout, groups: list[tuple[int, ...]]) -> Iterator[str]:
    if groups:
        told = (" = ".join(told_name(layout.files[position].name) for position in group) for group in groups)
        yield f"{counted(len(groups), 'image')} as exactly equal files {where}: {told_names(told)}"
