"""Conformal sets: sets of classes that hold the true one at a wanted rate, calibrated on clean or on noisy labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from murk.errors import InputError, UndecidedError, name_fault, refuse
from murk.measure.estimate import level_fault
from murk.measure.predicted import classes_fault, read_array
from murk.measure.probabilities import read_probs
from murk.measure.vote_reading import Reading, reading_of
from murk.noise.draws import seed_fault, uniforms

__all__ = ["SCORES", "Conformal", "calibrate_conformal"]

SCORES = ("lac", "aps")
ROWS_AT_ONCE = 16_384
MOST_ERROR = 0.5  # standard errors, in parts of 1 - coverage, from which a threshold says nothing


@dataclass(frozen=True)
class Conformal:
    """Thresholds of a score, found on calibration examples.

    Attributes:
        score: "lac", 1 - p_k; or "aps", the probability of the classes before k and a random part of k's own.
        thresholds: float64 [K], of each class; all the same where they hold for all classes together.
        coverage: the wanted rate.
        method: how they were found, in words.
        undecided: classes whose own threshold the labels do not tell: it is infinite, every set holds them.
    """

    score: str
    thresholds: Float[np.ndarray, " K"]
    coverage: float
    method: str
    undecided: tuple[int, ...] = ()

    def sets(self, probs: Any, *, seed: int = 0) -> Bool[np.ndarray, "N K"]:
        """Give the set of each example, bool [N, K]; it can be empty.

        Args:
            probs: float [N, K], of other examples than those of the calibration.
            seed: of the random part of "aps", >= 0; another than the calibration's is as good.

        Raises:
            InputError: probabilities of another number of classes, or that are none.
        """
        table = read_probs(probs)
        if table.shape[1] != len(self.thresholds):
            raise InputError(f"sets need probabilities of {len(self.thresholds)} classes, but {table.shape} came")
        return np.concatenate([
            _scores(table[start : start + ROWS_AT_ONCE], self.score, _parts(seed, "conformal/sets", start, table))
            <= self.thresholds for start in range(0, len(table), ROWS_AT_ONCE)
        ])  # fmt: skip


def calibrate_conformal(
    probs: Any,
    labels: Any,
    *,
    noise: Any = None,
    coverage: float = 0.9,
    score: str = "aps",
    per_class: bool = False,
    seed: int = 0,
) -> Conformal:
    """Find thresholds under which sets {k: score(x, k) <= threshold_k} hold the true class at the wanted rate.

    Without `noise`, the ceil((n + 1) coverage)-th smallest score of the labels as they are. For clean labels the rate
    is then at least `coverage`, in the mean over calibration sets. Noisy labels make it conservative, where their
    scores are stochastically larger than the true classes', as random labels' are: sets are larger than need be.

    With `noise`, a vote v of true class k at T[k, v] and W = T^-1, the share of true classes under a threshold is
    F(t) = 1/n sum_i sum_k W[v_i, k] 1(score(x_i, k) <= t), every class's score being used; the threshold is the
    smallest t from which on F stays at (n + 1)/n times `coverage`. The rate is `coverage` up to the error of F, that of
    an estimated T with it, which `method` tells; it holds in the mean, not for each calibration set.

    Args:
        probs: float [n, K], rows sum to one, of examples that the classifier has not been trained on.
        labels: int [n] in [0, K), one label each.
        noise: None for labels as they are; or what `accuracy_from_votes` takes: a `Channel`, or T estimated.
        coverage: wanted, in (0, 1).
        score: "aps" (adaptive prediction sets, randomised) or "lac" (least ambiguous sets).
        per_class: whether the rate is to hold among the examples of each true class.
        seed: of the random part of "aps", >= 0.

    Returns:
        Thresholds; infinite where the labels are too few for the rate (every set then holds the class).

    Raises:
        InputError: what does not fit.
        UndecidedError: T that hides the rate of all classes together (the standard error of F at the threshold is
            larger than half of 1 - coverage), or whose rows depend on each other.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> probs = rng.dirichlet([0.3] * 4, 4000)
        >>> truth = (probs.cumsum(1) > rng.random((4000, 1))).argmax(1)
        >>> rule = calibrate_conformal(probs[:2000], truth[:2000], coverage=0.9)
        >>> bool(abs(rule.sets(probs[2000:])[np.arange(2000), truth[2000:]].mean() - 0.9) < 0.03)
        True

    Source: Sadinle, Lei and Wasserman 2019 (lac); Romano, Sesia and Candes 2020 (aps); Einbinder et al.,
        arXiv 2209.14295 (noisy labels as they are); Sesia, Wang and Tong, arXiv 2309.05092 (adjusted; their uniform
        correction for finite samples, which makes the rate hold at least, is not made).
    """
    refuse([
        level_fault(coverage).replace("confidence level", "coverage"), name_fault("a score", score, SCORES),
        seed_fault(seed),
    ])  # fmt: skip
    table = read_probs(probs)
    given = read_array(labels, what="labels")
    refuse([classes_fault(given, len(table), table.shape[1], what="labels")])
    given = given.astype(np.int64)
    scores = np.concatenate([
        _scores(table[start : start + ROWS_AT_ONCE], score, _parts(seed, "conformal/calibration", start, table))
        for start in range(0, len(table), ROWS_AT_ONCE)
    ])  # fmt: skip
    kind = "per class" if per_class else "all classes together"
    if noise is None:
        thresholds = _as_they_are(scores, given, coverage, per_class)
        undecided, told = np.flatnonzero(np.isinf(thresholds)), "labels as they are"
    else:
        reading = reading_of(noise, table.shape[1])
        thresholds, errors = _adjusted(scores, given, reading, coverage, per_class)
        undecided = np.flatnonzero(errors > MOST_ERROR * (1 - coverage))
        thresholds[undecided] = np.inf
        told = f"adjusted for noise, {reading.told}; standard error of the rate {errors.max():.2g}"
        if len(undecided) and not per_class:
            raise UndecidedError(
                f"cannot say: with {len(given)} labels of such noise the rate at a threshold is known to "
                f"{errors.max():.2g} (a standard error), too little for a coverage of {coverage:g}; give more labels, "
                f"clean ones{'' if reading.answers is None else ', a surer T'}, or ask for less"
            )
    return Conformal(score, thresholds, float(coverage), f"{score}, {kind}, {told}", tuple(undecided.tolist()))


def _as_they_are(scores: np.ndarray, labels: np.ndarray, coverage: float, per_class: bool) -> np.ndarray:
    own = scores[np.arange(len(labels)), labels]
    if not per_class:
        return np.full(scores.shape[1], _quantile(own, coverage))
    return np.array([_quantile(own[labels == k], coverage) for k in range(scores.shape[1])])


def _quantile(scores: np.ndarray, coverage: float) -> float:
    rank = int(np.ceil((len(scores) + 1) * coverage - 1e-9))
    return float(np.sort(scores)[rank - 1]) if rank <= len(scores) else np.inf


def _adjusted(
    scores: np.ndarray, labels: np.ndarray, reading: Reading, coverage: float, per_class: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Find thresholds [K], and the standard error of the rate at each; infinite where it cannot be told."""
    classes = scores.shape[1]
    weights = reading.inverse[0][labels]  # in the mean one for the true class, zero for the others
    asked = [[k] for k in range(classes)] if per_class else [list(range(classes))]
    found = []
    for columns in asked:
        members = weights[:, columns].sum(1) if per_class else np.ones(len(labels))
        threshold, error = _crossing(scores[:, columns], weights[:, columns], members, coverage)
        if np.isfinite(error):
            # [class whose score it is, true class]: how much more often it is held than wanted
            above = np.zeros((classes, classes))
            above[columns] = ((scores[:, columns] <= threshold) - coverage * per_class).T @ weights / len(labels)
            error = float(np.hypot(error, np.sqrt(reading.variance_of_transition(above)) / members.mean()))
        found.append((threshold, error))
    thresholds, errors = np.array(found if per_class else found * classes).T
    return thresholds, errors


