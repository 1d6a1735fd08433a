"""A source gives the same examples for the same indices, wherever they are held."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from murk.data import ArraySource, Examples, ImageSource, as_source
from murk.errors import InputError

IMAGES = np.random.default_rng(0).integers(0, 256, (9, 4, 5, 3), np.uint8)
FEATURES = np.random.default_rng(1).normal(size=(9, 6))


def holders(tmp_path, array):
    path = tmp_path / "array.npy"
    np.save(path, array)
    frozen = array.copy()
    frozen.flags.writeable = False
    yield from (array, frozen, np.asfortranarray(array), np.load(path, mmap_mode="r"), torch.from_numpy(array))
    yield array.astype(array.dtype.newbyteorder(">"))
    yield Examples(array, np.zeros(len(array), np.int64))


@pytest.mark.parametrize(("array", "dtype"), [(IMAGES, torch.uint8), (FEATURES, torch.float32)])
@pytest.mark.parametrize("resident", [False, True])
def test_every_holder_gives_the_same_batch(tmp_path, array, dtype, resident):
    for held in holders(tmp_path, array):
        source = as_source(held)
        if resident:
            assert source.resident("cpu") is source
        assert isinstance(source, ImageSource)
        assert (len(source), source.example_shape, source.is_images) == (9, array.shape[1:], array.ndim == 4)
        batch = source.batch(np.array([8, 0, 8]))
        assert batch.dtype == dtype and batch.is_contiguous()
        assert np.array_equal(batch.numpy(), array[[8, 0, 8]].astype(batch.numpy().dtype))


@given(st.lists(st.integers(0, 8), max_size=12))
def test_a_batch_is_its_examples_one_by_one(rows):
    source = as_source(IMAGES)
    batch = source.batch(rows)
    assert batch.shape == (len(rows), 4, 5, 3)
    for place, row in enumerate(rows):
        assert torch.equal(batch[place], source.batch([row])[0])


@pytest.mark.parametrize("resident", [False, True])
def test_a_batch_is_the_callers_to_change(resident):
    held = IMAGES.copy()
    source = as_source(held)
    if resident:
        source.resident("cpu")
    source.batch([0, 1]).zero_()
    assert np.array_equal(held, IMAGES)


def test_a_resident_copy_is_made_once_and_only_at_the_first_batch(monkeypatch):
    source = as_source(IMAGES)
    moves = []
    move = ArraySource._move
    monkeypatch.setattr(ArraySource, "_move", lambda self, where: moves.append(where) or move(self, where))
    source.resident("cpu")
    assert moves == []
    for _ in range(3):
        source.batch([1])
    assert moves == [torch.device("cpu")]


def test_a_resident_copy_on_the_cpu_shares_an_array_in_memory():
    source = as_source(IMAGES).resident("cpu")
    source.batch([0])
    assert source._resident[torch.device("cpu")].data_ptr() == IMAGES.ctypes.data


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("resident", [False, True])
def test_a_batch_on_a_device_equals_the_one_on_the_cpu(resident):
    for array in (IMAGES, FEATURES, torch.from_numpy(IMAGES).cuda()):
        source = ArraySource(array)
        expected = source.batch([3, 1])
        if resident:
            source.resident("cuda")
        for rows in ([3, 1], torch.tensor([3, 1]), torch.tensor([3, 1], device="cuda")):
            batch = source.batch(rows, device="cuda")
            assert batch.is_cuda and torch.equal(batch.cpu(), expected)


@pytest.mark.parametrize("rows", [[9], [-1], np.array([[0]]), np.array([0.5]), np.array(0)])
@pytest.mark.parametrize("resident", [False, True])
def test_an_index_outside_the_source_is_refused(rows, resident):
    source = as_source(IMAGES)
    if resident:
        source.resident("cpu")
    with pytest.raises(InputError, match="expected indices"):
        source.batch(rows)


@pytest.mark.parametrize("array", [np.zeros((3, 4), np.int32), torch.zeros(3, 4, 5), np.full((2, 2), np.nan)])
def test_an_array_that_holds_no_examples_is_refused(array):
    with pytest.raises(InputError, match="expected"):
        as_source(array)


def test_half_precision_features_come_as_float32():
    for dtype in (torch.bfloat16, torch.float16):
        batch = as_source(torch.tensor([[1.5], [2.5]], dtype=dtype)).batch([1])
        assert batch.dtype == torch.float32 and batch.tolist() == [[2.5]]


def test_a_source_is_returned_as_it_is():
    source = as_source(IMAGES)
    assert as_source(source) is source
