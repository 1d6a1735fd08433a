"""The demo's page and files: the picture, the numbers and the settings, made from the rows of a result."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from murk.files import csv_text, replace_file
from murk.measure import Estimate
from murk.show.accuracy_by_alpha import chart_accuracy_by_alpha, draw_accuracy_by_alpha
from murk.show.blocks import Column, Download, Facts, Figure, Prose, Table
from murk.show.page import Page
from murk.show.palette import SERIES

__all__ = ["DemoResult", "demo_csv", "demo_page", "write_demo"]

Row = Mapping[str, Any]

CHANCE = 0.1
METHOD = """Each of the training digits keeps its right label and gets α random ones beside it, drawn evenly from the
ten classes; which of the 1 + α labels is the right one, nobody tells. All trainings share one network, one budget, one
augmentation. They differ only in how they read the labels.

Ordinary training takes one of an image's labels at random on each visit and believes it (cross-entropy). Evidence
training maximises the likelihood of all of an image's labels at once, under a model of how they came about. Exact
dilution knows that exactly one of them is right, which only a simulation can know; independent votes knows the noise
rate alone, as real life might. Clean labels are the true ones, with cross-entropy: what could be had without noise.

The epoch is chosen by the labels of digits held out from training, as noisy as the others: no clean label of a test
digit chooses anything, and the number of epochs was settled beforehand on a part of the training digits. The clean
test labels are used for one thing, the accuracies shown here.

A bar is an interval of the mean over runs (Student t), which differ in the draw of the labels, the initial weights
and the order. It does not cover the choice of the test digits, the same in every run; the interval that does (exact
binomial, of the mean count right among them) stands in demo.csv as over_digits. Where all labels are right (α = 0) the
ways to train are the same training and share their runs."""
WORTH = """Worth, in right labels: how much the labels of all training digits tell about their classes, counted in
clean labels under exact dilution, which knows most."""
CSV_COLUMNS = (
    "method", "alpha", "noise_rate", "num_labels", "effective_clean_labels", "n_seeds", "accuracy", "accuracy_low",
    "accuracy_high", "over_digits_low", "over_digits_high", "last", "last_low", "last_high",
)  # fmt: skip


@dataclass(frozen=True)
class DemoResult:
    """What a demo found, as plain values that JSON holds.

    Attributes:
        rows: as `DemoRow.to_dict` gives them.
        settings: name and value.
        machine: name and value.
    """

    rows: Sequence[Row]
    settings: Mapping[str, Any]
    machine: Mapping[str, Any]


def write_demo(folder: str | Path, result: DemoResult) -> Path:
    """Write demo.svg, demo.png, demo.csv, demo.html and result.json, each whole or not at all; return the page's path.

    `result.json` is written last: a folder that has one is whole.

    Raises:
        DataError: the folder cannot be written.
    """
    folder = Path(folder)
    contents = {
        "demo.svg": _picture(result.rows, "svg"),
        "demo.png": _picture(result.rows, "png"),
        "demo.csv": demo_csv(result.rows).encode(),
        "demo.html": demo_page(result).html().encode(),
        "result.json": _json(result).encode(),
    }
    for name, content in contents.items():
        replace_file(folder / name, content)
    return folder / "demo.html"


def demo_page(result: DemoResult) -> Page:
    """Build the demo's page."""
    rows = result.rows
    runs = rows[0]["n_seeds"]
    return Page(
        "murk demo",
        "How does accuracy hold while right labels drown?",
        _answer(rows),
        [
            Figure(
                chart_accuracy_by_alpha(rows), description=_description(rows), name="demo",
                caption=f"Handwritten digits, {runs} runs a point. The horizontal scale is logarithmic in 1 + α, and "
                "points of one α stand a little apart. Hover for values; click a name in the legend to single it out.",
            ),
            _table(rows),
            Prose(METHOD, "Method"),
            Facts(result.settings, "Settings"),
            Facts(result.machine, "Machine"),
            Download("demo.csv", demo_csv(rows), label="demo.csv: all numbers, unrounded", heading="Numbers"),
            Download("result.json", _json(result), "application/json", "result.json: the same with every run"),
        ],
    )  # fmt: skip


