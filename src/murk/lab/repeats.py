"""Repeats: what several runs of one setting, alike but for their seeds, say together."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy.special import stdtrit

from murk.errors import refuse
from murk.measure import Estimate

__all__ = ["mean_over_runs"]


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
        "" if shares.ndim == 1 and len(shares) >= 2
        else f"an interval over runs needs at least 2 of them, but {shares.size} came; give more seeds",
        "" if ((shares >= 0) & (shares <= 1)).all() else f"shares lie in [0, 1], but {list(values)} came",
        "" if 0 < confidence_level < 1 else f"a confidence level lies in (0, 1), but {confidence_level!r} came",
    ])  # fmt: skip
    mean, count = float(shares.mean()), len(shares)
    quantile = float(stdtrit(count - 1, (1 + confidence_level) / 2))
    half = max(quantile * float(shares.std(ddof=1)) / math.sqrt(count), resolution / 2)
    return Estimate(
        mean, max(0.0, mean - half), min(1.0, mean + half), confidence_level,
        f"mean of {count} runs, Student t over the runs",
    )  # fmt: skip
