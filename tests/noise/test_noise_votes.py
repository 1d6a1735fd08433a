"""Votes that the user brings: three ways to store them, ragged, with gaps, weights, annotators, "none of these"."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from murk.errors import InputError
from murk.noise import Annotators, Channel, Dilution, Matrix, Votes, evidence_of


def rows_of(votes):
    """Every example's votes as a list."""
    batch = votes.batch(np.arange(len(votes)))
    return [batch.labels[a:b].tolist() for a, b in zip(batch.offsets, batch.offsets[1:], strict=False)]


def dense(counts):
    return counts if isinstance(counts, np.ndarray) else counts.toarray()


def test_labels_are_one_vote_an_example_or_none():
    votes = Votes.from_labels([2, -1, -2, 0], num_classes=3)
    assert rows_of(votes) == [[2], [], [3], [0]]
    assert votes.counts().tolist() == [[0, 0, 1], [0, 0, 0], [0, 0, 0], [1, 0, 0]]
    assert len(votes) == votes.num_examples == 4 and votes.num_annotators == 0 and votes.votes_per_example == 1


def test_a_table_is_ragged_where_nobody_voted_and_its_columns_are_annotators():
    votes = Votes.from_matrix([[0, -1, 1], [-1, -1, -1], [-2, 2, -1]], num_classes=3)
    assert rows_of(votes) == [[0, 1], [], [3, 2]]
    assert votes.batch([0, 2]).annotators.tolist() == [0, 2, 0, 1]
    assert votes.num_annotators == 3
    assert Votes.from_matrix([[0], [1]], num_classes=3).batch([0]).annotators is None


def test_long_form_takes_any_order_and_keeps_each_vote_with_its_annotator_and_weight():
    votes = Votes.from_long(
        [2, 0, 2, 1, 0], [1, 0, -2, -1, 2], [7, 1, 0, 3, 1], num_examples=4, num_classes=3, weight=[0.5, 1, 2, 9, 3]
    )
    assert rows_of(votes) == [[0, 2], [], [1, 3], []]
    batch = votes.batch([2, 0])
    assert batch.labels.tolist() == [1, 3, 0, 2]
    assert batch.annotators.tolist() == [7, 0, 1, 1]
    assert batch.weights.tolist() == [0.5, 2, 1, 3]
    assert votes.num_annotators == 8
    assert votes.counts().tolist() == [[1, 0, 3], [0, 0, 0], [0, 0.5, 0], [0, 0, 0]]


@pytest.mark.parametrize("num_classes", [3, 300])
def test_nothing_at_all_is_accepted(num_classes):
    for votes in (
        Votes.from_labels([], num_classes=num_classes),
        Votes.from_matrix(np.zeros((0, 4), int), num_classes=num_classes),
        Votes.from_long([], [], num_examples=0, num_classes=num_classes),
    ):
        assert len(votes) == 0 and votes.counts().shape == (0, num_classes)
        assert evidence_of(votes, Dilution(2, num_classes=num_classes)).dense().shape == (0, num_classes)
    lonely = Votes.from_long([], [], num_examples=2, num_classes=num_classes)
    assert dense(lonely.counts()).tolist() == [[0] * num_classes] * 2


@pytest.mark.parametrize("num_classes", [3, 300])
@pytest.mark.parametrize("weight", [None, [0.5, 2.0, 4.0, 1.0]])
def test_counting_leaves_the_batch_as_it_was(num_classes, weight):
    """Catches a sparse matrix that shares the batch's memory and sorts it in place."""
    votes = Votes.from_long([0, 0, 0, 1], [2, 0, 2, 1], num_examples=2, num_classes=num_classes, weight=weight)
    batch = votes.batch([0, 1])
    before = batch.labels.copy(), None if weight is None else batch.weights.copy()
    counts = dense(batch.counts())
    assert np.array_equal(batch.labels, before[0])
    assert weight is None or np.array_equal(batch.weights, before[1])
    assert np.array_equal(dense(batch.counts()), counts)
    assert counts[:, :3].tolist() == ([[1, 0, 2], [0, 1, 0]] if weight is None else [[2, 0, 4.5], [0, 1, 0]])


@given(st.data())
@settings(max_examples=50, deadline=None)
def test_long_form_and_table_of_the_same_votes_are_one(data):
    size, people, num_classes = (data.draw(st.integers(*span)) for span in ((1, 6), (2, 5), (2, 5)))
    cell = st.integers(-2, num_classes - 1)
    table = np.array(
        data.draw(st.lists(st.lists(cell, min_size=people, max_size=people), min_size=size, max_size=size))
    )
    example, annotator = np.divmod(np.arange(table.size), people)
    by_table = Votes.from_matrix(table, num_classes=num_classes)
    by_rows = Votes.from_long(example, table.ravel(), annotator, num_examples=size, num_classes=num_classes)
    assert rows_of(by_table) == rows_of(by_rows)
    for row in range(size):
        cast = table[row][table[row] >= 0]
        assert by_table.counts()[row].tolist() == np.bincount(cast, minlength=num_classes).tolist()
    indices = np.array(data.draw(st.lists(st.integers(0, size - 1), max_size=8)), dtype=np.int64)
    batch = by_table.batch(indices)
    assert batch.lengths.tolist() == [(table[i] != -1).sum() for i in indices]
    assert by_table.counts(indices).tolist() == by_table.counts()[indices].tolist()


