"""The store among processes: drivers killed at any moment, readers beside a driver, and several that begin one file.

The children load the store alone, without the rest of murk: that takes a tenth of a second instead of seconds.
"""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import murk
from murk.errors import InputError
from murk.lab.migrations import MIGRATIONS, layout_of
from murk.lab.store import Store

ALONE = f"""
import os, signal, sys, types
from pathlib import Path
for name, folder in (("murk", {str(Path(murk.__file__).parent)!r}), ("murk.lab", {murk.__path__[0] + "/lab"!r})):
    sys.modules[name] = types.ModuleType(name)
    sys.modules[name].__path__ = [folder]
from murk.lab.store import Store
path = Path(sys.argv[1])
"""
# works off the study; what happened is also written to a log, after the store has said that it is kept
DRIVE = """
log = os.open(path.with_suffix(".log"), os.O_WRONLY | os.O_APPEND | os.O_CREAT)
count, most = map(int, sys.argv[2:])
def note(what, run):
    os.write(log, f"{what} {run.id}\\n".encode())
with Store(path) as store, store.driving():
    store.add_study("crash", [(f"{n:032x}", {"number": n}) for n in range(count)])
    print("driving", flush=True)
    for run in store.runs("crash", states=["waiting"])[:most]:
        store.start(run.id)
        note("began", run)
        found = sum(pow(i, 3, 997) for i in range(2000 + 100 * run.settings["number"]))
        store.finish(run.id, {"found": found, "text": "x" * 5000}, [(i, "found", found / (i + 1)) for i in range(20)])
        note("finished", run)
    if most < count:
        signal.pause()
"""
# tells each number of done runs that it sees
READ = """
done = -1
with Store(path, read_only=True) as store:
    while done < int(sys.argv[2]):
        runs = store.runs("watched", states=["done"])
        assert len(runs) >= done and sum(store.counts().values()) == int(sys.argv[2])
        assert all(len(store.metrics(run.id)) == run.outcome["metrics"] for run in runs), "half a run is to be seen"
        if len(runs) > done:
            print(len(runs), flush=True)
        done = len(runs)
"""
HOLD = """
import subprocess
with Store(path) as store, store.driving():
    store.start("0" * 32)
    worker = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"], stdout=subprocess.DEVNULL)
    print(worker.pid, flush=True)
    signal.pause()
"""
OPEN = """
sys.stdin.read(1)
with Store(path) as store:
    store.add_study(sys.argv[2], [("0" * 32, {})])
"""
DIE_WITHIN_A_STEP = """
import sqlite3
from murk.lab.migrations import MIGRATIONS, migrate
connection = sqlite3.connect(path, isolation_level=None)
connection.execute("PRAGMA journal_mode = WAL")
connection.create_function("die", 0, lambda: os.kill(os.getpid(), signal.SIGKILL))
migrate(connection, (MIGRATIONS[0], MIGRATIONS[1] + "; SELECT die()"))
"""


