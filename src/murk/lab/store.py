"""The store: one SQLite file that keeps studies, their runs, and what the runs found.

A run goes from waiting to running, and from there to done, to failed, or, interrupted, back to waiting:

    waiting --start--> running --finish--> done
       ^                  |----release--> waiting
       |                  '----fail-----> failed --retry_failed--> waiting

One process, the driver, moves runs; any number of others may read meanwhile. Each method is one transaction that is on
the disk when the method returns, so a kill or a power loss costs at most the runs that were running. The file wants a
local disk: SQLite's shared memory does not reach across a network.
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from murk.errors import InputError, nearest, refuse
from murk.lab.database import Database
from murk.lab.right_to_drive import RightToDrive
from murk.lab.stored import (
    FIELDS,
    STATES,
    Metric,
    StoredRun,
    StudySummary,
    id_fault,
    is_name,
    json_faults,
    json_text,
    metric_faults,
)  # fmt: skip

__all__ = ["STATES", "Store", "StoredRun", "StudySummary"]

ADD_RUN = "INSERT INTO runs (id, settings) VALUES (:id, :settings) ON CONFLICT DO NOTHING"
ADD_STUDY = "INSERT INTO studies (name, created) VALUES (:name, :now) ON CONFLICT DO NOTHING"
START = "UPDATE runs SET state = 'running', attempts = attempts + 1, started = :now WHERE state = 'waiting'"
END = """UPDATE runs SET state = :after, outcome = :outcome, error = :error, finished = :now,
         seconds = round(max(0, (julianday(:now) - julianday(started)) * 86400), 3) WHERE state = 'running'"""
TAKE_OVER = """UPDATE runs SET state = 'done', outcome = :outcome, error = NULL, attempts = :attempts,
               started = :started, finished = :finished, seconds = :seconds WHERE id = :id"""
RELEASE = "UPDATE runs SET state = 'waiting', started = NULL WHERE state = 'running'"
RETRY = """UPDATE runs SET state = 'waiting', error = NULL, started = NULL, finished = NULL, seconds = NULL
           WHERE state = 'failed'"""
OF_STUDY = "id IN (SELECT run FROM members WHERE study = :study)"


class Store:
    """An open store of studies and runs; use it in `with`, or `close` it. It belongs to the thread that opened it.

    Args:
        path: the file; it and its folders are made unless `read_only`. An older layout is brought up to date.
        read_only: change nothing, not even the layout. Works on a file that a driver is writing, and on one at rest in
            a folder that may not be written.

    Raises:
        DataError: no such file (`read_only`), no store of murk's, one of a newer murk, or a damaged one.

    Example:
        >>> import tempfile
        >>> run, settings = "0" * 32, {"alpha": 20}
        >>> with Store(Path(tempfile.mkdtemp()) / "murk.db") as store, store.driving():
        ...     store.add_study("dilution", [(run, settings)])
        ...     store.start(run)
        ...     store.finish(run, {"accuracy": 0.97}, [(1, "loss", 0.5)])
        ...     store.runs("dilution", states=["done"])[0].outcome
        {'accuracy': 0.97}
    """

    def __init__(self, path: str | Path, *, read_only: bool = False) -> None:
        """Open the file, and make it or bring it up to date if need be."""
        self.path, self._drives = Path(path), False
        self._database = Database(self.path, read_only=read_only)

    @property
    def connection(self) -> sqlite3.Connection:
        """The open database, in autocommit mode."""
        return self._database.connection

    def __enter__(self) -> Self:
        """Give the store itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Close the file."""
        self.close()

    def close(self) -> None:
        """Close the file; a second time does nothing."""
        self._database.close()

    def add_study(self, name: str, runs: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
        """Let a study consist of exactly these runs, in this order.

        Runs that the store knows already keep their state and outcome, whichever study they came with. Runs that a
        study no longer has stay in the file.

        Args:
            name: of the study, not empty.
            runs: (run id, resolved settings) each; no id twice.

        Raises:
            InputError: a bad name, id or setting, or a known id with other settings; all faults together.
            DataError: the file cannot be written; the study is as it was.
        """
        ids = [run_id for run_id, _ in runs]
        twice = [run_id for run_id, times in Counter(ids).items() if times > 1]
        refuse([
            "" if is_name(name) else f"a study has a printable name, but {name!r} came",
            *map(id_fault, ids), *(f"run {run_id} came twice; let a study name it once" for run_id in twice),
            *(fault for run_id, settings in runs for fault in json_faults(dict(settings), f"settings of {run_id}")),
        ])  # fmt: skip
        texts = {run_id: json_text(dict(settings)) for run_id, settings in runs}
        with self._database.writing() as connection:
            connection.executemany(ADD_RUN, [{"id": run_id, "settings": text} for run_id, text in texts.items()])
            refuse(self._settings_fault(run_id, text) for run_id, text in texts.items())
            connection.execute(ADD_STUDY, {"name": name, "now": _now()})
            connection.execute("DELETE FROM members WHERE study = ?", (name,))
            connection.executemany(
                "INSERT INTO members (study, place, run) VALUES (?, ?, ?)",
                [(name, place, run_id) for place, run_id in enumerate(ids)],
            )

    def studies(self) -> list[StudySummary]:
        """List every study, the oldest first."""
        question = """SELECT name, created, state, count(state), avg(seconds) FROM studies
                      LEFT JOIN members ON study = name LEFT JOIN runs ON id = run
                      GROUP BY name, state ORDER BY created, name"""
        found: dict[tuple[str, str], dict[str, int]] = {}
        means: dict[tuple[str, str], float | None] = {}
        for name, created, state, count, seconds in self._database.ask(question):
            found.setdefault((name, created), {})[state] = count
            if state == "done":
                means[name, created] = seconds
        return [StudySummary(*key, _all_states(counts), means.get(key)) for key, counts in found.items()]

    def runs(self, study: str | None = None, *, states: Iterable[str] | None = None) -> list[StoredRun]:
        """List runs.

        Args:
            study: in the order of this study; None lists every run of the file, as they came in.
            states: only runs in these; None for any.

        Raises:
            InputError: no such study or state; the nearest is named.
        """
        wanted = STATES if states is None else tuple(states)
        refuse(_unknown("state", state, STATES) for state in wanted)
        self._check_study(study)
        among = f"state IN ({', '.join('?' * len(wanted))})"
        if study is None:
            rows = self._database.ask(f"SELECT {FIELDS} FROM runs WHERE {among} ORDER BY rowid", wanted)
        else:
            question = f"SELECT {FIELDS} FROM runs JOIN members ON run = id WHERE {among} AND study = ? ORDER BY place"
            rows = self._database.ask(question, (*wanted, study))
        with self._database.errors_told():
            return [StoredRun.from_row(row) for row in rows]

    def run(self, run_id: str) -> StoredRun:
        """Give one run.

        Raises:
            InputError: no such run.
        """
        rows = self._database.ask(f"SELECT {FIELDS} FROM runs WHERE id = ?", (run_id,))
        refuse(["" if rows else self._stranger(run_id)])
        with self._database.errors_told():
            return StoredRun.from_row(rows[0])

    def outcomes(self, run_ids: Iterable[str]) -> dict[str, dict[str, Any]]:
        """Give the outcomes of those of these runs that are done, by id."""
        question = """SELECT runs.id, outcome FROM runs JOIN json_each(?) AS asked ON runs.id = asked.value
                      WHERE state = 'done'"""
        with self._database.errors_told():
            return {key: json.loads(found) for key, found in self._database.ask(question, (json.dumps([*run_ids]),))}

    def counts(self, study: str | None = None) -> dict[str, int]:
        """Count the runs of a study, or of the whole file, by state; every state is there, zeros too.

        Raises:
            InputError: no such study; the nearest is named.
        """
        self._check_study(study)
        of_study = "" if study is None else f"WHERE {OF_STUDY}"
        rows = self._database.ask(f"SELECT state, count(*) FROM runs {of_study} GROUP BY state", {"study": study})
        return _all_states(dict(rows))

    def metrics(self, run_id: str) -> list[Metric]:
        """List the (step, name, value) of a run, by step, then name.

        Raises:
            InputError: no such run.
        """
        refuse([self._stranger(run_id) if self._state(run_id) is None else ""])
        return self._database.ask("SELECT step, name, value FROM metrics WHERE run = ? ORDER BY step, name", (run_id,))

    @contextmanager
    def driving(self) -> Iterator[None]:
        """Have the only right to run this store's studies, until the `with` ends or this process dies.

        Runs that a dead driver left running become waiting again. One `driving` may stand in another of the same open
        store.

        Raises:
            InputError: another process, or another open store of this one, has it.
        """
        if self._drives:
            yield
            return
        with RightToDrive(self.path).held():
            try:
                with self._database.writing() as connection:
                    connection.execute(RELEASE)
                self._drives = True
                yield
            finally:
                self._drives = False

    def is_driven(self) -> bool:
        """Tell whether a process drives this store's studies now; True also where that may not be found out.

        Runs that are running while nobody drives were cut off: the next driver lets them wait again.
        """
        return self._drives or RightToDrive(self.path).is_taken()

    @contextmanager
    def reading(self) -> Iterator[None]:
        """See one state of the store in all that is asked inside the `with`, whoever is writing meanwhile."""
        with self._database.reading():
            yield

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """Make one transaction of all changes inside the `with`: a kill leaves all of them, or none."""
        with self._database.writing():
            yield

    def start(self, run_id: str) -> None:
        """Note that a waiting run is running now, once more than before.

        Raises:
            InputError: it is not waiting.
        """
        self._move(START, run_id, before="waiting")

    def finish(self, run_id: str, outcome: Mapping[str, Any], metrics: Iterable[Metric] = ()) -> None:
        """Note what a running run found, with its metrics; it is done.

        Args:
            run_id: of a running run.
            outcome: plain JSON values.
            metrics: (step, name, value) each; steps whole numbers >= 0, values finite, no (step, name) twice.

        Raises:
            InputError: the run is not running (nothing is written twice), or a value is not plain or not finite.
            DataError: the file cannot be written; the run is still running, and nothing of this is kept.
        """
        metrics = list(metrics)
        refuse([*json_faults(dict(outcome), "outcome"), *metric_faults(metrics)])
        self._move(END, run_id, before="running", after="done", outcome=json_text(dict(outcome)), metrics=metrics)

    def fail(self, run_id: str, error: str) -> None:
        """Note that a running run failed, and why.

        Raises:
            InputError: it is not running.
        """
        readable = error.encode(errors="backslashreplace").decode()  # a half of a surrogate pair is no text to SQLite
        self._move(END, run_id, before="running", after="failed", error=readable)

    def release(self, run_id: str) -> None:
        """Let a running run that was interrupted wait again.

        Raises:
            InputError: it is not running.
        """
        self._move(RELEASE, run_id, before="running")

    def retry_failed(self, study: str | None = None) -> int:
        """Let the failed runs of a study, or of the whole file, wait again; their errors are forgotten.

        Returns:
            How many there were.

        Raises:
            InputError: no such study; the nearest is named.
        """
        self._check_study(study)
        with self._database.writing() as connection:
            return connection.execute(RETRY + ("" if study is None else f" AND {OF_STUDY}"), {"study": study}).rowcount

    def insert_done(self, run: StoredRun, metrics: Iterable[Metric] = ()) -> bool:
        """Take over a run that another machine has done, unless it is done here already.

        Args:
            run: done, with its outcome.
            metrics: as in `finish`.

        Returns:
            Whether it was taken over; False leaves the run that is here as it is.

        Raises:
            InputError: the run is not done, known here with other settings, or running here; all faults together.
        """
        metrics = list(metrics)
        refuse([
            "" if run.state == "done" and run.outcome is not None and run.error is None
            else f"only a done run with an outcome can be taken over, but {run.id} is {run.state}",
            id_fault(run.id), *json_faults(run.settings, "settings"), *json_faults(run.outcome or {}, "outcome"),
            *metric_faults(metrics),
        ])  # fmt: skip
        row = {**vars(run), "settings": json_text(run.settings), "outcome": json_text(run.outcome or {})}
        with self._database.writing() as connection:
            here = self._state(run.id)
            refuse([
                self._settings_fault(run.id, row["settings"]),
                f"run {run.id} is running here; take it over within `driving`" if here == "running" else "",
            ])  # fmt: skip
            if here != "done":
                connection.execute(ADD_RUN, row)
                connection.execute(TAKE_OVER, row)
                self._add_metrics(run.id, metrics)
            return here != "done"

    def _move(
        self, change: str, run_id: str, *, before: str, after: str | None = None,
        outcome: str | None = None, error: str | None = None, metrics: Sequence[Metric] = (),
    ) -> None:  # fmt: skip
        """Bring a run from one state into the next, or refuse if it is in another."""
        refuse([id_fault(run_id)])
        values = {"id": run_id, "after": after, "outcome": outcome, "error": error, "now": _now()}
        with self._database.writing() as connection:
            if connection.execute(f"{change} AND id = :id", values).rowcount != 1:
                state = self._state(run_id)
                raise InputError(
                    self._stranger(run_id) if state is None
                    else f"run {run_id} is {state}, but a {before} one was expected; it is left as it is"
                )  # fmt: skip
            self._add_metrics(run_id, metrics)

    def _add_metrics(self, run_id: str, metrics: Sequence[Metric]) -> None:
        rows = [(run_id, step, name, float(value)) for step, name, value in metrics]
        self.connection.executemany("INSERT INTO metrics (run, step, name, value) VALUES (?, ?, ?, ?)", rows)

    def _state(self, run_id: str) -> str | None:
        rows = self._database.ask("SELECT state FROM runs WHERE id = ?", (run_id,))
        return rows[0][0] if rows else None

    def _stranger(self, run_id: str) -> str:
        return f"there is no run {run_id} in {self.path}; add it to a study first"

    def _settings_fault(self, run_id: str, settings: str) -> str:
        rows = self._database.ask("SELECT settings FROM runs WHERE id = ? AND settings != ?", (run_id, settings))
        return f"run {run_id} is known with other settings; an id stands for all settings of a run" if rows else ""

    def _check_study(self, study: str | None) -> None:
        if study is not None:
            refuse([_unknown("study", study, [name for (name,) in self._database.ask("SELECT name FROM studies")])])


def _all_states(counts: Mapping[str, int]) -> dict[str, int]:
    return {state: counts.get(state, 0) for state in STATES}


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _unknown(kind: str, name: str, known: Sequence[str]) -> str:
    """Say that a name is unknown, with the nearest that is known, or nothing if it is known."""
    if name in known:
        return ""
    return f"there is no {kind} {name!r}; " + (f"nearest: {nearest(str(name), known)}" if known else "add one first")
