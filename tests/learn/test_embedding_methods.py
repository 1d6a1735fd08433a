"""Methods that train embeddings: what each promises by itself."""

import builtins
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pytorch_metric_learning import losses
from torch import nn

import murk
from murk.errors import InputError
from murk.learn.methods import METHODS, method_named
from murk.learn.methods.arcface import log_probs_with_margin
from murk.learn.methods.metric import LOSSES_OF_PAIRS
from murk.learn.methods.same_class import together
from murk.models import Classifier, CosineHead, build
from murk.noise import Channel, Dilution, Votes

DIGITS = murk.load("digits")
QUICK: dict[str, Any] = {"device": "cpu", "precision": "float32", "seed": 0}


def test_margins_are_those_of_a_kept_library_and_hold_where_one_class_has_all_the_probability() -> None:
    torch.manual_seed(0)
    theirs = losses.ArcFaceLoss(5, 8, margin=np.degrees(0.5), scale=64)
    embeddings, labels = torch.randn(40, 8), torch.arange(40) % 5
    table = nn.functional.normalize(embeddings) @ nn.functional.normalize(theirs.W, dim=0)
    ours = log_probs_with_margin(table, margin=0.5, scale=64)
    assert torch.allclose(-ours[torch.arange(40), labels].mean(), theirs(embeddings, labels), atol=1e-4)
    sure = torch.tensor([[0.999, -0.999, 0.0]], requires_grad=True)
    told = log_probs_with_margin(sure, margin=0.5, scale=64)
    told.sum().backward()
    assert torch.isfinite(told).all() and torch.isfinite(sure.grad).all()
    assert torch.allclose(
        log_probs_with_margin(table, margin=1e-9, scale=3), torch.log_softmax(3 * table, 1), atol=1e-4
    )


def test_same_class_is_neighbourhood_component_analysis_of_a_kept_library_where_votes_are_sure() -> None:
    torch.manual_seed(0)
    embeddings, labels = nn.functional.normalize(torch.randn(24, 6)), torch.arange(24) % 4
    same = (labels[:, None] == labels).float()
    theirs = losses.NCALoss(softmax_scale=1 / (2 * 0.2))(embeddings, labels)  # of squared distances, 2 - 2 cos
    assert torch.allclose(together(embeddings, same, temperature=0.2).mean(), theirs, atol=1e-5)
    alone = together(embeddings.requires_grad_(), torch.eye(24), temperature=0.2)
    alone.sum().backward()
    assert (alone == 0).all() and (embeddings.grad == 0).all()  # nothing is of one's own class


def test_same_class_is_how_likely_votes_are_if_the_class_is_that_of_a_neighbour() -> None:
    torch.manual_seed(0)
    embeddings = nn.functional.normalize(torch.randn(5, 3))
    likely = torch.rand(5, 4)  # P(votes of i given class j)
    posterior = likely / likely.sum(1, keepdim=True)
    found = together(embeddings, posterior @ posterior.T, temperature=0.2)
    for one in range(5):
        others = [k for k in range(5) if k != one]
        near = torch.softmax(embeddings[others] @ embeddings[one] / 0.2, 0)
        votes = (near[:, None] * posterior[others] * likely[one]).sum() / likely[one].sum()
        assert float(found[one]) == pytest.approx(-float(votes.log()), abs=1e-5)


def test_classes_lie_at_the_means_of_embeddings_less_the_mean_of_all() -> None:
    votes = Channel(np.eye(10)).draw(DIGITS.train.labels, seed=0)
    fit = murk.fit("mlp1", DIGITS.train, votes, method="metric", embedding=8, epochs=2, held_out=0.0, **QUICK)
    embedded = fit.embed(DIGITS.train)
    means = np.stack([embedded[DIGITS.train.labels == k].sum(0) for k in range(10)]) / len(embedded)
    shares = np.bincount(DIGITS.train.labels) / len(embedded)
    wanted = means - np.outer(shares, embedded.mean(0))
    assert isinstance(fit.model, Classifier)
    assert np.allclose(fit.model.head.weight.numpy(), wanted, atol=1e-5)


@pytest.mark.parametrize(
    ("evidence", "plain"),
    [
        ({}, {"loss": "pairs"}),
        ({"method": "same-class"}, {"method": "metric:loss_of='supervised-contrastive'"}),
        ({"method": "arcface:votes='evidence',scale=20"}, {"method": "arcface:scale=20"}),
    ],
)
def test_evidence_finds_more_than_votes_as_they_are(evidence: dict[str, Any], plain: dict[str, Any]) -> None:
    """Twenty random labels beside each right one, counted as independent votes."""
    noise = Dilution(20, num_classes=10).independent()
    votes = noise.draw(DIGITS.train.labels, seed=0)

    def found(**how: Any) -> float:
        fit = murk.fit("mlp1", DIGITS.train, votes, embedding=16, epochs=30, **how, **QUICK)
        return murk.measure.retrieval(fit.embed(DIGITS.test), DIGITS.test.labels).map_at_r.value

    assert found(noise=noise, **evidence) > found(**plain) + 0.05


