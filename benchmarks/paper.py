"""The paper's study at size small: what has run so far, and the page and pictures that it makes.

python benchmarks/paper.py            draws docs/paper.md and docs/pictures/paper/ from results/paper_small.json
python benchmarks/paper.py STORE ...  first adds to that file what these stores have run

The runs themselves: MURK_DATA=FOLDER murk reproduce all --size small, some six and a half hours of one core, in as many
parts as one likes. results/paper_small.json is what `murk study import` takes, so that anyone can go on from it, on any
kind of machine: what is in it is not run again.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from murk.lab import Store
from murk.lab.study_results import ReportedRun, StudyResults, take_over
from murk.paper import FIGURES, Drawn, draw_figure, plan_figures, size_named
from murk.paper.gallery import claims_csv, gallery_text, judged, write_figures
from murk.paper.reproduce import Planned, id_on_any_machine

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "paper_small.json"
PICTURES, PAGE = ROOT / "docs" / "pictures" / "paper", ROOT / "docs" / "paper.md"
STUDY, SIZE = "paper/small", size_named("small")
FIRST = {
    "Numbers": f"every run is in {RESULTS.relative_to(ROOT)}; with `murk study import {RESULTS.relative_to(ROOT)} "
    "--store out/paper/small.sqlite` each figure's command draws it again, and `murk reproduce all` runs what is open"
}


def main(stores: list[str]) -> None:
    for store in stores:
        collect(Path(store))
    if stores:
        leave_out_what_no_figure_needs()
    drawn = what_is_shown()
    for path in write_figures(PICTURES, drawn):
        print(path.relative_to(ROOT))
    (PICTURES / "claims.csv").write_text(claims_csv(judged(drawn)), encoding="utf-8")
    PAGE.write_text(page(drawn), encoding="utf-8")


def collect(path: Path) -> None:
    """Add a store's done runs to the file; what is in it stays as it is."""
    with Store(path, read_only=True) as store:
        done = {run.id: ReportedRun(**vars(run)) for run in store.runs(states=("done",))}
    before = {run.id: run for run in StudyResults.read(RESULTS).runs} if RESULTS.exists() else {}
    write(done | before)
    print(f"{path}: {len(done)} runs, {len(done | before)} in all")


def write(runs: dict[str, ReportedRun]) -> None:
    """Write the file, a line a run."""
    lines = [json.dumps(asdict(run), sort_keys=True) for _, run in sorted(runs.items())]
    head = json.dumps({"study": STUDY, "schema": 1})[:-1]
    RESULTS.write_text(f'{head}, "runs": [\n' + ",\n".join(lines) + "\n]}\n", encoding="utf-8")


def leave_out_what_no_figure_needs() -> None:
    """Drop runs of settings that a figure once had."""
    with planned() as (_, plans):
        needed = {id_on_any_machine(run) for plan in plans for _, run in plan.runs.values()}
    runs = {run.id: run for run in StudyResults.read(RESULTS).runs if id_on_any_machine(run.settings) in needed}
    write(runs)
    print(f"{len(runs)} of {len(needed)} runs that the figures need")


@contextmanager
def planned() -> Iterator[tuple[Store, list[Planned]]]:
    """Plan every figure by the file of results, held in a store."""
    figures = [figure for figure in FIGURES.values() if not figure.lacks(SIZE)]
    with tempfile.TemporaryDirectory() as folder, Store(Path(folder) / "small.sqlite") as store:
        take_over(store, StudyResults.read(RESULTS))
        yield store, plan_figures(figures, SIZE, store, device="cpu")


def what_is_shown() -> list[Drawn]:
    """Read every figure from the file of results."""
    with planned() as (store, plans):
        return [draw_figure(plan, SIZE, store) for plan in plans]


def page(drawn: list[Drawn]) -> str:
    """Write docs/paper.md."""
    return gallery_text(drawn, pictures=PICTURES.relative_to(PAGE.parent).as_posix(), first=FIRST)


if __name__ == "__main__":
    main(sys.argv[1:])
