"""Does accuracy fall on one curve of effective clean labels? The runs of `murk reproduce law`, held against it.

python benchmarks/law.py            reads results/law_small.json
python benchmarks/law.py STORE ...  first adds to that file what the stores have run

For each set, a power law with a plateau is fitted by least squares to the log errors of all runs with evidence, against
effective clean labels alone: the root mean square of what is left, beside that between seeds of one cell, each with the
interval of cells drawn again. Then the same with (images per effective label) to some power, which is fitted, too; and
of every cell what a curve of all others leaves. Beside it, how the images that an accuracy needs rise with alpha, and
what training on the votes as they are leaves of the same curve.

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
TARGETS = {"mnist": (0.90, 0.97), "fashion-mnist": (0.75, 0.80)}
SETS = {"mnist": "MNIST", "fashion-mnist": "Fashion-MNIST"}
PLAIN_METHOD = "averaging"  # trains on the votes as they are
Run = tuple[float, float, float]
"""Effective clean labels, images, error."""
Cells = dict[tuple[Any, ...], list[Run]]
"""By (set, alpha, delta, images): the run of each seed."""


def main(stores: list[str]) -> None:
    for store in stores:
        collect(Path(store), RESULTS, "law/small")
    print(table(), thresholds(), sep="\n\n")


def table() -> str:
    """Write the first table of docs/plan.md."""
    lines = [
        "| set | runs, cells | left in log error | of that from 500 images | with images per label to a power | "
        "of each cell, by the curve of all others | between seeds |", "|---|---|---|---|---|---|---|",
    ]  # fmt: skip
    for data, name in SETS.items():
        own = [runs for each, runs in cells_of(None).items() if each[0] == data]
        left = [in_words(own, free=free) for free in (False, True)]
        lines.append(
            f"| {name} | {sum(map(len, own))}, {len(own)} | {left[0]} | {from_few(own):.0%} | {left[1]} | "
            f"{held_out(own)} | {between_seeds(own)} |"
        )
    return "\n".join(lines)


def held_out(cells: list[list[Run]]) -> str:
    """Give what a curve of all other cells leaves of each cell's log errors, with the interval of cells drawn again."""
    squares = [
        (left_by(fitted([*cells[:number], *cells[number + 1 :]], free=False)[1], cell) ** 2).mean()
        for number, cell in enumerate(cells)
    ]
    rng = np.random.default_rng(0)
    drawn = [np.mean(rng.choice(squares, len(squares))) ** 0.5 for _ in range(DRAWS)]
    low, high = np.quantile(drawn, [0.025, 0.975])
    return f"{np.mean(squares) ** 0.5:.3f} ({low:.3f} to {high:.3f})"


def thresholds() -> str:
    """Write the second table of docs/plan.md: images that an accuracy needs, by alpha."""
    lines = ["| set, training | accuracy | alpha 0 | 5 | 20 | 100 | images rise as (1 + alpha) to the |",
             "|---|---|---|---|---|---|---|"]  # fmt: skip
    for method, way in ((None, "evidence"), (PLAIN_METHOD, "votes as they are")):
        for data, name in SETS.items():
            cells = {each: runs for each, runs in cells_of(method).items() if each[0] == data and each[2] is None}
            for target in TARGETS[data] if cells else ():
                needed = {alpha: needs(cells, alpha, 1 - target) for alpha in (0, 5, 20, 100)}
                told = " | ".join(needed[alpha][0] for alpha in needed)
                lines.append(f"| {name}, {way} | {target:.0%} | {told} | {exponent(cells, 1 - target)} |")
    return "\n".join(lines)


