"""What each method promises by itself: its equation, its limits, and closed forms where there are any."""

from __future__ import annotations

import copy
import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import murk
from murk.errors import InputError
from murk.learn.fingerprint import fingerprint_of
from murk.learn.losses import HAlpha, PickedVote, cross_entropy
from murk.learn.methods import (
    Averaging,
    Batch,
    CoTeaching,
    CrossEntropy,
    Elr,
    Forward,
    Gce,
    JSam,
    LabelSmoothing,
    LSam,
    Mixup,
    NSam,
    OneSam,
    Penalty,
    Sop,
    anchor_transition,
)  # fmt: skip
from murk.learn.methods.sop import BATCH, EPOCHS, RATE
from murk.learn.setting_up import training_of
from murk.noise import Channel, Dilution, Votes, pair_flip

CPU = torch.device("cpu")
K = 4
RNG = np.random.default_rng(0)
LABELS = RNG.integers(0, K, 24)
X = RNG.normal(size=(24, 6)).astype(np.float32)
VOTES = Votes.from_labels(LABELS, num_classes=K)


def training(method: Any, model: Any = "mlp1", votes: Votes = VOTES, **settings: Any) -> Any:
    """Lay out a training on 24 examples, all in one batch, whose method can be asked for gradients."""
    made = training_of(
        model, X, votes, method=method, epochs=3, batch_size=24, held_out=0.0, device="cpu", precision="float32",
        seed=0, **settings,
    )  # fmt: skip
    return made


def batch(made: Any) -> Batch:
    index = torch.arange(24)
    return Batch(made.normalisation.prepare(made.images.batch(index)), index, 0)


def gradients(made: Any) -> list[Tensor]:
    made.optimizer.zero_grad(set_to_none=True)
    made._method.gradients(made, batch(made))
    return [weight.grad.clone() for weight in made.model.parameters()]


def plain_gradients(made: Any, objective: Any) -> list[Tensor]:
    """Give the gradient of any function of the logits [B, K], by autograd."""
    return list(torch.autograd.grad(objective(made.model(batch(made).x)), list(made.model.parameters())))


def assert_all_close(ours: list[Tensor], theirs: list[Tensor], **tolerance: float) -> None:
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, **tolerance)


def test_generalised_cross_entropy_is_its_equation_and_ends_at_cross_entropy_and_absolute_error() -> None:
    log_probs, labels = torch.log(torch.tensor([[0.5, 0.3, 0.2]])), torch.tensor([0])
    assert float(Gce().loss().of_labels(log_probs, labels)) == pytest.approx((1 - 0.5**0.7) / 0.7)  # type: ignore[attr-defined]
    assert float(Gce(q=1.0).loss().of_labels(log_probs, labels)) == pytest.approx(0.5)  # type: ignore[attr-defined]
    assert float(Gce(q=1e-6).loss().of_labels(log_probs, labels)) == pytest.approx(math.log(2), abs=1e-5)  # type: ignore[attr-defined]


def test_label_smoothing_by_alpha_over_one_plus_alpha_is_the_loss_of_infinitely_many_votes() -> None:
    alpha = 3
    log_probs = torch.log_softmax(torch.randn(5, K, generator=torch.Generator().manual_seed(0)), 1)
    labels = np.array([0, 1, 2, 3, 0])
    limit = HAlpha()
    rows = limit.targets(VOTES, Dilution(alpha, num_classes=K), labels, device=CPU).rows(torch.arange(5))
    smoothed = LabelSmoothing(alpha / (1 + alpha)).loss().of_labels(log_probs, torch.from_numpy(labels))  # type: ignore[attr-defined]
    torch.testing.assert_close(smoothed, limit(log_probs, rows))


def test_forward_of_one_vote_is_the_evidence_loss() -> None:
    noise = Channel(pair_flip(K, 0.3))
    assert_all_close(gradients(training(Forward(), noise=noise)), gradients(training(None, noise=noise)))


def test_anchors_give_t_back_where_a_network_has_learned_the_noisy_labels_perfectly() -> None:
    truth = RNG.dirichlet(np.full(K, 0.05), size=3000)
    truth[:K] = np.eye(K)
    transition = Channel(pair_flip(K, 0.4)).transition.matrix()
    np.testing.assert_allclose(anchor_transition(truth @ transition, quantile=1.0), transition, atol=1e-6)
    with pytest.raises(InputError, match="none came"):
        anchor_transition(np.zeros((0, K)))


