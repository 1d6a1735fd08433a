"""Verdicts: what the runs say of each claim.

A row is judged by the 95 % Student interval of a difference over seeds, paired by seed:

    rule           holds                        does not                       undecided
    above          it lies above 0              it lies below 0                otherwise
    within m       it lies inside (-m, m)       it lies outside of [-m, m]     otherwise
    between a, b   it lies inside (a, b)        it lies outside of [a, b]      otherwise

Where a claim has several parts, all must hold, and one that does not is enough against it.

The paper speaks of networks that have learned. A part that compares one which has not (right in 30 % at most; guessing
is 10 %) is undecided, whatever its interval: more training might change the order. Where none of a claim's networks has
learned, the verdict is "nothing learned". With fewer than two seeds, or at a size that leaves the comparison out, a
claim is "not run"; where all has run and a target is still not reached, it is undecided.

A statement that is false, at its edge, is said to hold in at most 2.5 % of studies, each row by itself and not all of
them together; a true one of k parts, at its edge, is denied in at most k times as many. The interval is over what a
seed draws (images, votes, weights, order), with one set of test images.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from murk.lab import mean_difference
from murk.measure import Estimate
from murk.paper.claims import CLAIMS, Claim
from murk.paper.table import BySeed, Contrast, Table

__all__ = ["LEARNED", "Judged", "Verdict", "judge"]

Verdict = Literal["holds", "does not", "undecided", "nothing learned", "not run"]
LEARNED = 0.3
"""Accuracy above which a network has learned something, of ten classes."""


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
        why: what keeps runs that are there from deciding, besides a wide interval; "" where nothing does.
    """

    claim: Claim
    series: str
    verdict: Verdict
    estimate: Estimate | None
    n_seeds: int
    tested: str
    why: str = ""

    @property
    def in_words(self) -> str:
        """The verdict, with what keeps the runs from deciding."""
        return f"{self.verdict}: {self.why}" if self.why else self.verdict


def judge(tables: Mapping[str, Table]) -> list[Judged]:
    """Judge every claim, for every way to train, by what has run.

    Args:
        tables: of the figures, by name; a figure that has not run may be left out.
    """
    empty = Table({})
    return [_judge(claim, series, tables.get(claim.figure, empty)) for claim in CLAIMS for series in claim.series]


def _judge(claim: Claim, series: str, table: Table) -> Judged:
    contrasts, tested = claim.contrasts(table, series), claim.tested.replace("{alpha}", table.highest)
    common = [contrast.common for contrast in contrasts]
    if min(common, default=0) < 2:
        if claim.missed and series in table.complete:
            return Judged(claim, series, "undecided", None, table.seeds, tested, claim.missed)
        return Judged(claim, series, "not run", None, min(common, default=0), tested)
    if all(_unlearned(contrast) == list(contrast.networks) != [] for contrast in contrasts):
        return Judged(claim, series, "nothing learned", None, min(common), tested)
    found = [mean_difference(each.values, each.others, resolution=table.resolution) for each in contrasts]
    verdicts = [_verdict(contrast, estimate, claim) for contrast, estimate in zip(contrasts, found, strict=True)]
    part = _deciding(verdicts, found, claim)
    unlearned = _unlearned(contrasts[part])
    why = " and ".join(f"{name} has not learned ({_mean(contrasts[part].networks[name]):.0%} right)"
                       for name in unlearned)  # fmt: skip
    return Judged(claim, series, verdicts[part], found[part], common[part], tested, why)


def _verdict(contrast: Contrast, estimate: Estimate, claim: Claim) -> Verdict:
    """Judge one part of a claim."""
    if _unlearned(contrast):
        return "undecided"
    if claim.low < estimate.low and estimate.high < claim.high:
        return "holds"
    return "does not" if estimate.high < claim.low or estimate.low > claim.high else "undecided"


def _deciding(verdicts: list[Verdict], found: list[Estimate], claim: Claim) -> int:
    """Choose the part that decides: one that does not hold, else an undecided one, else the nearest to its edge."""
    for wanted in ("does not", "undecided"):
        if wanted in verdicts:
            return verdicts.index(wanted)
    return min(range(len(found)), key=lambda part: min(found[part].low - claim.low, claim.high - found[part].high))


def _unlearned(contrast: Contrast) -> list[str]:
    """Name the networks of a part that have not learned."""
    return [name for name, accuracies in contrast.networks.items() if accuracies and _mean(accuracies) <= LEARNED]


def _mean(values: BySeed) -> float:
    return sum(values.values()) / len(values)
