"""Claims: each conclusion of the paper as a statement that its runs can bear out or contradict."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from murk.paper.figure5 import ORDERS
from murk.paper.figure6 import CONTROL
from murk.paper.figure6 import SOURCES as PHOTOGRAPHS
from murk.paper.figure7 import SOURCES as DIGITS
from murk.paper.figure10 import H_ALPHA, LIMIT_BATCH
from murk.paper.table import BySeed, Contrast, Point, Table, between
from murk.paper.values import Tag
from murk.paper.ways import WAYS, WAYS_WITH_ONE_VOTE

__all__ = ["CLAIMS", "Claim"]


@dataclass(frozen=True)
class Claim:
    """A conclusion of the paper.

    Attributes:
        says: the conclusion.
        tag: how sure it is that the paper says so.
        figure: whose runs speak.
        tested: what is compared, and by which rule; "{alpha}" is the highest noise level planned.
        low: of the rule: the difference must lie above it.
        high: and below it.
        contrasts: from the figure's table and a way to train to the pairs of numbers compared.
        series: ways to train that are judged, each by itself.
        missed: where runs that are all there may still give no number, why that is.
    """

    says: str
    tag: Tag
    figure: str
    tested: str
    low: float
    high: float
    contrasts: Callable[[Table, str], list[Contrast]]
    series: tuple[str, ...] = WAYS
    missed: str = ""


def _models(table: Table, series: str) -> list[Contrast]:
    perceptron, hidden, conv = (table.top(panel, series) for panel in ("Perceptron", "2 hidden layers", "Conv4"))
    return [between(hidden, perceptron), between(conv, hidden)]


def _ninety(table: Table, series: str) -> list[Contrast]:
    reached = table.at("Conv4", series, 100)
    return [Contrast(reached, dict.fromkeys(reached, 0.9), {"Conv4": reached})]


def _exponent(table: Table, series: str) -> list[Contrast]:
    """Slope of log N needed for 90 % over log(1 + alpha), seed by seed, over the alphas where every seed crosses."""
    needed = {x: table.at("90% right", series, x) for x in table.places("90% right", series)}
    whole = {1 + x: by_seed for x, by_seed in needed.items() if len(by_seed) == table.seeds}
    slopes = {}
    for seed in range(table.seeds if len(whole) >= 3 else 0):
        counts = np.log([by_seed[seed] for by_seed in whole.values()])
        slopes[seed] = float(np.polyfit(np.log(list(whole)), counts, 1)[0])
    return [Contrast(slopes, dict.fromkeys(slopes, 0.0), {})]


def _gain_of_low_rate(table: Table, series: str) -> list[Contrast]:
    if len(table.levels) < 2:
        return []
    gains: list[BySeed] = []
    networks: dict[str, BySeed] = {}
    for panel, _ in (table.levels[-1], table.levels[0]):
        low, own = table.at(panel, series, 0.1), table.at(panel, series, 1.0)
        gains.append({seed: low[seed] - own[seed] for seed in low.keys() & own.keys()})
        networks |= {f"a tenth of the rate, {panel}": low, f"the own rate, {panel}": own}
    return [Contrast(gains[0], gains[1], networks)]


def _large_batches(table: Table, series: str) -> list[Contrast]:
    return [between(*((f"batches of {batch}", table.at(panel, series, batch)) for batch in (256, 32)))
            for panel, _ in table.levels[-1:]]  # fmt: skip


def _h_alpha(table: Table, series: str) -> list[Contrast]:
    if len(table.levels) < 2:
        return []
    ends = (table.levels[-1], table.levels[0])
    return [between(*((panel, table.at(panel, series, LIMIT_BATCH)) for panel, _ in ends))]


def _at_delta(table: Table, series: str, order: str, delta: float) -> Point:
    return f"{order} at delta {delta:g}", table.at(order, series, delta)


def _steepness(table: Table, series: str) -> list[Contrast]:
    """Fall per unit of delta over the last quarter against that over the first half, order by order.

    Only without structure must the network have learned: what it falls to is what is asked for.
    """
    found: list[Contrast] = []
    for order in ORDERS:
        zero, half, late, one = (table.at(order, series, delta) for delta in (0.0, 0.5, 0.75, 1.0))
        seeds = zero.keys() & half.keys() & late.keys() & one.keys()
        found.append(Contrast(
            {seed: (late[seed] - one[seed]) / 0.25 for seed in seeds},
            {seed: (zero[seed] - half[seed]) / 0.5 for seed in seeds}, dict([_at_delta(table, series, order, 0.0)]),
        ))  # fmt: skip
    return found


def _half_the_harm(table: Table, series: str) -> list[Contrast]:
    """Harm of CIFAR-100 above a quarter, and below three quarters, of that of CIFAR-10: about half."""
    clean, same, foreign = networks = [
        table.top(panel, series) for panel in (CONTROL, PHOTOGRAPHS["same-set"], PHOTOGRAPHS["foreign"])
    ]
    seeds = clean[1].keys() & same[1].keys() & foreign[1].keys()
    harm = {seed: clean[1][seed] - foreign[1][seed] for seed in seeds}
    quarter, most = ({seed: share * (clean[1][seed] - same[1][seed]) for seed in seeds} for share in (0.25, 0.75))
    return [Contrast(harm, quarter, dict(networks)), Contrast(most, harm, dict(networks))]


INFINITY = float("inf")
CLAIMS = (
    Claim("A ConvNet is right above 90 % with 100 random labels per right one", "read", "fig1",
          "Conv4 at alpha 100 minus .9, above 0", 0, INFINITY, _ninety),
    Claim("Robustness grows from perceptron over MLP to ConvNet", "read", "fig1",
          "at alpha {alpha}: MLP minus perceptron, and Conv4 minus MLP (2 hidden layers), both above 0",
          0, INFINITY, _models),
    Claim("Deeper networks are more robust", "read", "fig2",
          "at alpha {alpha}: ResNet-18 minus Conv4, above 0", 0, INFINITY,
          lambda table, way: [between(table.top("ResNet-18", way), table.top("Conv4", way))]),
    Claim("The clean labels needed grow about linearly with alpha", "read", "fig9",
          "exponent b of N ~ (1 + alpha)^b for 90 % right, between .7 and 1.3", 0.7, 1.3, _exponent,
          missed="90 % is not reached by every seed at three noise levels"),
    Claim("Structured noise does no harm until delta nears 1", "recalled", "fig5",
          "delta .5 minus delta 0, within 2 points, in each order", -0.02, 0.02,
          lambda table, way: [between(_at_delta(table, way, order, 0.5), _at_delta(table, way, order, 0.0))
                              for order in ORDERS]),
    Claim("... and then accuracy falls steeply", "recalled", "fig5",
          "fall per unit of delta, from .75 to 1 minus from 0 to .5, above 0, in each order", 0, INFINITY, _steepness),
    Claim("The order of the false labels matters little", "read", "fig5",
          "confusing first minus reverse at delta 1, within 5 points", -0.05, 0.05,
          lambda table, way: [between(*(_at_delta(table, way, order, 1.0) for order in ORDERS[:2]))]),
    Claim("White noise is the least harmful", "read", "fig6",
          "at alpha {alpha}: white noise minus CIFAR-10 itself, and minus CIFAR-100, both above 0", 0, INFINITY,
          lambda table, way: [between(table.top(PHOTOGRAPHS["white"], way), table.top(PHOTOGRAPHS[other], way))
                              for other in ("same-set", "foreign")], WAYS_WITH_ONE_VOTE),
    Claim("... and does almost no harm", "read", "fig6",
          "at alpha {alpha}: white noise minus the clean images alone as often, within 2 points", -0.02, 0.02,
          lambda table, way: [between(table.top(PHOTOGRAPHS["white"], way), table.top(CONTROL, way))],
          WAYS_WITH_ONE_VOTE),
    Claim("CIFAR-100 does less harm than CIFAR-10 itself", "read", "fig6",
          "at alpha {alpha}: CIFAR-100 minus CIFAR-10, above 0", 0, INFINITY,
          lambda table, way: [between(*(table.top(PHOTOGRAPHS[source], way) for source in ("foreign", "same-set")))],
          WAYS_WITH_ONE_VOTE),
    Claim("... about half as much", "read", "fig6",
          "at alpha {alpha}, harm being clean images alone as often minus the source: CIFAR-100's minus .25 of "
          "CIFAR-10's, and .75 of CIFAR-10's minus CIFAR-100's, both above 0", 0, INFINITY, _half_the_harm,
          WAYS_WITH_ONE_VOTE),
    Claim("Copies are as good as fresh images", "recalled", "fig7",
          "at alpha {alpha}: copies minus fresh images, within 2 points", -0.02, 0.02,
          lambda table, way: [between(*(table.top(DIGITS[source], way) for source in ("same-set", "fresh")))],
          WAYS_WITH_ONE_VOTE),
    Claim("Larger batches are better", "read", "fig10",
          "at alpha {alpha}: batches of 256 minus batches of 32, above 0", 0, INFINITY,
          _large_batches),
    Claim("With H_alpha, accuracy hardly depends on alpha", "read", "fig10",
          "H_alpha at alpha {alpha} minus at the lowest, within 2 points", -0.02, 0.02, _h_alpha, (H_ALPHA,)),
    Claim("Lower learning rates are better at higher noise", "read", "fig11",
          "what a rate ten times lower gains at alpha {alpha}, minus at alpha 0, above 0", 0, INFINITY,
          _gain_of_low_rate),
)  # fmt: skip
"""Every conclusion of the paper that runs can speak to, with the runs that do."""
