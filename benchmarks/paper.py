"""The paper's study: what has run so far, and the page and pictures that it makes.

python benchmarks/paper.py            draws docs/paper.md and docs/pictures/paper/ from results/paper_small.json and
                                      results/paper_full.json
python benchmarks/paper.py STORE ...  first adds to these files what the stores have run
python benchmarks/paper.py --minutes  only prints the minutes of each figure, for its header, and of all together

The runs themselves: MURK_DATA=FOLDER murk reproduce all --size small, some eleven hours of one core, in as many parts
as one likes; --size full wants a GPU. The files of results are what `murk study import` takes, so that anyone can go on
from them, on any kind of machine: what is in them is not run again. They hold what each run came to, without its
metrics step by step, which would make them half as large again.
"""

from __future__ import annotations

import json
import math
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from murk.lab import Store
from murk.lab.study_results import ReportedRun, StudyResults, take_over
from murk.paper import FIGURES, Drawn, draw_figure, plan_figures, size_named
from murk.paper.gallery import claims_csv, figures_text, gallery_text, judged, write_figures
from murk.paper.reproduce import Planned, id_on_any_machine
from murk.paper.sizes import Size
from murk.paper.ways import EXACT, INDEPENDENT, PAPER, TWO_VIEWS
from murk.show import series_of

ROOT = Path(__file__).parents[1]
PICTURES, PAGE = ROOT / "docs" / "pictures" / "paper", ROOT / "docs" / "paper.md"
SMALL, FULL = size_named("small"), size_named("full")
FIRST = {
    "Numbers": "every run is in benchmarks/results/paper_small.json; with `murk study import "
    "benchmarks/results/paper_small.json --store out/paper/small.sqlite` each figure's command draws it again, and "
    "`murk reproduce all` runs what is open. Metrics step by step are not in it, nor in a store made from it"
}
AT_FULL_SIZE = """# At full size

What has run at the paper's own sizes; every run is in benchmarks/results/paper_full.json."""
AIMS = {EXACT: 0.89, INDEPENDENT: 0.85, TWO_VIEWS: 0.93}
"""Accuracies aimed at with ResNet-18 on the whole of CIFAR-10 at alpha = 10."""


def main(arguments: list[str]) -> None:
    if arguments == ["--minutes"]:
        print_minutes()
    else:
        make(arguments)


def make(stores: list[str]) -> None:
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
    """Add a store's done runs to the file, without their metrics; what is in it stays as it is."""
    results = results_of(size)
    with Store(path, read_only=True) as store:
        done = {run.id: ReportedRun(**vars(run), metrics=()) for run in store.runs(states=("done",))}
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
    """Drop runs of settings that a figure once had, and what two kinds of machine have run."""
    with planned(size) as (_, plans):
        needed = {id_on_any_machine(run) for plan in plans for _, run in plan.runs.values()}
    runs = one_of_each(
        run for run in StudyResults.read(results_of(size)).runs if id_on_any_machine(run.settings) in needed
    )
    write({run.id: run for run in runs}, size)
    print(f"{len(runs)} of {len(needed)} runs that the figures of size {size.name} need")


def one_of_each(runs: Iterable[ReportedRun]) -> list[ReportedRun]:
    """Keep one run of those that differ in the kind of machine alone: of the kind that most of all the runs have.

    A reader whose machine is of the other kind would else be shown the other numbers.
    """
    found = list(runs)
    common = Counter(map(kind_of_machine, found))
    rarest_first = sorted(found, key=lambda run: (common[kind_of_machine(run)], kind_of_machine(run), run.id))
    return list({id_on_any_machine(run.settings): run for run in rarest_first}.values())


def kind_of_machine(run: ReportedRun) -> tuple[str, str]:
    return str(run.settings["device"]), str(run.settings["precision"])


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
    first = {**FIRST, "How near the choice of rates was": nearness_of_rates(drawn)}
    text = gallery_text(drawn, pictures=pictures, first=first)
    figures = figures_text(full, pictures=f"{pictures}/full")
    return f"{text}\n{AT_FULL_SIZE}\n\n{aimed_and_reached(full)}\n\n{figures}\n"


def nearness_of_rates(drawn: list[Drawn]) -> str:
    """Say how much lower the held-out loss of each chosen rate is than that of the next, at the highest noise level."""
    rates = next(each for each in drawn if each.figure.name == "rates")
    losses: dict[tuple[int, str], list[float]] = {}
    for row in rates.rows:
        level, model = next((cell.setting["alpha"], cell.setting["model"]) for cell in rates.cells
                            if cell.panel == row["panel"])  # fmt: skip
        losses.setdefault((level, model), []).append(row["value"])
    highest = max((level for level, _ in losses), default=0)
    found = {model: sorted(values) for (level, model), values in losses.items() if level == highest}
    told = "; ".join(f"{model} by {best[1] - best[0]:.4f}, to {best[0]:.4f}" for model, best in found.items())
    return f"at alpha {highest}, lower than the next by nats a held-out vote: {told} (guessing: {math.log(10):.4f})"


def aimed_and_reached(full: list[Drawn]) -> str:
    """Say what was aimed at on the whole of CIFAR-10, what was reached, and what has not run."""
    rows = [row for each in full if each.figure.name == "fig2" for row in each.rows]
    reached = {row["series"]: row for row in rows if (row["panel"], row["x"]) == ("ResNet-18", 10)}
    parts = []
    for way in (*AIMS, PAPER):
        aim = f"aimed at {AIMS[way]:.0%}" if way in AIMS else "no aim of its own"
        row = reached.get(way)
        came = f"reached {row['value']:.1%} (n = {row['n_seeds']} of {row['planned']} seeds)" if row else "not run"
        parts.append(f"{series_of(way).name}: {aim}, {came}")
    return f"ResNet-18 on the whole of CIFAR-10 at alpha = 10. {'. '.join(parts)}."


def print_minutes() -> None:
    """Print what the headers of the figures say of their time, by the results of size small."""
    for each in what_is_shown(SMALL):
        print(f"{each.figure.name:6} {each.seconds / 60:5.0f} minutes, {each.done} of {each.planned} runs")
    done = StudyResults.read(results_of(SMALL)).runs
    seconds = sum(run.outcome["facts"]["training_seconds"] for run in done if run.outcome is not None)
    print(f"all    {seconds / 60:5.0f} minutes, {seconds / 3600:.1f} hours, {len(done)} runs")


if __name__ == "__main__":
    main(sys.argv[1:])
