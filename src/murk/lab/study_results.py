"""What a study found: as a table, and as a document that another store can take over."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import ConfigDict, TypeAdapter, ValidationError

from murk.errors import DataError, InputError
from murk.lab.resolve import run_id
from murk.lab.store import Store
from murk.lab.stored import STATES, Metric, StoredRun, is_name, json_faults, metric_faults

__all__ = [
    "MEASURED", "ReportedRun", "StudyResults", "TakenOver", "results_table", "study_results", "take_over",
    "varied_settings",
]  # fmt: skip

MEASURED = ("accuracy", "accuracy_last", "top5", "accuracy_from_votes")
"""The estimates that a table shows."""
NOT_ALWAYS = ("top5",)
"""Those that only sets of many classes have."""
MACHINE = {"processor", "cores", "threads", "precision"}
MOST_FAULTS = 5


@dataclass(frozen=True)
class ReportedRun(StoredRun):
    """A run with its metrics.

    Attributes:
        metrics: (step, name, value), as the store lists them.
    """

    metrics: tuple[Metric, ...] = ()


@dataclass(frozen=True)
class StudyResults:
    """All that a store knows of a study.

    Attributes:
        study: its name.
        schema: version of this layout.
        runs: in the order of the study, in whatever state.
    """

    __pydantic_config__ = ConfigDict(extra="forbid", strict=True)

    study: str
    schema: Literal[1]
    runs: tuple[ReportedRun, ...]

    @staticmethod
    def read(path: str | Path) -> StudyResults:
        """Read what `to_dict` gave, from a JSON file.

        Raises:
            DataError: the file cannot be read.
            InputError: it does not hold the results of a study, or was changed; its first faults together.
        """
        try:
            content = Path(path).read_bytes()
        except OSError as error:
            raise DataError(f"cannot read {path} ({error.strerror}); name a file of `murk study results`") from error
        try:
            found = TypeAdapter(StudyResults).validate_json(content)
        except ValidationError as error:
            faults = [f"{'.'.join(map(str, fault['loc']))} {fault['msg']}".strip() for fault in error.errors()]
        else:
            faults = list(_faults(found))
        if faults:
            more = f"; and {len(faults) - MOST_FAULTS} more faults" if len(faults) > MOST_FAULTS else ""
            raise InputError(f"{path} does not hold a study's results: {'; '.join(faults[:MOST_FAULTS])}{more}")
        return found

    def to_dict(self) -> dict[str, Any]:
        """Give everything as plain values, as JSON holds them."""
        return asdict(self)


@dataclass(frozen=True)
class TakenOver:
    """What came of taking over a study.

    Attributes:
        study: its name.
        taken: done runs that are new here.
        known: done runs that were done here already, and stay as they are.
        waiting: runs of the study that are still to be done here, or failed here.
    """

    study: str
    taken: int
    known: int
    waiting: int


def study_results(store: Store, name: str) -> StudyResults:
    """Collect all that a store knows of a study.

    Raises:
        InputError: no such study; the nearest is named.
    """
    with store.reading():  # else a run that ends between two questions could come without its metrics
        runs = [ReportedRun(**vars(run), metrics=tuple(store.metrics(run.id))) for run in store.runs(name)]
    return StudyResults(name, 1, tuple(runs))


def take_over(store: Store, results: StudyResults) -> TakenOver:
    """Add a study as another store knows it; no run that is done here is overwritten.

    A study of the same name keeps its runs, and has the new ones after them. What was running or failed there waits.

    Args:
        store: of which this process becomes the driver meanwhile.
        results: as `StudyResults.read` checked them.

    Raises:
        InputError: another process is driving this store.
        DataError: the store cannot be written; it is as it was.
    """
    name, done = results.study, [run for run in results.runs if run.state == "done"]
    with store.driving(), store.at_once():
        here = store.runs(name) if name in {study.name for study in store.studies()} else []
        store.add_study(name, list({run.id: run.settings for run in (*here, *results.runs)}.items()))
        taken = sum(store.insert_done(run, run.metrics) for run in done)
        counts = store.counts(name)
    return TakenOver(name, taken, len(done) - taken, counts["waiting"] + counts["failed"])


def varied_settings(runs: Sequence[StoredRun]) -> list[str]:
    """Name the settings in which runs differ, without the seed and the hashes that only repeat another setting."""
    values: dict[str, set[str]] = {}
    for run in runs:
        for name, value in run.settings.items():
            values.setdefault(name, set()).add(json.dumps(value))
    return [
        name for name, found in values.items() if len(found) > 1 and name != "seed" and not name.endswith("_sha256")
    ]  # fmt: skip


def results_table(runs: Sequence[StoredRun]) -> list[dict[str, Any]]:
    """Lay out what the done runs of a study found, a row each, with plain values in cells.

    Args:
        runs: all of the study, so that it shows which settings vary.

    Returns:
        Rows with the same names: the settings that vary, then value, low and high of each estimate in `MEASURED` (in
        [0, 1], None where it could not be told), the seed, seconds, and the run's id. Top-5 accuracy is there if any
        run has it.
    """
    varied, done = varied_settings(runs), [run for run in runs if run.state == "done"]
    found = [(run.outcome or {})["estimates"] for run in done]
    measured = [name for name in MEASURED if name not in NOT_ALWAYS or any(name in estimates for estimates in found)]
    return [
        {name: _cell(run.settings.get(name)) for name in varied} | _measured(estimates, measured)
        | {"seed": run.settings.get("seed"), "seconds": seconds_of(run), "id": run.id}
        for run, estimates in zip(done, found, strict=True)
    ]  # fmt: skip


def seconds_of(run: StoredRun) -> float | None:
    """Tell how long a run took; of several trained together each its share."""
    facts = (run.outcome or {}).get("facts", {})
    return facts.get("training_seconds", run.seconds) if facts.get("trained_together", 1) > 1 else run.seconds


def _measured(estimates: dict[str, Any], names: Sequence[str]) -> dict[str, float | None]:
    row: dict[str, float | None] = {}
    for name in names:
        estimate = estimates.get(name) or dict.fromkeys(("value", "low", "high"))
        row |= {name: estimate["value"], f"{name}_low": estimate["low"], f"{name}_high": estimate["high"]}
    return row


def _cell(value: Any) -> Any:
    return json.dumps(value) if isinstance(value, list | dict) else value


def _faults(results: StudyResults) -> Iterator[str]:
    """Say what is wrong with results whose types are right."""
    if not is_name(results.study):
        yield f"a study has a printable name, but {results.study!r} came"
    for twice in (key for key, times in Counter(run.id for run in results.runs).items() if times > 1):
        yield f"run {twice} came twice"
    for run in results.runs:
        yield from _run_faults(run)


def _run_faults(run: ReportedRun) -> Iterator[str]:
    unkept = [*json_faults(run.settings, f"settings of {run.id}"), *metric_faults(run.metrics)]
    yield from unkept
    if not unkept and run.id != run_id(run.settings):
        yield f"run {run.id} has the settings of another run, {run_id(run.settings)}; leave the file as it was written"
    if run.state not in STATES:
        yield f"run {run.id} has the state {run.state!r}, which is none of {', '.join(STATES)}"
    if (run.state == "done") != (run.outcome is not None):
        yield f"run {run.id} is {run.state}, and a run has an outcome when it is done"
    if run.outcome is not None:
        yield from json_faults(run.outcome, f"outcome of {run.id}")
        lacking = list(_lacking(run.outcome))
        if lacking:
            yield f"the outcome of run {run.id} lacks {', '.join(lacking)}"


def _lacking(outcome: dict[str, Any]) -> Iterator[str]:
    """Name what an outcome is read for, and does not have as `murk.lab.compute` writes it."""
    facts, estimates = outcome.get("facts"), outcome.get("estimates")
    if not isinstance(machine := outcome.get("machine"), dict) or not MACHINE.issubset(machine):
        yield f"machine with {', '.join(sorted(MACHINE))}"
    for name in ("training_seconds", "test_examples"):
        if not isinstance(facts, dict) or not _is_number(facts.get(name)):
            yield f"facts.{name}, a number"
    if not isinstance(estimates, dict):
        yield "estimates"
        return
    for name in MEASURED:
        if name not in estimates and name not in NOT_ALWAYS:
            yield f"estimates.{name}"
        elif (estimate := estimates.get(name)) is not None and not _is_estimate(estimate):
            yield f"estimates.{name} with value, low and high"


def _is_estimate(given: object) -> bool:
    return isinstance(given, dict) and all(_is_number(given.get(end)) for end in ("value", "low", "high"))


def _is_number(given: object) -> bool:
    return isinstance(given, int | float) and not isinstance(given, bool)
