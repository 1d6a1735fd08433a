"""What votes are worth in clean labels: golden values, exact enumeration, and refusals."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from murk.errors import InputError
from murk.measure import (
    effective_clean_labels,
    effective_clean_labels_per_annotator,
    effective_clean_labels_per_class,
    information,
    information_log_score,
    information_per_example,
    information_per_vote,
)
from murk.noise import Annotators, Channel, Dilution, Flat, Matrix, Votes, pair_flip

GOLDEN = {1: 1.678753, 2: 1.339725, 5: 0.830273, 10: 0.486524, 20: 0.246156, 50: 0.092488, 100: 0.045455}
GOLDEN_INDEPENDENT = {10: 0.321, 20: 0.186}
LOG_10 = math.log(10)


def farthest(count, width):
    """How far a mean of `count` values in a range of `width` strays with probability 1e-6 at most (Hoeffding)."""
    return width * math.sqrt(math.log(2 / 1e-6) / (2 * count))


def per_example(votes, noise, **options):
    """Information in nats per example."""
    return effective_clean_labels(votes, noise, **options) * math.log(noise.num_classes) / votes.num_examples


@pytest.mark.parametrize("alpha", GOLDEN)
def test_exact_uniform_dilution_has_the_golden_information(alpha):
    assert information_per_example(Dilution(alpha, num_classes=10)) == pytest.approx(GOLDEN[alpha], abs=1e-6)


def test_without_dilution_an_example_is_worth_a_clean_label():
    assert information_per_example(Dilution(0, num_classes=7)) == pytest.approx(math.log(7), abs=1e-12)


def test_information_falls_like_the_small_signal_limit_at_great_dilution():
    alpha = 1_000_000
    assert information_per_example(Dilution(alpha, num_classes=10)) * 2 * (1 + alpha) == pytest.approx(9, rel=1e-3)


@pytest.mark.parametrize("noise", [Dilution(2, num_classes=3), Dilution(2, num_classes=3).independent()])
def test_mean_information_over_all_vote_sequences_is_the_mutual_information(noise):
    """sum over sequences of P(sequence) I(sequence) = sum over j, sequences of P(j, s) log(P(s | j) / P(s))."""
    sequences = np.array(list(itertools.product(range(3), repeat=3)))
    votes = Votes.from_matrix(sequences, num_classes=3)
    chances = np.exp(noise.log_evidence(votes.batch(np.arange(27))).dense())
    marginal = chances.mean(axis=1)
    assert marginal.sum() == pytest.approx(1)
    told = [per_example(Votes.from_matrix(sequence[None, :], num_classes=3), noise) for sequence in sequences]
    with np.errstate(divide="ignore", invalid="ignore"):
        mutual = np.nansum(chances / 3 * np.log(chances / marginal[:, None]))
    assert marginal @ told == pytest.approx(mutual, abs=1e-12)
    if isinstance(noise, Dilution):
        assert mutual == pytest.approx(information_per_example(noise), abs=1e-12)


@pytest.mark.parametrize("alpha", [5, 10])
def test_drawn_votes_are_worth_the_closed_form(alpha):
    """Catches draws and evidence that do not belong together (I_i in [0, log K]; false-alarm rate 1e-6)."""
    noise = Dilution(alpha, num_classes=10)
    found = per_example(noise.draw(np.arange(200_000) % 10, seed=0), noise)
    assert found == pytest.approx(GOLDEN[alpha], abs=farthest(200_000, LOG_10))


@pytest.mark.parametrize("alpha", GOLDEN_INDEPENDENT)
def test_independent_votes_are_worth_the_golden_information(alpha):
    """Catches evidence that knows that exactly one vote is right (false-alarm rate 1e-6)."""
    noise = Dilution(alpha, num_classes=10).independent()
    found = per_example(noise.draw(np.arange(200_000) % 10, seed=0), noise)
    assert found == pytest.approx(GOLDEN_INDEPENDENT[alpha], abs=farthest(200_000, LOG_10) + 0.0005)


def test_log_score_tells_what_the_votes_held_where_the_noise_model_is_wrong():
    """Exact-dilution votes weighed as independent: .285 by the entropies, .353 by the log-score (rate 1e-6 each)."""
    exact = Dilution(10, num_classes=10)
    wrong, labels = exact.independent(), np.arange(500_000) % 10
    votes = exact.draw(labels, seed=0)
    assert per_example(votes, wrong) == pytest.approx(0.285, abs=farthest(500_000, LOG_10) + 0.0005)
    width = LOG_10 + 11 * math.log(2)  # eleven votes, T[j, j] / T[j, k] = (2/11) / (1/11)
    found = information_log_score(votes, wrong, labels)
    assert found == pytest.approx(0.353, abs=farthest(500_000, width) + 0.0005)


def test_log_score_of_the_right_model_is_the_information():
    noise, labels = Dilution(5, num_classes=10), np.arange(200_000) % 10
    width = LOG_10 + math.log(6)  # the truth has one vote of six at least
    found = information_log_score(noise.draw(labels, seed=0), noise, labels)
    assert found == pytest.approx(GOLDEN[5], abs=farthest(200_000, width))


def test_clean_labels_count_one_each_and_missing_votes_count_nothing():
    votes = Votes.from_labels([0, 2, -1, 1, -1], num_classes=3)
    assert effective_clean_labels(votes, Channel(Flat(3, 1.0))) == pytest.approx(3, abs=1e-12)
    assert effective_clean_labels(votes, Channel(Flat(3, 1 / 3))) == pytest.approx(0, abs=1e-12)
    assert effective_clean_labels(votes, Channel(Flat(3, 1.0)), prior=[0.7, 0.2, 0.1]) == pytest.approx(3, abs=1e-12)


def test_a_uniform_prior_given_is_the_default():
    noise = Dilution(4, num_classes=5)
    votes = noise.draw(np.arange(50) % 5, seed=0)
    assert effective_clean_labels(votes, noise, prior=[0.2] * 5) == pytest.approx(effective_clean_labels(votes, noise))


def test_with_a_prior_the_mean_over_votes_is_the_mutual_information_though_one_vote_may_bring_doubt():
    prior, noise = np.array([0.9, 0.1]), Channel(Flat(2, 0.8))
    entropy = -(prior @ np.log(prior))
    told = [
        effective_clean_labels(Votes.from_labels([vote], num_classes=2), noise, prior=prior) * entropy
        for vote in (0, 1)
    ]
    joint = prior[:, None] * Flat(2, 0.8).matrix()
    marginal = joint.sum(axis=0)
    assert told[1] < 0 < told[0]
    assert marginal @ told == pytest.approx((joint * np.log(joint / np.outer(prior, marginal))).sum(), abs=1e-12)


def test_a_prior_may_exclude_a_class():
    votes = Votes.from_labels([0, 1], num_classes=3)
    assert effective_clean_labels(votes, Channel(Flat(3, 1.0)), prior=[0.5, 0.5, 0]) == pytest.approx(2)
    with pytest.raises(InputError, match="example 1 are impossible under this prior"):
        effective_clean_labels(votes, Channel(Flat(3, 1.0)), prior=[0.5, 0, 0.5])


def test_blocks_of_any_size_and_sparse_evidence_give_the_same(monkeypatch):
    noise = Channel(Flat(300, 0.6))
    votes = noise.draw(np.arange(1000) % 300, seed=0)
    whole = effective_clean_labels(votes, noise)
    monkeypatch.setattr(information, "ENTRIES_AT_ONCE", 7 * 300)
    assert effective_clean_labels(votes, noise) == pytest.approx(whole, rel=1e-12)
    dense = Channel(Matrix(Flat(300, 0.6).matrix()))
    assert effective_clean_labels(votes, dense) == pytest.approx(whole, rel=1e-9)


@given(st.integers(0, 2**32 - 1), st.integers(2, 6))
@settings(max_examples=40, deadline=None)
def test_permuting_the_classes_changes_nothing(seed, num_classes):
    rng = np.random.default_rng(seed)
    rows, prior = rng.dirichlet(np.ones(num_classes), size=num_classes), rng.dirichlet(np.ones(num_classes))
    table = rng.integers(0, num_classes, size=(20, 3))
    labels, order = rng.integers(0, num_classes, size=20), rng.permutation(num_classes)
    back = np.argsort(order)
    before, after = Channel(Matrix(rows)), Channel(Matrix(rows[back][:, back]))
    votes, moved = (Votes.from_matrix(t, num_classes=num_classes) for t in (table, order[table]))
    assert effective_clean_labels(moved, after, prior=prior[back]) == pytest.approx(
        effective_clean_labels(votes, before, prior=prior), abs=1e-7
    )
    assert information_log_score(moved, after, order[labels], prior=prior[back]) == pytest.approx(
        information_log_score(votes, before, labels, prior=prior), abs=1e-9
    )


@pytest.mark.parametrize(
    ("prior", "match"),
    [
        ([0.5, 0.5], "each of 3 classes"),
        ([0.5, 0.6, 0.2], "sums to one"),
        ([1.5, -0.5, 0.0], ">= 0"),
        ([np.nan, 0.5, 0.5], ">= 0"),
        ([1.0, 0.0, 0.0], "sure of one class"),
    ],
)
def test_faulty_priors_are_refused(prior, match):
    votes = Votes.from_labels([0, 1], num_classes=3)
    with pytest.raises(InputError, match=match):
        effective_clean_labels(votes, Channel(Flat(3, 0.7)), prior=prior)
    with pytest.raises(InputError, match=match):
        information_log_score(votes, Channel(Flat(3, 0.7)), [0, 1], prior=prior)


@pytest.mark.parametrize("rate", [0.0, 0.1, 0.4, 0.89])
def test_one_vote_of_a_symmetric_channel_has_the_information_of_the_formula(rate):
    noise = Channel.symmetric(rate, num_classes=10)
    wrong = rate * math.log(rate / 9) if rate else 0
    expected = LOG_10 + ((1 - rate) * math.log(1 - rate)) + wrong
    assert information_per_vote(noise) == pytest.approx(expected, abs=1e-6)
    assert information_per_example(noise) == information_per_vote(noise)


def test_one_vote_of_any_channel_is_worth_what_votes_drawn_from_it_are():
    noise, prior = Channel(Matrix([[0.7, 0.3, 0], [0, 0.6, 0.4], [0.2, 0, 0.8]])), np.array([0.5, 0.3, 0.2])
    truth = np.random.default_rng(0).choice(3, 40_000, p=prior)
    drawn = per_example(noise.draw(truth, seed=0), noise, prior=prior)
    told = information_per_vote(noise, prior=prior)
    assert drawn * -(prior @ np.log(prior)) / math.log(3) == pytest.approx(told, abs=farthest(40_000, 2 * math.log(5)))


def test_classes_share_what_all_votes_are_worth_by_what_these_say():
    noise = Channel(Matrix([[1, 0, 0], [0, 0.5, 0.5], [0, 0.5, 0.5]]))
    truth = np.repeat([0, 1, 2], [100, 200, 300])
    votes = noise.draw(truth, seed=0)
    told = effective_clean_labels_per_class(votes, noise)
    assert told.sum() == pytest.approx(effective_clean_labels(votes, noise))
    assert told[0] == pytest.approx(100)
    assert told[1:] == pytest.approx([250 * (1 - math.log(2) / math.log(3))] * 2)  # which of the two, no vote says


def test_annotators_are_worth_their_votes_each_by_themselves():
    noise = Annotators(np.stack([Flat(3, 0.9).matrix(), Flat(3, 1 / 3).matrix(), np.roll(np.eye(3), 1, axis=1)]))
    votes = Votes.from_long([0, 1, 2, 0, 0], [0, 1, 2, 1, 1], [0, 0, 1, 1, 2], num_examples=3, num_classes=3)
    told = effective_clean_labels_per_annotator(votes, noise)
    one = information_per_vote(Channel(Flat(3, 0.9))) / math.log(3)
    assert told == pytest.approx([2 * one, 0, 1])  # who always names the next class says all
    with pytest.raises(InputError, match="say who voted"):
        effective_clean_labels_per_annotator(Votes.from_labels([0], num_classes=3), noise)
    with pytest.raises(InputError, match="a noise of their own"):
        effective_clean_labels_per_annotator(votes, Channel(Flat(3, 0.5)))
    with pytest.raises(InputError, match="annotator 2 voted"):
        effective_clean_labels_per_annotator(votes, Annotators(noise.transitions[:2]))
    with pytest.raises(InputError, match="a dilution take"):
        information_per_vote(Dilution(2, num_classes=3))


def test_other_noise_has_no_closed_form_and_is_refused():
    for noise in (Channel(Flat(3, 0.5), votes_per_example=2), Dilution(2, num_classes=3, pattern=pair_flip(3))):
        with pytest.raises(InputError, match="closed form"):
            information_per_example(noise)
    with pytest.raises(InputError, match="closed form"):
        information_per_example(Dilution(2, num_classes=3, pattern=Flat(3, 0.5)))


def test_votes_and_noise_of_different_classes_are_refused():
    votes = Votes.from_labels([0, 1], num_classes=3)
    with pytest.raises(InputError, match="4 classes, but the votes have 3"):
        effective_clean_labels(votes, Channel(Flat(4, 0.7)))


@pytest.mark.parametrize(
    ("labels", "match"),
    [
        ([0], "each of the 2 examples"),
        ([0.0, 1.0], "float64"),
        ([0, 3], r"\[0, 3\)"),
        ([0, -1], r"\[0, 3\)"),
    ],
)
def test_faulty_truth_is_refused(labels, match):
    votes = Votes.from_labels([0, 1], num_classes=3)
    with pytest.raises(InputError, match=match):
        information_log_score(votes, Channel(Flat(3, 0.7)), labels)


def test_a_noise_model_that_excludes_the_truth_is_refused_by_example():
    votes = Votes.from_labels([0, 1], num_classes=3)
    with pytest.raises(InputError, match="example 1 no chance"):
        information_log_score(votes, Channel(Flat(3, 1.0)), [0, 2])
