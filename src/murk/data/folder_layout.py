"""Layouts of folders of images: which one it is, what is in it, and everything that is wrong with it at once."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Int64, Shaped

from murk.data.decoded_files import FoundFile
from murk.data.image_files import is_utf8, real_path
from murk.data.tables import TABLE_ENDINGS
from murk.data.told_names import counted, told_name, told_names
from murk.errors import DataError

SUFFIXES = (".bmp", ".gif", ".jfif", ".jpe", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
TRAIN, TESTS = "train", ("val", "validation", "test")  # the first of them that is there
_NO_LABELS = "to read them without labels, name the folder they are in"
_LAYOUTS = "train/CLASS/FILE and val/CLASS/FILE, train/CLASS/FILE alone, CLASS/FILE, or FILE"


@dataclass(frozen=True, eq=False)
class FolderLayout:
    """What is in a folder of images.

    Attributes:
        class_names: the K folders of classes, in order; empty where there are none.
        files: N of them, those to train on first, class by class, each class in the order of names.
        labels: int64 [N] in [0, K), or -1 for all.
        num_train: how many are to train on, at least 1.
        parts: ("train", "val"), ("train",), or () where the folder has no parts.
        aside: what lies there and is not read.
    """

    class_names: tuple[str, ...]
    files: tuple[FoundFile, ...]
    labels: Int64[np.ndarray, " N"]
    num_train: int
    parts: tuple[str, ...] = ()
    aside: tuple[str, ...] = ()

    def ids(self, positions: Int64[np.ndarray, " M"]) -> Shaped[np.ndarray, " M"]:
        """The paths of files below their part, as text."""
        names = (self.files[position].name for position in positions)
        return np.array([name.partition("/")[2] if self.parts else name for name in names], dtype=np.str_)


def folder_layout(root: Path, *, cache: Path) -> FolderLayout:
    """The layout of a folder: with parts if one is there, else of classes if a folder of images is, else flat.

    Args:
        root: an existing folder, all its links followed.
        cache: is no part of the images, wherever it lies.

    Raises:
        DataError: everything that is wrong with it, or that it cannot be listed.
    """
    lister = _Lister(root, real_path(cache))
    try:
        shown = [entry for entry in lister.entries("") if not lister.leads_to_cache(entry)]
        folders = {entry.name for entry in shown if entry.is_dir()}
        if folders & {TRAIN, *TESTS}:
            layout = _with_parts(lister, shown, folders)
        elif any(map(lister.has_images, folders)) or not any(map(_is_image, shown)):
            layout = _of_classes(lister, shown)
        else:
            layout = _flat(lister, shown)
    except OSError as error:
        where = told_name(str(error.filename))
        raise DataError(f"could not list {where}: {error.strerror}; make it readable and call again") from error
    lister.refuse()
    return layout


@dataclass(frozen=True)
class _Lister:
    """Lists folders below the root and gathers what is wrong with them."""

    root: Path
    cache: Path
    faults: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))  # what is wrong -> with what
    aside: list[str] = field(default_factory=list)

    def entries(self, below: str) -> list[os.DirEntry[str]]:
        """What a folder shows, in the order of names; what leads out of the root or has no name is left out."""
        with os.scandir(self.root / below) as entries:
            shown = sorted((entry for entry in entries if not entry.name.startswith(".")), key=lambda entry: entry.name)
        listed = []
        for entry in shown:
            if entry.is_symlink() and not real_path(entry.path).is_relative_to(self.root):
                self.faults["links that lead out of it"].append(below + entry.name)
            elif not is_utf8(entry.name):
                self.faults["names that are not UTF-8"].append(below + entry.name)
            elif not (entry.is_dir() and real_path(entry.path) == self.cache):
                listed.append(entry)
        return listed

    def has_images(self, folder: str) -> bool:
        """Whether an image lies right in a folder of the root."""
        with os.scandir(self.root / folder) as entries:
            return any(_is_image(entry) for entry in entries if not entry.name.startswith("."))

    def leads_to_cache(self, entry: os.DirEntry[str]) -> bool:
        """Whether an entry of the root is a folder that is there for the cache in it, rather than for images."""
        holds = entry.is_dir() and self.cache.is_relative_to(real_path(entry.path))
        return holds and entry.name not in (TRAIN, *TESTS) and not self.has_images(entry.name)

    def classes(self, part: str, shown: Iterable[os.DirEntry[str]], *, strict: bool) -> dict[str, list[FoundFile]]:
        """Class -> its files, both in order; `part` is "" or ends in "/"."""
        found: dict[str, list[FoundFile]] = {}
        for entry in shown:
            name = part + entry.name
            if entry.is_dir():
                found[entry.name] = self.files(f"{name}/", strict=strict)
            elif strict and _is_image(entry):
                self.faults[f"images that are in no class ({_NO_LABELS})"].append(name)
            elif strict:
                self.faults["files where only folders of classes belong"].append(name)
            elif _is_image(entry):
                self.faults["images beside folders of classes"].append(name)
            else:
                self.aside.append(name)
        self.faults["classes without an image"] += [part + name for name, files in found.items() if not files]
        self.faults["classes whose name is blank"] += [part + name for name in found if not name.strip()]
        return found

    def files(self, below: str, *, strict: bool) -> list[FoundFile]:
        """The images of one class, in order."""
        files = []
        for entry in self.entries(below):
            if _is_image(entry):
                files.append(_found(below, entry))
            elif strict:
                self.faults[f"entries that are no file in {', '.join(SUFFIXES)}"].append(below + entry.name)
            elif entry.is_dir():
                self.faults["folders inside a class"].append(below + entry.name)
            else:
                self.aside.append(below + entry.name)
        return files

    def refuse_tables(self) -> None:
        """`DataError` where tables lie and no image does: whoever names such a folder means the tables."""
        noted = [*self.aside, *(name for names in self.faults.values() for name in names)]
        tables = [name for name in noted if name.lower().endswith(TABLE_ENDINGS)]
        if tables:
            raise DataError(
                f"expected images in {self.root}, got none, but {counted(len(tables), 'table')}: {told_names(tables)}; "
                "name one table itself; all Parquet files of a data set are read together where each is called by its "
                "split and number, such as train-00000-of-00001.parquet"
            )

    def refuse(self) -> None:
        """`DataError` with everything that is wrong, if anything is."""
        told = [f"{len(names):,} {what}: {told_names(names)}" for what, names in self.faults.items() if names]
        if told:
            raise DataError(
                f"expected {_LAYOUTS} in {self.root}, got {'; '.join(told)}; put these right and call again"
            )


def _with_parts(lister: _Lister, shown: Iterable[os.DirEntry[str]], folders: set[str]) -> FolderLayout:
    """train/CLASS/FILE, and the same classes in the first of val/, validation/ and test/ that is there, if any."""
    test = next((name for name in TESTS if name in folders), None)
    parts = (TRAIN,) if test is None else (TRAIN, test)
    if TRAIN not in folders:
        raise DataError(
            f"expected {_LAYOUTS} in {lister.root}, got {test}/ and no {TRAIN}/; name the part to train on {TRAIN}/, "
            f"or, if {test}/ is a class, rename it"
        )
    lister.aside.extend(entry.name + "/" * entry.is_dir() for entry in shown if entry.name not in parts)
    classes = [lister.classes(f"{part}/", lister.entries(f"{part}/"), strict=True) for part in parts]
    _compare(lister, dict(zip(parts, classes, strict=True)))
    files = [group for found in classes for group in found.values()]
    if not any(files):
        lister.refuse_tables()
    return FolderLayout(
        tuple(classes[0]), tuple(file for group in files for file in group),
        np.repeat([k for found in classes for k in range(len(found))], list(map(len, files))).astype(np.int64),
        sum(map(len, classes[0].values())), parts, tuple(lister.aside),
    )  # fmt: skip


def _compare(lister: _Lister, classes: Mapping[str, Mapping[str, object]]) -> None:
    """Both parts must have classes, and the same ones."""
    lister.faults["parts without a class"] += [f"{part}/" for part, found in classes.items() if not found]
    for part, found in classes.items():
        for other in classes.keys() - {part}:
            lister.faults[f"classes of {part}/ that {other}/ lacks"] += sorted(found.keys() - classes[other].keys())


def _of_classes(lister: _Lister, shown: Iterable[os.DirEntry[str]]) -> FolderLayout:
    """CLASS/FILE, all to train on."""
    classes = lister.classes("", shown, strict=False)
    if not any(classes.values()):
        lister.refuse_tables()
    if not classes and not any(lister.faults.values()):
        kinds = ", ".join(SUFFIXES)
        others = f"{len(lister.aside):,} others: {told_names(lister.aside)}" if lister.aside else "nothing else either"
        raise DataError(
            f"expected {_LAYOUTS} in {lister.root}, got no file in {kinds}, and {others}; name the folder of the images"
        )
    return FolderLayout(
        tuple(classes), tuple(file for files in classes.values() for file in files),
        np.repeat(np.arange(len(classes)), [len(files) for files in classes.values()]).astype(np.int64),
        sum(map(len, classes.values())), (), tuple(lister.aside),
    )  # fmt: skip


def _flat(lister: _Lister, shown: Iterable[os.DirEntry[str]]) -> FolderLayout:
    """FILE, without labels."""
    files = []
    for entry in shown:
        if _is_image(entry):
            files.append(_found("", entry))
        else:
            lister.aside.append(entry.name + "/" * entry.is_dir())
    return FolderLayout((), tuple(files), np.full(len(files), -1), len(files), (), tuple(lister.aside))


def _is_image(entry: os.DirEntry[str]) -> bool:
    return entry.name.lower().endswith(SUFFIXES) and entry.is_file()


def _found(below: str, entry: os.DirEntry[str]) -> FoundFile:
    seen = entry.stat()
    return FoundFile(below + entry.name, seen.st_size, seen.st_mtime_ns)
