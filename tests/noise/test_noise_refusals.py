"""Impossible noise is refused, with every fault that can be seen and what was expected."""

from __future__ import annotations

import numpy as np
import pytest

from murk.errors import InputError
from murk.noise import (
    Annotators,
    Channel,
    Dilution,
    Flat,
    Matrix,
    Structured,
    Uniform,
    Votes,
    confusion_ranking,
    evidence_of,
    noise_from_state,
    noise_state,
    pair_flip,
    random_ranking,
)

NAN_ROWS = np.array([[np.nan, 1.0], [0.5, 0.5]])
RANKING = random_ranking(10, seed=0)


@pytest.mark.parametrize(
    ("make", "fault"),
    [
        (lambda: Dilution(-1, num_classes=3), r"alpha \(random votes per clean one\) is a whole number >= 0, but -1"),
        (lambda: Dilution(2.5, num_classes=3), r"but 2\.5 came"),
        (lambda: Dilution(2.0, num_classes=3), r"but 2\.0 came"),
        (lambda: Dilution(np.nan, num_classes=3), "but nan came"),
        (lambda: Dilution(True, num_classes=3), "but True came"),
        (lambda: Dilution("20", num_classes=3), "but '20' came"),
        (lambda: Dilution(2, num_classes=1), "num_classes is a whole number >= 2, but 1"),
        (lambda: Dilution(2, num_classes=3, pattern=Uniform(4)), "pattern has 4 classes, but num_classes is 3"),
        (lambda: Dilution(2, num_classes=3, pattern="uniform"), "Uniform.K., Flat, Matrix or Structured"),
        (lambda: Dilution(2, num_classes=2, pattern=Matrix([[0.5, 0.4, 0.1]] * 2)), "square pattern"),
        (lambda: Dilution(9, num_classes=10, pattern=Structured(1.0, RANKING)), "alpha >= K delta = 10, but alpha 9"),
        (lambda: Structured(1.5, RANKING), r"delta lies in \[0, 1\], but 1\.5"),
        (lambda: Structured(np.nan, RANKING), "but nan"),
        (lambda: Structured("1", RANKING), "but '1' came"),
        (lambda: Structured(0.5, [[1], [0]]), "more than two classes"),
        (lambda: Structured(0.5, [[0, 1], [0, 2], [0, 1]]), "every class but j once, but row 0 does not"),
        (lambda: Structured(0.5, RANKING.astype(float)), "integer table"),
        (lambda: Structured(0.5, RANKING[:4]), r"\[K, K-1\], but int64 of shape \(4, 9\)"),
        (lambda: Structured(0.5, RANKING).at(20.0), "alpha is a whole number"),
        (lambda: Matrix([[0.5, 0.4], [0.5, 0.5]]), "each row sums to one, but row 0 sums to 0.9"),
        (lambda: Matrix([[1.5, -0.5], [0.5, 0.5]]), "probabilities are >= 0, but -0.5"),
        (lambda: Matrix(NAN_ROWS), "finite, but NaN"),
        (lambda: Matrix([[np.inf, 0], [0, 1]]), "finite"),
        (lambda: Matrix([[1.0, 0.0]]), r"\[K, K\] with K >= 2 .* but \(1, 2\) came"),
        (lambda: Matrix(np.full((2, 4), 0.25)), r"but \(2, 4\) came"),
        (lambda: Matrix([0.5, 0.5]), r"the shape \(2,\) came"),
        (lambda: Matrix([[1.0, 0.0], [1.0]]), "rows of one length"),
        (lambda: Matrix("T.csv"), "as numbers"),
        (lambda: Flat(3, 1.1), r"lies in \[0, 1\], but 1\.1"),
        (lambda: Flat(3, None), "but None came"),
        (lambda: Uniform(1), "but 1 came"),
        (lambda: pair_flip(3, -0.1), "a flip rate"),
        (lambda: Channel(np.eye(3), votes_per_example=0), "votes_per_example is a whole number >= 1, but 0"),
        (lambda: Channel(Structured(0.5, RANKING)), "needs an alpha"),
        (lambda: Channel.symmetric(0.9, num_classes=10), r"\[0, \(K-1\)/K\) = \[0, 0\.9\), but 0\.9"),
        (lambda: Channel.symmetric(-0.1, num_classes=10), "but -0.1"),
        (lambda: Channel.symmetric(np.nan, num_classes=10), "but nan"),
        (lambda: Channel.symmetric(0.1, num_classes=0), "num_classes"),
        (lambda: Annotators(np.eye(3)), r"one matrix an annotator, \[A, K, K\]"),
        (lambda: Annotators(np.zeros((0, 3, 3))), r"the shape \(0, 3, 3\)"),
        (lambda: Annotators([np.eye(2), NAN_ROWS]), "annotator 1: probabilities are finite"),
        (lambda: Annotators([np.eye(2)], votes_per_example=2), "nobody votes twice"),
        (lambda: Annotators([[[1, 0], [0]]]), "rows of one length"),
        (lambda: confusion_ranking([[1, 2]]), r"square and finite, but the shape \(1, 2\)"),
        (lambda: confusion_ranking([[1, np.nan], [0, 1]]), "with NaN"),
        (lambda: random_ranking(1, seed=0), "num_classes"),
    ],
)
def test_impossible_noise_is_refused(make, fault):
    with pytest.raises(InputError, match=fault):
        make()


