"""Dependence: independent sources count in full, copies as one, and the likelihood of the rest is left as it was."""

from __future__ import annotations

import numpy as np
import pytest

from murk.errors import InputError
from murk.measure import estimate_transition
from murk.measure.dependence import tempering_of
from murk.measure.expectation import Expectation
from murk.measure.shrinkage import tilt, tilted
from murk.measure.source_votes import SourceVotes
from murk.noise import Annotators, Channel, Matrix, Votes, evidence_of

K, N = 3, 6000
LABELS = np.random.default_rng(0).integers(0, K, N)
PREDICTED = (LABELS + (np.random.default_rng(9).random(N) < 0.02) * np.random.default_rng(8).integers(1, K, N)) % K
SURE = np.log(np.where(np.eye(K)[PREDICTED] > 0, 0.98, 0.01))  # and right as often


def noisy(rate: float, seed: int) -> np.ndarray:
    return Channel.symmetric(rate, num_classes=K).draw(LABELS, seed=seed).batch(np.arange(N)).labels


def flat(rate: float) -> np.ndarray:
    return Channel.symmetric(rate, num_classes=K).transition.matrix()


def tempering(columns: list[np.ndarray], rates: list[float], **how: float) -> np.ndarray:
    votes = SourceVotes.of(Votes.from_matrix(np.stack(columns, 1), num_classes=K), by_annotator=True)
    return tempering_of(Expectation(votes, SURE), np.stack([flat(rate) for rate in rates]), **how)


def test_independent_sources_count_in_full() -> None:
    """The other sources' correlations sum to deviation sqrt(3 / (N (K - 1))): .016, of which 5 are allowed."""
    shares = tempering([noisy(0.3, seed) for seed in range(4)], [0.3] * 4)
    assert shares.min() > 1 / 1.08
    assert shares.max() <= 1


def test_copies_count_together_as_one_and_leave_the_others_alone() -> None:
    copied, own = noisy(0.4, 7), noisy(0.3, 8)
    shares = tempering([copied, copied, copied, copied, own], [0.4] * 4 + [0.3])
    np.testing.assert_allclose(shares[:4], 0.25, atol=0.04)  # the posterior has seen them, and leaves a little less
    assert shares[4].min() > 1 / 1.08


def test_power_and_what_none_of_these_counts() -> None:
    copied = noisy(0.4, 7)
    half = tempering([copied, copied], [0.4] * 2, power=0.5)
    np.testing.assert_allclose(half, 0.5**0.5, atol=0.02)
    np.testing.assert_array_equal(tempering([copied, copied], [0.4] * 2, power=0.0), 1.0)
    silent = np.where(np.random.default_rng(1).random(N) < 0.5, -2, copied)
    votes = SourceVotes.of(Votes.from_matrix(np.stack([silent, silent], 1), num_classes=K), by_annotator=True)
    rows = np.concatenate([flat(0.4) / 2, np.full((K, 1), 0.5)], 1)
    shares = tempering_of(Expectation(votes, SURE), np.stack([rows, rows]), none=0.0)
    assert (shares[:, 1] == 0).all()
    np.testing.assert_allclose(shares[:, 0], 0.5, atol=0.02)


def test_a_source_that_says_nothing_or_is_absent_counts_in_full() -> None:
    votes = SourceVotes.of(
        Votes.from_long([0, 1, 2, 3], [0, 1, 2, 0], [0, 0, 2, 2], num_examples=N, num_classes=K), by_annotator=True
    )
    shares = tempering_of(Expectation(votes, SURE), np.full((3, K, K), 1 / K))
    np.testing.assert_array_equal(shares, 1.0)


def test_tilted_transitions_are_found_again_from_their_own_counts() -> None:
    base = np.array([[0.2, 0.0, 0.8, 0.0], [0.25, 0.25, 0.25, 0.25], [0.01, 0.01, 0.08, 0.9]])[:, [0, 1, 3, 2]]
    truth = tilt(base, np.array([8.0, 3.0, 20.0]), K)
    members = np.array([50_000.0, 30_000.0, 20_000.0])
    np.testing.assert_allclose(tilted(members[None, :, None] * truth), truth, atol=2e-3)
    np.testing.assert_allclose(truth.sum(2), 1)


