"""By class: how wrong the labels of each class are, and which classes are taken for which others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from murk.measure import Audit, Estimate, LabelErrors, Range
from murk.measure.label_errors import MOST_MATRIX
from murk.measure.shortlist import Shortlist

__all__ = ["FEWEST", "ClassFinding", "Confusion", "by_class", "confusions_of", "within"]

FEWEST = 5  # labels of a class from which anything is said of it
CONFUSIONS = 50
CHANCE = 1.96  # standard deviations by which a range is wider than its assumptions make it


@dataclass(frozen=True)
class ClassFinding:
    """What is found of the examples labelled with one class, and of the class.

    Attributes:
        name: of the class.
        labelled: examples that bear the label.
        flagged: of these, labels that are probably wrong.
        expected_wrong: of these, labels that are wrong as P(error) has it; None where there are too few to say.
        range: the share of wrong ones among them, by two opposite assumptions; None where there are too few to say, or
            more than 200 classes.
        noise_rate: that share from an audit; None without.
        margin: T[j, j] less the largest other entry of the row, of the class as the true one, from an audit: above 0,
            plain training has the right goal. None without.
    """

    name: str
    labelled: int
    flagged: int
    expected_wrong: float | None
    range: Range | None
    noise_rate: Estimate | None
    margin: Estimate | None


@dataclass(frozen=True)
class Confusion:
    """One class labelled as another.

    Attributes:
        true: name of the class that examples are of.
        label: name that they bear.
        expected: examples, as P(error) has it.
        share: of the examples of the true class.
        range: of that share, by two opposite assumptions; None of more than 200 classes.
        audited: that share from an audit; None without.
    """

    true: str
    label: str
    expected: float
    share: float
    range: Range | None
    audited: Estimate | None


def by_class(
    listed: Shortlist, errors: LabelErrors, audit: Audit | None, names: tuple[str, ...], level: float
) -> list[ClassFinding]:
    """Say how wrong the labels of each class are, as far as enough examples bear it."""
    size = listed.num_classes
    labelled = np.bincount(listed.labels, minlength=size)
    flagged = np.bincount(listed.labels[errors.flagged], minlength=size)
    wrong = np.bincount(listed.labels, weights=errors.probability, minlength=size)
    margins = None if audit is None or size > MOST_MATRIX else _margins(audit.transition(confidence_level=level))
    rates = None if audit is None else audit.noise_rate_per_class(confidence_level=level)
    ends = None
    if errors.ends is not None:
        ends = 1 - np.diagonal(errors.ends, axis1=1, axis2=2) / np.maximum(errors.ends.sum(1), 1e-9)
    return [
        ClassFinding(
            name=name, labelled=int(labelled[k]), flagged=int(flagged[k]),
            expected_wrong=float(wrong[k]) if labelled[k] >= FEWEST else None,
            range=None if ends is None or labelled[k] < FEWEST else
            _range(errors, wrong[k] / labelled[k], ends[:, k], labelled[k]),
            noise_rate=None if rates is None or labelled[k] < FEWEST else _entry(rates, k),
            margin=None if margins is None else _entry(margins, k),
        ) for k, name in enumerate(names)
    ]  # fmt: skip


def confusions_of(
    listed: Shortlist, errors: LabelErrors, audit: Audit | None, names: tuple[str, ...], level: float
) -> list[Confusion]:
    """Give the pairs of classes that are most often taken for each other, the most frequent first."""
    size = listed.num_classes
    members = np.bincount(errors.suggested, minlength=size)
    top: list[tuple[float, int, int]] = []
    for j, row in enumerate(errors.transition):  # row by row: [K, K] once more may be too much
        most = np.argsort(-row, kind="stable")[: CONFUSIONS + 1]
        top += [(float(row[k] * members[j]), j, int(k)) for k in most if k != j]
    top = sorted(top, key=lambda each: (-each[0], each[1:]))[:CONFUSIONS]
    ends = None if errors.ends is None else errors.ends / np.maximum(errors.ends.sum(2, keepdims=True), 1e-9)
    audited = None
    if audit is not None and size <= MOST_MATRIX:
        audited = audit.transition(confidence_level=level)
    return [
        Confusion(
            names[j], names[k], expected, float(errors.transition[j, k]),
            None if ends is None else _range(errors, float(errors.transition[j, k]), ends[:, j, k], members[j]),
            None if audited is None else _entry(audited, (j, k)),
        ) for expected, j, k in top
    ]  # fmt: skip


def within(share: Any, ends: np.ndarray, count: Any) -> tuple[np.ndarray, np.ndarray]:
    """Give the ends of ranges of shares: what they are by P(error) and under either assumption, and chance beside.

    Args:
        share: float [...], by P(error).
        ends: float [2, ...], under either assumption.
        count: examples of which it is a share: so many may by chance have another one.
    """
    size = np.maximum(count, 1)
    low, high = np.minimum(share, ends.min(0)).clip(0, 1), np.maximum(share, ends.max(0)).clip(0, 1)

    def chance(at: np.ndarray) -> np.ndarray:
        return np.asarray(CHANCE * np.sqrt(np.maximum(at * (1 - at), 1 / size) / size))

    return np.maximum(low - chance(low), 0), np.minimum(high + chance(high), 1)


def _range(errors: LabelErrors, share: float, ends: np.ndarray, count: float) -> Range:
    low, high = within(share, ends, count)
    return Range(float(low), float(high), f"{errors.rate.assumed}; and the chance of so few examples")


def _margins(transition: Estimate) -> Estimate:
    """Give T[j, j] less the largest other entry of the row, [K], from the ends of its entries: wider than need be."""
    ends = []
    for right, others in (
        (transition.value, transition.value),
        (transition.low, transition.high),
        (transition.high, transition.low),
    ):
        rest = np.array(others)
        np.fill_diagonal(rest, -1)
        ends.append(np.diagonal(right) - rest.max(1))
    value, low, high = ends
    return Estimate(
        value, np.minimum(low, value), np.maximum(high, value), transition.confidence_level, transition.method
    )


def _entry(estimate: Estimate, at: Any) -> Estimate:
    return Estimate(estimate.value[at], estimate.low[at], estimate.high[at], estimate.confidence_level, estimate.method)
