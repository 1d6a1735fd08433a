"""The paper's study: what has run so far, and the page and pictures that it makes.

python benchmarks/paper.py            draws docs/paper.md and docs/pictures/paper/ from results/paper_small.json and
                                      results/paper_full.json
python benchmarks/paper.py STORE ...  first adds to these files what the stores have run

The runs themselves: MURK_DATA=FOLDER murk reproduce all --size small, some six and a half hours of one core, in as many
parts as one likes; --size full wants a GPU. The files of results are what `murk study import` takes, so that anyone can
go on from them, on any kind of machine: what is in them is not run again.
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
from murk.paper.gallery import claims_csv, figures_text, gallery_text, judged, write_figures
from murk.paper.reproduce import Planned, id_on_any_machine
from murk.paper.sizes import Size

ROOT = Path(__file__).parents[1]
PICTURES, PAGE = ROOT / "docs" / "pictures" / "paper", ROOT / "docs" / "paper.md"
SMALL, FULL = size_named("small"), size_named("full")
FIRST = {
    "Numbers": "every run is in benchmarks/results/paper_small.json; with `murk study import "
    "benchmarks/results/paper_small.json --store out/paper/small.sqlite` each figure's command draws it again, and "
    "`murk reproduce all` runs what is open"
}
AT_FULL_SIZE = """# At full size

What has run at the paper's own sizes; every run is in benchmarks/results/paper_full.json."""


def main(stores: list[str]) -> None:
    for size in (SMALL, FULL):
        for store in stores:
            collect(Path(store), size)
        if stores:
            leave_out_what_no_figure_needs(size)
    drawn, full = what_is_shown(SMALL), what_is_shown(FULL)
    for path in (*write_figures(PICTURES, drawn), *write_figures(PICTURES / "full", full)):
        print(path.relative_to(ROOT))
    (PICTURES / "claims.csv").write_text(claims_csv(judged(drawn)), encoding="utf-8")
    PAGE.write_text(page(drawn, full), encoding="utf-8")


def results_of(size: Size) -> Path:
    """Name the file of results."""
    return ROOT / "benchmarks" / "results" / f"paper_{size.name}.json"


def collect(path: Path, size: Size) -> None:
    """Add a store's done runs to the file; what is in it stays as it is."""
    results = results_of(size)
    with Store(path, read_only=True) as store:
        done = {run.id: ReportedRun(**vars(run)) for run in store.runs(states=("done",))}
    before = {run.id: run for run in StudyResults.read(results).runs} if results.exists() else {}
    write(done | before, size)
    print(f"{path}: {len(done)} runs, {len(done | before)} in all")


def write(runs: dict[str, ReportedRun], size: Size) -> None:
    """Write the file, a line a run."""
    lines = [json.dumps(asdict(run), sort_keys=True) for _, run in sorted(runs.items())]
    head = json.dumps({"study": f"paper/{size.name}", "schema": 1})[:-1]
    text = f'{head}, "runs": [\n' + ",\n".join(lines) + "\n]}\n"
    results_of(size).write_text(text, encoding="utf-8")


def leave_out_what_no_figure_needs(size: Size) -> None:
    """Drop runs of settings that a figure once had."""
    with planned(size) as (_, plans):
        needed = {id_on_any_machine(run) for plan in plans for _, run in plan.runs.values()}
    runs = {
        run.id: run for run in StudyResults.read(results_of(size)).runs if id_on_any_machine(run.settings) in needed
    }
    write(runs, size)
    print(f"{len(runs)} of {len(needed)} runs that the figures of size {size.name} need")


@contextmanager
def planned(size: Size) -> Iterator[tuple[Store, list[Planned]]]:
    """Plan every figure by the file of results, held in a store; figure 3 wants images that few have."""
    figures = [figure for name, figure in FIGURES.items() if name != "fig3"]
    with tempfile.TemporaryDirectory() as folder, Store(Path(folder) / "runs.sqlite") as store:
        take_over(store, StudyResults.read(results_of(size)))
        yield store, plan_figures(figures, size, store, device="cpu")


def what_is_shown(size: Size) -> list[Drawn]:
    """Read every figure from the file of results; at full size those of which something has run."""
    with planned(size) as (store, plans):
        drawn = [draw_figure(plan, size, store) for plan in plans]
    return [each for each in drawn if each.done or size is SMALL]


def page(drawn: list[Drawn], full: list[Drawn]) -> str:
    """Write docs/paper.md."""
    pictures = PICTURES.relative_to(PAGE.parent).as_posix()
    text = gallery_text(drawn, pictures=pictures, first=FIRST)
    return f"{text}\n{AT_FULL_SIZE}\n\n{figures_text(full, pictures=f'{pictures}/full')}\n"


if __name__ == "__main__":
    main(sys.argv[1:])
