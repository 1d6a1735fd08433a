"""Claims: each conclusion of the paper as a statement that its runs can bear out or contradict.

A row is judged by the 95 % Student interval of a difference over seeds, paired by seed:

    rule           holds                        does not                       undecided
    above          it lies above 0              it lies below 0                otherwise
    within m       it lies inside (-m, m)       it lies outside of [-m, m]     otherwise
    between a, b   it lies inside (a, b)        it lies outside of [a, b]      otherwise

Where a claim has several parts, all must hold, and one that does not is enough against it. Networks that have not
learned show nothing: one of the accuracies compared must be above 30 % (guessing is 10 %), and all of them where the
rule asks for accuracies alike; otherwise the verdict is "nothing learned". With fewer than two seeds, or at a size that
leaves the comparison out, a claim is "not run".

A statement that is false, at its edge, is said to hold in at most 2.5 % of studies, each row by itself and not all of
them together; a true one of k parts, at its edge, is denied in at most k times as many. The interval is over what a
seed draws (images, votes, weights, order), with one set of test images.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from murk.lab import mean_difference
from murk.measure import Estimate
from murk.paper.figure import Cell, Row
from murk.paper.figure5 import ORDERS
from murk.paper.figure6 import CONTROL
from murk.paper.figure6 import SOURCES as PHOTOGRAPHS
from murk.paper.figure7 import SOURCES as DIGITS
from murk.paper.figure10 import H_ALPHA
from murk.paper.values import Tag
from murk.paper.ways import WAYS, WAYS_WITH_ONE_VOTE

__all__ = ["CLAIMS", "Claim", "Judged", "Table", "judge"]

Verdict = Literal["holds", "does not", "undecided", "nothing learned", "not run"]
LEARNED = 0.3
BySeed = Mapping[int, float]


@dataclass(frozen=True)
class Table:
    """The numbers of a figure by panel, series and place on the axis, seed by seed.

    Attributes:
        points: the numbers.
        resolution: the step in which an accuracy moves: runs that happen to agree are not more certain than that.
        far: the far end of the axis, as planned.
        levels: the panels that are one noise level each, the lowest first, as planned.
        seeds: planned for a point.
    """

    points: Mapping[tuple[str, str, float], BySeed]
    resolution: float = 0.0
    far: float = 0.0
    levels: tuple[str, ...] = ()
    seeds: int = 0

    @staticmethod
    def of(rows: Sequence[Row], cells: Sequence[Cell]) -> Table:
        """Take the rows of a figure, and the cells that were planned."""
        points = {(row["panel"], row["series"], row["x"]): row["seeds"] for row in rows}
        levels = {cell.panel: int(cell.panel.removeprefix("α = ")) for cell in cells if cell.panel.startswith("α = ")}
        return Table(
            points, max((1 / row["n_test"] for row in rows), default=0.0), max((cell.x for cell in cells), default=0.0),
            tuple(sorted(levels, key=lambda panel: levels[panel])), max((cell.seeds for cell in cells), default=0),
        )  # fmt: skip

    def at(self, panel: str, series: str, x: float) -> BySeed:
        """Give the numbers at one place; none where nothing has run."""
        return self.points.get((panel, series, x), {})

    def places(self, panel: str, series: str) -> list[float]:
        """List where on the axis there are numbers."""
        return sorted(x for here, way, x in self.points if (here, way) == (panel, series))

    @property
    def highest(self) -> str:
        """The highest noise level planned, in words."""
        return self.levels[-1].removeprefix("α = ") if self.levels else f"{self.far:g}"

    def top(self, panel: str, series: str) -> BySeed:
        """Give the numbers at the far end of the axis; nothing nearer stands in for them."""
        return self.at(panel, series, self.far)


Contrast = tuple[BySeed, BySeed]


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
        accuracies: of which one must be above what guessing gives; those compared, unless said.
    """

    says: str
    tag: Tag
    figure: str
    tested: str
    low: float
    high: float
    contrasts: Callable[[Table, str], list[Contrast]]
    series: tuple[str, ...] = WAYS
    accuracies: Callable[[Table, str], list[BySeed]] | None = None

    @property
    def asks_for_likeness(self) -> bool:
        """Whether the rule is that two accuracies are alike."""
        return self.low == -self.high


