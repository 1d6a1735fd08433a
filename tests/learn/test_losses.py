"""Losses: one conformance suite for every registered loss, and the identities the evidence loss promises."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from murk.errors import InputError
from murk.learn.losses import LOSSES, Loss, loss_named
from murk.learn.targets import Targets
from murk.noise import Channel, Dilution, Flat, Votes, evidence_of, from_labels, pair_flip

CPU = torch.device("cpu")
K = 5
LABELS = np.array([0, 1, 2, 3, 4, 4, 0, 2])
NOISE = Dilution(6, num_classes=K)
VOTES = NOISE.draw(LABELS, seed=3)


def prepared(name: str, votes: Any = VOTES, noise: Any = NOISE) -> tuple[Loss, Targets]:
    loss = loss_named(name)
    return loss, loss.targets(votes, noise, LABELS, device=CPU)


def rows_of(targets: Targets) -> torch.Tensor:
    return targets.rows(torch.arange(len(targets)))


def some_logits(seed: int = 0, size: int = len(LABELS)) -> torch.Tensor:
    return torch.randn((size, K), generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("name", LOSSES)
def test_gradients_agree_with_finite_differences(name: str) -> None:
    loss, targets = prepared(name)
    rows = rows_of(targets).double()
    if isinstance(getattr(loss, "_transition", None), torch.Tensor):
        loss._transition = loss._transition.double()  # type: ignore[attr-defined]
    drawn = torch.full((len(LABELS),), 0.37, dtype=torch.float64)
    logits = some_logits().requires_grad_()
    assert torch.autograd.gradcheck(lambda x: loss(torch.log_softmax(x, 1), rows, drawn), (logits,))


@pytest.mark.parametrize("name", LOSSES)
def test_permuting_the_classes_leaves_the_held_out_loss_alone(name: str) -> None:
    order = np.array([3, 0, 4, 1, 2])  # new class k is old class order[k]
    rename = np.argsort(order)
    stored = [VOTES.batch([i]).labels for i in range(len(LABELS))]
    renamed = Votes.from_matrix(rename[np.stack(stored)], num_classes=K)
    log_probs = torch.log_softmax(some_logits().float(), 1)
    loss, targets = prepared(name)
    before = loss.held_out(log_probs, rows_of(targets))
    targets = loss.targets(renamed, NOISE, rename[LABELS], device=CPU)
    after = loss.held_out(log_probs[:, order], rows_of(targets))
    torch.testing.assert_close(after, before, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", LOSSES)
def test_extreme_logits_give_finite_losses_and_gradients(name: str) -> None:
    loss, targets = prepared(name)
    logits = (some_logits().float() * 30).requires_grad_()
    loss(torch.log_softmax(logits, 1), rows_of(targets), torch.full((len(LABELS),), 0.5)).sum().backward()
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()


@pytest.mark.parametrize("name", [name for name in LOSSES if name != "h-alpha"])
def test_an_example_without_votes_teaches_nothing(name: str) -> None:
    none = Votes.from_labels([-1, -1], num_classes=K)
    loss = loss_named(name)
    targets = loss.targets(none, Channel(Flat(K, 0.5)), None, device=CPU)
    logits = some_logits(size=2).float().requires_grad_()
    loss(torch.log_softmax(logits, 1), rows_of(targets), torch.tensor([0.1, 0.9])).sum().backward()
    assert logits.grad is not None
    torch.testing.assert_close(logits.grad, torch.zeros_like(logits), atol=1e-6, rtol=0)


@given(st.integers(0, 10_000))
@settings(max_examples=25, deadline=None)
def test_evidence_of_clean_labels_is_cross_entropy_exactly(seed: int) -> None:
    logits = some_logits(seed)
    rows = rows_of(loss_named("evidence").targets(from_labels(LABELS, K), None, None, device=CPU)).double()
    ours = loss_named("evidence")(torch.log_softmax(logits, 1), rows)
    assert torch.equal(ours, -torch.log_softmax(logits, 1)[torch.arange(len(LABELS)), torch.from_numpy(LABELS)])


def test_evidence_of_one_vote_is_forward_correction() -> None:
    rows = np.array(
        [[0.6, 0.2, 0.1, 0.1, 0], [0, 0.7, 0.1, 0.1, 0.1], [0.2] * 5, [0, 0, 0, 1, 0], [0.3, 0, 0.1, 0, 0.6]]
    )
    noise = Channel(rows)
    votes = np.array([0, 1, 2, 3, 4, 0, 1, 2])
    targets = loss_named("evidence").targets(Votes.from_labels(votes, num_classes=K), noise, None, device=CPU)
    probs = torch.softmax(some_logits(), 1)
    forward = -torch.log((probs @ torch.from_numpy(rows))[torch.arange(8), torch.from_numpy(votes)])
    ours = loss_named("evidence")(torch.log(probs), rows_of(targets).double()) - torch.from_numpy(targets.shift)
    torch.testing.assert_close(ours, forward, rtol=1e-6, atol=1e-7)


def test_evidence_of_exact_dilution_is_the_likelihood_of_the_votes() -> None:
    """Against a sum over which of the votes is the clean one, written out."""
    noise = Dilution(3, num_classes=K, pattern=pair_flip(K, 0.4))
    votes = noise.draw(LABELS, seed=1)
    q = noise.pattern.matrix()
    probs = torch.softmax(some_logits(), 1).numpy()
    expected = []
    for i in range(len(LABELS)):
        given_votes = votes.batch([i]).labels
        total = 0.0
        for j in range(K):
            for clean in range(4):
                others = np.prod([q[j, v] for s, v in enumerate(given_votes) if s != clean])
                total += probs[i, j] * (given_votes[clean] == j) / 4 * others
        expected.append(-np.log(total))
    targets = loss_named("evidence").targets(votes, noise, None, device=CPU)
    ours = loss_named("evidence")(torch.log(torch.from_numpy(probs)), rows_of(targets).double()).numpy()
    np.testing.assert_allclose(ours - targets.shift, expected, rtol=1e-5)


def test_pairs_visits_every_vote_equally_often() -> None:
    loss, targets = prepared("pairs")
    log_probs = torch.log_softmax(some_logits(), 1)
    grid = (torch.arange(7 * 40, dtype=torch.float64) + 0.5) / (7 * 40)
    visits = torch.stack([loss(log_probs, rows_of(targets).double(), torch.full((8,), float(u))) for u in grid])
    torch.testing.assert_close(
        visits.mean(0), loss.held_out(log_probs, rows_of(targets).double()), rtol=1e-6, atol=1e-6
    )


def test_pairs_never_picks_a_class_without_votes() -> None:
    rows = torch.tensor([[0.1] * 3 + [0.7, 0.0]])  # sums to 1 only up to rounding
    log_probs = torch.tensor([[-1.0, -2.0, -3.0, -4.0, -50.0]])
    for drawn in (1 - 2.0**-33, 2.0**-33, 0.5):
        assert loss_named("pairs")(log_probs, rows, torch.tensor([drawn], dtype=torch.float64)) < 50


def test_h_alpha_is_label_smoothing() -> None:
    loss, targets = prepared("h-alpha")
    epsilon = 6 / 7
    smoothed = torch.nn.functional.cross_entropy(
        some_logits(), torch.from_numpy(LABELS), label_smoothing=epsilon, reduction="none"
    )
    ours = loss(torch.log_softmax(some_logits(), 1), rows_of(targets).double())
    torch.testing.assert_close(ours, smoothed, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("pattern", [pair_flip(K, 0.4), Flat(K, 1.0)])
def test_composite_is_finite_where_the_transition_forbids_votes(pattern: Any) -> None:
    """The gradient of 0 x log 0 is NaN unless it is set aside before the logarithm."""
    loss = loss_named("composite")
    rows = rows_of(loss.targets(Votes.from_labels(LABELS, num_classes=K), Channel(pattern), None, device=CPU))
    logits = (some_logits().float() * 200).requires_grad_()
    losses = loss(torch.log_softmax(logits, 1), rows)
    losses.sum().backward()
    assert torch.isfinite(losses).all()
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()


def test_soft_labels_is_the_mean_of_pairs_and_composite_at_no_noise_is_cross_entropy() -> None:
    log_probs = torch.log_softmax(some_logits(), 1)
    soft, targets = prepared("soft-labels")
    pairs, _ = prepared("pairs")
    assert torch.equal(soft(log_probs, rows_of(targets)), pairs.held_out(log_probs, rows_of(targets)))
    clean = Votes.from_labels(LABELS, num_classes=K)
    loss = loss_named("composite")
    rows = rows_of(loss.targets(clean, Channel(Flat(K, 1.0)), None, device=CPU))
    ours = loss(log_probs.float(), rows)
    torch.testing.assert_close(ours, -log_probs.float()[torch.arange(8), torch.from_numpy(LABELS)])


def test_sparse_rows_equal_dense_rows() -> None:
    classes = 400
    labels = np.arange(0, classes, 7)
    noise = Dilution(9, num_classes=classes)
    votes = noise.draw(labels, seed=0)
    evidence = evidence_of(votes, noise)
    assert evidence.is_sparse
    targets = Targets.of_evidence(evidence, device=CPU)
    index = torch.tensor([3, 0, 5, 3])
    expected = evidence.dense()[index.numpy()] - targets.shift[index.numpy(), None]
    np.testing.assert_allclose(targets.rows(index).numpy(), expected, rtol=1e-5)
    counts = Targets.of_counts(votes.counts(), device=CPU)
    np.testing.assert_array_equal(counts.rows(index).numpy(), votes.counts().toarray()[index.numpy()])


@pytest.mark.parametrize(
    ("name", "votes", "noise", "words"),
    [
        ("evidence", VOTES, None, "noise=None"),
        ("h-alpha", VOTES, Channel(Flat(K, 0.5)), "Dilution"),
        ("composite", VOTES, None, "one T"),
        ("soft-labels", from_labels(LABELS, K), None, "evidence came"),
    ],
)
def test_a_loss_without_what_it_needs_is_refused(name: str, votes: Any, noise: Any, words: str) -> None:
    with pytest.raises(InputError, match=words):
        loss_named(name).targets(votes, noise, LABELS, device=CPU)


def test_h_alpha_without_the_truth_is_refused() -> None:
    with pytest.raises(InputError, match="known=labels"):
        loss_named("h-alpha").targets(VOTES, NOISE, None, device=CPU)


def test_an_unknown_loss_is_refused_with_the_known_ones() -> None:
    with pytest.raises(InputError, match="soft-labels"):
        loss_named("evidense")
