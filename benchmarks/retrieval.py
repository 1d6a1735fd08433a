"""Does search break sooner than classification under label noise? The runs of `murk reproduce retrieval`, judged.

python benchmarks/retrieval.py            draws docs/pictures/retrieval/ from results/retrieval_small.json, and writes
                                          the tables into docs/retrieval.md
python benchmarks/retrieval.py STORE ...  first adds to that file what the stores have run

The runs themselves: MURK_DATA=FOLDER murk reproduce retrieval --size small, some four hours of one core, in as many
parts as one likes. The file of results is what `murk study import` takes: anyone can go on from it.
"""

from __future__ import annotations

import json
import math
import sys
import tempfile
from pathlib import Path
from typing import Any

from collected import collect
from murk.lab import Store, mean_over_runs
from murk.lab.study_results import StudyResults, take_over
from murk.measure import Estimate
from murk.paper import COMPARISONS, Drawn, draw_figure, plan_figures, size_named
from murk.paper.figure import Row
from murk.paper.gallery import machine_in_words, write_figures
from murk.paper.retrieval import MEASURES, PLAIN, WAYS, left_of_the_fall, verdicts, verdicts_above

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "retrieval_small.json"
FLOOR = ROOT / "benchmarks" / "results" / "retrieval_floor.json"  # of retrieval_floor.py
PICTURES = ROOT / "docs" / "pictures" / "retrieval"
PAGE, SECTION, BELOW = ROOT / "docs" / "retrieval.md", "## Does search break sooner?\n", "## How to read these tables\n"
PICTURE = "![Accuracy, Recall@1 and MAP@R against alpha](pictures/retrieval/retrieval.svg)"
SHOWN = (
    "Six classes are trained on and four others searched, drawn anew for each run (eight of the nine sets differ, and "
    "share classes, so that intervals over runs are somewhat short); accuracy is on test images of the six. 20,000 "
    "images, three passes, a `conv3` of quarter width. A pass of plain training reads one vote of an image, three of "
    "21 at α 20; evidence reads all. Percent, the mean over runs; of three or more, with half of its 95 % interval. "
    "The floor is what is found without any training, by pixels or by the network before its first step "
    "(`python benchmarks/retrieval_floor.py`)."
)
LEFT = "Which part of the fall of plain pairs at α 20 is left under evidence; 1 is all, 0 none:"
SEEN, CONTRASTIVE, SAME = 6, "contrastive loss, pairs", "same class, evidence (independent)"
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
        for way in ("pixels", "untrained network"):
            means = [
                mean_over_runs([run[name] for run in floor_runs() if (run["set"], run["way"]) == (data, way)])
                for name in MEASURES if name != "accuracy"
            ]  # fmt: skip
            told = (f"{100 * each.value:.1f} ± {50 * (each.high - each.low):.1f} | " for each in means)
            lines.append(f"| {data}, floor: {way} | | | {' | '.join(told)} |")
    return "\n".join(lines)


def floor_runs() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(FLOOR.read_text(encoding="utf-8"))["runs"]
    return found


def floors() -> dict[str, dict[int, float]]:
    """Give the floor of each measure and run: the untrained network's, and of accuracy what guessing gives."""
    found: dict[str, dict[int, float]] = {}
    for run in (run for run in floor_runs() if run["way"] == "untrained network"):
        for name, title in MEASURES.items():
            value = 1 / SEEN if name == "accuracy" else run[name]
            found.setdefault(f"{run['set']}, {title}", {})[run["run"]] = value
    return found


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
    lines[0] = lines[0][:-2] + " | of what lies above the untrained network | by that |"
    lines.append("|---|---|---|---|---|---|---|")
    above = {(each.panel, each.series, each.measure): each for each in verdicts_above(rows, floors())
             if each.alpha == ALPHA}  # fmt: skip
    told = [each for each in verdicts(rows) if each.series in PLAIN]
    for one in (each for each in told if each.alpha == ALPHA):
        others = [each for each in told if each.alpha != ALPHA and
                  (each.panel, each.series, each.measure) == (one.panel, one.series, one.measure)]  # fmt: skip
        said = "; ".join(f"{each.alpha:g}: {each.said}" for each in others)
        own = above.get((one.panel, one.series, one.measure))
        too = f"{share(own.more)} | {own.said}" if own else "nothing lies surely above it | -"
        lines.append(f"| {one.panel}, {one.series} | {one.measure} | {share(one.more)} | {one.said} | {said} | {too} |")
    return "\n".join(lines)


def mended(rows: tuple[Row, ...]) -> str:
    """Write which part of the fall of plain training is left under evidence at alpha = 20."""
    lines = [f"| set, training | against | {' | '.join(MEASURES.values())} |", f"|---|---|{'---|' * len(MEASURES)}"]
    for data in dict.fromkeys(row["panel"].rpartition(", ")[0] for row in rows):
        for way in (each for each in WAYS if each not in PLAIN):
            for plain in (PAIRS, CONTRASTIVE) if way == SAME else (PAIRS,):
                left = [left_of_the_fall(rows, f"{data}, {title}", alpha=ALPHA, ours=way, theirs=plain)
                        for title in MEASURES.values()]  # fmt: skip
                told = ("-" if each is None else left_over(each) for each in left)
                lines.append(f"| {data}, {way} | {plain} | {' | '.join(told)} |")
    return "\n".join(lines)


def left_over(estimate: Estimate) -> str:
    if not math.isfinite(estimate.low + estimate.high):
        return f"{estimate.value:.2f} (no bounds: what it is held against hardly falls)"
    return f"{estimate.value:.2f} ({estimate.low:.2f} to {estimate.high:.2f})"


def share(estimate: Estimate) -> str:
    return f"{estimate.value:+.0%} ({estimate.low:+.0%} to {estimate.high:+.0%})"


if __name__ == "__main__":
    main(sys.argv[1:])
