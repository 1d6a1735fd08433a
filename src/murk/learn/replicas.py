"""Replicas: trainings that differ only in seed, votes, noise model or learning rate, trained together as one."""

from __future__ import annotations

import copy
import itertools
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd

from murk.errors import InputError, TrainingError, refuse
from murk.learn.device import settle_compute
from murk.learn.fit import fit_of
from murk.learn.fitted import Fit
from murk.learn.losses import Loss
from murk.learn.progress import Progress
from murk.learn.setting_up import training_of
from murk.learn.together import Together
from murk.learn.training import Training
from murk.noise import Evidence, NoiseModel, Votes

__all__ = ["Replica", "can_replicate", "fit_replicas", "replicas_pay", "run_replicas"]

STEP_OF_EACH = 500_000  # weights times examples a batch, for each replica
FEWEST = 4  # replicas that this was measured with
ADDRESS = re.compile(r" at 0x[0-9a-f]+")


@dataclass(frozen=True)
class Replica:
    """What one of several trainings has of its own; fields as `fit` takes them.

    Attributes:
        votes: the votes (or evidence) of the N examples.
        noise: how they go wrong, or None.
        seed: of initial weights, order, augmentation and the held-out choice.
        learning_rate: the optimizer's highest rate, > 0, or None for the protocol's.
        known: int [N], true classes where they are known, -1 elsewhere; or None.
    """

    votes: Votes | Evidence
    noise: NoiseModel | None
    seed: int
    learning_rate: float | None = None
    known: Any = None


def fit_replicas(
    model: str | Callable[[int], nn.Module],
    images: Any,
    replicas: Sequence[Replica],
    *,
    groups: Any = None,
    held_out: float | None = None,
    protocol: str = "evidence",
    loss: str | Loss | None = None,
    epochs: int | None = None,
    batch_size: int | None = None,
    weight_decay: float | None = None,
    augment: str | None = None,
    device: str | torch.device = "auto",
    precision: str = "auto",
    callbacks: Sequence[Callable[[int, Progress], None]] = (),
) -> list[Fit | TrainingError]:
    """Train several replicas of a model together; each ends as `fit` alone would leave it, but for rounding.

    Their weights are stacked, and one step moves all: what a step costs beside arithmetic is paid once. That is faster
    for small models and batches and slower for others: ask `replicas_pay`. There are no checkpoints.

    Args:
        model: a name (`murk.models.names()`), or a function from the seed to a torch module, without dropout and
            BatchNorm (`can_replicate`). Its modules differ in the values of their weights alone: one computes for all.
        images: as `fit`; the same for all replicas.
        replicas: what each training has of its own.
        groups: as `fit`, like all that follows.
        held_out: share of the examples whose votes choose the epoch.
        protocol: what is meant where a setting is None.
        loss: name of a loss, or a `Loss`.
        epochs: passes over the training examples.
        batch_size: examples a step, of each replica.
        weight_decay: the optimizer's decay.
        augment: "auto", "none", "affine" or "crop-flip".
        device: "auto" or a torch device.
        precision: "auto", "bfloat16" or "float32".
        callbacks: each is called with the replica's number and its `Progress`.

    Returns:
        For each replica its `Fit`; or, where its loss or its weights did not stay finite, the `TrainingError` that
        `fit` would have raised. Such a replica does not stop the others.

    Raises:
        InputError: what came does not fit together (the replica is named), or the model cannot be replicated.

    Example:
        >>> import murk
        >>> digits = murk.load("digits")
        >>> noise = murk.Dilution(5, num_classes=10)
        >>> votes = noise.draw(digits.train.labels, seed=0)
        >>> fits = fit_replicas("mlp1", digits.train, [Replica(votes, noise, seed) for seed in (0, 1)], epochs=2)
        >>> [fit.recipe.seed for fit in fits]
        [0, 1]
    """
    if not isinstance(model, str) and (isinstance(model, nn.Module) or not callable(model)):
        raise InputError(f"a model is a name or a function from the seed to a module, but {type(model).__name__} came; "
                         "initial weights differ with the seed")  # fmt: skip
    if not replicas:
        raise InputError("there is no replica to train; give one Replica(votes, noise, seed) for each training")
    trainings = []
    for number, replica in enumerate(replicas):
        try:
            trainings.append(training_of(
                model if isinstance(model, str) else model(replica.seed), images, replica.votes, noise=replica.noise,
                known=replica.known, learning_rate=replica.learning_rate, seed=replica.seed,
                loss=copy.copy(loss), groups=groups, held_out=held_out, protocol=protocol, epochs=epochs,
                batch_size=batch_size, weight_decay=weight_decay, augment=augment, device=device, precision=precision,
            ))  # fmt: skip
        except InputError as error:
            raise InputError(f"replica {number}: {error}") from error
        trainings[-1].images = trainings[0].images  # one copy on the device
        trainings[-1].callbacks = [partial(callback, number) for callback in callbacks]
    _refuse_unlike(trainings)
    failures = run_replicas(trainings)
    return [
        failures.get(number) or fit_of(training, images, replica.noise)
        for number, (training, replica) in enumerate(zip(trainings, replicas, strict=True))
    ]


