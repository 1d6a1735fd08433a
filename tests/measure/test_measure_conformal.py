"""Conformal sets: at the wanted rate with clean labels, above it with noisy ones, back at it when adjusted."""

from typing import Any

import numpy as np
import pytest
from scipy.stats import norm

from murk.errors import InputError
from murk.measure import Audit, Estimate, audit_sample, calibrate_conformal
from murk.noise import Annotators, Channel, pair_flip

FALSE_ALARM = 1e-6
CLASSES, SIMULATIONS = 5, 60
SYMMETRIC = Channel.symmetric(0.3, num_classes=CLASSES)


def world(size: int, *, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw calibrated probabilities, and the truth by them."""
    rng = np.random.default_rng(seed)
    probs = np.exp(2 * rng.normal(size=(size, CLASSES)))
    probs /= probs.sum(1, keepdims=True)
    return probs, (probs.cumsum(1) > rng.random((size, 1))).argmax(1)


def rates(noise: Any, *, adjusted: bool, score: str, per_class: bool, size: int = 1500) -> np.ndarray:
    """Simulate calibrations; give the rate among all, then of each class, and the mean size of a set."""
    found = []
    for seed in range(SIMULATIONS):
        probs, truth = world(size + 3000, seed=seed)
        labels = truth if noise is None else np.asarray(noise.draw(truth, seed=seed).batch(np.arange(size)).labels)
        rule = calibrate_conformal(
            probs[:size], labels[:size], noise=noise if adjusted else None, score=score, per_class=per_class, seed=seed
        )
        sets, truth = rule.sets(probs[size:], seed=seed), truth[size:]
        held = sets[np.arange(len(truth)), truth]
        found.append([held.mean(), *(held[truth == k].mean() for k in range(CLASSES)), sets.sum(1).mean()])
    return np.array(found)


def is_near(values: np.ndarray, wanted: float, *, within: float) -> bool:
    """Whether a mean over simulations is the wanted number, give or take, but for a chance of a millionth."""
    return bool(
        abs(values.mean() - wanted) < within + norm.isf(FALSE_ALARM / 2) * values.std(ddof=1) / len(values) ** 0.5
    )


@pytest.mark.parametrize("score", ["lac", "aps"])
@pytest.mark.parametrize("per_class", [False, True])
def test_clean_labels_give_the_wanted_rate(score: str, per_class: bool) -> None:
    found = rates(None, adjusted=False, score=score, per_class=per_class)
    assert is_near(found[:, 0], 0.9, within=0.005)
    if per_class:
        assert all(is_near(found[:, 1 + k], 0.9, within=0.005) for k in range(CLASSES))


@pytest.mark.parametrize("score", ["lac", "aps"])
def test_noisy_labels_as_they_are_hold_the_truth_more_often_and_adjusted_ones_at_the_rate_in_smaller_sets(
    score: str,
) -> None:
    plain = rates(SYMMETRIC, adjusted=False, score=score, per_class=False)
    adjusted = rates(SYMMETRIC, adjusted=True, score=score, per_class=False)
    assert plain[:, 0].mean() > 0.96
    assert is_near(adjusted[:, 0], 0.9, within=0.005)
    assert adjusted[:, -1].mean() < 0.75 * plain[:, -1].mean()


def test_adjusted_thresholds_of_each_class_hold_in_each_class_under_structured_noise() -> None:
    found = rates(Channel(pair_flip(CLASSES, 0.25)), adjusted=True, score="lac", per_class=True)
    assert all(is_near(found[:, 1 + k], 0.9, within=0.008) for k in range(CLASSES))


@pytest.mark.parametrize("per_class", [False, True])
def test_the_error_that_is_told_is_that_of_the_rate_where_the_noise_was_found_by_an_audit(per_class: bool) -> None:
    noise, off, told, without = Channel(pair_flip(CLASSES, 0.25)), [], [], []
    for seed in range(SIMULATIONS):
        probs, truth = world(8000, seed=seed)
        labels = np.asarray(noise.draw(truth, seed=seed).batch(np.arange(8000)).labels)
        chance = 1 - probs[np.arange(1000), labels[:1000]]
        checked = audit_sample(chance, 300, seed=seed)
        found = Audit(labels[:1000], chance, checked, truth[checked], num_classes=CLASSES).transition()
        rules = [
            calibrate_conformal(
                probs[:4000], labels[:4000], noise=given, score="lac", coverage=0.8, per_class=per_class
            )
            for given in (found, Channel(found.value))
        ]
        sets = rules[0].sets(probs[4000:])
        held = sets[np.arange(4000), truth[4000:]]
        off += [held[truth[4000:] == k].mean() - 0.8 for k in range(CLASSES)] if per_class else [held.mean() - 0.8]
        error, known = (float(rule.method.rsplit(" ", 1)[1]) for rule in rules)
        told.append(error)
        without.append(known)
    spread = float(np.std(off))
    assert np.mean(without) < spread if not per_class else np.mean(without) < np.mean(told) / 1.5
    assert 0.7 * spread < np.mean(told) < 3 * spread


def test_without_noise_adjusting_changes_next_to_nothing() -> None:
    probs, truth = world(2000, seed=0)
    known = Channel(np.eye(CLASSES))
    for per_class in (False, True):
        plain = calibrate_conformal(probs, truth, per_class=per_class)
        adjusted = calibrate_conformal(probs, truth, noise=known, per_class=per_class)
        assert adjusted.thresholds == pytest.approx(plain.thresholds, abs=0.01)


def test_scores_are_those_of_their_papers() -> None:
    probs, labels = np.array([[0.5, 0.3, 0.2]] * 9), np.array([0, 0, 0, 1, 1, 1, 2, 2, 2])
    lac = calibrate_conformal(probs, labels, coverage=0.6, score="lac")
    assert lac.thresholds == pytest.approx([0.7] * 3)  # the sixth of nine: ceil(10 * .6)
    assert lac.sets(probs[:1]).tolist() == [[True, True, False]]
    aps = calibrate_conformal(probs, np.ones(9, int), coverage=0.5, score="aps")
    assert 0.5 < aps.thresholds[0] < 0.8  # class 1 comes after .5, with a random part of its own .3


def test_results_do_not_depend_on_the_order_of_examples_but_for_the_random_part() -> None:
    probs, truth = world(500, seed=0)
    order = np.random.default_rng(0).permutation(500)
    noise = Channel.symmetric(0.2, num_classes=CLASSES)
    one = calibrate_conformal(probs, truth, noise=noise, score="lac")
    other = calibrate_conformal(probs[order], truth[order], noise=noise, score="lac")
    assert one.thresholds == pytest.approx(other.thresholds, abs=1e-9)


def test_too_few_labels_leave_every_class_in() -> None:
    probs, truth = world(5, seed=0)
    rule = calibrate_conformal(probs, truth, coverage=0.9)
    assert np.isinf(rule.thresholds).all() and rule.undecided == tuple(range(CLASSES))
    assert rule.sets(probs).all()


def test_where_noise_hides_the_rate_it_cannot_be_said_of_all_and_is_left_open_for_a_class() -> None:
    probs, truth = world(100, seed=0)
    noise = Channel.symmetric(0.7, num_classes=CLASSES)
    labels = np.asarray(noise.draw(truth, seed=0).batch(np.arange(100)).labels)
    with pytest.raises(InputError, match="cannot say: with 100 labels of such noise"):
        calibrate_conformal(probs, labels, noise=noise)
    rule = calibrate_conformal(probs, labels, noise=noise, per_class=True)
    assert rule.undecided and np.isinf(rule.thresholds[list(rule.undecided)]).all()
    same = np.full((CLASSES, CLASSES), 1 / CLASSES)
    with pytest.raises(InputError, match="cannot say: rows of T depend"):
        calibrate_conformal(probs, labels, noise=Estimate(same, same, same, 0.95, ""))


PROBS, LABELS = world(6, seed=0)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"coverage": 1.0}, "coverage lies in"),
        ({"score": "apps"}, "did you mean 'aps'"),
        ({"seed": -1}, "a seed"),
        ({"labels": LABELS[:3]}, "labels are 6 integers"),
        ({"labels": LABELS + CLASSES}, r"labels lie in \[0, 5\)"),
        ({"probs": PROBS - 0.5}, "sum to one in each row, but example 0"),
        ({"probs": PROBS[:, 0]}, "expected probabilities"),
        ({"noise": Channel.symmetric(0.3, num_classes=4)}, "one T of 5 classes"),
        ({"noise": Annotators(np.stack([np.eye(CLASSES)] * 2))}, "2 annotators"),
    ],
)
def test_what_does_not_fit_is_refused(change: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        calibrate_conformal(**({"probs": PROBS, "labels": LABELS} | change))
    with pytest.raises(InputError, match="5 classes, but"):
        calibrate_conformal(PROBS, LABELS, score="lac", coverage=0.5).sets(PROBS[:, :4] + PROBS[:, 4:] / 4)
