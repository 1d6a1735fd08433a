"""The content of a data set: its digest, and remembering it where the pixels cannot change any more."""

from __future__ import annotations

import hashlib
from weakref import WeakKeyDictionary

import numpy as np

from murk.data.examples import Dataset

_known: WeakKeyDictionary[Dataset, tuple[str, str]] = WeakKeyDictionary()  # digest of the labels, of everything


def content_sha256(dataset: Dataset) -> str:
    """The SHA-256 of a data set's content: the identity of what was trained on.

    Train images, train labels as little-endian int64, test images, test labels, one after the other in C order.

    Args:
        dataset: of images or features; a memory map is read block by block. What `image_folder` gave is not read
            again: its digest was found when its pixels were written.

    Returns:
        64 hexadecimal digits.

    Not promised: names of classes, ids and groups are not part of it, nor are shapes.
    """
    labels, content = _known.get(dataset, ("", ""))
    return content if content and labels == _labels_sha256(dataset) else computed_sha256(dataset)


def computed_sha256(dataset: Dataset) -> str:
    """What `content_sha256` says, from the content itself, whatever is remembered of it."""
    digest = hashlib.sha256()
    for part in (dataset.train, dataset.test):
        for start in range(0, len(part), 4096):
            digest.update(np.ascontiguousarray(part.images[start : start + 4096]).data)
        digest.update(np.ascontiguousarray(part.labels, dtype="<i8").data)
    return digest.hexdigest()


def remember_content(dataset: Dataset, sha256: str) -> None:
    """Let `content_sha256` answer so for this very object, as long as its labels stay as they are.

    Only for images that nobody can write through it, such as a read-only memory map.
    """
    _known[dataset] = (_labels_sha256(dataset), sha256)


def _labels_sha256(dataset: Dataset) -> str:
    digest = hashlib.sha256()
    for part in (dataset.train, dataset.test):
        digest.update(np.ascontiguousarray(part.labels, dtype="<i8").data)
    return digest.hexdigest()
