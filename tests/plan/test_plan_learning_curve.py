"""Learning curves: bands that hold on curves of every family, and no number where there is no support."""

from collections.abc import Callable

import numpy as np
import pytest
from scipy.stats import binom

from murk.errors import InputError, UndecidedError
from murk.plan import learning_curve

FALSE_ALARM = 1e-6
SIZES = np.repeat([250.0, 500, 1000, 2000], 2)
CHANCE = 0.9
Curve = Callable[[np.ndarray], np.ndarray]


def made(kind: int, rng: np.random.Generator) -> Curve:
    """Draw a curve of some family, bent at chance."""
    exponent, at, plateau, near = (
        rng.uniform(0.3, 0.9),
        rng.uniform(0.05, 0.3),
        rng.uniform(0, 0.05),
        rng.uniform(0.2, 1),
    )
    place, factor = np.log(rng.uniform(0.5, 8)), np.exp(0.4 * rng.normal())

    def broken(x: np.ndarray) -> np.ndarray:
        bend = np.logaddexp(0, x - place) - np.logaddexp(0, -place)
        return np.exp(-exponent * x - exponent * (factor - 1) * bend)

    shapes: list[Curve] = [
        lambda size: plateau + at * (size / 1000) ** -exponent, lambda size: at * (size / 1000) ** -exponent,
        lambda size: plateau + at * np.exp(-near * (size / 1000 - 1)), lambda size: at * broken(np.log(size / 1000)),
    ]  # fmt: skip
    return lambda size: shapes[kind](size) / np.sqrt(1 + (shapes[kind](size) / CHANCE) ** 2)


def trained(curve: Curve, sizes: np.ndarray, rng: np.random.Generator, own: float = 0.06) -> np.ndarray:
    """Train: each run's error differs from the curve by a part of it."""
    return curve(sizes) * np.exp(own * rng.normal(size=np.shape(sizes)))


def test_bands_hold_the_accuracy_of_trainings_with_two_four_and_eight_times_the_labels() -> None:
    rng, held, curves = np.random.default_rng(0), np.zeros(3), 32
    for number in range(curves):
        curve = made(number % 4, rng)
        measured = 1 - trained(curve, SIZES, rng) + 0.005 * rng.normal(size=len(SIZES))
        found = learning_curve(SIZES, measured, np.full(len(SIZES), 0.005), num_classes=10)
        farther = 2000 * np.array([2.0, 4, 8])
        told, reached = found.predict(farther), 1 - trained(curve, farther, rng)
        held += (told.low <= reached) & (reached <= told.high)
    assert (binom.cdf(held, curves, 0.9) > FALSE_ALARM).all()  # so do 19 and more of 32


def test_bands_are_narrow_where_the_curve_is_seen_well_and_wide_where_votes_blur_it() -> None:
    curve = made(1, np.random.default_rng(3))
    sizes = np.repeat([125.0, 250, 500, 1000, 2000, 4000], 2)
    sharp = learning_curve(sizes, 1 - curve(sizes), np.full(12, 0.001), num_classes=10).predict(16_000)
    blurred = learning_curve(sizes, 1 - curve(sizes), np.full(12, 0.05), num_classes=10).predict(16_000)
    assert sharp.high - sharp.low < 0.03 < blurred.high - blurred.low
    assert sharp.low < 1 - curve(np.array([16_000.0]))[0] < sharp.high


def test_accuracies_that_votes_put_above_all_right_leave_room_for_what_votes_cannot_see() -> None:
    sizes, blur = 250.0 * 2 ** np.arange(4), 0.03**2 * (0.9 + 0.1 * np.eye(4))
    told = learning_curve(sizes, np.array([0.98, 0.995, 1.005, 1.01]), blur, num_classes=10).predict(2000)
    assert told.low < 0.98 and told.high > 0.99
    sharp = learning_curve(sizes, np.array([0.98, 0.995, 0.997, 0.998]), blur / 900, num_classes=10).predict(2000)
    assert sharp.low > 0.99


