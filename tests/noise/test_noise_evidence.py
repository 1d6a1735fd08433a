"""Evidence: dense and sparse are one, and the kinds of labels that need no noise model."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from murk.errors import InputError
from murk.noise import Channel, Dilution, Flat, Matrix, Votes, evidence_of, from_candidates, from_labels
from murk.noise.evidence import concatenate

MANY = 300


@given(st.integers(0, 2**32), st.sampled_from([0.0, 0.3, 1.0]), st.booleans())
@settings(max_examples=40, deadline=None)
def test_sparse_evidence_of_many_classes_is_the_dense_one(seed, right, weighted):
    rng = np.random.default_rng(seed)
    example, label = rng.integers(0, 6, 15), rng.integers(0, MANY, 15)
    if right == 1.0:
        label = example  # whoever never errs agrees with himself
    weight = rng.uniform(0.1, 3, 15) if weighted else None
    votes = Votes.from_long(example, label, num_examples=7, num_classes=MANY, weight=weight)
    sparse = evidence_of(votes, Channel(Flat(MANY, right)))
    full = evidence_of(votes, Channel(Matrix(Flat(MANY, right).matrix())))
    assert sparse.is_sparse and not full.is_sparse
    np.testing.assert_allclose(sparse.dense(), full.dense(), rtol=1e-9, atol=1e-9)
    assert all((np.diff(sparse.take([row]).classes) > 0).all() for row in range(7))


@pytest.mark.parametrize("right", [1 / MANY, 0.2, 0.0])
def test_sparse_dilution_of_many_classes_is_the_dense_one(right):
    flat = Dilution(5, num_classes=MANY, pattern=Flat(MANY, right))
    full = Dilution(5, num_classes=MANY, pattern=Matrix(Flat(MANY, right).matrix()))
    votes = flat.draw(np.arange(50), seed=0)
    sparse = evidence_of(votes, flat)
    assert sparse.is_sparse
    np.testing.assert_allclose(sparse.dense(), evidence_of(votes, full).dense(), rtol=1e-9)
    assert len(sparse.values) <= 6 * 50  # what is stored grows with votes, not classes


@pytest.mark.parametrize("num_classes", [4, MANY])
@given(indices=st.lists(st.integers(0, 19), max_size=25), rows=st.integers(1, 30))
@settings(max_examples=25, deadline=None)
def test_taking_blocks_and_joining_keep_every_value(num_classes, indices, rows):
    noise = Dilution(2, num_classes=num_classes)
    evidence = evidence_of(noise.draw(np.arange(20) % num_classes, seed=0), noise)
    whole = evidence.dense()
    assert np.array_equal(evidence.take(np.array(indices, dtype=np.int64)).dense(), whole[indices])
    blocks = list(evidence.blocks(rows))
    assert np.array_equal(concatenate([block for _, block in blocks]).dense(), whole)
    assert [part.start for part, _ in blocks] == list(range(0, 20, rows))


def test_clean_labels_leave_one_class_and_unknown_ones_say_nothing():
    assert from_labels(np.array([1, -1]), 3).dense().tolist() == [[-np.inf, 0, -np.inf], [0, 0, 0]]
    clean = evidence_of(Votes.from_labels([1, -1], num_classes=3), Dilution(0, num_classes=3))
    assert clean.dense().tolist() == [[-np.inf, 0, -np.inf], [0, 0, 0]]


def test_candidates_leave_their_classes():
    evidence = from_candidates(np.array([[True, False, True], [False, True, False]]))
    assert evidence.dense().tolist() == [[0, -np.inf, 0], [-np.inf, 0, -np.inf]]


@pytest.mark.parametrize(
    ("candidates", "fault"),
    [([[True, False], [False, False]], "example 1"), ([True], r"booleans \[B, K\]"), ([[1.0, 0.0]], "float64")],
)
def test_candidate_sets_that_are_none_are_refused(candidates, fault):
    with pytest.raises(InputError, match=fault):
        from_candidates(np.array(candidates))


@pytest.mark.parametrize(
    ("labels", "fault"), [([3], r"\[-1, 3\), but example 0 has 3"), ([-2], "has -2"), ([0.5], "float64")]
)
def test_clean_labels_that_are_none_are_refused(labels, fault):
    with pytest.raises(InputError, match=fault):
        from_labels(np.array(labels), 3)


def test_impossible_votes_name_their_examples_by_the_callers_numbers():
    votes = Votes.from_matrix([[0, 0], [0, 1], [1, 1], [1, 0]], num_classes=2)
    for noise in (Channel(np.eye(2)), Channel(Flat(2, 1.0))):
        with pytest.raises(InputError, match=r"2 example\(s\) are impossible for every class \(example 3, 1\)"):
            noise.log_evidence(votes.batch([0, 3, 2, 1]))
    many = Votes.from_matrix([[0, 1]], num_classes=MANY)
    with pytest.raises(InputError, match="example 0"):
        evidence_of(many, Channel(Flat(MANY, 1.0)))
