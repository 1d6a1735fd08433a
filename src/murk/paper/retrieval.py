"""Search under label noise: does it break sooner than classification, and does evidence mend it?

Shown: accuracy on test images of the classes trained on, and Recall@1 and MAP@R of searching among test images of
classes that no training saw, against alpha.
Command: murk reproduce retrieval
Time: size small, some 4 hours of one core (x86 with bfloat16, one thread a run).
The claim is that of Dereka, Karpukhin and Kolesnikov 2022 (arXiv 2205.11195): search is less robust than
classification. All ways train the same network with an embedding of 64 numbers on as many images; six classes are seen
and four searched, other ones for each of nine runs. All votes train, and the last epoch counts: held-out votes would
choose the epoch by how well classes are told, which is what search is held against. Exact evidence knows that exactly
one vote of an image is right.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from murk.lab import mean_difference, mean_over_runs, mean_ratio
from murk.lab.repeats import student_mean
from murk.measure import Estimate
from murk.paper.figure import Axis, Cell, Figure, Outcome, Place, Row
from murk.paper.methods import SETS
from murk.paper.sizes import Size

__all__ = ["FIGURE", "MEASURES", "PLAIN", "WAYS", "Verdict", "left_of_the_fall", "verdicts", "verdicts_above"]

SOFTMAX, CONTRASTIVE, SAME_CLASS = "normalised softmax", "contrastive loss", "same class"
WAYS: dict[str, dict[str, Any]] = {
    f"{SOFTMAX}, pairs": {"loss": "pairs", "weigh_as": "given"},
    f"{CONTRASTIVE}, pairs": {"method": "metric:loss_of='contrastive'", "weigh_as": "untold"},
    "ArcFace, pairs": {"method": "arcface", "weigh_as": "untold"},
    f"{SOFTMAX}, evidence (exact)": {"loss": "evidence", "weigh_as": "given"},
    f"{SOFTMAX}, evidence (independent)": {"loss": "evidence", "weigh_as": "independent"},
    f"{SAME_CLASS}, evidence (independent)": {"method": "same-class", "weigh_as": "independent"},
}
PLAIN = tuple(name for name in WAYS if name.endswith("pairs"))
MEASURES = {"accuracy": "accuracy", "recall_at_1": "Recall@1", "map_at_r": "MAP@R"}
ALPHAS = {"smoke": (0, 5), "small": (0, 2, 5, 10, 20, 50), "full": (0, 2, 5, 10, 20, 50)}
SPLITS = 3


def cells(size: Size, _: Any) -> Iterator[Cell]:
    """Every way at every alpha, split by split; without noise exact and independent evidence are one."""
    small = size.name == "smoke"
    for data, base in _plan(size).items():
        for split in range(1 if small else SPLITS):
            for alpha in ALPHAS[size.name]:
                for name, how in WAYS.items():
                    way = {**how, "weigh_as": "given"} if alpha == 0 and how["weigh_as"] == "independent" else how
                    setting = {**base, **way, "alpha": alpha, "searched": f"random:{base['searched']}:{split}"}
                    yield Cell(SETS[data], name, alpha, setting, 1 if small else 3)


def _plan(size: Size) -> dict[str, dict[str, Any]]:
    if size.name == "smoke":
        return {"digits": {"data": "digits", "train_size": 300, "passes": 1000, "model": "conv2", "width": 4,
                           "dropout": 0.0, "embedding": 8, "searched": 4, "held_out": 0.0}}  # fmt: skip
    if size.name == "small":
        base = {"train_size": 20_000, "passes": 60_000, "model": "conv3", "width": 16, "embedding": 64, "searched": 4,
                "held_out": 0.0}  # fmt: skip
        return {data: {**base, "data": data} for data in ("mnist", "fashion-mnist")}
    return {"cifar100": {"data": "cifar100", "train_size": 40_000, "passes": 500_000, "model": "resnet18",
                         "width": 32, "embedding": 128, "searched": 20, "held_out": 0.0}}  # fmt: skip


def rows(cells: Sequence[Cell], outcomes: Mapping[tuple[int, int], Outcome]) -> list[Row]:
    """Put the runs of all splits together, a row a measure; runs are numbered by split and seed."""
    found: dict[Place, dict[int, Outcome]] = {}
    planned: dict[Place, int] = {}
    for number, cell in enumerate(cells):
        place = cell.panel, cell.series, cell.x
        own = found.setdefault(place, {})
        split = int(cell.setting["searched"].rpartition(":")[2])
        own |= {split * cell.seeds + seed: outcomes[number, seed] for seed in range(cell.seeds)
                if (number, seed) in outcomes}  # fmt: skip
        planned[place] = planned.get(place, 0) + cell.seeds
    told = []
    for (panel, series, x), own in found.items():
        for name, title in MEASURES.items() if own else ():
            values = {run: float(outcome["estimates"][name]["value"]) for run, outcome in own.items()}
            mean = mean_over_runs(list(values.values())) if len(values) > 1 else None
            told.append({
                "panel": f"{panel}, {title}", "series": series, "x": x, "value": sum(values.values()) / len(values),
                "low": mean and mean.low, "high": mean and mean.high, "n_seeds": len(values),
                "planned": planned[panel, series, x], "n_test": next(iter(own.values()))["facts"]["test_examples"],
                "seeds": values,
            })  # fmt: skip
    return told


def places(cells: Sequence[Cell]) -> Iterator[tuple[str, float]]:
    """Draw each cell in the panel of each measure."""
    return ((f"{cell.panel}, {title}", cell.x) for cell in cells for title in MEASURES.values())


@dataclass(frozen=True)
class Verdict:
    """Whether search falls further than classification, relative to what each is without noise.

    Attributes:
        panel: the set.
        series: the way to train.
        measure: of the search.
        alpha: the noise.
        more: by how much more of itself it falls than accuracy; the mean over runs, with Student's interval.
        said: "holds", "does not hold" or "undecided".
    """

    panel: str
    series: str
    measure: str
    alpha: float
    more: Estimate
    said: str


def verdicts(rows: Sequence[Row]) -> list[Verdict]:
    """Judge the claim for each set, way, measure and alpha, run by run: each has its own classes and seed."""
    found = []
    at = {(row["panel"], row["series"], row["x"]): row["seeds"] for row in rows}
    for panel, series, alpha in _searches(at):
        search, classes = (_falls(at, each, series, alpha) for each in (panel, _accuracy_of(panel)))
        if len(search.keys() & classes.keys()) < 2:
            continue
        more = mean_difference(search, classes)
        found.append(_verdict(panel, series, alpha, more))
    return found


def verdicts_above(rows: Sequence[Row], floors: Mapping[str, Mapping[int, float]]) -> list[Verdict]:
    """Judge the claim as `verdicts`, by what lies above a floor: what is there without any training.

    A fall is then (clean - noisy) / (clean - floor), of means over runs; the interval is the jackknife's over runs.
    Where no training without noise lies surely above the floor there is nothing to fall, and no verdict.

    Args:
        rows: of the study.
        floors: by panel ("MNIST, Recall@1"; accuracy too), the floor of each run.
    """
    found = []
    at = {(row["panel"], row["series"], row["x"]): row["seeds"] for row in rows}
    for panel, series, alpha in _searches(at):
        panels = panel, _accuracy_of(panel)
        told = [[at.get((each, series, x), {}) for x in (0, alpha)] + [floors[each]] for each in panels]
        runs = sorted(set.intersection(*({*values} for side in told for values in side)))
        sides = np.array([[[values[run] for run in runs] for values in side] for side in told])  # side, what, run
        above = sides[:, 0] - sides[:, 2]
        if len(runs) < 3 or any(student_mean(list(each)).low <= 0 for each in above):
            continue

        def more(kept: np.ndarray, sides: np.ndarray = sides, above: np.ndarray = above) -> float:
            search, classes = (sides[:, 0] - sides[:, 1])[:, kept].sum(1) / above[:, kept].sum(1)
            return float(search - classes)

        every, count = np.arange(len(runs)), len(runs)
        alone = [count * more(every) - (count - 1) * more(np.delete(every, run)) for run in every]
        found.append(_verdict(panel, series, alpha, student_mean(alone)))
    return found


def _searches(at: Mapping[Place, Any]) -> Iterator[Place]:
    """Walk over what is shown of searches under noise."""
    return (place for place in at if place[2] != 0 and not place[0].endswith(f", {MEASURES['accuracy']}"))


def _accuracy_of(panel: str) -> str:
    """Name the panel of the accuracy beside one of a search."""
    return f"{panel.rpartition(', ')[0]}, {MEASURES['accuracy']}"


def _verdict(panel: str, series: str, alpha: float, more: Estimate) -> Verdict:
    name, _, measure = panel.rpartition(", ")
    said = "holds" if more.low > 0 else "does not hold" if more.high < 0 else "undecided"
    return Verdict(name, series, measure, alpha, more, said)


def _falls(at: Mapping[Place, Mapping[int, float]], panel: str, series: str, alpha: float) -> dict[int, float]:
    """Give, of each run, which part of what it has without noise is lost."""
    clean, noisy = at.get((panel, series, 0), {}), at.get((panel, series, alpha), {})
    return {run: 1 - noisy[run] / clean[run] for run in clean.keys() & noisy.keys() if clean[run] > 0}


def left_of_the_fall(rows: Sequence[Row], panel: str, *, alpha: float, ours: str, theirs: str) -> Estimate | None:
    """Give the relative fall of a panel's measure under one way over that under another; None before two runs have.

    1 where it falls as far, 0 where it does not fall at all.
    """
    at = {(row["panel"], row["series"], row["x"]): row["seeds"] for row in rows}
    falls = [_falls(at, panel, series, alpha) for series in (ours, theirs)]
    return mean_ratio(*falls) if len(falls[0].keys() & falls[1].keys()) > 1 else None


FIGURE = Figure(
    "retrieval", "Search and classification under label noise",
    "Test accuracy on the classes trained on, and Recall@1 and MAP@R among test images of classes never seen.",
    "Search by embeddings is less robust to label noise than classification (arXiv 2205.11195).",
    Axis("α, random labels beside each right one", "log1p"), cells, rows=rows, places=places, y_title="",
    note=lambda size: size.note if size.name == "smoke" else "",
)  # fmt: skip
