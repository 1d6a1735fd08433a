"""No table of float64 over all examples and classes is made on the way from votes to noise and training."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch

from murk.learn.losses import EvidenceLoss, HAlpha, Pairs, PickedVote, SoftLabels
from murk.learn.scout import Scout, agreements
from murk.measure.expectation import Expectation, maximise
from murk.measure.source_votes import SourceVotes
from murk.measure.transition import free_transitions, transitions_of_surest
from murk.noise import Channel, Dilution

N, K = 300_000, 80
TABLE = 8 * N * K  # bytes
NOISE = Channel.symmetric(0.3, num_classes=K)
LABELS = np.arange(N) % K
VOTES = NOISE.draw(LABELS, seed=0)
CPU = torch.device("cpu")


def peak(call: Callable[[], Any]) -> int:
    """The most bytes of NumPy at a time while something is called; torch's own are not seen."""
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.fixture(scope="module")
def seen() -> Expectation:
    """Predictions in float32, right four times of five, and the votes."""
    rng = np.random.default_rng(0)
    probs = rng.random((N, K), dtype=np.float32)
    probs[range(N), np.where(rng.random(N) < 0.8, LABELS, rng.integers(0, K, N))] += 50
    np.log(probs / probs.sum(1, keepdims=True) + 1e-9, out=probs)
    return Expectation(SourceVotes.of(VOTES, by_annotator=False), probs)


def test_the_measure_sees_a_table() -> None:
    assert peak(lambda: np.zeros((N, K)) + 1) > TABLE


@pytest.mark.parametrize("loss", [EvidenceLoss, Pairs, SoftLabels, PickedVote])
def test_targets_are_made_in_pieces(loss) -> None:
    assert peak(lambda: loss().targets(VOTES, NOISE, LABELS, device=CPU)) < 0.75 * TABLE  # half of it is the float32


def test_targets_of_a_dilution_never_hold_all_its_votes() -> None:
    noise = Dilution(100, num_classes=K)
    votes = noise.draw(LABELS, seed=0)
    assert peak(lambda: EvidenceLoss().targets(votes, noise, None, device=CPU)) < min(TABLE, 8 * N * 101)
    assert peak(lambda: HAlpha().targets(votes, noise, LABELS, device=CPU)) < 1.1 * TABLE  # twice the float32


@pytest.mark.parametrize("loss", [EvidenceLoss, Pairs, PickedVote])
def test_targets_in_pieces_are_those_of_the_whole(monkeypatch, loss) -> None:
    noise = Channel.symmetric(0.4, num_classes=5, votes_per_example=3)
    votes = noise.draw(np.arange(1000) % 5, seed=1)
    known = np.where(np.arange(1000) % 7 == 0, np.arange(1000) % 5, -1)
    whole = loss().targets(votes, noise, known, device=CPU)
    monkeypatch.setattr(votes, "batches", partial(votes.batches, votes_at_once=70))  # 14 examples at a time
    pieces = loss().targets(votes, noise, known, device=CPU)
    everything = torch.arange(1000)
    torch.testing.assert_close(pieces.rows(everything), whole.rows(everything), rtol=0, atol=0)
    assert (pieces.shift == whole.shift).all()


def test_expectation_maximisation_reads_float32_in_blocks(seen) -> None:
    start = transitions_of_surest(seen)
    for call in (
        lambda: transitions_of_surest(seen),
        lambda: maximise(seen, start, free_transitions, steps=3),
        lambda: agreements(seen),
    ):
        assert peak(call) < 0.25 * TABLE
    assert peak(lambda: Scout(seen, np.arange(0), np.arange(0), start).evidence()) < 0.75 * TABLE


def test_float32_and_float64_lead_to_the_same_noise(seen) -> None:
    few = seen.rows(np.arange(20_000))
    exact = Expectation(few.votes, few.log_probs.astype(np.float64))
    found = [maximise(each, transitions_of_surest(each), free_transitions, steps=20) for each in (few, exact)]
    assert abs(found[0].transitions - found[1].transitions).max() < 1e-6
