"""Accuracies on clean labels: exact values, intervals that cover, and everything faulty refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom
from sklearn.metrics import balanced_accuracy_score, f1_score, recall_score

from murk.errors import InputError
from murk.measure import accuracy, accuracy_per_class, balanced_accuracy, exact_binomial, macro_f1

MEASURES = [accuracy, accuracy_per_class, balanced_accuracy, macro_f1]
OF_CLASSES = MEASURES[1:]
FALSE_ALARM = 1e-6


def least_covered(runs):
    """The count below which the hits of 95 % intervals fall with probability 1e-6 at most."""
    return binom.ppf(FALSE_ALARM, runs, 0.95)


def labelled(seed, *, sizes, recalls, sink=False):
    """Draw predictions for sizes[k] examples of class k, right with recalls[k]; errors spread, or all to class 0."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(len(sizes)), sizes)
    wrong = (labels + rng.integers(1, len(sizes), size=len(labels))) % len(sizes)
    if sink:
        wrong = np.where(labels == 0, 1, 0)
    return labels, np.where(rng.random(len(labels)) < np.asarray(recalls)[labels], labels, wrong)


def test_values_are_those_of_scikit_learn():
    labels, predictions = labelled(0, sizes=[40, 7, 90], recalls=[0.8, 0.4, 0.95])
    assert accuracy(labels, predictions).value == pytest.approx((labels == predictions).mean(), abs=1e-12)
    assert balanced_accuracy(labels, predictions).value == pytest.approx(balanced_accuracy_score(labels, predictions))
    assert macro_f1(labels, predictions).value == pytest.approx(f1_score(labels, predictions, average="macro"))
    assert accuracy_per_class(labels, predictions).value == pytest.approx(
        recall_score(labels, predictions, average=None)
    )


@pytest.mark.parametrize("successes", [1, 3, 50, 97, 99])
@pytest.mark.parametrize("level", [0.8, 0.95, 0.999])
def test_exact_interval_ends_put_half_the_error_in_each_binomial_tail(successes, level):
    estimate = exact_binomial(successes, 100, confidence_level=level)
    assert binom.sf(successes - 1, 100, estimate.low) == pytest.approx((1 - level) / 2, rel=1e-9)
    assert binom.cdf(successes, 100, estimate.high) == pytest.approx((1 - level) / 2, rel=1e-9)


def test_exact_interval_at_none_and_all_right_is_the_closed_form():
    none, all_right = exact_binomial(0, 20), exact_binomial(20, 20)
    assert (none.value, none.low) == (0, 0)
    assert (all_right.value, all_right.high) == (1, 1)
    assert none.high == pytest.approx(1 - 0.025 ** (1 / 20), rel=1e-12)
    assert all_right.low == pytest.approx(0.025 ** (1 / 20), rel=1e-12)


@pytest.mark.parametrize("proportion", [0.0, 0.003, 0.02, 0.37, 0.98, 0.999, 1.0])
def test_exact_interval_covers_at_every_sample_size(proportion):
    for trials in (1, 4, 30, 400):
        hits = np.arange(trials + 1)
        estimate = exact_binomial(hits, trials)
        covered = (estimate.low <= proportion) & (proportion <= estimate.high)
        assert binom.pmf(hits, trials, proportion)[covered].sum() >= 0.95 - 1e-12


COVERAGE_CASES = {
    "near one": ([200] * 10, [0.999] * 10),
    "one in a thousand errs in a class of five": ([5] + [1000] * 4, [0.999] * 5),
    "rare classes that are often wrong": ([5, 8, 400, 400], [0.5, 0.7, 0.98, 0.99]),
    "many rare classes": ([3] * 30, [0.9] * 30),
    "hundreds of classes with one error each at most": ([10] * 100, [0.99] * 100),
    "plenty": ([300, 400, 500], [0.7, 0.8, 0.9]),
    "two classes, one tiny": ([4, 900], [0.75, 0.95]),
    "a hundred classes of two": ([2] * 100, [0.6] * 100),
    "a hundred classes of three, mostly wrong": ([3] * 100, [0.27] * 100),
}


