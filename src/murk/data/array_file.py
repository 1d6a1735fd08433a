"""Array files: `.npy` and `.npz`, opened without trusting them; nothing in them is unpickled or written to the disk."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.lib import format as npy

from murk.errors import DataError

LARGEST_UNPACKED = 4 << 30  # bytes of memory that what a file is unpacked to may fill: what a laptop has
_MOST_RATIO = 1100  # deflate cannot pack more tightly than 1,032 to 1, so that more is a lie
_MOST_MEMBERS = 1000
_HEADER = 10_000  # characters that a header may have
_DEEPEST = 32


class ArrayFile(Mapping[str, Any]):
    """The arrays of an `.npz` by name, unpacked when they are asked for; an `.npy` holds one, mapped, called "images".

    Args:
        path: an existing file.

    Raises:
        DataError: it is no such file, or is damaged, holds Python objects, or says that its arrays unpack to more than
            4 GiB together, or one of them to more than its packed bytes can hold. An `.npy` is of any size.
    """

    def __init__(self, path: Path) -> None:
        """Read what the file says of its arrays; that is all that is trusted."""
        self.path = path
        self._held = {"images": self._mapped()} if path.suffix.lower() == ".npy" else None
        self._members = {} if self._held is not None else self._listed()

    def __getitem__(self, name: str) -> Any:
        """The array of this name."""
        return self._held[name] if self._held is not None else self._unpacked(self._members[name])

    def __iter__(self) -> Iterator[str]:
        """The names, in the order of the file."""
        return iter(self._members if self._held is None else self._held)

    def __len__(self) -> int:
        """Count the arrays."""
        return len(self._members if self._held is None else self._held)

    def _mapped(self) -> Any:
        """The one array, mapped from the disk."""
        try:
            with self.path.open("rb") as file:
                shape, in_columns, kind = self._header(file)
                start, size = file.tell(), self.path.stat().st_size
            want = math.prod(shape) * kind.itemsize
            if size - start < want:
                raise ValueError(f"it holds {size - start:,} bytes of {want:,}")
            order: Literal["F", "C"] = "F" if in_columns else "C"
            if not want:
                return np.zeros(shape, dtype=kind)
            return _checked_text(np.memmap(self.path, dtype=kind, mode="r", offset=start, shape=shape, order=order))
        except Exception as error:  # what a header can be wrong in is not foreseeable
            raise self._damaged(str(error)) from error

    def _listed(self) -> dict[str, zipfile.ZipInfo]:
        try:
            with zipfile.ZipFile(self.path) as archive:
                members = archive.infolist()
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, EOFError) as error:
            raise self._damaged(str(error)) from error
        if len(members) > _MOST_MEMBERS:
            raise self._damaged(f"{len(members):,} arrays, at most {_MOST_MEMBERS:,} are expected")
        found: dict[str, zipfile.ZipInfo] = {}
        for member in members:
            name = member.filename.removesuffix(".npy")
            if name == member.filename or name in found:
                raise self._damaged(f"{member.filename!r:.60} is no array, or is there twice")
            if member.file_size > 4096 + member.compress_size * _MOST_RATIO:
                raise self._damaged(f"array {name!r:.60} says it unpacks to {member.file_size:,} bytes from "
                                    f"{member.compress_size:,}")  # fmt: skip
            found[name] = member
        total = sum(member.file_size for member in members)
        if total > LARGEST_UNPACKED:
            raise self._damaged(f"its arrays say they unpack to {total:,} bytes, at most {LARGEST_UNPACKED:,} are "
                                "taken into memory; examples alone may be of any size, saved by np.save")  # fmt: skip
        return found

    def _unpacked(self, member: zipfile.ZipInfo) -> Any:
        try:
            with zipfile.ZipFile(self.path) as archive, archive.open(member) as file:
                shape, in_columns, kind = self._header(file)
                want = math.prod(shape) * kind.itemsize
                if want > member.file_size:
                    raise ValueError(f"array {member.filename!r:.60} holds {member.file_size:,} bytes of {want:,}")
                content = file.read(want)
                if len(content) != want or file.read(1):
                    raise ValueError(f"array {member.filename!r:.60} is not of the length it says")
            array = np.frombuffer(content, kind) if want else np.zeros(math.prod(shape), kind)
            return _checked_text(array.reshape(shape, order="F" if in_columns else "C"))
        except Exception as error:  # each way of packing fails in its own ways, none of them foreseeable
            raise self._damaged(str(error)) from error

    def _header(self, file: Any) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
        """Shape, order and kind; the kinds that cannot hold objects alone."""
        version = npy.read_magic(file)
        if version not in ((1, 0), (2, 0)):
            raise ValueError(f"format {version}, expected 1.0 or 2.0")
        read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, in_columns, kind = read(file, max_header_size=_HEADER)
        if kind.kind not in "biufU" or not kind.itemsize:
            raise ValueError(f"cells of type {kind}, expected numbers or text: Python objects are never opened; "
                             "save text by np.array(texts, dtype=str)")  # fmt: skip
        if len(shape) > _DEEPEST or any(type(size) is not int or size < 0 for size in shape):
            raise ValueError(f"the shape {shape!r:.60}")
        return shape, in_columns, kind

    def _damaged(self, why: str) -> DataError:
        said = " ".join(why.split())[:300]
        return DataError(f"{self.path} cannot be read as arrays ({said}); write it again by np.save or np.savez")


def _checked_text(array: Any) -> Any:
    """The same array; text must be what text is everywhere, not any 32 bits."""
    if array.dtype.kind == "U":
        points = np.frombuffer(np.ascontiguousarray(array).tobytes(), array.dtype.byteorder.replace("|", "=") + "u4")
        if ((points > 0x10FFFF) | ((points >= 0xD800) & (points < 0xE000))).any():
            raise ValueError("text that is no Unicode")
    return array
