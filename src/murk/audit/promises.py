"""Promises: what is commonly taken for granted of noisy labels, held against those that were checked."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from murk.audit.findings import Findings
from murk.measure import Estimate

__all__ = ["HOLDS", "NOT", "UNKNOWN", "Promise", "promises"]

HOLDS, NOT, UNKNOWN = "holds", "does not hold", "cannot say"
COVERAGE = 0.9
NEAR = 0.02  # two numbers that are no further apart are the same


@dataclass(frozen=True)
class Promise:
    """Something that people rely on.

    Attributes:
        name: what is promised, in words.
        verdict: `HOLDS`, `NOT` or `UNKNOWN`: the interval is on the one side, on the other, or on both.
        because: what speaks for it.
        estimate: the number that decides; None where nothing was checked.
    """

    name: str
    verdict: str
    because: str
    estimate: Estimate | None


def promises(found: Findings) -> tuple[Promise, ...]:
    """Judge the promises of these labels: of plain training, of a score, of P(error), of conformal sets.

    Each verdict rests on an interval of its own, at the audit's level: of twenty that hold, about one may be said not
    to, where nothing but chance speaks. Two numbers are the same where they are within two points of each other.

    Args:
        found: an audit; without checked labels nothing can be said.

    Example:
        >>> from murk.audit import audit_labels
        >>> labels = np.arange(300) % 3
        >>> probs = np.where(np.eye(3)[labels] > 0, 0.9, 0.05)
        >>> found = audit_labels(labels, probs, checked=(np.arange(100), labels[:100]))
        >>> [promise.verdict for promise in promises(found)]
        ['holds', 'cannot say', 'cannot say', 'holds']
    """
    return (_plain_training(found), _score(found), _chances(found), _sets(found))


def _plain_training(found: Findings) -> Promise:
    name = "Plain training has the right goal: of every class, the right label is the most frequent."
    margins = [(each.name, each.margin) for each in found.classes if each.margin is not None]
    if not margins:
        return Promise(name, UNKNOWN, "no label was checked, or there are too many classes", None)
    least = min((margin for _, margin in margins), key=lambda margin: float(margin.low))
    weak = [name for name, margin in margins if margin.high < 0]
    if weak:
        worst = min((margin for _, margin in margins), key=lambda margin: float(margin.high))
        return Promise(name, NOT, f"a wrong label is more frequent in {', '.join(weak[:5])}", worst)
    verdict = HOLDS if least.low > 0 else UNKNOWN
    return Promise(name, verdict, "the least margin of a class, right label less most frequent wrong one", least)


def _score(found: Findings) -> Promise:
    agree = float((found.predicted == found.labels).mean())
    name = f"Accuracy measured on these labels ({agree:.1%}) is the accuracy, within {NEAR:.0%}."
    return Promise(name, *_near(found.accuracy, agree, "accuracy by checked labels"), found.accuracy)


def _chances(found: Findings) -> Promise:
    mean = float(found.errors.probability.mean())
    name = f"P(error) adds up ({mean:.1%}) to the share of wrong labels, within {NEAR:.0%}."
    told = _near(found.noise_rate, mean, "share of wrong labels by checked ones")
    return Promise(name, *told, found.noise_rate)


def _near(estimate: Estimate | None, promised: float, because: str) -> tuple[str, str]:
    """Judge whether a number is the promised one."""
    if estimate is None:
        return UNKNOWN, "no label was checked"
    if estimate.low > promised + NEAR or estimate.high < promised - NEAR:
        return NOT, because
    near = promised - NEAR <= estimate.low and estimate.high <= promised + NEAR
    return (HOLDS, because) if near else (UNKNOWN, f"{because}: too few were checked")


def _sets(found: Findings) -> Promise:
    """Sets of the classes with at least the probability that nine in ten labels have."""
    cut = float(np.quantile(found.own, 1 - COVERAGE, method="lower"))
    name = (
        f"Sets that hold {COVERAGE:.0%} of these labels (all classes with a probability of {cut:.3g} or more) hold the "
        f"true class as often."
    )
    if found.audit is None or found.noise_rate is None:
        return Promise(name, UNKNOWN, "no label was checked", None)
    listed = found.listed.rows(found.audit.indices)
    if (listed.most_unlisted >= cut).any():
        return Promise(
            name, UNKNOWN, f"such sets have more than the {listed.probs.shape[1]} classes that were kept", None
        )
    held = ((listed.classes == found.audit.truth[:, None]) & (listed.probs >= cut)).any(1)
    rate = found.audit.share(held, confidence_level=found.noise_rate.confidence_level)
    size = (found.listed.probs >= cut).sum(1).mean()
    more = "at least " if (found.listed.most_unlisted >= cut).any() else ""
    verdict = HOLDS if rate.low >= COVERAGE else NOT if rate.high < COVERAGE else UNKNOWN
    return Promise(name, verdict, f"how often they do by checked labels; {more}{size:.2f} classes in a set", rate)