def child(code: str, *arguments: object) -> subprocess.Popen[str]:
    """Start a process that has the store and a path."""
    command = [sys.executable, "-c", ALONE + code, *map(str, arguments)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def killed(process: subprocess.Popen[str]) -> None:
    with process:
        process.kill()
    assert process.returncode == -signal.SIGKILL


def logged(path: Path) -> list[list[str]]:
    log = path.with_suffix(".log")
    return [line.split() for line in log.read_text().splitlines()] if log.exists() else []


def crash_and_restart(folder: Path, *, runs: int, kills: int, seed: int) -> dict[str, Any]:
    """Drive a study, kill the driver at random moments, start it again until all is done, and compare.

    Every life does two runs at most, so that none ends before it is killed. One in four is killed while it starts,
    the others within the time that they take for two runs and a half.
    """
    draw, calm, path = random.Random(seed), folder / "calm.db", folder / "killed.db"
    with child(DRIVE, calm, runs, runs) as process:
        assert process.stdout.readline() == "driving\n"
        began = time.monotonic()
    per_run = (time.monotonic() - began) / runs
    interrupted: set[tuple[str, int]] = set()
    lost: list[str] = []
    for life in range(kills):
        process = child(DRIVE, path, runs, 2)
        if life % 4 == 3:
            time.sleep(draw.uniform(0, 0.15))
        else:
            process.stdout.readline()
            time.sleep(draw.uniform(0, 2.5 * per_run))
        killed(process)
        with Store(path, read_only=True) as store:
            interrupted |= {(run.id, run.attempts) for run in store.runs(states=["running"])}
            done = {run.id for run in store.runs(states=["done"])}
        lost += [run for what, run in logged(path) if what == "finished" and run not in done]
    with child(DRIVE, path, runs, runs) as process:
        process.stdout.read()
    return {"kills": kills, "lost": lost, "interrupted": len(interrupted), **compared(calm, path, interrupted)}


def compared(calm: Path, path: Path, interrupted: set[tuple[str, int]]) -> dict[str, Any]:
    """Hold what the killed drivers left against what a driver in peace found."""
    with closing(Store(calm)) as expected, closing(Store(path)) as store:
        found, cut = store.runs("crash"), Counter(run for run, _ in interrupted)
        kept = [(run.id, run.outcome, store.metrics(run.id)) for run in found]
        wanted = [(run.id, run.outcome, expected.metrics(run.id)) for run in expected.runs("crash")]
        return {
            "integrity": store.connection.execute("PRAGMA integrity_check").fetchone()[0],
            "counts": store.counts(), "different": sum(a != b for a, b in zip(kept, wanted, strict=True)),
            "repeated": repeated(logged(path)),
            "attempts": sum(run.attempts for run in found),
            "unexplained": [run.id for run in found if run.attempts != 1 + cut[run.id]],
        }  # fmt: skip


def repeated(log: list[list[str]]) -> list[str]:
    """Name the runs that began again, or finished again, after they had finished."""
    finished: set[str] = set()
    again = []
    for what, run in log:
        again += [run] if run in finished else []
        finished |= {run} if what == "finished" else set()
    return again


def test_drivers_killed_at_any_moment_lose_nothing_and_repeat_nothing(tmp_path):
    found = crash_and_restart(tmp_path, runs=40, kills=20, seed=0)
    assert found["integrity"] == "ok" and found["counts"] == {"waiting": 0, "running": 0, "done": 40, "failed": 0}
    assert not found["different"], "outcomes and metrics are those of a driver that nobody killed"
    assert not found["lost"], "what was logged as finished was done in the store right after the kill"
    assert not found["repeated"], "no run is executed again once it finished"
    assert not found["unexplained"], "a run is attempted once, and once more for each kill that struck it"


def test_a_reader_sees_whole_runs_while_a_driver_works(tmp_path):
    runs = [(f"{n:032x}", {"number": n}) for n in range(40)]
    with Store(tmp_path / "murk.db") as store, store.driving():
        store.add_study("watched", runs)
        with child(READ, store.path, len(runs)) as reader:
            for n, (run_id, _) in enumerate(runs):
                store.start(run_id)
                store.finish(run_id, {"metrics": n}, [(i, "loss", 0.5) for i in range(n)])
                while n < 10 and int(reader.stdout.readline()) < n + 1:
                    pass  # each of the first runs is seen before the next begins
            assert reader.stdout.read().split()[-1] == str(len(runs))
        assert reader.returncode == 0


def test_the_right_to_drive_dies_with_the_driver_even_if_its_workers_live_on(tmp_path):
    with Store(tmp_path / "murk.db") as store:
        store.add_study("held", [("0" * 32, {})])
        driver = child(HOLD, store.path)
        worker = int(driver.stdout.readline())
        try:
            with pytest.raises(InputError, match="another process is running"), store.driving():
                pass
            assert store.counts()["running"] == 1, "who is refused takes no run from the driver"
            killed(driver)
            with store.driving():
                assert store.counts() == {"waiting": 1, "running": 0, "done": 0, "failed": 0}
        finally:
            os.kill(worker, signal.SIGKILL)


def test_processes_that_begin_one_file_together_all_succeed(tmp_path):
    openers = [child(OPEN, tmp_path / "murk.db", f"study {n}") for n in range(6)]
    for opener in openers:
        opener.stdin.write("x")
        opener.stdin.flush()
    for opener in openers:
        with opener:
            pass
    assert [opener.returncode for opener in openers] == [0] * 6
    with Store(tmp_path / "murk.db", read_only=True) as store:
        assert len(store.studies()) == 6 and store.counts()["waiting"] == 1


def test_a_kill_within_a_step_leaves_the_layout_before_it(tmp_path):
    with child(DIE_WITHIN_A_STEP, tmp_path / "murk.db") as process:
        pass
    assert process.returncode == -signal.SIGKILL
    with closing(sqlite3.connect(tmp_path / "murk.db", isolation_level=None)) as connection:
        assert layout_of(connection) == 1
    with Store(tmp_path / "murk.db") as store:
        assert layout_of(store.connection) == len(MIGRATIONS)
