"""NumPy files: what each array is taken for; nothing is unpickled, and nothing unpacked beyond what it can hold."""

from __future__ import annotations

import io
import pickle
import zipfile

import numpy as np
import pytest

from murk.data import read
from murk.errors import DataError, InputError

X = np.arange(12, dtype=np.float64).reshape(4, 3)
IMAGES = np.arange(4 * 5 * 6, dtype=np.uint8).reshape(4, 5, 6)


@pytest.fixture
def saved(tmp_path):
    """Save arrays: saved(X=..., y=...) -> the path of the file."""

    def save(**arrays):
        np.savez_compressed(tmp_path / "data.npz", **arrays)
        return tmp_path / "data.npz"

    return save


def test_arrays_are_told_by_their_names(saved):
    path = saved(
        images=IMAGES, labels=[2, 0, -1, 0], votes=[[0, -1], [1, 2], [-2, 2], [-1, -1]], ids=list("abcd"),
        groups=[1, 1, 2, 2], X_test=IMAGES[:2], y_test=[1, 0], test_votes=[[3, 0], [-1, -1]], test_ids=["a", "z"],
        test_groups=[3, 3], extra=1,
    )  # fmt: skip
    reading = read(path)
    train, test, votes = reading.dataset.train, reading.dataset.test, reading.votes
    assert np.array_equal(train.images, IMAGES[..., None]) and train.labels.tolist() == [2, 0, -1, 0]
    assert train.class_names == ("0", "1", "2", "3") and train.ids.tolist() == list("abcd")
    assert train.groups.tolist() == [1, 1, 2, 2] and test.labels.tolist() == [1, 0] and test.ids.tolist() == ["a", "z"]
    assert votes.annotators == ("0", "1") and reading.test_votes.example.tolist() == [0, 0]
    assert sorted(zip(votes.example, votes.annotator, votes.label, strict=True)) == [
        (0, 0, 0), (1, 0, 1), (1, 1, 2), (2, 0, -2), (2, 1, 2),
    ]  # fmt: skip
    assert reading.test_votes.label.tolist() == [3, 0] and reading.roles["extra"] == "not used"
    assert any("nothing uses: extra" in said for said in reading.oddities)


def test_a_single_array_is_mapped_from_the_disk_and_unlabelled(tmp_path):
    np.save(tmp_path / "data.npy", X)
    reading = read(tmp_path / "data.npy")
    assert isinstance(reading.dataset.train.images, np.memmap) and np.array_equal(reading.dataset.train.images, X)
    assert reading.dataset.train.labels.tolist() == [-1] * 4 and reading.kind == "arrays"


@pytest.mark.parametrize("order", ["C", "F"])
def test_whole_numbers_are_features_in_either_order(order, saved):
    values = np.asarray(np.arange(12).reshape(4, 3), order=order)
    train = read(saved(features=values, labels=["x", "y", "", "x"])).dataset.train
    assert train.images.dtype == np.float32 and np.array_equal(train.images, values)
    assert train.class_names == ("x", "y") and train.labels.tolist() == [0, 1, -1, 0]


def test_numbers_count_the_names_of_classes_even_where_these_are_numbers(saved):
    train = read(saved(X=X, y=[1, 0, 1, 0], class_names=["1", "2"])).dataset.train
    assert train.class_names == ("1", "2") and train.labels.tolist() == [1, 0, 1, 0]


@pytest.mark.parametrize(("arrays", "says"), [
    ({"X": X, "y": [0, 1]}, r"labels of data.npz as whole numbers or text \[4\], got int64 \[2\]"),
    ({"X": X, "y": np.eye(4, dtype=int)}, "multi-label, one-hot"),
    ({"X": X, "y": [0.5, 1, 2, 3]}, "regression"),
    ({"X": X, "y": [0, -2, 1, 0]}, r"labels of data.npz in \[0, .* got -2 in row 1"),
    ({"X": X, "y": [0, 5, 1, 0], "class_names": ["a", "b"]}, r"in \[0, 2\).*got 5 in row 1"),
    ({"X": X, "features": X}, "to train on, got features, X; leave one out"),
    ({"y": [0, 1]}, "expected an array images, features, X in data.npz, got y"),
    ({"X": X, "y_test": [0]}, "X_test beside y_test"),
    ({"X": X, "X_test": X[:, :2]}, "both parts of data.npz alike"),
    ({"X": X, "X_test": X, "ids": [1, 2, 3, 4]}, "ids of data.npz for both parts or neither"),
    ({"X": X, "ids": [1, 2, 2, 4]}, "ids that are all different"),
    ({"X": np.where(X == 4, np.nan, X)}, "finite.*example 1"),
    ({"X": X.astype(complex)}, None),
    ({"X": X[:, :, None]}, "reshape"),
    ({"X": X, "votes": np.zeros((4, 2))}, r"votes of data.npz as whole numbers \[4, 2\], got float64"),
    ({"X": X, "y": list("abcd"), "y_test": [0], "X_test": X[:1]}, "all as text or all as whole numbers"),
])  # fmt: skip
def test_arrays_that_do_not_fit_are_refused(arrays, says, saved):
    path = saved(**arrays)
    with pytest.raises((InputError, DataError), match=says):
        read(path)


class Bomb:
    """What unpickles to a written file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


def test_python_objects_are_never_unpickled(saved, tmp_path):
    trap = tmp_path / "trap"
    path = saved(X=np.array([Bomb(trap)], dtype=object))
    with pytest.raises(DataError, match="Python objects are never opened"):
        read(path)
    (tmp_path / "data.npy").write_bytes(pickle.dumps(Bomb(trap)))
    with pytest.raises(DataError, match="cannot be read as arrays"):
        read(tmp_path / "data.npy")
    assert not trap.exists()


def _npy(shape, kind="<f8"):
    """The header alone of an array."""
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"descr": kind, "fortran_order": False, "shape": shape})
    return buffer.getvalue()


@pytest.mark.parametrize("content", [
    _npy((1 << 40, 1 << 10)) + b"0" * 64, _npy((1 << 62, 1 << 62)), _npy((3, 3)) + b"0" * 64,
    _npy((2,), "<U1") + b"\xff" * 8,
])  # fmt: skip
def test_an_array_that_says_more_than_it_holds_is_refused(content, tmp_path):
    with zipfile.ZipFile(tmp_path / "data.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("X.npy", content)
    (tmp_path / "data.npy").write_bytes(content)
    for name in ("data.npz", "data.npy"):
        with pytest.raises(DataError, match="cannot be read as arrays"):
            read(tmp_path / name)


def test_an_archive_cannot_say_it_unpacks_to_more_than_packing_allows(saved):
    path = saved(X=np.zeros((400, 400)))
    raw = bytearray(path.read_bytes())
    place = raw.rindex(b"PK\x01\x02") + 24  # the size when unpacked, in the list at the end
    raw[place : place + 4] = (1 << 31).to_bytes(4, "little")
    path.write_bytes(raw)
    with pytest.raises(DataError, match="says it unpacks to 2,147,483,648 bytes"):
        read(path)


def test_names_within_an_archive_never_touch_the_disk(tmp_path):
    before = sorted(tmp_path.parent.rglob("*"))
    with zipfile.ZipFile(tmp_path / "data.npz", "w") as archive:
        for name in ("../../X.npy", "X.npy"):
            with archive.open(name, "w") as file:
                np.lib.format.write_array(file, X)
    reading = read(tmp_path / "data.npz")
    assert reading.roles["../../X"] == "not used"
    assert sorted(tmp_path.parent.rglob("*")) == sorted([*before, tmp_path / "data.npz"])
