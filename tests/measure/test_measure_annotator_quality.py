"""Annotators: accuracies with intervals that cover, a consensus better than the majority, questions that tell most."""

from typing import Any

import numpy as np
import pytest
from scipy.stats import binom

from murk.errors import InputError
from murk.measure import dawid_skene
from murk.noise import NONE_OF_THESE, Annotators, Flat, Votes, pair_flip

FALSE_ALARM = 1e-6
CLASSES = 4
RIGHT = (0.95, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.35)
NOISE = Annotators(np.stack([Flat(CLASSES, right).matrix() for right in RIGHT]), votes_per_example=4)
TRUTH = np.arange(600) % CLASSES


def test_intervals_of_accuracies_cover() -> None:
    held, simulations = 0, 15
    for seed in range(simulations):
        found = dawid_skene(NOISE.draw(TRUTH, seed=seed), seed=seed)
        held += int(((found.accuracy.low <= RIGHT) & (found.accuracy.high >= RIGHT)).sum())
    assert binom.cdf(held, simulations * len(RIGHT), 0.95) > FALSE_ALARM


@pytest.mark.parametrize("shrink", [True, False])
def test_the_consensus_is_better_than_the_majority_and_annotators_stand_in_their_order(shrink: bool) -> None:
    votes = NOISE.draw(TRUTH, seed=0)
    found = dawid_skene(votes, shrink=shrink)
    counts = votes.counts() + np.random.default_rng(0).random((600, CLASSES)) / 2
    assert (found.consensus == TRUTH).mean() > (counts.argmax(1) == TRUTH).mean() + 0.03  # 600: 4 SD of paired .7
    assert np.abs(np.argsort(-found.accuracy.value) - np.arange(len(RIGHT))).max() <= 1
    assert (found.consensus == TRUTH).mean() == pytest.approx(found.confidence.mean(), abs=0.04 if shrink else 0.1)
    assert found.shares.sum() == pytest.approx(1) and found.votes.sum() == 2400
    assert found.noise.transitions.shape == (len(RIGHT), CLASSES, CLASSES)


def test_without_shrinkage_it_is_the_fixed_point_of_dawid_and_skene() -> None:
    found = dawid_skene(NOISE.draw(TRUTH, seed=1), shrink=False)
    batch = NOISE.draw(TRUTH, seed=1).batch(np.arange(600))
    joint = np.tile(np.log(found.shares), (600, 1))
    np.add.at(joint, batch.rows, np.log(found.transitions)[batch.annotators, :, batch.labels])
    posterior = np.exp(joint - joint.max(1, keepdims=True))
    posterior /= posterior.sum(1, keepdims=True)
    assert np.abs(posterior - found.posterior).max() < 1e-6
    counted = np.zeros((len(RIGHT), CLASSES, CLASSES))
    np.add.at(counted.transpose(0, 2, 1), (batch.annotators, batch.labels), posterior[batch.rows])
    again = counted / counted.sum(2, keepdims=True)
    assert np.abs(again - found.transitions).max() < 2e-3


def test_an_annotator_who_confuses_two_classes_is_seen_to() -> None:
    good, confused = Flat(CLASSES, 0.9).matrix(), pair_flip(CLASSES, 0.8).matrix()
    noise = Annotators(np.stack([good, good, good, confused]), votes_per_example=4)
    found = dawid_skene(noise.draw(TRUTH, seed=0))
    assert np.abs(found.transitions[3] - confused).max() < 0.15  # 150 votes a row: 4 SD
    assert found.accuracy.high[3] < 0.35


def test_questions_go_to_uncertain_examples_and_telling_annotators_who_have_not_voted_there() -> None:
    votes = NOISE.draw(TRUTH, seed=0)
    found = dawid_skene(votes)
    asked = found.ask_next(20)
    assert len(asked) == 20 == len({each.example for each in asked})
    assert [each.gain for each in asked] == sorted((each.gain for each in asked), reverse=True)
    assert max(each.gain for each in asked) <= np.log(CLASSES)
    assert np.mean([found.confidence[each.example] for each in asked]) < found.confidence.mean() - 0.2
    assert np.mean([RIGHT[each.annotator] for each in asked]) > 0.7
    for each in asked:
        assert each.annotator not in votes.batch([each.example]).annotators
    only = found.ask_next(5, annotators=[7])
    assert {each.annotator for each in only} == {7}


