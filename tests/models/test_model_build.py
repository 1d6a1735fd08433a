"""`build`: shapes, seeds, random states, gradients and settings of every registered model."""

from __future__ import annotations

import copy
import json

import numpy as np
import pytest
import torch
from torch import nn

from murk.errors import InputError
from murk.models import Classifier, build, names, options

SMALL_RESNET = {"resnet18": {"width": 4}, "resnet34": {"width": 4}}


def shape_for(name):
    return (6,) if name == "head" else (12, 10, 3)


def batch_for(name, size=3):
    height, breadth, channels = (12, 10, 3)
    generator = torch.Generator().manual_seed(5)
    shape = (6,) if name == "head" else (channels, height, breadth)
    return torch.randn((size, *shape), generator=generator)


def small(name, *, seed=0, **given):
    return build(
        name, example_shape=shape_for(name), num_classes=4, seed=seed, **{**SMALL_RESNET.get(name, {}), **given}
    )


@pytest.mark.parametrize("name", names())
def test_every_model_is_a_linear_head_on_its_features(name):
    model, x = small(name).eval(), batch_for(name)
    assert isinstance(model, Classifier) and isinstance(model.head, nn.Linear)
    features = model.features(x)
    assert features.shape == (3, model.num_features)
    assert model(x).shape == (3, model.num_classes) == (3, 4)
    torch.testing.assert_close(model(x), features @ model.head.weight.T + model.head.bias)


@pytest.mark.parametrize("name", names())
def test_weights_are_a_function_of_the_seed_alone(name):
    torch.manual_seed(1)
    one = small(name, seed=7).state_dict()
    torch.manual_seed(2)
    again, other = small(name, seed=7).state_dict(), small(name, seed=8).state_dict()
    assert all(torch.equal(one[key], again[key]) for key in one)
    assert any(not torch.equal(one[key], other[key]) for key in one)


@pytest.mark.parametrize("name", names())
def test_building_leaves_the_global_random_state_alone(name):
    before, numpy_before = torch.get_rng_state(), np.random.get_state()[1].copy()
    small(name, seed=3)
    assert torch.equal(torch.get_rng_state(), before)
    assert np.array_equal(np.random.get_state()[1], numpy_before)


def test_a_failed_draw_still_gives_the_random_state_back():
    from murk.models.seed import seeded

    before = torch.get_rng_state()
    with pytest.raises(RuntimeError, match="stop"), seeded(1):
        torch.rand(3)
        raise RuntimeError("stop")
    assert torch.equal(torch.get_rng_state(), before)


def test_weights_are_made_on_the_cpu_whatever_the_default_device():
    expected = small("conv3", seed=7).state_dict()
    with torch.device("meta"):
        found = small("conv3", seed=7).state_dict()
    assert all(torch.equal(expected[key], found[key]) for key in expected)


@pytest.mark.parametrize("name", names())
def test_a_gradient_reaches_every_parameter(name):
    model, x = small(name, dropout=0.0 if "dropout" in options(name) else None), batch_for(name, size=16)
    for parameter in model.parameters():
        if not parameter.any():
            nn.init.constant_(parameter, 0.1)  # a zero scale at the end of a block hides what comes before it
    nn.functional.cross_entropy(model(x), torch.arange(16) % 4).backward()
    without = [
        key for key, p in model.named_parameters() if p.grad is None or not p.grad.isfinite().all() or not p.grad.any()
    ]
    assert without == []


@pytest.mark.parametrize("name", names())
def test_settings_build_the_same_model_again_after_a_trip_through_json(name):
    model = small(name, seed=11)
    again = build(**json.loads(json.dumps(model.settings.as_dict())), seed=11)
    assert again.settings == model.settings and hash(again.settings) == hash(model.settings)
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), again.parameters(), strict=True))


