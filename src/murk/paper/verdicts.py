"""Verdicts: what the runs say of each claim.

A row is judged by the 95 % Student interval of a difference over seeds, paired by seed:

    rule           holds                        does not                       undecided
    above a        it lies above a              it lies below a                otherwise
    within m       it lies inside (-m, m)       it lies outside of [-m, m]     otherwise
    between a, b   it lies inside (a, b)        it lies outside of [a, b]      otherwise

Where a claim has several parts, all must hold, and one that does not is enough against it. Where a number is known only
within bounds - more labels than were run, say - the interval reaches from the low end of that of the least it can be to
the high end of that of the most.

The paper speaks of networks that have learned: that are right in more than 30 %, where guessing is 10 %. What is
compared at one noise level is compared at the highest above 0 at which every network of the claim has learned, way to
train by way to train; levels are tried from the highest down, and one that has not run is not passed over. What is
followed over noise levels is followed over those at which the network has learned. A part that compares one which has
not is undecided, whatever its interval: more training might change the order. Where none of a claim's networks has
learned, the verdict is "nothing learned". With fewer than two seeds, or at a size that leaves the comparison out, a
claim is "not run".

A statement that is false, at its edge, is said to hold in at most 2.5 % of studies, each row by itself and not all of
them together; a true one of k parts, at its edge, is denied in at most k times as many. The noise level is chosen by
what was learned and not by the difference, which this leaves out of account. The interval is over what a seed draws
(images, votes, weights, order), with one set of test images.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from murk.lab import mean_difference
from murk.measure import Estimate
from murk.paper.claims import CLAIMS, Claim
from murk.paper.table import BySeed, Contrast, Table, mean_of

__all__ = ["Judged", "Verdict", "judge"]

Verdict = Literal["holds", "does not", "undecided", "nothing learned", "not run"]


@dataclass(frozen=True)
class Judged:
    """What the runs say of a claim, for one way to train.

    Attributes:
        claim: which.
        series: the way to train.
        verdict: see the table above.
        estimate: the difference, of the part that decides; None where it is not known, or but a bound of it.
        n_seeds: seeds behind it.
        tested: what was compared, with the noise level.
        why: what keeps runs that are there from deciding, besides a wide interval, and the bound where the difference
            has but one; "" where nothing does.
        part: which part of the claim the estimate is of, in words; "" where it has but one.
    """

    claim: Claim
    series: str
    verdict: Verdict
    estimate: Estimate | None
    n_seeds: int
    tested: str
    why: str = ""
    part: str = ""

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
    contrasts, tested = _compared(claim, series, table)
    seeds = min((contrast.common for contrast in contrasts), default=0)
    if seeds < 2:
        return Judged(claim, series, "not run", None, seeds, tested)
    if all(contrast.unlearned == list(contrast.networks) != [] for contrast in contrasts):
        return Judged(claim, series, "nothing learned", None, seeds, tested)
    found = [_estimate(contrast, table.resolution) for contrast in contrasts]
    verdicts = [_verdict(contrast, estimate, claim) for contrast, estimate in zip(contrasts, found, strict=True)]
    at = _deciding(verdicts, found, claim)
    decides, estimate = contrasts[at], found[at]
    shown = None if estimate is None or _bound(estimate) else estimate
    why = _why(decides, estimate, verdicts[at])
    part = decides.name if len(contrasts) > 1 else ""
    return Judged(claim, series, verdicts[at], shown, decides.common, tested, why, part)


def _compared(claim: Claim, series: str, table: Table) -> tuple[list[Contrast], str]:
    """Give the parts of a claim and what is tested: at the highest noise level at which all have learned, if at one."""
    tested = claim.tested.replace("{highest}", f"{max(table.alphas, default=0):g}")
    levels = [alpha for alpha in sorted(table.alphas, reverse=True) if alpha > 0]
    if not claim.at_a_level or not levels:
        return claim.contrasts(table, series, 0), tested
    for alpha in levels:
        contrasts = claim.contrasts(table, series, alpha)
        if min((contrast.common for contrast in contrasts), default=0) < 2:
            return contrasts, f"at alpha {alpha:g}: {tested}"
        if not any(contrast.unlearned for contrast in contrasts):
            return contrasts, f"at alpha {alpha:g}, the highest at which all have learned: {tested}"
    return claim.contrasts(table, series, levels[0]), f"at alpha {levels[0]:g}, as all have learned at none: {tested}"


def _estimate(contrast: Contrast, resolution: float) -> Estimate | None:
    """Estimate a part's difference; None where not even a bound of it is known."""
    step = resolution if contrast.resolution is None else contrast.resolution
    least, most = (
        mean_difference(values, contrast.others, resolution=step) if _is_known(values) else None
        for values in (contrast.values, contrast.values if contrast.most is None else contrast.most)
    )
    known = least or most
    if known is None or least == most:
        return known
    low, high = least.low if least else -math.inf, most.high if most else math.inf
    return Estimate(known.value, low, high, known.confidence_level, f"bounds; {known.method}")


def _is_known(values: BySeed) -> bool:
    return all(math.isfinite(value) for value in values.values())


def _verdict(contrast: Contrast, estimate: Estimate | None, claim: Claim) -> Verdict:
    """Judge one part of a claim."""
    if estimate is None or contrast.unlearned:
        return "undecided"
    if _room(estimate, claim) > 0:
        return "holds"
    return "does not" if estimate.high < claim.low or estimate.low > claim.high else "undecided"


def _room(estimate: Estimate, claim: Claim) -> float:
    """Tell how far an interval lies inside the rule; below 0 where it does not."""
    below = math.inf if claim.low == -math.inf else estimate.low - claim.low
    above = math.inf if claim.high == math.inf else claim.high - estimate.high
    return float(min(below, above))


def _deciding(verdicts: list[Verdict], found: list[Estimate | None], claim: Claim) -> int:
    """Choose the part that decides: one that does not hold, else an undecided one, else the nearest to its edge."""
    for wanted in ("does not", "undecided"):
        if wanted in verdicts:
            return verdicts.index(wanted)
    room = [math.inf if estimate is None else _room(estimate, claim) for estimate in found]
    return room.index(min(room))


def _bound(estimate: Estimate) -> str:
    """Say what is known of a number that has a bound on one side alone; "" where both are known."""
    if estimate.high == math.inf:
        return f"at least {estimate.low:.3g}"
    return f"at most {estimate.high:.3g}" if estimate.low == -math.inf else ""


def _why(contrast: Contrast, estimate: Estimate | None, verdict: Verdict) -> str:
    """Say what keeps a part from deciding, besides a wide interval, and what is known where it is known by halves."""
    unlearned = [f"{name} has not learned ({mean_of(contrast.networks[name]):.0%} right)"
                 for name in contrast.unlearned]  # fmt: skip
    bound = _bound(estimate) if estimate is not None else ""
    beyond = contrast.why if bound or verdict == "undecided" else ""
    return " and ".join(unlearned) or "; ".join(filter(None, (f"{contrast.name} is {bound}" if bound else "", beyond)))
