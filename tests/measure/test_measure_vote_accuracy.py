"""Accuracy from noisy votes: the right likelihood, intervals that cover and are short, and refusals."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, chi2

from murk.errors import InputError
from murk.measure import (
    accuracy_from_votes,
    channel_loglik,
    dilution_loglik,
    exact_binomial,
    likelihood_ratio_accuracy,
)
from murk.noise import Channel, Dilution, Flat, Matrix, Votes

FALSE_ALARM = 1e-6
LEVEL = 0.95


def least_covered(runs):
    """The count below which the hits of 95 % intervals fall with probability 1e-6 at most."""
    return binom.ppf(FALSE_ALARM, runs, LEVEL)


def most_covered(runs, coverage):
    """The count above which the hits of intervals of at most this coverage rise with probability 1e-6 at most."""
    return binom.isf(FALSE_ALARM, runs, coverage)


class World:
    """Test sets of `images` images, as counts of the votes c for the predicted class; K = 10."""

    def __init__(self, alpha, *, independent=False, images=10_000):
        hits = np.arange(alpha + 2)
        truth_says = (1 + alpha / 10) / (1 + alpha)
        if independent:
            self.if_right = binom.pmf(hits, 1 + alpha, truth_says)
            self.if_wrong = binom.pmf(hits, 1 + alpha, (1 - truth_says) / 9)
            self.loglik = channel_loglik(hits, np.full(alpha + 2, 1 + alpha), right=truth_says, num_classes=10)
        else:
            self.if_right, self.if_wrong = binom.pmf(hits - 1, alpha, 0.1), binom.pmf(hits, alpha, 0.1)
            self.loglik = dilution_loglik(hits, alpha=alpha, num_classes=10)
        self.images = images

    def estimates(self, accuracy, *, runs):
        """Simulate test sets at this accuracy; seeds 0 .. runs - 1."""
        found = []
        for seed in range(runs):
            rng = np.random.default_rng(seed)
            right = rng.binomial(self.images, accuracy)
            counts = rng.multinomial(right, self.if_right) + rng.multinomial(self.images - right, self.if_wrong)
            found.append(likelihood_ratio_accuracy(*self.loglik, repeats=counts))
        return found


def covered(found, truth):
    return sum(estimate.low <= truth <= estimate.high for estimate in found)


@pytest.mark.parametrize("independent", [False, True])
@pytest.mark.parametrize("alpha", [10, 100])
@pytest.mark.parametrize("accuracy", [0.1, 0.95, 1.0])
def test_intervals_cover_the_true_accuracy(alpha, independent, accuracy):
    """Catches a wrong likelihood, a one-sided quantile, or an interval clipped at its ends (false-alarm rate 1e-6)."""
    found = World(alpha, independent=independent).estimates(accuracy, runs=500)
    assert covered(found, accuracy) >= least_covered(500)


@pytest.mark.parametrize(
    ("alpha", "independent", "longest"),
    [(10, False, 0.006), (100, False, 0.056), (10, True, 0.023), (100, True, 0.063)],
)
def test_ten_thousand_images_at_98_percent_give_short_intervals_that_cover(alpha, independent, longest):
    """Catches the trace estimator and any likelihood that leaves information lying: its intervals are longer."""
    found = World(alpha, independent=independent).estimates(0.98, runs=2000)
    assert covered(found, 0.98) >= least_covered(2000)
    assert np.mean([estimate.value - estimate.low for estimate in found]) <= longest


@pytest.mark.parametrize("independent", [False, True])
def test_far_from_the_ends_the_coverage_is_not_above_its_level(independent):
    """Catches an interval that covers only because it is too long: true coverage above 96.5 % (1e-6)."""
    found = World(10, independent=independent).estimates(0.8, runs=2000)
    assert least_covered(2000) <= covered(found, 0.8) <= most_covered(2000, 0.965)


@pytest.mark.parametrize(("alpha", "errors"), [(0, 2), (1, 3), (2, 3), (5, 4), (10, 7)])
def test_intervals_cover_where_few_errors_are_expected(alpha, errors):
    """Catches the bare likelihood ratio, which covers 85 to 91 % here (1,000 images; false-alarm rate 1e-6)."""
    found = World(alpha, images=1000).estimates(1 - errors / 1000, runs=1000)
    assert covered(found, 1 - errors / 1000) >= least_covered(1000)


@pytest.mark.parametrize("noise", [Dilution(10, num_classes=5), Dilution(10, num_classes=5).independent()])
def test_intervals_cover_when_all_errors_go_to_one_class(noise):
    """Catches a likelihood that takes the errors to be spread evenly over the classes (false-alarm rate 1e-6)."""
    hits, truth = 0, 0.9
    for seed in range(400):
        rng = np.random.default_rng(seed)
        labels = rng.integers(1, 5, size=500)
        predictions = np.where(rng.random(500) < truth, labels, 0)
        estimate = accuracy_from_votes(predictions, noise.draw(labels, seed=seed), noise=noise)
        hits += estimate.low <= truth <= estimate.high
    assert hits >= least_covered(400)


def test_intervals_cover_with_ragged_numbers_of_independent_votes():
    """Catches a likelihood that takes one number of votes for all examples (false-alarm rate 1e-6)."""
    noise, truth, hits = Channel.symmetric(0.6, num_classes=4), 0.85, 0
    for seed in range(400):
        rng = np.random.default_rng(seed)
        labels = rng.integers(0, 4, size=400)
        predictions = np.where(rng.random(400) < truth, labels, (labels + 1) % 4)
        table = Channel.symmetric(0.6, num_classes=4, votes_per_example=6).draw(labels, seed=seed)
        matrix = table.batch(np.arange(400)).labels.reshape(400, 6).copy()
        matrix[np.arange(6) >= rng.integers(0, 7, size=400)[:, None]] = -1
        estimate = accuracy_from_votes(predictions, Votes.from_matrix(matrix, num_classes=4), noise=noise)
        hits += estimate.low <= truth <= estimate.high
    assert hits >= least_covered(400)


@pytest.mark.parametrize(("alpha", "num_classes"), [(0, 3), (2, 2), (3, 3)])
def test_dilution_likelihood_is_that_of_all_vote_sequences(alpha, num_classes):
    """The ratio P(c | right) : P(c | wrong) by enumerating who cast which vote, against the closed form."""
    chance = {True: np.zeros(alpha + 2), False: np.zeros(alpha + 2)}
    for truth in (0, 1):
        for noise in itertools.product(range(num_classes), repeat=alpha):
            chance[truth == 0][(truth == 0) + noise.count(0)] += 1 / num_classes**alpha
    correct, wrong = dilution_loglik(np.arange(alpha + 2), alpha=alpha, num_classes=num_classes)
    cross = np.exp(correct) * chance[False] - np.exp(wrong) * chance[True]
    assert cross == pytest.approx(np.zeros(alpha + 2), abs=1e-12)


def test_channel_likelihood_is_that_of_the_two_binomials():
    hits = np.arange(6)
    correct, wrong = channel_loglik(hits, np.full(6, 5), right=0.4, num_classes=4)
    expected = binom.logpmf(hits, 5, 0.4) - binom.logpmf(hits, 5, 0.2)
    assert correct - wrong == pytest.approx(expected)


def test_clean_votes_give_the_exact_binomial_interval():
    labels = np.arange(200) % 4
    predictions = np.where(np.arange(200) < 195, labels, (labels + 1) % 4)
    clean = Dilution(0, num_classes=4)
    estimate = accuracy_from_votes(predictions, clean.draw(labels, seed=0), noise=clean)
    expected = exact_binomial(195, 200)
    assert (estimate.value, estimate.low, estimate.high) == (expected.value, expected.low, expected.high)
    assert "exact binomial" in estimate.method


@pytest.mark.parametrize("agreed", [260, 500, 740, 790])
def test_one_vote_of_two_classes_gives_the_binomial_likelihood_ratio_interval_rescaled(agreed):
    """With one vote right at .8, votes agree with the prediction at rate .2 + .6 A: everything is a binomial's."""
    votes_agree = np.arange(1000) < agreed
    noise = Channel(Flat(2, 0.8))
    votes = Votes.from_labels(np.where(votes_agree, 1, 0), num_classes=2)
    estimate = accuracy_from_votes(np.ones(1000, dtype=int), votes, noise=noise)
    grid = np.linspace(0, 1, 200_001)
    loglik = binom.logpmf(agreed, 1000, 0.2 + 0.6 * grid)
    ratio = grid[2 * (loglik.max() - loglik) <= chi2.ppf(0.95, 1)]
    mass = np.cumsum(np.exp(loglik))
    flat_low, flat_high = grid[np.searchsorted(mass, np.array([0.025, 0.975]) * mass[-1])]
    assert estimate.value == pytest.approx((agreed / 1000 - 0.2) / 0.6, abs=1e-9)
    assert estimate.low == pytest.approx(min(ratio[0], flat_low), abs=3e-5)
    assert estimate.high == pytest.approx(max(ratio[-1], flat_high), abs=3e-5)


