"""Calibration: whether probabilities are what they say, from noisy votes, and one temperature that mends them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp
from scipy.stats import chi2

from murk.errors import InputError, UndecidedError, refuse
from murk.measure.estimate import Estimate, level_fault
from murk.measure.posterior import LEAST_PROBABILITY, votes_fault
from murk.measure.probabilities import read_probs
from murk.measure.vote_accuracy import accuracy_from_votes
from murk.noise import NoiseModel, Votes
from murk.noise.model import evidence_of
from murk.noise.numbers import whole_fault

__all__ = ["Reliability", "calibrating_temperature", "reliability", "tempered"]

LOG_TEMPERATURES = (-3.0, 3.0)  # e^-3 to e^3
STEPS = 40


def tempered(probs: Any, temperature: float) -> Float[np.ndarray, "N K"]:
    """Give softmax(log p / temperature): flatter above 1, sharper below.

    Raises:
        InputError: no probabilities, or a temperature that is not > 0.

    Example:
        >>> tempered([[0.8, 0.2]], 2.0).round(3).tolist()
        [[0.667, 0.333]]
    """
    if not temperature > 0:
        raise InputError(f"a temperature is > 0, but {temperature!r} came")
    scaled = _log_probs(probs) / temperature
    return np.asarray(np.exp(scaled - logsumexp(scaled, axis=1, keepdims=True)))


def calibrating_temperature(probs: Any, votes: Votes, *, noise: NoiseModel, confidence_level: float = 0.95) -> Estimate:
    """Estimate the temperature under which noisy votes are likeliest: the highest sum_i log sum_j q_ij P(votes_i | j).

    Probabilities that are right have temperature 1 at any noise, for the votes' likelihood is proper. The interval is
    the likelihood ratio's.

    Args:
        probs: float [N, K], p(truth given x), of examples not trained on.
        votes: of the same examples.
        noise: known, or found.
        confidence_level: in (0, 1).

    Returns:
        A temperature in [e^-3, e^3], for `tempered`; the whole range where votes tell nothing.

    Raises:
        InputError: what does not fit.

    Example:
        >>> from murk.noise import Channel
        >>> rng = np.random.default_rng(0)
        >>> probs = rng.dirichlet([0.3] * 4, 5000)
        >>> truth = (probs.cumsum(1) > rng.random((5000, 1))).argmax(1)
        >>> noise = Channel.symmetric(0.4, num_classes=4)
        >>> told = calibrating_temperature(tempered(probs, 0.5), noise.draw(truth, seed=0), noise=noise)
        >>> told.low < 2 < told.high
        True

    Source: Guo et al. 2017, arXiv 1706.04599 (one temperature); its likelihood under noise is derived.
    """
    refuse([level_fault(confidence_level)])
    log_probs = _log_probs(probs)
    refuse([votes_fault(votes, log_probs)])
    log_evidence = evidence_of(votes, noise).dense()

    def loss(log_temperature: float) -> float:
        scaled = log_probs / np.exp(log_temperature)
        log_q = scaled - logsumexp(scaled, axis=1, keepdims=True)
        return -float(logsumexp(log_q + log_evidence, axis=1).sum())

    best = minimize_scalar(loss, bounds=LOG_TEMPERATURES, method="bounded", options={"xatol": 1e-4})
    limit = float(best.fun) + float(chi2.ppf(confidence_level, 1)) / 2
    low, high = (_crossing(loss, float(best.x), end, limit) for end in LOG_TEMPERATURES)
    value, low, high = np.exp([float(best.x), low, high])
    return Estimate(value, low, high, confidence_level, "likelihood of the votes; likelihood ratio")


def _crossing(loss: Any, inside: float, outside: float, limit: float) -> float:
    """Find where, from the best towards an end, the loss reaches the limit; the end, if never."""
    if loss(outside) <= limit:
        return outside
    for _ in range(STEPS):
        middle = (inside + outside) / 2
        inside, outside = (middle, outside) if loss(middle) <= limit else (inside, middle)
    return inside


@dataclass(frozen=True, eq=False)
class Reliability:
    """How right predictions are, by how sure they say to be.

    Attributes:
        confidence: float64 [B], the mean of the largest probability in each bin.
        accuracy: [B], from votes; [0, 1] where the votes cannot say.
        examples: int64 [B].
    """

    confidence: Float[np.ndarray, " B"]
    accuracy: Estimate
    examples: Int[np.ndarray, " B"]


def reliability(probs: Any, votes: Votes, *, noise: Any, bins: int = 10, confidence_level: float = 0.95) -> Reliability:
    """Measure accuracy by confidence, in bins of as many examples each, from noisy votes; those without are left out.

    Args:
        probs: float [N, K], of examples not trained on.
        votes: of the same examples.
        noise: as for `accuracy_from_votes`.
        bins: >= 1; fewer, where there are fewer examples.
        confidence_level: of each bin's interval on its own.

    Raises:
        InputError: what does not fit.

    Example:
        >>> from murk.noise import Channel
        >>> rng = np.random.default_rng(0)
        >>> probs = rng.dirichlet([0.3] * 4, 5000)
        >>> truth = (probs.cumsum(1) > rng.random((5000, 1))).argmax(1)
        >>> noise = Channel.symmetric(0.4, num_classes=4)
        >>> told = reliability(probs, noise.draw(truth, seed=0), noise=noise, bins=4)
        >>> bool((told.accuracy.low < told.confidence).all() and (told.confidence < told.accuracy.high).all())
        True
    """
    refuse([level_fault(confidence_level), whole_fault(bins, lowest=1, what="bins")])
    log_probs = _log_probs(probs)
    refuse([votes_fault(votes, log_probs)])
    voted = np.flatnonzero(np.concatenate([batch.lengths > 0 for batch in votes.batches()]))
    if not len(voted):
        raise InputError(f"expected at least one vote, but none of {len(votes)} examples has any")
    log_probs, votes = log_probs[voted], votes.take(voted)
    top = np.exp(log_probs.max(1))
    parts = np.array_split(np.argsort(top, kind="stable"), min(bins, len(top)))
    rows = [_bin(log_probs[part], votes.take(part), noise, confidence_level) for part in parts]
    value, low, high = np.array(rows).T
    return Reliability(
        np.array([top[part].mean() for part in parts]), Estimate(value, low, high, confidence_level, "from votes"),
        np.array([len(part) for part in parts]),
    )  # fmt: skip


def _bin(log_probs: np.ndarray, votes: Votes, noise: Any, confidence_level: float) -> tuple[float, float, float]:
    try:
        found = accuracy_from_votes(log_probs.argmax(1), votes, noise=noise, confidence_level=confidence_level)
    except UndecidedError:
        return 0.5, 0.0, 1.0
    return float(found.value), float(found.low), float(found.high)


def _log_probs(probs: Any) -> Float[np.ndarray, "N K"]:
    return np.asarray(np.log(np.maximum(read_probs(probs), LEAST_PROBABILITY)))