def test_answers_tell_more_than_random_ones_of_what_they_are_asked_for() -> None:
    votes = NOISE.draw(TRUTH, seed=3)
    found, rng = dawid_skene(votes), np.random.default_rng(0)
    batch = votes.batch(np.arange(600))

    def after(examples: np.ndarray, annotators: np.ndarray) -> float:
        rows = np.stack([NOISE.transitions[a, TRUTH[i]] for i, a in zip(examples, annotators, strict=True)])
        answers = (rows.cumsum(1) > rng.random((len(rows), 1))).argmax(1)
        again = Votes.from_long(
            np.r_[batch.rows, examples], np.r_[batch.labels, answers], np.r_[batch.annotators, annotators],
            num_examples=600, num_classes=CLASSES,
        )  # fmt: skip
        return float((dawid_skene(again).consensus == TRUTH).mean())

    asked = found.ask_next(150)
    chosen = after(np.array([each.example for each in asked]), np.array([each.annotator for each in asked]))
    random = after(rng.permutation(600)[:150], rng.integers(0, len(RIGHT), 150))
    assert chosen > random + 0.015


def test_known_classes_are_used_in_full_and_answers_of_none_of_these_are_their_own() -> None:
    votes = NOISE.draw(TRUTH, seed=0)
    known = np.where(np.arange(600) < 100, TRUTH, -1)
    assert (dawid_skene(votes, known=known).consensus[:100] == TRUTH[:100]).all()
    mixed = Votes.from_matrix(np.where(np.arange(30)[:, None] % 3 == 0, [[0, NONE_OF_THESE]], [[1, 1]]), num_classes=2)
    batch = mixed.batch(np.arange(30))
    told = Votes.from_long(batch.rows, np.where(batch.labels == 2, NONE_OF_THESE, batch.labels),
                           np.tile([0, 1], 30), num_examples=30, num_classes=2)  # fmt: skip
    found = dawid_skene(told)
    assert found.transitions.shape == (2, 2, 3) and (found.consensus == (np.arange(30) % 3 != 0)).all()


def test_one_who_did_not_vote_has_an_open_interval() -> None:
    votes = Votes.from_long([0, 0, 1, 1], [0, 0, 1, 1], [0, 2, 0, 2], num_examples=3, num_classes=2)
    found = dawid_skene(votes)
    assert (found.accuracy.low[1], found.accuracy.high[1], found.votes[1]) == (0, 1, 0)
    assert found.posterior[2] == pytest.approx(found.shares, abs=0.1)
    assert {each.annotator for each in found.ask_next(9)} <= {0, 2}


@pytest.mark.parametrize(
    ("votes", "options", "said"),
    [
        (Votes.from_labels([0, 1], num_classes=2), {}, "do not say who voted"),
        (Votes.from_long([0, 1], [0, 1], [0, 1], num_examples=2, num_classes=2), {}, "two or more have voted"),
        (NOISE.draw(TRUTH, seed=0), {"known": [0, 1]}, "known labels are 600 integers"),
        (NOISE.draw(TRUTH, seed=0), {"confidence_level": 2}, "confidence level"),
        (NOISE.draw(TRUTH, seed=0), {"seed": -1}, "a seed"),
    ],
)
def test_what_does_not_fit_is_refused(votes: Votes, options: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        dawid_skene(votes, **options)


def test_questions_that_cannot_be_asked_are_refused() -> None:
    found = dawid_skene(NOISE.draw(TRUTH, seed=0))
    with pytest.raises(InputError, match="number of questions"):
        found.ask_next(0)
    with pytest.raises(InputError, match=r"annotators are integers in \[0, 8\)"):
        found.ask_next(1, annotators=[8])
