"""Expectation-maximisation: noise from class probabilities and votes, class posteriors from both and the noise."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int

from murk.measure.source_votes import SourceVotes

__all__ = ["SHARPNESS", "Expectation", "Expected", "Maximum", "maximise"]

TINY = 1e-12  # the smallest chance that EM gives an answer: zero would never be left again
ENTRIES_AT_ONCE = 1 << 17
SHARPNESS, LARGEST_STEP = (0.2, 5.0), (0.7, 1.4)
Update = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Expected:
    """What examples are expected to be, given their votes.

    Attributes:
        votes: float64 [S, K, A], votes per source, true class and answer.
        members: float64 [K], examples per class.
        logliks: float64 [N], log likelihood of each example's votes.
        slope: of the log likelihood in the sharpness of the probabilities.
        curvature: of the same, the part of it that is surely positive, with the sign turned.
    """

    votes: Float[np.ndarray, "S K A"]
    members: Float[np.ndarray, " K"]
    logliks: Float[np.ndarray, " N"]
    slope: float
    curvature: float


@dataclass(frozen=True)
class Expectation:
    """What is known of N examples: the probabilities of their classes without votes, and their votes.

    The likelihood of example i is sum_j q_ij exp(e_ij), with q_i = softmax(b log p_i) and e_ij = sum over sources s and
    answers k of c_isk log T_s[j, k]. The sharpness b, one number, is learned with T: it mends probabilities that are
    too sure of themselves, or not enough, as those of networks trained on noisy labels are. Where exactly one vote of
    each example is right (`one_right`), T is the pattern Q of the others, and e_ij gains
    log c_ij - log Q[j, j] - log(number of votes).

    Attributes:
        votes: counts per source and answer.
        log_probs: [N, K], float64 or float32 (and then made float64 block by block), or [1, K] where only the classes'
            shares are known.
        known: int64 [N], the class where it is known, else -1; or None.
        one_right: whether exactly one vote of each example is right; for one source alone.
        weights: float64 [N] > 0, how many times an example counts; None for once each.
        sharpness: b, in [0.2, 5].
        tempering: float64 [S, 2], how much each source's votes for classes count, and its "none of these", in [0, 1];
            None for in full. With it, what is called a likelihood here is none.
    """

    votes: SourceVotes
    log_probs: Float[np.ndarray, "N K"]
    known: Int[np.ndarray, " N"] | None = None
    one_right: bool = False
    weights: Float[np.ndarray, " N"] | None = None
    sharpness: float = 1.0
    tempering: Float[np.ndarray, "S 2"] | None = None

    @property
    def learns_shares(self) -> bool:
        """Whether the classes' shares are learned along with the noise, for want of probabilities."""
        return len(self.log_probs) == 1

    def rows(self, chosen: np.ndarray) -> Expectation:
        """Keep the examples `chosen`."""
        return replace(
            self, votes=self.votes.rows(chosen), known=None if self.known is None else self.known[chosen],
            log_probs=self.log_probs if self.learns_shares else self.log_probs[chosen],
            weights=None if self.weights is None else self.weights[chosen],
        )  # fmt: skip

    def parts(self) -> Iterator[slice]:
        """Walk over the examples in blocks, so that no table of float64 over all of them is made; at least one."""
        rows = max(1, ENTRIES_AT_ONCE // self.votes.num_classes)
        for start in range(0, max(len(self.votes), 1), rows):
            yield slice(start, min(start + rows, len(self.votes)))

    def log_evidence(self, transitions: np.ndarray, *, part: slice = slice(None)) -> Float[np.ndarray, "N K"]:
        """Give log P(votes given class) [N, K] under transitions [S, K, A]."""
        log_t = np.log(np.maximum(transitions, TINY))
        if self.tempering is not None:
            of_class = np.arange(log_t.shape[2]) < self.votes.num_classes
            log_t = log_t * np.where(of_class, self.tempering[:, None, :1], self.tempering[:, None, 1:])
        values = np.asarray(self.votes.counts[part] @ np.concatenate([each.T for each in log_t]))
        if self.one_right:
            values += self._which_is_right(np.diagonal(log_t[0]), part)
        return values

    def sharpened(self, *, part: slice = slice(None)) -> Float[np.ndarray, "N K"]:
        """Give log q, the probabilities at their sharpness; [1, K] where only the classes' shares are known."""
        if self.learns_shares:
            return self.log_probs
        scaled = np.multiply(self.sharpness, self.log_probs[part], dtype=np.float64)
        scaled -= scaled.max(axis=1, keepdims=True)
        scaled -= np.log(np.exp(scaled).sum(axis=1, keepdims=True))
        return np.asarray(scaled)

    def posterior(self, transitions: np.ndarray, *, part: slice = slice(None)) -> tuple[np.ndarray, np.ndarray]:
        """Give P(class given votes) [N, K] and the log likelihood [N] of examples under transitions [S, K, A]."""
        return self._posterior(transitions, self.sharpened(part=part), part)

    def _posterior(self, transitions: np.ndarray, log_q: np.ndarray, part: slice) -> tuple[np.ndarray, np.ndarray]:
        joint = self.log_evidence(transitions, part=part) + log_q
        if self.known is not None:
            row = np.flatnonzero(self.known[part] >= 0)
            told = joint[row, self.known[part][row]]
            joint[row] = -np.inf
            joint[row, self.known[part][row]] = told
        top = joint.max(axis=1, keepdims=True)
        joint -= top
        posterior = np.exp(joint, out=joint)
        total = posterior.sum(axis=1, keepdims=True)
        posterior /= total
        return posterior, (np.log(total) + top)[:, 0]

    def _which_is_right(self, log_right: np.ndarray, part: slice) -> np.ndarray:
        counts = self.votes.counts[part].toarray()[:, : self.votes.num_classes]
        total = counts.sum(1, keepdims=True)
        with np.errstate(divide="ignore"):
            return np.asarray(np.where(total > 0, np.log(counts) - np.log(np.maximum(total, 1)) - log_right, 0.0))

    def counted(self, posterior: np.ndarray, *, part: slice = slice(None)) -> np.ndarray:
        """Count votes [S, K, A] per source, class and answer, examples belonging to classes by `posterior` [N, K].

        The vote that is right is none of the pattern's.
        """
        counts, votes = self.votes.counts[part], self.votes
        members = posterior if self.weights is None else posterior * self.weights[part, None]
        totals = (counts.T @ members).reshape(votes.num_sources, votes.num_answers, votes.num_classes)
        totals = np.array(totals.transpose(0, 2, 1))
        if self.one_right:
            totals[0, range(len(totals[0])), range(len(totals[0]))] -= members[np.diff(counts.indptr) > 0].sum(0)
        return totals

    def counted_classes(self, classes: Int[np.ndarray, " N"]) -> Float[np.ndarray, "S K A"]:
        """Count votes as `counted` does, each example belonging to one class, or to none (-1)."""
        rows = np.vstack([np.eye(self.votes.num_classes), np.zeros(self.votes.num_classes)])  # the last is for -1
        return np.asarray(sum(self.counted(rows[classes[part]], part=part) for part in self.parts()))

    def expected(self, transitions: np.ndarray) -> Expected:
        """Take the expectation under transitions [S, K, A], block by block."""
        votes, members, logliks = np.zeros(transitions.shape), np.zeros(transitions.shape[1]), []
        slope, curvature = 0.0, 0.0
        for part in self.parts():
            log_q = self.sharpened(part=part)
            posterior, loglik = self._posterior(transitions, log_q, part)
            weights = np.ones(len(posterior)) if self.weights is None else self.weights[part]
            votes += self.counted(posterior, part=part)
            members += weights @ posterior
            logliks.append(loglik)
            if not self.learns_shares:
                given, log_probs = np.exp(log_q, out=log_q), self.log_probs[part].astype(np.float64, copy=False)
                mean = np.einsum("nk,nk->n", given, log_probs)
                slope += float(weights @ (np.einsum("nk,nk->n", posterior, log_probs) - mean))
                curvature += float(weights @ (np.einsum("nk,nk,nk->n", given, log_probs, log_probs) - mean**2))
        return Expected(np.maximum(votes, 0), members, np.concatenate(logliks), slope, curvature)

    def learned(self, expected: Expected) -> Expectation:
        """Learn the classes' shares where only these are known, else take one step of Newton's in the sharpness."""
        if self.learns_shares:
            shares = (expected.members + 1) / (expected.members + 1).sum()
            return replace(self, log_probs=np.log(shares)[None])
        step = expected.slope / expected.curvature if expected.curvature > 0 else 0.0
        factor = np.clip(1 + step / self.sharpness, *LARGEST_STEP)
        return replace(self, sharpness=float(np.clip(factor * self.sharpness, *SHARPNESS)))


@dataclass(frozen=True)
class Maximum:
    """Where expectation-maximisation ended.

    Attributes:
        transitions: float64 [S, K, A].
        expectation: as given, with the sharpness of the probabilities, or the classes' shares, that it learned.
        loglik: mean log likelihood an example, in nats, before the last step.
    """

    transitions: Float[np.ndarray, "S K A"]
    expectation: Expectation
    loglik: float


def maximise(
    expectation: Expectation,
    start: Float[np.ndarray, "S K A"],
    update: Update,
    *,
    steps: int = 300,
    tolerance: float = 1e-7,
) -> Maximum:
    """Repeat `update(expected votes)` from `start` until the mean log likelihood gains less than `tolerance` nats."""
    transitions, before = start, -np.inf
    for _ in range(steps):
        expected = expectation.expected(transitions)
        mean = float(np.average(expected.logliks, weights=expectation.weights))
        transitions, expectation = update(expected.votes), expectation.learned(expected)
        if mean - before < tolerance:
            break
        before = mean
    return Maximum(transitions, expectation, mean)
