"""`--batch auto` and `--lr auto`: the batch and the rate that the noise of the votes calls for."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, overload

import typer

from murk.cli.output import print_remark
from murk.cli.voted import Voted
from murk.errors import InputError, refuse
from murk.lab import FOUND, RunSettings
from murk.lab.run import groups_of_run, known_noise, known_of, shared_settings
from murk.models import Classifier
from murk.plan import batch_advice

__all__ = ["AUTO", "BatchSize", "LearningRate", "advised", "number_or_auto", "refuse_advice"]

AUTO = "auto"
BatchSize = Annotated[
    str | None,
    typer.Option("--batch-size", "--batch", help="Examples a step, or auto: what the noise calls for; by a rule."),
]
LearningRate = Annotated[
    str | None, typer.Option("--learning-rate", "--lr", help="The highest, or auto: what the noise calls for.")
]


@overload
def number_or_auto(option: str, value: str | None, kind: type[int]) -> int | None: ...
@overload
def number_or_auto(option: str, value: str | None, kind: type[float]) -> float | None: ...
def number_or_auto(option: str, value: str | None, kind: type[int] | type[float]) -> float | None:
    """Read a number; None for none, and for auto.

    Raises:
        InputError: neither.
    """
    if value is None or value == AUTO:
        return None
    try:
        return kind(value)
    except ValueError:
        number = "a whole number" if kind is int else "a number"
        raise InputError(f"{option} is {number} or {AUTO}, but {value!r} came") from None


def refuse_advice(settings: RunSettings, *, wanted: bool) -> None:
    """Refuse to advise where there is nothing to go by.

    Raises:
        InputError: noise that is not known, or another method.
    """
    refuse([
        "--batch auto and --lr auto go by how votes go wrong; give --noise or --alpha, or leave batch and rate to the "
        "rule" if wanted and settings.weigh_as in FOUND else "",
        "--batch auto and --lr auto are advice for murk's own training; leave them out, or --method"
        if wanted and settings.method is not None else "",
    ])  # fmt: skip


def advised(
    settings: RunSettings, data: Voted, network: Classifier | None, *, batch: bool, rate: bool, device: str
) -> RunSettings:
    """Put the advised batch and rate into the settings, and say so."""
    mixed, asked = data.mixed, shared_settings(settings)
    del asked["protocol"]
    told = batch_advice(
        settings.model if network is None else network, mixed.images, mixed.votes,
        noise=known_noise(mixed.noise, settings.weigh_as), groups=groups_of_run(data.dataset, mixed),
        known=known_of(settings, mixed.truth(data.dataset.train.labels)), consistency=settings.consistency,
        embedding=settings.embedding, device=device, seed=settings.seed, **asked,
    )  # fmt: skip
    print_remark(told.sentence(batch=batch, rate=rate))
    return replace(
        settings, batch_size=told.batch_size if batch else settings.batch_size,
        learning_rate=told.learning_rate if rate else settings.learning_rate,
    )  # fmt: skip