def can_replicate(network: nn.Module) -> str:
    """Say why a module cannot be trained as replicas, or nothing ("") where it can.

    Not seen from here: a `forward` that draws random numbers or branches on values. `fit_replicas` refuses that at its
    first step.

    Example:
        >>> can_replicate(nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.5)))
        'it has dropout, which each training draws by itself'
    """
    modules = list(network.modules())
    if any(isinstance(module, _DropoutNd) and module.p > 0 for module in modules):
        return "it has dropout, which each training draws by itself"
    if any(isinstance(module, _BatchNorm) for module in modules):
        return "it has BatchNorm, whose running statistics each training keeps by itself"
    if any(True for _ in network.buffers()):
        return "it keeps buffers beside its weights, which each training changes by itself"
    return ""


def replicas_pay(network: nn.Module, *, replicas: int, batch_size: int, device: str | torch.device = "auto") -> bool:
    """Tell whether training together is the faster way, by a rule read off `benchmarks/replicas.py`.

    On a CPU: at least 4 replicas without convolutions, of at most 2 million weights times examples a batch; of 16 at
    most 8 million, in proportion between. Measured there on one thread, seconds one after another over seconds
    together, with products in float32 and in bfloat16:

                                                 16 replicas  8 replicas  4 replicas
        mlp1 of width 64, batch 32   1.6 million   2.4  3.1   2.4  2.6   1.8  2.0
        mlp1 of width 64, batch 128  6.5 million   1.4  1.8   1.4  1.6   1.4  1.4
        mlp1 of width 256, batch 32  6.5 million   1.3  1.8   1.4  1.6   1.3  1.5
        mlp1 of width 256, batch 128  26 million   1.1  1.3   1.1  1.3   1.1  1.2
        mlp2 of width 256, batch 512 138 million   1.0  1.0   1.1  1.1   1.1  1.2
        conv2, conv4 of width 16                              0.2 .. 0.7

    Larger steps are arithmetic and memory, of which stacking saves nothing; several convolutions at once are slower
    than one after another. On other devices nothing is measured, and the answer is no.

    Args:
        network: one of the modules.
        replicas: how many.
        batch_size: examples a step, of each.
        device: "auto" or a torch device.

    Example:
        >>> from murk.models import build
        >>> small = build("mlp1", example_shape=(28, 28, 1), num_classes=10, width=64)
        >>> [replicas_pay(small, replicas=16, batch_size=size, device="cpu") for size in (32, 512)]
        [True, False]
    """
    weights = list(network.parameters())
    return (
        settle_compute(device).device.type == "cpu"
        and not can_replicate(network)
        and replicas >= FEWEST
        and all(weight.dim() <= 2 for weight in weights)
        and batch_size * sum(weight.numel() for weight in weights) <= STEP_OF_EACH * min(replicas, 16)
    )


def _refuse_unlike(trainings: Sequence[Training]) -> None:
    """Refuse modules that cannot be stacked, or that one of them cannot compute for all."""
    reasons = dict.fromkeys(can_replicate(training.model) for training in trainings)
    first, *others = (_built_as(training.model) for training in trainings)
    refuse([
        *(f"this model cannot be trained as replicas: {reason}; train them one by one with fit"
          for reason in reasons if reason),
        next((f"replicas differ in the values of their weights alone, but replica {number} has {unlike}; train them "
              "apart" for number, own in enumerate(others, 1) if (unlike := _unlike(own, first))), ""),
    ])  # fmt: skip


def _built_as(network: nn.Module) -> dict[str, str]:
    """Tell what a module is but for the values of its weights: its layers, what they hold, and the weights' shapes.

    Not seen: what the text of a thing that a layer holds does not tell, such as the state of a generator.
    """
    facts, of_torch = dict[str, str](), vars(nn.Module())
    for path, module in network.named_modules():
        facts[path or "its module"] = type(module).__qualname__
        held = {name: value for name, value in vars(module).items() if name not in of_torch}
        facts |= {f"{path}.{name}".lstrip("."): ADDRESS.sub("", repr(value)) for name, value in held.items()}
    weights = network.named_parameters()
    return facts | {n: f"{tuple(weight.shape)}{'' if weight.requires_grad else ', frozen'}" for n, weight in weights}


def _unlike(own: dict[str, str], first: dict[str, str]) -> str:
    """Name the first thing in which a module differs from the first replica's, or nothing."""
    names = [name for name in (first | own) if own.get(name) != first.get(name)]
    return f"{names[0]} = {own.get(names[0])} where replica 0 has {first.get(names[0])}" if names else ""


def run_replicas(trainings: Sequence[Training]) -> dict[int, TrainingError]:
    """Train together what has equally long epochs: groups held out whole can make them differ.

    Returns:
        Why a training had to stop, by its number; those that did not are left out.
    """

    def length(number: int) -> tuple[int, int, int]:
        training = trainings[number]
        return training.recipe.batch_size, training.steps, training.steps_per_epoch

    failures: dict[int, TrainingError] = {}
    rate = {number: training.recipe.learning_rate for number, training in enumerate(trainings)}
    for _, members in itertools.groupby(sorted(rate, key=lambda n: (length(n), rate[n])), key=length):
        numbers = list(members)
        found = Together([trainings[number] for number in numbers]).run()
        failures |= {number: error for number, error in zip(numbers, found, strict=True) if error is not None}
    return failures
