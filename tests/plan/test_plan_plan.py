"""The whole plan: what is reached now, what single things buy, and why what is advised is advised."""

import itertools
from functools import cache

import numpy as np
import pytest

from murk.errors import InputError
from murk.measure import Estimate, effective_clean_labels
from murk.noise import Annotators, Channel, Dilution, NoiseModel, Votes
from murk.plan import Pilot, Plan, Prices, Trained, plan_purchase
from murk.plan.plan import measured_by, one_vote

NOISE = Channel.symmetric(0.4, num_classes=10)
TRUTH = np.arange(4000) % 10


@cache
def votes() -> Votes:
    return NOISE.draw(TRUTH, seed=0)


def piloted(noise: NoiseModel, cast: Votes, *, plateau: float = 0.02) -> Pilot:
    """Make a pilot whose accuracies follow a curve of effective clean labels."""
    per_image = effective_clean_labels(cast, noise) / len(cast)
    runs, seen = [], []
    for images in (400, 800, 1600, 3200):
        accuracy = 1 - plateau - 3 * (images * per_image) ** -0.6
        runs.append(Trained(images, 0, images * per_image, Estimate(accuracy, accuracy, accuracy, 0.95, ""), 1.0))
        seen.append(accuracy)
    return Pilot(tuple(runs), np.array(seen), np.diag([0.003**2] * 4), len(cast) * per_image, len(cast), 800, 10, False)


@cache
def planned() -> Plan:
    return plan_purchase(piloted(NOISE, votes()), votes(), NOISE, Prices(0.02, 0.02, 0.4), target=0.965)


def test_what_is_reached_now_and_what_single_things_would_buy_follow_the_curve() -> None:
    plan = planned()
    assert plan.now.low < 1 - 0.02 - 3 * plan.held.effective**-0.6 < plan.now.high
    labels, again, clean, minute = plan.offers
    one = plan.held.effective / 4000
    assert labels.effective == pytest.approx(plan.held.effective + 10_000 * one, rel=0.02) and labels.cost == 200
    assert again.votes == 4000 and plan.held.effective < again.effective < 2 * plan.held.effective
    assert clean.clean == 500 and clean.effective == pytest.approx(plan.held.effective + 500 * (1 - one), rel=0.02)
    assert minute.effective > plan.held.effective and minute.accuracy.value >= plan.now.value - 1e-3
    assert labels.accuracy.value > plan.now.value


def test_clean_labels_that_measure_tell_the_accuracy_as_closely_as_said() -> None:
    rng = np.random.default_rng(0)
    now = Estimate(0.8, 0.8 - 1.645 * 0.03, 0.8 + 1.645 * 0.03, 0.9, "")
    truth = rng.normal(0.8, 0.03, size=20_000)
    for clean in (6, 500):
        counted, variance = rng.binomial(clean, truth) / clean, 0.16 / clean
        told = (0.8 / 0.03**2 + counted / variance) / (1 / 0.03**2 + 1 / variance)
        measured = measured_by(now, clean)
        assert (measured.high - measured.low) / 2 == pytest.approx(np.quantile(abs(told - truth), 0.9), rel=0.03)
    labels, _, clean_ones, minute = planned().offers
    assert labels.measured is None and clean_ones.measured is not None and minute.measured is not None
    assert planned().now.low < minute.measured.low < clean_ones.measured.low


def test_the_purchase_reaches_the_target_the_frontier_rises_and_two_sentences_say_why() -> None:
    plan = planned()
    assert plan.purchase is not None and plan.purchase.accuracy.value >= 0.9645 and plan.why_not == ""
    costs = [each.cost for each in plan.frontier]
    values = [each.accuracy.value for each in plan.frontier]
    assert costs == sorted(costs) and all(b >= a - 2e-3 for a, b in itertools.pairwise(values))
    said = plan.sentences()
    assert len(said) == 2 and f"{plan.purchase.cost:,.2f}" in said[0] and "times as many clean labels" in said[1]


def test_what_is_enough_already_or_out_of_reach_is_said() -> None:
    found = piloted(NOISE, votes())
    enough = plan_purchase(found, votes(), NOISE, Prices(0.02), target=0.5)
    assert enough.purchase is not None and enough.purchase.cost == 0
    assert "nothing need be bought" in enough.sentences()[0]
    beyond = plan_purchase(piloted(NOISE, votes(), plateau=0.3), votes(), NOISE, Prices(clean=0.4), target=0.999)
    assert beyond.purchase is None and "ot reachable" in beyond.sentences()[1]


def test_lines_of_one_accuracy_take_more_images_the_more_random_labels_there_are() -> None:
    lines = planned().lines
    for accuracy in {line[0] for line in lines}:
        images = [line[2] for line in lines if line[0] == accuracy]
        assert images == sorted(images) and images[-1] > 20 * images[0]
    assert 0.965 in {line[0] for line in lines}


def test_one_more_vote_is_read_from_every_kind_of_noise() -> None:
    assert one_vote(NOISE, num_classes=10).transition == NOISE.transition
    diluted = one_vote(Dilution(4, num_classes=10), num_classes=10).transition.matrix()
    assert np.diagonal(diluted) == pytest.approx([0.28] * 10)  # 1 right vote in 5, and .1 of the others
    pair = Annotators(np.stack([np.eye(2), np.full((2, 2), 0.5)]))
    assert one_vote(pair, num_classes=2).transition.matrix() == pytest.approx(np.array([[0.75, 0.25], [0.25, 0.75]]))


def test_a_dilution_keeps_what_its_votes_are_worth_together() -> None:
    noise = Dilution(4, num_classes=10)
    cast = noise.draw(TRUTH, seed=0)
    plan = plan_purchase(piloted(noise, cast), cast, noise, Prices(0.02, 0.02), budget=50.0)
    assert plan.held.effective == pytest.approx(effective_clean_labels(cast, noise))
    assert plan.purchase is not None and plan.purchase.cost <= 50


def test_contradictions_are_refused() -> None:
    found = piloted(NOISE, votes())
    for asked, said in (({}, "one of them"), ({"target": 2.0}, "in \\(0, 1\\)"), ({"budget": -1.0}, ">= 0")):
        with pytest.raises(InputError, match=said):
            plan_purchase(found, votes(), NOISE, Prices(1.0), **asked)
