"""Studies: many settings under one name, checked as a whole, run in any order, stopped and resumed at will."""

from __future__ import annotations

import itertools
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from murk.errors import DataError, InputError, refuse
from murk.lab.driver import StudyProgress, run_study
from murk.lab.executors import Executor
from murk.lab.resolve import resolve_all, run_id
from murk.lab.setting import Setting, read_settings
from murk.lab.store import Store
from murk.lab.stored import is_name

__all__ = ["Study"]

PARTS = ("name", "base", "grid", "runs")


@dataclass(frozen=True)
class Study:
    """Settings of runs under one name.

    Attributes:
        name: of the study, in the store.
        settings: one a run, all different.

    Example:
        >>> study = Study.of("alpha", base={"data": "digits", "model": "mlp1"}, grid={"alpha": [0, 5], "seed": [0, 1]})
        >>> [(setting.alpha, setting.seed) for setting in study.settings]
        [(0, 0), (0, 1), (5, 0), (5, 1)]
    """

    name: str
    settings: tuple[Setting, ...]

    def __post_init__(self) -> None:
        """Check the name, and that there is something to run."""
        object.__setattr__(self, "settings", tuple(dict.fromkeys(self.settings)))
        refuse([
            "" if is_name(self.name) else f"a study has a printable name, but {self.name!r} came",
            "" if self.settings else "a study has at least one run; give a grid, or runs",
        ])  # fmt: skip

    @staticmethod
    def of(
        name: str,
        *,
        base: Mapping[str, Any] | None = None,
        grid: Mapping[str, Sequence[Any]] | None = None,
        runs: Sequence[Mapping[str, Any]] = (),
    ) -> Study:
        """Lay out a study: each of `runs` (or one run, without any) over the whole grid, upon the base.

        Args:
            name: of the study.
            base: settings that all runs share, but for those that one of `runs` has of its own; see `murk.lab.Setting`.
            grid: names of settings, each with the values it takes, none twice; every combination is run, the last name
                fastest. None that `base` or `runs` give.
            runs: settings that belong together, such as a protocol with its learning rate.

        Raises:
            InputError: parts of another kind, unknown settings, values out of range, contradictions; what is wrong with
                the parts together, then what is wrong with the settings.
        """
        refuse(_part_faults(base, grid, runs))
        values = {setting: _listed(values) for setting, values in (grid or {}).items()}
        refuse(_layout_faults(base or {}, values, runs))
        cells = [dict(zip(values, cell, strict=True)) for cell in itertools.product(*values.values())]
        return Study(name, tuple(read_settings([{**(base or {}), **run, **c} for run in runs or ({},) for c in cells])))

    @staticmethod
    def read(path: str | Path) -> Study:
        """Read a study from TOML: `name`, `[base]`, `[grid]`, and any number of `[[runs]]`.

        Raises:
            DataError: the file cannot be read.
            InputError: it is no TOML, or not a study; all faults together.
        """
        try:
            found = tomllib.loads(Path(path).read_text(encoding="utf-8"))
        except OSError as error:
            raise DataError(f"cannot read {path} ({error.strerror}); name a TOML file") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
            raise InputError(f"{path} is no TOML: {error}") from error
        base, grid, runs = found.get("base", {}), found.get("grid", {}), found.get("runs", [])
        refuse([
            *(f"a study file has {', '.join(PARTS)}, but `{part}` came" for part in found if part not in PARTS),
            *_part_faults(base, grid, runs),
        ])  # fmt: skip
        return Study.of(found.get("name", Path(path).stem), base=base, grid=grid, runs=runs)

    def resolved(self, *, device: str = "auto") -> list[tuple[str, dict[str, Any]]]:
        """Give each run's id and complete settings, in order; settings that come to the same are one run.

        Raises:
            InputError: what cannot be run, all faults together, each once.
            DataError: data that cannot be found.
        """
        return list({run_id(complete): complete for complete in resolve_all(self.settings, device=device)}.items())

    def run(
        self,
        store: Store,
        *,
        executor: Executor | None = None,
        device: str = "auto",
        minutes: float | None = None,
        on_progress: Callable[[StudyProgress], None] | None = None,
    ) -> StudyProgress:
        """Put the study into a store and run what is not done yet; arguments as `run_study`."""
        planned = self.resolved(device=device)
        with store.driving():
            store.add_study(self.name, planned)
            return run_study(
                store, self.name, executor=executor, device=device, minutes=minutes, on_progress=on_progress
            )


def _part_faults(base: object, grid: object, runs: object) -> Iterator[str]:
    """Say which part of a study is of another kind than its own."""
    for part, given in (("base", base), ("grid", grid)):
        if not isinstance(given, Mapping | None):
            yield f"[{part}] is a table of settings, but {given!r} came"
    if not isinstance(runs, list | tuple) or not all(isinstance(run, Mapping) for run in runs):
        yield f"[[runs]] are tables of settings, but {runs!r} came"


def _layout_faults(
    base: Mapping[str, Any], grid: Mapping[str, Any], runs: Sequence[Mapping[str, Any]]
) -> Iterator[str]:
    """Say what is wrong with the values of a grid, and what is given twice."""
    for setting, values in grid.items():
        if not isinstance(values, Sequence) or isinstance(values, str) or not len(values):
            yield f"the grid's `{setting}` is a list of values, but {values!r} came"
            continue
        twice = next((value for place, value in enumerate(values) if value in values[:place]), None)
        if twice is not None:
            yield f"the grid's `{setting}` has {twice!r} twice; a run is made once"
        for part, given in (("[base]", [base]), ("a run", runs)):
            if any(setting in settings for settings in given):
                yield f"`{setting}` stands both in the grid and in {part}; give it in one of them"


def _listed(values: Any) -> Any:
    """Take arrays and numbers of NumPy's as what they hold, at any depth."""
    if isinstance(values, np.ndarray | np.generic):
        return values.tolist()
    return [_listed(value) for value in values] if isinstance(values, list | tuple | range) else values
