"""Instance-dependent noise: how labels go wrong depends on the example itself, not on its class alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy import stats
from scipy.optimize import brentq
from scipy.special import log_softmax

from murk.errors import InputError, refuse
from murk.noise.channel import Channel
from murk.noise.draws import seed_fault, stream_key, words
from murk.noise.evidence import Evidence, labels_fault
from murk.noise.numbers import chance_fault, class_count_fault, whole_fault
from murk.noise.pattern import Matrix, checked_rows
from murk.noise.votes import DrawnVotes, VoteBatch

__all__ = ["Instance", "InstanceRate", "instance_from_features", "instance_from_probs"]

SPREAD = 0.1  # standard deviation of the rates of single examples around the rate asked for
SCALE = (1e-6, 1e6)
FARTHEST = 20.0  # deviations beyond [0, 1] that the centre of the rates may lie
AT_ONCE = 4096


@dataclass(frozen=True, eq=False)
class Instance:
    """Votes of N given examples, each drawn from a row of its own.

    What one vote says of the class cannot be known from it: T(x) differs from example to example, and only the row of
    the true class is kept. `transition` is the mean over the examples of each class, and `log_evidence` weighs by that,
    which is the best that a model with one T can do, and is not the likelihood.

    Args:
        rows: float [N, K], P(a vote says k) of each example; rows sum to one.
        labels: int [N], the true classes.
        votes_per_example: >= 1.

    Raises:
        InputError: rows that do not sum to one, labels out of range, or of another number.

    Example:
        >>> noise = Instance([[0.9, 0.1], [0.3, 0.7], [0.5, 0.5]], [0, 1, 1])
        >>> noise.transition.matrix().tolist()
        [[0.9, 0.1], [0.4, 0.6]]

    Source: Xia et al. 2020, arXiv 2006.07836 (the setting).
    """

    rows: Any
    labels: Any
    votes_per_example: int = 1

    def __post_init__(self) -> None:
        """Read the rows, and average them over each class."""
        rows, labels = checked_rows(self.rows), np.asarray(self.labels)
        refuse([
            class_count_fault(rows.shape[1]) or labels_fault(labels, rows.shape[1]), _number_fault(rows, labels),
            whole_fault(self.votes_per_example, lowest=1, what="votes_per_example"),
        ])  # fmt: skip
        rows.setflags(write=False)
        object.__setattr__(self, "rows", rows)
        object.__setattr__(self, "labels", labels.astype(np.int64))
        counts = np.bincount(self.labels, minlength=self.num_classes)
        mean = np.eye(self.num_classes)  # of a class that nobody has
        for k in np.flatnonzero(counts):
            mean[k] = rows[self.labels == k].mean(0)
        object.__setattr__(self, "_mean", Matrix(mean))
        reached = np.cumsum(rows, axis=1)
        reached[:, -1] = 1.0
        object.__setattr__(self, "_reached", reached)

    @property
    def transition(self) -> Matrix:
        """T of a vote on an example taken at random from each class; of a class without examples the identity."""
        mean: Matrix = self._mean  # type: ignore[attr-defined]
        return mean

    @property
    def num_classes(self) -> int:
        """K."""
        return int(self.rows.shape[1])

    def draw(self, labels: Any, *, seed: int) -> DrawnVotes:
        """Draw votes; virtual, nothing is stored. The labels must be those of the examples that the rows are of.

        Raises:
            InputError: other labels, or a seed out of range.
        """
        labels = np.asarray(labels)
        refuse([
            seed_fault(seed),
            "" if np.array_equal(labels, self.labels) else
            "instance noise draws votes for its own examples alone, but other labels came; make it of those",
        ])  # fmt: skip
        reached: np.ndarray = self._reached  # type: ignore[attr-defined]
        count = self.votes_per_example

        def votes_of(indices: np.ndarray) -> tuple[np.ndarray, None]:
            uniform = (words(seed, "votes", indices, count) + 0.5) * 2.0**-32
            return (uniform[:, :, None] >= reached[indices][:, None, :]).sum(2), None

        return DrawnVotes(
            len(labels), num_classes=self.num_classes, votes_per_example=count, draw=votes_of,
            numbers_per_example=count * self.num_classes,
        )  # fmt: skip

    def log_evidence(self, votes: VoteBatch) -> Evidence:
        """Weigh votes by `transition`, as if they depended on the class alone."""
        return Channel(self.transition).log_evidence(votes)


@dataclass(frozen=True)
class InstanceRate:
    """Instance-dependent noise that is yet to meet its examples: `of(images, labels, seed=...)` makes it.

    Args:
        rate: mean noise rate, in [0, 1).
        num_classes: K >= 2.

    Raises:
        InputError: a rate or number of classes out of range.
    """

    rate: float
    num_classes: int

    def __post_init__(self) -> None:
        """Check the rate."""
        refuse([class_count_fault(self.num_classes), _rate_fault(self.rate)])

    def of(self, images: Any, labels: Any, *, seed: int) -> Instance:
        """Make the noise of these examples, by `instance_from_features`."""
        return instance_from_features(images, labels, self.rate, num_classes=self.num_classes, seed=seed)


def instance_from_features(
    images: Any, labels: Any, rate: float, *, num_classes: int, spread: float = SPREAD, seed: int
) -> Instance:
    """Make noise whose rate and direction depend on the features of an example.

    Each example flips at a rate of its own, from a normal distribution cut to [0, 1] whose mean is `rate`. Where to is
    the softmax over the other classes of x W_y, with W_y [D, K] standard normal for each true class and the features of
    x standardised: similar examples of a class go wrong alike.

    Args:
        images: numbers [N, ...], read as features [N, D] in pieces: an array, or a memory map.
        labels: int [N], the true classes.
        rate: mean noise rate, in [0, 1).
        num_classes: K >= 2.
        spread: deviation of the examples' rates before they are cut, >= 0. Within a twentieth of it from 0 or 1 a mean
            is not to be had by cutting: all examples then flip at `rate`.
        seed: integer >= 0.

    Raises:
        InputError: a value out of range, or labels of another number.

    Example:
        >>> images, labels = np.random.default_rng(0).normal(size=(500, 6)), np.arange(500) % 3
        >>> noise = instance_from_features(images, labels, 0.4, num_classes=3, seed=0)
        >>> round(float(1 - noise.rows[np.arange(500), labels].mean()), 2)
        0.4

    Source: Xia et al. 2020, arXiv 2006.07836, algorithm 2.
    """
    labels = np.asarray(labels)
    refuse([
        class_count_fault(num_classes) or labels_fault(labels, num_classes), _rate_fault(rate), seed_fault(seed),
        _number_fault(images, labels), "" if spread >= 0 else f"a spread is >= 0, but {spread} came",
    ])  # fmt: skip
    rng = np.random.default_rng(stream_key(seed, "noise/instance"))
    rates = _rates(rng.random(len(labels)), rate, spread)
    mean, deviation = _moments(images)
    directions = rng.standard_normal((num_classes, len(mean), num_classes))
    logits = np.empty((len(labels), num_classes))
    for part in _parts(images):
        x = (_features(images, part) - mean) / np.where(deviation > 0, deviation, 1.0)
        for k in np.unique(labels[part]):
            own = np.flatnonzero(labels[part] == k)
            logits[part.start + own] = x[own] @ directions[k]
    return Instance(_flipped(logits, labels, rates), labels)


def _rates(uniforms: np.ndarray, rate: float, spread: float) -> Float[np.ndarray, " N"]:
    """Give each example a rate: normal, cut to [0, 1], of this mean; without spread the mean itself."""
    if not spread or not rate:
        return np.full(len(uniforms), float(rate))

    def cut(centre: float) -> Any:
        return stats.truncnorm(-centre / spread, (1 - centre) / spread, centre, spread)

    reach = FARTHEST * spread  # beyond it all is at one end
    if not cut(-reach).mean() < rate < cut(1 + reach).mean():
        return np.full(len(uniforms), float(rate))
    centre = brentq(lambda at: float(cut(at).mean()) - rate, -reach, 1 + reach)
    return np.asarray(cut(centre).ppf(uniforms))


def _moments(images: Any) -> tuple[np.ndarray, np.ndarray]:
    """Give mean and deviation [D] of each feature, or refuse features that are not finite."""
    total = square = np.zeros(int(np.prod(images.shape[1:])) if hasattr(images, "shape") else len(np.ravel(images[0])))
    for part in _parts(images):
        x = _features(images, part)
        if not np.isfinite(x).all():
            raise InputError("features are finite, but NaN or infinity came")
        total, square = total + x.sum(0), square + (x**2).sum(0)
    mean = total / max(len(images), 1)
    return mean, np.sqrt(np.maximum(square / max(len(images), 1) - mean**2, 0))


def _parts(images: Any) -> list[slice]:
    return [slice(at, min(at + AT_ONCE, len(images))) for at in range(0, len(images), AT_ONCE)]


def _features(images: Any, part: slice) -> Float[np.ndarray, "B D"]:
    x = np.asarray(images[part], dtype=np.float64)
    return x.reshape(len(x), -1)


def instance_from_probs(probs: Any, labels: Any, rate: float) -> Instance:
    """Make noise from what a trained network confuses: hard examples go wrong more often, and the way they look.

    An example flips at the rate min(1, s (1 - p_y)), with s such that the mean over examples is `rate`, to another
    class in proportion to its probability.

    Args:
        probs: float [N, K], what a network says of the examples (of a weak one, or out of fold: a network that knows
            them by heart confuses nothing).
        labels: int [N], the true classes.
        rate: mean noise rate, in [0, 1).

    Raises:
        InputError: a value out of range, or probabilities too sure for the rate.

    Example:
        >>> noise = instance_from_probs([[0.9, 0.1], [0.4, 0.6], [0.5, 0.5], [1.0, 0.0]], [0, 1, 0, 0], 0.25)
        >>> noise.rows.round(2).tolist()
        [[0.9, 0.1], [0.4, 0.6], [0.5, 0.5], [1.0, 0.0]]
    """
    probs, labels = checked_rows(probs), np.asarray(labels)
    refuse([labels_fault(labels, probs.shape[1]), _rate_fault(rate), _number_fault(probs, labels)])
    doubt = 1 - probs[np.arange(len(probs)), labels]

    def excess(log_scale: float) -> float:
        return float(np.minimum(1.0, np.exp(log_scale) * doubt).mean() - rate)

    low, high = (float(end) for end in np.log(SCALE))
    if rate and excess(high) < 0:
        raise InputError(
            f"no more than {(doubt > 0).mean():.0%} of the examples are in doubt, too few for a rate of {rate:g}; "
            "take the probabilities of a weaker network"
        )
    scale = np.exp(brentq(excess, low, high, xtol=1e-12)) if rate else 0.0
    with np.errstate(divide="ignore"):
        logits = np.log(probs)
    return Instance(_flipped(logits, labels, np.minimum(1.0, scale * doubt)), labels)


def _flipped(
    logits: Float[np.ndarray, "N K"], labels: np.ndarray, rates: Float[np.ndarray, " N"]
) -> Float[np.ndarray, "N K"]:
    """Give the true class what the rate leaves, and the others the rest by their softmax."""
    rows = np.array(logits)
    own = np.arange(len(rows)), labels
    rows[own] = -np.inf
    lost = np.isneginf(rows).all(1)  # sure of the truth alone: nothing to go wrong to, and no rate
    rows[lost] = 0.0
    rows[own] = -np.inf
    rows = rates[:, None] * np.exp(log_softmax(rows, axis=1))
    rows[own] = 1 - rates
    return np.asarray(rows)


def _number_fault(rows: Any, labels: np.ndarray) -> str:
    return "" if len(rows) == len(labels) else f"{len(rows)} examples have a label each, but {len(labels)} labels came"


def _rate_fault(rate: Any) -> str:
    return chance_fault(rate, what="a noise rate") or ("" if rate < 1 else "a noise rate is below 1, but 1 came")
