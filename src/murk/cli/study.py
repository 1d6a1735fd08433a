"""`murk study`: grids of trainings, kept in a store; run, resumed, looked at, and carried to another machine."""

from __future__ import annotations

import io
import json
import shlex
import sys
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.live import Live
from rich.text import Text

from murk.cli.computing import Jobs, Minutes, Ray, executor_for, fetch_sets, teller
from murk.cli.failure import FAILED, Commands, kept_on_interrupt
from murk.cli.options import AsJson, Device
from murk.cli.output import print_facts, print_json, print_rows
from murk.cli.progress import progress_bar, shown_seconds
from murk.errors import DataError, InputError
from murk.files import replace_file
from murk.lab import Executor, Store, StoredRun, Study, StudySummary, run_study
from murk.lab.study_results import (
    MEASURED,
    StudyResults,
    results_table,
    study_results,
    take_over,
    varied_settings,
)

__all__ = ["study_app"]

study_app = typer.Typer(cls=Commands, no_args_is_help=True, help="Grids of trainings: run, resume, status, results.")

WATCH_SECONDS = 2.0
SHORT = 8  # digits of a run's id that tables show

StudyName = Annotated[str | None, typer.Argument(metavar="[NAME]", help="The study; not needed where there is one.")]
StoreFile = Annotated[Path, typer.Option("--store", help="The SQLite file that keeps studies and runs.")]
STORE = Path("murk.sqlite")


@study_app.command(epilog="Example: murk study run study.toml --jobs 2")
def run(
    file: Annotated[Path, typer.Argument(metavar="FILE.toml", help="The study: its name, base, grid and runs.")],
    store: StoreFile = STORE,
    jobs: Jobs = None,
    ray: Ray = None,
    device: Device = "auto",
    minutes: Minutes = None,
    as_json: AsJson = False,
) -> None:
    """Put a study into a store and run what is not done yet; the same again goes on where it stopped."""
    executor = executor_for(jobs=jobs, ray=ray, minutes=minutes)
    study = Study.read(file)
    runs = study.resolved(device=device)  # first, so that nothing is fetched for what cannot be run
    fetch_sets(name for setting in study.settings for name in (setting.data, setting.source))
    with Store(store) as opened, opened.driving():
        opened.add_study(study.name, runs)
        _work_off(opened, study.name, executor, device=device, minutes=minutes, as_json=as_json)


@study_app.command(epilog="Example: murk study resume --jobs 2")
def resume(
    name: StudyName = None,
    store: StoreFile = STORE,
    jobs: Jobs = None,
    ray: Ray = None,
    device: Device = "auto",
    minutes: Minutes = None,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Run also what failed, once more.")] = False,
    as_json: AsJson = False,
) -> None:
    """Run what a study in a store has waiting; the store is all it takes."""
    executor = executor_for(jobs=jobs, ray=ray, minutes=minutes)
    _refuse_missing(store)
    with Store(store) as opened:
        name = _chosen(opened, name)
        if retry_failed:
            with opened.driving():
                opened.retry_failed(name)
        _work_off(opened, name, executor, device=device, minutes=minutes, as_json=as_json)


@study_app.command(epilog="Example: murk study status")
def status(
    name: StudyName = None,
    store: StoreFile = STORE,
    watch: Annotated[bool, typer.Option("--watch", help="Look again every 2 seconds until nobody works.")] = False,
    as_json: AsJson = False,
) -> None:
    """Tell how far the studies of a store are, also while they run."""
    with Store(store, read_only=True) as opened:
        if watch:
            with kept_on_interrupt("only the watching has ended; the study itself goes on", store):
                _watch(opened, name)
        with opened.reading():
            driven, found = _looked_at(opened, name)
            studies = [_described(opened, study) for study in found]
    if as_json:
        print_json({"store": str(store), "driven": driven, "studies": studies})
    else:
        _print_status(studies, store, driven=driven)


@study_app.command(epilog="Example: murk study results --csv")
def results(
    name: StudyName = None,
    store: StoreFile = STORE,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print the table as CSV.")] = False,
    parquet: Annotated[Path | None, typer.Option("--parquet", "-o", help="Write it to this Parquet file.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print all that is known, which `import` reads.")] = False,
) -> None:
    """Show what the done runs of a study found; with --json all runs, with all there is to know."""
    if as_csv + as_json + (parquet is not None) > 1:
        raise InputError("--csv, --json and --parquet each give the results in their own form; choose one")
    with Store(store, read_only=True) as opened:
        found = study_results(opened, _chosen(opened, name))
    table = results_table(found.runs)
    if as_json:
        print_json(found.to_dict())
    elif as_csv:
        from murk.files import csv_text

        heads = list(table[0]) if table else ["id"]
        sys.stdout.write(csv_text(heads, [list(row.values()) for row in table]))
    elif parquet is not None:
        replace_file(parquet, _parquet(table, found.study))
        print_facts(found.study, {"runs": len(table), "file": parquet})
    else:
        _print_results(found.study, table, planned=len(found.runs))