@pytest.mark.parametrize("loss", LOSSES_OF_PAIRS)
def test_every_loss_of_pairs_brings_images_of_a_class_together(loss: str) -> None:
    votes = Channel(np.eye(10)).draw(DIGITS.train.labels, seed=0)
    fit = murk.fit("mlp1", DIGITS.train, votes, method=f"metric:loss_of={loss!r}", embedding=16, epochs=15, **QUICK)
    pixels = DIGITS.test.images.reshape(len(DIGITS.test), -1).astype(float)
    found = murk.measure.retrieval(fit.embed(DIGITS.test), DIGITS.test.labels).map_at_r.value
    assert found > murk.measure.retrieval(pixels, DIGITS.test.labels).map_at_r.value + 0.05
    assert fit.evaluate(DIGITS.test).value > 0.8  # by class means


@pytest.mark.parametrize("method", ["arcface", "arcface:votes='evidence'", "metric", "same-class"])
def test_images_without_votes_move_nothing(method: str) -> None:
    noise = Channel(np.full((10, 10), 0.01) + 0.9 * np.eye(10))
    none = Votes.from_labels(np.full(len(DIGITS.train), -1), num_classes=10)
    fit = murk.fit("mlp1", DIGITS.train, none, method=method, noise=noise, embedding=8, epochs=1, protocol="sgd",
                   weight_decay=0.0, **QUICK)  # fmt: skip
    start = build("mlp1", example_shape=(8, 8, 1), num_classes=10, embedding=8, seed=0)
    assert isinstance(fit.model, Classifier)
    for now, before in zip(fit.model.features.parameters(), start.features.parameters(), strict=True):
        assert torch.allclose(now, before, atol=1e-4)


@pytest.mark.parametrize(
    ("method", "said"),
    [
        ("arcface:margin=4", r"angle in \(0, pi\), but 4"),
        ("arcface:scale=0", "`scale` is a number > 0"),
        ("arcface:votes='par'", "did you mean 'pairs'"),
        ("same-class:temperature=-1", "`temperature` is a number > 0"),
        ("metric:loss_of='triplets'", "did you mean 'triplet'"),
    ],
)
def test_settings_out_of_range_are_refused(method: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        method_named(method)


def test_networks_that_have_no_embedding_or_no_parts_are_refused() -> None:
    votes = Channel(np.eye(10)).draw(DIGITS.train.labels, seed=0)
    plain = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    for name in (name for name, method in METHODS.items() if method.trains_embeddings):
        for network in (plain, "mlp1"):
            with pytest.raises(InputError, match="the network has none; give `embedding=64`"):
                murk.fit(network, DIGITS.train, votes, method=name, noise=Channel(np.eye(10)), **QUICK)
    with pytest.raises(InputError, match=r"goes with a model's name"):
        murk.fit(plain, DIGITS.train, votes, loss="pairs", embedding=8, **QUICK)
    with pytest.raises(InputError, match="embedding must be a whole number"):
        murk.fit("mlp1", DIGITS.train, votes, loss="pairs", embedding=0, **QUICK)


def test_ones_own_network_with_an_embedding_can_be_trained_too() -> None:
    votes = Channel(np.eye(10)).draw(DIGITS.train.labels, seed=0)
    own = Classifier(nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 16)), CosineHead(16, 10))
    fit = murk.fit(own, DIGITS.train, votes, method="metric", epochs=10, **QUICK)
    assert fit.evaluate(DIGITS.test).value > 0.8


def test_an_embedding_is_saved_and_predicts_as_before(tmp_path: Path) -> None:
    votes = Channel(np.eye(10)).draw(DIGITS.train.labels, seed=0)
    fit = murk.fit("conv2", DIGITS.train, votes, loss="pairs", embedding=8, epochs=1, **QUICK)
    fit.save(tmp_path / "fit")
    again = murk.Fit.load(tmp_path / "fit")
    found = again.embed(DIGITS.test)
    assert (found == fit.embed(DIGITS.test)).all() and np.allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)
    assert (again.predict_probs(DIGITS.test) == fit.predict_probs(DIGITS.test)).all()


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    imported = builtins.__import__

    def without(name: str, *rest: Any, **more: Any) -> Any:
        if name.startswith("pytorch_metric_learning"):
            raise ImportError(name)
        return imported(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    votes = Channel(np.eye(10)).draw(DIGITS.train.labels, seed=0)
    with pytest.raises(InputError, match=r'pip install "murk\[retrieval\]"'):
        murk.fit("mlp1", DIGITS.train, votes, method="metric", embedding=8, **QUICK)
