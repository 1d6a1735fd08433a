"""Accuracy from votes of any transition: intervals that cover, or that it cannot be said."""

from typing import Any

import numpy as np
import pytest
from scipy.stats import binom

from murk.errors import InputError, UndecidedError
from murk.measure import (
    Audit,
    Estimate,
    accuracy_from_votes,
    accuracy_per_class_from_votes,
    audit_sample,
    compare_from_votes,
    estimate_transition,
)
from murk.noise import Annotators, Channel, Dilution, Flat, Structured, Votes, pair_flip, random_ranking

FALSE_ALARM = 1e-6
LEVEL, SIMULATIONS, CLASSES = 0.95, 150, 5


def covers_too_little(held: int, simulations: int = SIMULATIONS) -> bool:
    """Whether intervals hold the truth less often than 95 %, by chance once in a million (150 of them: below .85)."""
    return bool(binom.cdf(held, simulations, LEVEL) < FALSE_ALARM)


def structured(rate: float) -> np.ndarray:
    """Give a transition whose wrong labels go to few classes."""
    wrong = np.random.default_rng(1).dirichlet(np.full(CLASSES, 0.3), CLASSES)
    np.fill_diagonal(wrong, 0)
    return (1 - rate) * np.eye(CLASSES) + rate * wrong / wrong.sum(1, keepdims=True)