@study_app.command("import", epilog="Example: murk study import study.json")
def import_results(
    file: Annotated[Path, typer.Argument(metavar="FILE.json", help="What `murk study results --json` printed.")],
    store: StoreFile = STORE,
    as_json: AsJson = False,
) -> None:
    """Take over a study from another machine; runs that are done here stay as they are."""
    found = StudyResults.read(file)
    with Store(store) as opened:
        came = take_over(opened, found)
    if as_json:
        print_json({"store": str(store), **vars(came)})
    else:
        print_facts(came.study, {"taken over": came.taken, "done here already": came.known,
                                 "not done yet": came.waiting, "store": store})  # fmt: skip


def _work_off(
    store: Store, name: str, executor: Executor, *, device: str, minutes: float | None, as_json: bool
) -> None:
    """Run what waits, tell how it ended, and leave with 1 if runs failed."""
    before, started = store.counts(name), time.monotonic()
    if before["waiting"] or before["running"]:
        kept = f"what is done is kept; to go on: {_command('resume', name, store.path)}"
        with kept_on_interrupt(kept, store.path), progress_bar(name) as advance:
            run_study(store, name, executor=executor, device=device, minutes=minutes, on_progress=teller(advance))
    counts, failed = store.counts(name), store.runs(name, states=["failed"])
    if as_json:
        seconds = round(time.monotonic() - started, 3)
        print_json({"study": name, "store": str(store.path), "counts": counts, "seconds": seconds,
                    "failed": [_failure(run) for run in failed]})  # fmt: skip
    else:
        print_rows(name, list(counts), [list(counts.values())])
        _print_failed(failed, store.runs(name))
        typer.echo(_next_step(name, counts, already=before == counts, store=store.path))
    if failed:
        raise typer.Exit(FAILED)


def _next_step(name: str, counts: dict[str, int], *, already: bool, store: Path) -> str:
    if counts["waiting"]:
        return f"To go on: {_command('resume', name, store)}"
    if counts["failed"]:
        return f"To run again what failed: {_command('resume', name, store)} --retry-failed"
    return f"{'Finished already' if already else 'Finished'}; to see it: {_command('results', name, store)}"


def _command(verb: str, name: str, store: Path) -> str:
    """Write a command that can be pasted into a shell."""
    return shlex.join(["murk", "study", verb, name, *([] if store == STORE else ["--store", str(store)])])


def _refuse_missing(store: Path) -> None:
    if not store.is_file():
        raise DataError(f"there is no store {store}; check --store, or begin with `murk study run FILE.toml`")


def _chosen(store: Store, name: str | None) -> str:
    """Give the name, or that of the only study."""
    if name is not None:
        return name
    names = [study.name for study in store.studies()]
    if not names:
        raise InputError(f"{store.path} holds no study yet; `murk study run FILE.toml` adds one")
    if len(names) > 1:
        raise InputError(f"{store.path} holds {len(names)} studies; name one of {', '.join(names)}")
    return names[0]


def _looked_at(store: Store, name: str | None) -> tuple[bool, list[StudySummary]]:
    """Tell whether somebody drives a store, and how far a study is, or every one."""
    before = store.is_driven()
    store.counts(name)  # refuses an unknown name
    found = [study for study in store.studies() if name in (None, study.name)]
    return before or store.is_driven(), found  # a driver may come or go while one looks


def _described(store: Store, study: StudySummary) -> dict[str, Any]:
    failed, running = (store.runs(study.name, states=[state]) for state in ("failed", "running"))
    return {
        "name": study.name, "created": study.created, "counts": study.counts, "seconds_left": study.seconds_left,
        "failed": [_failure(run) for run in failed],
        "running": [{"id": run.id, "started": run.started, "attempts": run.attempts} for run in running],
    }  # fmt: skip


def _failure(run: StoredRun) -> dict[str, Any]:
    return {"id": run.id, "attempts": run.attempts, "error": run.error}


