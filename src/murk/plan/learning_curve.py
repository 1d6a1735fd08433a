"""Learning curves: what accuracy more effective clean labels will reach, with bands that hold when extrapolating."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.special import logsumexp

from murk.errors import UndecidedError, refuse
from murk.measure import Estimate
from murk.measure.estimate import level_fault
from murk.measure.predicted import read_array
from murk.noise.draws import seed_fault
from murk.plan.curve_family import FAMILIES
from murk.plan.curve_posterior import Posterior, Seen, drawn

__all__ = ["LearningCurve", "learning_curve"]

FEWEST_SIZES = 3
LEAST_ERROR = 1e-4
FARTHEST = 1000.0  # times the largest size seen, as far as it is asked what a target needs
STEPS = 14  # of halving a range of some fifteen e-folds
METHOD = "families of curves, averaged by how well each extrapolates what was seen"


@dataclass(frozen=True, eq=False)
class LearningCurve:
    """What the accuracies of some trainings tell of others with more labels.

    Attributes:
        weights: of each family of curves, summing to one.
        posteriors: what was seen tells of each.
        seen: the trainings.
        middle: effective clean labels, relative to which sizes are read.
        largest: the most effective clean labels among them.
        confidence_level: of all intervals, in (0, 1).
        seed: of the draws.
    """

    weights: dict[str, float]
    posteriors: tuple[Posterior, ...]
    seen: Seen
    middle: float
    largest: float
    confidence_level: float
    seed: int

    def predict(self, sizes: Any) -> Estimate:
        """Predict the accuracy of a training with so many effective clean labels.

        Args:
            sizes: one number, or float [M], each > 0.

        Returns:
            Of the shape of `sizes`: the median, and an interval for the accuracy of one training, seed and all.

        Raises:
            InputError: sizes that are none.
        """
        asked: np.ndarray = np.asarray(sizes, dtype=np.float64)
        refuse(["" if np.isfinite(asked).all() and (asked > 0).all() else
                f"effective clean labels are > 0, but {sizes!r} came"])  # fmt: skip
        ends = np.array([self._ends(float(np.log(size / self.middle))) for size in np.atleast_1d(asked).ravel()])
        value, low, high = ends.T.reshape(3, *asked.shape)
        return Estimate(value, low, high, self.confidence_level, METHOD)

    @cached_property
    def plateau(self) -> Estimate:
        """The accuracy that labels without end would reach with this model; 1 where the curve falls without end."""
        left = [self.seen.plateau(each.family, each.parameters) for each in self.posteriors]
        return self._estimate(1 - np.concatenate(left))

    def needed(self, target: float) -> Estimate | None:
        """Say how many effective clean labels a target needs; None where a thousand times the largest would not do.

        Returns:
            The number with which half of the trainings reach the target, between those with which few and nearly all
            do; infinite where not even a thousand times the largest size seen would.

        Raises:
            InputError: a target outside (0, 1).
        """
        refuse(["" if 0 < target < 1 else f"a target is an accuracy in (0, 1), but {target!r} came"])
        ends = [self._first(target, which) for which in (2, 0, 1)]  # by the upper end, the median and the lower end
        if not np.isfinite(ends[1]):
            return None
        return Estimate(ends[1], min(ends[0], ends[1]), max(ends[1], ends[2]), self.confidence_level, METHOD)

    def _first(self, target: float, which: int) -> float:
        """Halve towards the least size at which an end of the band reaches the target."""
        low, high = float(self.seen.x.min()) - 3, float(np.log(FARTHEST * self.largest / self.middle))
        if self._ends(high)[which] < target:
            return float("inf")
        for _ in range(STEPS):
            half = (low + high) / 2
            low, high = (low, half) if self._ends(half)[which] >= target else (half, high)
        return float(self.middle * np.exp(high))

    def _ends(self, x: float) -> tuple[float, float, float]:
        rng = np.random.default_rng(self.seed)  # the same draws at every size: a smooth band
        errors = [each.errors_at(self.seen, x, rng) for each in self.posteriors]
        found = self._estimate(1 - np.minimum(np.concatenate(errors), 1))
        return float(found.value), float(found.low), float(found.high)

    def _estimate(self, values: Float[np.ndarray, " S"]) -> Estimate:
        """Give the median and the middle part of what all families drew, each by its weight."""
        weight = np.concatenate([
            np.full(len(each.parameters), self.weights[each.family.name] / len(each.parameters))
            for each in self.posteriors
        ])  # fmt: skip
        order = np.argsort(values)
        share = np.cumsum(weight[order])
        tail = (1 - self.confidence_level) / 2
        low, value, high = (
            float(values[order[min(int(np.searchsorted(share, part)), len(order) - 1)]])
            for part in (tail, 0.5, 1 - tail)
        )
        return Estimate(value, low, high, self.confidence_level, METHOD)


def learning_curve(
    sizes: Any, accuracies: Any, spread: Any = None, *, num_classes: int | None = None, confidence_level: float = 0.9,
    seed: int = 0,
) -> LearningCurve:  # fmt: skip
    """Learn from a few trainings how accuracy grows with effective clean labels.

    The error falls like e = e_inf + a n^-b, or like its rivals: without plateau, exponentially, or with a bend. A
    training's error differs from the curve by a part of it that is its own and falls with n, and the curve from its
    family by a part that grows with the distance in log n; both, like the parameters, are as likely as
    `murk.plan.curve_family` says beforehand and as what was seen leaves them. A family weighs as much as it is likely
    beforehand, times how likely, having seen the three smallest sizes, it made the larger ones: extrapolation,
    cross-validated. Bands are of the average of all.

    Args:
        sizes: float [R], effective clean labels of each training, > 0; at least three different ones.
        accuracies: float [R], as measured; those from noisy votes may lie above 1.
        spread: float [R], the standard deviations of the measurements, or [R, R], their covariance (accuracies
            measured by the same votes err together); None for none.
        num_classes: K, from which the error of guessing follows; None for many.
        confidence_level: of the bands, in (0, 1).
        seed: of the draws.

    Raises:
        InputError: what does not fit together.
        UndecidedError: fewer than three sizes, or trainings no better than guessing.

    Example:
        >>> sizes = np.array([250, 500, 1000, 2000])
        >>> curve = learning_curve(sizes, 1 - 0.02 - 2 * sizes**-0.6, np.full(4, 0.002), num_classes=10)
        >>> told = curve.predict(8000)
        >>> bool(told.low < 1 - 0.02 - 2 * 8000**-0.6 < told.high and told.high - told.low < 0.03)
        True

    Source: Viering and Loog 2021 (families); Caballero et al. 2022, arXiv 2210.14891 (bends); the prior, the weights
        and the wandering are ours, their coverage is measured in `docs/plan.md`.
    """
    size, accuracy = (read_array(each, what=what).astype(np.float64) for each, what in
                      ((sizes, "sizes"), (accuracies, "accuracies")))  # fmt: skip
    runs = len(size) if size.ndim == 1 else 0
    given = np.zeros(runs) if spread is None else np.asarray(spread, dtype=np.float64)
    refuse([
        level_fault(confidence_level), seed_fault(seed),
        "" if runs and accuracy.shape == size.shape and np.isfinite(accuracy).all() and (size > 0).all()
        and np.isfinite(size).all() else
        f"expected sizes > 0 and an accuracy each, but {size.shape} and {accuracy.shape} came, or others",
        "" if given.shape in ((runs,), (runs, runs)) and np.isfinite(given).all() and
        (np.diagonal(given) if given.ndim == 2 else given).min(initial=0) >= 0 else
        f"the spread of {runs} measurements is [R] or [R, R], >= 0, but {given.shape} came, or others",
        "" if num_classes is None or num_classes >= 2 else f"expected at least two classes, but {num_classes!r} came",
    ])  # fmt: skip
    chance = 1.0 if num_classes is None else 1 - 1 / num_classes
    different = np.unique(size)
    if len(different) < FEWEST_SIZES:
        raise UndecidedError(
            f"cannot say: a curve needs trainings of at least {FEWEST_SIZES} different sizes, but {len(different)} came"
        )
    covariance = given if given.ndim == 2 else np.diag(given**2)
    error = 1 - accuracy
    if error[size == different[-1]].mean() > 0.97 * chance:
        raise UndecidedError(
            "cannot say: with the most labels the model is no better than guessing; give it more, or another model"
        )
    middle = float(np.exp(np.log(size).mean()))
    near = np.argsort(np.abs(np.log(size / middle)))[: max(1, runs // 3)]
    blur = float(covariance[np.ix_(near, near)].mean()) ** 0.5  # of their mean: votes can make an error look like none
    there = float(np.clip(error[near].mean(), max(LEAST_ERROR, blur), chance))
    seen = Seen(np.log(size / middle), error, covariance, there, chance)
    rng = np.random.default_rng(seed)
    posteriors = tuple(drawn(family, seen, rng) for family in FAMILIES.values())
    told = np.log([family.likely for family in FAMILIES.values()])
    if len(different) > FEWEST_SIZES:
        first = seen.where(size <= different[FEWEST_SIZES - 1])
        told += [each.log_evidence - drawn(each.family, first, rng).log_evidence for each in posteriors]
    weights = np.exp(told - logsumexp(told))
    return LearningCurve(
        dict(zip(FAMILIES, weights.tolist(), strict=True)), posteriors, seen, middle, float(different[-1]),
        float(confidence_level), seed,
    )  # fmt: skip
