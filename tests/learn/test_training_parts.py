"""The parts of training that are pure: selection, recipe, augmentation, averaging, files."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from murk.errors import DataError, InputError
from murk.learn.augment import Normalisation, affine, augmentation_for, crop_and_flip
from murk.learn.averaging import average_weights
from murk.learn.checkpoint import read_tensors, write_tensors
from murk.learn.device import settle_compute
from murk.learn.protocol import PROTOCOLS, protocol_named
from murk.learn.recipe import Recipe, batch_size_for, learning_rate_at, settle_recipe
from murk.learn.selection import Selection, held_out_examples


def recipe_of(num_examples: int, **changes: object) -> Recipe:
    given_settings = {
        "protocol": PROTOCOLS["evidence"], "epochs": None, "batch_size": None, "learning_rate": None,
        "weight_decay": None, "batch_norm": False,
        "single_layer": False, "augment": "none", "loss": "evidence", "held_out": 0.1, "seed": 0,
    }  # fmt: skip
    return settle_recipe(num_examples, **(given_settings | changes))  # type: ignore[arg-type]


def test_selection_takes_the_latest_epoch_within_one_standard_error_of_the_best() -> None:
    generator = np.random.default_rng(0)
    base = generator.normal(1, 1, 400)
    wobble = generator.normal(0, 0.1, 400)
    wobble -= wobble.mean()
    error = (wobble.std(ddof=1)) / 20
    selection = Selection()
    for epoch, excess in enumerate([0.5, 0.0, 0.9 * error, 1.1 * error], start=1):
        selection.offer(epoch, base + excess + (wobble if epoch > 2 else 0))
    assert selection.best == 2
    assert selection.selected == 3


def test_selection_sees_differences_far_below_the_spread_of_single_epochs() -> None:
    """Unpaired errors (here .05) would call every epoch alike; a rule that used them would keep the last one."""
    base = np.random.default_rng(1).normal(0, 1, 400)
    selection = Selection()
    selection.offer(1, base)
    selection.offer(2, base + 0.01)
    assert selection.selected == 1


def test_without_held_out_examples_the_last_epoch_is_kept() -> None:
    selection = Selection()
    for epoch in (1, 2, 3):
        assert selection.offer(epoch, np.zeros(0, np.float32))
    assert selection.selected == 3


@given(st.integers(2, 300), st.floats(0, 0.5), st.integers(0, 99))
@settings(max_examples=50, deadline=None)
def test_training_and_held_out_examples_are_all_examples_once(size: int, share: float, seed: int) -> None:
    training, held = held_out_examples(size, share, seed=seed)
    assert np.array_equal(np.sort(np.concatenate([training, held])), np.arange(size))
    assert len(held) == (max(1, round(share * size)) if share else 0)


def test_groups_are_never_split() -> None:
    groups = np.repeat([f"patient {i}" for i in range(50)], 4)
    training, held = held_out_examples(200, 0.2, seed=0, groups=groups)
    assert not set(groups[training]) & set(groups[held])
    assert len(held) == 40


def test_the_rule_for_epochs_depends_on_the_number_of_examples_alone() -> None:
    long, short = recipe_of(1_000), recipe_of(10_000_000)
    assert long.epochs > short.epochs >= 1
    assert recipe_of(40).batch_size == 40


@given(passes=st.integers(1, 10**12))
def test_batches_are_the_largest_that_leave_seven_hundred_steps_within_their_bounds(passes: int) -> None:
    batch_size = batch_size_for(passes)
    assert batch_size in (64, 128, 256, 512)
    assert batch_size == 64 or passes / batch_size >= 700
    assert batch_size == 512 or passes / (2 * batch_size) < 700


def test_batches_follow_how_much_is_shown_whether_by_epochs_or_by_passes() -> None:
    assert recipe_of(10_000, epochs=10).batch_size == recipe_of(10_000, passes=100_000).batch_size == 128
    assert recipe_of(10_000, passes=100_000).epochs == 10
    assert recipe_of(10_000, epochs=100).batch_size == 512
    assert recipe_of(10_000, epochs=100, batch_size=32).batch_size == 32


def test_the_papers_batches_are_its_own() -> None:
    assert {recipe_of(size, protocol=PROTOCOLS["paper"]).batch_size for size in (1_000, 100_000)} == {128}


def test_all_faults_of_a_recipe_are_named_together() -> None:
    with pytest.raises(InputError, match=r"epochs.*batch_size.*learning_rate"):
        recipe_of(10, epochs=0, batch_size=1.5, learning_rate=-1.0)


def test_the_learning_rate_warms_up_and_ends_near_zero() -> None:
    rates = [learning_rate_at(step, steps=100, highest=2.0) for step in range(100)]
    assert rates[0] < rates[3] < max(rates) <= 2.0
    assert rates[-1] < 0.01
    assert min(rates) > 0


def test_averaging_with_equal_weights_is_what_the_source_says() -> None:
    """The weight of step t is (eta + 1) / (t + eta) for t from 1, so the first step replaces the start."""
    model, average = nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False)
    expected = None
    for step, value in enumerate([3.0, 5.0, -2.0]):
        nn.init.constant_(model.weight, value)
        average_weights(average, model, step=step)
        weight = 9 / (step + 9)
        expected = value if expected is None else expected + weight * (value - expected)
    assert average.weight.item() == pytest.approx(expected)


def test_averaging_follows_running_statistics() -> None:
    model, average = nn.BatchNorm1d(2), nn.BatchNorm1d(2)
    model(torch.randn(8, 2, generator=torch.Generator().manual_seed(0)) + 4)
    average_weights(average, model, step=0)
    assert torch.equal(average.running_mean, model.running_mean)  # type: ignore[arg-type]
    assert torch.equal(average.num_batches_tracked, model.num_batches_tracked)  # type: ignore[arg-type]


def test_the_middle_of_the_range_leaves_an_image_as_it_is() -> None:
    images = torch.rand((3, 1, 8, 8), generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(affine(images, torch.full((3, 6), 0.5)), images, atol=1e-5, rtol=0)
    colour = torch.rand((3, 3, 32, 32), generator=torch.Generator().manual_seed(0))
    assert torch.equal(crop_and_flip(colour, torch.tensor([[0.5, 0.5, 0.9, 0, 0, 0]] * 3)), colour)


def test_crop_and_flip_moves_whole_pixels_of_each_image_by_itself() -> None:
    colour = torch.rand((2, 3, 32, 32), generator=torch.Generator().manual_seed(0))
    moved = crop_and_flip(colour, torch.tensor([[0.0, 0.999, 0.9, 0, 0, 0], [0.5, 0.5, 0.1, 0, 0, 0]]))
    assert torch.equal(moved[0, :, 4:, :28], colour[0, :, :28, 4:])  # four pixels down, four to the left
    assert torch.equal(moved[1], colour[1].flip(2))


@pytest.mark.parametrize("drawn", [2.0**-33, 1 - 2.0**-33])
def test_the_smallest_and_the_largest_draw_stay_inside_the_image(drawn: float) -> None:
    images = torch.zeros((1, 3, 32, 32))
    assert crop_and_flip(images, torch.full((1, 6), drawn, dtype=torch.float64)).shape == images.shape


def test_a_normalised_batch_has_the_means_taken_out() -> None:
    batch = torch.full((2, 4, 4, 1), 51, dtype=torch.uint8)
    out = Normalisation((0.1,), (0.5,), True).prepare(batch)
    torch.testing.assert_close(out, torch.full((2, 1, 4, 4), 0.2))


def test_augmentations_are_chosen_by_the_kind_of_example() -> None:
    assert augmentation_for("auto", (28, 28, 1), single_layer=False) == "affine"
    assert augmentation_for("auto", (32, 32, 3), single_layer=False) == "crop-flip"
    assert augmentation_for("auto", (5,), single_layer=False) == "none"
    with pytest.raises(InputError, match="features"):
        augmentation_for("affine", (5,), single_layer=False)


def test_a_single_layer_sees_images_as_they_are_unless_told_otherwise() -> None:
    assert augmentation_for("auto", (28, 28, 1), single_layer=True) == "none"
    assert augmentation_for("affine", (28, 28, 1), single_layer=True) == "affine"


def test_an_absent_device_is_refused() -> None:
    with pytest.raises(InputError, match="device='auto'"):
        settle_compute("nonsense")


@pytest.mark.parametrize("cut", [0, 7, 8, 40, -1])
def test_a_damaged_file_is_one_clear_error(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "x.safetensors"
    write_tensors(path, {"a": torch.arange(3)}, {"kind": "test"})
    assert read_tensors(path)[1] == {"kind": "test"}
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(DataError, match="damaged or foreign"):
        read_tensors(path)


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.safetensors"
    write_tensors(path, {"a": torch.arange(3)}, {"round": 1})

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DataError, match="No space left"):
        write_tensors(path, {"a": torch.arange(4)}, {"round": 2})
    assert [p.name for p in tmp_path.iterdir()] == ["x.safetensors"]
    assert read_tensors(path)[1] == {"round": 1}


def test_the_papers_protocol_is_its_own_all_through() -> None:
    recipe = recipe_of(10_000, protocol=PROTOCOLS["paper"], single_layer=True, batch_norm=True)
    assert (recipe.optimizer, recipe.schedule, recipe.averaging) == ("adadelta", "constant", False)
    assert (recipe.batch_size, recipe.epochs, recipe.weight_decay) == (128, 10, 0.0)
    assert {learning_rate_at(step, steps=50, highest=0.3, schedule="constant") for step in range(50)} == {0.3}


def test_an_unknown_protocol_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(InputError, match="did you mean 'evidence'"):
        protocol_named("evidnce")