def demo_csv(rows: Sequence[Row]) -> str:
    """Write a line a row, unrounded, under the names of `CSV_COLUMNS`."""
    return csv_text(CSV_COLUMNS, [
        [row["method"], row["alpha"], row["noise_rate"], row["num_labels"], row["effective_clean_labels"],
         row["n_seeds"], *(row["accuracy"][end] for end in ("value", "low", "high")),
         *(row["accuracy_over_digits"][end] for end in ("low", "high")),
         *(row["last"][end] for end in ("value", "low", "high"))]
        for row in rows
    ])  # fmt: skip


def _answer(rows: Sequence[Row]) -> str:
    """Say it for the middle and the highest noise level."""
    noisy = sorted({row["alpha"] for row in rows if row["alpha"] > 0}) or [0]
    middle, highest = noisy[(len(noisy) - 1) // 2], noisy[-1]
    sentences = [
        f"With {middle} random {'label' if middle == 1 else 'labels'} beside each right one, evidence training gets "
        f"{_reached(rows, 'evidence', middle)} of the test digits right, ordinary training "
        f"{_reached(rows, 'plain', middle)}."
    ]
    if highest != middle:
        sentences.append(
            f"With {highest}, {_reached(rows, 'evidence', highest)} against {_reached(rows, 'plain', highest)}."
        )
    known = " and ".join(_reached(rows, "evidence-independent", alpha) for alpha in dict.fromkeys((middle, highest)))
    sentences.append(f"Where only the noise rate is known, evidence gets {known}; clean labels get "
                     f"{_reached(rows, 'clean', middle)}.")  # fmt: skip
    return " ".join(sentences)


def _reached(rows: Sequence[Row], method: str, alpha: int) -> str:
    return _share(_find(rows, method, alpha)["accuracy"])


def _share(accuracy: Mapping[str, float]) -> str:
    return f"{accuracy['value']:.0%} ({100 * accuracy['low']:.0f} to {100 * accuracy['high']:.0f})"


def _find(rows: Sequence[Row], method: str, alpha: int) -> Row:
    return next(row for row in rows if (row["method"], row["alpha"]) == (method, alpha))


def _table(rows: Sequence[Row]) -> Table:
    alphas, methods = sorted({row["alpha"] for row in rows}), list(SERIES)
    body = [
        [
            alpha, _find(rows, "evidence", alpha)["noise_rate"],
            _find(rows, "evidence", alpha)["effective_clean_labels"],
            *(Estimate(**_find(rows, method, alpha)["accuracy"]) for method in methods),
        ]
        for alpha in alphas
    ]  # fmt: skip
    columns = [Column("α", "d"), Column("Labels wrong", ".1%"), Column("Worth, in right labels", ",.0f"),
               *(Column(SERIES[method].name, ".1%") for method in methods)]  # fmt: skip
    runs = rows[0]["n_seeds"]
    caption = (
        f"Accuracy on the clean test digits at the epoch that held-out noisy labels chose: mean of n = {runs} runs, "
        f"with the {100 * rows[0]['accuracy']['confidence_level']:g}% interval over runs. {WORTH}"
    )
    return Table(
        columns, body, name="accuracy-table", heading="Accuracy by noise level", caption=" ".join(caption.split())
    )


def _description(rows: Sequence[Row]) -> str:
    alphas = sorted({row["alpha"] for row in rows})
    return (
        f"Line chart of test accuracy against the number of random labels per right one, from {alphas[0]} to "
        f"{alphas[-1]}, for {len(SERIES)} ways to train, with intervals. {_answer(rows)}"
    )


def _picture(rows: Sequence[Row], kind: str) -> bytes:
    import matplotlib
    from matplotlib.figure import Figure as Canvas

    canvas = Canvas(figsize=(7.2, 4.6), layout="constrained")
    draw_accuracy_by_alpha(rows, canvas.subplots(), chance=CHANCE)
    file = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "murk", "svg.fonttype": "none"}):
        canvas.savefig(file, format=kind, dpi=160, metadata={"Date": None} if kind == "svg" else None)
    return file.getvalue()


def _json(result: DemoResult) -> str:
    document = {"rows": list(result.rows), "settings": dict(result.settings), "machine": dict(result.machine)}
    return json.dumps(document, indent=1, allow_nan=False) + "\n"