def test_whole_numbers_may_come_as_floats_and_narrow_integers():
    for labels in (np.array([1.0, 0.0]), np.array([1, 0], np.uint8), [1, 0]):
        assert rows_of(Votes.from_labels(labels, num_classes=2)) == [[1], [0]]


def test_a_vote_of_weight_two_is_two_votes():
    heavy = Votes.from_long([0, 0], [1, 0], [0, 1], num_examples=1, num_classes=2, weight=[2, 1])
    twice = Votes.from_long([0, 0, 0], [1, 1, 0], [0, 0, 1], num_examples=1, num_classes=2)
    for noise in (Channel([[0.9, 0.1], [0.3, 0.7]]), Annotators([[[0.9, 0.1], [0.3, 0.7]], [[0.6, 0.4], [0.5, 0.5]]])):
        assert evidence_of(heavy, noise).dense() == pytest.approx(evidence_of(twice, noise).dense(), rel=1e-12)


def test_weights_that_do_not_add_up_exactly_do_not_make_sure_votes_impossible():
    """.1 + .2 + .3 is not .6: what is left for other classes must be none, at any K."""
    votes = Votes.from_long([0, 0, 0], [1, 1, 1], num_examples=1, num_classes=300, weight=[0.1, 0.2, 0.3])
    evidence = evidence_of(votes, Channel.symmetric(0.0, num_classes=300)).dense()[0]
    assert evidence[1] == 0 and np.isneginf(np.delete(evidence, 1)).all()


def test_batches_together_are_all_votes_and_bounded():
    votes = Dilution(9, num_classes=4).draw(np.arange(103) % 4, seed=0)
    parts = list(votes.batches(votes_at_once=100))
    assert max(len(part.labels) for part in parts) <= 100
    assert np.concatenate([part.indices for part in parts]).tolist() == list(range(103))
    assert np.array_equal(np.concatenate([p.labels for p in parts]), votes.batch(np.arange(103)).labels)


@pytest.mark.parametrize(
    ("indices", "fault"),
    [([3], r"\[0, 3\), but 3"), ([-1], "but -1"), ([0.5], "float64"), ([[0]], r"shape \(1, 1\)"), (True, "shape")],
)
def test_indices_outside_the_examples_are_refused(indices, fault):
    for votes in (Votes.from_labels([0, 1, 0], num_classes=2), Dilution(1, num_classes=2).draw([0, 1, 0], seed=0)):
        with pytest.raises(InputError, match=fault):
            votes.batch(indices)


@pytest.mark.parametrize(
    ("make", "fault"),
    [
        (lambda: Votes.from_labels([0, 3], num_classes=3), r"votes lie in \[0, 3\) .* but 3 came \(1 such\)"),
        (lambda: Votes.from_labels([0, -3], num_classes=3), "but -3 came"),
        (lambda: Votes.from_labels([0.5], num_classes=3), "whole numbers without gaps"),
        (lambda: Votes.from_labels([np.nan], num_classes=3), "code no vote as -1"),
        (lambda: Votes.from_labels([1e30], num_classes=3), "64 bits"),
        (lambda: Votes.from_labels(["cat"], num_classes=3), "whole numbers"),
        (lambda: Votes.from_labels([[0, 1]], num_classes=3), "Votes.from_matrix"),
        (lambda: Votes.from_labels([0], num_classes=1), "num_classes is a whole number >= 2, but 1"),
        (lambda: Votes.from_labels([0], num_classes=2.0), "but 2.0 came"),
        (lambda: Votes.from_matrix([0, 1], num_classes=3), r"a table \[N, M\]"),
        (lambda: Votes.from_matrix([[0, 1], [0]], num_classes=3), "ragged"),
        (lambda: Votes.from_long([0, 1], [0], num_examples=2, num_classes=3), "one length"),
        (lambda: Votes.from_long([0], [0], num_examples=-1, num_classes=3), "num_examples is a whole number >= 0"),
        (lambda: Votes.from_long([0], [0], [2**33], num_examples=1, num_classes=3), r"2\^31 - 1, but 8589934592"),
        (lambda: Votes.from_long([0], [0], num_examples=1, num_classes=3, weight=[np.nan]), "finite and > 0"),
        (lambda: Votes.from_long([0], [0], num_examples=1, num_classes=3, weight=["x"]), "weight as numbers"),
    ],
)
def test_votes_that_are_none_are_refused(make, fault):
    with pytest.raises(InputError, match=fault):
        make()


def test_all_faults_of_votes_in_long_form_are_named_together():
    with pytest.raises(InputError) as caught:
        Votes.from_long([0, 9], [1, 7], [0, -3], num_examples=2, num_classes=3, weight=[0, 1])
    for fault in ("examples lie in [0, 2)", "but 7 came", "annotators are numbered", "weights are finite"):
        assert fault in str(caught.value)


def test_none_of_these_is_weighed_by_models_that_know_it_and_refused_by_others():
    votes = Votes.from_long([0], [-2], [0], num_examples=1, num_classes=2)
    rows = np.array([[0.6, 0.1, 0.3], [0.2, 0.7, 0.1]])
    for noise in (Channel(rows), Annotators(rows[None])):
        assert evidence_of(votes, noise).dense()[0] == pytest.approx(np.log([0.3, 0.1]))
    for noise in (Channel(np.eye(2)), Channel.symmetric(0.1, num_classes=2), Dilution(0, num_classes=2),
                  Annotators(np.eye(2)[None])):  # fmt: skip
        with pytest.raises(InputError, match='example 0 has a vote for "none of these"'):
            evidence_of(votes, noise)
    assert Channel(Matrix(rows)).num_classes == 2