def _watch(store: Store, name: str | None) -> None:
    """Show how far the studies are until nobody works on them: in place on a terminal, else a line a change."""
    terminal = sys.stderr.isatty()
    console = Console(file=sys.stderr)
    shown = ""
    with Live(console=console, transient=True, auto_refresh=False) if terminal else nullcontext() as live:
        while True:
            driven, studies = _looked_at(store, name)
            text = "\n".join(_line(study, driven=driven) for study in studies)
            if live is not None:
                live.update(Text(text), refresh=True)
            elif text != shown:
                print(text, file=sys.stderr, flush=True)
            shown = text
            if not driven or not any(_unfinished(study.counts) for study in studies):
                return
            time.sleep(WATCH_SECONDS)


def _unfinished(counts: dict[str, int]) -> int:
    return counts["waiting"] + counts["running"]


def _line(study: StudySummary, *, driven: bool) -> str:
    counts = ", ".join(f"{count} {_called(state, driven)}" for state, count in study.counts.items() if count)
    return f"{study.name}: {counts or 'no runs'}{_left(study.seconds_left if driven else None, ', {} left')}"


def _called(state: str, driven: bool) -> str:
    """Name a state; what runs while nobody drives was cut off."""
    return "interrupted" if state == "running" and not driven else state


def _left(seconds: float | None, form: str = "{}") -> str:
    return "" if seconds is None else form.format(shown_seconds(seconds))


def _print_status(studies: list[dict[str, Any]], store: Path, *, driven: bool) -> None:
    rows = [(study["name"], *study["counts"].values(), _left(study["seconds_left"] if driven else None))
            for study in studies]  # fmt: skip
    running = _called("running", driven)
    print_rows(f"Studies in {store}", ("study", "waiting", running, "done", "failed", "time left"), rows)
    _print_runs(running, studies, "running", {"since": "started", "attempt": "attempts"})
    _print_runs("failed", studies, "failed", {"error": "error"})
    open_ones = [study["name"] for study in studies if _unfinished(study["counts"])]
    if open_ones and not driven:
        of = "" if len(open_ones) == 1 else f" (NAME: {', '.join(open_ones)})"
        typer.echo(f"Nobody is running them. To go on: "
                   f"{_command('resume', 'NAME' if of else open_ones[0], store)}{of}")  # fmt: skip


def _print_runs(title: str, studies: list[dict[str, Any]], state: str, columns: dict[str, str]) -> None:
    """List the runs of all studies in a state, each once, whichever studies have it."""
    found: dict[str, tuple[dict[str, Any], list[str]]] = {}
    for study in studies:
        for run in study[state]:
            found.setdefault(run["id"], (run, []))[1].append(study["name"])
    if found:
        rows = [(run["id"][:SHORT], *(run[key] for key in columns.values()), ", ".join(names))
                for run, names in found.values()]  # fmt: skip
        print_rows(title.capitalize(), ("run", *columns, "study"), rows)


def _print_failed(failed: list[StoredRun], among: list[StoredRun]) -> None:
    if failed:
        varied = [*varied_settings(among), "seed"]
        rows = [
            (run.id[:SHORT], ", ".join(f"{name} {run.settings.get(name)}" for name in varied), run.error)
            for run in failed
        ]
        print_rows("Failed", ("run", "settings", "error"), rows)


def _print_results(study: str, table: list[dict[str, Any]], *, planned: int) -> None:
    """Show rows with each estimate and its interval in one cell, in per cent."""
    ends = {f"{name}_{end}" for name in MEASURED for end in ("low", "high")}
    columns = [name for name in (table[0] if table else {}) if name not in ends]
    rows = [[_shown(row, name) for name in columns] for row in table]
    heads = [f"{name.removeprefix('accuracy_').replace('_', ' ')} %" if name in MEASURED else name for name in columns]
    print_rows(f"{study}: {len(table)} of {planned} runs done", heads or ["nothing is done yet"], rows)


def _shown(row: dict[str, Any], name: str) -> Any:
    value = row[name]
    if value is None:
        return "-"
    if name in MEASURED:
        return "{:.1f} ({:.1f} to {:.1f})".format(*(100 * row[f"{name}{end}"] for end in ("", "_low", "_high")))
    return value[:SHORT] if name == "id" else value


def _parquet(table: list[dict[str, Any]], study: str) -> bytes:
    """Write the table as Parquet; what is no number in every row is text."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = {name: _column([row[name] for row in table]) for name in (table[0] if table else {})}
    out = io.BytesIO()
    pq.write_table(pa.table(columns, metadata={"study": study}), out)
    return out.getvalue()


def _column(values: list[Any]) -> list[Any]:
    kinds = {bool if isinstance(value, bool) else float if isinstance(value, int | float) else str
             for value in values if value is not None}  # fmt: skip
    return values if len(kinds) <= 1 else [None if value is None else json.dumps(value) for value in values]
