"""What seen accuracies tell of a curve: its parameters, drawn by importance, and how likely its family made them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.special import gammaln, logsumexp

from murk.plan.curve_family import Family

__all__ = ["Posterior", "Seen", "drawn"]

DRAWS, WORTH = 4000, 800  # of each round, and how many independent ones they are to be worth
KEPT = 1500  # of the last
ROUNDS, MOST_ROUNDS = 5, 15  # until all of what was seen counts, and at most
OWN_SPREAD = float(np.log(0.07)), 0.6  # of log sigma: trainings differ by some 7 % of their error at the middle size,
OWN_FALL = 0.35, 0.2  # and by a part that falls with labels to this power
WANDERING = float(np.log(0.07)), 0.7  # of log tau: a curve leaves its family by some 7 % an e-fold
FREEDOM = 5.0  # of the t distribution that is drawn from
MOST_LOG = 12.0  # of sigma and tau, so that matrices stay regular
LEAST_VARIANCE = 1e-10


@dataclass(frozen=True)
class Seen:
    """Trainings that have run.

    Attributes:
        x: float [R], log(n / middle).
        error: float [R], 1 - accuracy, as measured; may lie outside [0, 1].
        covariance: float [R, R], of the measurements.
        middle: the error near the middle size, to which curves are relative, > 0.
        chance: the error of guessing.
    """

    x: Float[np.ndarray, " R"]
    error: Float[np.ndarray, " R"]
    covariance: Float[np.ndarray, "R R"]
    middle: float
    chance: float

    def where(self, chosen: np.ndarray) -> Seen:
        """Keep some of them."""
        return Seen(
            self.x[chosen], self.error[chosen], self.covariance[np.ix_(chosen, chosen)], self.middle, self.chance
        )

    def curve(self, family: Family, parameters: np.ndarray, x: np.ndarray) -> np.ndarray:
        """Give the error of a family at x [M], bent at chance: [S, M]."""
        return _bent(self.middle * np.exp(np.clip(family.log_relative(x, parameters), -60, 60)), self.chance)

    def plateau(self, family: Family, parameters: np.ndarray) -> np.ndarray:
        """Give the error that is left with labels without end, [S]."""
        return _bent(self.middle * np.exp(np.clip(family.log_plateau(parameters), -700, 60)), self.chance)


@dataclass(frozen=True)
class Posterior:
    """A family's parameters, as likely as what was seen makes them.

    Attributes:
        family: whose they are.
        parameters: float [S, P].
        sigma: float [S], by which part of its error one training differs from another, at the middle size.
        fall: float [S], with which power of labels that part falls.
        tau: float [S], by which part of itself the curve leaves its family within an e-fold of labels.
        log_evidence: log of how likely the family made what was seen.
        worth: number of draws that these are worth.
    """

    family: Family
    parameters: Float[np.ndarray, "S P"]
    sigma: Float[np.ndarray, " S"]
    fall: Float[np.ndarray, " S"]
    tau: Float[np.ndarray, " S"]
    log_evidence: float
    worth: float

    def errors_at(self, seen: Seen, x: float, rng: np.random.Generator) -> Float[np.ndarray, " S"]:
        """Draw the error of one more training, of its own seed, at x."""
        curve = seen.curve(self.family, self.parameters, np.r_[seen.x, x])
        mean, there = curve[:, :-1], curve[:, -1]
        matrix = _covariance(seen, mean, self.sigma, self.fall, self.tau)
        start = seen.x.min()
        shared = self.tau[:, None] ** 2 * np.maximum(np.minimum(seen.x, x) - start, 0)
        across = there[:, None] * mean * shared
        solved = np.linalg.solve(matrix, np.stack([seen.error - mean, across], axis=2))
        shift = (across * solved[:, :, 0]).sum(1)
        sigma = _own(self.sigma, self.fall, np.array([x]))[:, 0]
        own = there**2 * (self.tau**2 * max(x - start, 0) + sigma**2)
        variance = np.maximum(own - (across * solved[:, :, 1]).sum(1), (there * sigma) ** 2)
        middle = np.maximum(there + shift, 0.05 * there)
        spread = np.log1p(variance / middle**2)
        return np.asarray(middle * np.exp(np.sqrt(spread) * rng.normal(size=len(there)) - spread / 2))


def drawn(family: Family, seen: Seen, rng: np.random.Generator) -> Posterior:
    """Draw parameters from what was likely beforehand, and move to where what was seen is likely, round by round."""
    mean = np.array([*family.mean, OWN_FALL[0], OWN_SPREAD[0], WANDERING[0]])
    spread = np.array([*family.spread, OWN_FALL[1], OWN_SPREAD[1], WANDERING[1]])
    centre, root = mean, np.diag(spread * 1.2)
    for number in range(MOST_ROUNDS):
        power = min(1.0, (1 + number) / ROUNDS)
        sample, log_proposed = _student(centre, root, rng)
        log_prior = -0.5 * (((sample - mean) / spread) ** 2).sum(1) - np.log(spread * np.sqrt(2 * np.pi)).sum()
        log_weight = log_prior + _log_likelihood(family, seen, sample) - log_proposed
        tempered = power * log_weight
        weight = np.exp(tempered - logsumexp(tempered))
        if power == 1 and 1 / float(weight @ weight) > WORTH:
            break
        centre = weight @ sample
        about = (sample - centre) * np.sqrt(weight)[:, None]
        root = np.linalg.cholesky(about.T @ about + 1e-8 * np.eye(len(mean)))
    weight = np.exp(log_weight - logsumexp(log_weight))
    kept = sample[rng.choice(len(sample), KEPT, p=weight)]
    evidence = float(logsumexp(log_weight) - np.log(len(log_weight)))
    sigma, tau = np.exp(np.clip(kept[:, -2:], -MOST_LOG, 1)).T
    return Posterior(family, kept[:, :-3], sigma, kept[:, -3], tau, evidence, 1 / float(weight @ weight))


def _student(centre: np.ndarray, root: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draw from a multivariate t distribution; give draws [S, D] and their log densities [S]."""
    size = len(centre)
    normal = rng.normal(size=(DRAWS, size))
    stretch = np.sqrt(FREEDOM / rng.chisquare(FREEDOM, DRAWS))[:, None]
    away = normal * stretch
    constant = (
        gammaln((FREEDOM + size) / 2) - gammaln(FREEDOM / 2) - size / 2 * np.log(FREEDOM * np.pi)
        - np.log(np.diag(root)).sum()
    )  # fmt: skip
    log_density = constant - (FREEDOM + size) / 2 * np.log1p((away**2).sum(1) / FREEDOM)
    return centre + away @ root.T, log_density


