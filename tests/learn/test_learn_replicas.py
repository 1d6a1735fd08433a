"""Replicas: trained together, each ends where `fit` alone would have left it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import murk
from murk.errors import InputError, TrainingError
from murk.learn import Progress, Replica, can_replicate, fit_replicas, replicas_pay
from murk.learn.selection import held_out_examples
from murk.learn.targets import Targets
from murk.learn.together import keys_of, uniforms_by_key
from murk.models import build
from murk.noise import Evidence, Flat, Structured, evidence_of, random_ranking
from murk.noise.draws import uniforms

FEW = murk.load("digits").train[:300]
FEATURES = FEW.images.reshape(len(FEW), -1).astype(np.float32) + np.random.default_rng(0).normal(size=(len(FEW), 64))
QUICK: dict[str, Any] = {"epochs": 8, "batch_size": 32, "device": "cpu", "precision": "float32"}
RANKING = random_ranking(10, seed=0)


def replica(noise: murk.Dilution | murk.Channel, seed: int, **more: Any) -> Replica:
    return Replica(noise.draw(FEW.labels, seed=seed), noise, seed, **more)


def diluted(seed: int, alpha: int = 5, **more: Any) -> Replica:
    return replica(murk.Dilution(alpha, num_classes=10), seed, **more)


def mlp(seed: int) -> nn.Module:
    return build("mlp2", example_shape=(8, 8, 1), num_classes=10, width=24, seed=seed)


def small_conv(seed: int) -> nn.Module:
    return build("conv2", example_shape=(8, 8, 1), num_classes=10, width=4, dropout=0.0, norm="none", seed=seed)


SEEDS = [diluted(seed) for seed in (0, 1, 2)]
ALPHAS = [diluted(0, alpha) for alpha in (1, 5, 20)]
RATES = [diluted(seed, learning_rate=rate) for seed, rate in enumerate((0.01, 0.001, None, 0.01))]
DELTAS = [
    replica(murk.Dilution(10, num_classes=10, pattern=Structured(delta, RANKING)), 0) for delta in (0.0, 0.5, 1.0)
]
KNOWN = [diluted(0), diluted(1, known=np.where(np.arange(len(FEW)) % 3 == 0, FEW.labels, -1))]
CASES: dict[str, tuple[Any, Any, list[Replica], dict[str, Any]]] = {
    "seeds": ("mlp1", FEW, SEEDS, {}),
    "seeds, long": (mlp, FEW, SEEDS[:2], {"epochs": 40}),
    "alphas": (mlp, FEW, ALPHAS, {}),
    "learning rates": (mlp, FEW, RATES, {}),
    "deltas": (mlp, FEW, DELTAS, {}),
    "paper": (mlp, FEW, ALPHAS, {"protocol": "paper"}),
    "paper, learning rates": (mlp, FEW, RATES, {"protocol": "paper", "held_out": 0.1}),
    "features": ("mlp1", FEATURES, SEEDS, {}),
    "no augmentation, nothing held out": (mlp, FEW, SEEDS, {"augment": "none", "held_out": 0.0}),
    "crop and flip": (mlp, FEW, SEEDS, {"augment": "crop-flip"}),
    "convolutions": (small_conv, FEW, SEEDS, {}),
    "a perceptron": ("perceptron", FEW, SEEDS, {"weight_decay": 0.1}),
    "known classes": (mlp, FEW, KNOWN, {}),
    "a loss that holds T": (mlp, FEW, [diluted(0, 2), replica(murk.Channel(Flat(10, 0.5)), 1)], {"loss": "composite"}),
    "pairs": (mlp, FEW, SEEDS, {"loss": "pairs", "held_out": 0.2}),
}


def alone(model: Any, images: Any, one: Replica, **settings: Any) -> murk.Fit:
    network = model if isinstance(model, str) else model(one.seed)
    return murk.fit(
        network, images, one.votes, noise=one.noise, known=one.known, learning_rate=one.learning_rate, seed=one.seed,
        **settings,
    )  # fmt: skip


def assert_alike(ours: murk.Fit | TrainingError, theirs: murk.Fit) -> None:
    assert isinstance(ours, murk.Fit)
    assert (ours.recipe, ours.normalisation, ours.class_names) == (
        theirs.recipe,
        theirs.normalisation,
        theirs.class_names,
    )
    assert ours.selected_epoch == theirs.selected_epoch
    assert [epoch.selected for epoch in ours.history] == [epoch.selected for epoch in theirs.history]
    for name in ("training_loss", "held_out_loss", "held_out_error"):
        our, their = (
            [np.nan if getattr(e, name) is None else getattr(e, name) for e in f.history] for f in (ours, theirs)
        )
        np.testing.assert_allclose(our, their, atol=1e-5, rtol=1e-4)
    for our_model, their_model in ((ours.model, theirs.model), (ours.last, theirs.last)):
        assert our_model is not None and their_model is not None
        for (name, a), b in zip(our_model.state_dict().items(), their_model.state_dict().values(), strict=True):
            torch.testing.assert_close(a, b, atol=1e-4, rtol=0, msg=lambda told, name=name: f"{name}: {told}")


@pytest.mark.parametrize("case", CASES)
def test_each_replica_ends_as_if_trained_alone(case: str) -> None:
    """A mix-up of replicas, draws, rates, targets or moments moves weights by far more than 1e-4."""
    model, images, replicas, changes = CASES[case]
    settings = QUICK | changes
    together = fit_replicas(model, images, replicas, **settings)
    assert len(together) == len(replicas)
    for ours, one in zip(together, replicas, strict=True):
        assert_alike(ours, alone(model, images, one, **settings))


@pytest.mark.parametrize("batch_size", [5, 6])
def test_replicas_whose_groups_leave_epochs_of_other_lengths_train_too(batch_size: int) -> None:
    """Groups of 25 and of 15: held out are 25 or 30 of 300 examples, which leaves 55 or 54 batches of 5, or 45 of 6."""
    groups = np.repeat(np.arange(16), [25] * 6 + [15] * 10)
    replicas = [diluted(seed) for seed in range(4)]
    lengths = [len(held_out_examples(len(FEW), 0.1, seed=seed, groups=groups)[0]) for seed in range(4)]
    assert set(lengths) == {270, 275}
    settings = QUICK | {"groups": groups, "batch_size": batch_size, "epochs": 2}
    for ours, one in zip(fit_replicas(mlp, FEW, replicas, **settings), replicas, strict=True):
        assert_alike(ours, alone(mlp, FEW, one, **settings))


def test_one_replica_that_fails_does_not_stop_the_rest() -> None:
    replicas = [diluted(0), diluted(1, learning_rate=3e38), diluted(2)]
    first, failed, last = fit_replicas(mlp, FEW, replicas, **QUICK)
    assert_alike(first, alone(mlp, FEW, replicas[0], **QUICK))
    assert_alike(last, alone(mlp, FEW, replicas[2], **QUICK))
    assert isinstance(failed, TrainingError)
    with pytest.raises(TrainingError) as theirs:
        alone(mlp, FEW, replicas[1], **QUICK)
    assert str(failed) == str(theirs.value)


def test_a_fit_keeps_no_other_replica_in_memory() -> None:
    (fit,) = fit_replicas(mlp, FEW, SEEDS[:1], **QUICK)
    (one, _) = fit_replicas(mlp, FEW, SEEDS[:2], **QUICK)
    assert isinstance(fit, murk.Fit) and isinstance(one, murk.Fit)
    assert one.last is not None
    for weight in (*one.model.parameters(), *one.last.parameters()):
        assert weight.untyped_storage().nbytes() == weight.numel() * weight.element_size()


def test_callbacks_hear_which_replica_it_is_every_few_steps_and_at_each_epochs_end() -> None:
    heard: list[tuple[int, int, bool]] = []

    def tell(number: int, progress: Progress) -> None:
        heard.append((number, progress.step, progress.epoch is not None))

    fit_replicas(mlp, FEW, SEEDS[:2], **(QUICK | {"epochs": 2, "batch_size": 9}), callbacks=[tell])
    steps = [(25, False), (30, True), (50, False), (60, True)]
    assert heard == [(number, step, ended) for step, ended in steps for number in (0, 1)]


def test_bfloat16_trains_replicas_as_well_as_fit() -> None:
    """Products are rounded in another order, so weights differ; what is learned does not."""
    settings = QUICK | {"precision": "bfloat16", "epochs": 30}
    (ours, _), theirs = fit_replicas(mlp, FEW, SEEDS[:2], **settings), alone(mlp, FEW, SEEDS[0], **settings)
    assert isinstance(ours, murk.Fit)
    assert np.abs(ours.predict_probs(FEW) - theirs.predict_probs(FEW)).mean() < 0.03


class Noisy(nn.Module):
    """Draws by itself, where nothing but running it can tell."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(64, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.layer(x.flatten(1))
        return logits + torch.rand_like(logits)


