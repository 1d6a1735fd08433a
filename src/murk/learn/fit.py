"""fit: train a classifier on votes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from murk.data import Examples
from murk.errors import refuse
from murk.learn.find_noise import find_noise
from murk.learn.fingerprint import fingerprint_of
from murk.learn.fitted import Fit
from murk.learn.losses import Loss
from murk.learn.method import Method, method_fault
from murk.learn.methods import method_named
from murk.learn.progress import Callback
from murk.learn.setting_up import training_of
from murk.learn.training import Training
from murk.measure import TransitionEstimate
from murk.noise import Evidence, NoiseModel, Unknown, Votes

__all__ = ["fit", "fit_of"]


def fit(
    model: str | nn.Module,
    images: Any,
    votes: Votes | Evidence,
    *,
    noise: NoiseModel | Unknown | str | None = None,
    known: Any = None,
    groups: Any = None,
    held_out: float | None = None,
    protocol: str = "evidence",
    method: str | Method | None = None,
    loss: str | Loss | None = None,
    epochs: int | None = None,
    batch_size: int | None = None,
    learning_rate: float | None = None,
    weight_decay: float | None = None,
    augment: str | None = None,
    consistency: float | None = None,
    embedding: int | None = None,
    device: str | torch.device = "auto",
    precision: str = "auto",
    checkpoint: str | Path | None = None,
    checkpoint_seconds: float = 20.0,
    last_checkpoint: bool = True,
    callbacks: Sequence[Callback] = (),
    seed: int,
) -> Fit:
    """Train a classifier on votes, and keep the epoch that held-out votes choose.

    Within `murk.learn.joined_processes` several processes, each of which calls it alike, share the work.

    Args:
        model: a name (`murk.models.names()`) or a torch module from [B, C, H, W] or [B, D] to logits [B, K]; a module
            is trained in place as a copy, yours stays as it is.
        images: uint8 [N, H, W, C], float features [N, D], `Examples` (its class names are kept), or an `ImageSource`.
            Dense features are standardised by what is trained on; the columns of a `SparseSource` stay as they are.
        votes: the votes of these N examples, or ready-made `Evidence`.
        noise: how the votes go wrong: `Dilution`, `Channel`, `Annotators`; or "auto" (or `Unknown`), to find it out
            first (`murk.learn.find_noise`), which takes about as long again as the training or somewhat longer;
            "auto:one-right" and "auto:dependent" say what is known nonetheless. The evidence loss needs it for votes.
        known: int [N], the true class where you know it (clean or audited labels), -1 elsewhere. It overrides votes.
        groups: [N], one name an example: a patient, a user, near-duplicates. Never split between training and
            held-out examples. `Examples` with groups bring them along.
        held_out: share of the examples (or groups) whose votes choose the epoch, in [0, 0.5]; they are not trained on.
            None for the protocol's: 0.1 for "evidence", 0 (the last epoch) for "paper".
        protocol: what is meant where a setting is None: "evidence", murk's own training, "paper", that of the study of
            2017, or "sgd", that of a study of SAM (see `murk.learn.protocol`).
        method: a name of `murk.learn.methods.METHODS`, such as "elr" (or "elr:pull=1"), or a `Method`: another way to
            learn, to hold murk's own against. None goes by the loss.
        loss: "evidence", "pairs", "soft-labels", "composite", "h-alpha", or a `Loss`.
        epochs: passes over the training examples; None for the one rule (see `murk.learn.recipe`).
        batch_size: examples a step; None for the rule.
        learning_rate: the optimizer's highest rate.
        weight_decay: the optimizer's decay, per unit of learning rate.
        augment: "auto" (grey images: affine; colour: crop and flip; features and models of a single layer: none),
            "none", "affine", "crop-flip".
        consistency: weight, >= 0, of the disagreement between two augmented views of each image, which keeps noise from
            being learned by heart (`murk.learn.consistency`); a step then takes twice as long. None for 0.
        embedding: None, or E: the model then makes E numbers of length one of each image (`Fit.embed`), by whose
            directions images are searched, and tells classes by the angle to theirs; with a model's name.
        device: "auto" or a torch device.
        precision: "auto" (bfloat16 products where the hardware has them), "bfloat16" or "float32".
        checkpoint: a file, in which all that the training needs to go on is kept; where it exists, it goes on. While
            noise is found, files beside it (`murk.learn.checkpoint.checkpoint_files`) do the same.
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
    settings: dict[str, Any] = {
        "known": known, "groups": groups, "protocol": protocol, "loss": loss, "epochs": epochs, "augment": augment,
        "batch_size": batch_size, "learning_rate": learning_rate, "weight_decay": weight_decay,
        "consistency": consistency, "embedding": embedding, "device": device, "precision": precision, "seed": seed,
    }  # fmt: skip
    found, way = None, None if method is None else method_named(method)
    refuse([method_fault(way, loss=loss, consistency=consistency)])
    if noise is None and way is not None:
        noise = way.noise_from_training(model, images, votes, held_out=held_out, callbacks=callbacks, **settings)
    if isinstance(noise, Unknown | str):
        found = find_noise(
            model, images, votes, noise, callbacks=callbacks, checkpoint=checkpoint,
            checkpoint_seconds=checkpoint_seconds, **settings,
        )  # fmt: skip
        noise = found.noise
    training = training_of(model, images, votes, noise=noise, held_out=held_out, method=way, **settings)
    training.callbacks = callbacks
    if checkpoint is not None:
        training.checkpoint, training.checkpoint_seconds = Path(checkpoint), checkpoint_seconds
        training.last_checkpoint = last_checkpoint
    if checkpoint is not None or training.team.size > 1:
        training.fingerprint = fingerprint_of(training)
    training.run()
    return fit_of(training, images, noise, found=found)


def fit_of(
    training: Training, images: Any, noise: NoiseModel | None, *, found: TransitionEstimate | None = None
) -> Fit:
    """Make the `Fit` of a training that has run; images and noise as `fit` got them."""
    num_classes = training.targets.num_classes
    names = images.class_names if isinstance(images, Examples) and len(images.class_names) == num_classes else None
    return Fit(
        model=training.selected.to("cpu"), noise=noise, history=tuple(training.history),
        selected_epoch=training.selection.selected, recipe=training.recipe, normalisation=training.normalisation,
        class_names=names or tuple(str(k) for k in range(num_classes)), example_shape=training.images.example_shape,
        last=training.average.to("cpu"), found=found,
    )  # fmt: skip
