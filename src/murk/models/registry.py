"""The architectures by name, and `build`, which makes one to the size of the data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import nn

from murk.errors import nearest, refuse
from murk.models.architecture import Architecture
from murk.models.convnet import CONV2, CONV3, CONV4, CONV6, ConvNet, ConvPlan
from murk.models.embedding import CosineHead, Embedding
from murk.models.head import Classifier
from murk.models.option import Choice, Fraction, Option, OptionValue, Whole, whole_number
from murk.models.perceptron import HiddenLayers
from murk.models.request import number_faults, shape_faults, shape_of
from murk.models.resnet import RESNET18, RESNET34, SMALLEST_SIDE, ResNet, stem_for
from murk.models.seed import seeded
from murk.models.settings import ModelSettings

__all__ = ["build", "names", "options", "tensor_shapes"]


def _perceptron(depth: int) -> Architecture:
    choices: dict[str, Option] = {"width": Whole(256), "dropout": Fraction(0.0)} if depth else {}
    return Architecture(partial(HiddenLayers, depth=depth), choices)


def _head(shape: tuple[int, ...], *, hidden: int | None, dropout: float) -> HiddenLayers:
    return HiddenLayers(shape, depth=0 if hidden is None else 1, width=hidden or 1, dropout=dropout)


def _convnet(plan: ConvPlan) -> Architecture:
    choices: dict[str, Option] = {
        "width": Whole(plan.width),
        "dropout": Fraction(plan.dropout),
        "norm": Choice((plan.norm, *sorted({"none", "batch", "group"} - {plan.norm}))),
    }
    return Architecture(partial(ConvNet, plan), choices, "images", lambda values: plan.smallest_side())


def _resnet_side(values: Mapping[str, OptionValue]) -> int:
    return SMALLEST_SIDE[str(values["stem"])]


def _resnet_stem(shape: tuple[int, ...], values: Mapping[str, OptionValue]) -> Mapping[str, OptionValue]:
    return {**values, "stem": stem_for(shape)} if values["stem"] == "auto" else values


def _resnet(blocks: tuple[int, ...]) -> Architecture:
    choices: dict[str, Option] = {
        "stem": Choice(("auto", "cifar", "imagenet")),
        "norm": Choice(("batch", "group")),
        "width": Whole(64),
        "dropout": Fraction(0.0),
    }
    return Architecture(partial(ResNet, blocks), choices, "images", _resnet_side, _resnet_stem)


_ARCHITECTURES: Mapping[str, Architecture] = {
    "perceptron": _perceptron(0),
    "mlp1": _perceptron(1),
    "mlp2": _perceptron(2),
    "mlp4": _perceptron(4),
    "conv2": _convnet(CONV2),
    "conv3": _convnet(CONV3),
    "conv4": _convnet(CONV4),
    "conv6": _convnet(CONV6),
    "resnet18": _resnet(RESNET18),
    "resnet34": _resnet(RESNET34),
    "head": Architecture(_head, {"hidden": Whole(None, optional=True), "dropout": Fraction(0.0)}, "features"),
}


def names() -> tuple[str, ...]:
    """The names that `build` knows, simplest first.

    Example:
        >>> names()[:3]
        ('perceptron', 'mlp1', 'mlp2')
    """
    return tuple(_ARCHITECTURES)


def options(name: str) -> dict[str, OptionValue]:
    """The options of an architecture and their defaults.

    Args:
        name: one of `names()`.

    Raises:
        InputError: no architecture has this name.

    Example:
        >>> options("conv4")
        {'width': 32, 'dropout': 0.5, 'norm': 'none'}
    """
    refuse([_name_fault(name)])
    return {key: option.default for key, option in _ARCHITECTURES[name].options.items()}


def _name_fault(name: object) -> str:
    if isinstance(name, str) and name in _ARCHITECTURES:
        return ""
    known = ", ".join(_ARCHITECTURES)
    if isinstance(name, str) and ":" in name:
        return f"no model is called {name!r}; an import path goes to backbone(), and known names are {known}"
    hint = f"did you mean {nearest(name, _ARCHITECTURES)!r}? " if isinstance(name, str) else ""
    return f"no model is called {name!r}; {hint}Known names are {known}"


def _given(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options that were really given: None asks for the default, of any architecture's option."""
    known = {key for architecture in _ARCHITECTURES.values() for key in architecture.options}
    return {key: value for key, value in options.items() if value is not None or key not in known}