@pytest.mark.parametrize("classes", [10, 50])
def test_anchors_of_many_classes_are_examples_of_their_class(classes: int) -> None:
    labels = np.random.default_rng(0).integers(0, classes, 5000)
    truth = np.full((5000, classes), 0.01 / (classes - 1))
    truth[np.arange(5000), labels] = 0.99
    transition = Channel.symmetric(0.4, num_classes=classes).transition.matrix()
    found = np.diagonal(anchor_transition(truth @ transition))
    assert np.abs(found - 0.6).max() < 0.02  # the quantile of all examples alone gave .01 at 50 classes


def test_forward_without_a_noise_model_finds_pair_flips() -> None:
    digits = murk.load("digits")
    noise = Channel(pair_flip(10, 0.4))
    fit = murk.fit("mlp1", digits.train, noise.draw(digits.train.labels, seed=0), method="forward", epochs=20,
                   device="cpu", precision="float32", seed=0)  # fmt: skip
    found, truth = fit.noise.transition.matrix(), noise.transition.matrix()  # type: ignore[union-attr]
    assert np.abs(found - truth).mean() < 0.06  # without an estimate (the identity) it would be off by .08
    partner = np.argsort(found, axis=1)[:, -2] == np.argsort(truth, axis=1)[:, -2]
    assert partner.sum() >= 6  # an anchor is one example; by chance one row in nine would name its partner


def test_early_learning_regularisation_is_its_equation() -> None:
    made = training(Elr(pull=2.0, momentum=0.6))
    before = torch.softmax(made.model(batch(made).x), 1).clamp(1e-4, 1 - 1e-4).detach()
    old = torch.softmax(torch.randn(24, K, generator=torch.Generator().manual_seed(1)), 1)
    made._method.remembered = old.clone()
    memory = 0.6 * old + 0.4 * before / before.sum(1, keepdim=True)

    def objective(logits: Tensor) -> Tensor:
        probs = torch.softmax(logits, 1).clamp(1e-4, 1 - 1e-4)
        plain = nn.functional.cross_entropy(logits, torch.from_numpy(LABELS), reduction="none")
        return (plain + 2.0 * torch.log(1 - (memory * probs).sum(1))).mean()

    expected = plain_gradients(made, objective)
    assert_all_close(gradients(made), expected)
    torch.testing.assert_close(made._method.remembered, memory)


def test_over_parameterisation_steps_as_its_source_does_in_as_many_epochs() -> None:
    made = training(Sop())
    made.recipe = made.recipe.__class__(**{**vars(made.recipe), "epochs": EPOCHS})
    method = made._method
    method.prepare(made)
    assert method.rate == pytest.approx(RATE / BATCH)  # on the sum over a batch: the source's on its mean
    short = training(Sop())._method
    assert (1 + 2 * short.rate) ** 3 == pytest.approx((1 + 2 * RATE / BATCH) ** EPOCHS)


def test_over_parameterisation_is_its_equation() -> None:
    made = training(Sop())
    method = made._method
    chance = torch.Generator().manual_seed(0)
    method.u, method.v = torch.rand(24, 1, generator=chance) / 2, torch.rand(24, K, generator=chance) / 2
    u, v = method.u.clone().requires_grad_(), method.v.clone().requires_grad_()
    label = nn.functional.one_hot(torch.from_numpy(LABELS), K).float()

    def objective(logits: Tensor) -> Tensor:
        noise, away = u**2 * label, v**2 * (1 - label)
        probs = (torch.softmax(logits, 1) + noise - away.detach()).clamp(min=1e-4)
        likely = -(label * torch.log((probs / probs.sum(1, keepdim=True)).clamp(1e-4, 1))).sum()
        hard = nn.functional.one_hot(logits.argmax(1), K).float()
        return (likely + ((hard + noise.detach() - away - label) ** 2).sum()) / 24

    expected = plain_gradients(made, objective)
    of_u, of_v = torch.autograd.grad(objective(made.model(batch(made).x)), [u, v])
    assert_all_close(gradients(made), expected)
    for ours, before, slope in ((method.u, u, of_u), (method.v, v, of_v)):
        torch.testing.assert_close(
            ours, (before.detach() - method.rate * 24 * slope).clamp(-(0.9999**0.5), 0.9999**0.5)
        )


def test_mixup_mixes_images_and_losses_by_one_share_a_step() -> None:
    made = training(Mixup(alpha=1e6))  # a share of one half, for all purposes
    drawn: list[Tensor] = []
    listening = made.model.register_forward_pre_hook(lambda _, inputs: drawn.append(inputs[0]))
    ours = gradients(made)
    listening.remove()
    x = batch(made).x
    other = torch.stack([(2 * mixed - own) for mixed, own in zip(drawn[0], x, strict=True)])
    partner = torch.cdist(other, x).argmin(1)
    assert sorted(partner.tolist()) == list(range(24))  # each is the partner of one
    labels = torch.from_numpy(LABELS)

    def objective(_: Tensor) -> Tensor:
        log_probs = torch.log_softmax(made.model((x + x[partner]) / 2), 1)
        return (0.5 * cross_entropy(log_probs, labels) + 0.5 * cross_entropy(log_probs, labels[partner])).mean()

    assert_all_close(ours, plain_gradients(made, objective), rtol=1e-2, atol=1e-4)