def test_the_family_that_made_the_curve_has_the_most_weight_where_it_can_be_seen() -> None:
    sizes = 100.0 * 2 ** np.arange(8)
    exponential = learning_curve(sizes, 1 - 0.1 - 0.5 * np.exp(-sizes / 1500), np.full(8, 0.002), num_classes=10)
    assert max(exponential.weights, key=lambda name: exponential.weights[name]) == "exponential with a plateau"
    endless = learning_curve(sizes, 1 - 0.9 * (sizes / 50) ** -0.7, np.full(8, 0.002), num_classes=10)
    assert endless.weights["power law"] > endless.weights["exponential with a plateau"]
    assert sum(endless.weights.values()) == pytest.approx(1)
    assert exponential.plateau.low < 0.9 < exponential.plateau.high
    assert exponential.plateau.value == pytest.approx(0.9, abs=0.01) and endless.plateau.value > 0.98


def test_what_a_target_needs_is_where_the_band_reaches_it_and_none_above_the_plateau() -> None:
    sizes = 100.0 * 2 ** np.arange(8)
    found = learning_curve(sizes, 1 - 0.1 - 0.5 * np.exp(-sizes / 1500), np.full(8, 0.002), num_classes=10)
    assert found.needed(0.99) is None
    needed = found.needed(0.8)
    assert needed is not None and needed.low < -1500 * np.log(0.1 / 0.5) < needed.high
    assert found.predict(needed.value).value == pytest.approx(0.8, abs=0.002)
    assert found.predict(needed.low).high == pytest.approx(0.8, abs=0.004)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_accuracies_measured_by_the_same_votes_err_together_and_no_number_of_trainings_evens_that_out(
    seed: int,
) -> None:
    rng = np.random.default_rng(seed)
    curve, sizes, off = made(0, rng), np.repeat(SIZES, 4), 0.03
    measured, size = 1 - trained(curve, sizes, rng) + off, len(sizes)
    together, apart = (
        learning_curve(sizes, measured, spread, num_classes=10).predict(4000)
        for spread in (np.full((size, size), off**2), np.full(size, off))
    )
    assert together.low < 1 - curve(np.array([4000.0]))[0] < together.high
    assert together.high - together.low > 1.2 * (apart.high - apart.low)


def test_units_of_size_and_order_of_trainings_change_nothing_that_matters() -> None:
    curve = made(0, np.random.default_rng(1))
    told = learning_curve(SIZES, 1 - curve(SIZES), np.full(8, 0.01), num_classes=10).predict(8000)
    scaled = learning_curve(7 * SIZES, 1 - curve(SIZES), np.full(8, 0.01), num_classes=10).predict(56_000)
    assert (scaled.value, scaled.low, scaled.high) == pytest.approx((told.value, told.low, told.high), abs=1e-9)
    order = np.random.default_rng(0).permutation(8)
    other = learning_curve(SIZES[order], 1 - curve(SIZES)[order], np.full(8, 0.01), num_classes=10).predict(8000)
    assert (other.value, other.low, other.high) == pytest.approx((told.value, told.low, told.high), abs=0.01)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"accuracies": [0.1, 0.2]}, "an accuracy each"),
        ({"accuracies": [0.1, 0.2, np.nan]}, "an accuracy each"),
        ({"sizes": [0.0, 1.0, 2.0]}, "sizes > 0"),
        ({"spread": [0.1, 0.1, -0.1]}, ">= 0"),
        ({"spread": [0.1, 0.1]}, "the spread of 3"),
        ({"num_classes": 1}, "two classes"),
        ({"confidence_level": 1.0}, "confidence level"),
        ({"seed": -1}, "seed"),
    ],
)
def test_what_does_not_fit_is_refused(change: dict[str, object], said: str) -> None:
    good: dict[str, object] = {"sizes": [100.0, 200.0, 400.0], "accuracies": [0.5, 0.6, 0.7]}
    with pytest.raises(InputError, match=said):
        learning_curve(**(good | change))  # type: ignore[arg-type]


def test_without_support_it_cannot_be_said() -> None:
    with pytest.raises(UndecidedError, match="cannot say: a curve needs trainings of at least 3"):
        learning_curve([100, 100, 200, 200], [0.5, 0.5, 0.6, 0.6])
    with pytest.raises(UndecidedError, match="no better than guessing"):
        learning_curve([100, 200, 400], [0.1, 0.1, 0.11], num_classes=10)
    found = learning_curve([100, 200, 400], [0.5, 0.6, 0.68], [0.01] * 3, num_classes=10)
    for wrong in (0, -1, np.inf):
        with pytest.raises(InputError, match="are > 0"):
            found.predict(wrong)
    with pytest.raises(InputError, match="a target is an accuracy"):
        found.needed(1.0)
