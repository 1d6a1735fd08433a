"""What to buy: never dearer than any mix of a grid, never more than can be paid, and no purchase without support."""

import itertools
import math
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from murk.errors import InputError, UndecidedError
from murk.measure import information_per_vote
from murk.noise import Channel, Dilution
from murk.plan import Holding, LearningCurve, Prices, holding, learning_curve, spend, worth_by_votes
from murk.plan.budget import _cheapest

NOISE = Channel.symmetric(0.4, num_classes=10)


@cache
def curve() -> LearningCurve:
    sizes = np.array([40.0, 80, 160, 320])
    return learning_curve(sizes, 1 - 0.01 - 3 * sizes**-0.6, np.full(4, 0.003), num_classes=10)


@cache
def flat() -> LearningCurve:
    sizes = np.repeat(100.0 * 2 ** np.arange(8), 2)
    return learning_curve(sizes, 1 - 0.1 - 0.5 * np.exp(-sizes / 1500), np.full(16, 0.002), num_classes=10)


HELD = Holding(1000, np.minimum(1, 0.33 + 0.24 * np.arange(4) - 0.03 * np.arange(4) ** 2), 0.33, np.full(10, 0.1))


def test_one_vote_is_worth_its_information_and_each_more_less_than_the_one_before() -> None:
    worth = worth_by_votes(NOISE, votes=0, more=5)
    assert worth[0] == 0 and worth[1] == pytest.approx(information_per_vote(NOISE) / math.log(10), abs=1e-9)
    gains = np.diff(worth)
    assert (gains > 0).all() and (np.diff(gains) < 0).all() and worth[-1] < 1
    held = holding(NOISE, images=500, votes=2)
    assert held.worth[0] == pytest.approx(worth[2]) and held.effective == pytest.approx(500 * worth[2])
    assert holding(NOISE, images=500, votes=2, effective=400).effective == pytest.approx(400)


@settings(max_examples=25, deadline=None)
@given(st.floats(0.01, 1), st.floats(0.01, 1), st.floats(0.05, 3), st.floats(400, 3000))
def test_no_mix_of_a_grid_that_is_worth_as_much_is_cheaper(
    label: float, vote: float, clean: float, needed: float
) -> None:
    mix = _cheapest(HELD, Prices(label, vote, clean), needed, 0.0)
    assert mix is not None and HELD.effective_with(*mix) >= needed * (1 - 1e-9)
    cost = np.dot(mix, (label, vote, clean))
    for labels, votes, expert in itertools.product(np.linspace(0, 10_000, 41), np.linspace(0, 3000, 13),
                                                   np.linspace(0, 1000, 11)):  # fmt: skip
        if HELD.effective_with(labels, votes, expert) >= needed:
            assert cost <= labels * label + votes * vote + expert * clean + 0.01 * cost


def test_the_cheapest_mix_reaches_the_target_and_a_budget_is_kept_and_not_beaten_by_any_grid() -> None:
    prices = Prices(0.02, 0.015, 0.4)
    bought = spend(curve(), HELD, prices, target=0.95)
    assert bought.accuracy.value >= 0.9495 and bought.cost == pytest.approx(
        bought.labels * 0.02 + bought.votes * 0.015 + bought.clean * 0.4
    )
    most = spend(curve(), HELD, prices, budget=bought.cost)
    assert most.cost <= bought.cost + 1e-9 and most.accuracy.value >= bought.accuracy.value - 1e-3
    for clean, votes in itertools.product(np.linspace(0, 1000, 11), np.linspace(0, 3000, 13)):
        labels = max(0, (bought.cost - clean * 0.4 - votes * 0.015) / 0.02)
        if clean * 0.4 + votes * 0.015 <= bought.cost:
            reached = float(HELD.effective_with(most.labels, most.votes, most.clean))
            assert reached >= HELD.effective_with(labels, votes, clean) * 0.995


def test_what_is_dear_is_left_and_what_is_the_only_thing_is_taken() -> None:
    assert spend(curve(), HELD, Prices(label=0.01, clean=50.0), target=0.95).clean == 0
    assert spend(curve(), HELD, Prices(label=50.0, vote=1.0, clean=0.01), budget=3.0).clean == 300
    only = spend(curve(), HELD, Prices(clean=1.0), target=0.92)
    assert only.labels == only.votes == 0 < only.clean <= 1000
    assert spend(curve(), HELD, Prices(label=1.0), target=0.5).cost == 0  # reached already
    nothing = spend(curve(), HELD, Prices(label=1.0), budget=0.0)
    assert (nothing.labels, nothing.votes, nothing.clean, nothing.cost) == (0, 0, 0, 0.0)


def test_least_orders_are_kept_or_done_without() -> None:
    loose = spend(curve(), HELD, Prices(label=0.02, clean=0.05), target=0.93)
    bound = spend(curve(), HELD, Prices(label=0.02, clean=0.05, clean_order=900), target=0.93)
    assert bound.clean in (0, *range(900, 1001)) and bound.cost >= loose.cost
    for order in (1, 700, 5000):
        told = spend(curve(), HELD, Prices(label=0.02, vote=0.02, label_order=order), budget=20.0)
        assert (told.labels == 0 or told.labels >= order) and told.cost <= 20.0 + 1e-9