def test_votes_that_all_agree_or_none_give_an_estimate_at_the_end_of_the_range_and_an_interval_inside():
    noise = Channel.symmetric(0.5, num_classes=3)
    agree = Votes.from_labels(np.zeros(5, dtype=int), num_classes=3)
    right = accuracy_from_votes(np.zeros(5, dtype=int), agree, noise=noise)
    assert right.value == right.high == 1 and 0 < right.low < 1
    never = accuracy_from_votes(np.ones(5, dtype=int), agree, noise=noise)
    assert never.value == never.low == 0 and 0 < never.high < 1


def test_a_single_vote_leaves_an_interval_over_nearly_everything():
    noise = Channel.symmetric(0.5, num_classes=2 + 1)
    estimate = accuracy_from_votes([0], Votes.from_labels([0], num_classes=3), noise=noise)
    assert (estimate.value, estimate.high) == (1, 1) and estimate.low < 0.1


def test_votes_that_are_mostly_wrong_still_tell():
    labels = np.arange(3000) % 3
    noise = Channel(Flat(3, 0.05))
    estimate = accuracy_from_votes(labels, noise.draw(labels, seed=1), noise=noise)
    assert estimate.low > 0.9


def test_examples_without_votes_contribute_nothing():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, size=300)
    predictions = np.where(rng.random(300) < 0.8, labels, (labels + 1) % 3)
    for noise in (Dilution(2, num_classes=3), Dilution(2, num_classes=3).independent()):
        table = noise.draw(labels, seed=0).batch(np.arange(300)).labels.reshape(300, 3).copy()
        some = accuracy_from_votes(predictions[:200], Votes.from_matrix(table[:200], num_classes=3), noise=noise)
        table[200:] = -1
        assert accuracy_from_votes(predictions, Votes.from_matrix(table, num_classes=3), noise=noise) == some


