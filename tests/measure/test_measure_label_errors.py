"""Label errors: found where a classifier of noisy labels sees them, ranked, counted within stated assumptions."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from murk.errors import InputError
from murk.measure import Range, TopK, find_label_errors
from murk.measure.label_errors import threshold_of
from murk.measure.shortlist import Shortlist, read_shortlist
from murk.measure.unmixing import Unmixing, calibrating_power, label_transition


def noisy(
    num_examples: int, transition: np.ndarray, *, sure: float = 5.0, seed: int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Draw calibrated p, the truth by it, labels by T, and give labels, truth, p and q = p T."""
    rng = np.random.default_rng(seed)
    probs = np.exp(sure * rng.normal(size=(num_examples, len(transition))))
    probs /= probs.sum(1, keepdims=True)
    truth = (probs.cumsum(1) > rng.random((num_examples, 1))).argmax(1)
    labels = (transition[truth].cumsum(1) > rng.random((num_examples, 1))).argmax(1)
    return labels, truth, probs, probs @ transition


def structured(num_classes: int, rate: float, *, seed: int = 1) -> np.ndarray:
    """Give a transition whose wrong labels go to few classes."""
    wrong = np.random.default_rng(seed).dirichlet(np.full(num_classes, 0.3), num_classes)
    np.fill_diagonal(wrong, 0)
    wrong /= wrong.sum(1, keepdims=True)
    return (1 - rate) * np.eye(num_classes) + rate * wrong


@pytest.mark.parametrize("rate", [0.1, 0.3, 0.5])
def test_flagged_labels_are_nearer_the_best_that_can_be_than_those_where_the_predicted_class_differs(
    rate: float,
) -> None:
    transition = structured(6, rate)
    labels, truth, probs, mixed = noisy(20_000, transition)
    wrong = labels != truth
    best = (probs * transition[:, labels].T).argmax(1) != labels  # knows p and T

    def f1(flagged: np.ndarray) -> float:
        return float(2 * (flagged & wrong).sum() / (flagged.sum() + wrong.sum()))

    found, differs = f1(find_label_errors(labels, mixed).flagged), f1(mixed.argmax(1) != labels)
    assert differs < found <= f1(best) + 0.01
    assert f1(best) - found < 0.6 * (f1(best) - differs)  # the truth is no surer here than p says


def test_what_is_suggested_is_right_more_often_than_the_labels_and_than_the_predictions() -> None:
    labels, truth, _, mixed = noisy(20_000, structured(6, 0.3))
    suggested = find_label_errors(labels, mixed).suggested
    assert (suggested == truth).mean() > max((labels == truth).mean(), (mixed.argmax(1) == truth).mean()) + 0.01


def test_probabilities_of_the_truth_give_the_posterior_under_the_transition_that_em_finds() -> None:
    transition = structured(5, 0.3)
    labels, truth, probs, _ = noisy(30_000, transition)
    found = find_label_errors(labels, probs, probs_of="truth")
    assert np.abs(found.transition - transition).max() < 0.03  # 6,000 labels a row, of classes nearly sure: 4 SD
    joint = probs * found.transition[:, labels].T
    exact = 1 - joint[np.arange(len(labels)), labels] / joint.sum(1)
    assert np.abs(found.probability - exact).max() < 1e-3
    assert found.probability.sum() == pytest.approx((labels != truth).sum(), rel=0.03)


@pytest.mark.parametrize("rate", [0.1, 0.4])
@pytest.mark.parametrize("probs_of", ["votes", "truth"])
def test_the_range_holds_the_number_of_errors_where_one_of_its_assumptions_is_true(rate: float, probs_of: str) -> None:
    labels, truth, probs, mixed = noisy(20_000, structured(6, rate))
    count = find_label_errors(labels, probs if probs_of == "truth" else mixed, probs_of=probs_of).count
    assert isinstance(count, Range) and "low:" in count.assumed and "high:" in count.assumed
    assert count.low <= 1.02 * (labels != truth).sum() and count.high >= (labels != truth).sum()


def test_with_certain_predictions_every_answer_is_that_the_predicted_class_is_true() -> None:
    labels = np.array([0, 1, 2, 0, 1, 2, 1, 1])
    truth = np.array([0, 1, 2, 0, 1, 2, 0, 1])
    probs = np.eye(3)[truth]
    for probs_of in ("votes", "truth"):
        found = find_label_errors(labels, probs, probs_of=probs_of)
        assert found.flagged.tolist() == (labels != truth).tolist()
        assert found.suggested.tolist() == truth.tolist()
        assert found.ranked()[0] == 6
        assert (found.count.low, found.count.high) == pytest.approx((1, 1), abs=0.01)