@dataclass(frozen=True)
class Judged:
    """What the runs say of a claim, for one way to train.

    Attributes:
        claim: which.
        series: the way to train.
        verdict: see the table above.
        estimate: the difference, of the part that decides; None where nothing can be said.
        n_seeds: seeds behind it.
        tested: what was compared, with the noise level.
    """

    claim: Claim
    series: str
    verdict: Verdict
    estimate: Estimate | None
    n_seeds: int
    tested: str


def judge(tables: Mapping[str, Table]) -> list[Judged]:
    """Judge every claim, for every way to train, by what has run.

    Args:
        tables: of the figures, by name; a figure that has not run may be left out.
    """
    empty = Table({})
    return [_judge(claim, series, tables.get(claim.figure, empty)) for claim in CLAIMS for series in claim.series]


def _judge(claim: Claim, series: str, table: Table) -> Judged:
    contrasts, tested = claim.contrasts(table, series), claim.tested.replace("{alpha}", table.highest)
    common = [len(values.keys() & others.keys()) for values, others in contrasts]
    if not contrasts or min(common) < 2:
        return Judged(claim, series, "not run", None, min(common, default=0), tested)
    compared = claim.accuracies(table, series) if claim.accuracies else [part for pair in contrasts for part in pair]
    reached = [_mean(part) for part in compared if part]
    if reached and (min(reached) if claim.asks_for_likeness else max(reached)) <= LEARNED:
        return Judged(claim, series, "nothing learned", None, min(common), tested)
    found = [mean_difference(values, others, resolution=table.resolution) for values, others in contrasts]
    verdicts = [_verdict(estimate, claim.low, claim.high) for estimate in found]
    decides = next((k for wanted in ("does not", "undecided") for k, v in enumerate(verdicts) if v == wanted), None)
    if decides is None:
        decides = min(range(len(found)), key=lambda k: min(found[k].low - claim.low, claim.high - found[k].high))
    return Judged(claim, series, verdicts[decides], found[decides], common[decides], tested)


def _mean(values: BySeed) -> float:
    return sum(values.values()) / len(values)


def _verdict(estimate: Estimate, low: float, high: float) -> Verdict:
    if low < estimate.low and estimate.high < high:
        return "holds"
    return "does not" if estimate.high < low or estimate.low > high else "undecided"


def _models(table: Table, series: str) -> list[Contrast]:
    perceptron, hidden, conv = (table.top(panel, series) for panel in ("Perceptron", "2 hidden layers", "Conv4"))
    return [(hidden, perceptron), (conv, hidden)]


def _ninety(table: Table, series: str) -> list[Contrast]:
    reached = table.at("Conv4", series, 100)
    return [(reached, dict.fromkeys(reached, 0.9))]


def _exponent(table: Table, series: str) -> list[Contrast]:
    """Slope of log N needed for 90 % over log(1 + alpha), seed by seed, over the alphas where every seed crosses."""
    needed = {x: table.at("90% right", series, x) for x in table.places("90% right", series)}
    whole = {1 + x: by_seed for x, by_seed in needed.items() if len(by_seed) == table.seeds}
    slopes = {}
    for seed in range(table.seeds if len(whole) >= 3 else 0):
        counts = np.log([by_seed[seed] for by_seed in whole.values()])
        slopes[seed] = float(np.polyfit(np.log(list(whole)), counts, 1)[0])
    return [(slopes, dict.fromkeys(slopes, 0.0))]


def _gain_of_low_rate(table: Table, series: str) -> list[Contrast]:
    gains = []
    for panel in table.levels[:1] + table.levels[-1:]:
        low, own = table.at(panel, series, 0.1), table.at(panel, series, 1.0)
        gains.append({seed: low[seed] - own[seed] for seed in low.keys() & own.keys()})
    return [(gains[1], gains[0])] if len(table.levels) > 1 else []


def _at_both_rates(table: Table, series: str) -> list[BySeed]:
    return [table.at(table.levels[-1], series, factor) for factor in (0.1, 1.0)]


def _large_batches(table: Table, series: str) -> list[Contrast]:
    return [(table.at(panel, series, 256), table.at(panel, series, 32)) for panel in table.levels[-1:]]


def _h_alpha(table: Table, series: str) -> list[Contrast]:
    panels = table.levels
    return [(table.at(panels[-1], series, 128), table.at(panels[0], series, 128))] if len(panels) > 1 else []


def _steepness(table: Table, series: str) -> list[Contrast]:
    """Fall per unit of delta over the last quarter against that over the first half, order by order."""
    found: list[Contrast] = []
    for order in ORDERS:
        zero, half, late, one = (table.at(order, series, delta) for delta in (0.0, 0.5, 0.75, 1.0))
        seeds = zero.keys() & half.keys() & late.keys() & one.keys()
        found.append((
            {seed: (late[seed] - one[seed]) / 0.25 for seed in seeds},
            {seed: (zero[seed] - half[seed]) / 0.5 for seed in seeds},
        ))  # fmt: skip
    return found