class Scaled(nn.Module):
    """Computes with what is no weight: a number, and a function."""

    def __init__(self, scale: int, act: Any = torch.relu) -> None:
        super().__init__()
        self.layer, self.scale, self.act = nn.Linear(64, 10), scale, act

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.act(self.layer(x.flatten(1)) * self.scale)
        return logits


def dense(middle: nn.Module | None = None, *, frozen: bool = False) -> nn.Module:
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 8), middle or nn.ReLU(), nn.Linear(8, 10))
    network[3].bias.requires_grad_(not frozen)
    return network


@pytest.mark.parametrize(
    ("model", "replicas", "words"),
    [
        ("conv2", SEEDS, "dropout.*one by one with fit"),
        ("conv3", SEEDS, "BatchNorm.*one by one with fit"),
        (lambda seed: Noisy(), SEEDS, "several sets of weights at once.*random"),
        (lambda seed: nn.Sequential(nn.Flatten(), nn.Linear(64, 10 + seed)), SEEDS, "replica 1 has 1.out_features"),
        (lambda seed: dense(frozen=seed == 2), SEEDS, r"replica 2 has 3\.bias = \(10,\), frozen where .* has \(10,\)"),
        (lambda seed: dense((nn.ReLU(), nn.Tanh())[seed % 2]), SEEDS, "replica 1 has 2 = Tanh where .* has ReLU"),
        (lambda seed: dense(nn.LeakyReLU(0.1 * seed)), SEEDS, "replica 1 has 2.negative_slope = 0.1"),
        (lambda seed: Scaled(seed), SEEDS, "replica 1 has scale = 1 where replica 0 has 0"),
        (lambda seed: Scaled(1, act=(torch.relu, torch.tanh)[seed % 2]), SEEDS, "replica 1 has act = .*tanh"),
        (lambda seed: dense(nn.Dropout(0.5 * (seed == 2))), SEEDS, "dropout.*one by one with fit.*replica 2 has 2.p"),
        (lambda seed: nn.Sequential(nn.Flatten(), nn.Linear(64, 11)), SEEDS, r"logits \[B, K\]"),
        (nn.Flatten(), SEEDS, "a name or a function"),
        ("mlp1", [], "no replica"),
        ("mlp1", [SEEDS[0], diluted(1, learning_rate=-1.0)], "replica 1: .*learning_rate"),
    ],
)
def test_what_cannot_be_trained_together_is_refused(model: Any, replicas: list[Replica], words: str) -> None:
    with pytest.raises(InputError, match=words):
        fit_replicas(model, FEW, replicas, **QUICK)


