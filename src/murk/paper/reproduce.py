"""Reproducing: the runs that figures need, made in a store, and what they show, read from it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from murk.errors import refuse
from murk.lab import Executor, Store, StoredRun, StudyProgress, read_settings, resolve, run_id, run_study
from murk.paper.figure import Cell, Figure, Outcome, Place, Row
from murk.paper.sizes import Size

__all__ = ["Drawn", "Planned", "draw_figure", "id_on_any_machine", "plan_figures", "reproduce"]

Named = tuple[str, dict[str, Any]]
"""A run's id and resolved settings."""


@dataclass(frozen=True)
class Planned:
    """A figure with the runs it needs.

    Attributes:
        figure: which.
        cells: its points.
        runs: by (number of the cell, seed): the run's id and resolved settings.
        needs: ids of the runs that must come first.
        elsewhere: what another kind of machine had done of the runs that were not done here, by the id they have here.
    """

    figure: Figure
    cells: tuple[Cell, ...]
    runs: Mapping[tuple[int, int], Named]
    needs: frozenset[str] = frozenset()
    elsewhere: Mapping[str, StoredRun] = field(default_factory=dict, repr=False)

    @property
    def ids(self) -> set[str]:
        """The ids of its own runs, each once."""
        return {run for run, _ in self.runs.values()}


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
        failed: runs of it that failed, also those that must come first.
        beyond: words on the seeds that gave no number at a place, by (panel, series, x).
    """

    figure: Figure
    size: Size
    cells: tuple[Cell, ...]
    rows: tuple[Row, ...]
    done: int
    planned: int
    seconds: float
    machines: tuple[Mapping[str, Any], ...]
    failed: tuple[StoredRun, ...] = ()
    beyond: Mapping[Place, str] = field(default_factory=dict)


def reproduce(
    figures: Sequence[Figure],
    size: Size,
    store: Store,
    *,
    executor: Executor | None = None,
    device: str = "auto",
    minutes: float | None = None,
    retry_failed: bool = False,
    on_progress: Callable[[StudyProgress], None] | None = None,
) -> list[Drawn]:
    """Run what the figures need and is not in the store yet, then read what they show.

    The first seed of every figure runs before the second of any. Figures share runs where their settings agree. A run
    that another kind of machine, or another precision, has done is not done again.

    Args:
        figures: which.
        size: how large.
        store: where runs are kept; this process becomes its driver.
        executor: how runs are computed.
        device: "auto" or a torch device.
        minutes: no run is begun after this time.
        retry_failed: run also what failed before, once more.
        on_progress: as `murk.lab.run_study`.

    Raises:
        InputError: what cannot be run here.
        DataError: data that is not there, or a store that cannot be written.
    """
    refuse(f"{figure.name} {lacking}" for figure in figures if (lacking := figure.lacks(size)))

    def work_off(name: str, planned: Sequence[Planned], minutes: float | None) -> float:
        """Run what is planned, and give the seconds that it took."""
        if not any(each.runs for each in planned):
            return 0.0
        with store.driving():
            _add_studies(store, name, planned)
            if retry_failed:
                store.retry_failed(name)
            return run_study(
                store, name, executor=executor, device=device, minutes=minutes, on_progress=on_progress
            ).seconds

    done = _done_anywhere(store)
    first = [_plan_one(figure, tuple(figure.needs(size)), device, done) for figure in figures]
    seconds = work_off(f"paper/{size.name}/needs", first, minutes)
    planned = plan_figures(figures, size, store, device=device)
    rest = None if minutes is None else max(minutes - seconds / 60, 1e-9)
    work_off(f"paper/{size.name}", planned, rest)
    return [draw_figure(each, size, store) for each in planned]


def plan_figures(figures: Sequence[Figure], size: Size, store: Store, *, device: str = "auto") -> list[Planned]:
    """Lay out the runs of figures; one whose needs are not in the store yet has none."""
    done = _done_anywhere(store)
    return [_plan_with_needs(figure, size, store, device, done) for figure in figures]


def draw_figure(planned: Planned, size: Size, store: Store) -> Drawn:
    """Read what a figure shows from the store."""
    found = _found(planned, store)
    distinct = {planned.runs[key][0]: outcome for key, outcome in found.items()}
    machines = {str(outcome["machine"]): outcome["machine"] for outcome in distinct.values()}
    return Drawn(
        planned.figure, size, planned.cells, tuple(planned.figure.rows(planned.cells, found)), len(distinct),
        len(planned.ids), sum(outcome["facts"]["training_seconds"] for outcome in distinct.values()),
        tuple(machines.values()),
        tuple(run for run in store.runs(states=["failed"]) if run.id in planned.ids | planned.needs),
        planned.figure.beyond(planned.cells, found),
    )  # fmt: skip


def _plan_with_needs(
    figure: Figure, size: Size, store: Store, device: str, done: Mapping[str, StoredRun]
) -> Planned:  # fmt: skip
    """Plan a figure by what the runs that must come first have found."""
    first = _plan_one(figure, tuple(figure.needs(size)), device, done)
    found = _found(first, store)
    if len(found) < len(first.runs):
        return Planned(figure, (), {}, frozenset(first.ids))
    by_cell = [[found[number, seed] for seed in range(cell.seeds)] for number, cell in enumerate(first.cells)]
    return replace(_plan_one(figure, tuple(figure.cells(size, by_cell)), device, done), needs=frozenset(first.ids))


def _plan_one(figure: Figure, cells: tuple[Cell, ...], device: str, done: Mapping[str, StoredRun]) -> Planned:
    """Resolve the runs of cells, and find those that another kind of machine has done."""
    keys = [(number, seed) for number, cell in enumerate(cells) for seed in range(cell.seeds)]
    settings = read_settings([{**cells[number].setting, "seed": seed} for number, seed in keys])
    resolved = [resolve(setting, device=device) for setting in settings]
    runs = {key: (run_id(r), r) for key, r in zip(keys, resolved, strict=True)}
    names = {run: id_on_any_machine(r) for run, r in dict(runs.values()).items() if run not in done}
    return Planned(figure, cells, runs, elsewhere={run: done[name] for run, name in names.items() if name in done})


def _done_anywhere(store: Store) -> dict[str, StoredRun]:
    """Give every done run by its id and by that which it has on any machine; a plan reads and hashes them all once."""
    done = store.runs(states=["done"])
    return {**{id_on_any_machine(run.settings): run for run in done}, **{run.id: run for run in done}}


def _add_studies(store: Store, name: str, planned: Sequence[Planned]) -> None:
    """Make one study of everything planned, the first seeds first, and one of each figure.

    A figure has a study of its own so that none of its runs is forgotten when other figures are asked for.
    """
    of_figures = {each.figure.name: _members(each) for each in planned if each.runs}
    for figure, members in of_figures.items():
        store.add_study(f"{name}/{figure}", _each_once(members.values()))
    all_runs = [(seed, run) for members in of_figures.values() for (_, seed), run in members.items()]
    store.add_study(name, _each_once(run for _, run in sorted(all_runs, key=lambda part: part[0])))


def _members(planned: Planned) -> dict[tuple[int, int], Named]:
    """Give the runs of a figure; where another kind of machine has done one, the run that it did."""
    done = {run: (other.id, other.settings) for run, other in planned.elsewhere.items()}
    return {key: done.get(run[0], run) for key, run in planned.runs.items()}


def _each_once(runs: Iterable[Named]) -> list[Named]:
    return list({run: (run, settings) for run, settings in runs}.values())


def _found(planned: Planned, store: Store) -> dict[tuple[int, int], Outcome]:
    """Read the outcomes that are there, also those that another kind of machine has computed."""
    elsewhere = {run: other.outcome or {} for run, other in planned.elsewhere.items()}
    found = {**elsewhere, **store.outcomes(planned.ids)}
    return {key: found[run] for key, (run, _) in planned.runs.items() if run in found}


def id_on_any_machine(resolved: Mapping[str, Any]) -> str:
    """Name a run as `murk.lab.run_id` does, whatever kind of machine computes it."""
    return run_id({name: value for name, value in resolved.items() if name not in ("device", "precision")})