def _crossing(scores: np.ndarray, weights: np.ndarray, members: np.ndarray, coverage: float) -> tuple[float, float]:
    """Give the smallest score from which on sum(weights of scores up to it) >= wanted, and the rate's error there."""
    size, total = len(members), float(members.sum())
    if total < 1:
        return np.inf, np.inf
    order = np.argsort(scores, axis=None, kind="stable")
    share = np.cumsum(weights.ravel()[order]) / total
    stays = np.minimum.accumulate(share[::-1])[::-1] >= coverage * (1 + 1 / total)
    threshold = float(scores.ravel()[order[int(stays.argmax())]]) if stays.any() else np.inf
    residual = np.where(scores <= threshold, weights, 0).sum(1) - coverage * members
    return threshold, float(residual.std() * np.sqrt(size) / total)


def _scores(probs: np.ndarray, score: str, part: np.ndarray) -> Float[np.ndarray, "B K"]:
    if score == "lac":
        return np.asarray(1 - probs)
    order = np.argsort(-probs, axis=1, kind="stable")
    falling = np.take_along_axis(probs, order, axis=1)
    before = np.cumsum(falling, axis=1) - falling
    out = np.empty(probs.shape)
    np.put_along_axis(out, order, before + part[:, None] * falling, axis=1)
    return out


def _parts(seed: int, stream: str, start: int, table: np.ndarray) -> Float[np.ndarray, " B"]:
    """Draw the part of each example's own class that its score takes."""
    rows = np.arange(start, min(start + ROWS_AT_ONCE, len(table)), dtype=np.int64)
    return np.asarray(uniforms(seed, stream, rows, 1)[:, 0], dtype=np.float64)
