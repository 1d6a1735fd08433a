"""Consistency: the disagreement of two views as a loss."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.distributions import Categorical
from torch.nn.functional import kl_div

import murk
from murk.errors import InputError
from murk.learn.augment import UNIFORMS, augmented
from murk.learn.consistency import certainty, disagreement
from murk.learn.protocol import PROTOCOLS
from murk.learn.recipe import Recipe, settle_recipe

DIGITS = murk.load("digits").train[np.arange(300)]
NOISE = murk.Dilution(10, num_classes=10)
VOTES = NOISE.draw(DIGITS.labels, seed=0)


def recipe_of(**changes: Any) -> Recipe:
    given_settings: dict[str, Any] = {
        "protocol": PROTOCOLS["evidence"], "epochs": None, "batch_size": None, "learning_rate": None,
        "weight_decay": None, "batch_norm": False, "single_layer": False, "augment": "affine", "loss": "evidence",
        "held_out": 0.1, "seed": 0,
    }  # fmt: skip
    return settle_recipe(2_000, **(given_settings | changes))


@given(st.integers(0, 10_000), st.floats(0.1, 20))
@settings(deadline=None)
def test_it_is_the_mean_of_both_divergences_times_the_certainty(seed: int, scale: float) -> None:
    logits = scale * torch.randn(2, 5, 7, generator=torch.Generator().manual_seed(seed))
    one, another = torch.log_softmax(logits, 2)
    both = [kl_div(a, b, reduction="none", log_target=True).sum(1) for a, b in ((one, another), (another, one))]
    sure = 1 - Categorical(probs=(one.exp() + another.exp()) / 2).entropy() / np.log(7)
    torch.testing.assert_close(disagreement(*logits), sure * 0.5 * (both[0] + both[1]), rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(disagreement(logits[0], logits[0] + 3.0), torch.zeros(5), rtol=0, atol=1e-4)


def test_there_is_nothing_to_agree_about_before_anything_is_known() -> None:
    assert certainty(torch.full((1, 10), 0.1)).item() == pytest.approx(0, abs=1e-6)
    assert certainty(torch.eye(10)).tolist() == [1.0] * 10


def test_its_gradient_brings_the_views_together() -> None:
    logits = torch.tensor([[4.0, 0.0, 0.0], [3.0, 1.0, 0.0]], requires_grad=True)
    disagreement(logits[:1], logits[1:]).sum().backward()  # type: ignore[no-untyped-call]
    after = logits.detach() - 0.1 * logits.grad
    assert disagreement(after[:1], after[1:]) < disagreement(*logits.detach().split(1))


def test_two_views_count_as_two_images_shown() -> None:
    plain, twice = recipe_of(), recipe_of(consistency=1.0)
    assert twice.epochs * 2 == plain.epochs
    plain, twice = recipe_of(passes=40_000), recipe_of(passes=40_000, consistency=1.0)
    shown = [recipe.epochs * recipe.steps_per_epoch(2_000) * recipe.batch_size for recipe in (plain, twice)]
    assert shown[1] * 2 == pytest.approx(shown[0], rel=0.1)


@pytest.mark.parametrize(("changes", "told"), [
    ({"augment": "none"}, "makes them one"), ({"consistency": -1.0}, "`consistency=...` is a number > 0"),
    ({"consistency": float("nan")}, "`consistency=...` is a number > 0"),
])  # fmt: skip
def test_what_it_cannot_do_is_told(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(InputError, match=told):
        recipe_of(**({"consistency": 1.0} | changes))


def test_a_network_trained_with_it_says_the_same_of_other_views() -> None:
    """It is measured on views that the training has not drawn."""
    drawn = torch.rand(2, len(DIGITS), UNIFORMS, generator=torch.Generator().manual_seed(0))
    images = torch.from_numpy(np.asarray(DIGITS.images))
    views = [augmented(images, augment="affine", uniforms=uniforms) for uniforms in drawn]
    found = []
    for consistency in (None, 1.0):
        fit = murk.fit("mlp1", DIGITS, VOTES, noise=NOISE, epochs=30, consistency=consistency, held_out=0, seed=0,
                       device="cpu")  # fmt: skip
        mean, std = fit.normalisation.tensors(views[0])
        with torch.no_grad():
            found.append(float(disagreement(*(fit.model((view - mean) / std) for view in views)).mean()))
    assert found[1] < found[0] / 2


def test_a_training_stopped_and_resumed_ends_with_the_same_weights(tmp_path: Path) -> None:
    def stop(progress: murk.learn.Progress) -> None:
        if progress.step >= 6:
            raise KeyboardInterrupt

    chosen: dict[str, Any] = {"noise": NOISE, "epochs": 4, "consistency": 1.0, "seed": 0, "device": "cpu",
                                "batch_size": 100}  # fmt: skip
    whole = murk.fit("mlp1", DIGITS, VOTES, **chosen)
    kept = {"checkpoint": tmp_path / "checkpoint.safetensors", "checkpoint_seconds": 0.0}
    with pytest.raises(KeyboardInterrupt):
        murk.fit("mlp1", DIGITS, VOTES, **chosen, **kept, callbacks=[stop])
    resumed = murk.fit("mlp1", DIGITS, VOTES, **chosen, **kept)
    for name, weight in whole.model.state_dict().items():
        assert torch.equal(weight, resumed.model.state_dict()[name])
