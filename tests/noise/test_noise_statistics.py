"""Whether what is asked is what is drawn, by exact bounds at false-alarm rate 1e-6 a test (fixed seeds)."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from murk.noise import Annotators, Channel, Dilution, Structured, pair_flip, random_ranking


def votes_of(noise, labels, seed=0):
    """Votes [N, M] of every example."""
    return noise.draw(labels, seed=seed).batch(np.arange(len(labels))).labels.reshape(len(labels), -1)


def test_a_thousand_classes_are_hit_alike(fits_multinomial):
    """K = 1000, alpha = 20: of 2,000,000 random votes each class gets its share, measured from the truth.

    Pearson's statistic (expected count 2,000 a cell, where its chi-square limit is close) and the bound that is exact
    for any n. Catches a generator that truncates expected counts: 20 / 1000 of a vote a class becomes none.
    """
    labels = np.arange(100_000) % 1000
    votes = votes_of(Dilution(20, num_classes=1000), labels)
    offsets = np.bincount(((votes - labels[:, None]) % 1000).ravel(), minlength=1000)
    offsets[0] -= len(labels)  # the clean votes
    assert fits_multinomial(offsets, np.full(1000, 1 / 1000))
    assert stats.chisquare(offsets).pvalue > 1e-6


def test_structured_noise_of_a_thousand_classes_follows_its_ranks(fits_multinomial):
    """K = 1000, alpha = 20, delta = .019: catches alias tables that lose mass, and a ranking read by columns."""
    num_classes, alpha, delta = 1000, 20, 0.019
    ranking = random_ranking(num_classes, seed=0)
    labels = np.arange(100_000) % num_classes
    votes = votes_of(Dilution(alpha, num_classes=num_classes, pattern=Structured(delta, ranking)), labels)
    rank_of = np.zeros((num_classes, num_classes), dtype=np.int64)  # 0 for the class itself
    np.put_along_axis(rank_of, ranking, np.arange(1, num_classes)[None, :], axis=1)
    seen = np.bincount(rank_of[labels[:, None], votes].ravel(), minlength=num_classes)
    seen[0] -= len(labels)
    rank = np.arange(num_classes - 1)
    by_rank = 1 / num_classes + delta / alpha * (1 - 2 * rank / (num_classes - 2))
    assert fits_multinomial(seen, np.append(1 / num_classes, by_rank))


RATES = {
    "dilution of a thousand classes": (Dilution(20, num_classes=1000), 20 * 999 / 1000 / 21),
    "independent votes of it": (Dilution(20, num_classes=1000).independent(), 20 * 999 / 1000 / 21),
    "dilution, alpha 8": (Dilution(8, num_classes=10), 0.8),
    "dilution, alpha 100": (Dilution(100, num_classes=10), 90 / 101),
    "symmetric .4": (Channel.symmetric(0.4, num_classes=10), 0.4),
    "symmetric .8": (Channel.symmetric(0.8, num_classes=10), 0.8),
    "symmetric .951 of a thousand": (Channel.symmetric(0.951, num_classes=1000), 0.951),
    "symmetric 1e-4": (Channel.symmetric(1e-4, num_classes=1000), 1e-4),
    "pair flips .45": (Channel(pair_flip(10, 0.45)), 0.45),
    "annotators": (Annotators(np.stack([pair_flip(10, 0.1).matrix(), pair_flip(10, 0.3).matrix()]), 2), 0.2),
}


@pytest.mark.parametrize("name", RATES)
def test_the_flip_rate_asked_is_the_flip_rate_got(name, fits_binomial):
    """Wrong votes are binomial, exactly. Catches a generator that truncates expected counts: .049 for .951."""
    noise, rate = RATES[name]
    labels = np.arange(20_000) % noise.num_classes
    wrong = (votes_of(noise, labels) != labels[:, None]).sum(axis=0)
    if isinstance(noise, Dilution):  # alpha random votes, each wrong with probability (K-1)/K
        wrong, share = wrong.sum(), (noise.num_classes - 1) / noise.num_classes
        assert fits_binomial(wrong, 20_000 * noise.alpha, share)
        assert rate == pytest.approx(noise.alpha * share / (1 + noise.alpha))
    elif isinstance(noise, Annotators):  # each example asks both, in random order
        assert fits_binomial(wrong, 20_000, rate)
    else:
        assert fits_binomial(wrong.sum(), 20_000 * len(wrong), rate)


def test_exactly_one_vote_more_is_right_than_chance_gives(fits_multinomial):
    """Right votes of an example less one are Binomial(alpha, 1/K); catches a clean vote lost or given twice."""
    labels = np.arange(50_000) % 5
    extra = (votes_of(Dilution(6, num_classes=5), labels) == labels[:, None]).sum(axis=1) - 1
    assert extra.min() == 0
    assert fits_multinomial(np.bincount(extra, minlength=7), stats.binom.pmf(np.arange(7), 6, 0.2))


def test_the_clean_vote_stands_at_every_place_alike(fits_binomial):
    """Each place is right with probability T[j, j]; catches a clean vote that always comes first."""
    labels = np.arange(60_000) % 100
    noise = Dilution(4, num_classes=100)
    right = (votes_of(noise, labels) == labels[:, None]).sum(axis=0)
    assert fits_binomial(right, 60_000, noise.transition.right)


@pytest.mark.parametrize("apart", ["votes of an example", "examples", "seeds"])
def test_votes_are_independent(apart, fits_multinomial):
    """Pairs fall on all 25 cells alike; catches words used twice, within an example, between two, or between seeds."""
    labels = np.zeros(60_000, dtype=np.int64)
    noise = Channel(np.full((5, 5), 0.2), votes_per_example=6)
    votes = votes_of(noise, labels)
    first, second = {
        "votes of an example": (votes[:, 1], votes[:, 5]),
        "examples": (votes[0::2, 3], votes[1::2, 3]),
        "seeds": (votes[:, 0], votes_of(noise, labels, seed=1)[:, 0]),
    }[apart]
    assert fits_multinomial(np.bincount(first * 5 + second, minlength=25), np.full(25, 1 / 25))


def test_annotators_are_asked_alike_and_never_twice(fits_binomial):
    """Five annotators, two asked: each is asked of Binomial(30,000, 2/5) examples; catches an order that favours."""
    votes = Annotators(np.stack([np.eye(3)] * 5), votes_per_example=2).draw(np.zeros(30_000, int), seed=0)
    who = votes.batch(np.arange(30_000)).annotators.reshape(-1, 2)
    assert (who[:, 0] != who[:, 1]).all()
    assert fits_binomial(np.bincount(who.ravel(), minlength=5), 30_000, 0.4)


def test_what_one_annotator_says_does_not_depend_on_who_else_is_asked():
    rng = np.random.default_rng(0)
    people = rng.dirichlet(np.ones(4), size=(3, 4))
    labels = np.arange(500) % 4
    said = np.full((2, 500, 3), -1)
    for row, asked in enumerate((1, 3)):
        batch = Annotators(people, votes_per_example=asked).draw(labels, seed=0).batch(np.arange(500))
        said[row, batch.rows, batch.annotators] = batch.labels
    both = said[0] >= 0
    assert both.sum() == 500
    assert np.array_equal(said[0][both], said[1][both])