def needs(cells: Cells, alpha: int, error: float) -> tuple[str, float | None]:
    """Say how many images an error needs, between two numbers of images on lines of log by log."""
    own = sorted((each[3], float(np.log([run[2] for run in runs]).mean()))
                 for each, runs in cells.items() if each[1] == alpha)  # fmt: skip
    images, seen = np.log([each[0] for each in own]), np.array([each[1] for each in own])
    reached = np.flatnonzero(seen <= np.log(error))
    if not len(reached):
        return f"> {own[-1][0]:,}", None
    at = int(reached[0])
    if at == 0:
        return f"< {own[0][0]:,}", None
    share = (np.log(error) - seen[at - 1]) / (seen[at] - seen[at - 1])
    found = float(images[at - 1] + share * (images[at] - images[at - 1]))
    return f"{np.exp(found):,.0f}", found


def exponent(cells: Cells, error: float) -> str:
    """Fit images ~ (1 + alpha)^g to what is between two numbers of images, with the interval of seeds drawn again.

    Of two alphas alone nothing is said: a line through two points fits whatever they are.
    """

    def of(some: Cells) -> float | None:
        found = [(np.log(1 + alpha), needs(some, alpha, error)[1]) for alpha in (0, 5, 20, 100)]
        seen = np.array([each for each in found if each[1] is not None], dtype=float)
        return float(np.polyfit(seen[:, 0], seen[:, 1], 1)[0]) if len(seen) > 2 else None

    value, rng = of(cells), np.random.default_rng(0)
    if value is None:
        return "-"
    again = [of({each: [runs[i] for i in rng.integers(0, len(runs), len(runs))] for each, runs in cells.items()})
             for _ in range(DRAWS)]  # fmt: skip
    low, high = np.quantile([each for each in again if each is not None], [0.025, 0.975])
    return f"{value:.2f} ({low:.2f} to {high:.2f})"


def in_words(cells: list[list[Run]], *, free: bool) -> str:
    squares, parameters = fitted(cells, free=free)
    rms = float(squares.mean() ** 0.5)
    rng = np.random.default_rng(0)
    drawn = [fitted([cells[i] for i in rng.integers(0, len(cells), len(cells))], free=free) for _ in range(DRAWS)]
    low, high = np.quantile([each[0].mean() ** 0.5 for each in drawn], [0.025, 0.975])
    return f"{f'{parameters[3]:+.2f}: ' if free else ''}{rms:.3f} ({low:.3f} to {high:.3f})"


def cells_of(method: str | None) -> Cells:
    cells: Cells = {}
    for run in StudyResults.read(RESULTS).runs:
        settings, outcome = run.settings, run.outcome
        if outcome is None or settings.get("method") != method:
            continue
        name = settings["data"], settings["alpha"], settings.get("delta"), settings["train_size"]
        worth = outcome["facts"]["effective_clean_labels"]
        cells.setdefault(name, []).append(
            (worth, settings["train_size"], 1 - outcome["estimates"]["accuracy"]["value"])
        )
    return cells


def from_few(cells: list[list[Run]]) -> float:
    """Give the share of the squares left that the runs with 500 images leave, which are a quarter of all."""
    squares, _ = fitted(cells, free=False)
    few = np.array([run[1] == FEW for cell in cells for run in cell])
    return float(squares[few].sum() / squares.sum())


def fitted(cells: list[list[Run]], *, free: bool) -> tuple[np.ndarray, np.ndarray]:
    """Give the squares of what a curve leaves of each log error, and its parameters; free: with a power of images."""
    runs = [run for cell in cells for run in cell]
    start = [np.log(0.1), np.log(0.5), np.log(min(run[2] for run in runs) / 2), *([0.0] if free else [])]
    found = least_squares(left_by, start, args=(runs,))
    return found.fun**2, np.asarray(found.x)


def left_by(parameters: np.ndarray, runs: list[Run]) -> np.ndarray:
    """Give what a curve leaves of the log errors of runs."""
    size, images, error = np.array(runs).T
    rise = parameters[3] if len(parameters) > 3 else 0.0
    x = np.log(size) + rise * np.log(images / size) - 7
    curve = np.exp(parameters[0] - np.exp(parameters[1]) * x) + np.exp(parameters[2])
    return np.asarray(np.log(curve / np.sqrt(1 + (curve / CHANCE) ** 2)) - np.log(error))


def between_seeds(cells: list[list[Run]]) -> str:
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
