"""Comparisons: which numbers of a figure a claim holds against each other, for one way to train.

Each takes the figure's table, the way to train, and a noise level, which most of them compare at; it gives the parts of
the claim. None where the size leaves out what is compared.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from murk.paper.crossing import Range, first_reached, slope
from murk.paper.figure5 import ORDERS
from murk.paper.figure6 import CONTROL, SOURCES
from murk.paper.figure9 import TARGETS, labels_needed
from murk.paper.figure10 import LIMIT_BATCH
from murk.paper.table import BySeed, Contrast, Point, Table, between, has_learned

__all__ = ["Comparison", "best_rates", "by_delta", "fall", "growth", "half_the_harm", "infinite_batches",
           "large_batches", "ninety", "panels", "steeper", "steepness"]  # fmt: skip

Comparison = Callable[[Table, str, float], list[Contrast]]
FALLEN = 0.02  # in accuracy, below that without structure: where the fall has begun


def panels(*pairs: tuple[str, str]) -> Comparison:
    """Hold panels against each other at a noise level, pair by pair."""

    def compared(table: Table, series: str, alpha: float) -> list[Contrast]:
        return [between(*(table.point(panel, series, alpha) for panel in pair)) for pair in pairs]

    return compared


def ninety(table: Table, series: str, _: float) -> list[Contrast]:
    """Hold Conv4 at alpha = 100 against 90 %."""
    reached = table.at("Conv4", series, 100)
    return [Contrast(reached, dict.fromkeys(reached, 0.9), {"Conv4": reached}, "Conv4 minus .9")]


def growth(table: Table, series: str, _: float) -> list[Contrast]:
    """Take the slope of log N needed for 90 % right over log(1 + alpha), seed by seed."""
    return _slopes(table, series, (0.9,), math.log1p, np.log, "exponent")


def steeper(table: Table, series: str, _: float) -> list[Contrast]:
    """Take the slope of N needed over alpha for the highest target, less that for the lowest, seed by seed."""
    return _slopes(table, series, (TARGETS[-1], TARGETS[0]), lambda alpha: alpha, lambda count: count, "labels per α")


def _slopes(
    table: Table, series: str, targets: Sequence[float], place: Callable[[float], float],
    scaled: Callable[[float], float], name: str,
) -> list[Contrast]:  # fmt: skip
    """Take the slope of the labels needed for a target, less that for another if there are two, within its bounds."""
    levels = _levels_of_labels(table, series)
    if len(levels) < 3:
        return []
    needed = {target: {alpha: {seed: labels_needed(table.xs, reached, target)
                               for seed, reached in table.along(panel, series).items()}
                       for panel, alpha in levels} for target in targets}  # fmt: skip
    least: dict[int, float] = {}
    most: dict[int, float] = {}
    for seed in set.intersection(*(set(by_seed) for each in needed.values() for by_seed in each.values())):
        low, high = _slope_of(needed[targets[0]], seed, place, scaled)
        for target in targets[1:]:
            others = _slope_of(needed[target], seed, place, scaled)
            low, high = low - others[1], high - others[0]
        least[seed], most[seed] = low, high
    networks = {f"Conv4 at {panel}": table.at(panel, series, table.xs[-1]) for panel, _ in levels}
    named = f"{name} at {' minus at '.join(f'{target:.0%}' for target in targets)}"
    why = "; ".join(filter(None, (_beyond(needed[target], target) for target in targets)))
    return [Contrast(least, dict.fromkeys(least, 0.0), networks, named, most, why)]


def _levels_of_labels(table: Table, series: str) -> list[tuple[str, int]]:
    """Take the noise levels at which the network has learned from the most labels; all where those are fewer than 3."""
    reached = [(level, table.at(level[0], series, table.xs[-1])) for level in table.levels]
    learned = [level for level, accuracies in reached if not accuracies or has_learned(accuracies)]
    return learned if len(learned) >= 3 else list(table.levels)


def _slope_of(
    needed: Mapping[int, Mapping[int, Range]], seed: int, place: Callable[[float], float],
    scaled: Callable[[float], float],
) -> Range:  # fmt: skip
    with np.errstate(divide="ignore"):  # log 0 is the bound below
        ranges = [(float(scaled(low)), float(scaled(high))) for low, high in (each[seed] for each in needed.values())]
    return slope([place(alpha) for alpha in needed], ranges)


def _beyond(needed: Mapping[int, Mapping[int, Range]], target: float) -> str:
    """Say at which noise levels a seed needs fewer labels than the fewest run, or more than the most."""
    under = [f"{alpha:g}" for alpha, each in needed.items() if any(low == 0 for low, _ in each.values())]
    over = [f"{alpha:g}" for alpha, each in needed.items() if any(high == math.inf for _, high in each.values())]
    sides = [f"{words} at alpha {', '.join(alphas)}" for words, alphas in (
        ("reached already with the fewest labels", under), ("not reached with the most", over)) if alphas]  # fmt: skip
    return f"{target:.0%} is {' and '.join(sides)}" if sides else ""


def best_rates(table: Table, series: str, _: float) -> list[Contrast]:
    """Take the slope of log(best rate of those run) over log(1 + alpha), where the network has learned at its best."""
    best = {panel: {seed: (max(reached), table.xs[reached.index(max(reached))])
                    for seed, reached in table.along(panel, series).items()} for panel, _ in table.levels}  # fmt: skip
    tops = {panel: {seed: top for seed, (top, _) in found.items()} for panel, found in best.items()}
    learned = [level for level in table.levels if not tops[level[0]] or has_learned(tops[level[0]])]
    levels = learned if len(learned) >= 3 else list(table.levels)
    if len(levels) < 3:
        return []
    places = [math.log1p(alpha) for _, alpha in levels]
    slopes = {}
    for seed in set.intersection(*(set(best[panel]) for panel, _ in levels)):
        logs = [math.log(best[panel][seed][1]) for panel, _ in levels]
        slopes[seed] = slope(places, list(zip(logs, logs, strict=True)))[0]
    networks = {f"the best at {panel}": tops[panel] for panel, _ in levels}
    apart = np.asarray(places) - np.mean(places)
    step = max(math.log(right / left) for left, right in itertools.pairwise(table.xs))  # from one rate to the next
    rounding = float(step / math.sqrt(12 * (apart @ apart)))  # deviation of a slope through numbers rounded to the grid
    return [Contrast(slopes, dict.fromkeys(slopes, 0.0), networks, "exponent", resolution=rounding)]


def large_batches(table: Table, series: str, alpha: float) -> list[Contrast]:
    """Hold batches of 256 against batches of 32."""
    return [between(*((f"batches of {batch}", table.at(panel, series, batch)) for batch in (256, 32)))
            for panel, level in table.levels if level == alpha]  # fmt: skip


def infinite_batches(table: Table, series: str, _: float) -> list[Contrast]:
    """Hold the highest noise level against the lowest."""
    if len(table.levels) < 2:
        return []
    return [between(*(table.point(panel, series, LIMIT_BATCH) for panel, _ in (table.levels[-1], table.levels[0])))]


def _at_delta(table: Table, series: str, order: str, delta: float) -> Point:
    return f"{order} at delta {delta:g}", table.at(order, series, delta)


def by_delta(*pairs: tuple[tuple[str, float], tuple[str, float]]) -> Comparison:
    """Hold orders of false labels, each at a degree of structure, against each other, pair by pair."""

    def compared(table: Table, series: str, _: float) -> list[Contrast]:
        return [between(*(_at_delta(table, series, order, delta) for order, delta in pair)) for pair in pairs]

    return compared


def steepness(table: Table, series: str, _: float) -> list[Contrast]:
    """Hold the fall per unit of delta over the last quarter against that over the first half, order by order.

    Only without structure must the network have learned: what it falls to is what is asked for.
    """
    found: list[Contrast] = []
    for order in ORDERS:
        zero, half, late, one = (table.at(order, series, delta) for delta in (0.0, 0.5, 0.75, 1.0))
        seeds = zero.keys() & half.keys() & late.keys() & one.keys()
        found.append(Contrast(
            {seed: (late[seed] - one[seed]) / 0.25 for seed in seeds},
            {seed: (zero[seed] - half[seed]) / 0.5 for seed in seeds}, dict([_at_delta(table, series, order, 0.0)]),
            order,
        ))  # fmt: skip
    return found


def fall(table: Table, series: str, _: float) -> list[Contrast]:
    """Find the delta at which accuracy first lies 2 points below that without structure, order by order."""
    found: list[Contrast] = []
    for order in ORDERS:
        fallen = {seed: first_reached(table.xs, [reached[0] - value for value in reached], FALLEN)
                  for seed, reached in table.along(order, series).items()}  # fmt: skip
        least, most = ({seed: ends[side] for seed, ends in fallen.items()} for side in (0, 1))
        never = any(end == math.inf for end in most.values())
        found.append(Contrast(
            least, dict.fromkeys(least, 0.0), dict([_at_delta(table, series, order, 0.0)]), f"delta ({order})", most,
            "some seeds never fall so far" if never else "",
        ))  # fmt: skip
    return found


def half_the_harm(table: Table, series: str, alpha: float) -> list[Contrast]:
    """Hold the harm of CIFAR-100 against a quarter, and three quarters, of that of CIFAR-10: it is about half."""
    clean, same, foreign = networks = [
        table.point(panel, series, alpha) for panel in (CONTROL, SOURCES["same-set"], SOURCES["foreign"])
    ]
    seeds = clean[1].keys() & same[1].keys() & foreign[1].keys()
    harm: BySeed = {seed: clean[1][seed] - foreign[1][seed] for seed in seeds}
    quarter, most = ({seed: share * (clean[1][seed] - same[1][seed]) for seed in seeds} for share in (0.25, 0.75))
    return [
        Contrast(harm, quarter, dict(networks), "harm of CIFAR-100 minus .25 of CIFAR-10's"),
        Contrast(most, harm, dict(networks), ".75 of CIFAR-10's harm minus CIFAR-100's"),
    ]
