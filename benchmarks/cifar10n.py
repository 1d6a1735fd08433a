"""What does `fit(noise="auto")` reach on CIFAR-10 with labels that people gave, and no clean one?

CIFAR-10N (Wei et al. 2022, arXiv 2110.12088): all 50,000 training images, labelled by people. "worst": of three labels
a wrong one wherever there is one, 40 % wrong; "random": the first of the three, 17 %; "aggregate": their majority, 9 %.
ResNet-18, 40 epochs, the default rule; a tenth of the images is held out and their labels choose the epoch. Ways:
labels as they are with averaged weights, the noise found, and the noise found with two views of each image that are to
agree. The last epoch stands beside the selected one; clean labels only measure.

Needs CIFAR-10 (`murk data fetch cifar10`, or MURK_DATA) and, in the folder that MURK_DATA names, cifar10n.npz: the
arrays of the authors' CIFAR-10_human.pt, as `numpy.savez` writes them. Two to five minutes a run on an H100, a day on
two cores. Each run is kept in benchmarks/results/cifar10n.json as soon as it is done.

    python benchmarks/cifar10n.py [--jobs 2] [--seeds 1] [--table]
"""

from __future__ import annotations

import os
import time
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from cells import command, interval
from machine import machine

RESULTS = Path(__file__).parent / "results" / "cifar10n.json"
EPOCHS = 40
LABELS = {"worst": "worse_label", "random": "random_label1", "aggregate": "aggre_label"}
WAYS: dict[str, dict[str, Any]] = {
    "noise found, two views": {"noise": "auto", "consistency": 1.0},
    "noise found": {"noise": "auto"},
    "labels as they are": {"method": "averaging"},
}


def train(labels: str, way: str, seed: int) -> dict[str, Any]:
    """Train once; return accuracies on the 10,000 clean test images, and how wrong the labels are found to be."""
    import torch

    import murk
    from murk.noise import Votes

    torch.set_num_threads(1)
    cifar = murk.load("cifar10")
    given = np.load(Path(os.environ["MURK_DATA"]) / "cifar10n.npz")[LABELS[labels]].astype(np.int64)
    votes = Votes.from_labels(given, num_classes=10)
    started = time.perf_counter()
    fit = murk.fit("resnet18", cifar.train, votes, epochs=EPOCHS, seed=seed, **WAYS[way])
    found = None if fit.found is None else fit.found.noise_rate.to_dict()
    return {
        "labels": labels, "way": way, "seed": seed, "selected": fit.evaluate(cifar.test).value,
        "last": fit.at_last_epoch().evaluate(cifar.test).value, "selected_epoch": fit.selected_epoch,
        "wrong": round(float((given != cifar.train.labels).mean()), 4), "wrong_found": found,
        "family": None if fit.found is None else fit.found.family,
        "gpus": machine()["gpus"], "seconds": round(time.perf_counter() - started, 1),
    }  # fmt: skip


def summary(runs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Mean over seeds for each labels and way, with its 95 % t-interval from two seeds on."""
    rows = []
    for labels, way in product(LABELS, WAYS):
        found = [run for run in runs if (run["labels"], run["way"]) == (labels, way)]
        if found:
            row: dict[str, Any] = {"labels": labels, "way": way, "n": len(found)}
            row |= {name: interval(run[name] for run in found) if len(found) > 1 else {"mean": found[0][name]}
                    for name in ("selected", "last")}  # fmt: skip
            rows.append(row)
    return rows


def table(result: dict[str, Any]) -> str:
    """The rows as those of a page."""
    lines = ["| labels | training | right, selected | last epoch | seeds |", "|---|---|---|---|---|"]
    for row in result["rows"]:
        spread = f" ({row['selected']['low']:.1%} to {row['selected']['high']:.1%})" if row["n"] > 1 else ""
        lines.append(f"| {row['labels']} | {row['way']} | {row['selected']['mean']:.1%}{spread} | "
                     f"{row['last']['mean']:.1%} | {row['n']} |")  # fmt: skip
    return "\n".join(lines)


if __name__ == "__main__":
    command(
        __doc__, script=__file__, results=RESULTS, names=("labels", "way", "seed"), train=train, summary=summary,
        table=table, cells=lambda seeds: list(product(LABELS, WAYS, range(seeds))),
    )  # fmt: skip
