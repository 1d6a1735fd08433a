"""Setting up: from what a caller gives to a training that is ready to run."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from murk.data import ArraySource, Examples, ImageSource, as_source, channel_moments
from murk.data.sparse_source import SparseSource
from murk.errors import InputError, refuse
from murk.learn.augment import Normalisation, augmentation_for
from murk.learn.device import settle_compute
from murk.learn.losses import Loss, loss_named
from murk.learn.method import ByLoss, Method, method_fault
from murk.learn.protocol import protocol_named
from murk.learn.recipe import settle_recipe
from murk.learn.selection import held_out_examples
from murk.learn.training import Training
from murk.models import build
from murk.noise import Evidence, NoiseModel, Votes

__all__ = ["groups_of", "known_of", "training_of"]

RESIDENT_BYTES = 8 << 30  # a set up to this size is kept whole on the device
MOMENT_EXAMPLES = 10_000
MOMENT_VALUES = 1 << 26
SMALLEST_STD = {True: 1e-3, False: 1e-6}  # of images, in 0 .. 1; of features, over their mean


def training_of(
    model: str | nn.Module,
    images: Any,
    votes: Votes | Evidence,
    *,
    noise: NoiseModel | None = None,
    known: Any = None,
    groups: Any = None,
    held_out: float | None = None,
    protocol: str = "evidence",
    loss: str | Loss | None = None,
    epochs: int | None = None,
    batch_size: int | None = None,
    learning_rate: float | None = None,
    weight_decay: float | None = None,
    augment: str | None = None,
    device: str | torch.device = "auto",
    precision: str = "auto",
    seed: int,
    consistency: float | None = None,
    method: Method | None = None,
    embedding: int | None = None,
    split: tuple[np.ndarray, np.ndarray] | None = None,
) -> Training:
    """Settle everything that `fit` leaves open and lay the training out, ready to run; arguments as `fit`.

    `split` names the training and the held-out examples in place of `held_out`.
    """
    source = as_source(images)
    num_classes = votes.num_classes
    known, groups = known_of(known, len(source), num_classes), groups_of(groups, images)
    _refuse_mismatch(source, votes, noise, images, num_classes)
    way = protocol_named(protocol)
    refuse([method_fault(method, loss=loss, consistency=consistency)])
    learning = (ByLoss(loss_named(way.loss if loss is None else loss)) if method is None else method).knowing(noise)
    objective = learning.loss()
    held_out = way.held_out if held_out is None else held_out
    training, held = split or held_out_examples(len(source), held_out, seed=seed, groups=groups)
    network = _network(model, source.example_shape, num_classes, seed, embedding)
    single_layer = sum(weight.requires_grad and weight.dim() > 1 for weight in network.parameters()) == 1
    augment = augmentation_for(
        way.augment if augment is None else augment, source.example_shape, single_layer=single_layer
    )
    recipe = settle_recipe(
        len(training), protocol=way, epochs=epochs, batch_size=batch_size, learning_rate=learning_rate,
        weight_decay=weight_decay, batch_norm=any(isinstance(module, _BatchNorm) for module in network.modules()),
        single_layer=single_layer, augment=augment, loss=objective.name, held_out=held_out, seed=seed,
        consistency=consistency, averaging=learning.averaging, method=str(learning),
    )  # fmt: skip
    compute = settle_compute(device, precision)
    targets = objective.targets(votes, noise, known, device=compute.device)
    size = len(source) * int(np.prod(source.example_shape)) * (1 if source.is_images else 4)
    if isinstance(source, ArraySource) and compute.device.type != "cpu" and size <= RESIDENT_BYTES:
        source.resident(compute.device)
    return Training(
        model=network, images=source, targets=targets, loss=objective, recipe=recipe,
        normalisation=_normalisation(source, training), compute=compute, training=training, held_out=held, known=known,
        method=learning,
    )  # fmt: skip


def known_of(known: Any, num_examples: int, num_classes: int) -> np.ndarray | None:
    """Read known labels as int64 [N] in [-1, K), or refuse them."""
    if known is None:
        return None
    known = np.asarray(known)
    if known.shape != (num_examples,) or known.dtype.kind not in "iu":
        raise InputError(f"known holds {num_examples} integers, but {known.dtype} of shape {known.shape} came")
    if len(known) and not (known.min() >= -1 and known.max() < num_classes):
        raise InputError(f"known lies in [-1, {num_classes}), but {known.min()} .. {known.max()} came; -1 is unknown")
    return np.asarray(known, dtype=np.int64)


def groups_of(groups: Any, images: Any) -> np.ndarray | None:
    """Read one group name an example, given or brought along by `Examples`, or refuse them."""
    if groups is None and isinstance(images, Examples):
        groups = images.groups
    if groups is None:
        return None
    groups = np.asarray(groups)
    if groups.ndim != 1 or (groups.dtype.kind == "O" and any(group is None for group in groups)):
        raise InputError(f"groups name one group an example, without gaps, but {groups.dtype} of {groups.shape} came")
    return np.asarray(groups)


def _refuse_mismatch(
    source: ImageSource, votes: Votes | Evidence, noise: NoiseModel | None, images: Any, num_classes: int
) -> None:
    classes = images.num_classes if isinstance(images, Examples) and (images.labels >= 0).any() else num_classes
    if noise is not None and not isinstance(noise, NoiseModel):
        raise InputError(f"noise is a noise model such as Dilution or Channel (or None), but {noise!r} came")
    refuse([
        "" if len(votes) == len(source) else
        f"expected votes for each of {len(source)} examples, but {len(votes)} came; bring both in one order",
        "" if noise is None or noise.num_classes == num_classes else
        f"the noise model has {noise.num_classes} classes, but the votes have {num_classes}",
        "" if classes == num_classes else f"the examples have {classes} classes, but the votes have {num_classes}",
    ])  # fmt: skip


def _network(
    model: str | nn.Module, example_shape: tuple[int, ...], num_classes: int, seed: int, embedding: int | None
) -> nn.Module:
    if isinstance(model, str):
        return build(model, example_shape=example_shape, num_classes=num_classes, seed=seed, embedding=embedding)
    if not isinstance(model, nn.Module):
        raise InputError(f"a model is a name or a torch module, but {type(model).__name__} came")
    if embedding is not None:
        raise InputError(
            f"`embedding={embedding!r}` goes with a model's name, but a module came; build it with "
            "`murk.models.build(name, embedding=...)`, or put `murk.models.Embedding` into your own"
        )
    storages = [tensor.data_ptr() for tensor in model.state_dict().values() if tensor.numel()]
    if len(set(storages)) < len(storages):
        raise InputError("the module's weights share memory (tied weights), which a saved fit cannot hold; untie them")
    return copy.deepcopy(model)


def _normalisation(source: ImageSource, training: np.ndarray) -> Normalisation:
    """Measure mean and deviation on training examples evenly spread; a constant feature keeps scale 1.

    Sparse columns stay as they are: centred, their zeros would all be something, and rare ones would be enormous.
    """
    if isinstance(source, SparseSource):
        columns = source.example_shape[0]
        return Normalisation((0.0,) * columns, (1.0,) * columns, images=False)
    size = int(np.prod(source.example_shape))
    count = min(len(training), MOMENT_EXAMPLES, max(1, MOMENT_VALUES // size))
    chosen = training[np.linspace(0, len(training) - 1, count).astype(np.int64)]
    sample = source.batch(chosen).numpy().astype(np.float32)
    moments = channel_moments(sample.reshape(-1, source.example_shape[-1]))  # a pixel is a row of C features
    unit = 255.0 if source.is_images else 1.0
    mean, std = np.asarray(moments.mean) / unit, np.asarray(moments.std) / unit
    least = SMALLEST_STD[source.is_images] * (1 if source.is_images else np.maximum(np.abs(mean), 1e-12))
    std = np.where(std <= least, 1.0, std)
    return Normalisation(tuple(map(float, mean)), tuple(map(float, std)), source.is_images)
