"""Expectation-maximisation: noise from class probabilities and votes, class posteriors from both and the noise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int

from murk.measure.source_votes import SourceVotes

__all__ = ["Expectation", "Maximum", "maximise"]

TINY = 1e-12  # the smallest chance that EM gives an answer: zero would never be left again
ENTRIES_AT_ONCE = 1 << 21
Update = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Expectation:
    """What is known of N examples: the probabilities of their classes without votes, and their votes.

    The likelihood of example i is sum_j p_ij exp(e_ij), with e_ij = sum over sources s and answers k of
    c_isk log T_s[j, k]. Where exactly one vote of each example is right (`one_right`), T is the pattern Q of the
    others, and e_ij gains log c_ij - log Q[j, j] - log(number of votes).

    Attributes:
        votes: counts per source and answer.
        log_probs: float64 [N, K], or [1, K] where only the classes' shares are known.
        known: int64 [N], the class where it is known, else -1; or None.
        one_right: whether exactly one vote of each example is right; for one source alone.
        weights: float64 [N] > 0, how many times an example counts; None for once each.
    """

    votes: SourceVotes
    log_probs: Float[np.ndarray, "N K"]
    known: Int[np.ndarray, " N"] | None = None
    one_right: bool = False
    weights: Float[np.ndarray, " N"] | None = None

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

    def log_evidence(self, transitions: np.ndarray, *, part: slice = slice(None)) -> Float[np.ndarray, "N K"]:
        """Give log P(votes given class) [N, K] under transitions [S, K, A]."""
        log_t = np.log(np.maximum(transitions, TINY))
        values = np.asarray(self.votes.counts[part] @ np.concatenate([each.T for each in log_t]))
        if self.one_right:
            values += self._which_is_right(np.diagonal(log_t[0]), part)
        return values

    def posterior(self, transitions: np.ndarray, *, part: slice = slice(None)) -> tuple[np.ndarray, np.ndarray]:
        """Give P(class given votes) [N, K] and the log likelihood [N] of examples under transitions [S, K, A]."""
        joint = self.log_evidence(transitions, part=part)
        joint += self.log_probs if self.learns_shares else self.log_probs[part]
        if self.known is not None:
            row = np.flatnonzero(self.known[part] >= 0)
            told = joint[row, self.known[part][row]]
            joint[row] = -np.inf
            joint[row, self.known[part][row]] = told
        top = joint.max(axis=1, keepdims=True)
        posterior = np.exp(joint - top)
        total = posterior.sum(axis=1, keepdims=True)
        return posterior / total, (np.log(total) + top)[:, 0]

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

    def expected(self, transitions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Give expected votes [S, K, A], expected examples [K] per class, and log likelihoods [N] of examples."""
        totals, members, likelihoods = np.zeros(transitions.shape), np.zeros(transitions.shape[1]), []
        rows = max(1, ENTRIES_AT_ONCE // transitions.shape[1])
        for start in range(0, max(len(self.votes), 1), rows):
            part = slice(start, start + rows)
            posterior, likelihood = self.posterior(transitions, part=part)
            totals += self.counted(posterior, part=part)
            members += (posterior if self.weights is None else posterior * self.weights[part, None]).sum(axis=0)
            likelihoods.append(likelihood)
        return np.maximum(totals, 0), members, np.concatenate(likelihoods)


@dataclass(frozen=True)
class Maximum:
    """Where expectation-maximisation ended.

    Attributes:
        transitions: float64 [S, K, A].
        expectation: as given, with the classes' shares learned where it learns them.
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
        votes, members, likelihoods = expectation.expected(transitions)
        mean = float(np.average(likelihoods, weights=expectation.weights))
        transitions = update(votes)
        if expectation.learns_shares:
            shares = (members + 1) / (members + 1).sum()
            expectation = replace(expectation, log_probs=np.log(shares)[None])
        if mean - before < tolerance:
            break
        before = mean
    return Maximum(transitions, expectation, mean)
