"""How votes are read through the inverse of T: what each is worth, and how uncertain that is, by T's error, too."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from scipy.special import ndtri

from murk.errors import InputError, UndecidedError, refuse
from murk.measure.estimate import Estimate
from murk.measure.predicted import read_predicted, refuse_misfit
from murk.measure.transition_estimate import TransitionEstimate
from murk.noise import Annotators, Channel, Dilution, VoteBatch, Votes

__all__ = ["Moments", "Reading", "Worth", "read_noise", "read_votes_by", "reading_of", "refuse_unlike"]

MORE = 4.0  # answers
SMALLEST_SINGULAR = 1e-6


@dataclass(frozen=True)
class Worth:
    """What the votes of each example that has any are worth.

    Attributes:
        value: float [n], for the predicted class; in the mean one if that is true, else zero.
        predicted: int [n].
        weight: float [S], the mean over examples of the squares of the shares that votes of each source have in them.
    """

    value: Float[np.ndarray, " n"]
    predicted: Int[np.ndarray, " n"]
    weight: Float[np.ndarray, " S"]


@dataclass(frozen=True)
class Moments:
    """What the votes of all examples are worth together, by class.

    Attributes:
        hits: float [K, K], the mean over examples of what their votes are worth: [predicted, class].
        size: examples that have votes.
        weight: as `Worth`.
    """

    hits: Float[np.ndarray, "K K"]
    size: int
    weight: Float[np.ndarray, " S"]


@dataclass(frozen=True)
class Reading:
    """How votes are read: transitions [S, K, A] of sources, and their inverses W [S, A, K] with T W = I."""

    transitions: Float[np.ndarray, "S K A"]
    inverse: Float[np.ndarray, "S A K"]
    answers: Float[np.ndarray, " K"] | None  # of how many answers each row of T is an estimate; None where it is known
    condition: float

    @property
    def num_classes(self) -> int:
        """K."""
        return int(self.transitions.shape[1])

    @cached_property
    def noise(self) -> Float[np.ndarray, "S K K"]:
        """The variance [source, true, class] of what a vote is worth for a class."""
        second = np.einsum("skv,svj->skj", self.transitions, self.inverse**2)
        return np.asarray(np.maximum(second - np.eye(self.num_classes), 0))

    def shares(self, batch: VoteBatch) -> tuple[Int[np.ndarray, " V"], Float[np.ndarray, " V"]]:
        """Give the source of each vote, and its share in its example: a noisy source's votes count less."""
        precision = 1 / np.maximum(self.noise.mean((1, 2)), 1e-9)
        source = np.zeros(len(batch.labels), np.int64) if len(precision) == 1 else np.asarray(batch.annotators)
        weight = precision[source]
        return source, weight / np.bincount(batch.rows, weights=weight, minlength=len(batch))[batch.rows]

    def worth(self, predicted: np.ndarray, votes: Votes) -> Worth:
        """Take the mean over each example's votes, for its predicted class."""
        parts, squares = [], np.zeros(len(self.inverse))
        for batch in votes.batches():
            source, share = self.shares(batch)
            squares += np.bincount(source, weights=share**2, minlength=len(squares))
            classes = predicted[batch.indices]
            told = share * self.inverse[source, batch.labels, classes[batch.rows]]
            has = batch.lengths > 0
            parts.append((np.bincount(batch.rows, weights=told, minlength=len(batch))[has], classes[has]))
        value, classes = (np.concatenate(each) for each in zip(*parts, strict=True))
        return Worth(value, classes, squares / max(len(value), 1))

    def moments(self, predicted: np.ndarray, votes: Votes) -> Moments:
        """Sum what votes are worth for every class, by the predicted one; nothing of size N x K is made."""
        hits, squares, size = np.zeros((self.num_classes,) * 2), np.zeros(len(self.inverse)), 0
        for batch in votes.batches():
            source, share = self.shares(batch)
            squares += np.bincount(source, weights=share**2, minlength=len(squares))
            np.add.at(hits, predicted[batch.indices][batch.rows], share[:, None] * self.inverse[source, batch.labels])
            size += int((batch.lengths > 0).sum())
        return Moments(hits / max(size, 1), size, squares / max(size, 1))

    def variances(self, worth: Worth) -> tuple[float, float]:
        """Give the mean variance of an example's worth if its prediction is right, and at most if it is wrong."""
        noise = np.einsum("s,ska->ka", worth.weight, self.noise)
        wrong = noise.copy()
        np.fill_diagonal(wrong, 0)
        return float(np.diagonal(noise)[worth.predicted].mean()), float(wrong.max(0)[worth.predicted].mean())

    def ratios(self, moments: Moments) -> Iterator[tuple[float, float, float, float, float]]:
        """Give, of each class, P(predicted and true), P(true), and what an interval of their ratio needs.

        That is the mean square of an example's worth for the class: of its own examples, and of others', times their
        share: of those predicted to be of the class, and of the rest.
        """
        hits = moments.hits
        square = np.einsum("s,skj->kj", moments.weight, self.noise)
        for k in range(self.num_classes):
            others = np.maximum(np.delete(hits, k, axis=1), 0)
            of_others = np.delete(square[:, k], k)
            hit = float(others[k] @ of_others)
            missed = float(np.delete(others, k, axis=0).sum(0) @ of_others)
            yield float(hits[k, k]), float(hits[:, k].sum()), 1 + float(square[k, k]), hit, missed

    @property
    def told(self) -> str:
        """How T counts, in words."""
        return "T known" if self.answers is None else "T estimated, its error counted"

    @cached_property
    def errors(self) -> tuple[Float[np.ndarray, "K A"], Float[np.ndarray, " K"]]:
        """Of T estimated: rows, and of how many answers they are shares, with four answers more, spread evenly.

        What never came is not impossible (Agresti and Coull 1998).
        """
        assert self.answers is not None
        count, transition = self.answers + MORE, self.transitions[0]
        return (self.answers[:, None] * transition + MORE / transition.shape[1]) / count[:, None], count

    def variance_of_transition(self, hits: Float[np.ndarray, "K K"]) -> float:
        """Give what T's own error adds to the variance of sum_k hits[k, k], to first order.

        W moves by -W dT W, so that sum_k hits[k, k] moves by -sum_j (W hits)[:, j] dT[j], where row j of T has the
        errors of shares of so many answers.

        Args:
            hits: of what is predicted (or held in a set) down, of what is true across, as votes tell it by W.
        """
        if self.answers is None:
            return 0.0
        rows, count = self.errors
        slope = (self.inverse[0] @ hits).T  # [true, answer]
        return float((((rows * slope**2).sum(1) - (rows * slope).sum(1) ** 2) / count).sum())

    def bias(self, hits: Float[np.ndarray, "K K"]) -> Float[np.ndarray, "K K"]:
        """Give by how much T's own error moves hits in the mean, to second order: hits E[dT W dT] W.

        The inverse of an estimate is no estimate of the inverse without bias: noise looks larger than it is, and hits
        come out too high. Rows of T err independently, so that row j of E[dT W dT] is Cov(T[j]) W[:, j].
        """
        if self.answers is None:
            return np.zeros_like(hits)
        rows, count = self.errors
        worth = self.inverse[0].T  # [true, answer]: W[:, j]
        moved = rows * (worth - (rows * worth).sum(1, keepdims=True)) / count[:, None]
        return np.asarray(hits @ moved @ self.inverse[0])

    def variance_of_ratio(self, hits: Float[np.ndarray, "K K"], k: int) -> tuple[float, float, float]:
        """Give what T's error adds to the variance of hits[k, k] - R P(true k), and the square of its bias.

        Returns:
            Coefficients of 1, R and R^2.
        """
        if self.answers is None:
            return 0.0, 0.0, 0.0
        rows, count = self.errors
        worth = self.inverse[0][:, k]
        weight = (rows @ worth**2 - (rows @ worth) ** 2) / count
        hit, members = hits[k], hits.sum(0)
        bias = self.bias(hits)
        own, all_of = float(bias[k, k]), float(bias[:, k].sum())
        return (
            float(weight @ hit**2) + own**2, float(-2 * weight @ (hit * members)) - 2 * own * all_of,
            float(weight @ members**2) + all_of**2,
        )  # fmt: skip


