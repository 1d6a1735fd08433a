"""Runs of stores, gathered in a file that `murk study import` takes: anyone can go on from it."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from murk.lab import Store
from murk.lab.study_results import ReportedRun, StudyResults


def collect(path: Path, results: Path, study: str) -> None:
    """Add a store's done runs to a file, without their metrics; what is in it stays as it is."""
    with Store(path, read_only=True) as store:
        done = {run.id: ReportedRun(**vars(run), metrics=()) for run in store.runs(states=("done",))}
    before = {run.id: run for run in StudyResults.read(results).runs} if results.exists() else {}
    lines = [json.dumps(asdict(run), sort_keys=True) for _, run in sorted((done | before).items())]
    head = json.dumps({"study": study, "schema": 1})[:-1]
    results.write_text(f'{head}, "runs": [\n' + ",\n".join(lines) + "\n]}\n", encoding="utf-8")
    print(f"{path}: {len(done)} runs, {len(lines)} in all")