@pytest.mark.parametrize(
    ("make", "faults"),
    [
        (lambda: Dilution(-1, num_classes=1, pattern=3), ("alpha", "num_classes", "a pattern is")),
        (
            lambda: Dilution(2, num_classes=4, pattern=Structured(1.0, RANKING)),
            ("alpha >= K delta", "the pattern has 10 classes"),
        ),
        (lambda: Structured(2, [[1], [0]]), ("delta", "two classes")),
        (lambda: Matrix([[1.5, -0.5], [0.5, 0.4]]), ("probabilities are >= 0", "row 1 sums to 0.9")),
        (lambda: Flat(1, 2), ("num_classes", "the chance of a right label")),
        (lambda: Channel([[0.5, 0.4], [0, 1]], votes_per_example=0), ("votes_per_example", "row 0 sums to 0.9")),
        (lambda: Annotators([NAN_ROWS, [[1, 1], [0, 1]]], 5), ("annotator 0", "annotator 1", "votes_per_example")),
        (lambda: Channel.symmetric(2, num_classes=1), ("num_classes", "a rate of symmetric noise")),
        (lambda: random_ranking(1, seed=-1), ("num_classes", "a seed")),
    ],
)
def test_all_faults_are_named_together(make, faults):
    with pytest.raises(InputError) as caught:
        make()
    for fault in faults:
        assert fault in str(caught.value)


@pytest.mark.parametrize(
    ("votes", "noise", "fault"),
    [
        (Votes.from_matrix([[0, 1]], num_classes=3), Dilution(2, num_classes=3), "has 3 votes, but example 0 has 2"),
        (
            Votes.from_long([0], [0], num_examples=1, num_classes=3, weight=[2.0]),
            Dilution(1, num_classes=3),
            "weighted ones came; use `independent",
        ),
        (Votes.from_labels([0], num_classes=3), Annotators(np.eye(3)[None]), "do not say who voted"),
        (
            Votes.from_long([0], [0], [4], num_examples=1, num_classes=3),
            Annotators(np.eye(3)[None]),
            r"annotators lie in \[0, 1\), but 4 came",
        ),
    ],
)
def test_votes_that_the_model_cannot_weigh_are_refused(votes, noise, fault):
    with pytest.raises(InputError, match=fault):
        evidence_of(votes, noise)


def test_the_example_with_a_wrong_number_of_votes_is_named_by_the_callers_number():
    votes = Votes.from_matrix([[0, 1], [0, -1]], num_classes=3)
    with pytest.raises(InputError, match="example 1 has 1"):
        Dilution(1, num_classes=3).log_evidence(votes.batch([0, 1]))


@pytest.mark.parametrize(
    "state",
    [
        {},
        None,
        {"kind": "magic"},
        {"kind": "dilution", "alpha": 2, "num_classes": 3},
        {"kind": "dilution", "alpha": 2, "num_classes": 3, "pattern": None},
        {"kind": "dilution", "alpha": -2, "num_classes": 3, "pattern": {"kind": "uniform", "num_classes": 3}},
        {"kind": "channel", "transition": {"kind": "matrix", "rows": [[1], [2, 3]]}, "votes_per_example": 1},
        {"kind": "channel", "transition": {"kind": "shape"}, "votes_per_example": 1},
        {"kind": "annotators", "transitions": "x", "votes_per_example": 1},
    ],
)
def test_a_garbled_description_of_a_noise_model_is_refused(state):
    with pytest.raises(InputError):
        noise_from_state(state)


def test_a_model_that_murk_does_not_know_is_not_written():
    with pytest.raises(InputError, match="only Dilution, Channel and Annotators"):
        noise_state("noise")
