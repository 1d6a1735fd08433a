"""The whole plan: what is reached now, what each thing would buy, what to buy, and in two sentences why."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np

from murk.errors import InputError, UndecidedError, refuse
from murk.measure import Estimate, effective_clean_labels, effective_clean_labels_per_class
from murk.noise import Annotators, Channel, Dilution, Matrix, NoiseModel, Votes
from murk.plan.budget import DRAWN, Holding, Prices, Purchase, holding, spend
from murk.plan.learning_curve import LearningCurve
from murk.plan.pilot import Pilot

__all__ = ["Offer", "Plan", "measured_by", "one_vote", "plan_purchase"]

LABELS, CLEAN = 10_000, 500  # that are always offered beside the purchase
FRONTIER = 12  # budgets
STRETCH = 8.0  # the largest budget, in parts of what is recommended
ISO_ALPHAS = (0, 1, 2, 5, 10, 20, 50, 100)
KINDS = 3  # of offers: labels, votes, clean labels; a minute's are clean ones, too
PER_MINUTE = 6  # labels that someone checks


@dataclass(frozen=True)
class Offer:
    """What one thing would buy.

    Attributes:
        name: in words.
        labels: images more, with one noisy label each.
        votes: more, on images at hand.
        clean: expert's labels.
        cost: None where it has no price.
        effective: clean labels that all is worth then.
        accuracy: of a training with it.
        measured: the accuracy now, as it would be told if the clean labels were kept to measure it; None without any.
    """

    name: str
    labels: int
    votes: int
    clean: int
    cost: float | None
    effective: float
    accuracy: Estimate
    measured: Estimate | None = None


@dataclass(frozen=True, eq=False)
class Plan:
    """What to do next.

    Attributes:
        now: the accuracy of a training with all that is at hand.
        plateau: the accuracy that labels without end would reach with this model.
        offers: what single things would buy.
        purchase: what to buy; None where the target is not reachable.
        why_not: why there is no purchase, else "".
        frontier: purchases by rising cost, each the best for its money.
        lines: iso-accuracy: (accuracy, alpha, images) with one right label among 1 + alpha of uniform noise each.
        curve: by which all was predicted.
        held: what is at hand.
        target: wanted, or None.
        budget: given, or None.
        per_class: clean labels that every class is to be worth at least.
    """

    now: Estimate
    plateau: Estimate
    offers: tuple[Offer, ...]
    purchase: Purchase | None
    why_not: str
    frontier: tuple[Purchase, ...]
    lines: tuple[tuple[float, int, float], ...]
    curve: LearningCurve
    held: Holding
    target: float | None
    budget: float | None
    per_class: float = 0.0

    def sentences(self) -> tuple[str, ...]:
        """Say in two sentences what to do, and why."""
        now = f"With what you have, {_told(self.now)} is reached"
        if self.purchase is None:
            return (f"{now}.", f"{self.why_not[:1].upper()}{self.why_not[1:]}.")
        bought = _in_words(self.purchase)
        if not bought:
            said = f"{now}; nothing need be bought."
            return (said, f"Labels without end would reach {_told(self.plateau)} with this model.")
        needed = f", and every class at least {self.per_class:,.0f} clean labels' worth" if self.per_class else ""
        first = f"{now}; {bought} for {self.purchase.cost:,.2f} would bring {_told(self.purchase.accuracy)}{needed}."
        return (first, self._beside())

    def _beside(self) -> str:
        """Say what the same money would do, spent on one thing alone, and where the curve ends."""
        assert self.purchase is not None
        priced = [offer for offer in self.offers[:KINDS] if offer.cost]
        gains = sorted(
            ((offer.effective - self.held.effective) / float(offer.cost or 1), offer.name) for offer in priced
        )
        if len(gains) < 2 or gains[0][0] <= 0:
            return f"Labels without end would reach {_told(self.plateau)} with this model."
        (worst, poor), (best, rich) = gains[0], gains[-1]
        return (
            f"For the same money, {rich} are worth {best / worst:.1f} times as many clean labels as {poor}; labels "
            f"without end would reach {_told(self.plateau)} with this model."
        )


def one_vote(noise: NoiseModel, *, num_classes: int) -> Channel:
    """Give the channel of one more vote of such noise: of annotators the mean one."""
    if isinstance(noise, Dilution | Channel):
        return Channel(noise.transition)
    if isinstance(noise, Annotators):
        mean = np.asarray(noise.transitions).mean(0)[:, :num_classes]
        return Channel(Matrix(mean / mean.sum(1, keepdims=True)))
    raise InputError(f"what a vote more tells is known of Dilution, Channel and Annotators, but {noise} came")


def plan_purchase(
    found: Pilot, votes: Votes, noise: NoiseModel, prices: Prices, *, target: float | None = None,
    budget: float | None = None, per_class: float = 0.0, confidence_level: float = 0.9,
) -> Plan:  # fmt: skip
    """Say what is reached now, what single things would buy, and which mix reaches the target, or most for the money.

    Args:
        found: a pilot's trainings.
        votes: all at hand.
        noise: how they go wrong.
        prices: what things cost.
        target: accuracy wanted, or None.
        budget: to spend, or None; one of the two.
        per_class: clean labels that every class is to be worth at least.
        confidence_level: of all intervals.

    Raises:
        InputError: what does not fit together.
        UndecidedError: a pilot that tells no curve.
    """
    if (target is None) == (budget is None):
        raise InputError("give a target or a budget, one of them")
    refuse(["" if target is None or 0 < target < 1 else f"a target is an accuracy in (0, 1), but {target!r} came",
            "" if budget is None or budget >= 0 else f"a budget is >= 0, but {budget!r} came"])  # fmt: skip
    curve = found.curve(confidence_level=confidence_level)
    cast = sum(len(batch.labels) for batch in votes.batches())
    each = max(1, round(cast / max(len(votes), 1)))
    channel = one_vote(noise, num_classes=votes.num_classes)
    by_class = effective_clean_labels_per_class(votes, noise)
    held = holding(channel, images=len(votes), votes=each, effective=found.effective, per_class=by_class)
    purchase, why_not = None, ""
    try:
        purchase = spend(curve, held, prices, target=target, budget=budget, per_class=per_class)
    except UndecidedError as error:
        why_not = str(error)
    most = STRETCH * (purchase.cost if purchase is not None and purchase.cost > 0 else _some_cost(prices))
    frontier = _frontier(curve, held, prices, most, per_class)
    return Plan(
        curve.predict(held.effective), curve.plateau, tuple(_offers(curve, held, prices)), purchase,
        why_not, frontier, _lines(curve, votes.num_classes, target), curve, held, target, budget, per_class,
    )  # fmt: skip


def _frontier(
    curve: LearningCurve, held: Holding, prices: Prices, most: float, per_class: float
) -> tuple[Purchase, ...]:
    """Give the best for each of some budgets; those that do not give every class what it needs are left out."""
    found = []
    for share in np.geomspace(0.01, 1, FRONTIER):
        try:
            found.append(spend(curve, held, prices, budget=most * share, per_class=per_class))
        except UndecidedError:
            continue
    return tuple(found)


def _some_cost(prices: Prices) -> float:
    amounts = (prices.label or 0) * LABELS, (prices.vote or 0) * LABELS, (prices.clean or 0) * CLEAN
    return max(amounts)


def _offers(curve: LearningCurve, held: Holding, prices: Prices) -> list[Offer]:
    minute = min(PER_MINUTE, held.images)
    clean = min(CLEAN, held.images)
    asked = (
        (f"{LABELS:,} noisy labels", LABELS, 0, 0, prices.label),
        (f"a vote more on each of {held.images:,} images", 0, held.images, 0, prices.vote),
        (f"{clean:,} clean labels", 0, 0, clean, prices.clean),
        (f"a minute of checking labels ({minute} of them)", 0, 0, minute, prices.clean),
    )
    found = []
    for name, labels, votes, checked, price in asked:
        effective = float(held.effective_with(labels, votes, checked))
        cost = None if price is None else price * (labels + votes + checked)
        measured = measured_by(curve.predict(held.effective), checked) if checked else None
        found.append(Offer(name, labels, votes, checked, cost, effective, curve.predict(effective), measured))
    return found


def measured_by(now: Estimate, clean: int) -> Estimate:
    """Say how an accuracy would be told if `clean` labels, true and in no training, measured it beside.

    Its value is the one to be expected. Both sides of the interval shrink alike: what is known now and what a count of
    right answers tells are taken as normal, and independent.

    Example:
        >>> print(measured_by(Estimate(0.826, 0.765, 0.876, confidence_level=0.9, method=""), 500))
        0.826 (0.799 to 0.848, 90 %)
    """
    deviate = NormalDist().inv_cdf((1 + now.confidence_level) / 2)
    counted = deviate * (now.value * (1 - now.value) / clean) ** 0.5
    known = (now.high - now.low) / 2
    left = 1.0 if known == 0 else counted / (counted**2 + known**2) ** 0.5
    return Estimate(
        now.value, now.value - left * (now.value - now.low), now.value + left * (now.high - now.value),
        now.confidence_level, f"{now.method}; and {clean:,} clean labels to measure by",
    )  # fmt: skip


def _lines(curve: LearningCurve, num_classes: int, target: float | None) -> tuple[tuple[float, int, float], ...]:
    """Give the images needed for some accuracies, by how many random labels beside the right one each has."""
    truth = np.arange(DRAWN) % num_classes
    noises = {alpha: Dilution(alpha, num_classes=num_classes) for alpha in ISO_ALPHAS}
    worth = {alpha: effective_clean_labels(noise.draw(truth, seed=0), noise) / DRAWN for alpha, noise in noises.items()}
    wanted = [*((target,) if target is not None else ()), *(1 - error for error in (0.2, 0.1, 0.05, 0.02))]
    found = []
    for accuracy in sorted(set(wanted)):
        needed = curve.needed(accuracy)
        if needed is not None:
            found += [(accuracy, alpha, needed.value / worth[alpha]) for alpha in ISO_ALPHAS]
    return tuple(found)


def _in_words(purchase: Purchase) -> str:
    parts = [
        f"{amount:,} {name}" for amount, name in (
            (purchase.labels, "more noisy labels"), (purchase.votes, "more votes"), (purchase.clean, "clean labels")
        ) if amount
    ]  # fmt: skip
    return " and ".join(parts)


def _told(estimate: Any) -> str:
    level = f"{100 * estimate.confidence_level:g} %"
    return f"{estimate.value:.1%} ({estimate.low:.1%} to {estimate.high:.1%}, {level})"