def _log_likelihood(family: Family, seen: Seen, sample: np.ndarray) -> np.ndarray:
    mean = seen.curve(family, sample[:, :-3], seen.x)
    sigma, tau = np.exp(np.clip(sample[:, -2:], -MOST_LOG, 1)).T
    matrix = _covariance(seen, mean, sigma, sample[:, -3], tau)
    root = np.linalg.cholesky(matrix)
    away = np.linalg.solve(root, (seen.error - mean)[:, :, None])[:, :, 0]
    log_root = np.log(np.diagonal(root, axis1=1, axis2=2)).sum(1)
    return np.asarray(-0.5 * (away**2).sum(1) - log_root - len(seen.x) / 2 * np.log(2 * np.pi))


def _covariance(seen: Seen, mean: np.ndarray, sigma: np.ndarray, fall: np.ndarray, tau: np.ndarray) -> np.ndarray:
    """Give the covariance [S, R, R] of what is seen: measurement, each training's own, and the curve's wandering."""
    start = seen.x.min()
    together = np.minimum.outer(seen.x, seen.x) - start
    own = _own(sigma, fall, seen.x)
    relative = tau[:, None, None] ** 2 * together + own[:, :, None] ** 2 * np.eye(len(seen.x))
    return np.asarray(
        mean[:, :, None] * mean[:, None, :] * relative + seen.covariance + LEAST_VARIANCE * np.eye(len(seen.x))
    )


def _own(sigma: np.ndarray, fall: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Give the part of their error by which trainings differ, [S, M]; at most all of it."""
    return np.asarray(np.exp(np.minimum(np.log(sigma)[:, None] - fall[:, None] * x, 0)))


def _bent(error: np.ndarray, chance: float) -> np.ndarray:
    return np.asarray(error / np.sqrt(1 + (error / chance) ** 2))
