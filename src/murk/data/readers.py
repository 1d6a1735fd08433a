"""Readers of the official files: idx (MNIST, Fashion-MNIST) and CIFAR's binary records; bytes in, arrays out.

They trust nothing: whatever the bytes are, the answer is the arrays or one `DataError`.
"""

from __future__ import annotations

import math
import os
import stat
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Int64, UInt8

from murk.errors import DataError

_UBYTE = 8
_SIDE, _CHANNELS = 32, 3
CIFAR_PIXELS = _SIDE * _SIDE * _CHANNELS


class Decoded(NamedTuple):
    """Images and labels as they stand in the files of one split."""

    images: UInt8[np.ndarray, "N H W C"]
    labels: Int64[np.ndarray, " N"]


def read_bytes(path: Path, *, at_most: int) -> bytes:
    """All bytes of a regular file; `DataError` if there is none, it cannot be read, or it is longer than `at_most`."""
    try:
        with open(os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise DataError(f"expected a file at {path}, got something else; put the official file there")
            raw = file.read(at_most + 1)
    except OSError as error:
        raise DataError(
            f"could not read {path}: {error.strerror or error}; check that it is there and open to you"
        ) from error
    if len(raw) > at_most:
        raise DataError(f"expected at most {at_most:,} bytes in {path}, got more; replace it by the official file")
    return raw


def gunzip(raw: bytes, *, size: int, where: str) -> bytes:
    """The `size` bytes that one gzip member holds; never unpacks more than that, however much the file promises.

    Args:
        raw: the whole compressed file.
        size: the number of bytes it must unpack to, at least 0.
        where: the file's name, for the error.

    Raises:
        DataError: not gzip, damaged, cut short, followed by other bytes, or of another length.

    Example:
        >>> import gzip
        >>> from murk.data.readers import gunzip
        >>> gunzip(gzip.compress(b"abc"), size=3, where="abc.gz")
        b'abc'
    """
    unpacker = zlib.decompressobj(wbits=31)
    try:
        content = unpacker.decompress(raw, size + 1)
    except zlib.error as error:
        raise _damaged(where, "whole gzip data", str(error)) from error
    if len(content) > size:
        raise _damaged(where, f"{size:,} bytes when unpacked", "more")
    if not unpacker.eof:
        raise _damaged(where, f"{size:,} bytes when unpacked", f"{len(content):,} and then its end: it is cut short")
    if len(content) < size:
        raise _damaged(where, f"{size:,} bytes when unpacked", f"{len(content):,}")
    if unpacker.unused_data:
        raise _damaged(where, "nothing after the gzip data", f"{len(unpacker.unused_data):,} further bytes")
    return content


def decode_idx(raw: bytes, *, dimensions: int, where: str) -> UInt8[np.ndarray, ...]:
    """The unsigned bytes of an idx file, in the shape its header states.

    Two zero bytes, type 8 (unsigned byte), the number of dimensions, each size as a big-endian 32-bit number, the data.

    Args:
        raw: the unpacked file.
        dimensions: how many there must be: 3 for images, 1 for labels.
        where: the file's name, for the error.

    Raises:
        DataError: any other header, a size of zero, or too few or too many bytes.

    Example:
        >>> from murk.data.readers import decode_idx
        >>> decode_idx(bytes([0, 0, 8, 1, 0, 0, 0, 2, 7, 9]), dimensions=1, where="labels").tolist()
        [7, 9]

    Source: LeCun, Cortes, Burges, "The MNIST database of handwritten digits", file formats.
    """
    header = 4 + 4 * dimensions
    if len(raw) < header:
        raise _damaged(where, f"an idx header of {header} bytes", f"{len(raw)} bytes")
    if raw[:4] != bytes((0, 0, _UBYTE, dimensions)):
        raise _damaged(where, f"idx magic 0000{_UBYTE:02x}{dimensions:02x}", raw[:4].hex())
    shape = tuple(int.from_bytes(raw[at : at + 4], "big") for at in range(4, header, 4))
    if 0 in shape:
        raise _damaged(where, "sizes above zero", str(list(shape)))
    if len(raw) - header != math.prod(shape):
        raise _damaged(where, f"{math.prod(shape):,} bytes of data for {list(shape)}", f"{len(raw) - header:,}")
    return np.frombuffer(raw, np.uint8, offset=header).reshape(shape)


def decode_cifar(raw: bytes, *, classes: Sequence[int], where: str) -> Decoded:
    """Images and labels of CIFAR's binary records.

    A record is one label byte for each entry of `classes`, then 1,024 red, 1,024 green and 1,024 blue bytes.

    Args:
        raw: the whole file.
        classes: how many values each label byte may take: (10,) for CIFAR-10 (3,073 bytes a record), (20, 100) for
            CIFAR-100, coarse then fine (3,074 bytes). The last one is the label; the others are only checked.
        where: the file's name, for the error.

    Returns:
        Decoded(images uint8 [N,32,32,3], labels int64 [N]).

    Raises:
        DataError: no whole number of records, none at all, or a label out of range.

    Example:
        >>> from murk.data.readers import decode_cifar
        >>> decode_cifar(bytes([9]) + bytes(3072), classes=(10,), where="one.bin").labels.tolist()
        [9]

    Source: Krizhevsky 2009, "Learning multiple layers of features from tiny images"; the data's web page.
    """
    record = len(classes) + CIFAR_PIXELS
    if not raw or len(raw) % record:
        raise _damaged(where, f"a whole number of {record:,}-byte records", f"{len(raw):,} bytes")
    table = np.frombuffer(raw, np.uint8).reshape(-1, record)
    for column, most in enumerate(classes):
        _check_labels(table[:, column], most, where)
    planes = table[:, len(classes) :].reshape(-1, _CHANNELS, _SIDE, _SIDE)
    return Decoded(np.ascontiguousarray(planes.transpose(0, 2, 3, 1)), table[:, len(classes) - 1].astype(np.int64))


def read_idx_split(images: Path, labels: Path, *, shape: tuple[int, ...], num_classes: int) -> Decoded:
    """One split of an idx.gz data set: `shape` [N,H,W,C] with C = 1 is what must be in it.

    Raises:
        DataError: a file is missing, damaged, or holds something of another shape.
    """
    count = shape[0]
    pixels = _read_idx(images, shape=shape[:3])
    numbers = _read_idx(labels, shape=(count,))
    _check_labels(numbers, num_classes, labels.name)
    return Decoded(pixels[..., None].copy(), numbers.astype(np.int64))


def read_cifar_split(paths: Sequence[Path], *, num_examples: int, classes: Sequence[int]) -> Decoded:
    """One split of a CIFAR set: files of equally many records, `num_examples` together.

    Raises:
        DataError: a file is missing, damaged, or of another length.
    """
    images = np.empty((num_examples, _SIDE, _SIDE, _CHANNELS), np.uint8)
    labels = np.empty(num_examples, np.int64)
    each = num_examples // len(paths)
    size = each * (len(classes) + CIFAR_PIXELS)
    for number, path in enumerate(paths):
        raw = read_bytes(path, at_most=size)
        if len(raw) != size:
            raise _damaged(str(path), f"{size:,} bytes", f"{len(raw):,}: it is cut short")
        part = slice(number * each, (number + 1) * each)
        images[part], labels[part] = decode_cifar(raw, classes=classes, where=str(path))
    return Decoded(images, labels)


def _read_idx(path: Path, *, shape: tuple[int, ...]) -> np.ndarray:
    size = 4 + 4 * len(shape) + math.prod(shape)
    raw = read_bytes(path, at_most=size + size // 100 + 65_536)
    found = decode_idx(gunzip(raw, size=size, where=str(path)), dimensions=len(shape), where=str(path))
    if found.shape != shape:
        raise _damaged(str(path), f"data of shape {list(shape)}", str(list(found.shape)))
    return found


def _check_labels(labels: np.ndarray, num_classes: int, where: str) -> None:
    if int(labels.max()) >= num_classes:
        row = int(np.argmax(labels >= num_classes))
        raise _damaged(where, f"labels below {num_classes}", f"{labels[row]} in record {row}")


def _damaged(where: str, expected: str, got: str) -> DataError:
    return DataError(
        f"{where} is damaged: expected {expected}, got {got}; replace it by the official file "
        "(in the cache: remove it and load again)"
    )