def test_a_flat_matrix_counts_as_flat_noise_and_probabilities_as_their_largest_column():
    labels = np.arange(90) % 3
    flat, matrix = Channel(Flat(3, 0.6)), Channel(Matrix(Flat(3, 0.6).matrix()))
    votes = flat.draw(labels, seed=3)
    expected = accuracy_from_votes(labels, votes, noise=flat)
    assert accuracy_from_votes(np.eye(3)[labels], votes, noise=flat) == expected
    assert accuracy_from_votes(labels, votes, noise=matrix).low == pytest.approx(expected.low, abs=1e-9)
    uniform = Dilution(4, num_classes=3, pattern=Matrix(np.full((3, 3), 1 / 3)))
    diluted = uniform.draw(labels, seed=0)
    assert accuracy_from_votes(labels, diluted, noise=uniform) == accuracy_from_votes(
        labels, diluted, noise=Dilution(4, num_classes=3)
    )


def test_hundreds_of_classes_and_stored_votes_give_what_few_batches_of_drawn_votes_give():
    noise = Dilution(3, num_classes=400)
    labels = np.random.default_rng(0).integers(0, 400, size=2000)
    predictions = np.where(np.arange(2000) % 10 > 0, labels, 7)
    drawn = noise.draw(labels, seed=0)
    stored = Votes.from_matrix(drawn.batch(np.arange(2000)).labels.reshape(2000, 4), num_classes=400)
    estimate = accuracy_from_votes(predictions, drawn, noise=noise)
    assert estimate == accuracy_from_votes(predictions, stored, noise=noise)
    assert estimate.low <= (predictions == labels).mean() <= estimate.high