def test_modules_that_each_hold_a_function_of_their_own_and_the_same_settings_are_alike() -> None:
    fits = fit_replicas(lambda seed: Scaled(1, act=lambda x: x.relu()), FEW, SEEDS[:2], **QUICK)
    assert all(isinstance(fit, murk.Fit) for fit in fits)


def test_a_module_with_buffers_is_refused_and_dropout_of_nothing_is_not() -> None:
    buffered = nn.Linear(4, 4)
    buffered.register_buffer("calls", torch.zeros(1))
    assert "buffers" in can_replicate(buffered)
    assert not can_replicate(nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.0)))


def test_training_together_pays_for_small_dense_steps_of_several_replicas_only() -> None:
    small = mlp(0)
    assert replicas_pay(small, replicas=4, batch_size=32, device="cpu")
    assert not replicas_pay(small, replicas=1, batch_size=32, device="cpu")
    assert not replicas_pay(small, replicas=4, batch_size=1 << 16, device="cpu")
    assert not replicas_pay(small_conv(0), replicas=4, batch_size=32, device="cpu")
    assert not replicas_pay(nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.5)), replicas=4, batch_size=32, device="cpu")


@pytest.mark.parametrize("count", [1, 4, 6])
def test_several_seeds_at_once_draw_what_each_draws_alone(count: int) -> None:
    index = torch.tensor([[0, 5, 2**40], [7, 2**33 + 1, 3]])
    alone = torch.stack([uniforms(seed, "doc", row, count) for seed, row in zip((7, 8), index, strict=True)])
    assert torch.equal(uniforms_by_key(keys_of([7, 8], "doc"), index, count), alone)


def test_joined_targets_hold_the_rows_of_all_dense_or_sparse() -> None:
    device = torch.device("cpu")
    dense, other = (evidence_of(one.votes, one.noise) for one in SEEDS[:2])
    offsets, classes = np.array([0, 2, 3]), np.array([1, 4, 0])
    sparse = Evidence(10, np.array([-1.0, 0.5]), np.array([0.5, 1.0, 2.0]), offsets=offsets, classes=classes)
    for several in ([dense, other], [sparse, sparse], [sparse, dense, sparse]):
        apart = [Targets.of_evidence(evidence, device=device) for evidence in several]
        joined = Targets.joined(apart)
        rows = torch.cat([targets.rows(torch.arange(len(targets))) for targets in apart])
        assert torch.equal(joined.rows(torch.arange(len(joined))), rows)
