"""Parameter counts against formulas written down from the architectures, and against published numbers."""

from __future__ import annotations

import math

import pytest

from murk.models import build


def count_perceptron(shape, num_classes):
    return (math.prod(shape) + 1) * num_classes


def count_mlp(shape, num_classes, depth, width=256):
    return (math.prod(shape) + 1) * width + (depth - 1) * (width + 1) * width + (width + 1) * num_classes


def count_conv2(shape, num_classes, width=32):
    height, breadth, channels = shape
    pixels = ((height - 4) // 2) * ((breadth - 4) // 2)
    convolutions = (9 * channels + 1) * width + (9 * width + 1) * 2 * width
    return convolutions + (pixels * 2 * width + 1) * 4 * width + (4 * width + 1) * num_classes


def count_conv3(shape, num_classes, width=32):
    height, breadth, channels = shape
    pixels = (height // 8) * (breadth // 8)
    convolutions = (9 * channels + 1) * width + (9 * width + 1) * 2 * width + (18 * width + 1) * 2 * width
    return convolutions + (pixels * 2 * width + 1) * 2 * width + (2 * width + 1) * num_classes


def count_four_convolutions(pixels, channels, num_classes, width, dense):
    convolutions = (9 * channels + 1) * width + (9 * width + 1) * width
    convolutions += (9 * width + 1) * 2 * width + (18 * width + 1) * 2 * width
    return convolutions + (pixels * 2 * width + 1) * dense + (dense + 1) * num_classes


def count_conv4(shape, num_classes, width=32):
    pixels = (shape[0] // 4) * (shape[1] // 4)
    return count_four_convolutions(pixels, shape[2], num_classes, width, 4 * width)


def count_conv6(shape, num_classes, width=32):
    def left(side):
        return ((side - 2) // 2 - 2) // 2

    return count_four_convolutions(left(shape[0]) * left(shape[1]), shape[2], num_classes, width, 16 * width)


def count_resnet(blocks, channels, num_classes, width=64, kernel=3):
    total = kernel**2 * channels * width + 2 * width + blocks[0] * (18 * width**2 + 4 * width)
    for stage in (1, 2, 3):
        c = width * 2**stage
        total += 14 * c**2 + 6 * c + (blocks[stage] - 1) * (18 * c**2 + 4 * c)
    return total + (8 * width + 1) * num_classes


def parameters(name, shape, num_classes, **options):
    model = build(name, example_shape=shape, num_classes=num_classes, **options)
    return sum(parameter.numel() for parameter in model.parameters())


@pytest.mark.parametrize("shape", [(17,), (28, 28, 1), (9, 31, 3)])
@pytest.mark.parametrize("num_classes", [2, 10])
def test_perceptrons_have_the_parameters_of_the_closed_form(shape, num_classes):
    assert parameters("perceptron", shape, num_classes) == count_perceptron(shape, num_classes)
    for depth in (1, 2, 4):
        assert parameters(f"mlp{depth}", shape, num_classes) == count_mlp(shape, num_classes, depth)
        assert parameters(f"mlp{depth}", shape, num_classes, width=24) == count_mlp(shape, num_classes, depth, 24)


@pytest.mark.parametrize("shape", [(28, 28, 1), (32, 32, 3), (13, 30, 4)])
@pytest.mark.parametrize(
    ("name", "closed_form"),
    [("conv2", count_conv2), ("conv3", count_conv3), ("conv4", count_conv4), ("conv6", count_conv6)],
)
def test_convnets_have_the_parameters_of_the_closed_form(name, closed_form, shape):
    assert parameters(name, shape, 10, norm="none") == closed_form(shape, 10)
    assert parameters(name, shape, 3, width=8, norm="none") == closed_form(shape, 3, width=8)


@pytest.mark.parametrize("norm", ["batch", "group"])
@pytest.mark.parametrize(
    ("name", "closed_form", "channels"),
    [("conv2", count_conv2, 3), ("conv3", count_conv3, 5), ("conv4", count_conv4, 6), ("conv6", count_conv6, 6)],
)
def test_a_norm_adds_a_scale_and_a_shift_and_takes_the_bias_of_each_channel(name, closed_form, channels, norm):
    assert parameters(name, (28, 28, 1), 10, width=8, norm=norm) == closed_form((28, 28, 1), 10, width=8) + channels * 8


@pytest.mark.parametrize(("name", "blocks"), [("resnet18", (2, 2, 2, 2)), ("resnet34", (3, 4, 6, 3))])
@pytest.mark.parametrize("norm", ["batch", "group"])
@pytest.mark.parametrize(("stem", "kernel"), [("cifar", 3), ("imagenet", 7)])
def test_resnets_have_the_parameters_of_the_closed_form(name, blocks, norm, stem, kernel):
    for channels, width in [(3, 16), (1, 12)]:
        built = parameters(name, (40, 33, channels), 7, norm=norm, stem=stem, width=width)
        assert built == count_resnet(blocks, channels, 7, width, kernel)


@pytest.mark.parametrize(("hidden", "expected"), [(None, (20 + 1) * 6), (5, (20 + 1) * 5 + (5 + 1) * 6)])
def test_heads_have_the_parameters_of_the_closed_form(hidden, expected):
    assert parameters("head", (20,), 6, hidden=hidden) == expected


@pytest.mark.parametrize(
    ("name", "shape", "num_classes", "published"),
    [
        ("resnet18", (32, 32, 3), 10, 11_173_962),
        ("resnet34", (32, 32, 3), 10, 21_282_122),
        ("resnet18", (224, 224, 3), 1000, 11_689_512),
        ("resnet34", (224, 224, 3), 1000, 21_797_672),
        ("conv2", (28, 28, 1), 10, 1_199_882),
        ("conv6", (32, 32, 3), 10, 1_250_858),
    ],
)
def test_parameter_counts_are_the_published_ones(name, shape, num_classes, published):
    # CIFAR ResNets: kuangliu/pytorch-cifar; ImageNet ResNets: torchvision; ConvNets: Keras's MNIST and CIFAR examples.
    assert parameters(name, shape, num_classes) == published


def test_conv3_has_about_a_hundred_thousand_parameters_on_mnist():
    assert 90_000 <= parameters("conv3", (28, 28, 1), 10) <= 110_000
