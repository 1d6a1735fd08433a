"""What `build` refuses: unknown names and options, impossible values, examples that do not fit."""

from __future__ import annotations

import pytest
import torch

from murk.errors import InputError
from murk.models import build, names, options


@pytest.mark.parametrize(
    ("asked", "nearest"),
    [("ResNet-18", "resnet18"), ("conv_4", "conv4"), ("mpl2", "mlp2"), ("perceptrn", "perceptron"), ("heads", "head")],
)
def test_unknown_names_are_refused_with_the_nearest_valid_one(asked, nearest):
    with pytest.raises(InputError, match=f"did you mean '{nearest}'") as caught:
        build(asked, example_shape=(32, 32, 3), num_classes=10)
    assert all(name in str(caught.value) for name in names())
    with pytest.raises(InputError, match=f"did you mean '{nearest}'"):
        options(asked)


def test_an_import_path_is_not_a_registered_name():
    with pytest.raises(InputError, match=r"goes to backbone\(\)"):
        build("antigravity:fly", example_shape=(32, 32, 3), num_classes=10)


@pytest.mark.parametrize(
    ("name", "given", "words"),
    [
        ("conv4", {"widht": 8}, "conv4 has no option 'widht'; did you mean 'width'"),
        ("resnet18", {"nrom": "group"}, "did you mean 'norm'"),
        ("resnet18", {"norm": "grup"}, "did you mean 'group'"),
        ("resnet18", {"stem": "imagent"}, "did you mean 'imagenet'"),
        ("perceptron", {"width": 5}, "perceptron has no options, but 'width' came"),
        ("conv4", {"width": 0}, "width must be a whole number from 1 to 65,536, not 0"),
        ("conv4", {"width": 65_537}, "whole number"),
        ("conv4", {"width": 8.0}, "whole number"),
        ("conv4", {"width": True}, "whole number"),
        ("conv4", {"width": "8"}, "whole number"),
        ("conv4", {"dropout": 1.0}, r"dropout must be a number in \[0, 1\), not 1.0"),
        ("conv4", {"dropout": -0.1}, "dropout must be"),
        ("conv4", {"dropout": float("nan")}, "dropout must be"),
        ("conv4", {"dropout": "0.5"}, "dropout must be"),
        ("conv4", {"unknown": None}, "no option 'unknown'"),
    ],
)
def test_bad_options_are_refused_with_what_is_valid(name, given, words):
    with pytest.raises(InputError, match=words):
        build(name, example_shape=(32, 32, 3), num_classes=10, **given)


@pytest.mark.parametrize("name", [name for name in names() if name != "head"])
def test_an_option_that_is_none_takes_the_default(name):
    stem = {"stem": "cifar"} if name.startswith("resnet") else {}
    model = build(name, example_shape=(32, 32, 3), num_classes=2, dropout=None, width=None, norm=None)
    assert dict(model.settings.options) == {**options(name), **stem}


@pytest.mark.parametrize(
    "shape", [(), (0,), (-3,), (28, 28), (1, 28, 28, 1), (28, 0, 1), (28.0, 28.0, 1.0), "28", 28, None]
)
def test_impossible_example_shapes_are_refused(shape):
    with pytest.raises(InputError, match=r"example_shape must be \(H, W, C\) or \(D,\)"):
        build("mlp1", example_shape=shape, num_classes=10)


@pytest.mark.parametrize("num_classes", [1, 0, -2, 2.0, True, None])
def test_fewer_than_two_classes_are_refused(num_classes):
    with pytest.raises(InputError, match="num_classes must be a whole number of at least 2"):
        build("mlp1", example_shape=(4,), num_classes=num_classes)


@pytest.mark.parametrize("seed", [-1, 2**63, 0.5, None])
def test_impossible_seeds_are_refused(seed):
    with pytest.raises(InputError, match="seed must be a whole number from 0"):
        build("mlp1", example_shape=(4,), num_classes=2, seed=seed)


def test_all_faults_are_named_together():
    with pytest.raises(InputError) as caught:
        build("resnet18", example_shape=(3, 3), num_classes=1, seed=-1, norm="bach", wdth=3)
    for words in ("example_shape", "num_classes", "seed", "norm is one of batch, group", "no option 'wdth'"):
        assert words in str(caught.value)


@pytest.mark.parametrize(
    ("name", "given", "side"),
    [
        ("conv2", {}, 6),
        ("conv3", {}, 8),
        ("conv4", {}, 4),
        ("conv6", {}, 10),
        ("resnet18", {"width": 2}, 8),
        ("resnet34", {"width": 2, "stem": "imagenet"}, 32),
    ],
)
def test_images_too_small_are_refused_with_what_is_needed(name, given, side):
    with pytest.raises(
        InputError, match=f"{name} needs images of at least {side}x{side} pixels, but {side}x{side - 1}"
    ):
        build(name, example_shape=(side, side - 1, 1), num_classes=2, **given)
    model = build(name, example_shape=(side, side, 1), num_classes=2, **given).eval()
    assert model(torch.zeros(1, 1, side, side)).isfinite().all()


@pytest.mark.parametrize("name", [name for name in names() if name.startswith(("conv", "resnet"))])
def test_image_models_refuse_features(name):
    with pytest.raises(InputError, match=rf"{name} needs images \(H, W, C\), but features \(20,\) came"):
        build(name, example_shape=(20,), num_classes=2)


def test_the_head_refuses_images():
    with pytest.raises(InputError, match=r"head needs features \(D,\), but images \(8, 8, 1\) came"):
        build("head", example_shape=(8, 8, 1), num_classes=2)
