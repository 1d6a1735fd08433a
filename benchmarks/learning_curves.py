"""Do bands of learning curves hold? On simulated curves, and on trainings that have run, extrapolated.

Three kinds of cases, all with 90 % bands and the same setting; none of them has chosen it:

- simulated: curves of every family of `murk.plan`, eight trainings (four sizes twice), each with 6 % of its error as
  its own and half a point of measurement error; a training with two, four and eight times the most labels;
- figure 8: Conv4 on MNIST (results/paper_small.json), each noise by itself: from up to 1,000 images (three sizes,
  three seeds) to 3,000;
- the law: a ConvNet on MNIST and Fashion-MNIST (results/law_small.json): from the three smaller numbers of images (two
  seeds each) to four times as many, each noise by itself; and all noises together, from up to 200, 400 ... 6,000
  effective clean labels to cells between three and five and a half times as many. Once by accuracies on clean labels,
  once by those that noisy test votes tell (as if each training had votes of its own).

Written to results/learning_curves.json, with the number of cases, the share held and the median width. One core: ten
minutes.

    python benchmarks/learning_curves.py            python benchmarks/learning_curves.py --table
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from machine import machine
from murk.errors import UndecidedError
from murk.lab.study_results import StudyResults
from murk.measure import information_per_example
from murk.noise import Dilution
from murk.plan import learning_curve

FOLDER = Path(__file__).parent / "results"
RESULTS = FOLDER / "learning_curves.json"
CURVES, CUTS, NEAR = 200, (200, 400, 800, 1500, 3000, 6000), (3.0, 5.5)
Run = tuple[float, float, float, float]
"""Effective clean labels, accuracy on clean labels, as it is told, and the standard error of that."""
Case = tuple[list[Run], list[Run]]
"""The trainings that are seen, and those that are predicted."""


def main(arguments: list[str]) -> None:
    if "--table" not in arguments:
        written = {"machine": machine(), "rows": [held(name, cases) for name, cases in kinds()]}
        RESULTS.write_text(json.dumps(written, indent=1) + "\n")
    print(table(json.loads(RESULTS.read_text())))


def kinds() -> Iterator[tuple[str, list[Case]]]:
    for times in (2, 4, 8):
        yield f"simulated, {times} times the labels", simulated(times)
    yield "figure 8 (MNIST, Conv4), 3 times, each noise", figure_eight()
    for told in ("clean labels", "votes"):
        runs = law(told)
        for data, name in (("mnist", "MNIST"), ("fashion-mnist", "Fashion-MNIST")):
            yield f"law, {name} by {told}, 4 times, each noise", each_noise(runs, data)
            yield f"law, {name} by {told}, 3 to 5.5 times, all noises", all_noises(runs, data)


def held(name: str, cases: list[Case]) -> dict[str, Any]:
    inside, width, blurred, undecided = [], [], [], 0
    for seen, farther in cases:
        size, _, accuracy, spread = np.array(seen).T
        try:
            curve = learning_curve(size, accuracy, spread, num_classes=10)
        except UndecidedError:
            undecided += len(farther)
            continue
        for run in farther:
            told = curve.predict(run[0])
            inside.append(bool(told.low <= run[1] <= told.high))
            width.append(told.high - told.low)
            blurred.append(float(np.median(spread)) > 0.02)
    sharp = [each for each, blur in zip(width, blurred, strict=True) if not blur]
    row = {
        "name": name, "predicted": len(inside), "undecided": undecided, "held": float(np.mean(inside)),
        "width": float(np.median(width)), "width_where_seen": float(np.median(sharp)) if sharp else None,
    }  # fmt: skip
    print(row, flush=True)
    return row


def simulated(times: int) -> list[Case]:
    rng, cases, sizes = np.random.default_rng(times), [], np.repeat([250.0, 500, 1000, 2000], 2)
    for number in range(CURVES):
        curve = made(number % 4, rng)
        farther = 2000.0 * times

        def run(size: float, curve: Callable[[float], float] = curve) -> Run:
            accuracy = 1 - curve(size) * math.exp(0.06 * rng.normal())
            return size, accuracy, accuracy + 0.005 * rng.normal(), 0.005

        cases.append(([run(size) for size in sizes], [run(farther)]))
    return cases


def made(kind: int, rng: np.random.Generator) -> Callable[[float], float]:
    """Draw a curve of some family, bent at chance."""
    exponent, at, plateau, near = (rng.uniform(*ends) for ends in ((0.3, 0.9), (0.05, 0.3), (0, 0.05), (0.2, 1)))
    place, factor = math.log(rng.uniform(0.5, 8)), math.exp(0.4 * rng.normal())

    def above(size: float) -> float:
        x = math.log(size / 1000)
        if kind == 2:
            return float(at * math.exp(-near * (size / 1000 - 1)))
        bend = math.log1p(math.exp(x - place)) - math.log1p(math.exp(-place)) if kind == 3 else 0.0
        return float(at * math.exp(-exponent * x - exponent * (factor - 1) * bend))

    def error(size: float) -> float:
        whole = above(size) + (plateau if kind in (0, 2) else 0.0)
        return whole / math.sqrt(1 + (whole / 0.9) ** 2)

    return error


def exact(size: float, accuracy: float) -> Run:
    return size, accuracy, accuracy, math.sqrt(accuracy * (1 - accuracy) / 10_000)


def figure_eight() -> list[Case]:
    cases: dict[int, Case] = {}
    for run in StudyResults.read(FOLDER / "paper_small.json").runs:
        own = run.settings
        if (run.outcome is None or own["data"] != "mnist" or own["model"] != "conv4" or own["protocol"] != "evidence"
                or own.get("delta") or own["source"] != "copies" or own["weigh_as"] != "given" or own.get("consistency")
                or own["train_size"] not in (100, 300, 1000, 3000)):  # fmt: skip
            continue
        worth = information_per_example(Dilution(own["alpha"], num_classes=10)) / math.log(10)
        seen, farther = cases.setdefault(own["alpha"], ([], []))
        at = exact(own["train_size"] * worth, run.outcome["estimates"]["accuracy"]["value"])
        (farther if own["train_size"] == 3000 else seen).append(at)
    return list(cases.values())


def law(told: str) -> dict[tuple[Any, ...], list[tuple[int, Run]]]:
    """Give the runs of evidence training by (set, alpha, delta), each with its number of images."""
    found: dict[tuple[Any, ...], list[tuple[int, Run]]] = {}
    for run in StudyResults.read(FOLDER / "law_small.json").runs:
        own, outcome = run.settings, run.outcome
        if outcome is None or own.get("method") is not None:
            continue
        size, accuracy = outcome["facts"]["effective_clean_labels"], outcome["estimates"]["accuracy"]["value"]
        at, votes = exact(size, accuracy), outcome["estimates"]["accuracy_from_votes"]
        if told == "votes":
            if votes is None:  # they cannot tell it
                continue
            at = size, accuracy, votes["value"], (votes["high"] - votes["low"]) / 3.92
        found.setdefault((own["data"], own["alpha"], own.get("delta")), []).append((own["train_size"], at))
    return found


def each_noise(runs: dict[tuple[Any, ...], list[tuple[int, Run]]], data: str) -> list[Case]:
    return [
        ([run for images, run in own if images < 30_000], [run for images, run in own if images == 30_000])
        for name, own in runs.items() if name[0] == data
    ]  # fmt: skip


def all_noises(runs: dict[tuple[Any, ...], list[tuple[int, Run]]], data: str) -> list[Case]:
    everyone = [run for name, own in runs.items() if name[0] == data for _, run in own]
    return [
        ([run for run in everyone if run[0] <= cut],
         [run for run in everyone if NEAR[0] * cut < run[0] <= NEAR[1] * cut]) for cut in CUTS
    ]  # fmt: skip


def table(results: dict[str, Any]) -> str:
    """Write the table of docs/plan.md."""
    lines = ["| 90 % bands | predicted | held | median width, points | where accuracies are seen to 2 points |",
             "|---|---|---|---|---|"]  # fmt: skip
    for row in results["rows"]:
        seen = "-" if row["width_where_seen"] is None else f"{100 * row['width_where_seen']:.1f}"
        lines.append(f"| {row['name']} | {row['predicted']} | {row['held']:.0%} | {100 * row['width']:.1f} | {seen} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main(sys.argv[1:])