@pytest.mark.parametrize("case", COVERAGE_CASES)
@pytest.mark.parametrize("sink", [False, True])
def test_balanced_accuracy_and_macro_f1_cover_near_one_and_for_rare_classes(case, sink):
    """Catches a normal, Wald or bootstrap interval, which has no width where no error was seen.

    500 data sets a case at nominal 95 %, with a false-alarm rate of 1e-6 for each of the two measures.
    """
    sizes, recalls = (np.array(column) for column in COVERAGE_CASES[case])
    true_f1 = true_macro_f1(sizes, recalls, sink=sink)
    covered = np.zeros(2, dtype=int)
    for seed in range(500):
        labels, predictions = labelled(seed, sizes=sizes, recalls=recalls, sink=sink)
        for measure, (estimate, truth) in enumerate([
            (balanced_accuracy(labels, predictions), recalls.mean()),
            (macro_f1(labels, predictions), true_f1),
        ]):  # fmt: skip
            covered[measure] += estimate.low <= truth <= estimate.high
    assert covered.min() >= least_covered(500)


def test_balanced_accuracy_covers_where_classes_have_a_single_example():
    """Catches a variance taken class by class alone, which single examples do not show (false-alarm rate 1e-6)."""
    covered, sizes, recalls = 0, np.array([1] * 200 + [30] * 5), np.array([0.8] * 100 + [0.9] * 105)
    for seed in range(300):
        estimate = balanced_accuracy(*labelled(seed, sizes=sizes, recalls=recalls))
        covered += estimate.low <= recalls.mean() <= estimate.high
    assert covered >= least_covered(300)


def true_macro_f1(sizes, recalls, *, sink):
    """The macro-F1 of the population that `labelled` draws from."""
    num_classes = len(sizes)
    off = (1 - np.eye(num_classes)) / (num_classes - 1)
    if sink:
        off = np.zeros((num_classes, num_classes))
        off[1:, 0] = off[0, 1] = 1
    joint = (np.diag(recalls) + (1 - recalls)[:, None] * off) * (sizes / sizes.sum())[:, None]
    return (2 * joint.diagonal() / (joint.sum(0) + joint.sum(1))).mean()


def test_macro_f1_covers_where_labels_are_drawn_too():
    """Catches a variance that leaves out the chance in the class sizes (500 data sets, false-alarm rate 1e-6)."""
    shares, recalls, covered = np.array([0.02, 0.98]), np.array([1.0, 0.95]), 0
    truth = true_macro_f1(shares, recalls, sink=False)
    for seed in range(500):
        sizes = np.random.default_rng(1_000 + seed).multinomial(3000, shares)
        estimate = macro_f1(*labelled(seed, sizes=sizes, recalls=recalls), num_classes=2)
        covered += estimate.low <= truth <= estimate.high
    assert covered >= least_covered(500)


@pytest.mark.parametrize("measure", [balanced_accuracy, macro_f1])
def test_with_plenty_of_data_the_interval_is_no_wider_than_the_spread_calls_for(measure):
    """Catches an interval that covers by being too wide: within 5 % of 3.92 standard deviations of the estimate."""
    found = [measure(*labelled(seed, sizes=[3000] * 4, recalls=[0.7, 0.8, 0.85, 0.9])) for seed in range(400)]
    width = np.mean([estimate.high - estimate.low for estimate in found])
    spread = np.std([estimate.value for estimate in found])
    # the standard deviation of 400 normal values is within 18 % of the truth but for one case in a million
    assert width <= 1.05 * 3.92 * spread * 1.18


@pytest.mark.parametrize("measure", MEASURES)
def test_all_right_has_its_high_end_at_one_and_a_low_end_below(measure):
    labels = np.repeat(np.arange(5), 20)
    estimate = measure(labels, labels)
    assert np.all(np.asarray(estimate.high) == 1) and np.all(np.asarray(estimate.value) == 1)
    assert np.all(np.asarray(estimate.low) < 0.99)


@pytest.mark.parametrize("measure", MEASURES)
def test_all_wrong_has_its_low_end_at_zero_and_a_high_end_above(measure):
    labels = np.repeat(np.arange(5), 20)
    estimate = measure(labels, (labels + 1) % 5)
    assert np.all(np.asarray(estimate.low) == 0) and np.all(np.asarray(estimate.value) == 0)
    assert np.all(np.asarray(estimate.high) > 0.01)


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_permuting_the_classes_permutes_the_results(data):
    num_classes = data.draw(st.integers(2, 6))
    seed = data.draw(st.integers(0, 2**32 - 1))
    order = np.array(data.draw(st.permutations(range(num_classes))))
    rng = np.random.default_rng(seed)
    labels = np.concatenate([np.arange(num_classes), rng.integers(0, num_classes, 40)])
    predictions = np.where(rng.random(len(labels)) < 0.6, labels, rng.integers(0, num_classes, len(labels)))
    for measure in (accuracy, balanced_accuracy, macro_f1):
        options = {} if measure is accuracy else {"num_classes": num_classes}
        before, after = measure(labels, predictions, **options), measure(order[labels], order[predictions], **options)
        assert (after.value, after.low, after.high) == pytest.approx((before.value, before.low, before.high), abs=1e-9)
    before = accuracy_per_class(labels, predictions, num_classes=num_classes)
    after = accuracy_per_class(order[labels], order[predictions], num_classes=num_classes)
    assert after.low[order] == pytest.approx(before.low) and after.high[order] == pytest.approx(before.high)


