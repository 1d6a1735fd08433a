"""Batches: which waiting runs are trained together, and only where that is the faster way."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from murk.lab.data_facts import data_facts
from murk.lab.resolve import train_settings
from murk.lab.run import network_of
from murk.lab.run_settings import FOUND
from murk.lab.stored import StoredRun
from murk.learn.replicas import replicas_pay

__all__ = ["LARGEST", "batches"]

LARGEST = 8
"""Runs trained together at most. More of them would gain little more, and leave workers without a job: of 16 runs, two
workers train 8 each. It is the same whoever computes, and so are the runs' numbers."""
OWN = ("alpha", "noise", "noise_sha256", "delta", "ranking", "weigh_as", "learning_rate")
"""Settings in which runs trained together may differ; and the seed, where it does not choose the images."""


def batches(runs: Sequence[StoredRun]) -> Iterator[list[StoredRun]]:
    """Part runs into those that are trained together, keeping the order of their first.

    Runs that differ only in seed, alpha, learning rate or the structure of their noise are one batch, if that is
    faster (`murk.learn.replicas_pay`), `LARGEST` of them at most; any other run is a batch by itself. Only in float32:
    there a run trained with others ends with the numbers it would have alone, while bfloat16 rounds so coarsely that
    trainings drift apart. Parts that are done leave the other parts as they are.
    """
    alike: dict[str, list[StoredRun]] = {}
    for run in runs:
        alike.setdefault(_shared(run.settings), []).append(run)
    parts = [group[at : at + LARGEST] for group in alike.values() for at in range(0, len(group), LARGEST)]
    together = {part[0].id: part for part in parts if _pay(part)}
    inside = {run.id for part in together.values() for run in part}
    for run in runs:
        if run.id in together:
            yield together[run.id]
        elif run.id not in inside:
            yield [run]


def _shared(settings: Mapping[str, Any]) -> str:
    """Write what runs trained together have in common; the seed is part of it where it chooses the images."""
    whole = settings["train_size"] == data_facts(settings["data"]).train
    own = (*OWN, "seed") if whole else OWN
    return json.dumps({name: value for name, value in settings.items() if name not in own}, sort_keys=True)


def _pay(group: Sequence[StoredRun]) -> bool:
    settings = group[0].settings
    alone = settings["source"] != "copies" or settings["precision"] != "float32" or "consistency" in settings
    alone = alone or settings["weigh_as"] in FOUND or not settings.keys().isdisjoint(("method", "searched", "watch"))
    if alone or len(group) < 2:
        return False
    data = data_facts(settings["data"])
    network = network_of(
        train_settings(settings), example_shape=data.example_shape, num_classes=data.num_classes, seed=0
    )
    size = int(settings["batch_size"])
    return replicas_pay(network, replicas=len(group), batch_size=size, device=settings["device"])
