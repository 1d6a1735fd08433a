"""Every noise model and pattern, each beside its law written out by hand from matrices."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from murk.noise import Annotators, Channel, Dilution, Flat, Matrix, Structured, Uniform, Votes, pair_flip

SKEWED = np.array([[0.7, 0.3, 0.0], [0.1, 0.6, 0.3], [0.25, 0.25, 0.5]])
NONE_OF_THESE = np.array([[0.6, 0.1, 0.3], [0.2, 0.7, 0.1]])
PEOPLE = np.array([[[0.9, 0.1], [0.2, 0.8]], [[0.5, 0.5], [0.5, 0.5]], [[1.0, 0.0], [0.3, 0.7]]])
RANKING = np.array([[2, 1], [0, 2], [1, 0]])
# alpha = 3, delta = 0.5, K = 3: Q = 1/3 for the truth, 1/3 + 1/6 for rank 1, 1/3 - 1/6 for rank 2
STRUCTURED = np.array([[1 / 3, 1 / 6, 1 / 2], [1 / 2, 1 / 3, 1 / 6], [1 / 6, 1 / 2, 1 / 3]])
FLIP_ALL = np.array([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]])


def flat(num_classes, right):
    """T with `right` on the diagonal and the rest spread evenly."""
    wrong = (1 - right) / (num_classes - 1)
    return wrong + (right - wrong) * np.eye(num_classes)


@dataclass(frozen=True)
class Case:
    """A noise model, its matrices [A, K, answers] (one for each vote asked about), and whether one vote is clean."""

    noise: Any
    matrices: Any
    exact: bool = False
    num_votes: int = 1

    @property
    def num_answers(self):
        return self.matrices.shape[2]

    def sequences(self):
        """All ordered vote sequences, [S, num_votes]."""
        return np.array(list(itertools.product(range(self.num_answers), repeat=self.num_votes)))

    def voters(self):
        """All choices of who votes, in order; one where everyone is alike."""
        people = range(len(self.matrices))
        return list(itertools.permutations(people, self.num_votes)) if len(people) > 1 else [(0,) * self.num_votes]

    def chances(self, sequences, who):
        """P(sequence given y = j) as [S, K], by enumerating which vote is the clean one."""
        noisy = [self.matrices[a][:, answers].T for a, answers in zip(who, np.asarray(sequences).T, strict=True)]
        if not self.exact:
            return np.prod(noisy, axis=0)
        classes, total = np.arange(self.matrices.shape[1]), np.zeros(noisy[0].shape)
        for clean in range(len(noisy)):
            others = np.prod([np.ones_like(total), *noisy[:clean], *noisy[clean + 1 :]], axis=0)
            total += (classes == np.asarray(sequences)[:, [clean]]) * others / len(noisy)
        return total

    def votes(self, sequences, who):
        """Store sequences [S, M] cast by the annotators `who` [M]."""
        sequences = np.asarray(sequences)
        size, num_votes = sequences.shape
        num_classes = self.noise.num_classes
        label = np.where(sequences == num_classes, -2, sequences).ravel()
        return Votes.from_long(
            np.repeat(np.arange(size), num_votes), label, np.tile(who, size),
            num_examples=size, num_classes=num_classes,
        )  # fmt: skip


CASES = {
    "uniform dilution": Case(Dilution(2, num_classes=3), np.full((1, 3, 3), 1 / 3), True, 3),
    "no dilution": Case(Dilution(0, num_classes=3), np.full((1, 3, 3), 1 / 3), True, 1),
    "structured dilution": Case(
        Dilution(3, num_classes=3, pattern=Structured(0.5, RANKING)), STRUCTURED[None], True, 4
    ),
    "dilution by a matrix": Case(Dilution(2, num_classes=3, pattern=Matrix(SKEWED)), SKEWED[None], True, 3),
    "dilution by pair flips": Case(Dilution(2, num_classes=3, pattern=pair_flip(3)), FLIP_ALL[None], True, 3),
    "dilution by flat noise": Case(Dilution(2, num_classes=4, pattern=Flat(4, 0.4)), flat(4, 0.4)[None], True, 3),
    "uniform dilution, many classes": Case(Dilution(1, num_classes=257), np.full((1, 257, 257), 1 / 257), True, 2),
    "symmetric channel": Case(Channel.symmetric(0.4, num_classes=4, votes_per_example=2), flat(4, 0.6)[None], False, 2),
    "symmetric channel, many classes": Case(Channel.symmetric(0.4, num_classes=257), flat(257, 0.6)[None]),
    "flat channel that never errs": Case(Channel(Flat(3, 1.0), 2), np.eye(3)[None], False, 2),
    "flat channel that always errs": Case(Channel(Flat(3, 0.0), 2), flat(3, 0.0)[None], False, 2),
    "uniform channel": Case(Channel(Uniform(3), 2), np.full((1, 3, 3), 1 / 3), False, 2),
    "channel with a matrix": Case(Channel(SKEWED, votes_per_example=3), SKEWED[None], False, 3),
    "channel with none of these": Case(Channel(NONE_OF_THESE, votes_per_example=3), NONE_OF_THESE[None], False, 3),
    "annotators": Case(Annotators(PEOPLE, votes_per_example=2), PEOPLE, False, 2),
    "one annotator": Case(Annotators(SKEWED[None]), SKEWED[None], False, 1),
}

PATTERNS = {
    "uniform": (Uniform(4), np.full((4, 4), 0.25)),
    "flat": (Flat(4, 0.7), flat(4, 0.7)),
    "matrix": (Matrix(SKEWED), SKEWED),
    "none of these": (Matrix(NONE_OF_THESE), NONE_OF_THESE),
    "structured": (Structured(0.5, RANKING).at(3), STRUCTURED),
    "structured, delta 0": (Structured(0.0, RANKING).at(3), np.full((3, 3), 1 / 3)),
    "pair flip": (pair_flip(3, 0.45), 0.55 * np.eye(3) + 0.45 * FLIP_ALL),
}


@pytest.fixture(params=CASES)
def case(request):
    """Each noise model in turn."""
    return CASES[request.param]


@pytest.fixture(params=PATTERNS)
def pattern_case(request):
    """Each pattern in turn, with its matrix."""
    return PATTERNS[request.param]


@pytest.fixture
def every_case():
    """All noise models by name."""
    return CASES


@pytest.fixture
def every_pattern():
    """All patterns by name."""
    return PATTERNS


FALSE_ALARM = 1e-6


@pytest.fixture
def fits_binomial():
    """Whether counts are what Binomial(n, p) gives: exact, two-sided; all cells together at false-alarm rate 1e-6."""
    from scipy import stats

    def fits(counts, n, p):
        counts, p = np.broadcast_arrays(np.asarray(counts), np.asarray(p))
        each = FALSE_ALARM / (2 * counts.size)
        return bool((np.minimum(stats.binom.cdf(counts, n, p), stats.binom.sf(counts - 1, n, p)) >= each).all())

    return fits


@pytest.fixture
def fits_multinomial():
    """Whether counts are what a multinomial gives, at false-alarm rate 1e-6 for any n and number of cells.

    n KL(seen, expected) >= t has probability at most exp(-t) (e t / (k-1))^(k-1) for t > k - 1: Agrawal 2020,
    "Finite-sample concentration of the multinomial in relative entropy", theorem 1.2.
    """
    from scipy.special import rel_entr

    def fits(counts, p):
        counts, p = np.asarray(counts, dtype=float), np.asarray(p, dtype=float)
        assert p.sum() == pytest.approx(1)
        cells = np.count_nonzero(p)
        statistic, free = counts.sum() * rel_entr(counts / counts.sum(), p).sum(), cells - 1
        if free == 0 or statistic <= free:
            return bool(statistic <= free)
        return -statistic + free * (1 + math.log(statistic / free)) >= math.log(FALSE_ALARM)

    return fits
