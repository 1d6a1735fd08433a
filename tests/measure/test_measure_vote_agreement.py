"""Votes that agree with predictions more, or less, than stated noise allows: told, refused, and seldom by mistake."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from murk.errors import InputError
from murk.measure import accuracy_from_votes
from murk.noise import Channel, Dilution, Flat, Votes

FALSE_ALARM = 1e-6


@pytest.mark.parametrize("agreed", [0, 1, 15, 25, 30])
@pytest.mark.parametrize(("right", "num_classes"), [(0.5, 3), (0.1, 3), (0.9, 2)])
def test_more_or_fewer_agreeing_votes_than_likely_are_told_and_the_impossible_refused(agreed, right, num_classes):
    """Against the summed probabilities of the two binomials at accuracy 0 and 1."""
    votes = Votes.from_labels((np.arange(30) >= agreed).astype(int), num_classes=num_classes)
    few, many = sorted((right, (1 - right) / (num_classes - 1)))
    above, below = sum(binom.pmf(range(agreed, 31), 30, many)), sum(binom.pmf(range(agreed + 1), 30, few))
    noise = Channel(Flat(num_classes, right))
    if min(above, below) < 1e-6:
        with pytest.raises(InputError, match="more than" if above < below else "fewer than"):
            accuracy_from_votes(np.zeros(30, dtype=int), votes, noise=noise)
    else:
        method = accuracy_from_votes(np.zeros(30, dtype=int), votes, noise=noise).method
        assert ("more than" in method, "fewer than" in method) == (above < 0.025, below < 0.025)


def test_votes_less_noisy_than_stated_are_refused_and_what_to_do_is_said():
    labels = np.arange(1000) % 4
    votes = Channel.symmetric(0.2, num_classes=4).draw(labels, seed=0)
    with pytest.raises(InputError, match=r"of 1,000 votes agree.* more than 600 .*less noisy than stated"):
        accuracy_from_votes(labels, votes, noise=Channel.symmetric(0.4, num_classes=4))
    with pytest.raises(InputError, match="less noisy than stated"):  # at every level
        accuracy_from_votes(labels, votes, noise=Channel.symmetric(0.4, num_classes=4), confidence_level=1 - 1e-15)


def test_votes_of_an_exact_dilution_agree_with_perfect_predictions_as_often_as_it_says():
    """Catches a test that forgets the vote which is right for certain, or counts it twice."""
    labels = np.arange(1000) % 4
    noise = Dilution(3, num_classes=4)
    drawn = noise.draw(labels, seed=0)
    assert "as stated?" not in accuracy_from_votes(labels, drawn, noise=noise).method
    assert "as stated?" not in accuracy_from_votes((labels + 1) % 4, drawn, noise=noise).method
    table = drawn.batch(np.arange(1000)).labels.reshape(1000, 4)
    doubled = Votes.from_matrix(np.where(np.arange(4) < 2, labels[:, None], table), num_classes=4)
    with pytest.raises(InputError, match="more than 1,750"):
        accuracy_from_votes(labels, doubled, noise=noise)


def test_perfect_predictions_are_doubted_no_more_often_than_said():
    """2.5 % of 2,000 runs at most, but for 1e-6; and often enough that the bound is no idle one."""
    noise = Channel.symmetric(0.4, num_classes=4)
    labels = np.arange(200) % 4
    doubts = sum(
        "as stated?" in accuracy_from_votes(labels, noise.draw(labels, seed=seed), noise=noise).method
        for seed in range(2000)
    )
    assert binom.ppf(FALSE_ALARM, 2000, 0.01) <= doubts <= binom.isf(FALSE_ALARM, 2000, 0.025)
