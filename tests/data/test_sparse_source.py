"""Sparse features as a source: the same numbers as written out, never all at once."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import sparse

from murk.data import ImageSource, SparseSource, as_source
from murk.errors import InputError

MATRICES = arrays(np.float32, st.tuples(st.integers(1, 6), st.integers(1, 5)),
                  elements=st.sampled_from([0.0, 0.0, 1.5, -2.0]))  # fmt: skip
FORMATS = st.sampled_from([sparse.csr_array, sparse.csc_array, sparse.coo_matrix, sparse.lil_array])


@settings(deadline=None)
@given(MATRICES, FORMATS, st.data())
def test_a_batch_holds_the_rows_asked_for(written, make, data):
    source = SparseSource(make(written))
    rows = np.array(data.draw(st.lists(st.integers(0, len(written) - 1), max_size=8)), dtype=np.int64)
    assert isinstance(source, ImageSource) and as_source(source) is source
    assert isinstance(as_source(make(written)), SparseSource)
    assert (as_source(make(written)).batch(rows).numpy() == written[rows]).all()
    assert (len(source), source.example_shape, source.is_images) == (len(written), written.shape[1:], False)
    assert (source.batch(rows).numpy() == written[rows]).all()
    assert (source.take(rows).batch(np.arange(len(rows))).numpy() == written[rows]).all()


@settings(deadline=None)
@given(MATRICES, st.data())
def test_rows_have_equal_bytes_where_they_are_equal_and_only_there(written, data):
    source = SparseSource(sparse.csr_array(written))
    one, other = (data.draw(st.integers(0, len(written) - 1)) for _ in range(2))
    assert (source.row_bytes(one) == source.row_bytes(other)) == (written[one] == written[other]).all()


def test_stored_zeros_order_and_entries_of_one_place_make_no_difference():
    tangled = sparse.csr_array((np.array([1.0, 0.0, 2.0, 3.0]), [2, 1, 2, 0], [0, 4]), shape=(1, 3))
    plain = sparse.csr_array(np.array([[3.0, 0.0, 3.0]]))
    assert SparseSource(tangled).row_bytes(0) == SparseSource(plain).row_bytes(0)
    assert tangled.nnz == 4  # the caller's matrix is as it was


def test_many_columns_take_the_memory_of_what_is_in_them():
    texts = sparse.random_array((10_000, 20_000), density=0.0025, format="csr", dtype=np.float32, rng=0)
    tracemalloc.start()
    source = SparseSource(texts)
    source.batch(np.arange(64))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 50e6  # 800 MB written out


@pytest.mark.parametrize(
    ("matrix", "said"),
    [
        (np.eye(2), "as_source takes arrays"),
        (sparse.csr_array((0, 3)), r"shape \(0, 3\)"),
        (sparse.coo_array(np.array([1.0, 2.0])), "shape"),
        (sparse.csr_array([[1j]]), "complex"),
        (sparse.csr_array([[1.0, 0.0], [0.0, np.nan]]), "example 1"),
        (sparse.csr_array([[1e300]]), "example 0"),
    ],
)
def test_what_is_no_sparse_matrix_of_features_is_refused(matrix, said):
    with pytest.raises(InputError, match=said):
        SparseSource(matrix)


@pytest.mark.parametrize("rows", [[2], [-1], np.array([0.5])])
def test_rows_that_are_not_there_are_refused(rows):
    with pytest.raises(InputError):
        SparseSource(sparse.csr_array(np.eye(2))).batch(rows)