@given(st.integers(0, 2**32 - 1), st.integers(2, 6), st.booleans())
@settings(max_examples=40, deadline=None)
def test_permuting_classes_or_examples_changes_nothing(seed, num_classes, exact):
    rng = np.random.default_rng(seed)
    noise = Dilution(3, num_classes=num_classes)
    noise = noise if exact else noise.independent()
    labels = rng.integers(0, num_classes, size=60)
    predictions = np.where(rng.random(60) < 0.7, labels, rng.integers(0, num_classes, size=60))
    table = noise.draw(labels, seed=seed % 1000).batch(np.arange(60)).labels.reshape(60, 4)
    classes, examples = rng.permutation(num_classes), rng.permutation(60)
    before = accuracy_from_votes(predictions, Votes.from_matrix(table, num_classes=num_classes), noise=noise)
    moved = Votes.from_matrix(classes[table][examples], num_classes=num_classes)
    after = accuracy_from_votes(classes[predictions][examples], moved, noise=noise)
    assert after == before


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None)
def test_exchanging_right_and_wrong_mirrors_the_estimate(seed):
    rng = np.random.default_rng(seed)
    correct, wrong = rng.normal(scale=3, size=(2, rng.integers(1, 30)))
    one, other = likelihood_ratio_accuracy(correct, wrong), likelihood_ratio_accuracy(wrong, correct)
    assert (1 - other.value, 1 - other.high, 1 - other.low) == pytest.approx((one.value, one.low, one.high), abs=1e-7)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None)
def test_the_estimate_maximises_the_likelihood_and_the_interval_holds_all_that_is_nearly_as_likely(seed):
    rng = np.random.default_rng(seed)
    correct, wrong = rng.normal(scale=rng.choice([0.01, 1, 30]), size=(2, rng.integers(1, 40)))
    estimate = likelihood_ratio_accuracy(correct, wrong)
    grid = np.concatenate([np.linspace(0, 1, 2001), [estimate.value]])
    with np.errstate(divide="ignore"):
        loglik = np.logaddexp(np.log(grid)[:, None] + correct, np.log1p(-grid)[:, None] + wrong).sum(1)
    assert loglik[-1] >= loglik.max() - 1e-9
    likely = grid[2 * (loglik.max() - loglik) <= chi2.ppf(LEVEL, 1) - 1e-6]
    assert estimate.low <= likely.min() + 1e-9 and likely.max() - 1e-9 <= estimate.high


def test_repeats_stand_for_that_many_examples():
    correct, wrong = np.log([0.7, 0.2, 0.9]), np.log([0.1, 0.6, 0.3])
    times = np.array([5, 0, 3])
    long = likelihood_ratio_accuracy(np.repeat(correct, times), np.repeat(wrong, times))
    assert likelihood_ratio_accuracy(correct, wrong, repeats=times) == long


def test_a_common_constant_of_an_example_changes_nothing():
    correct, wrong = np.log([0.7, 0.2, 0.9, 0.5]), np.log([0.1, 0.6, 0.3, 0.5])
    shift = np.array([-900.0, 0.0, 30.0, 2.0])
    moved, plain = likelihood_ratio_accuracy(correct + shift, wrong + shift), likelihood_ratio_accuracy(correct, wrong)
    assert (moved.value, moved.low, moved.high) == pytest.approx((plain.value, plain.low, plain.high), abs=1e-9)


