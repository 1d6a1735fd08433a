"""Methods under one protocol: what has run so far, as pictures, numbers and the tables of docs/methods.md.

python benchmarks/methods.py            draws docs/pictures/methods/ from results/methods_small.json, and writes the
                                        tables into docs/methods.md
python benchmarks/methods.py STORE ...  first adds to that file what the stores have run

The runs themselves: MURK_DATA=FOLDER murk reproduce methods sam --size small, some fifteen hours of one core, in as
many parts as one likes. The file of results is what `murk study import` takes: anyone can go on from it.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from collected import collect
from murk.lab import Store
from murk.lab.study_results import StudyResults, take_over
from murk.paper import COMPARISONS, Drawn, draw_figure, plan_figures, size_named
from murk.paper.gallery import heat_map_of, machine_in_words, write_figures
from murk.paper.methods import against_the_best
from murk.show import HeatMap, heat_map_markdown

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "methods_small.json"
PICTURES = ROOT / "docs" / "pictures" / "methods"
PAGE, ABOVE, BELOW = ROOT / "docs" / "methods.md", "](pictures/methods/methods.svg)\n", "\n## What to use when"
SMALL = size_named("small")


def main(stores: list[str]) -> None:
    for store in stores:
        collect(Path(store), RESULTS, "methods/small")
    drawn = what_is_shown()
    for path in write_figures(PICTURES, [each for each in drawn if each.rows]):
        print(path.relative_to(ROOT))
    page = PAGE.read_text(encoding="utf-8")
    above, below = page.index(ABOVE) + len(ABOVE), page.index(BELOW)
    PAGE.write_text(f"{page[:above]}\n{tables(drawn)}\n{page[below:]}", encoding="utf-8")


def what_is_shown() -> list[Drawn]:
    """Read the comparisons from the file of results."""
    with tempfile.TemporaryDirectory() as folder, Store(Path(folder) / "runs.sqlite") as store:
        take_over(store, StudyResults.read(RESULTS))
        plans = plan_figures([COMPARISONS[name] for name in ("methods", "sam")], SMALL, store, device="cpu")
        return [draw_figure(plan, SMALL, store) for plan in plans]


def tables(drawn: list[Drawn]) -> str:
    """Write what the page shows: how much has run, a table for each set, and the search against the best other."""
    parts = []
    for each in drawn:
        heat = heat_map_of(each)
        seeds = sorted({row["n_seeds"] for row in each.rows})
        told = f"`murk reproduce {each.figure.name}`: {each.done} of {each.planned} runs so far"
        if seeds:
            told += (
                f", {seeds[0]} to {seeds[-1]} seeds a cell; " if seeds[0] < seeds[-1] else f", n = {seeds[0]} a cell; "
            )
            told += "; ".join(machine_in_words(machine) for machine in each.machines)
        parts.append(f"{told}.")
        for name in dict.fromkeys(panel.partition(",")[0] for panel in heat.panels):
            rows = [{**row, "panel": row["panel"].removeprefix(f"{name}, ")} for row in heat.rows
                    if row["panel"].startswith(f"{name},")]  # fmt: skip
            parts.append(f"{name}:\n\n{heat_map_markdown(HeatMap('', rows))}")
    lines = [
        "| | of the others, not told the noise, the best is | evidence, noise found, above it by |",
        "|---|---|---|",
    ]
    for panel, other, above in against_the_best(next(each.rows for each in drawn if each.figure.name == "methods")):
        told = f"{100 * above.value:+.1f}"
        if above.low < above.high:
            told += f" ({100 * above.low:+.1f} to {100 * above.high:+.1f})"
        lines.append(f"| {panel} | {other} | {told} |")
    return "\n\n".join([*parts, "\n".join(lines)])


if __name__ == "__main__":
    main(sys.argv[1:])
