"""Does the study store lose or repeat anything when its driver is killed?

A driver works off 400 tiny runs; it is killed by SIGKILL 200 times at random moments and started again, with seed 0.
Every life does two runs at most, so that each is killed at work or between two transactions; one in four is killed
while it starts. Then the file is held against that of a driver that nobody killed. The test of the same name does it
with 20 kills. Written to benchmarks/results/store_crash.json: how many runs were lost, done again, or other than
without kills; all should be 0. About a minute.

    python benchmarks/store_crash.py [--runs 400] [--kills 200] [--seed 0]
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import sys
import tempfile
from pathlib import Path

from machine import machine

ROOT = Path(__file__).parents[1]
RESULTS = Path(__file__).parent / "results" / "store_crash.json"
sys.path.insert(0, str(ROOT / "tests" / "lab"))

from test_lab_store_crash import crash_and_restart  # noqa: E402


def main() -> None:
    """Kill, compare, print, and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=400, help="of the study (default 400, twice the kills)")
    parser.add_argument("--kills", type=int, default=200, help="of the driver (default 200)")
    parser.add_argument("--seed", type=int, default=0, help="of the moments of the kills (default 0)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = crash_and_restart(Path(folder), runs=arguments.runs, kills=arguments.kills, seed=arguments.seed)
    result = {
        "runs": arguments.runs, "kills": arguments.kills, "seed": arguments.seed, "integrity_check": found["integrity"],
        "done": found["counts"]["done"], "kills_that_struck_a_run": found["interrupted"],
        "attempts": found["attempts"], "lost": len(found["lost"]), "repeated": len(found["repeated"]),
        "attempts_unexplained": len(found["unexplained"]), "outcomes_other_than_undisturbed": found["different"],
        "sqlite": sqlite3.sqlite_version, "machine": machine(),
    }  # fmt: skip
    print(json.dumps(result, indent=2))
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