@given(st.integers(0, 10**6), st.sampled_from([1, 7, 1000]))
@settings(max_examples=20, deadline=None)
def test_results_do_not_depend_on_the_blocks_in_which_probabilities_are_read(seed: int, rows: int) -> None:
    labels, _, _, mixed = noisy(300, structured(15, 0.3), seed=seed)
    whole, parts = read_shortlist(labels, mixed), read_shortlist(labels, mixed, rows_at_once=rows)
    assert (whole.classes == parts.classes).all() and (whole.probs == parts.probs).all()


@given(st.integers(0, 10**6))
@settings(max_examples=20, deadline=None)
def test_other_names_of_the_classes_give_the_same_answers(seed: int) -> None:
    labels, _, _, mixed = noisy(500, structured(5, 0.3), seed=seed)
    order = np.random.default_rng(seed).permutation(5)
    found, renamed = find_label_errors(labels, mixed), find_label_errors(order[labels], mixed[:, np.argsort(order)])
    assert np.abs(found.probability - renamed.probability).max() < 1e-3
    assert (order[found.suggested] == renamed.suggested).mean() > 0.99  # ties of shortened numbers


def test_a_list_of_the_likeliest_classes_finds_what_the_whole_table_finds() -> None:
    labels, truth, _, mixed = noisy(8_000, structured(40, 0.3), sure=4.0)
    top = np.argsort(-mixed, axis=1)[:, :8]
    listed = TopK(top, np.take_along_axis(mixed, top, axis=1), num_classes=40)
    whole, short = find_label_errors(labels, mixed), find_label_errors(labels, listed)
    assert (whole.flagged == short.flagged).mean() > 0.98
    assert (short.suggested == truth).mean() > (labels == truth).mean() + 0.05


def test_a_label_that_a_list_lacks_has_an_equal_part_of_what_the_list_leaves() -> None:
    listed = read_shortlist([4, 2], TopK([[0, 1], [2, 1]], [[0.6, 0.3], [0.2, 0.7]], num_classes=5))
    assert listed.classes[0].tolist() == [0, 1, 4] and listed.probs[0] == pytest.approx([0.6, 0.3, 0.1 / 3])
    assert set(listed.classes[1, :2].tolist()) == {1, 2} and len(set(listed.classes[1].tolist())) == 3
    shortest = read_shortlist([4, 2], TopK([[0, 1], [2, 1]], [[0.6, 0.3], [0.2, 0.7]], num_classes=5), longest=1)
    assert shortest.classes.tolist() == [[4], [2]] and shortest.probs[:, 0] == pytest.approx([0.1 / 3, 0.2])


def test_unmixing_gives_back_what_was_mixed_and_powers_calibrate() -> None:
    transition = structured(5, 0.3).astype(np.float32)
    labels, _, probs, mixed = noisy(4_000, transition.astype(np.float64), sure=3.0)
    listed = read_shortlist(labels, mixed)
    many = Unmixing(mixed=True, power=1.0, steps=2000, rounds=0)
    posterior = np.zeros_like(probs)
    np.put_along_axis(posterior, listed.classes.astype(np.int64), many.posterior(listed, transition), axis=1)
    joint = probs * transition[:, labels].T
    assert np.abs(posterior - joint / joint.sum(1, keepdims=True)).mean() < 0.01
    flat = mixed**0.5
    assert calibrating_power(read_shortlist(labels, flat / flat.sum(1, keepdims=True))) == pytest.approx(2, abs=0.15)


def test_thresholds_flag_what_has_the_wanted_precision_or_recall() -> None:
    labels, truth, probs, _ = noisy(30_000, structured(5, 0.3), sure=2.0)
    wrong = labels != truth
    found = find_label_errors(labels, probs, probs_of="truth")  # calibrated here
    flagged = found.probability >= found.threshold(precision=0.9)
    assert wrong[flagged].mean() == pytest.approx(0.9, abs=0.02)
    flagged = found.probability >= found.threshold(recall=0.8)
    assert wrong[flagged].sum() / wrong.sum() == pytest.approx(0.8, abs=0.02)
    assert found.threshold(recall=1.0) == found.probability.min()
    for wanted in ({}, {"precision": 0.5, "recall": 0.5}, {"precision": 0.0}, {"recall": 1.5}):
        with pytest.raises(InputError, match="give precision or recall"):
            found.threshold(**wanted)
    with pytest.raises(InputError, match="no label is wrong with probability 1"):
        found.threshold(precision=1.0)


def test_of_equal_chances_all_are_flagged_or_none() -> None:
    chance = np.r_[np.full(3, 0.9), np.full(5, 0.4), np.zeros(4)]
    assert threshold_of(chance, precision=0.8) == 0.9  # with some of the .4 it would be .8 still, with all .59
    assert threshold_of(chance, precision=0.58) == 0.4 and threshold_of(chance, precision=0.9) == 0.9
    assert threshold_of(chance, recall=0.5) == 0.9 and threshold_of(chance, recall=0.6) == 0.4