def test_co_teaching_learns_from_what_the_other_finds_easy() -> None:
    made = training(CoTeaching(rate=0.5, warm_up=3.0))
    made.step = 2  # the last of 3 epochs of one step: half are forgotten
    labels, x = torch.from_numpy(LABELS), batch(made).x
    second = copy.deepcopy(made._method.second)
    assert not torch.equal(next(second.parameters()), next(made.model.parameters()))  # weights of its own
    easy = cross_entropy(torch.log_softmax(second(x), 1), labels).argsort()[:12]
    expected = plain_gradients(made, lambda logits: nn.functional.cross_entropy(logits[easy], labels[easy]))
    assert_all_close(gradients(made), expected)
    mine = cross_entropy(torch.log_softmax(made.model(x), 1), labels).argsort()[:12]
    theirs = torch.autograd.grad(nn.functional.cross_entropy(second(x)[mine], labels[mine]), list(second.parameters()))
    moved = [(after - before).detach() for after, before in
             zip(made._method.second.parameters(), second.parameters(), strict=True)]  # fmt: skip
    assert all(float((step * slope).sum()) < 0 for step, slope in zip(moved, theirs, strict=True))


def test_co_teaching_takes_the_rate_from_the_noise_model() -> None:
    assert CoTeaching().knowing(Channel(pair_flip(K, 0.4))).rate == pytest.approx(0.4)
    assert CoTeaching(rate=0.2).knowing(Channel(pair_flip(K, 0.4))).rate == 0.2


def test_averaging_alone_is_cross_entropy_with_other_weights_kept() -> None:
    """Both train the same way; one keeps the weights of the last step, the other those averaged along the way."""
    digits = murk.load("digits")
    votes = Channel.symmetric(0.3, num_classes=10).draw(digits.train.labels, seed=0)
    seen: dict[str, list[Any]] = {"cross-entropy": [], "averaging": []}
    fits = {
        name: murk.fit("mlp1", digits.train, votes, method=name, epochs=2, held_out=0.0, device="cpu",
                       precision="float32", seed=0, callbacks=[lambda p, name=name: seen[name].append(p.loss)])
        for name in seen
    }  # fmt: skip
    assert seen["cross-entropy"] == seen["averaging"]
    weights = {name: next(fit.model.parameters()) for name, fit in fits.items()}
    assert not torch.allclose(weights["cross-entropy"], weights["averaging"])
    assert (CrossEntropy.averaging, Averaging.averaging) == (False, True)


class TwoLayers(nn.Module):
    """f = <v, W x> as logits (0, f): the softmax is the logistic loss, with t = +1 for class 1."""

    def __init__(self) -> None:
        super().__init__()
        chance = torch.Generator().manual_seed(3)
        self.w = nn.Parameter(torch.randn(5, 6, generator=chance))
        self.v = nn.Parameter(torch.randn(5, generator=chance) / 3)

    def forward(self, x: Tensor) -> Tensor:
        f = x @ self.w.T @ self.v
        return torch.stack([torch.zeros_like(f), f], 1)


RHO = 0.1


def closed_form(kind: str, net: TwoLayers, x: Tensor, t: float) -> list[Tensor]:
    """Give the SAM gradient of one example from its closed form: eps = -t rho grad f / |grad f|."""
    w, v = net.w.detach(), net.v.detach()
    z = w @ x
    length = torch.sqrt(z @ z + (x @ x) * (v @ v))
    # -t times the Jacobian at the perturbed weights
    of_v = -t * z + RHO * (x @ x) / length * v
    of_w = -t * torch.outer(v, x) + RHO / length * torch.outer(z, x)
    f_there = float((v - t * RHO * z / length) @ (w - t * RHO * torch.outer(v, x) / length) @ x)
    here, there = (1 / (1 + math.exp(t * f)) for f in (float(v @ z), f_there))
    if kind == "l-sam":
        return [there * -t * torch.outer(v, x), there * -t * z]
    scale = here if kind == "j-sam" else there
    return [scale * of_w, scale * of_v]


