"""Does a study lose or repeat anything when its driver or its workers are killed?

Two parts, both with SIGKILL at random moments under seed 0, each held against a study that nobody disturbed:
- store: a driver that only writes works off 400 tiny runs; it is killed 200 times and started again. Every life does
  two runs at most, so that each is killed at work or between two transactions; one in four is killed while it starts.
  The test of the same name does it with 20 kills.
- trainings: `run_study` with `Processes(2)` trains 400 perceptrons on scikit-learn's digits, half of them several at a
  time. In every life a worker is killed, then the driver, 100 times each; after four runs or so a life waits for that.

Written to benchmarks/results/store_crash.json: how many runs were lost, done again, failed, or other than without
kills; all should be 0. About a minute for the first part and twenty for the second, on two cores of Linux.

    python benchmarks/store_crash.py [--only store|trainings] [--runs 400] [--kills 200] [--seed 0]
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from machine import machine
from murk.lab import Processes, Store, StoredRun, Study

ROOT = Path(__file__).parents[1]
RESULTS = Path(__file__).parent / "results" / "store_crash.json"
sys.path.insert(0, str(ROOT / "tests" / "lab"))

from test_lab_store_crash import crash_and_restart  # noqa: E402

NAME, PATIENCE = "crash", 120.0
DRIVE = f"""
import signal, sys
from murk.lab import Processes, Store, run_study
most, begun = int(sys.argv[2]), []
def pause_after_most(progress):
    begun.append(progress.done)
    if progress.done - begun[0] >= most:
        signal.pause()
with Store(sys.argv[1]) as store:
    run_study(store, {NAME!r}, executor=Processes(2), on_progress=pause_after_most)
"""


def perceptrons(count: int) -> Study:
    """A study of so many small trainings, a multiple of 4; those in float32 are trained together."""
    base = {"data": "digits", "model": "perceptron", "train_size": 1297, "test_size": 200, "batch_size": 32,
            "passes": 20_000}  # fmt: skip
    grid = {"alpha": [1, 5], "seed": list(range(count // 4)), "precision": ["float32", "bfloat16"]}
    return Study.of(NAME, base=base, grid=grid)


def crash_trainings(folder: Path, *, runs: int, kills: int, seed: int) -> dict[str, Any]:
    """Run a study, kill a worker and then the driver in every life, start it again until all is done, and compare."""
    draw, study, struck, kept = random.Random(seed), perceptrons(runs), set[tuple[str, int]](), dict[str, StoredRun]()
    touched: list[str] = []
    with Store(folder / "calm.sqlite") as calm, Store(folder / "killed.sqlite") as store:
        first: list[float] = []
        study.run(calm, executor=Processes(2), on_progress=lambda p: first.append(p.seconds) if p.ended else None)
        while_at_work = min(1.5 * first[0], PATIENCE)  # in which workers start and end their first training
        store.add_study(NAME, study.resolved())
        workers = 0
        for _ in range(kills // 2):
            driver = subprocess.Popen([sys.executable, "-c", DRIVE, str(store.path), "4"])
            wait_until(lambda driver=driver: workers_of(driver.pid) or driver.poll() is not None)
            time.sleep(draw.uniform(0, while_at_work))
            workers += kill_one(workers_of(driver.pid), draw)
            time.sleep(draw.uniform(0, while_at_work))
            driver.kill()
            driver.wait()
            struck |= {(run.id, run.attempts) for run in store.runs(states=["running"])}
            done = store.runs(states=["done"])
            touched += [run.id for run in done if kept.setdefault(run.id, run) != run]
            touched += list(kept.keys() - {run.id for run in done})
        study.run(store, executor=Processes(2))
        cut, ended = Counter(run for run, _ in struck), store.runs(NAME)
        touched += [run.id for run in ended if kept.get(run.id, run) != run]
        return {
            "runs": len(ended), "kills_of_drivers": kills // 2, "kills_of_workers": workers, "seed": seed,
            "done": store.counts()["done"], "failed": store.counts()["failed"], "kills_that_struck_a_run": len(struck),
            "done_before_the_last_life": len(kept), "lost_or_touched_again": len(set(touched)),
            "attempts_unexplained": sum(run.attempts != 1 + cut[run.id] for run in ended),
            "outcomes_other_than_undisturbed": sum(
                told(store, run) != told(calm, other) for run, other in zip(ended, calm.runs(NAME), strict=True)
            ),
            "trained_together": max(run.outcome["facts"]["trained_together"] for run in ended if run.outcome),
            "integrity_check": store.connection.execute("PRAGMA integrity_check").fetchone()[0],
            "checkpoints_left": len(list(folder.glob("*.checkpoints/*"))),
        }  # fmt: skip


def told(store: Store, run: StoredRun) -> Any:
    """What a run found, without how long it took."""
    outcome = run.outcome or {}
    facts = {name: value for name, value in outcome.get("facts", {}).items() if name != "training_seconds"}
    return run.id, run.state, outcome.get("estimates"), facts, outcome.get("confusion"), store.metrics(run.id)


def workers_of(driver: int) -> list[int]:
    """Name the worker processes of a driver, without what else it has started."""
    try:
        children = [int(pid) for pid in Path(f"/proc/{driver}/task/{driver}/children").read_text().split()]
        return [pid for pid in children if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    except OSError:  # one has ended meanwhile
        return []


def kill_one(pids: list[int], draw: random.Random) -> int:
    """Kill one of some processes, and tell how many that were."""
    if not pids:
        return 0
    try:
        os.kill(draw.choice(pids), signal.SIGKILL)
    except ProcessLookupError:
        return 0
    return 1


def wait_until(promise: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not promise():
        if time.monotonic() > deadline:
            raise RuntimeError(f"no worker has begun within {PATIENCE:.0f} s")
        time.sleep(0.01)


def crash_store(folder: Path, *, runs: int, kills: int, seed: int) -> dict[str, Any]:
    """Kill a driver that only writes, and count what came of it."""
    found = crash_and_restart(folder, runs=runs, kills=kills, seed=seed)
    return {
        "runs": runs, "kills": kills, "seed": seed, "integrity_check": found["integrity"],
        "done": found["counts"]["done"], "kills_that_struck_a_run": found["interrupted"],
        "attempts": found["attempts"], "lost": len(found["lost"]), "repeated": len(found["repeated"]),
        "attempts_unexplained": len(found["unexplained"]), "outcomes_other_than_undisturbed": found["different"],
    }  # fmt: skip


PARTS = {"store": crash_store, "trainings": crash_trainings}


def main() -> None:
    """Kill, compare, print, and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=[*PARTS], help="one part; nothing is written")
    parser.add_argument("--runs", type=int, default=400, help="of the study (default 400, twice the kills)")
    parser.add_argument("--kills", type=int, default=200, help="of processes (default 200)")
    parser.add_argument("--seed", type=int, default=0, help="of the moments of the kills (default 0)")
    arguments = parser.parse_args()
    result: dict[str, Any] = {}
    for name, part in PARTS.items():
        if arguments.only in (None, name):
            with tempfile.TemporaryDirectory() as folder:
                result[name] = part(Path(folder), runs=arguments.runs, kills=arguments.kills, seed=arguments.seed)
            print(json.dumps({name: result[name]}, indent=2), flush=True)
    if arguments.only is None:
        result |= {"sqlite": sqlite3.sqlite_version, "machine": machine()}
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
