"""Audits: a few labels looked at by someone who knows, and what they tell of all the others."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from scipy.optimize import minimize
from scipy.special import betaincinv

from murk.errors import InputError, refuse
from murk.measure.calibration import Reliability
from murk.measure.estimate import Estimate, level_fault
from murk.measure.predicted import classes_fault, read_array
from murk.measure.stratified import stratified_share
from murk.noise.draws import permutation, seed_fault
from murk.noise.numbers import class_count_fault, whole_fault

__all__ = ["CUTS", "Audit", "audit_sample", "strata_of"]

CUTS = (0.02, 0.1, 0.5, 0.9)  # P(error) between strata
LEAST_OF_STRATUM = 5  # examples drawn of each, where it has so many
LEAST_VARIANCE = 0.02  # of an error, however sure P(error) is
LEAST_CHANCE = 1e-6
SHIFT, LOG_SLOPE = 2.0, 0.7  # deviations of what calibration is drawn towards


def strata_of(probability: Any) -> Int[np.ndarray, " N"]:
    """Give the stratum of each example by its P(the label is wrong): below .02, .1, .5, .9, or above.

    Raises:
        InputError: probabilities that are none.
    """
    chance = read_array(probability, what="P(error)")
    if chance.ndim != 1 or chance.dtype.kind != "f" or not ((chance >= 0) & (chance <= 1)).all():
        raise InputError(f"P(error) is floats [N] in [0, 1], but {chance.dtype} of shape {chance.shape} came")
    return np.asarray(np.digitize(chance, CUTS), dtype=np.int8)


def audit_sample(probability: Any, size: int, *, seed: int, audited: Any = ()) -> Int[np.ndarray, " n"]:
    """Draw the examples whose labels to check, so that the noise rate becomes as certain as so many answers make it.

    From each stratum of P(error) at random, in proportion to N_h sqrt(p_h (1 - p_h)), the standard deviation of its
    errors: where labels are surely right, or surely wrong, fewer are drawn. The order is random, too: whoever stops
    early has a smaller sample of the same kind.

    Args:
        probability: float [N] in [0, 1], P(the label is wrong), as `find_label_errors` gives it.
        size: examples to draw, >= 1; all that are left, if there are fewer.
        seed: of the draw, >= 0.
        audited: int [n], examples checked before; none of them is drawn again.

    Returns:
        Positions of examples, int64 [size].

    Raises:
        InputError: a size that is none, probabilities that are none, or positions out of range.

    Example:
        >>> import numpy as np
        >>> chance = np.r_[np.full(900, 0.01), np.full(100, 0.5)]
        >>> chosen = audit_sample(chance, 50, seed=0)
        >>> len(chosen), int((chosen >= 900).sum())
        (50, 14)
    """
    refuse([whole_fault(size, lowest=1, what="the size of an audit"), seed_fault(seed)])
    strata, chance = strata_of(probability), read_array(probability, what="P(error)").astype(np.float64)
    left = np.ones(len(strata), np.bool_)
    left[_positions(audited, len(strata))] = False
    sizes = np.bincount(strata[left], minlength=len(CUTS) + 1)
    mean = np.bincount(strata[left], weights=chance[left], minlength=len(sizes)) / np.maximum(sizes, 1)
    shares = sizes * np.sqrt(np.maximum(mean * (1 - mean), LEAST_VARIANCE))
    counts = _allotted(shares, sizes, min(size, int(sizes.sum())))
    order = permutation(seed, "audit", len(strata))
    order = order[left[order]]
    drawn = np.concatenate([order[strata[order] == h][:count] for h, count in enumerate(counts)])
    return np.asarray(drawn[permutation(seed, "audit/order", len(drawn))])


def _allotted(shares: np.ndarray, sizes: np.ndarray, total: int) -> np.ndarray:
    """Divide a sample among strata: least of each first, the rest one by one to the one that lacks most."""
    counts = np.minimum(sizes, LEAST_OF_STRATUM)
    while counts.sum() > total:
        counts[counts.argmax()] -= 1
    for _ in range(total - int(counts.sum())):
        lack = np.where(counts < sizes, shares / np.maximum(shares.sum(), 1e-300) * total - counts, -np.inf)
        counts[lack.argmax()] += 1
    return np.asarray(counts)


@dataclass(frozen=True, eq=False)
class Audit:
    """Labels that were checked, among N, and the strata from which they were drawn.

    What it tells is of these N examples, not of a population they came from. It holds for samples that `audit_sample`
    drew from this P(error), and for those drawn simply at random: within a stratum each example must have been as
    likely to be checked as any other. Examples picked for being suspicious are no such sample.

    Args:
        labels: int [N] in [0, K), the labels given.
        probability: float [N], P(error), from which `audit_sample` drew, or any that was there before the answers.
        indices: int [n], the examples checked, each once.
        truth: int [n] in [0, K), their true classes.
        num_classes: K.

    Raises:
        InputError: no answers, positions or classes out of range, an example checked twice, lengths that differ.

    Example:
        >>> import numpy as np
        >>> labels, chance = np.zeros(1000, int), np.r_[np.full(900, 0.01), np.full(100, 0.5)]
        >>> checked = audit_sample(chance, 60, seed=1)
        >>> truth = (checked >= 930).astype(int)  # in truth 70 of 1,000 labels are wrong
        >>> print(Audit(labels, chance, checked, truth, num_classes=2).noise_rate())
        0.088 (0.066 to 0.161, 95 %)
    """

    labels: Any
    probability: Any
    indices: Any
    truth: Any
    num_classes: int
    strata: Int[np.ndarray, " N"] = field(init=False)

    def __post_init__(self) -> None:
        """Read what was given, and check it."""
        strata = strata_of(self.probability)
        labels, truth = read_array(self.labels, what="labels"), read_array(self.truth, what="true classes")
        where = _positions(self.indices, len(strata))
        refuse([class_count_fault(self.num_classes)])
        refuse([
            classes_fault(labels, len(strata), self.num_classes, what="labels"),
            classes_fault(truth, len(where), self.num_classes, what="true classes"),
            "" if len(where) else "expected at least one checked label, but none came",
        ])  # fmt: skip
        for name, value in (("labels", labels), ("truth", truth), ("indices", where), ("strata", strata)):
            object.__setattr__(self, name, value)

    @property
    def wrong(self) -> np.ndarray:
        """Which of the checked labels are wrong, bool [n]."""
        return np.asarray(self.labels[self.indices] != self.truth)

    def noise_rate(self, *, confidence_level: float = 0.95) -> Estimate:
        """Estimate the share of wrong labels among all N, by strata (`murk.measure.stratified_share`).

        The interval covers at its level where P(error) is poor, too: that makes it wide, not wrong.
        """
        return self.share(self.wrong, expected=self._mean_chances, confidence_level=confidence_level)

    def noise_rate_per_class(self, *, confidence_level: float = 0.95) -> Estimate:
        """Estimate the share of wrong labels among the examples labelled with each class, [K].

        A class of which nobody is labelled has the interval [0, 1], as has one of which nothing was checked. Of strata
        of a class of which nothing was checked the estimate takes the mean P(error), and the interval leaves all open.
        """
        return self.share_by_group(
            self.labels, self.wrong, self.num_classes, expected=self.probability, confidence_level=confidence_level
        )

    def share_by_group(
        self, groups: Any, hit: Any, num_groups: int, *, expected: Any = None, confidence_level: float = 0.95
    ) -> Estimate:
        """Estimate the share of anything within groups of the N, [G], from which of the checked examples have it.

        Args:
            groups: int [N] in [0, G), settled before anything was checked.
            hit: bool [n], of each example checked, in their order.
            num_groups: G.
            expected: float [N] in [0, 1], what the estimate (not the interval) takes where nothing was checked; None
                for .5.
            confidence_level: of each interval on its own.

        Raises:
            InputError: groups that are none, or another number of answers.
        """
        group, hits = read_array(groups, what="groups"), self._answered(hit)
        refuse([classes_fault(group, len(self.labels), num_groups, what="groups")])
        count = len(CUTS) + 1
        cell = group.astype(np.int64) * count + self.strata
        checked = cell[self.indices]

        def counted(cells: np.ndarray, weights: Any = None) -> np.ndarray:
            return np.bincount(cells, weights=weights, minlength=num_groups * count).reshape(num_groups, count)

        sizes = counted(cell)
        sizes[sizes.sum(1) == 0, 0] = 1
        guess: Any = 0.5
        if expected is not None:
            guess = np.clip(counted(cell, np.asarray(expected, dtype=np.float64)) / np.maximum(sizes, 1), 0, 1)
        return stratified_share(
            counted(checked[hits]), counted(checked), sizes, expected=guess, confidence_level=confidence_level
        )

    def share(self, hit: Any, *, expected: Any = 0.5, confidence_level: float = 0.95) -> Estimate:
        """Estimate the share of anything among all N, from which of the checked examples have it.

        Args:
            hit: bool [n], of each example checked, in their order.
            expected: in [0, 1], or [5] of the strata: the share that is taken where a stratum has no answer.
            confidence_level: in (0, 1).

        Raises:
            InputError: another number of answers.
        """
        hits = self._answered(hit)
        strata, count = self.strata[self.indices], len(CUTS) + 1
        return stratified_share(
            np.bincount(strata[hits], minlength=count), np.bincount(strata, minlength=count),
            np.bincount(self.strata, minlength=count), expected=expected, confidence_level=confidence_level,
        )  # fmt: skip

    def _answered(self, hit: Any) -> np.ndarray:
        hits = np.asarray(hit, dtype=np.bool_)
        if hits.shape != self.truth.shape:
            raise InputError(
                f"expected yes or no for each of {len(self.truth)} checked examples, but {hits.shape} came"
            )
        return hits

    @property
    def _mean_chances(self) -> np.ndarray:
        """The mean P(error) of each stratum, [5]; 0 of an empty one."""
        sizes = np.bincount(self.strata, minlength=len(CUTS) + 1)
        chance = np.asarray(self.probability, dtype=np.float64)
        return np.bincount(self.strata, weights=chance, minlength=len(sizes)) / np.maximum(sizes, 1)

    def reliability(self, *, confidence_level: float = 0.95) -> Reliability:
        """Say how often labels of each stratum are wrong, beside the mean of their P(error).

        Returns:
            `confidence` is the mean P(error), `accuracy` how often "this label is wrong" is right; strata without
            examples are left out.
        """
        sizes = np.bincount(self.strata, minlength=len(CUTS) + 1)
        there = np.flatnonzero(sizes)
        at = self.strata[self.indices]
        hits, trials = (np.bincount(part, minlength=len(sizes))[there] for part in (at[self.wrong], at))
        found = stratified_share(
            hits[:, None], trials[:, None], sizes[there][:, None], confidence_level=confidence_level
        )
        return Reliability(self._mean_chances[there], found, sizes[there])

    def calibrated(self) -> Float[np.ndarray, " N"]:
        """Mend P(error) of all N by the labels that were checked: logit p becomes a + b logit p, b > 0.

        The likeliest a and b for the checked labels, each counting for as many as it stands for, drawn towards a = 0,
        b = 1 as if a were normal with deviation 2 and log b with .7: a few answers change little.

        Source: Platt 1999.
        """
        chance = np.clip(np.asarray(self.probability, dtype=np.float64), LEAST_CHANCE, 1 - LEAST_CHANCE)
        logits = np.log(chance) - np.log1p(-chance)
        sizes = np.bincount(self.strata, minlength=len(CUTS) + 1)
        at = self.strata[self.indices]
        weight = (sizes / np.maximum(np.bincount(at, minlength=len(sizes)), 1))[at]
        weight, own, wrong = weight * len(at) / weight.sum(), logits[self.indices], self.wrong

        def loss(parameters: np.ndarray) -> float:
            shift, log_slope = parameters
            moved = shift + np.exp(log_slope) * own
            fitted = weight @ (np.logaddexp(0, moved) - wrong * moved)
            return float(fitted + shift**2 / (2 * SHIFT**2) + log_slope**2 / (2 * LOG_SLOPE**2))

        shift, log_slope = minimize(loss, np.zeros(2), method="Nelder-Mead", options={"xatol": 1e-4, "fatol": 1e-6}).x
        return np.asarray(1 / (1 + np.exp(-(shift + np.exp(log_slope) * logits))))

    def transition(self, *, confidence_level: float = 0.95) -> Estimate:
        """Estimate T[true, label] among all N, [K, K], from the checked labels alone.

        Checked examples count by how many of their stratum each stands for; the interval is the exact binomial one of
        as many answers as they are worth, (sum w)^2 / sum w^2. A true class that nothing checked has the interval
        [0, 1]. Each entry holds on its own.

        Source: Korn and Graubard 1998.
        """
        strata, classes = self.strata[self.indices], self.num_classes
        sizes = np.bincount(self.strata, minlength=len(CUTS) + 1)
        weight = (sizes / np.maximum(np.bincount(strata, minlength=len(CUTS) + 1), 1))[strata]
        cells = np.zeros((classes, classes))
        np.add.at(cells, (self.truth, self.labels[self.indices]), weight)
        squares = np.bincount(self.truth, weights=weight**2, minlength=classes)
        row = cells.sum(1)
        worth = (row**2 / np.where(squares > 0, squares, 1))[:, None]
        share = np.where(row[:, None] > 0, cells / np.where(row > 0, row, 1)[:, None], 1 / classes)
        low, high = _exact(share, worth, confidence_level)
        return Estimate(share, low, high, confidence_level, "exact binomial of the answers' worth (Korn and Graubard)")


def _exact(share: np.ndarray, worth: np.ndarray, confidence_level: float) -> tuple[np.ndarray, np.ndarray]:
    """Give the exact binomial interval of shares of `worth` answers, which need not be whole."""
    refuse([level_fault(confidence_level)])
    tail = (1 - confidence_level) / 2
    hits = share * worth
    misses = worth - hits
    low = np.where(hits > 1e-9, betaincinv(np.maximum(hits, 1e-9), misses + 1, tail), 0.0)
    high = np.where(misses > 1e-9, betaincinv(hits + 1, np.maximum(misses, 1e-9), 1 - tail), 1.0)
    return np.minimum(low, share), np.maximum(high, share)


def _positions(indices: Any, size: int) -> Int[np.ndarray, " n"]:
    where = np.asarray(read_array(indices, what="positions"))
    if not where.size:
        return np.zeros(0, np.int64)
    if where.ndim != 1 or where.dtype.kind not in "iu" or where.min() < 0 or where.max() >= size:
        raise InputError(f"positions of examples are integers in [0, {size}), but others came, or not as a list")
    if len(np.unique(where)) < len(where):
        raise InputError("each example is checked once, but one came twice; keep one answer of each")
    return where.astype(np.int64)
