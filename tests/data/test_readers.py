"""Readers give the arrays that were written, and one `DataError` for any other bytes."""

from __future__ import annotations

import gzip

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from official_layouts import idx_bytes

from murk.data.readers import decode_cifar, decode_idx, gunzip, read_bytes, read_cifar_split, read_idx_split
from murk.errors import DataError

IMAGES = hnp.arrays(np.uint8, st.tuples(*(st.integers(1, 5) for _ in range(3))))


@given(IMAGES)
def test_idx_images_come_back_as_they_were_written(images):
    assert np.array_equal(decode_idx(idx_bytes(images), dimensions=3, where="x"), images)


@given(hnp.arrays(np.uint8, st.integers(1, 40)))
def test_idx_labels_come_back_as_they_were_written(labels):
    assert np.array_equal(decode_idx(idx_bytes(labels), dimensions=1, where="x"), labels)


@given(st.binary(max_size=200), st.sampled_from([1, 3]))
def test_any_bytes_are_idx_or_a_data_error(raw, dimensions):
    try:
        found = decode_idx(raw, dimensions=dimensions, where="x")
    except DataError:
        return
    assert idx_bytes(found) == raw


@given(st.binary(max_size=40), st.sampled_from([1, 3]))
def test_any_bytes_after_a_right_magic_are_idx_or_a_data_error(rest, dimensions):
    raw = bytes([0, 0, 8, dimensions]) + rest
    try:
        found = decode_idx(raw, dimensions=dimensions, where="x")
    except DataError:
        return
    assert idx_bytes(found) == raw


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"", "header of 8 bytes, got 0"),
        (bytes([0, 0, 8, 3]) + bytes(12), "magic 00000801, got 00000803"),
        (bytes([0, 0, 9, 1, 0, 0, 0, 1, 5]), "magic"),
        (bytes([1, 0, 8, 1, 0, 0, 0, 1, 5]), "magic"),
        (bytes([0, 0, 8, 1, 0, 0, 0, 0]), "above zero"),
        (bytes([0, 0, 8, 1, 255, 255, 255, 255, 5]), "4,294,967,295 bytes of data"),
        (bytes([0, 0, 8, 1, 0, 0, 0, 1, 5, 6]), "1 bytes of data for [1], got 2"),
    ],
)
def test_each_fault_of_an_idx_file_is_named(raw, words):
    with pytest.raises(DataError) as caught:
        decode_idx(raw, dimensions=1, where="labels.gz")
    assert words in str(caught.value) and "labels.gz is damaged" in str(caught.value)


@st.composite
def cifar_records(draw):
    classes = draw(st.sampled_from([(10,), (20, 100)]))
    count = draw(st.integers(1, 3))
    images = np.random.default_rng(draw(st.integers(0, 99))).integers(0, 256, (count, 32, 32, 3), np.uint8)
    columns = [np.array([draw(st.integers(0, most - 1)) for _ in range(count)], np.uint8) for most in classes]
    raw = np.concatenate([np.stack(columns, 1), images.transpose(0, 3, 1, 2).reshape(count, -1)], axis=1).tobytes()
    return classes, images, columns[-1], raw


@settings(deadline=None)
@given(cifar_records())
def test_cifar_records_come_back_as_they_were_written(case):
    classes, images, labels, raw = case
    found = decode_cifar(raw, classes=classes, where="x")
    assert np.array_equal(found.images, images) and np.array_equal(found.labels, labels)


@settings(deadline=None)
@given(cifar_records(), st.integers(1, 3000))
def test_cifar_files_cut_short_are_refused(case, cut):
    classes, _, _, raw = case
    with pytest.raises(DataError, match=r"whole number of 3,07[34]-byte records"):
        decode_cifar(raw[:-cut], classes=classes, where="x")


