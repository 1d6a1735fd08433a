"""Reproducing: the runs that figures need, made in a store, and what they show, read from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from murk.lab import Executor, Store, StudyProgress, read_settings, resolve, run_id, run_study
from murk.paper.figure import Cell, Figure, Outcome, Row
from murk.paper.sizes import Size

__all__ = ["Drawn", "Planned", "draw_figure", "id_on_any_machine", "plan_figures", "reproduce"]


@dataclass(frozen=True)
class Planned:
    """A figure with the runs it needs.

    Attributes:
        figure: which.
        cells: its points.
        runs: by (number of the cell, seed): the run's id and resolved settings.
    """

    figure: Figure
    cells: tuple[Cell, ...]
    runs: Mapping[tuple[int, int], tuple[str, dict[str, Any]]]


@dataclass(frozen=True)
class Drawn:
    """What a figure shows so far.

    Attributes:
        figure: which.
        size: how large it was run.
        cells: the points it needs.
        rows: its points so far.
        done: runs that are there.
        planned: runs that it needs.
        seconds: of computing that stand behind it.
        machines: kinds of machine that computed it.
    """

    figure: Figure
    size: Size
    cells: tuple[Cell, ...]
    rows: tuple[Row, ...]
    done: int
    planned: int
    seconds: float
    machines: tuple[Mapping[str, Any], ...]


def reproduce(
    figures: Sequence[Figure],
    size: Size,
    store: Store,
    *,
    executor: Executor | None = None,
    device: str = "auto",
    minutes: float | None = None,
    on_progress: Callable[[StudyProgress], None] | None = None,
) -> list[Drawn]:
    """Run what the figures need and is not in the store yet, then read what they show.

    The first seed of every figure runs before the second of any. Figures share runs where their settings agree.

    Args:
        figures: which.
        size: how large.
        store: where runs are kept; this process becomes its driver.
        executor: how runs are computed.
        device: "auto" or a torch device.
        minutes: no run is begun after this time.
        on_progress: as `murk.lab.run_study`.

    Raises:
        InputError: what cannot be run here.
        DataError: data that is not there, or a store that cannot be written.
    """
    needs = _plan([(figure, tuple(figure.needs(size))) for figure in figures], device)
    rest = minutes
    if any(planned.runs for planned in needs):
        progress = _run(store, f"paper/{size.name}/needs", needs, executor, device, rest, on_progress)
        rest = None if minutes is None else max(minutes - progress.seconds / 60, 1e-9)
    planned = plan_figures(figures, size, store, device=device)
    if any(each.runs for each in planned):
        _run(store, f"paper/{size.name}", planned, executor, device, rest, on_progress)
    return [draw_figure(each, size, store) for each in planned]


def plan_figures(figures: Sequence[Figure], size: Size, store: Store, *, device: str = "auto") -> list[Planned]:
    """Lay out the runs of figures; one whose needs are not in the store yet has none."""
    needed = [[_found(_plan_one(figure, (cell,), device), store) for cell in figure.needs(size)] for figure in figures]
    asked = []
    for figure, found in zip(figures, needed, strict=True):
        whole = all(len(outcomes) == cell.seeds for outcomes, cell in zip(found, figure.needs(size), strict=True))
        cells = figure.cells(size, [list(outcomes.values()) for outcomes in found]) if whole else ()
        asked.append((figure, tuple(cells)))
    return _plan(asked, device)


def draw_figure(planned: Planned, size: Size, store: Store) -> Drawn:
    """Read what a figure shows from the store."""
    found = _found(planned, store)
    distinct = {planned.runs[key][0]: outcome for key, outcome in found.items()}
    machines = {str(outcome["machine"]): outcome["machine"] for outcome in distinct.values()}
    return Drawn(
        planned.figure, size, planned.cells, tuple(planned.figure.rows(planned.cells, found)), len(distinct),
        len({run for run, _ in planned.runs.values()}),
        sum(outcome["facts"]["training_seconds"] for outcome in distinct.values()), tuple(machines.values()),
    )  # fmt: skip


def _plan(asked: Sequence[tuple[Figure, tuple[Cell, ...]]], device: str) -> list[Planned]:
    return [_plan_one(figure, cells, device) for figure, cells in asked]


def _plan_one(figure: Figure, cells: tuple[Cell, ...], device: str) -> Planned:
    keys = [(number, seed) for number, cell in enumerate(cells) for seed in range(cell.seeds)]
    settings = read_settings([{**cells[number].setting, "seed": seed} for number, seed in keys])
    resolved = [resolve(setting, device=device) for setting in settings]
    return Planned(figure, cells, {key: (run_id(r), r) for key, r in zip(keys, resolved, strict=True)})


def _run(
    store: Store, name: str, planned: Sequence[Planned], executor: Executor | None, device: str, minutes: float | None,
    on_progress: Callable[[StudyProgress], None] | None,
) -> StudyProgress:  # fmt: skip
    """Run everything planned as one study, the first seeds first."""
    runs = sorted(((seed, run) for each in planned for (_, seed), run in each.runs.items()), key=lambda part: part[0])
    with store.driving():
        for each in (
            each for each in planned if each.runs
        ):  # a study of its own, so that no run is forgotten when other figures are asked for
            store.add_study(f"{name}/{each.figure.name}", list({run[0]: run for run in each.runs.values()}.values()))
        store.add_study(name, list({run[0]: run for _, run in runs}.values()))
        return run_study(store, name, executor=executor, device=device, minutes=minutes, on_progress=on_progress)


def _found(planned: Planned, store: Store) -> dict[tuple[int, int], Outcome]:
    """Read the outcomes that are there, also those that another kind of machine has computed."""
    here = store.outcomes([run for run, _ in planned.runs.values()])
    if len(here) < len({run for run, _ in planned.runs.values()}):
        elsewhere = {id_on_any_machine(run.settings): run.outcome for run in store.runs(states=("done",))}
        for run, resolved in planned.runs.values():
            outcome = elsewhere.get(id_on_any_machine(resolved))
            if outcome is not None:
                here.setdefault(run, outcome)
    return {key: here[run] for key, (run, _) in planned.runs.items() if run in here}


def id_on_any_machine(resolved: Mapping[str, Any]) -> str:
    """Name a run as `murk.lab.run_id` does, whatever kind of machine computes it."""
    return run_id({name: value for name, value in resolved.items() if name not in ("device", "precision")})
