"""fit: train a classifier on votes."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
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
from murk.learn.fitted import Fit
from murk.learn.losses import Loss, loss_named
from murk.learn.protocol import protocol_named
from murk.learn.recipe import settle_recipe
from murk.learn.selection import held_out_examples
from murk.learn.training import Callback, Training
from murk.models import build
from murk.noise import Evidence, NoiseModel, Votes

__all__ = ["fit", "fit_of", "training_of"]

RESIDENT_BYTES = 8 << 30  # a set up to this size is kept whole on the device
MOMENT_EXAMPLES = 10_000
MOMENT_VALUES = 1 << 26
SMALLEST_STD = {True: 1e-3, False: 1e-6}  # of images, in 0 .. 1; of features, over their mean


def fit(
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
    consistency: float | None = None,
    device: str | torch.device = "auto",
    precision: str = "auto",
    checkpoint: str | Path | None = None,
    checkpoint_seconds: float = 20.0,
    last_checkpoint: bool = True,
    callbacks: Sequence[Callback] = (),
    seed: int,
) -> Fit:
    """Train a classifier on votes, and keep the epoch that held-out votes choose.

    Args:
        model: a name (`murk.models.names()`) or a torch module from [B, C, H, W] or [B, D] to logits [B, K]; a module
            is trained in place as a copy, yours stays as it is.
        images: uint8 [N, H, W, C], float features [N, D], `Examples` (its class names are kept), or an `ImageSource`.
            Dense features are standardised by what is trained on; the columns of a `SparseSource` stay as they are.
        votes: the votes of these N examples, or ready-made `Evidence`.
        noise: how the votes go wrong: `Dilution`, `Channel`, `Annotators`. The evidence loss needs it for votes.
        known: int [N], the true class where you know it (clean or audited labels), -1 elsewhere. It overrides votes.
        groups: [N], one name an example: a patient, a user, near-duplicates. Never split between training and
            held-out examples. `Examples` with groups bring them along.
        held_out: share of the examples (or groups) whose votes choose the epoch, in [0, 0.5]; they are not trained on.
            None for the protocol's: 0.1 for "evidence", 0 (the last epoch) for "paper".
        protocol: what is meant where a setting is None: "evidence", murk's own training, or "paper", that of the study
            of 2017 (see `murk.learn.protocol`).
        loss: "evidence", "pairs", "soft-labels", "composite", "h-alpha", or a `Loss`.
        epochs: passes over the training examples; None for the one rule (see `murk.learn.recipe`).
        batch_size: examples a step; None for the rule.
        learning_rate: the optimizer's highest rate.
        weight_decay: the optimizer's decay, per unit of learning rate.
        augment: "auto" (grey images: affine; colour: crop and flip; features and models of a single layer: none),
            "none", "affine", "crop-flip".
        consistency: weight, >= 0, of the disagreement between two augmented views of each image, which keeps noise from
            being learned by heart (`murk.learn.consistency`); a step then takes twice as long. None for 0.
        device: "auto" or a torch device.
        precision: "auto" (bfloat16 products where the hardware has them), "bfloat16" or "float32".
        checkpoint: a file, in which all that the training needs to go on is kept; where it exists, it goes on.
        checkpoint_seconds: least time between two writes of it; it is also written on Ctrl-C.
        last_checkpoint: whether it is also written at the end.
        callbacks: each is called with a `Progress` every few steps and at the end of each epoch.
        seed: of initial weights, order, augmentation, dropout and the held-out choice. Same seed, same result on one
            kind of CPU and number of threads.

    Returns:
        The `Fit` of the averaged weights at the selected epoch.

    Raises:
        InputError: what came does not fit together; all faults that can be seen are named together.
        TrainingError: the loss is not finite; the last checkpoint is kept.

    Example:
        >>> import murk
        >>> digits = murk.load("digits")
        >>> noise = murk.Dilution(20, num_classes=10)
        >>> votes = noise.draw(digits.train.labels, seed=0)
        >>> fit = murk.fit("mlp1", digits.train, votes, noise=noise, epochs=3, seed=0)
        >>> len(fit.history)
        3
    """
    training = training_of(
        model, images, votes, noise=noise, known=known, groups=groups, held_out=held_out, protocol=protocol, loss=loss,
        epochs=epochs, batch_size=batch_size, learning_rate=learning_rate, weight_decay=weight_decay, augment=augment,
        consistency=consistency, device=device, precision=precision, seed=seed,
    )  # fmt: skip
    training.callbacks = callbacks
    if checkpoint is not None:
        training.checkpoint, training.checkpoint_seconds = Path(checkpoint), checkpoint_seconds
        training.last_checkpoint = last_checkpoint
        training.fingerprint = _fingerprint(training)
    training.run()
    return fit_of(training, images, noise)


def training_of(
    model: str | nn.Module,
    images: Any,
    votes: Votes | Evidence,
    *,
    noise: NoiseModel | None,
    known: Any,
    groups: Any,
    held_out: float | None,
    protocol: str,
    loss: str | Loss | None,
    epochs: int | None,
    batch_size: int | None,
    learning_rate: float | None,
    weight_decay: float | None,
    augment: str | None,
    device: str | torch.device,
    precision: str,
    seed: int,
    consistency: float | None = None,
) -> Training:
    """Settle everything that `fit` leaves open and lay the training out, ready to run; arguments as `fit`."""
    source = as_source(images)
    num_classes = votes.num_classes
    known, groups = _known(known, len(source), num_classes), _groups(groups, images)
    _refuse_mismatch(source, votes, noise, images, num_classes)
    way = protocol_named(protocol)
    objective = loss_named(way.loss if loss is None else loss)
    held_out = way.held_out if held_out is None else held_out
    training, held = held_out_examples(len(source), held_out, seed=seed, groups=groups)
    network = _network(model, source.example_shape, num_classes, seed)
    single_layer = sum(weight.requires_grad and weight.dim() > 1 for weight in network.parameters()) == 1
    augment = augmentation_for(
        way.augment if augment is None else augment, source.example_shape, single_layer=single_layer
    )
    recipe = settle_recipe(
        len(training), protocol=way, epochs=epochs, batch_size=batch_size, learning_rate=learning_rate,
        weight_decay=weight_decay, batch_norm=any(isinstance(module, _BatchNorm) for module in network.modules()),
        single_layer=single_layer, augment=augment, loss=objective.name, held_out=held_out, seed=seed,
        consistency=consistency,
    )  # fmt: skip
    compute = settle_compute(device, precision)
    targets = objective.targets(votes, noise, known, device=compute.device)
    size = len(source) * int(np.prod(source.example_shape)) * (1 if source.is_images else 4)
    if isinstance(source, ArraySource) and compute.device.type != "cpu" and size <= RESIDENT_BYTES:
        source.resident(compute.device)
    return Training(
        model=network, images=source, targets=targets, loss=objective, recipe=recipe,
        normalisation=_normalisation(source, training), compute=compute, training=training, held_out=held, known=known,
    )  # fmt: skip


def fit_of(training: Training, images: Any, noise: NoiseModel | None) -> Fit:
    """Make the `Fit` of a training that has run; images and noise as `fit` got them."""
    num_classes = training.targets.num_classes
    names = images.class_names if isinstance(images, Examples) and len(images.class_names) == num_classes else None
    return Fit(
        model=training.selected.to("cpu"), noise=noise, history=tuple(training.history),
        selected_epoch=training.selection.selected, recipe=training.recipe, normalisation=training.normalisation,
        class_names=names or tuple(str(k) for k in range(num_classes)), example_shape=training.images.example_shape,
        last=training.average.to("cpu"),
    )  # fmt: skip


def _known(known: Any, num_examples: int, num_classes: int) -> np.ndarray | None:
    if known is None:
        return None
    known = np.asarray(known)
    if known.shape != (num_examples,) or known.dtype.kind not in "iu":
        raise InputError(f"known holds {num_examples} integers, but {known.dtype} of shape {known.shape} came")
    if len(known) and not (known.min() >= -1 and known.max() < num_classes):
        raise InputError(f"known lies in [-1, {num_classes}), but {known.min()} .. {known.max()} came; -1 is unknown")
    return np.asarray(known, dtype=np.int64)


def _groups(groups: Any, images: Any) -> np.ndarray | None:
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


def _network(model: str | nn.Module, example_shape: tuple[int, ...], num_classes: int, seed: int) -> nn.Module:
    if isinstance(model, str):
        return build(model, example_shape=example_shape, num_classes=num_classes, seed=seed)
    if not isinstance(model, nn.Module):
        raise InputError(f"a model is a name or a torch module, but {type(model).__name__} came")
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


def _fingerprint(run: Training) -> str:
    """Hash what makes a training this one: settings, network, split, all targets, and a sample of the images."""
    source = run.images
    settings = [asdict(run.recipe), run.compute.precision, list(source.example_shape)]
    digest = hashlib.sha256(json.dumps(settings).encode())
    digest.update(repr(run.model).encode())
    for tensor in run.model.state_dict().values():
        digest.update(tensor.cpu().contiguous().numpy().tobytes())
    digest.update(run.training.tobytes())
    digest.update(b"" if run.known is None else run.known.tobytes())
    sample = np.linspace(0, len(source) - 1, min(len(source), 1000)).astype(np.int64)
    digest.update(source.batch(sample).cpu().numpy().tobytes())
    run.targets.update_digest(digest)
    return digest.hexdigest()
