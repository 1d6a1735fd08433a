"""Repeats: what several runs of one setting, alike but for their seeds, say together."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from scipy.special import stdtrit

from murk.errors import refuse
from murk.measure import Estimate

__all__ = ["mean_difference", "mean_over_runs", "mean_ratio", "student_mean"]


def mean_over_runs(values: Sequence[float], *, confidence_level: float = 0.95, resolution: float = 0.0) -> Estimate:
    """Estimate the mean of a share (an accuracy) over repeated runs, with Student's t interval.

    mean -+ t s / sqrt(n), with s the standard deviation over the n runs, cut to [0, 1]. It says where the mean over
    ever more runs would lie: over whatever differed between these runs, and over nothing else. Runs that were all
    measured on the same test examples say nothing about other test examples.

    Args:
        values: one share a run, each in [0, 1]; at least 2.
        confidence_level: in (0, 1).
        resolution: step in which a share moves, 1 / (test examples); the interval reaches at least half of it either
            way, so that runs which happen to agree do not look like certainty.

    Raises:
        InputError: fewer than two runs, a share outside [0, 1], or a level out of range.

    Example:
        >>> print(mean_over_runs([0.90, 0.92, 0.94]))
        0.920 (0.870 to 0.970, 95 %)

    Source: Student 1908.
    """
    shares = np.asarray(values, dtype=np.float64)
    refuse([
        _count_fault(shares), _level_fault(confidence_level),
        "" if ((shares >= 0) & (shares <= 1)).all() else f"shares lie in [0, 1], but {list(values)} came",
    ])  # fmt: skip
    mean, half = _student(shares, confidence_level, least_half=resolution / 2)
    return Estimate(
        mean, max(0.0, mean - half), min(1.0, mean + half), confidence_level,
        f"mean of {len(shares)} runs, Student t over the runs",
    )  # fmt: skip


def mean_difference(
    values: Mapping[int, float], others: Mapping[int, float], *, confidence_level: float = 0.95, resolution: float = 0.0
) -> Estimate:
    """Estimate how much one setting's mean lies above another's, run by run of the same seed.

    Mean of the differences -+ t s / sqrt(n), s their standard deviation. Runs of one seed share what the seed draws
    (the images chosen, the votes), which falls out of the difference.

    Args:
        values: one number a seed.
        others: likewise; at least 2 seeds in common, the others are left out.
        confidence_level: in (0, 1).
        resolution: step in which the numbers move; s is at least that, for runs that happen to agree are not certain.

    Raises:
        InputError: fewer than two seeds in common, or a level out of range.

    Example:
        >>> print(mean_difference({0: 0.90, 1: 0.92, 2: 0.94}, {0: 0.80, 1: 0.81, 2: 0.86}))
        0.097 (0.059 to 0.135, 95 %)

    Source: Student 1908.
    """
    common = sorted(values.keys() & others.keys())
    differences = np.array([values[seed] - others[seed] for seed in common])
    refuse([_count_fault(differences), _level_fault(confidence_level)])
    mean, half = _student(differences, confidence_level, least_deviation=resolution)
    method = f"mean difference over {len(common)} seeds, Student t"
    return Estimate(mean, mean - half, mean + half, confidence_level, method)


def mean_ratio(values: Mapping[int, float], others: Mapping[int, float], *, confidence_level: float = 0.95) -> Estimate:
    """Estimate the ratio of one setting's mean to another's, from runs of the same seed.

    The interval holds every r at which the mean of value - r other is within t standard errors of zero (Fieller); where
    the others' mean may be nothing, it has no end.

    Args:
        values: one number a seed.
        others: likewise; at least 2 seeds in common, the others are left out.
        confidence_level: in (0, 1).

    Raises:
        InputError: fewer than two seeds in common, a mean of others that is zero, or a level out of range.

    Example:
        >>> print(mean_ratio({0: 0.1, 1: 0.12, 2: 0.14}, {0: 0.41, 1: 0.39, 2: 0.4}))
        0.300 (0.170 to 0.440, 95 %)

    Source: Fieller 1954.
    """
    common = sorted(values.keys() & others.keys())
    pairs = np.array([(values[seed], others[seed]) for seed in common]).reshape(-1, 2)
    top, bottom = pairs.mean(axis=0) if len(pairs) else (0.0, 0.0)
    refuse([_count_fault(pairs[:, 0]), _level_fault(confidence_level),
            "a ratio to a mean of zero is none" if len(pairs) and bottom == 0 else ""])  # fmt: skip
    reach = float(stdtrit(len(pairs) - 1, (1 + confidence_level) / 2)) ** 2 / len(pairs)
    spread = np.cov(pairs.T) * reach
    a, b, c = bottom**2 - spread[1, 1], top * bottom - spread[0, 1], top**2 - spread[0, 0]
    root = max(b**2 - a * c, 0.0) ** 0.5
    low, high = ((b - root) / a, (b + root) / a) if a > 0 else (-math.inf, math.inf)
    ratio = float(top / bottom)
    method = f"ratio of means over {len(common)} seeds, Fieller with Student t"
    return Estimate(ratio, min(low, ratio), max(high, ratio), confidence_level, method)


def student_mean(values: Sequence[float], *, confidence_level: float = 0.95) -> Estimate:
    """Estimate the mean of any numbers, one a run, with Student's t interval.

    Raises:
        InputError: fewer than two numbers, or a level out of range.

    Example:
        >>> student_mean([1.0, 2.0, 3.0]).value
        2.0

    Source: Student 1908.
    """
    numbers = np.asarray(values, dtype=np.float64)
    refuse([_count_fault(numbers), _level_fault(confidence_level)])
    mean, half = _student(numbers, confidence_level)
    return Estimate(mean, mean - half, mean + half, confidence_level, f"mean of {len(numbers)} runs, Student t")


def _student(
    values: np.ndarray, confidence_level: float, *, least_half: float = 0.0, least_deviation: float = 0.0
) -> tuple[float, float]:
    """Give the mean and the half width of its interval."""
    count = len(values)
    quantile = float(stdtrit(count - 1, (1 + confidence_level) / 2))
    deviation = max(float(values.std(ddof=1)), least_deviation)
    return float(values.mean()), max(quantile * deviation / math.sqrt(count), least_half)


def _count_fault(values: np.ndarray) -> str:
    if values.ndim == 1 and len(values) >= 2:
        return ""
    return f"an interval over runs needs at least 2 of them, but {values.size} came; give more seeds"


def _level_fault(confidence_level: float) -> str:
    return "" if 0 < confidence_level < 1 else f"a confidence level lies in (0, 1), but {confidence_level!r} came"
