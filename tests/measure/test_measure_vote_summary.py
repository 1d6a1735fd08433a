"""Summaries of votes: exact counts."""

from __future__ import annotations

import numpy as np
import pytest

import murk
from murk.errors import InputError
from murk.measure.vote_summary import summarise_votes


def test_counts_by_hand():
    votes = murk.Votes.from_matrix([[0, 0, 1], [2, -1, -1], [-1, -1, -1], [1, -2, 2]], num_classes=3)
    summary = summarise_votes(votes, labels=np.array([1, 2, 0, -1]))
    assert (summary.num_votes, summary.fewest, summary.most, summary.mean) == (7, 0, 3, 1.75)
    assert summary.agreement_with_majority == (2 + 1 + 1) / 7
    assert summary.agreement_with_truth == 2 / 4, "the example of unknown truth is left out"
    assert summary.votes_per_class == (2, 2, 2) and summary.noise_rate == 0.5


def test_without_truth_or_votes_shares_are_not_told():
    empty = murk.Votes.from_labels([-1, -1], num_classes=2)
    summary = summarise_votes(empty, labels=[0, 1])
    assert summary.agreement_with_majority is None and summary.noise_rate is None
    assert summarise_votes(murk.Votes.from_labels([1], num_classes=2)).agreement_with_truth is None


def test_batches_do_not_change_the_counts(monkeypatch):
    labels = np.arange(200) % 7
    votes = murk.Dilution(6, num_classes=7).draw(labels, seed=0)
    whole = summarise_votes(votes, labels=labels)
    batches = type(votes).batches
    monkeypatch.setattr(type(votes), "batches", lambda self, *_: batches(self, votes_at_once=50))
    assert summarise_votes(votes, labels=labels) == whole


def test_many_classes_take_no_table_of_examples_by_classes():
    votes = murk.Votes.from_labels(np.arange(1000), num_classes=100_000)
    assert summarise_votes(votes, labels=np.arange(1000)).agreement_with_truth == 1


def test_labels_of_another_length_are_refused():
    with pytest.raises(InputError, match="a label for each of 1"):
        summarise_votes(murk.Votes.from_labels([0], num_classes=2), labels=[0, 1])