@pytest.mark.parametrize("measure", MEASURES)
def test_probabilities_count_by_their_largest_column(measure):
    labels, predictions = labelled(3, sizes=[30, 30, 30], recalls=[0.9, 0.6, 0.8])
    probs = np.full((90, 3), 0.2, dtype=np.float32)
    probs[np.arange(90), predictions] = 0.6
    assert measure(labels, probs) == measure(labels, predictions)


def test_a_higher_confidence_level_gives_a_wider_interval_around_it():
    labels, predictions = labelled(4, sizes=[30, 30, 30], recalls=[0.9, 0.6, 0.8])
    for measure in MEASURES:
        inner, outer = (measure(labels, predictions, confidence_level=level) for level in (0.8, 0.99))
        assert np.all(outer.low < inner.low) and np.all(outer.high > inner.high)


def test_results_do_not_depend_on_numpys_global_random_state():
    labels, predictions = labelled(5, sizes=[9, 30], recalls=[0.9, 0.6])
    state = np.random.get_state()[1].copy()
    first = [measure(labels, predictions) for measure in MEASURES]
    assert first == [measure(labels, predictions) for measure in MEASURES]
    assert (np.random.get_state()[1] == state).all()


NAN_ROW = np.array([[0.5, 0.5], [np.nan, 0.4]])


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize(
    ("labels", "predictions", "match"),
    [
        ([0, 1], NAN_ROW, "example 1 has NaN"),
        ([0, 1], [[0.5, np.inf], [0.5, 0.5]], "example 0 has NaN or infinity"),
        ([0, 1, 1], [0, 1], "3 labels and 2"),
        ([], [], "float64"),
        (np.zeros(0, int), np.zeros(0, int), "none came"),
        ([0, -1], [0, 1], "unknown"),
        ([0, 1], [0, -1], "predicted class >= 0"),
        ([0, 2], [[0.5, 0.5], [0.5, 0.5]], r"\[0, 2\)"),
        ([[0, 1]], [0, 1], r"integers \[N\]"),
        ([0.0, 1.0], [0, 1], "float64"),
        ([0, 1], [0.0, 1.0], "float64"),
        ([0, 1], [[1.0], [1.0]], "K >= 2"),
        ([0, 1], [True, False], "bool"),
        ([0, 1], "ab", "shape"),
        ([[0], [0, 1]], [0, 1], "expected an array"),
    ],
)
def test_faulty_input_is_refused_and_said_why(measure, labels, predictions, match):
    with pytest.raises(InputError, match=match):
        measure(labels, predictions)


@pytest.mark.parametrize("measure", OF_CLASSES)
def test_a_class_without_examples_is_refused_by_name(measure):
    with pytest.raises(InputError, match=r"1 of 3 have none \(class 1\)"):
        measure([0, 2, 2], [0, 2, 1])
    with pytest.raises(InputError, match=r"2 of 4 have none \(class 2, 3\)"):
        measure([0, 1], [0, 1], num_classes=4)


@pytest.mark.parametrize("measure", OF_CLASSES)
def test_numbers_of_classes_that_disagree_are_refused(measure):
    with pytest.raises(InputError, match="3, but the probabilities have 2"):
        measure([0, 1], [[0.5, 0.5], [0.5, 0.5]], num_classes=3)
    with pytest.raises(InputError, match=r"labels lie in \[0, 2\).*; predicted classes lie in \[0, 2\)"):
        measure([0, 2], [0, 3], num_classes=2)
    with pytest.raises(InputError, match="integer >= 2"):
        measure([0, 0], [0, 0], num_classes=1)


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("level", [0.0, 1.0, 1.5, -0.1, float("nan")])
def test_a_confidence_level_outside_zero_to_one_is_refused(measure, level):
    with pytest.raises(InputError, match="confidence level"):
        measure([0, 1], [0, 1], confidence_level=level)


@pytest.mark.parametrize(("successes", "trials"), [(3, 2), (-1, 2), (0, 0), (0.5, 2)])
def test_impossible_counts_are_refused(successes, trials):
    with pytest.raises(InputError, match="0 <= successes <= trials"):
        exact_binomial(successes, trials)