def _without_structure(table: Table, series: str) -> list[BySeed]:
    return [table.at(order, series, 0.0) for order in ORDERS]


INFINITY = float("inf")
CLAIMS = (
    Claim("A ConvNet is right above 90 % with 100 random labels per right one", "read", "fig1",
          "Conv4 at alpha 100 minus .9, above 0", 0, INFINITY, _ninety),
    Claim("Robustness grows from perceptron over MLP to ConvNet", "read", "fig1",
          "at alpha {alpha}: MLP minus perceptron, and Conv4 minus MLP (2 hidden layers), both above 0",
          0, INFINITY, _models),
    Claim("Deeper networks are more robust", "read", "fig2",
          "at alpha {alpha}: ResNet-18 minus Conv4, above 0", 0, INFINITY,
          lambda table, way: [(table.top("ResNet-18", way), table.top("Conv4", way))]),
    Claim("The clean labels needed grow about linearly with alpha", "read", "fig9",
          "exponent b of N ~ (1 + alpha)^b for 90 % right, between .7 and 1.3", 0.7, 1.3, _exponent,
          accuracies=lambda table, way: []),
    Claim("Structured noise does no harm until delta nears 1", "recalled", "fig5",
          "delta .5 minus delta 0, within 2 points, in each order", -0.02, 0.02,
          lambda table, way: [(table.at(order, way, 0.5), table.at(order, way, 0.0)) for order in ORDERS]),
    Claim("... and then accuracy falls steeply", "recalled", "fig5",
          "fall per unit of delta, from .75 to 1 minus from 0 to .5, above 0, in each order", 0, INFINITY, _steepness,
          accuracies=_without_structure),
    Claim("The order of the false labels matters little", "read", "fig5",
          "confusing first minus reverse at delta 1, within 5 points", -0.05, 0.05,
          lambda table, way: [(table.at(ORDERS[0], way, 1.0), table.at(ORDERS[1], way, 1.0))]),
    Claim("White noise is the least harmful", "read", "fig6",
          "at alpha {alpha}: white noise minus CIFAR-10 itself, and minus CIFAR-100, both above 0", 0, INFINITY,
          lambda table, way: [(table.top(PHOTOGRAPHS["white"], way), table.top(PHOTOGRAPHS[other], way))
                              for other in ("same-set", "foreign")], WAYS_WITH_ONE_VOTE),
    Claim("... and does almost no harm", "read", "fig6",
          "at alpha {alpha}: white noise minus the clean images alone as often, within 2 points", -0.02, 0.02,
          lambda table, way: [(table.top(PHOTOGRAPHS["white"], way), table.top(CONTROL, way))], WAYS_WITH_ONE_VOTE),
    Claim("CIFAR-100 does less harm than CIFAR-10 itself", "read", "fig6",
          "at alpha {alpha}: CIFAR-100 minus CIFAR-10, above 0", 0, INFINITY,
          lambda table, way: [(table.top(PHOTOGRAPHS["foreign"], way), table.top(PHOTOGRAPHS["same-set"], way))],
          WAYS_WITH_ONE_VOTE),
    Claim("Copies are as good as fresh images", "recalled", "fig7",
          "at alpha {alpha}: copies minus fresh images, within 2 points", -0.02, 0.02,
          lambda table, way: [(table.top(DIGITS["same-set"], way), table.top(DIGITS["fresh"], way))],
          WAYS_WITH_ONE_VOTE),
    Claim("Larger batches are better", "read", "fig10",
          "at alpha {alpha}: batches of 256 minus batches of 32, above 0", 0, INFINITY,
          _large_batches),
    Claim("With H_alpha, accuracy hardly depends on alpha", "read", "fig10",
          "H_alpha at alpha {alpha} minus at the lowest, within 2 points", -0.02, 0.02, _h_alpha, (H_ALPHA,)),
    Claim("Lower learning rates are better at higher noise", "read", "fig11",
          "what a rate ten times lower gains at alpha {alpha}, minus at alpha 0, above 0", 0, INFINITY,
          _gain_of_low_rate, accuracies=_at_both_rates),
)  # fmt: skip
"""Every conclusion of the paper that runs can speak to, with the runs that do."""