@pytest.mark.parametrize(
    ("correct", "wrong", "options", "match"),
    [
        ([0.0, 1.0], [0.0], {}, "one length"),
        ([[0.0]], [[0.0]], {}, "one length"),
        ([0.0, np.nan], [0.0, 1.0], {}, "not NaN, but example 1"),
        ([0.0, np.inf], [0.0, 1.0], {}, "below infinity"),
        ([0.0, -np.inf], [1.0, -np.inf], {}, "example 1 is not so"),
        ([0.5, 0.1], [0.5, 0.1], {}, "equally well"),
        ([], [], {}, "equally well"),
        ([0.0], [1.0], {"repeats": [0]}, "equally well"),
        ([0.0], [1.0], {"repeats": [0.5]}, "whole numbers"),
        ([0.0], [1.0], {"repeats": [1, 2]}, "one length"),
        ([0.0], [1.0], {"confidence_level": 1.0}, "confidence level"),
    ],
)
def test_faulty_log_likelihoods_are_refused(correct, wrong, options, match):
    with pytest.raises(InputError, match=match):
        likelihood_ratio_accuracy(np.array(correct, float), np.array(wrong, float), **options)


def test_votes_that_tell_nothing_are_refused():
    votes = Votes.from_labels([0, 1, 2], num_classes=3)
    with pytest.raises(InputError, match="tells nothing"):
        accuracy_from_votes([0, 1, 2], votes, noise=Channel(Flat(3, 1 / 3)))


@pytest.mark.parametrize(
    ("predictions", "votes", "noise", "match"),
    [
        (
            [0, 1],
            Votes.from_labels([0, 1, 2], num_classes=3),
            Channel(Flat(3, 0.5)),
            "3 examples that have votes, but 2",
        ),
        ([0, 1], Votes.from_labels([0, 1], num_classes=3), Channel(Flat(4, 0.5)), "4 classes, but the votes have 3"),
        ([0, 3], Votes.from_labels([0, 1], num_classes=3), Channel(Flat(3, 0.5)), r"\[0, 3\), but 3"),
        (np.eye(2), Votes.from_labels([0, 1], num_classes=3), Channel(Flat(3, 0.5)), "probabilities have 2 columns"),
        (np.full((2, 3), np.nan), Votes.from_labels([0, 1], num_classes=3), Channel(Flat(3, 0.5)), "NaN"),
        ([0, 1], Votes.from_labels([-1, -1], num_classes=3), Channel(Flat(3, 0.5)), "at least one vote"),
        ([0, 1], Votes.from_labels([0, -2], num_classes=3), Channel(Flat(3, 0.5)), 'example 1 has a vote for "none'),
        ([0, 1], Votes.from_labels([0, 1], num_classes=3), Dilution(1, num_classes=3), "2 votes, but example 0 has 1"),
        (
            [0],
            Votes.from_long([0], [0], num_examples=1, num_classes=3, weight=[0.5]),
            Channel(Flat(3, 0.5)),
            "weighted",
        ),
        (
            [0, 0],
            Votes.from_matrix([[0, 0], [0, 1]], num_classes=3),
            Channel(Flat(3, 1.0)),
            "example 1 are impossible",
        ),
    ],
)
def test_faulty_input_is_refused_and_said_why(predictions, votes, noise, match):
    with pytest.raises(InputError, match=match):
        accuracy_from_votes(predictions, votes, noise=noise)


def test_all_misfits_are_named_together():
    votes = Votes.from_labels([0, 1, 2], num_classes=3)
    with pytest.raises(InputError, match="the votes have 3") as caught:
        accuracy_from_votes(np.eye(2), votes, noise=Channel(Flat(4, 0.5)))
    assert "2 columns" in str(caught.value) and "but 2 came" in str(caught.value)