def build(
    name: str, *, example_shape: Sequence[int], num_classes: int, seed: int = 0, embedding: int | None = None,
    **options: Any,
) -> Classifier:  # fmt: skip
    """Build a model to the size of the data, with initial weights that depend on nothing but `seed`.

    The weights are drawn on the CPU from a generator of their own (see `seeded`): equal arguments give equal bits,
    and no global random state is read or changed. Not promised: equal bits across versions of torch.

    Args:
        name: one of `names()`.
        example_shape: (H, W, C) of the images in pixels and channels, or (D,) of the features.
        num_classes: number of classes K, 2 or more.
        seed: whole number in [0, 2**63).
        embedding: None, or E: features are then E numbers of length one, to be searched by, and logits 20 times the
            cosine of their angle to each class's direction (`murk.models.embedding`).
        **options: settings of this architecture, see `options(name)`; None takes the default.
            `width` (whole number): hidden units of an MLP, or channels of the first layer; others scale with it.
            `dropout` (number in [0, 1)): on dense layers; ConvNets drop half as much after each pool.
            `norm` ("batch", "group", and for ConvNets "none"): normalisation of the maps.
            `stem` ("auto", "cifar", "imagenet"): first layers of a ResNet.
            `hidden` (whole number or None): hidden units of `head`; None for a linear head.

    Returns:
        A `Classifier` in training mode on the CPU. Images go in as float [B,C,H,W], already normalised, features as
        float [B,D]; logits [B,K] come out. Its `settings` hold everything needed to build it again.

    Raises:
        InputError: unknown name or option (the nearest valid one is named), impossible values, examples of the wrong
            kind or too small; all faults together.

    Example:
        >>> import torch
        >>> model = build("conv3", example_shape=(28, 28, 1), num_classes=10, seed=1)
        >>> model(torch.zeros(2, 1, 28, 28)).shape
        torch.Size([2, 10])
    """
    settings = _settings(name, example_shape, num_classes, seed, embedding, options)
    with seeded(int(seed)):
        return _made(settings)


def tensor_shapes(
    name: str, *, example_shape: Sequence[int], num_classes: int, embedding: int | None = None, **options: Any
) -> dict[str, tuple[int, ...]]:
    """Tell the shape of every weight and buffer that `build` would make, without memory for any of them.

    Example:
        >>> tensor_shapes("perceptron", example_shape=(64,), num_classes=10)
        {'head.weight': (10, 64), 'head.bias': (10,)}
    """
    settings = _settings(name, example_shape, num_classes, 0, embedding, options)
    with torch.device("meta"):
        return {key: tuple(tensor.shape) for key, tensor in _made(settings).state_dict().items()}


def _settings(
    name: str, example_shape: Sequence[int], num_classes: int, seed: int, embedding: int | None,
    options: Mapping[str, Any],
) -> ModelSettings:  # fmt: skip
    given = _given(options)
    refuse([
        *_faults(name, example_shape, given), *number_faults(num_classes, seed),
        Whole(None, optional=True).fault("embedding", embedding),
    ])  # fmt: skip
    shape = tuple(int(side) for side in example_shape)
    values = _ARCHITECTURES[name].values(shape, given)
    return ModelSettings(name, shape, int(num_classes), tuple(sorted(values.items())), whole_number(embedding))


def _made(settings: ModelSettings) -> Classifier:
    features = _ARCHITECTURES[settings.name].features(settings.example_shape, **dict(settings.options))
    if settings.embedding is None:
        return Classifier(features, nn.Linear(features.num_features, settings.num_classes), settings=settings)
    embedding = Embedding(features, settings.embedding)
    return Classifier(embedding, CosineHead(embedding.num_features, settings.num_classes), settings=settings)


def _faults(name: str, example_shape: Sequence[int], given: Mapping[str, Any]) -> list[str]:
    """What is wrong with the name, its options and the shape; an empty list where nothing is."""
    faults = [_name_fault(name), *shape_faults(example_shape)]
    if not faults[0]:
        architecture = _ARCHITECTURES[name]
        wrong = architecture.option_faults(name, given)
        faults += wrong
        shape = shape_of(example_shape)
        if shape is not None and not wrong:
            faults.append(architecture.shape_fault(name, shape, architecture.values(shape, given)))
    return faults