def read_votes_by(noise: Any, predictions_or_probs: Any, votes: Votes) -> tuple[Reading, Int[np.ndarray, " N"]]:
    """Read the noise and the predicted classes, and refuse what does not fit the votes."""
    reading = read_noise(noise)
    predicted = read_predicted(predictions_or_probs)
    refuse_misfit(predicted, votes, reading.num_classes)
    refuse_unlike(votes, noise, reading)
    return reading, predicted.classes


def refuse_unlike(votes: Votes, noise: Any, reading: Reading) -> None:
    """Refuse votes that cannot be of this noise, or none at all."""
    sources, answers = reading.inverse.shape[:2]
    of_dilution = 1 + noise.alpha if isinstance(noise, Dilution) else None
    for batch in votes.batches():
        annotators, lengths = batch.annotators, batch.lengths
        refuse([
            "accuracy from votes counts whole votes, but weighted ones came; give them without weights"
            if batch.weights is not None else "",
            '"none of these" was answered, of which this T says nothing; leave such votes out (-1)'
            if len(batch.labels) and batch.labels.max() >= answers else "",
            "noise of annotators needs votes with annotators (Votes.from_long)"
            if sources > 1 and annotators is None else "",
            f"the noise has {sources} annotators, but annotator {annotators.max()} voted"
            if sources > 1 and annotators is not None and len(annotators) and annotators.max() >= sources else "",
            f"of this dilution an example has {of_dilution} votes, but others came; for any number of votes use "
            "noise.independent()"
            if of_dilution and not np.isin(lengths, (0, of_dilution)).all() else "",
        ])  # fmt: skip
    if not any(len(batch.labels) for batch in votes.batches()):
        raise InputError(f"expected at least one vote, but none of {len(votes)} examples has any")


