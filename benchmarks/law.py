"""Does accuracy fall on one curve of effective clean labels? The runs of `murk reproduce law`, held against it.

python benchmarks/law.py            reads results/law_small.json
python benchmarks/law.py STORE ...  first adds to that file what the stores have run

For each set, a power law with a plateau is fitted by least squares to the log errors of all runs with evidence, against
effective clean labels alone: the root mean square of what is left, beside that between seeds of one cell, each with the
interval of cells drawn again. Then the same with (images per effective label) to some power, which is fitted, too.

The runs themselves: MURK_DATA=FOLDER murk reproduce law --size small, some two hours of one core, in as many parts as
one likes.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import least_squares

from collected import collect
from murk.lab.study_results import StudyResults

RESULTS = Path(__file__).parent / "results" / "law_small.json"
CHANCE, DRAWS, FEW = 0.9, 200, 500
Cells = dict[tuple[Any, ...], list[tuple[float, float, float]]]
"""By (set, alpha, delta, images): (effective clean labels, images, error) of each seed."""


def main(stores: list[str]) -> None:
    for store in stores:
        collect(Path(store), RESULTS, "law/small")
    print(table())


def table() -> str:
    """Write the table of docs/plan.md."""
    lines = [
        "| set | runs, cells | left in log error | of that from 500 images | with images per label to a power | "
        "between seeds |", "|---|---|---|---|---|---|",
    ]  # fmt: skip
    cells = evidence_cells()
    for data, name in (("mnist", "MNIST"), ("fashion-mnist", "Fashion-MNIST")):
        own = [runs for each, runs in cells.items() if each[0] == data]
        left = [in_words(own, free=free) for free in (False, True)]
        lines.append(
            f"| {name} | {sum(map(len, own))}, {len(own)} | {left[0]} | {from_few(own):.0%} | {left[1]} | "
            f"{between_seeds(own)} |"
        )
    return "\n".join(lines)


def in_words(cells: list[list[tuple[float, float, float]]], *, free: bool) -> str:
    squares, rise = fitted(cells, free=free)
    rms = float(squares.mean() ** 0.5)
    rng = np.random.default_rng(0)
    drawn = [fitted([cells[i] for i in rng.integers(0, len(cells), len(cells))], free=free) for _ in range(DRAWS)]
    low, high = np.quantile([each[0].mean() ** 0.5 for each in drawn], [0.025, 0.975])
    return f"{f'{rise:+.2f}: ' if free else ''}{rms:.3f} ({low:.3f} to {high:.3f})"


def evidence_cells() -> Cells:
    cells: Cells = {}
    for run in StudyResults.read(RESULTS).runs:
        settings, outcome = run.settings, run.outcome
        if outcome is None or settings.get("method") is not None:
            continue
        name = settings["data"], settings["alpha"], settings.get("delta"), settings["train_size"]
        worth = outcome["facts"]["effective_clean_labels"]
        cells.setdefault(name, []).append(
            (worth, settings["train_size"], 1 - outcome["estimates"]["accuracy"]["value"])
        )
    return cells


def from_few(cells: list[list[tuple[float, float, float]]]) -> float:
    """Give the share of the squares left that the runs with 500 images leave, which are a quarter of all."""
    squares, _ = fitted(cells, free=False)
    few = np.array([run[1] == FEW for cell in cells for run in cell])
    return float(squares[few].sum() / squares.sum())


def fitted(cells: list[list[tuple[float, float, float]]], *, free: bool) -> tuple[np.ndarray, float]:
    """Give the squares of what a curve leaves of each log error, and the power of images per effective label."""
    size, images, error = np.array([run for cell in cells for run in cell]).T
    seen, ratio = np.log(error), np.log(images / size)

    def left(parameters: np.ndarray) -> np.ndarray:
        rise = parameters[3] if free else 0.0
        curve = np.exp(parameters[0] - np.exp(parameters[1]) * (np.log(size) + rise * ratio - 7)) + np.exp(
            parameters[2]
        )
        return np.asarray(np.log(curve / np.sqrt(1 + (curve / CHANCE) ** 2)) - seen)

    found = least_squares(left, [np.log(0.1), np.log(0.5), np.log(error.min() / 2), *([0.0] if free else [])])
    return found.fun**2, float(found.x[3]) if free else 0.0


def between_seeds(cells: list[list[tuple[float, float, float]]]) -> str:
    several = [np.log([run[2] for run in cell]) for cell in cells if len(cell) > 1]
    if not several:
        return "one seed so far"
    variance = np.array([errors.var(ddof=1) for errors in several])
    rng = np.random.default_rng(0)
    drawn = [variance[rng.integers(0, len(variance), len(variance))].mean() ** 0.5 for _ in range(DRAWS)]
    low, high = np.quantile(drawn, [0.025, 0.975])
    return f"{variance.mean() ** 0.5:.3f} ({low:.3f} to {high:.3f})"


if __name__ == "__main__":
    main(sys.argv[1:])