def test_the_range_is_the_same_where_examples_have_an_order() -> None:
    size = 200_000
    labels, truth, _, mixed = noisy(10_000, structured(10, 0.2))
    by_class = np.argsort(truth, kind="stable")
    twenty = by_class.repeat(size // len(by_class))  # class after class
    ordered = twenty.reshape(2, -1).T.reshape(-1)  # every second example is of one of the first five classes
    mingled = np.random.default_rng(0).permutation(twenty)
    told, other = (find_label_errors(labels[each], mixed[each]) for each in (ordered, mingled))
    assert told.rate.low == pytest.approx(other.rate.low, abs=0.01)
    assert told.ends is not None and other.ends is not None
    assert told.ends[0] == pytest.approx(other.ends[0], rel=0.2, abs=300)


def test_labels_that_agree_too_well_are_remarked() -> None:
    labels, _, _, mixed = noisy(1000, structured(4, 0.2))
    assert find_label_errors(labels, mixed).remarks == ()
    seen = 0.9 * np.eye(4)[labels] + 0.1 / 4
    assert "has not been trained on" in find_label_errors(labels, seen).remarks[0]


GOOD = np.full((6, 3), 1 / 3)


@pytest.mark.parametrize(
    ("labels", "probs", "said"),
    [
        ([0, 1, 2, 0, 1, 3], GOOD, r"labels lie in \[0, 3\).*example 5 has 3"),
        ([0, 1, 2, 0, 1, -1], GOOD, r"example 5 has -1 \(1 such\)"),
        ([0, 1, 2], GOOD, "3 labels and 6 rows"),
        (np.zeros((6, 3), int), GOOD, "several labels at once"),
        ([0.5] * 6, GOOD, "labels are integers"),
        (np.zeros(0, int), np.zeros((0, 3)), "at least one example"),
        ([0] * 6, GOOD[:, 0], "floats .N, K."),
        ([0] * 6, np.ones((6, 3), int), "floats .N, K."),
        ([0] * 6, np.where(np.arange(6)[:, None] == 4, np.nan, GOOD), "example 4 has NaN"),
        ([0] * 6, GOOD - 0.5, "example 0 has a number below 0; these look like logits"),
        ([0] * 6, np.full((6, 3), 0.9), "example 0 sums to 2.7.*several labels at once"),
        ([0] * 6, GOOD / 2, "sums to 0.5, not to one"),
        ([0] * 6, TopK([[0, 0]] * 6, [[0.5, 0.2]] * 6, num_classes=5), "example 0 names one twice"),
        ([0] * 6, TopK([[0, 5]] * 6, [[0.5, 0.2]] * 6, num_classes=5), r"classes lie in \[0, 5\), but 5"),
        ([0] * 6, TopK([[0, 1]] * 6, [[0.5]] * 6, num_classes=5), "as many probabilities"),
        ([0] * 6, TopK([[0, 1]] * 6, [[0.0, 0.0]] * 6, num_classes=5), "example 0 has no probability above 0"),
        ([0] * 6, TopK([[0, 1]] * 6, [[0.5, 0.2]] * 6, num_classes=1), "num_classes is an integer"),
    ],
)
def test_input_that_lies_is_refused_by_name(labels: Any, probs: Any, said: str) -> None:
    with pytest.raises(InputError, match=said):
        find_label_errors(labels, probs)


def test_other_kinds_of_probabilities_are_refused_with_the_nearest_name() -> None:
    with pytest.raises(InputError, match="did you mean 'truth'"):
        find_label_errors([0, 1], GOOD[:2], probs_of="thruth")


def test_half_precision_from_a_memory_map_is_read_as_it_lies(tmp_path: Any) -> None:
    labels, _, _, mixed = noisy(2000, structured(12, 0.3))
    np.save(tmp_path / "probs.npy", mixed.astype(np.float16))
    mapped = np.load(tmp_path / "probs.npy", mmap_mode="r")
    assert (find_label_errors(labels, mapped).flagged == find_label_errors(labels, mixed).flagged).mean() > 0.995


def test_transitions_of_counts_have_rows_that_sum_to_one_and_no_zero() -> None:
    transition = label_transition(np.array([[10.0, 0.0], [0.0, 0.0]], np.float32))
    assert (
        transition.sum(1) == pytest.approx([1, 1])
        and transition.min() > 0
        and transition[1] == pytest.approx([0.5] * 2)
    )


def test_a_shortlist_keeps_rows() -> None:
    listed = read_shortlist([0, 2, 1], np.eye(3)[[0, 2, 2]] * 0.9 + 0.1 / 3)
    kept = listed.rows(np.array([2]))
    assert isinstance(kept, Shortlist) and len(kept) == 1 and kept.predicted.tolist() == [2] and kept.labels == [1]


def test_a_range_has_an_order() -> None:
    with pytest.raises(InputError, match="low <= high"):
        Range(2, 1, "")
    assert Range(1, 2, "low: a; high: b").to_dict() == {"low": 1, "high": 2, "assumed": "low: a; high: b"}