def test_a_tilt_is_never_below_chance() -> None:
    """A source that is right less often than chance says nothing, rather than the contrary."""
    votes = np.full((1, K, K), 100.0) - 90 * np.eye(K)
    np.testing.assert_allclose(tilted(votes)[0], np.full((K, K), 1 / K), atol=1e-3)


def test_annotators_count_as_much_as_their_tempering_says() -> None:
    rows = np.array([[[0.6, 0.2, 0.2], [0.1, 0.7, 0.2]], [[0.5, 0.5, 0.0], [0.2, 0.2, 0.6]]])
    votes = Votes.from_matrix([[0, 1], [1, -2], [-2, -1]], num_classes=2)
    tempered = Annotators(rows, tempering=[[0.5, 0.25], [1.0, 0.0]])
    plain = np.log(rows.clip(1e-300))
    expected = [0.5 * plain[0, :, 0] + plain[1, :, 1], 0.5 * plain[0, :, 1], 0.25 * plain[0, :, 2]]
    np.testing.assert_allclose(evidence_of(votes, tempered).dense(), expected)  # an impossible vote that counts nothing
    shares = np.ones((2, 2))
    assert Annotators(rows, tempering=shares).tempering is not shares
    shares[0, 0] = 0.5  # the caller's own array stays writable, and apart
    assert tempered != Annotators(rows)
    assert tempered == Annotators(rows, tempering=[[0.5, 0.25], [1.0, 0.0]])


@pytest.mark.parametrize("wrong", [[[0.5, 0.5]], [[0.5, 1.5], [1, 1]], [0.5, 0.5], [[np.nan, 1], [1, 1]]])
def test_tempering_that_cannot_be_is_refused(wrong: list[float]) -> None:
    with pytest.raises(InputError, match="tempering"):
        Annotators(np.stack([flat(0.1)] * 2), tempering=wrong)


def test_estimates_under_tempering_give_each_annotator_a_transition_and_refuse_other_shapes() -> None:
    columns = np.stack([noisy(0.3, seed) for seed in range(3)], 1)
    votes = Votes.from_matrix(columns, num_classes=K)
    shares = np.full((3, 2), 0.5)
    found = estimate_transition(np.exp(SURE) / np.exp(SURE).sum(1, keepdims=True), votes, by_annotator=True,
                                tempering=shares)  # fmt: skip
    assert found.family == "a transition for each annotator"
    assert isinstance(found.noise, Annotators)
    np.testing.assert_allclose(found.noise.tempering, 0.5)
    np.testing.assert_allclose(found.noise.transitions, np.stack([flat(0.3)] * 3), atol=0.05)
    assert "counts as 50% to 50%" in found.sentences()[-1]
    with pytest.raises(InputError, match="tempering is"):
        estimate_transition(np.exp(SURE) / np.exp(SURE).sum(1, keepdims=True), votes, by_annotator=True,
                            tempering=shares[:2])  # fmt: skip


def test_none_of_these_is_no_wrong_label() -> None:
    """Half of the answers name no class; of those that do, a fifth is wrong."""
    rows = np.concatenate([0.5 * flat(0.2), np.full((K, 1), 0.5)], axis=1)
    votes = Channel(Matrix(rows)).draw(LABELS, seed=3)
    found = estimate_transition(np.exp(SURE) / np.exp(SURE).sum(1, keepdims=True), votes)
    assert found.noise_rate.value == pytest.approx(0.2, abs=0.03)
    assert found.noise_rate.low < 0.2 < found.noise_rate.high
    np.testing.assert_allclose(found.margin.value, 0.35, atol=0.03)
    assert found.sentences()[1].startswith("Plain training would have been enough")