def predicted(size: int, accuracy: float, *, seed: int, step: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Draw true classes, and predictions whose errors all go to one class."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, CLASSES, size)
    return truth, np.where(rng.random(size) < accuracy, truth, (truth + step) % CLASSES)


@pytest.mark.parametrize("accuracy", [0.7, 0.98])
@pytest.mark.parametrize(
    "noise",
    [
        Channel(structured(0.05)),
        Channel(structured(0.45)),
        Channel(structured(0.45), votes_per_example=3),
        Dilution(6, num_classes=CLASSES, pattern=Structured(0.5, random_ranking(CLASSES, seed=0))),
        Annotators(np.stack([structured(0.1), structured(0.5)]), votes_per_example=2),
    ],
    ids=["rare", "frequent", "three votes", "dilution", "annotators"],
)
def test_intervals_cover_with_known_noise_over_all_and_per_class_and_for_differences(
    noise: Any, accuracy: float
) -> None:
    held, per_class, compared, less = 0, np.zeros(CLASSES), 0, 0.04
    for seed in range(SIMULATIONS):
        truth, one = predicted(600, accuracy, seed=seed)
        other = np.where(np.random.default_rng(seed + 1000).random(600) < accuracy - less, truth, (truth + 2) % CLASSES)
        votes = noise.draw(truth, seed=seed)
        told = accuracy_from_votes(one, votes, noise=noise)
        held += told.low <= accuracy <= told.high
        each = accuracy_per_class_from_votes(one, votes, noise=noise)
        per_class += (each.low <= accuracy) & (accuracy <= each.high)
        difference = compare_from_votes(one, other, votes, noise=noise)
        compared += difference.low <= less <= difference.high
    assert not covers_too_little(held) and not covers_too_little(compared)
    assert not any(covers_too_little(int(each)) for each in per_class)


@pytest.mark.parametrize(("how", "simulations"), [("estimated", 25), ("audited", 150)])
def test_intervals_cover_with_a_transition_that_was_estimated_or_audited(how: str, simulations: int) -> None:
    noise, held, compared, per_class = Channel(structured(0.3)), np.zeros(2), np.zeros(2), np.zeros((2, CLASSES))
    said = np.full(2, simulations)
    for seed in range(simulations):
        rng = np.random.default_rng(seed)
        probs = np.exp(4 * rng.normal(size=(500, CLASSES)))
        probs /= probs.sum(1, keepdims=True)
        truth = (probs.cumsum(1) > rng.random((500, 1))).argmax(1)
        labels = np.asarray(noise.draw(truth, seed=seed).batch(np.arange(500)).labels)
        if how == "estimated":
            found = estimate_transition(probs, Votes.from_labels(labels, num_classes=CLASSES), seed=seed).transition
        else:
            chance = 1 - probs[np.arange(500), labels]
            checked = audit_sample(chance, 100, seed=seed)
            found = Audit(labels, chance, checked, truth[checked], num_classes=CLASSES).transition()
        test_truth, guess = predicted(5000, 0.9, seed=seed + 500)
        votes = noise.draw(test_truth, seed=seed + 1)
        other = np.where(rng.random(5000) < 0.86, test_truth, (test_truth + 2) % CLASSES)
        for i, given in enumerate((found, Channel(found.value))):  # with T's error, and as if it were known
            try:
                told = accuracy_from_votes(guess, votes, noise=given)
                held[i] += told.low <= 0.9 <= told.high
            except UndecidedError:
                said[i] -= 1
            each = accuracy_per_class_from_votes(guess, votes, noise=given)
            per_class[i] += (each.low <= 0.9) & (each.high >= 0.9)
            told = compare_from_votes(guess, other, votes, noise=given)
            compared[i] += told.low <= 0.04 <= told.high
    assert said[0] > 0.8 * simulations and not covers_too_little(held[0], said[0])
    assert not any(covers_too_little(int(each), simulations) for each in (compared[0], *per_class[0]))
    assert compared[0] >= compared[1]
    if how == "audited":  # T's own error is what makes them hold
        assert covers_too_little(held[1], said[1])
        assert all(covers_too_little(int(each), simulations) for each in per_class[1])


@pytest.mark.parametrize(
    ("rate", "answers", "at_random"), [(0.2, 50, False), (0.2, 50, True), (0.2, 100, True), (0.4, 200, False)]
)
def test_intervals_cover_with_few_checked_labels_of_each_of_ten_classes_or_it_cannot_be_said(
    rate: float, answers: int, at_random: bool
) -> None:
    noise, held, per_class, told, simulations = Channel.symmetric(rate, num_classes=10), 0, np.zeros(10), 0, 100
    for seed in range(simulations):
        rng = np.random.default_rng(seed)
        truth = rng.integers(0, 10, 4000)
        labels = np.asarray(noise.draw(truth, seed=seed).batch(np.arange(4000)).labels)
        chance = np.clip(rng.normal(np.where(labels != truth, 0.55, 0.1), 0.25), 0, 1)
        where = rng.choice(4000, answers, replace=False) if at_random else audit_sample(chance, answers, seed=seed)
        found = Audit(labels, chance, where, truth[where], num_classes=10).transition()
        test = rng.integers(0, 10, 3000)
        guess = np.where(rng.random(3000) < 0.9, test, (test + 1) % 10)
        votes = noise.draw(test, seed=seed + 1)
        try:
            estimate = accuracy_from_votes(guess, votes, noise=found)
        except UndecidedError:
            continue
        told, held = told + 1, held + (estimate.low <= 0.9 <= estimate.high)
        each = accuracy_per_class_from_votes(guess, votes, noise=found)
        per_class += (each.low <= 0.9) & (each.high >= 0.9)
    assert told >= simulations / 4 and not covers_too_little(held, told)  # .71 to .92 without the second order
    assert not any(covers_too_little(int(each), told) for each in per_class)


def test_with_votes_that_are_never_wrong_it_is_wilsons_interval() -> None:
    truth = np.arange(200) % CLASSES
    guess = np.where(np.arange(200) < 20, (truth + 1) % CLASSES, truth)
    noise = Channel(np.eye(CLASSES)[np.roll(np.arange(CLASSES), 1)])  # every vote names the class before
    told = accuracy_from_votes(guess, noise.draw(truth, seed=0), noise=noise)
    assert told.value == pytest.approx(0.9)
    assert (told.low, told.high) == pytest.approx((0.85057, 0.93430), abs=1e-4)  # Wilson, 180 of 200


def test_more_votes_an_example_make_intervals_shorter() -> None:
    truth, guess = predicted(2000, 0.9, seed=0)
    widths = []
    for count in (1, 3, 9):
        noise = Channel(structured(0.4), votes_per_example=count)
        told = accuracy_from_votes(guess, noise.draw(truth, seed=1), noise=noise)
        widths.append(told.high - told.low)
    assert widths[0] > 1.4 * widths[1] > 1.2 * 1.4 * widths[2]


def test_answers_of_none_of_these_tell_of_classes_by_the_column_that_they_have() -> None:
    rows = np.c_[0.8 * structured(0.2), np.full(CLASSES, 0.2)]
    truth, guess = predicted(3000, 0.8, seed=2)
    noise = Channel(rows)
    told = accuracy_from_votes(guess, noise.draw(truth, seed=3), noise=noise)
    assert told.low < 0.8 < told.high and told.high - told.low < 0.08


def test_where_rows_are_alike_it_cannot_be_said() -> None:
    truth, guess = predicted(1000, 0.9, seed=0)
    same = np.full((CLASSES, CLASSES), 0.2)
    with pytest.raises(UndecidedError, match="cannot say: rows of T depend"):
        accuracy_from_votes(
            guess, Channel(pair_flip(CLASSES, 0.3)).draw(truth, seed=0), noise=Estimate(same, same, same, 0.95, "")
        )
    nearly = 0.99 * same + 0.01 * structured(0.3)
    with pytest.raises(UndecidedError, match=r"cannot say: by these votes .*condition number"):
        accuracy_from_votes(guess, Channel(nearly).draw(truth, seed=0), noise=Channel(nearly))
    wide = accuracy_per_class_from_votes(guess, Channel(nearly).draw(truth, seed=0), noise=Channel(nearly))
    assert (wide.high - wide.low).max() > 0.9


KNOWN = Channel(structured(0.2))
THREE = Votes.from_labels([0, 1, 2], num_classes=CLASSES)


@pytest.mark.parametrize(
    ("guess", "votes", "noise", "said"),
    [
        ([0, 1, 2], THREE, Channel(Flat(4, 0.7)), "4 classes, but the votes have 5"),
        ([0, 1], THREE, KNOWN, "prediction for each of the 3 examples that have votes, but 2"),
        ([0, 1, 7], THREE, KNOWN, r"predicted classes lie in \[0, 5\)"),
        (np.full((3, 4), 0.25), THREE, KNOWN, "the probabilities have 4 columns"),
        ([0, 1, 2], [0, 1, 2], KNOWN, "expected Votes"),
        ([0, 1, 2], THREE, "noise", "needs a Channel"),
        ([0, 1, 2], THREE, Estimate(0.5, 0.4, 0.6, 0.95, ""), r"an estimate of T is \[K, K\]"),
        ([0, 1, 2], THREE, Annotators(np.stack([structured(0.1)] * 2)), "votes with annotators"),
        ([0], Votes.from_matrix([[-1]], num_classes=CLASSES), KNOWN, "at least one vote"),
        ([0], Votes.from_matrix([[-2]], num_classes=CLASSES), KNOWN, "none of these"),
        ([0, 1, 2], THREE, Dilution(6, num_classes=CLASSES, pattern=pair_flip(CLASSES, 0.5)), "7 votes, but others"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(guess: Any, votes: Any, noise: Any, said: str) -> None:
    with pytest.raises(InputError, match=said):
        accuracy_from_votes(guess, votes, noise=noise)


def test_a_class_that_an_audit_never_met_leaves_open_what_hangs_on_it() -> None:
    size = 4000
    truth = np.random.default_rng(0).integers(0, CLASSES, size)
    labels = np.asarray(KNOWN.draw(truth, seed=1).batch(np.arange(size)).labels)
    where = np.flatnonzero(truth > 0)[:300]
    found = Audit(labels, np.full(size, 0.2), where, truth[where], num_classes=CLASSES).transition()
    votes = KNOWN.draw(truth, seed=2)
    known, audited = (accuracy_per_class_from_votes(truth, votes, noise=each) for each in (KNOWN, found))
    assert known.high[0] - known.low[0] < 0.1 and audited.high[0] - audited.low[0] > 0.5


def test_models_are_compared_on_the_same_examples() -> None:
    truth, guess = predicted(100, 0.9, seed=0)
    votes = KNOWN.draw(truth, seed=0)
    told = Estimate(structured(0.2), structured(0.2), structured(0.2), 0.95, "")
    for given, said in ((told, "its error counted"), (KNOWN, "T known")):
        assert said in compare_from_votes(guess, guess, votes, noise=given).method
        assert said in accuracy_per_class_from_votes(guess, votes, noise=given).method
    assert "its error counted" in accuracy_from_votes(guess, votes, noise=told).method
    same = compare_from_votes(guess, guess, votes, noise=KNOWN)
    assert same.value == 0 and -0.2 < same.low < 0 < same.high < 0.2
    with pytest.raises(InputError, match="prediction for each"):
        compare_from_votes(guess, guess[:50], votes, noise=KNOWN)
