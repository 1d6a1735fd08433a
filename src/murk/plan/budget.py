"""Budget: what to buy - noisy labels, more votes or clean labels - so that a target costs least, or money does most."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from jaxtyping import Float

from murk.errors import InputError, UndecidedError, refuse
from murk.measure import Estimate, effective_clean_labels
from murk.noise import Channel
from murk.noise.draws import seed_fault
from murk.noise.numbers import whole_fault
from murk.plan.learning_curve import FARTHEST, LearningCurve

__all__ = ["Holding", "Prices", "Purchase", "holding", "spend", "worth_by_votes"]

GRID, ROUNDS = 41, 4
HALVINGS = 50
MOST_VOTES = 12  # more on an image than it has
DRAWN = 20_000  # images by which the worth of votes is found
LEAST_WORTH = 1e-9  # of a label or an image, in clean labels
LEAST_SHARE = 1e-4  # of a class in what all is worth, for noisy labels of it to be waited for


@dataclass(frozen=True)
class Prices:
    """What things cost, in one currency; None for what cannot be had.

    Attributes:
        label: of an image more, with one noisy label.
        vote: of a vote more on an image at hand.
        clean: of an expert's label for an image at hand.
        label_order: the fewest labels that are sold.
        vote_order: the fewest votes.
        clean_order: the fewest clean labels.

    Raises:
        InputError: negative prices, none at all, all of them or that of labels zero, or orders that are no whole
            numbers >= 1.
    """

    label: float | None = None
    vote: float | None = None
    clean: float | None = None
    label_order: int = 1
    vote_order: int = 1
    clean_order: int = 1

    def __post_init__(self) -> None:
        """Check them."""
        prices = {each.name: getattr(self, each.name) for each in fields(self)[:3]}
        given = [price for price in prices.values() if price is not None]
        refuse([
            *(f"a price is a number >= 0, but {name} = {price!r} came" for name, price in prices.items()
              if price is not None and not (isinstance(price, int | float) and 0 <= price < float("inf"))),
            "" if given else "expected the price of labels, votes or clean labels, but none came",
            "prices are all zero: then all can be had; give what things cost" if given and not any(given) else
            "labels that cost nothing have no end; give them a price" if self.label == 0 else "",
            *(whole_fault(getattr(self, each.name), lowest=1, what=each.name) for each in fields(self)[3:]),
        ])  # fmt: skip


@dataclass(frozen=True)
class Holding:
    """What is at hand.

    Attributes:
        images: N, each with its votes.
        worth: float [V], how many clean labels an image is worth with as many votes as it has, one more, two more ...
        worth_of_label: of an image more, with one noisy label.
        shares: float [K], the part of each class in what all is worth; what is bought is taken to be like it, but for
            clean labels, which are aimed at the classes that lack most.
    """

    images: int
    worth: Float[np.ndarray, " V"]
    worth_of_label: float
    shares: Float[np.ndarray, " K"]

    @property
    def effective(self) -> float:
        """How many clean labels all is worth now."""
        return float(self.images * self.worth[0])

    def effective_with(self, labels: Any, votes: Any, clean: Any) -> np.ndarray:
        """Say how many clean labels all is worth with more bought; votes are spread evenly over the images."""
        return np.asarray(self._noisy(labels, votes) + clean * (1 - self._each(votes)))

    def clean_for(self, least: float, labels: Any, votes: Any) -> np.ndarray:
        """Say how many clean labels are lacking until every class is worth so many; infinite beyond a class's images.

        They are taken to hit the class that they are aimed at.
        """
        each = self._each(votes)
        lacking = np.maximum(least - self._noisy(labels, votes)[..., None] * self.shares, 0)
        needed = lacking / np.maximum(1 - each, LEAST_WORTH)[..., None]
        return np.asarray(np.where(needed <= self.images * self.shares, needed, np.inf).sum(-1))

    def labels_for(self, least: float, votes: np.ndarray, clean: np.ndarray) -> np.ndarray:
        """Say how many noisy labels are lacking until the clean ones do; infinite where a class has next to no part."""
        low = np.zeros(len(votes))
        smallest = float(self.shares.min())
        if smallest < LEAST_SHARE:
            return np.where(self.clean_for(least, low, votes) <= clean, 0.0, np.inf)
        high = np.where(
            self.clean_for(least, low, votes) <= clean, 0.0, least / smallest / max(self.worth_of_label, LEAST_WORTH)
        )
        for _ in range(HALVINGS):
            half = (low + high) / 2
            enough = self.clean_for(least, half, votes) <= clean
            low, high = np.where(enough, low, half), np.where(enough, half, high)
        return high

    def _each(self, votes: Any) -> np.ndarray:
        return np.asarray(np.interp(np.asarray(votes) / self.images, np.arange(len(self.worth)), self.worth))

    def _noisy(self, labels: Any, votes: Any) -> np.ndarray:
        return np.asarray(self.images * self._each(votes) + labels * self.worth_of_label)


@dataclass(frozen=True)
class Purchase:
    """What to buy.

    Attributes:
        labels: images more, with one noisy label each.
        votes: more, on images at hand.
        clean: expert's labels for images at hand.
        cost: of all.
        accuracy: of a training with all of it.
    """

    labels: int
    votes: int
    clean: int
    cost: float
    accuracy: Estimate


def worth_by_votes(channel: Channel, *, votes: int, more: int = MOST_VOTES, seed: int = 0) -> Float[np.ndarray, " V"]:
    """Say how many clean labels an image is worth with `votes` independent votes, and with up to `more` beside.

    By 20,000 drawn images, each with every class as probable.

    Raises:
        InputError: other noise, or numbers that are none.
    """
    refuse([
        whole_fault(votes, lowest=0, what="votes"), whole_fault(more, lowest=0, what="more votes"), seed_fault(seed),
        "" if isinstance(channel, Channel) else f"single votes come of a Channel, but {type(channel).__name__} came",
    ])  # fmt: skip
    truth = np.arange(DRAWN) % channel.num_classes
    told = []
    for count in range(votes, votes + more + 1):
        each = Channel(channel.transition, votes_per_example=max(count, 1))
        told.append(effective_clean_labels(each.draw(truth, seed=seed), each) / DRAWN if count else 0.0)
    return np.maximum.accumulate(np.array(told))


def holding(
    channel: Channel, *, images: int, votes: int, effective: float | None = None, per_class: Any = None
) -> Holding:
    """Describe what is at hand, where votes come one by one of a channel.

    Args:
        channel: of one vote.
        images: N >= 1.
        votes: of each image.
        effective: clean labels that all is worth, where it is known better (a dilution's votes are worth more than
            as many independent ones); None to go by the channel.
        per_class: float [K], the same for each class (`effective_clean_labels_per_class`); None for all alike.

    Example:
        >>> held = holding(Channel.symmetric(0.4, num_classes=10), images=1000, votes=1)
        >>> round(held.effective), bool(held.worth[1] < 2 * held.worth[0])
        (326, True)
    """
    told = None if per_class is None else np.asarray(per_class, dtype=np.float64)
    refuse([
        whole_fault(images, lowest=1, what="images"),
        "" if effective is None or 0 <= effective < float("inf") else
        f"what all is worth is a number >= 0, but {effective!r} came",
        "" if told is None or (told.shape == (channel.num_classes,) and np.isfinite(told).all()) else
        f"what each class is worth is [K] numbers for {channel.num_classes} classes, but {per_class!r} came",
    ])  # fmt: skip
    worth = worth_by_votes(channel, votes=votes)
    if effective is not None:
        worth = worth + (effective / images - worth[0]) * (1 - worth) / max(1 - worth[0], 1e-9)
    one = worth_by_votes(channel, votes=1, more=0)[0]
    own = np.ones(channel.num_classes) if told is None or not (told > 0).any() else np.maximum(told, 0.0)
    return Holding(images, np.clip(worth, LEAST_WORTH, 1), float(one), own / own.sum())


def spend(
    curve: LearningCurve,
    held: Holding,
    prices: Prices,
    *,
    target: float | None = None,
    budget: float | None = None,
    per_class: float = 0.0,
) -> Purchase:
    """Find the cheapest purchase that reaches a target, or the one that reaches most within a budget.

    Reaching means in the median. All mixes are looked through: votes and clean labels on a grid that is drawn closer
    around the best, labels for what is lacking then (or left of the budget).

    Args:
        curve: by which accuracy grows.
        held: what is at hand.
        prices: what can be bought.
        target: accuracy wanted, in (0, 1).
        budget: to spend, >= 0.
        per_class: clean labels that every class is to be worth at least, >= 0.

    Raises:
        InputError: both or neither of target and budget, or numbers that are none.
        UndecidedError: no purchase reaches the target, or gives every class what it needs.

    Example:
        >>> from murk.plan import learning_curve
        >>> sizes = np.array([40, 80, 160, 320])
        >>> curve = learning_curve(sizes, 1 - 0.03 - 3 * sizes**-0.6, np.full(4, 0.003), num_classes=10)
        >>> held = holding(Channel.symmetric(0.4, num_classes=10), images=1000, votes=1)
        >>> bought = spend(curve, held, Prices(label=0.02, clean=0.4), target=0.93)
        >>> bought.clean, bought.labels > 0, bought.accuracy.value > 0.925
        (0, True, True)
    """
    if (target is None) == (budget is None):
        raise InputError("give a target or a budget, one of them")
    refuse([
        "" if target is None or 0 < target < 1 else f"a target is an accuracy in (0, 1), but {target!r} came",
        "" if budget is None or 0 <= budget < float("inf") else f"a budget is >= 0, but {budget!r} came",
        "" if isinstance(per_class, int | float) and 0 <= per_class < float("inf") else
        f"what every class needs is a number >= 0, but {per_class!r} came",
    ])  # fmt: skip
    needed = None if target is None else curve.needed(target)
    if target is not None and needed is None:
        raise UndecidedError(_not_reachable(curve, target))
    best: tuple[tuple[float, float], Mix] | None = None
    for offered in _choices(prices):  # an order that is too large for the rest of a mix may be best left out
        found = (_cheapest(held, offered, needed.value, per_class) if needed is not None else
                 _most(held, offered, budget or 0.0, per_class))  # fmt: skip
        if found is None:
            continue
        mix = _ordered(found, offered, up=needed is not None)
        if needed is None and per_class:
            mix = _enough(mix, found, held, offered, float(budget or 0), per_class) or mix
            if float(held.clean_for(per_class, *mix[:2])) > mix[2] + 1e-6:
                continue
        cost, worth = float(_cost(offered, *mix)), float(held.effective_with(*mix))
        if needed is not None and worth > FARTHEST * curve.largest:  # nothing seen supports a number there
            continue
        rank = (-worth, cost) if needed is None else (cost, -worth)
        if best is None or rank < best[0]:
            best = rank, mix
    if best is None:
        raise UndecidedError(_not_to_be_bought(target, per_class))
    mix = best[1]
    reached = curve.predict(float(held.effective_with(*mix)))
    labels, votes, clean = map(round, mix)
    return Purchase(labels, votes, clean, float(_cost(prices, *mix)), reached)


def _not_reachable(curve: LearningCurve, target: float) -> str:
    flat = curve.plateau
    return (
        f"not reachable with this model: {target:.1%} lies above where the curve flattens, at {flat.value:.1%} "
        f"({flat.low:.1%} to {flat.high:.1%}), or beyond a thousand times the labels seen; take another model"
    )


def _not_to_be_bought(target: float | None, per_class: float) -> str:
    classes = f"every class worth {per_class:,.0f} clean labels" if per_class else ""
    if target is None:
        return f"not reachable: {classes} would take more than the budget; spend more, or ask for less"
    return (
        f"not reachable: {f'{target:.1%}'}{' and ' if classes else ''}{classes} would take more than can be bought of "
        "what has a price, or than a thousand times the labels seen; give the price of labels and clean ones, or ask "
        "for less"
    )


Mix = tuple[float, float, float]
"""Labels, votes, clean labels."""


def _axes(held: Holding, prices: Prices, near: Mix | None, step: float) -> tuple[np.ndarray, np.ndarray]:
    """Give the votes and the clean labels to try: all there are, or those about the best so far."""
    axes = []
    for price, most, at in (
        (prices.vote, held.images * (len(held.worth) - 1.0), None if near is None else near[1]),
        (prices.clean, float(held.images), None if near is None else near[2]),
    ):
        if price is None:
            axes.append(np.zeros(1))
        elif at is None:
            axes.append(np.linspace(0, most, GRID))
        else:
            axes.append(np.unique(np.clip(at + step * most * np.linspace(-1, 1, GRID), 0, most)))
    votes, clean = np.meshgrid(*axes, indexing="ij")
    return votes.ravel(), clean.ravel()


def _tried(
    held: Holding, prices: Prices, near: Mix | None, step: float, per_class: float
) -> tuple[np.ndarray, np.ndarray]:
    """Give the votes and the clean labels of `_axes`, and beside them just as many clean ones as classes need."""
    votes, clean = _axes(held, prices, near, step)
    if not per_class or prices.clean is None:
        return votes, clean
    exact = held.clean_for(per_class, 0.0, votes)
    can = np.isfinite(exact)
    return np.r_[votes, votes[can]], np.r_[clean, exact[can]]


def _cost(prices: Prices, labels: Any, votes: Any, clean: Any) -> np.ndarray:
    return np.asarray(labels * (prices.label or 0) + votes * (prices.vote or 0) + clean * (prices.clean or 0))


def _cheapest(held: Holding, prices: Prices, needed: float, per_class: float) -> Mix | None:
    """Find the mix that is worth what is needed, and costs least."""
    best: Mix | None = None
    for number in range(ROUNDS):
        if number and best is None:
            break
        votes, clean = _tried(held, prices, best, 2.0 / GRID * 0.2 ** (number - 1), per_class)
        lacking = np.maximum(needed - held.effective_with(0, votes, clean), 0)
        labels = np.maximum(
            lacking / max(held.worth_of_label, LEAST_WORTH),
            held.labels_for(per_class, votes, clean) if per_class else 0.0,
        )
        can = np.isfinite(labels) & ((labels == 0) | (prices.label is not None))
        cost = np.where(can, _cost(prices, np.where(can, labels, 0), votes, clean), np.inf)
        at = int(cost.argmin())
        if np.isfinite(cost[at]):
            best = float(labels[at]), float(votes[at]), float(clean[at])
    return best


def _most(held: Holding, prices: Prices, budget: float, per_class: float) -> Mix | None:
    """Find the mix within the budget that is worth most."""
    best: Mix | None = None
    for number in range(ROUNDS):
        votes, clean = _tried(held, prices, best, 2.0 / GRID * 0.2 ** (number - 1), per_class)
        rest = budget - _cost(prices, 0.0, votes, clean)
        labels = np.maximum(rest, 0) / prices.label if prices.label else np.zeros(len(votes))
        enough = (rest >= -1e-9) & (held.clean_for(per_class, labels, votes) <= clean + 1e-6)
        worth = np.where(enough, held.effective_with(labels, votes, clean), -np.inf)
        at = int(worth.argmax())
        if enough[at] and (best is None or held.effective_with(*best) <= worth[at]):
            best = float(labels[at]), float(votes[at]), float(clean[at])
    return best


def _choices(prices: Prices) -> Iterator[Prices]:
    """Offer all that has a price, and each part of it."""
    names = [name for name in ("label", "vote", "clean") if getattr(prices, name) is not None]
    for count in range(1, len(names) + 1):
        for kept in itertools.combinations(names, count):
            gone: dict[str, Any] = dict.fromkeys(set(names) - set(kept))
            yield replace(prices, **gone)


def _enough(mix: Mix, wanted: Mix, held: Holding, prices: Prices, budget: float, per_class: float) -> Mix | None:
    """Bring clean labels up where what is left of the budget after bringing all down allows what classes need."""
    up = _ordered(wanted, prices, up=True)
    for changed in ((mix[0], mix[1], up[2]), (up[0], mix[1], mix[2]), (up[0], mix[1], up[2])):
        fits = _cost(prices, *changed) <= budget + 1e-9
        if fits and float(held.clean_for(per_class, *changed[:2])) <= changed[2] + 1e-6:
            return changed
    return None


def _ordered(mix: Mix, prices: Prices, *, up: bool) -> Mix:
    """Bring a mix to whole numbers that are sold: up, for what is needed, or down, for what is left of a budget."""
    orders = (prices.label_order, prices.vote_order, prices.clean_order)
    if up:
        bought = (0 if amount < 1e-6 else max(order, np.ceil(amount - 1e-6))
                  for amount, order in zip(mix, orders, strict=True))  # fmt: skip
    else:
        bought = (np.floor(amount + 1e-6) if amount + 1e-6 >= order else 0
                  for amount, order in zip(mix, orders, strict=True))  # fmt: skip
    labels, votes, clean = map(float, bought)
    return labels, votes, clean