@pytest.mark.parametrize("method", [OneSam, LSam, JSam])
def test_sam_of_single_examples_is_the_closed_form_of_a_two_layer_linear_network(method: Any) -> None:
    votes = Votes.from_labels(LABELS % 2, num_classes=2)
    made = training(method(rho=RHO), TwoLayers(), votes)
    ours = gradients(made)
    found = [closed_form(method.name, made.model, x, 2.0 * label - 1)
             for x, label in zip(batch(made).x, LABELS % 2, strict=True)]  # fmt: skip
    expected = [torch.stack(parts).mean(0) for parts in zip(*found, strict=True)]
    assert_all_close(ours, expected, rtol=1e-4, atol=1e-5)


def test_in_one_example_sam_of_the_batch_and_of_the_example_are_one() -> None:
    def one(method: Any) -> list[Tensor]:
        made = training(method)
        made.optimizer.zero_grad(set_to_none=True)
        whole = batch(made)
        made._method.gradients(made, Batch(whole.x[:1], whole.index[:1], 0))
        return [weight.grad.clone() for weight in made.model.parameters()]

    assert_all_close(one(NSam(rho=0.5)), one(OneSam(rho=0.5)), rtol=1e-4, atol=1e-5)
    with pytest.raises(AssertionError):
        assert_all_close(one(NSam(rho=0.5)), one(NSam(rho=0.01)), rtol=1e-4, atol=1e-5)


def test_sam_of_the_batch_leaves_weights_and_running_statistics_where_they_were() -> None:
    model = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, K))
    made, plain = training(NSam(rho=0.5), model), training(None, model, loss="pairs")
    before = copy.deepcopy(made.model.state_dict())
    gradients(made)
    gradients(plain)
    for name, tensor in made.model.state_dict().items():
        if "running" in name:
            torch.testing.assert_close(tensor, plain.model.state_dict()[name])
        elif "num_batches" not in name:
            assert torch.equal(tensor, before[name])


def test_the_penalty_adds_the_length_of_activations_and_of_the_last_weights() -> None:
    made = training(Penalty(activations=0.3, weights=0.2))
    layers = [module for module in made.model.modules() if isinstance(module, nn.Linear)]
    read: list[Tensor] = []
    layers[-1].register_forward_pre_hook(lambda _, inputs: read.append(inputs[0]))

    def objective(logits: Tensor) -> Tensor:
        plain = nn.functional.cross_entropy(logits, torch.from_numpy(LABELS))
        return plain + 0.3 * read[-1].square().sum(1).mean() + 0.2 * layers[-1].weight.square().sum()

    assert_all_close(gradients(made), plain_gradients(made, objective))
    with pytest.raises(InputError, match="last linear layer"):
        training(Penalty(), TwoLayers(), Votes.from_labels(LABELS % 2, num_classes=2))


def test_the_votes_a_method_picks_do_not_depend_on_the_batch() -> None:
    several = Votes.from_matrix(np.stack([LABELS, (LABELS + 1) % K, (LABELS + 2) % K], 1), num_classes=K)
    made = training(CrossEntropy(), votes=several)
    whole = made.labels(SimpleNamespace(index=torch.arange(24), epoch=1))
    part = made.labels(SimpleNamespace(index=torch.tensor([5, 3]), epoch=1))
    assert part.tolist() == whole[[5, 3]].tolist()
    assert len({tuple(made.labels(SimpleNamespace(index=torch.arange(24), epoch=e)).tolist()) for e in range(3)}) == 3


def test_known_labels_stand_in_for_the_votes_of_many_classes_too() -> None:
    """With many classes counts are sparse; the known example has one row of one, the other keeps its shares."""
    votes = Votes.from_matrix([[7, 7, 30], [900, 2, 2]], num_classes=5000)
    assert not isinstance(votes.counts(), np.ndarray)
    rows = PickedVote().targets(votes, None, np.array([4999, -1]), device=CPU).rows(torch.arange(2))
    assert rows[0].nonzero().ravel().tolist() == [4999]
    assert {int(k): round(float(rows[1, k]), 4) for k in rows[1].nonzero().ravel()} == {2: 0.6667, 900: 0.3333}


def test_a_checkpoint_under_another_t_is_not_taken_for_this_training() -> None:
    marks = [fingerprint_of(training(Forward(), noise=Channel(pair_flip(K, rate)))) for rate in (0.3, 0.3, 0.4)]
    assert marks[0] == marks[1] != marks[2]


def test_co_teaching_refuses_a_second_network_that_would_be_the_first() -> None:
    with pytest.raises(InputError, match="weights of its own"):
        training(CoTeaching(rate=0.2), TwoLayers(), Votes.from_labels(LABELS % 2, num_classes=2))
