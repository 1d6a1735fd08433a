"""Cells: many trainings of a benchmark, each in a process of one thread, kept as soon as they are done."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from machine import machine

__all__ = ["command", "interval", "run_cells"]

Cell = tuple[Any, ...]


def command(
    doc: str | None, *, script: str, results: Path, cells: Callable[[int], Iterable[Cell]], names: tuple[str, ...],
    train: Callable[..., dict[str, Any]], summary: Callable[[list[dict[str, Any]]], list[dict[str, Any]]],
    table: Callable[[dict[str, Any]], str] | None = None,
) -> None:  # fmt: skip
    """Be the command of a benchmark of cells: run what is missing, or one cell, or print the page's table.

    `cells` gives them for a number of seeds, `train` runs one and returns what it found.
    """
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=2, help="runs at a time, one thread each")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--one", help=argparse.SUPPRESS)
    if table is not None:
        parser.add_argument("--table", action="store_true", help="run nothing; print the page's table")
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(train(*json.loads(arguments.one))))
    elif table is not None and arguments.table:
        print(table(json.loads(results.read_text())))
    else:
        run_cells(script, results, cells(arguments.seeds), names=names, jobs=arguments.jobs, summary=summary)


def run_cells(
    script: str, results: Path, cells: Iterable[Cell], *, names: tuple[str, ...], jobs: int,
    summary: Callable[[list[dict[str, Any]]], list[dict[str, Any]]],
) -> None:  # fmt: skip
    """Run `script --one CELL`, which prints a run as JSON, for every cell that `results` does not hold yet.

    A run holds its cell under `names`. `results` is written anew after each, with machine, summary and all runs in the
    order of the cells.
    """
    order = list(cells)
    runs = json.loads(results.read_text())["runs"] if results.exists() else []
    todo = [cell for cell in order if cell not in {_cell(run, names) for run in runs}]
    running: dict[subprocess.Popen[str], Cell] = {}
    while todo or running:
        while todo and len(running) < jobs:
            command = [sys.executable, script, "--one", json.dumps(todo[0])]
            environment = os.environ | {"OMP_NUM_THREADS": "1"}
            running[subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)] = todo.pop(0)
        for process in [process for process in running if process.poll() is not None]:
            cell = running.pop(process)
            if process.returncode or process.stdout is None:
                raise SystemExit(f"{cell} failed; the runs before it are kept")
            runs.append(json.loads(process.stdout.read()))
            runs.sort(key=lambda run: order.index(_cell(run, names)) if _cell(run, names) in order else len(order))
            written = {"machine": machine(), "rows": summary(runs), "runs": runs}
            results.write_text(json.dumps(written, indent=1) + "\n")
            print(cell, runs[[_cell(run, names) for run in runs].index(cell)]["selected"], flush=True)
        time.sleep(0.5)


def interval(values: Iterable[float]) -> dict[str, float]:
    """Mean, standard deviation and the 95 % t-interval of shares over seeds."""
    array = np.array(list(values))
    half = stats.t.ppf(0.975, len(array) - 1) * array.std(ddof=1) / len(array) ** 0.5
    return {
        "mean": round(float(array.mean()), 5), "sd": round(float(array.std(ddof=1)), 5),
        "low": round(max(0.0, float(array.mean() - half)), 5), "high": round(min(1.0, float(array.mean() + half)), 5),
    }  # fmt: skip


def _cell(run: dict[str, Any], names: tuple[str, ...]) -> Cell:
    return tuple(run[name] for name in names)
