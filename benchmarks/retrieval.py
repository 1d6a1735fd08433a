"""Does search break sooner than classification under label noise? The runs of `murk reproduce retrieval`, judged.

python benchmarks/retrieval.py            draws docs/pictures/retrieval/ from results/retrieval_small.json, and writes
                                          the tables into docs/retrieval.md
python benchmarks/retrieval.py STORE ...  first adds to that file what the stores have run

The runs themselves: MURK_DATA=FOLDER murk reproduce retrieval --size small, some four hours of one core, in as many
parts as one likes. The file of results is what `murk study import` takes: anyone can go on from it.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from collected import collect
from murk.lab import Store
from murk.lab.study_results import StudyResults, take_over
from murk.measure import Estimate
from murk.paper import COMPARISONS, Drawn, draw_figure, plan_figures, size_named
from murk.paper.figure import Row
from murk.paper.gallery import machine_in_words, write_figures
from murk.paper.retrieval import MEASURES, PLAIN, WAYS, left_of_the_fall, verdicts

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "retrieval_small.json"
PICTURES = ROOT / "docs" / "pictures" / "retrieval"
PAGE, SECTION, BELOW = ROOT / "docs" / "retrieval.md", "## Does search break sooner?\n", "## What is found\n"
PICTURE = "![Accuracy, Recall@1 and MAP@R against alpha](pictures/retrieval/retrieval.svg)"
SHOWN = (
    "Six classes are trained on and four others searched, in each run other ones; accuracy is on test images of "
    "the six. Percent, the mean over runs; of three or more, with half of its 95 % interval."
)
LEFT = "Which part of the fall of plain pairs (normalised softmax) at α 20 is left under evidence; 1 is all, 0 none:"
SMALL, ALPHA, FEWEST, PAIRS = size_named("small"), 20, 3, "normalised softmax, pairs"


def main(stores: list[str]) -> None:
    for store in stores:
        collect(Path(store), RESULTS, "retrieval/small")
    drawn = what_is_shown()
    for path in write_figures(PICTURES, [drawn]):
        print(path.relative_to(ROOT))
    page = PAGE.read_text(encoding="utf-8")
    below = page.index(BELOW)
    above = page.find(SECTION)
    before = page[: below if above < 0 else above]
    PAGE.write_text(f"{before}{SECTION}{PICTURE}\n\n{tables(drawn)}\n\n{page[below:]}", encoding="utf-8")


def what_is_shown() -> Drawn:
    """Read the study from the file of results."""
    with tempfile.TemporaryDirectory() as folder, Store(Path(folder) / "runs.sqlite") as store:
        take_over(store, StudyResults.read(RESULTS))
        (plan,) = plan_figures([COMPARISONS["retrieval"]], SMALL, store, device="cpu")
        return draw_figure(plan, SMALL, store)


def tables(drawn: Drawn) -> str:
    """Write what the page shows: what each way reaches, whether the claim holds, what evidence leaves of the fall."""
    seeds = sorted({row["n_seeds"] for row in drawn.rows})
    each = f"{seeds[0]} to {seeds[-1]}" if seeds[0] < seeds[-1] else f"n = {seeds[0]}"
    told = f"`murk reproduce retrieval`: {drawn.done} of {drawn.planned} runs so far, {each} a point"
    if seeds[-1] < FEWEST:
        told += ", by which nothing is judged yet"
    machines = "; ".join(machine_in_words(machine) for machine in drawn.machines)
    parts = [f"{told}; {machines}. {SHOWN}", reached(drawn.rows)]
    if seeds[-1] >= FEWEST:
        parts += [judged(drawn.rows), f"{LEFT}\n\n{mended(drawn.rows)}"]
    return "\n\n".join(parts)


def reached(rows: tuple[Row, ...]) -> str:
    """Write each measure without noise and at alpha = 20: the mean over runs, with half of its 95 % interval."""
    lines = [f"| set, training | {' | '.join(f'{title}, α 0 | α {ALPHA}' for title in MEASURES.values())} |",
             f"|---|{'---|' * 2 * len(MEASURES)}"]  # fmt: skip
    at = {(row["panel"], row["series"], row["x"]): row for row in rows}
    for data in dict.fromkeys(row["panel"].rpartition(", ")[0] for row in rows):
        for way in WAYS:
            points = [at.get((f"{data}, {title}", way, alpha)) for title in MEASURES.values() for alpha in (0, ALPHA)]
            if any(points):
                lines.append(f"| {data}, {way} | {' | '.join(map(point, points))} |")
    return "\n".join(lines)


def point(row: Row | None) -> str:
    if row is None:
        return "-"
    half = "" if row["n_seeds"] < FEWEST else f" ± {50 * (row['high'] - row['low']):.1f}"
    return f"{100 * row['value']:.1f}{half}"


def judged(rows: tuple[Row, ...]) -> str:
    """Write, of each plain way, by how much more of itself search falls than accuracy at alpha = 20, and judge."""
    lines = [
        "| set, training | measure | α 20: falls by so much more of itself than accuracy | the claim | at other α |"
    ]
    lines.append("|---|---|---|---|---|")
    told = [each for each in verdicts(rows) if each.series in PLAIN]
    for one in (each for each in told if each.alpha == ALPHA):
        others = [each for each in told if each.alpha != ALPHA and
                  (each.panel, each.series, each.measure) == (one.panel, one.series, one.measure)]  # fmt: skip
        said = "; ".join(f"{each.alpha:g}: {each.said}" for each in others)
        lines.append(f"| {one.panel}, {one.series} | {one.measure} | {share(one.more)} | {one.said} | {said} |")
    return "\n".join(lines)


def mended(rows: tuple[Row, ...]) -> str:
    """Write which part of the fall of plain pairs is left under evidence at alpha = 20."""
    lines = [f"| set, training | {' | '.join(MEASURES.values())} |", f"|---|{'---|' * len(MEASURES)}"]
    for data in dict.fromkeys(row["panel"].rpartition(", ")[0] for row in rows):
        for way in (each for each in WAYS if each not in PLAIN):
            left = [left_of_the_fall(rows, f"{data}, {title}", alpha=ALPHA, ours=way, theirs=PAIRS)
                    for title in MEASURES.values()]  # fmt: skip
            if any(each is not None for each in left):
                told = (
                    "-" if each is None else f"{each.value:.2f} ({each.low:.2f} to {each.high:.2f})" for each in left
                )
                lines.append(f"| {data}, {way} | {' | '.join(told)} |")
    return "\n".join(lines)


def share(estimate: Estimate) -> str:
    return f"{estimate.value:+.0%} ({estimate.low:+.0%} to {estimate.high:+.0%})"


if __name__ == "__main__":
    main(sys.argv[1:])
