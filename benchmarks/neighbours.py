"""Exact neighbours, beside scikit-learn's brute force: time side by side, and memory.

Random directions, clusters (a hundred of them, as embeddings of classes are), and tight ones (a hundred, whose rows
differ by some thousandths): 60,000 by 60,000 of 128 numbers, the
100 nearest of each, in turns, each in a process of its own; the rival is scikit-learn's `NearestNeighbors(algorithm=
"brute")` on the same float32 rows of length one, with the Euclidean metric (its fast way, of the same order as
cosines). Seconds without imports; memory is the largest RssAnon above that before the call.

Written to results/neighbours.json. Two cores: twelve minutes.

    python benchmarks/neighbours.py [--size 60000] [--repeats 3]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from machine import machine
from memory import Watched

RESULTS = Path(__file__).parent / "results" / "neighbours.json"
NUMBERS, COUNT, CLUSTERS = 128, 100, 100
SOME = 500  # queries whose neighbours are compared
WAYS, KINDS = ("murk", "scikit-learn"), ("random", "clusters", "tight clusters")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--size", type=int, default=60_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--one", nargs=2)
    asked = parser.parse_args()
    if asked.one:
        print(json.dumps(measured(*asked.one, size=asked.size)))
        return
    rows = []
    for kind in KINDS:
        told: dict[str, list[dict[str, Any]]] = {way: [] for way in WAYS}
        for _ in range(asked.repeats):
            for way in WAYS:
                line = [sys.executable, __file__, "--size", str(asked.size), "--one", way, kind]
                told[way].append(json.loads(subprocess.run(line, check=True, capture_output=True, text=True).stdout))
                print(kind, way, told[way][-1]["seconds"], told[way][-1]["megabytes"], flush=True)
        ours, theirs = ([each["seconds"] for each in told[way]] for way in WAYS)
        ratios = [their / own for own, their in zip(ours, theirs, strict=True)]
        rows.append({
            "kind": kind, "size": asked.size, "seconds": ours, "scikit-learn's seconds": theirs,
            "times as fast": [min(ratios), float(np.median(ratios)), max(ratios)],
            "megabytes": [max(each["megabytes"] for each in told[way]) for way in WAYS],
            "neighbours found by both": np.mean([
                len({*one} & {*other}) / COUNT
                for one, other in zip(*(told[way][0]["found"] for way in WAYS), strict=True)
            ]),
        })  # fmt: skip
        RESULTS.write_text(json.dumps({"machine": machine(), "rows": rows}, indent=1) + "\n")
    print(json.dumps(rows, indent=1))


def measured(way: str, kind: str, *, size: int) -> dict[str, Any]:
    """Search once, in this process."""
    from sklearn.neighbors import NearestNeighbors

    from murk.measure import nearest_neighbours

    rng = np.random.default_rng(0)
    table = rng.normal(size=(size, NUMBERS)).astype(np.float32)
    if kind != "random":
        table += (3 if kind == "clusters" else 300) * rng.normal(size=(CLUSTERS, NUMBERS)).astype(np.float32)[
            rng.integers(0, CLUSTERS, size)
        ]
    table /= np.linalg.norm(table, axis=1, keepdims=True)
    with Watched() as memory:
        started = time.perf_counter()
        if way == "murk":
            found = nearest_neighbours(table, count=COUNT)[0]
        else:
            searched = NearestNeighbors(n_neighbors=COUNT + 1, algorithm="brute").fit(table)
            found = searched.kneighbors(table)[1][:, 1:]
        seconds = time.perf_counter() - started
    return {"seconds": seconds, "megabytes": memory.most - memory.before, "found": found[:SOME].tolist()}


if __name__ == "__main__":
    main()
