"""The pieces in a training loop of one's own: the losses as functions, averaging, selection, and all together."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel
from torch.utils.data import DataLoader, Subset

import murk
from murk.errors import InputError
from murk.learn.averaging import average_weights, polynomial_average
from murk.learn.functional import composite_loss, evidence_loss, h_alpha_loss, pairs_loss, soft_label_loss
from murk.learn.selection import Selection, held_out_examples
from murk.learn.voted_dataset import VotedDataset

DIGITS = murk.load("digits")
T = np.array([[0.6, 0.3, 0.1], [0.2, 0.5, 0.3], [0.1, 0.1, 0.8]])
LOGITS = torch.tensor([[0.3, -1.2, 2.0], [0.0, 0.5, -0.5]])


def leaf(logits: Tensor) -> Tensor:
    return logits.clone().requires_grad_(True)


# the losses


def test_one_clean_label_makes_the_evidence_loss_cross_entropy() -> None:
    labels = torch.tensor([2, 0])
    log_evidence = torch.full((2, 3), -math.inf)
    log_evidence[torch.arange(2), labels] = 0
    ours, theirs = leaf(LOGITS), leaf(LOGITS)
    loss, expected = evidence_loss(ours, log_evidence), functional.cross_entropy(theirs, labels)
    torch.testing.assert_close(loss, expected)
    loss.backward()
    expected.backward()
    torch.testing.assert_close(ours.grad, theirs.grad)


def test_an_item_without_votes_gives_no_loss_and_no_gradient() -> None:
    logits = leaf(LOGITS)
    losses = evidence_loss(logits, torch.zeros(2, 3), reduction="none")
    torch.testing.assert_close(losses, torch.zeros(2), atol=1e-6, rtol=0)
    losses.sum().backward()
    torch.testing.assert_close(logits.grad, torch.zeros(2, 3), atol=1e-6, rtol=0)
    for loss in (pairs_loss(logits, torch.zeros(2, 3), torch.tensor([0.2, 0.9])),
                 soft_label_loss(logits, torch.zeros(2, 3)), composite_loss(logits, torch.zeros(2, 3), T)):  # fmt: skip
        assert loss.item() == 0


def test_one_vote_with_t_makes_the_evidence_loss_forward_correction() -> None:
    votes = torch.tensor([1, 2])
    loss = evidence_loss(LOGITS, torch.tensor(T, dtype=torch.float32).log().T[votes])
    corrected = torch.softmax(LOGITS, 1) @ torch.tensor(T, dtype=torch.float32)
    torch.testing.assert_close(loss, functional.nll_loss(corrected.log(), votes))


def test_h_alpha_is_label_smoothing() -> None:
    noise, labels = murk.Dilution(4, num_classes=3), torch.tensor([2, 0])
    loss = h_alpha_loss(LOGITS, labels, noise.transition.matrix())
    torch.testing.assert_close(loss, functional.cross_entropy(LOGITS, labels, label_smoothing=4 / 5))


def test_soft_labels_are_cross_entropy_against_shares_and_composite_adds_up_corrected_votes() -> None:
    counts = torch.tensor([[1.0, 3.0, 0.0], [0.0, 0.0, 2.0]])
    shares = counts / counts.sum(1, keepdim=True)
    torch.testing.assert_close(soft_label_loss(LOGITS, counts), functional.cross_entropy(LOGITS, shares))
    one_by_one = [
        evidence_loss(LOGITS[[row]], torch.tensor(T, dtype=torch.float32).log()[:, [vote]].T) * counts[row, vote]
        for row in range(2)
        for vote in range(3)
    ]
    torch.testing.assert_close(composite_loss(LOGITS, counts, T, reduction="sum"), torch.stack(one_by_one).sum())


@given(st.lists(st.integers(0, 3), min_size=3, max_size=3).filter(any), st.floats(0, 1, exclude_max=True))
@settings(max_examples=60, deadline=None)
def test_pairs_takes_vote_number_u_v_of_the_votes_in_order_of_class(counts: list[int], uniform: float) -> None:
    votes = [k for k, count in enumerate(counts) for _ in range(count)]
    drawn = torch.tensor([uniform], dtype=torch.float64)
    loss = pairs_loss(LOGITS[:1], torch.tensor([counts]), drawn)
    near = [functional.cross_entropy(LOGITS[:1], torch.tensor([votes[int(at)]])) for at in
            np.clip([uniform * len(votes) - 1e-9, uniform * len(votes) + 1e-9], 0, len(votes) - 1e-6)]  # fmt: skip
    assert any(torch.isclose(loss, each) for each in near)  # both neighbours where u V is a whole number


@given(st.permutations(range(3)))
@settings(max_examples=6, deadline=None)
def test_naming_the_classes_otherwise_changes_no_loss(order: list[int]) -> None:
    counts, table = torch.tensor([[1.0, 3.0, 0.0], [0.0, 0.0, 2.0]]), T[np.ix_(order, order)]
    moved = LOGITS[:, order]
    torch.testing.assert_close(evidence_loss(moved, counts[:, order]), evidence_loss(LOGITS, counts))
    torch.testing.assert_close(soft_label_loss(moved, counts[:, order]), soft_label_loss(LOGITS, counts))
    torch.testing.assert_close(composite_loss(moved, counts[:, order], table), composite_loss(LOGITS, counts, T))


def test_half_precision_logits_are_computed_with_in_float32() -> None:
    logits = LOGITS.to(torch.bfloat16)
    expected = evidence_loss(logits.float(), torch.zeros(2, 3) - 1)
    assert torch.equal(evidence_loss(logits, torch.zeros(2, 3) - 1), expected)


LOSSES: dict[str, Callable[[Tensor, Tensor, str], Tensor]] = {
    "evidence": lambda logits, rows, way: evidence_loss(logits, rows, reduction=way),
    "pairs": lambda logits, rows, way: pairs_loss(logits, rows, torch.full((len(logits),), 0.4), reduction=way),
    "soft labels": lambda logits, rows, way: soft_label_loss(logits, rows, reduction=way),
    "composite": lambda logits, rows, way: composite_loss(logits, rows, T, reduction=way),
    "h-alpha": lambda logits, rows, way: h_alpha_loss(logits, rows.argmax(1), T, reduction=way),
}


@pytest.mark.parametrize("name", LOSSES)
def test_every_loss_keeps_to_its_reduction_and_its_shapes(name: str) -> None:
    loss, rows = LOSSES[name], torch.tensor([[1.0, 3.0, 0.0], [0.0, 0.0, 2.0]])
    each = loss(LOGITS, rows, "none")
    assert each.shape == (2,)
    torch.testing.assert_close(loss(LOGITS, rows, "mean"), each.mean())
    torch.testing.assert_close(loss(LOGITS, rows, "sum"), each.sum())
    with pytest.raises(InputError, match="mean, sum, none"):
        loss(LOGITS, rows, "average")
    for wrong in (rows[:1], rows[:, :2], rows[:, :, None]):
        if name != "h-alpha":
            with pytest.raises(InputError, match=r"\[2, 3\]"):
                loss(LOGITS, wrong, "mean")


def test_what_h_alpha_composite_and_pairs_need_besides_is_refused_in_another_shape() -> None:
    counts = torch.ones(2, 3)
    with pytest.raises(InputError, match=r"T as \[K, K\] for the 3 classes"):
        composite_loss(LOGITS, counts, T[:2])
    with pytest.raises(InputError, match=r"labels hold one class an example"):
        h_alpha_loss(LOGITS, torch.tensor([1]), T)
    with pytest.raises(IndexError):
        h_alpha_loss(LOGITS, torch.tensor([1, -1]), T)
    with pytest.raises(InputError, match=r"uniforms hold one number an example"):
        pairs_loss(LOGITS, counts, torch.tensor([0.5]))


# averaging


def walk(steps: int) -> list[nn.Sequential]:
    """A model at several steps: weights that move and running statistics that follow."""
    generator = torch.Generator().manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
    path = []
    for _ in range(steps):
        with torch.no_grad():
            for weight in model.parameters():
                weight.add_(torch.randn(weight.shape, generator=generator))
            model(torch.randn(8, 3, generator=generator))
        path.append(copy.deepcopy(model))
    return path


def test_torchs_averaged_model_averages_as_fit_does_running_statistics_too() -> None:
    path = walk(12)
    theirs = AveragedModel(path[0], multi_avg_fn=polynomial_average, use_buffers=True)
    ours = copy.deepcopy(path[0])
    for step, model in enumerate(path):
        theirs.update_parameters(model)
        average_weights(ours, model, step=step)
    torch.testing.assert_close(dict(theirs.module.state_dict()), dict(ours.state_dict()))
    assert int(theirs.module[1].num_batches_tracked) == 12


def test_the_mean_is_over_the_recent_weights_as_the_source_says() -> None:
    """With eta = 8 the average after n steps weighs step t by 9 (t)(t + 1) .. (t + 7) / (n (n + 1) .. (n + 8))."""
    path, n = walk(12), 12
    average = AveragedModel(path[0], multi_avg_fn=polynomial_average, use_buffers=True)
    for model in path:
        average.update_parameters(model)
    weights = [9 * math.prod(range(t, t + 8)) / math.prod(range(n, n + 9)) for t in range(1, n + 1)]
    assert sum(weights) == pytest.approx(1)
    expected = sum(weight * model[0].weight for weight, model in zip(weights, path, strict=True))
    torch.testing.assert_close(average.module[0].weight, expected)


def test_an_average_that_was_kept_goes_on_where_it_stopped() -> None:
    path = walk(6)
    whole, first, second = (AveragedModel(path[0], multi_avg_fn=polynomial_average, use_buffers=True) for _ in range(3))
    for model in path:
        whole.update_parameters(model)
    for model in path[:3]:
        first.update_parameters(model)
    second.load_state_dict(first.state_dict())
    for model in path[3:]:
        second.update_parameters(model)
    assert all(torch.equal(a, b) for a, b in zip(whole.buffers(), second.buffers(), strict=True))
    assert all(torch.equal(a, b) for a, b in zip(whole.parameters(), second.parameters(), strict=True))


# selection


def test_selection_takes_tensors_and_goes_on_where_it_stopped() -> None:
    losses = [torch.tensor([1.5, 1.25, 1.0]), torch.tensor([1.0, 0.75, 0.5]), torch.tensor([2.0, 2.25, 2.5])]
    selection = Selection()
    taken = [selection.offer(epoch, each.requires_grad_(True)) for epoch, each in enumerate(losses[:2])]
    again = Selection(selection.best, selection.selected, selection.best_losses)
    assert [*taken, again.offer(2, losses[2].tolist())] == [True, True, False]
    assert again.selected == 1


@pytest.mark.parametrize(
    ("losses", "told"),
    [
        (np.float32(1.0), r"\[H\]"), (np.ones((2, 1)), r"\[H\], but \[2, 1\] came"), ([1.0], "same 2 held-out"),
        ([1.0, math.nan], "example 1 is nan"), ([math.inf, 1.0], "example 0 is inf"), (["a", "b"], "as numbers"),
    ],
)  # fmt: skip
def test_losses_that_cannot_be_compared_are_refused_and_nothing_changes(losses: Any, told: str) -> None:
    selection = Selection()
    selection.offer(1, [1.0, 2.0])
    with pytest.raises(InputError, match=told):
        selection.offer(2, losses)
    assert (selection.best, selection.selected, selection.best_losses.tolist()) == (1, 1, [1.0, 2.0])


# all of it


def test_a_loop_of_these_pieces_learns_from_labels_most_of_which_are_wrong() -> None:
    """Ten random labels drown each right one. A guess is right on one of 500 images in ten; that more than 200 are
    right has a chance below 1e-70 then. It would catch votes that are given to other items than their own."""
    noise = murk.Dilution(10, num_classes=10)
    voted = VotedDataset(DIGITS.train, noise.draw(DIGITS.train.labels, seed=0), noise=noise)
    training, held = held_out_examples(len(voted), 0.1, seed=0)
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.003)
    average = AveragedModel(model, multi_avg_fn=polynomial_average, use_buffers=True)
    selection, kept = Selection(), {}
    batches = DataLoader(Subset(voted, training), batch_size=64, shuffle=True)
    for epoch in range(1, 9):
        for images, log_evidence in batches:
            optimizer.zero_grad()
            evidence_loss(model(images / 255), log_evidence).backward()
            optimizer.step()
            average.update_parameters(model)
        with torch.no_grad():
            losses = [evidence_loss(average(images / 255), rows, reduction="none")
                      for images, rows in DataLoader(Subset(voted, held), batch_size=512)]  # fmt: skip
        if selection.offer(epoch, torch.cat(losses)):
            kept = copy.deepcopy(average.module.state_dict())
    model.load_state_dict(kept)
    with torch.no_grad():
        found = model(torch.tensor(DIGITS.test.images) / 255).argmax(1).numpy()
    assert int((found == DIGITS.test.labels).sum()) > 200