@settings(deadline=None)
@given(st.binary(max_size=100), st.integers(0, 2), st.sampled_from([(10,), (20, 100)]))
def test_any_bytes_are_cifar_records_or_a_data_error(head, count, classes):
    raw = head.ljust(count * (3072 + len(classes)), b"\x07")
    try:
        found = decode_cifar(raw, classes=classes, where="x")
    except DataError:
        return
    assert len(raw) == len(found.labels) * (3072 + len(classes)) and found.labels.max() < classes[-1]


def test_a_cifar_label_out_of_range_is_named_with_its_record():
    raw = bytes([9]) + bytes(3072) + bytes([10]) + bytes(3072)
    with pytest.raises(DataError, match="labels below 10, got 10 in record 1"):
        decode_cifar(raw, classes=(10,), where="x")
    with pytest.raises(DataError, match="labels below 20, got 20 in record 0"):
        decode_cifar(bytes([20, 5]) + bytes(3072), classes=(20, 100), where="x")


@given(st.binary(max_size=300))
def test_gzip_comes_back_as_it_was_written(content):
    assert gunzip(gzip.compress(content), size=len(content), where="x") == content


@given(st.binary(max_size=300), st.integers(0, 50))
def test_any_bytes_unpack_or_are_a_data_error(raw, size):
    try:
        assert len(gunzip(raw, size=size, where="x")) == size
    except DataError:
        pass


@given(
    st.binary(min_size=1, max_size=100),
    st.lists(st.tuples(st.integers(0, 200), st.integers(0, 255)), max_size=3),
    st.integers(0, 200),
)
def test_damaged_gzip_unpacks_to_the_same_or_is_a_data_error(content, flips, keep):
    raw = bytearray(gzip.compress(content, mtime=0))
    for at, value in flips:
        raw[at % len(raw)] = value
    try:
        assert gunzip(bytes(raw[:keep]), size=len(content), where="x") == content
    except DataError:
        pass


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (gzip.compress(bytes(100_000_000)), "5 bytes when unpacked, got more"),
        (gzip.compress(b"abc"), "5 bytes when unpacked, got 3"),
        (gzip.compress(b"abcde")[:-4], "cut short"),
        (gzip.compress(b"abcde") + b"x", "nothing after the gzip data, got 1"),
        (b"plain", "whole gzip data"),
    ],
    ids=["bomb", "short", "cut", "trailing", "plain"],
)
def test_each_fault_of_a_gzip_file_is_named(raw, words):
    with pytest.raises(DataError) as caught:
        gunzip(raw, size=5, where="x.gz")
    assert words in str(caught.value)


def test_files_that_are_not_there_not_files_or_too_long_are_data_errors(tmp_path):
    long = tmp_path / "long"
    long.write_bytes(b"abc")
    assert read_bytes(long, at_most=3) == b"abc"
    for path, words in (
        (tmp_path / "none", "could not read"),
        (tmp_path, "could not read|something else"),
        (long, "at most 2"),
    ):
        with pytest.raises(DataError, match=words):
            read_bytes(path, at_most=2)


def test_an_idx_split_of_another_shape_is_refused(tmp_path):
    images, labels = tmp_path / "i.gz", tmp_path / "l.gz"
    images.write_bytes(gzip.compress(idx_bytes(np.zeros((2, 6, 5)))))
    labels.write_bytes(gzip.compress(idx_bytes(np.array([1, 2]))))
    with pytest.raises(DataError, match=r"data of shape \[2, 5, 6\], got \[2, 6, 5\]"):
        read_idx_split(images, labels, shape=(2, 5, 6, 1), num_classes=3)
    with pytest.raises(DataError, match="labels below 2, got 2 in record 1"):
        read_idx_split(images, labels, shape=(2, 6, 5, 1), num_classes=2)
    assert read_idx_split(images, labels, shape=(2, 6, 5, 1), num_classes=3).images.shape == (2, 6, 5, 1)


def test_a_cifar_split_that_is_cut_short_by_whole_records_is_refused(tmp_path):
    path = tmp_path / "one.bin"
    path.write_bytes(bytes(3073))
    with pytest.raises(DataError, match="expected 6,146 bytes, got 3,073"):
        read_cifar_split([path], num_examples=2, classes=(10,))
