"""Dilution: golden values, structured noise and its rankings, and the virtual votes' memory."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from murk.noise import (
    Channel,
    Dilution,
    Flat,
    Matrix,
    Structured,
    Uniform,
    confusion_ranking,
    evidence_of,
    pair_flip,
    random_ranking,
)

GOLDEN_RIGHT = {10: 0.181818, 20: 0.142857, 50: 0.117647, 100: 0.108911}


@pytest.mark.parametrize("alpha", GOLDEN_RIGHT)
def test_one_vote_is_right_as_often_as_the_golden_values_say(alpha):
    transition = Dilution(alpha, num_classes=10).transition
    assert transition.diagonal == pytest.approx(np.full(10, GOLDEN_RIGHT[alpha]), abs=5e-7)
    assert transition.matrix().sum(axis=1) == pytest.approx(np.ones(10), abs=1e-12)


def test_structured_rows_have_the_golden_values():
    """K = 10, alpha = 20, delta = 1: the truth .142857, false classes .142857 down to .047619."""
    ranking = random_ranking(10, seed=0)
    transition = Dilution(20, num_classes=10, pattern=Structured(1.0, ranking)).transition.matrix()
    assert np.diagonal(transition) == pytest.approx(np.full(10, 0.142857), abs=5e-7)
    by_rank = np.take_along_axis(transition, ranking, axis=1)
    assert by_rank[:, 0] == pytest.approx(np.full(10, 0.142857), abs=5e-7)
    assert by_rank[:, -1] == pytest.approx(np.full(10, 0.047619), abs=5e-7)
    assert np.diff(by_rank, axis=1) == pytest.approx(np.full((10, 8), -2 / 8 / 21), abs=1e-12)


def test_structured_noise_without_structure_is_uniform():
    plain, structured = (
        Dilution(20, num_classes=10, pattern=pattern) for pattern in (None, Structured(0, random_ranking(10, seed=0)))
    )
    assert plain == structured
    labels = np.arange(40) % 10
    assert np.array_equal(*(noise.draw(labels, seed=0).batch(np.arange(40)).labels for noise in (plain, structured)))


@given(st.integers(3, 12), st.floats(0, 1), st.integers(0, 40), st.integers(0, 2**32))
@settings(max_examples=60, deadline=None)
def test_structured_rows_sum_to_one_and_keep_the_truth_on_top(num_classes, delta, more, seed):
    alpha = int(np.ceil(num_classes * delta)) + more
    structured = Structured(delta, random_ranking(num_classes, seed=seed))
    rows = Dilution(alpha, num_classes=num_classes, pattern=structured).transition.matrix()
    assert rows.sum(axis=1) == pytest.approx(np.ones(num_classes), abs=1e-12)
    assert (rows >= 0).all()
    assert (np.diagonal(rows)[:, None] >= rows - 1e-12).all()
    assert np.diagonal(rows) == pytest.approx(np.full(num_classes, (1 + alpha / num_classes) / (1 + alpha)))


@pytest.mark.parametrize(("num_classes", "delta", "alpha"), [(100, 0.07, 7), (10, 1.0, 10), (1000, 0.02, 20)])
def test_alpha_just_at_k_delta_is_granted_whatever_the_product_rounds_to(num_classes, delta, alpha):
    rows = Structured(delta, random_ranking(num_classes, seed=0)).at(alpha).matrix()
    assert rows.min() == pytest.approx(0, abs=1e-12) and rows.min() >= 0


def test_a_confusion_matrix_ranks_the_most_confused_first_with_ties_by_number():
    confusion = [[90, 3, 7, 0], [0, 95, 0, 5], [1, 1, 97, 1], [0, 2, 9, 89]]
    assert confusion_ranking(confusion).tolist() == [[2, 1, 3], [3, 0, 2], [0, 1, 3], [2, 1, 0]]
    assert confusion_ranking(confusion, reverse=True).tolist() == [[3, 1, 2], [0, 2, 3], [0, 1, 3], [0, 1, 2]]


def test_a_class_never_recognised_still_ranks_only_its_false_classes():
    assert confusion_ranking([[0, 1, 2], [5, 0, 4], [1, 9, 0]]).tolist() == [[2, 1], [0, 2], [1, 0]]


@given(st.integers(2, 30), st.integers(0, 2**40))
@settings(max_examples=30, deadline=None)
def test_a_random_ranking_holds_every_false_class_once(num_classes, seed):
    ranking = random_ranking(num_classes, seed=seed)
    whole = np.column_stack([np.arange(num_classes), ranking])
    assert (np.sort(whole, axis=1) == np.arange(num_classes)).all()
    assert np.array_equal(ranking, random_ranking(num_classes, seed=seed))


def test_structured_noise_compares_by_value():
    ranking = random_ranking(4, seed=0)
    assert Structured(0.5, ranking) == Structured(0.5, ranking.tolist())
    assert hash(Structured(0.5, ranking)) == hash(Structured(0.5, ranking.tolist()))
    assert Structured(0.5, ranking) != Structured(0.25, ranking) and Structured(0.5, ranking) != 0.5


def test_a_pair_flip_goes_to_the_next_class_and_round():
    assert pair_flip(3, 0.25).matrix().tolist() == [[0.75, 0.25, 0], [0, 0.75, 0.25], [0.25, 0, 0.75]]


def test_independent_votes_know_t_but_not_that_one_is_right():
    noise = Dilution(4, num_classes=3)
    independent = noise.independent()
    assert independent == Channel(Flat(3, noise.transition.right), votes_per_example=5)
    votes = noise.draw(np.array([0]), seed=0)
    counts = votes.counts()[0]
    expected = counts @ np.log(noise.transition.matrix()).T
    assert evidence_of(votes, independent).dense()[0] == pytest.approx(expected, rel=1e-12)


@given(st.integers(2, 6), st.integers(0, 6), st.integers(0, 2**32))
@settings(max_examples=60, deadline=None)
def test_uniform_dilution_weighs_by_how_often_a_class_is_voted(num_classes, alpha, seed):
    """e_j = log c_j + constant, -inf without a vote."""
    noise = Dilution(alpha, num_classes=num_classes)
    votes = noise.draw(np.arange(num_classes), seed=seed)
    evidence = evidence_of(votes, noise).dense()
    with np.errstate(divide="ignore"):
        expected = np.log(votes.counts()) - alpha * np.log(num_classes) - np.log(1 + alpha)
    np.testing.assert_allclose(evidence, expected, rtol=1e-9, atol=1e-12)


@given(st.integers(2, 5), st.integers(0, 2**32))
@settings(max_examples=40, deadline=None)
def test_any_matrix_mixes_to_rows_that_sum_to_one_and_reads_back_to_the_bit(num_classes, seed):
    rows = np.random.default_rng(seed).dirichlet(np.full(num_classes, 0.3), num_classes)
    pattern = Matrix(rows)
    assert Matrix(pattern.matrix()) == pattern
    assert pattern.mixed(0).matrix() == pytest.approx(np.eye(num_classes))
    assert pattern.mixed(3).matrix().sum(axis=1) == pytest.approx(np.ones(num_classes), abs=1e-12)


@given(st.integers(2, 40), st.integers(0, 2**32), st.sampled_from([0.02, 0.3, 5.0]))
@settings(max_examples=60, deadline=None)
def test_alias_tables_hold_the_probabilities_they_were_made_of(num_classes, seed, spread):
    """Summed over cells, kept and given shares are the row, to K 2^-32; an impossible answer has no share at all."""
    rng = np.random.default_rng(seed)
    rows = rng.dirichlet(np.full(num_classes, spread), num_classes)
    rows[rng.random(rows.shape) < 0.3] = 0
    rows[rows.sum(axis=1) == 0, 0] = 1
    pattern = Matrix(rows / rows.sum(axis=1, keepdims=True))
    kept = pattern._tables.threshold / 2**32
    shares = kept.copy()
    for row in range(num_classes):
        np.add.at(shares[row], pattern._tables.alias[row], 1 - kept[row])
    assert shares / num_classes == pytest.approx(pattern.matrix(), abs=num_classes * 2.0**-32)
    assert not (shares[pattern.matrix() == 0]).any()


def test_uniform_is_the_flat_pattern_that_reads_no_label():
    words = np.arange(0, 2**32, 2**25)[None, :]
    assert np.array_equal(Uniform(7).draw(np.array([3]), words), Uniform(7).draw(np.array([5]), words))
    assert Uniform(7).matrix() == pytest.approx(Flat(7, 1 / 7).matrix())


@pytest.mark.parametrize("pattern", [None, Structured(0.5, random_ranking(10, seed=0))])
def test_memory_does_not_grow_with_examples_times_alpha(pattern):
    """200,000 x 1,001 int32 votes are 800 MB; the labels are 1.6 MB and a batch of 256 is 1 MB of votes."""
    labels = np.zeros(200_000, dtype=np.int64)
    noise = Dilution(1000, num_classes=10, pattern=pattern)
    tracemalloc.start()
    try:
        votes = noise.draw(labels, seed=0)
        for start in (0, 100_000, 199_744):
            batch = votes.batch(np.arange(start, start + 256))
            assert len(batch.labels) == 256 * 1001
            noise.log_evidence(batch)
        assert tracemalloc.get_traced_memory()[1] < 24e6
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("right", [0.6, 1e-9, 0.951])
def test_a_flat_pattern_is_right_for_its_share_of_words_to_one_in_two_to_the_32(right):
    first_wrong = round(right * 2**32)
    words = np.array([[first_wrong - 1, 0, first_wrong, 0]])
    assert Flat(5, right).draw(np.array([3]), words).tolist() == [[3, 0]]