def read_noise(noise: Any, *, what: str = "accuracy from votes") -> Reading:
    """Read noise of any kind; what it is of is not checked (`refuse_unlike`)."""
    answers = None
    if isinstance(noise, TransitionEstimate):
        noise = noise.transition
    if isinstance(noise, Estimate):
        transitions = np.asarray(noise.value)[None]
        if transitions.ndim != 3:
            raise InputError(f"an estimate of T is [K, K], but one of shape {np.shape(noise.value)} came")
        answers = _answers(noise)
    elif isinstance(noise, Annotators):
        transitions = np.asarray(noise.transitions)
    elif isinstance(noise, Channel | Dilution):
        transitions = noise.transition.matrix()[None]
    else:
        raise InputError(
            f"{what} needs a Channel, a Dilution, Annotators, or an estimate of T, but {type(noise).__name__} came"
        )
    singular = np.linalg.svd(transitions, compute_uv=False)
    condition = float((singular[:, 0] / np.maximum(singular[:, -1], 1e-300)).max())
    if singular[:, -1].min() < SMALLEST_SINGULAR:
        raise UndecidedError(
            "cannot say: rows of T depend on each other, so that votes do not tell some classes apart; label some "
            "examples cleanly and use `accuracy`"
        )
    return Reading(transitions, np.stack([np.linalg.pinv(each) for each in transitions]), answers, condition)


def _answers(transition: Estimate) -> Float[np.ndarray, " K"]:
    """Give of how many answers each row of T is an estimate: those for which Wilson's interval of a share is as wide.

    With half width h of the row's largest entry p, x = 1/n solves h^2 (1 + z^2 x)^2 = z^2 p (1 - p) x + z^4 x^2 / 4.
    """
    z2 = float(ndtri((1 + transition.confidence_level) / 2)) ** 2
    at = np.asarray(transition.value).argmax(1)[:, None]
    value, low, high = (
        np.take_along_axis(np.asarray(each), at, axis=1)[:, 0]
        for each in (transition.value, transition.low, transition.high)
    )
    half = np.clip((high - low) / 2, 1e-6, 0.5 - 1e-6)
    a, b, c = z2**2 * (0.25 - half**2), z2 * (2 * half**2 - value * (1 - value)), half**2
    return np.asarray(2 * a / (np.sqrt(b**2 + 4 * a * c) + b))


def reading_of(noise: Any, num_classes: int) -> Reading:
    """Read noise with one T for all labels, as `inverse_accuracy` takes it.

    Raises:
        InputError: noise of several annotators or another number of classes, or rows that depend on each other.
    """
    reading = read_noise(noise)
    if len(reading.inverse) > 1 or reading.num_classes != num_classes:
        raise InputError(
            f"expected noise with one T of {num_classes} classes for all labels, but {type(noise).__name__} of "
            f"{reading.num_classes} classes and {len(reading.inverse)} annotators came"
        )
    return reading