@pytest.mark.parametrize("name", names())
def test_models_can_be_copied_for_weight_averaging(name):
    model, x = small(name).eval(), batch_for(name)
    assert torch.equal(copy.deepcopy(model)(x), model(x))


@pytest.mark.parametrize("name", ["conv2", "conv3", "conv4", "conv6", "resnet18"])
def test_channels_last_memory_gives_the_same_logits(name):
    model, x = small(name).eval(), batch_for(name)
    expected = model(x)
    found = model.to(memory_format=torch.channels_last)(x.contiguous(memory_format=torch.channels_last))
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["mlp2", "conv2", "conv3", "conv4", "conv6", "resnet18"])
def test_dropout_acts_in_training_and_not_in_evaluation(name):
    model, x = small(name, dropout=0.5), batch_for(name)
    assert not torch.equal(model(x), model(x))
    model.eval()
    assert torch.equal(model(x), model(x))


def test_pooling_before_the_relu_equals_the_usual_order():
    model, x = small("conv3", norm="none").eval(), batch_for("conv3")
    layers = model.features.layers
    maps = x
    for number in (1, 2, 3):
        convolution = layers.get_submodule(f"conv{number}")
        maps = nn.functional.max_pool2d(nn.functional.relu(convolution(maps)), 2)
    expected = model.head(nn.functional.relu(layers.get_submodule("dense")(maps.flatten(1))))
    assert torch.equal(model(x), expected)


@pytest.mark.parametrize("name", ["conv2", "conv3", "conv4", "conv6", "resnet18", "resnet34"])
def test_group_norm_variants_contain_no_batch_norm(name):
    kinds = {type(module) for module in small(name, norm="group").modules()}
    assert nn.BatchNorm2d not in kinds and nn.GroupNorm in kinds
    assert nn.BatchNorm2d in {type(module) for module in small(name, norm="batch").modules()}


@pytest.mark.parametrize("name", ["conv3", "conv4", "resnet18"])
def test_group_norm_does_not_couple_the_examples_of_a_batch(name):
    model, x = small(name, norm="group", dropout=0.0), batch_for(name)
    torch.testing.assert_close(model(x)[:1], model(x[:1]))


@pytest.mark.parametrize(
    ("side", "stem"), [((32, 32), "cifar"), ((95, 200), "cifar"), ((96, 96), "imagenet"), ((96, 200), "imagenet")]
)
def test_the_stem_follows_the_image_size(side, stem):
    model = build("resnet18", example_shape=(*side, 3), num_classes=2, width=4)
    assert dict(model.settings.options)["stem"] == stem
    assert model.features.conv.kernel_size == ((7, 7) if stem == "imagenet" else (3, 3))


@pytest.mark.parametrize("shape", [(8, 8, 1), (28, 28, 1), (32, 32, 3), (64, 64, 3)])
def test_conv3_and_conv4_take_digits_mnist_and_cifar(shape):
    height, breadth, channels = shape
    for name in ("conv3", "conv4"):
        model = build(name, example_shape=shape, num_classes=10)
        assert model(torch.zeros(2, channels, height, breadth)).shape == (2, 10)


def test_numpy_numbers_are_taken_as_whole_numbers():
    model = build(
        "mlp1", example_shape=np.array([8, 8, 1]), num_classes=np.int64(3), seed=np.int64(1), width=np.int32(5)
    )
    assert model.settings.as_dict() == {
        "name": "mlp1",
        "example_shape": [8, 8, 1],
        "num_classes": 3,
        "dropout": 0.0,
        "width": 5,
    }
    assert all(type(side) is int for side in model.settings.example_shape)


def test_a_batch_of_the_wrong_layout_is_refused_with_the_right_one():
    model = build("conv3", example_shape=(12, 10, 3), num_classes=4)
    with pytest.raises(InputError, match=r"\[B,3,12,10\].*\[2, 12, 10, 3\].*permute\(0, 3, 1, 2\)"):
        model(torch.zeros(2, 12, 10, 3))
