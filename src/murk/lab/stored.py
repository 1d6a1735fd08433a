"""What a store holds: runs, studies at a glance, and the values that it can give back as they came."""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any, Self

__all__ = [
    "FIELDS", "STATES", "Metric", "StoredRun", "StudySummary",
    "id_fault", "is_name", "json_faults", "json_text", "metric_faults",
]  # fmt: skip

Metric = tuple[int, str, float]
"""Step, name, value."""
STATES = ("waiting", "running", "done", "failed")
"""Every state of a run."""


@dataclass(frozen=True)
class StoredRun:
    """A run as the store knows it.

    Attributes:
        id: 32 hex digits that stand for everything the outcome depends on.
        settings: resolved, plain JSON values.
        state: one of `STATES`.
        outcome: what a done run found, plain JSON values; None in other states.
        error: why a failed run failed; None in other states.
        attempts: how often it was started.
        started: UTC in ISO 8601, of the last attempt; None while waiting.
        finished: likewise, of a done or failed run.
        seconds: from started to finished by the wall clock, to a thousandth; >= 0.
    """

    id: str
    settings: dict[str, Any]
    state: str
    outcome: dict[str, Any] | None
    error: str | None
    attempts: int
    started: str | None
    finished: str | None
    seconds: float | None

    @classmethod
    def from_row(cls, row: Sequence[Any]) -> Self:
        """Make a run of its FIELDS in the store."""
        run_id, settings, state, outcome, *rest = row
        return cls(run_id, json.loads(settings), state, None if outcome is None else json.loads(outcome), *rest)


FIELDS = ", ".join(field.name for field in fields(StoredRun))
"""The columns of a run in the store, in the order of `StoredRun`."""


@dataclass(frozen=True)
class StudySummary:
    """A study at a glance.

    Attributes:
        name: of the study.
        created: when it was first added; UTC in ISO 8601.
        counts: runs by state, every state, zeros too.
        mean_seconds: by the wall clock, of the runs that are done; runs trained together count the time of all of
            them each. None before one is done.
    """

    name: str
    created: str
    counts: dict[str, int]
    mean_seconds: float | None = None

    @property
    def seconds_left(self) -> float | None:
        """Estimate when a driver will be through: at the pace of the runs that are done, as many at a time as are
        running now; None where nothing is running, or nothing is done yet."""
        running = self.counts["running"]
        if not running or self.mean_seconds is None:
            return None
        return self.mean_seconds * (self.counts["waiting"] + running) / running


def json_text(values: dict[str, Any]) -> str:
    """Write plain values as JSON, the same values always as the same text."""
    return json.dumps(values, sort_keys=True, allow_nan=False)


def json_faults(value: Any, where: str) -> Iterator[str]:
    """Name every part that JSON would not give back as it is."""
    if isinstance(value, dict):
        for key, part in value.items():
            if isinstance(key, str):
                yield from json_faults(part, f"{where}.{key}")
            else:
                yield f"{where} has the key {key!r}; give text as keys"
    elif isinstance(value, list | tuple):
        for place, part in enumerate(value):
            yield from json_faults(part, f"{where}[{place}]")
    elif not isinstance(value, str | int | float | None):
        yield f"{where} is a {type(value).__name__}; give plain JSON values"
    elif isinstance(value, float) and not _is_finite(value):
        yield f"{where} is {value}, which JSON cannot hold; give a finite number or None"


def metric_faults(metrics: Sequence[Metric]) -> Iterator[str]:
    """Name every metric that is not (step, name, value), and each that comes twice."""
    for step, name, value in metrics:
        if not (type(step) is int and 0 <= step < 2**63):
            yield f"a metric's step is a whole number >= 0, but {step!r} came with {name!r}"
        if not is_name(name):
            yield f"a metric has a printable name, but {name!r} came"
        if not (isinstance(value, int | float) and _is_finite(value)):
            yield f"a metric's value is a finite number, but {name!r} at step {step} is {value!r}"
    for (step, name), times in Counter((step, name) for step, name, _ in metrics).items():
        if times > 1:
            yield f"the metric {name!r} came {times} times at step {step}; give it once a step"


def _is_finite(value: float) -> bool:
    return abs(value) <= sys.float_info.max


def is_name(name: object) -> bool:
    """Tell whether something can name a study or a metric."""
    return isinstance(name, str) and bool(name.strip()) and name.isprintable()


def id_fault(run_id: object) -> str:
    """Say what is wrong with a run id, or nothing."""
    fine = isinstance(run_id, str) and re.fullmatch("[0-9a-f]{32}", run_id)
    return "" if fine else f"a run id is 32 hex digits, in lower case, but {run_id!r} came"
