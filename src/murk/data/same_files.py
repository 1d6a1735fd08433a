"""Files that are exactly equal, found without reading more of them than need be."""

from __future__ import annotations

import hashlib
import zlib
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from pathlib import Path

from murk.data.decoder import LARGEST_FILE
from murk.data.readers import read_bytes

Group = tuple[int, ...]


def same_files(
    root: Path, names: Sequence[str], *, sizes: Sequence[int], pixels: Callable[[int], bytes]
) -> tuple[Group, ...]:
    """The groups of files that hold the same bytes under different names.

    Files of one size are told apart by their pixels, which are at hand; what is still equal then is read.

    Args:
        root: the folder below which the files lie.
        names: N paths below it; one that is repeated counts once, at its first position.
        sizes: N lengths of the files in bytes.
        pixels: gives what a position decodes to; None of those that decode to nothing.

    Returns:
        Groups of two and more positions, each in order, and in the order of their first ones.

    Raises:
        DataError: a file cannot be read any more.

    Example:
        >>> import tempfile
        >>> root = Path(tempfile.mkdtemp())
        >>> for name, content in (("a", b"one"), ("b", b"two"), ("c", b"one")):
        ...     _ = (root / name).write_bytes(content)
        >>> same_files(root, ["a", "b", "c"], sizes=[3, 3, 3], pixels=lambda position: b"")
        ((0, 2),)
    """
    first = {name: position for position, name in reversed(list(enumerate(names)))}
    groups = _grouped([first.values()], lambda position: sizes[position])
    groups = _grouped(groups, lambda position: zlib.crc32(pixels(position)))
    groups = _grouped(groups, lambda position: _sha256(root / names[position]))
    return tuple(sorted(map(tuple, groups)))


def _grouped(groups: Iterable[Iterable[int]], key: Callable[[int], Hashable]) -> list[list[int]]:
    """Each group split by a key, asked for in the order of positions; what is alone then is left out."""
    group_of = {position: number for number, group in enumerate(groups) for position in group}
    split: defaultdict[Hashable, list[int]] = defaultdict(list)
    for position in sorted(group_of):
        split[group_of[position], key(position)].append(position)
    return [part for part in split.values() if len(part) > 1]


def _sha256(path: Path) -> bytes:
    return hashlib.sha256(read_bytes(path, at_most=LARGEST_FILE)).digest()