def test_a_target_above_the_plateau_is_not_reachable_and_said_so() -> None:
    with pytest.raises(UndecidedError, match=r"not reachable with this model: 99\.0%"):
        spend(flat(), HELD, Prices(label=0.01), target=0.99)
    with pytest.raises(UndecidedError, match="more than can be bought"):
        spend(curve(), HELD, Prices(vote=0.01), target=0.97)


SKEWED = Holding(HELD.images, HELD.worth, HELD.worth_of_label, np.array([0.6, 0.35, 0.05]))


def test_what_every_class_needs_is_bought_as_cheaply_as_on_any_grid() -> None:
    """At hand are 198, 115.5 and 16.5 clean labels' worth, of 50 images of the last class; 40 are wanted of each."""
    prices, need = Prices(label=0.02, vote=0.02, clean=0.4), 40.0
    told = spend(curve(), SKEWED, prices, target=0.5, per_class=need)
    clean = [SKEWED.clean_for(need, told.labels, told.votes), told.clean]
    assert clean[0] <= clean[1] + 1e-6 and told.accuracy.value >= 0.5
    grid = itertools.product(np.arange(0, 20_001, 400), np.arange(0, 3001, 250), np.arange(0, 151, 5))
    enough = [mix for mix in grid if SKEWED.clean_for(need, mix[0], mix[1]) <= mix[2]]
    assert told.cost <= min(0.02 * labels + 0.02 * votes + 0.4 * checked for labels, votes, checked in enough) + 1e-6
    assert spend(curve(), SKEWED, prices, target=0.5).cost == 0
    only_clean = spend(curve(), SKEWED, Prices(clean=0.4), target=0.5, per_class=need)
    assert only_clean.clean == math.ceil((40 - 16.5) / (1 - 0.33))
    with pytest.raises(UndecidedError, match="more than can be bought"):  # more than the class has images
        spend(curve(), SKEWED, Prices(clean=0.4), target=0.5, per_class=60)


@pytest.mark.parametrize("orders", [{}, {"clean_order": 20}, {"label_order": 500, "vote_order": 300}])
@pytest.mark.parametrize("budget", [15.0, 20.0, 40.0, 200.0])
def test_a_budget_gives_every_class_what_it_needs_or_says_that_it_cannot(orders: dict[str, int], budget: float) -> None:
    prices = Prices(label=0.02, vote=0.02, clean=0.4, **orders)
    if budget < 20 and orders:  # the cheapest is dearer
        with pytest.raises(UndecidedError, match="every class worth 40 clean labels would take more than the budget"):
            spend(curve(), SKEWED, prices, budget=budget / 2, per_class=40.0)
        return
    told = spend(curve(), SKEWED, prices, budget=budget, per_class=40.0)
    assert SKEWED.clean_for(40.0, told.labels, told.votes) <= told.clean + 1e-6 and told.cost <= budget + 1e-9


def test_a_class_that_is_not_there_is_not_waited_for_and_what_is_no_number_is_refused() -> None:
    gone = Holding(HELD.images, HELD.worth, HELD.worth_of_label, np.array([0.6, 0.4, 0.0]))
    with pytest.raises(UndecidedError, match="more than can be bought"):
        spend(curve(), gone, Prices(label=0.02, clean=0.4), target=0.5, per_class=40)
    with pytest.raises(UndecidedError, match="than a thousand times the labels seen"):
        spend(curve(), SKEWED, Prices(label=0.02), target=0.5, per_class=1e9)
    for wrong in (-1, math.nan, None, "5"):
        with pytest.raises(InputError, match="what every class needs"):
            spend(curve(), SKEWED, Prices(label=0.02), budget=5.0, per_class=wrong)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="for 10 classes"):
        holding(NOISE, images=10, votes=1, per_class=[1, 2, 3])
    with pytest.raises(InputError, match="what all is worth"):
        holding(NOISE, images=10, votes=1, effective=math.nan)


@pytest.mark.parametrize(
    ("prices", "said"),
    [
        ({}, "none came"),
        ({"label": -1.0}, "label = -1"),
        ({"label": 0.0, "clean": 0.0}, "all zero"),
        ({"label": float("inf")}, ">= 0"),
        ({"label": 0.0, "clean": 1.0}, "have no end"),
        ({"label": 1.0, "label_order": 0}, "label_order"),
    ],
)
def test_prices_that_are_none_are_refused(prices: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        Prices(**prices)


def test_contradictory_questions_and_numbers_that_are_none_are_refused() -> None:
    for asked, said in (
        ({}, "one of them"), ({"target": 0.9, "budget": 1.0}, "one of them"), ({"target": 1.5}, "in \\(0, 1\\)"),
        ({"budget": -1.0}, "a budget is >= 0"),
    ):  # fmt: skip
        with pytest.raises(InputError, match=said):
            spend(curve(), HELD, Prices(label=1.0), **asked)
    with pytest.raises(InputError, match="single votes come of a Channel"):
        worth_by_votes(Dilution(3, num_classes=4), votes=1)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="images"):
        holding(NOISE, images=0, votes=1)
