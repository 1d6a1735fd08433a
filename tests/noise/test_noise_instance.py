"""Instance-dependent noise: at the rate asked for, by features or by a network's doubt, and virtual."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from murk.errors import InputError
from murk.noise import Channel, Instance, InstanceRate, evidence_of, instance_from_features, instance_from_probs

K, N = 4, 4000
RNG = np.random.default_rng(5)
LABELS = RNG.integers(0, K, N)
FEATURES = RNG.normal(size=(N, 8)) + LABELS[:, None]
NOISE = instance_from_features(FEATURES, LABELS, 0.4, num_classes=K, seed=1)
FALSE_ALARM = 1e-6


def labels_of(noise: Instance, seed: int = 0) -> np.ndarray:
    return noise.draw(noise.labels, seed=seed).batch(np.arange(len(noise.labels))).labels


@settings(max_examples=25, deadline=None)
@given(rate=st.floats(0, 0.9), seed=st.integers(0, 9))
def test_rows_are_probabilities_and_wrong_at_the_rate(rate: float, seed: int) -> None:
    noise = instance_from_features(FEATURES[:500], LABELS[:500], rate, num_classes=K, seed=seed)
    rows = noise.rows
    assert (rows >= 0).all()
    np.testing.assert_allclose(rows.sum(1), 1, atol=1e-12)
    wrong = 1 - rows[np.arange(500), LABELS[:500]].mean()
    # cut to [0, 1], rates have a deviation of .1 at most: the bound is a normal's
    assert abs(wrong - rate) < 0.1 * stats.norm.isf(FALSE_ALARM / 2) / 500**0.5


def test_rates_without_spread_are_the_rate() -> None:
    noise = instance_from_features(FEATURES, LABELS, 0.3, num_classes=K, spread=0, seed=0)
    np.testing.assert_allclose(noise.rows[np.arange(N), LABELS], 0.7)


def test_votes_follow_the_rows() -> None:
    """Would catch votes drawn from the row of another example: each answer is tested against its own chances."""
    rows = np.array([[0.9, 0.1, 0.0], [0.0, 0.5, 0.5], [0.2, 0.2, 0.6]])
    noise = Instance(np.repeat(rows, 5000, 0), np.repeat([0, 1, 2], 5000))
    drawn = labels_of(noise)
    for k, row in enumerate(rows):
        counts = np.bincount(drawn[noise.labels == k], minlength=3)
        assert not counts[row == 0].any()
        assert stats.chisquare(counts[row > 0], 5000 * row[row > 0]).pvalue > FALSE_ALARM


def test_votes_are_a_function_of_seed_and_example_alone() -> None:
    votes = NOISE.draw(LABELS, seed=3)
    whole = votes.batch(np.arange(N)).labels
    order = np.random.default_rng(0).permutation(N)
    assert np.array_equal(votes.batch(order).labels, whole[order])
    assert not np.array_equal(whole, labels_of(NOISE, seed=4))


def test_similar_examples_go_wrong_alike_and_others_do_not() -> None:
    """What makes it depend on the instance: rows of near twins agree, rows of a class differ."""
    twins = instance_from_features(
        np.concatenate([FEATURES, FEATURES + 1e-9]), np.concatenate([LABELS, LABELS]), 0.4, num_classes=K, spread=0,
        seed=1,
    )  # fmt: skip
    np.testing.assert_allclose(twins.rows[:N], twins.rows[N:], atol=1e-6)
    of_a_class = NOISE.rows[LABELS == 0]
    assert of_a_class[:, 1:].std(0).min() > 0.05  # under noise that depends on the class alone: 0


def test_its_transition_is_the_mean_over_the_examples_of_a_class_and_weighs_votes() -> None:
    for k in range(K):
        np.testing.assert_allclose(NOISE.transition.matrix()[k], NOISE.rows[k == LABELS].mean(0))
    votes = NOISE.draw(LABELS, seed=0)
    ours, theirs = (evidence_of(votes, noise).dense() for noise in (NOISE, Channel(NOISE.transition)))
    np.testing.assert_array_equal(ours, theirs)


def test_a_network_s_doubt_says_who_goes_wrong_and_where_to() -> None:
    probs = RNG.dirichlet(np.ones(K) / 2, N)
    noise = instance_from_probs(probs, LABELS, 0.25)
    flips = 1 - noise.rows[np.arange(N), LABELS]
    assert flips.mean() == pytest.approx(0.25, abs=1e-9)
    doubt = 1 - probs[np.arange(N), LABELS]
    assert stats.spearmanr(flips, doubt).statistic > 0.999
    i = int(np.argmax(doubt))
    others = np.delete(probs[i], LABELS[i])
    np.testing.assert_allclose(np.delete(noise.rows[i], LABELS[i]) / flips[i], others / others.sum(), rtol=1e-9)


def test_votes_per_example_and_classes_without_examples() -> None:
    noise = Instance([[0.5, 0.5, 0.0], [1.0, 0.0, 0.0]], [0, 0], votes_per_example=3)
    assert noise.draw([0, 0], seed=0).batch([0, 1]).lengths.tolist() == [3, 3]
    assert noise.transition.matrix()[2].tolist() == [0, 0, 1]


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Instance([[0.5, 0.4]], [0]), "sums to one"),
        (lambda: Instance([[0.5, 0.5]], [2]), "labels lie in"),
        (lambda: Instance([[0.5, 0.5]], [0, 1]), "1 examples have a label each, but 2"),
        (lambda: Instance([[0.5, 0.5]], [0], votes_per_example=0), "votes_per_example"),
        (lambda: NOISE.draw(LABELS[::-1], seed=0), "its own examples alone"),
        (lambda: NOISE.draw(LABELS, seed=-1), "seed"),
        (lambda: InstanceRate(1.0, 3), "below 1"),
        (lambda: InstanceRate(0.5, 1), "num_classes"),
        (lambda: instance_from_features(np.full((2, 2), np.nan), [0, 1], 0.1, num_classes=2, seed=0), "finite"),
        (lambda: instance_from_probs(np.eye(2)[[0, 1]], [0, 1], 0.1), "weaker network"),
        (lambda: instance_from_probs([[0.5, 0.5]], [0], -0.1), "noise rate"),
    ],
)
def test_what_cannot_be_is_refused(make, said) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InputError, match=said):
        make()
