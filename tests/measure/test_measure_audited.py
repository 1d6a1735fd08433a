"""Audits: samples that are what they say, and intervals that cover for the finite set at hand."""

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, hypergeom

from murk.errors import InputError
from murk.measure import Audit, audit_sample, exact_binomial, stratified_share
from murk.measure.audited import CUTS, strata_of

FALSE_ALARM = 1e-6
LEVEL = 0.95


def labelled(num_examples: int, *, seed: int = 0, rare: bool = False) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw labels, truth and a P(error) that is right on the whole but for a factor."""
    rng = np.random.default_rng(seed)
    chance = rng.beta(0.2, 3.0 if not rare else 60.0, num_examples)
    labels = rng.integers(0, 4, num_examples)
    wrong = rng.random(num_examples) < np.minimum(1.3 * chance, 1)
    return labels, np.where(wrong, (labels + rng.integers(1, 4, num_examples)) % 4, labels), chance


def covers_too_little(held: int, simulations: int) -> bool:
    """Whether intervals hold the truth less often than 95 %, by chance once in a million (300 of them: below .88)."""
    return bool(binom.cdf(held, simulations, LEVEL) < FALSE_ALARM)


@pytest.mark.parametrize("simply", [False, True])
@pytest.mark.parametrize("rare", [False, True])
@pytest.mark.parametrize("size", [60, 300])
def test_intervals_of_the_noise_rate_cover(simply: bool, rare: bool, size: int) -> None:
    held, simulations = 0, 300
    labels, truth, chance = labelled(2000, rare=rare)
    rate = (labels != truth).mean()
    for seed in range(simulations):
        where = (
            np.random.default_rng(seed).choice(2000, size, replace=False) if simply
            else audit_sample(chance, size, seed=seed)
        )  # fmt: skip
        told = Audit(labels, chance, where, truth[where], num_classes=4).noise_rate()
        held += told.low <= rate <= told.high
    assert not covers_too_little(held, simulations)


def test_intervals_per_class_and_of_transitions_cover() -> None:
    labels, truth, chance = labelled(3000)
    per_class = np.array([(truth[labels == k] != k).mean() for k in range(4)])
    transition = np.array([[(labels[truth == j] == k).mean() for k in range(4)] for j in range(4)])
    held, entries, simulations = np.zeros(4), np.zeros((4, 4)), 300
    for seed in range(simulations):
        where = audit_sample(chance, 200, seed=seed)
        audit = Audit(labels, chance, where, truth[where], num_classes=4)
        rates, found = audit.noise_rate_per_class(), audit.transition()
        held += (rates.low <= per_class) & (per_class <= rates.high)
        entries += (found.low <= transition) & (transition <= found.high)
        assert found.value.sum(1) == pytest.approx(np.ones(4))
    assert not any(covers_too_little(int(each), simulations) for each in [*held, *entries.ravel()])


def test_intervals_are_narrower_than_those_of_as_many_labels_drawn_simply_where_probabilities_tell_errors() -> None:
    labels, truth, chance = labelled(20_000)
    narrower = []
    for seed in range(20):
        where = audit_sample(chance, 300, seed=seed)
        told = Audit(labels, chance, where, truth[where], num_classes=4).noise_rate()
        simple = exact_binomial(round(300 * float((labels != truth).mean())), 300)
        narrower.append((told.high - told.low) / (simple.high - simple.low))
    assert np.mean(narrower) < 0.85


@pytest.mark.parametrize(("classes", "size"), [(100, 60), (100, 200), (10, 60), (10, 200)])
def test_intervals_per_class_cover_where_most_strata_of_a_class_have_no_answer(classes: int, size: int) -> None:
    rng = np.random.default_rng(1)
    truth = rng.integers(0, classes, 20_000)
    chance = rng.beta(0.3, 2, 20_000)
    wrong = rng.random(20_000) < chance
    labels = np.where(wrong, (truth + rng.integers(1, classes, 20_000)) % classes, truth)
    per_class = np.array([wrong[labels == k].mean() for k in range(classes)])
    held = np.zeros(classes)
    for seed in range(100):
        where = audit_sample(chance, size, seed=seed)
        told = Audit(labels, chance, where, truth[where], num_classes=classes).noise_rate_per_class()
        held += (told.low <= per_class) & (per_class <= told.high)
    assert not covers_too_little(int(held.sum()), 100 * classes)
    assert not any(covers_too_little(int(each), 100) for each in held)


def test_intervals_cover_for_a_set_that_was_checked_nearly_whole() -> None:
    for wrong in (1, 6, 20):
        truth = (np.arange(45) < wrong).astype(int)
        held = 0
        for seed in range(300):
            where = np.random.default_rng(seed).choice(45, 44, replace=False)
            told = Audit(np.zeros(45, int), np.full(45, 0.3), where, truth[where], num_classes=2).noise_rate()
            held += told.low <= wrong / 45 <= told.high
        assert not covers_too_little(held, 300)


def coverage(sizes: Any, wrong: Any, checked: Any) -> float:
    """Enumerate all audits of strata; give the chance that the interval holds the share of wrong labels."""
    strata = list(zip(sizes, wrong, checked, strict=True))
    outcomes = np.array(list(itertools.product(
        *(range(max(0, n - (size - k)), min(k, n) + 1) for size, k, n in strata)
    )))  # fmt: skip
    told = stratified_share(outcomes, np.broadcast_to(checked, outcomes.shape), np.broadcast_to(sizes, outcomes.shape))
    chance = np.prod([hypergeom.pmf(outcomes[:, h], size, k, n) for h, (size, k, n) in enumerate(strata)], axis=0)
    share = sum(wrong) / sum(sizes)
    return float(chance[(told.low <= share + 1e-12) & (share <= told.high + 1e-12)].sum())


@pytest.mark.parametrize(
    ("sizes", "wrong", "checked"),
    [
        ([20, 10], [1, 1], [10, 5]),
        ([200, 100], [1, 1], [100, 50]),
        ([100, 60, 40], [1, 1, 1], [50, 30, 20]),
        ([100, 60, 40], [2, 1, 1], [50, 30, 20]),
        ([5, 4], [1, 1], [3, 2]),
        ([8, 4, 2, 2, 1], [1, 1, 1, 1, 1], [3, 2, 1, 1, 1]),
    ],
)
def test_intervals_cover_where_few_labels_are_wrong_and_most_of_them_are_found(
    sizes: list[int], wrong: list[int], checked: list[int]
) -> None:
    assert coverage(sizes, wrong, checked) >= 0.95  # .70 to .88 by sums of squares alone
    right = [size - k for size, k in zip(sizes, wrong, strict=True)]
    assert coverage(sizes, right, checked) >= 0.95


def test_intervals_of_small_designs_cover_nearly_always_whatever_their_strata() -> None:
    rng, held = np.random.default_rng(0), []
    for _ in range(60):
        strata = int(rng.integers(1, 5))
        sizes = rng.integers(2, 200, strata)
        held.append(coverage(sizes, rng.integers(0, np.minimum(6, sizes) + 1), rng.integers(1, sizes + 1)))
    assert np.mean(held) > 0.97 and min(held) > 0.9  # not promised, but what 300 such designs came to


def test_strata_that_are_known_whole_leave_nothing_open() -> None:
    told = stratified_share([3, 0], [30, 10], [30, 10])
    assert told.low == told.value == told.high == pytest.approx(3 / 40)
    half, one = stratified_share([3], [30], [60]), exact_binomial(3, 30)
    assert one.low < half.low < half.high < one.high
    one = exact_binomial(3, 30)
    infinite = stratified_share([3], [30], [10**9])
    assert (infinite.low, infinite.high) == pytest.approx((one.low, one.high), abs=1e-6)


def test_a_stratum_without_a_sample_is_open_between_zero_and_one() -> None:
    told = stratified_share([0, 0], [0, 50], [50, 50])
    assert told.low == 0 and told.high >= 0.5 and told.value == pytest.approx(0.25)
    guessed = stratified_share([0, 0], [0, 50], [50, 50], expected=[0.1, 0.7])
    assert (guessed.low, guessed.high) == (told.low, told.high) and guessed.value == pytest.approx(0.05)
    nothing = stratified_share([[0] * 5], [[0] * 5], [[100] * 5])
    assert (nothing.low, nothing.value, nothing.high) == (0, 0.5, 1)
    assert stratified_share([[0, 1], [2, 2]], [[5, 5], [5, 5]], [[9, 9], [9, 9]]).value.shape == (2,)


@given(st.integers(0, 10**6), st.integers(1, 400))
@settings(max_examples=50, deadline=None)
def test_samples_hold_each_example_once_and_go_on_without_repeats(seed: int, size: int) -> None:
    _, _, chance = labelled(250, seed=seed)
    first = audit_sample(chance, size, seed=seed)
    assert len(first) == min(size, 250) == len(np.unique(first))
    second = audit_sample(chance, size, seed=seed + 1, audited=first)
    assert not set(first.tolist()) & set(second.tolist()) and len(second) == min(size, 250 - len(first))


def test_each_example_of_a_stratum_is_as_likely_drawn_as_any_other() -> None:
    chance = np.r_[np.full(60, 0.01), np.full(40, 0.7)]
    drawn = sum(np.bincount(audit_sample(chance, 20, seed=seed), minlength=100) for seed in range(2000))
    for members in (slice(0, 60), slice(60, 100)):
        share = drawn[members].sum() / 2000 / len(drawn[members])
        tail = binom.cdf(drawn[members], 2000, share), binom.sf(drawn[members] - 1, 2000, share)
        assert np.minimum(*tail).min() > FALSE_ALARM / 100


def test_more_are_drawn_where_errors_are_less_certain_and_some_everywhere() -> None:
    chance = np.r_[np.full(5000, 0.001), np.full(5000, 0.3), np.full(30, 0.95)]
    counts = np.bincount(strata_of(chance[audit_sample(chance, 200, seed=0)]), minlength=len(CUTS) + 1)
    assert counts[2] > 2.5 * counts[0] > 0 and counts[4] >= 5 and counts.sum() == 200


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"indices": [0, 0]}, "one came twice"),
        ({"indices": [0, 9]}, r"integers in \[0, 4\)"),
        ({"indices": [], "truth": np.zeros(0, int)}, "at least one checked label"),
        ({"truth": [0, 5]}, r"true classes lie in \[0, 3\)"),
        ({"truth": [0]}, "true classes are 2 integers"),
        ({"labels": [0, 1, 2]}, "labels are 4 integers"),
        ({"probability": [0.1, 0.2, 0.3, 1.2]}, r"P\(error\) is floats"),
        ({"probability": [0.1, 0.2, 0.3, np.nan]}, r"P\(error\) is floats"),
    ],
)
def test_answers_that_fit_nothing_are_refused(change: dict[str, Any], said: str) -> None:
    good: dict[str, Any] = {
        "labels": [0, 1, 2, 0], "probability": [0.1, 0.2, 0.3, 0.4], "indices": [0, 1], "truth": [0, 2],
    }  # fmt: skip
    with pytest.raises(InputError, match=said):
        Audit(**(good | change), num_classes=3)


def test_a_sample_of_none_and_shares_out_of_order_are_refused() -> None:
    with pytest.raises(InputError, match="size of an audit"):
        audit_sample([0.1, 0.2], 0, seed=0)
    for numbers in (([2], [1], [5]), ([0], [6], [5]), ([-1], [1], [5]), ([0.5], [1], [5]), ([0], [0], [0])):
        with pytest.raises(InputError, match="0 <= hits <= trials <= sizes"):
            stratified_share(*numbers)


def test_any_share_of_all_is_estimated_from_those_checked() -> None:
    rng = np.random.default_rng(3)
    chance = rng.random(5000)
    truth = (rng.random(5000) < chance).astype(int)
    has = rng.random(5000) < 0.3
    chosen = audit_sample(chance, 400, seed=0)
    audit = Audit(np.zeros(5000, int), chance, chosen, truth[chosen], num_classes=2)
    assert audit.share(audit.wrong) == audit.noise_rate()
    told = audit.share(has[chosen])
    assert told.low < has.mean() < told.high
    with pytest.raises(InputError, match="each of 400"):
        audit.share(has)


def test_reliability_tells_how_far_each_stratum_can_be_taken_at_its_word() -> None:
    rng = np.random.default_rng(4)
    chance = rng.beta(0.3, 0.6, 20_000)
    truth = (rng.random(20_000) < chance**2).astype(int)  # less is wrong than is said
    chosen = rng.choice(20_000, 3000, replace=False)
    told = Audit(np.zeros(20_000, int), chance, chosen, truth[chosen], num_classes=2).reliability()
    expected = [float((chance**2)[part].mean()) for part in np.split(np.argsort(chance), np.cumsum(told.examples)[:-1])]
    assert told.examples.sum() == 20_000 and (np.diff(told.confidence) > 0).all()
    assert (told.accuracy.low < expected).all() and (expected < told.accuracy.high).all()
    assert told.confidence[2] > told.accuracy.high[2]  # a half of all there is .3, and said to be


def test_calibrated_chances_are_nearer_to_the_truth_and_few_answers_change_little() -> None:
    rng = np.random.default_rng(5)
    right = rng.beta(0.2, 0.6, 20_000)
    odds = np.log(right + 1e-9) - np.log1p(-right + 1e-9)
    said = 1 / (1 + np.exp(-np.clip(2 * odds + 1, -30, 30)))  # too sure, and of too many
    truth = (rng.random(20_000) < right).astype(int)
    labels = np.zeros(20_000, int)

    def off(chance: np.ndarray) -> float:
        return float(((chance - right) ** 2).mean())

    chosen = audit_sample(said, 300, seed=0)
    mended = Audit(labels, said, chosen, truth[chosen], num_classes=2).calibrated()
    assert off(mended) < off(said) / 3
    assert (np.diff(mended[np.argsort(said)]) >= 0).all()
    asked = chosen[(said[chosen] > 0.5) == (truth[chosen] > 0)][:2]  # two answers that were to be expected
    two = Audit(labels, said, asked, truth[asked], num_classes=2).calibrated()
    assert np.abs(two - said).max() < 0.1


def test_strata_without_an_answer_are_taken_at_their_word_by_the_estimate_and_left_open_by_the_interval() -> None:
    chance = np.r_[np.full(500, 0.01), np.full(500, 0.2)]
    audit = Audit(np.zeros(1000, int), chance, np.arange(100), np.zeros(100, int), num_classes=2)
    told = audit.noise_rate()
    assert told.value == pytest.approx(0.1) and told.low == 0 and told.high >= 0.5
    assert audit.noise_rate_per_class().value[0] == pytest.approx(0.1)
