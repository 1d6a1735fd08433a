"""How far does accuracy fall when noise depends on the example, and one T for all is false?

20,000 images of MNIST, 40 % of the labels wrong, about 100,000 images shown, `conv3`. Two kinds of noise: "features"
(rate and direction by the image's pixels, `instance_from_features`), "network" (what a network trained on 300 clean
images confuses, `instance_from_probs`), and, beside each, votes of one T for all examples: the mean T of that very
noise. Training knows the mean T, finds it (`noise="auto"`), or takes labels as they are (averaged weights). The epoch
is chosen by held-out votes; no clean label is used but for the 300, which only make the noise. The fall is the
difference between votes by T and votes by the example, on the same images and seeds.

Needs MNIST (`murk data fetch mnist`, or MURK_DATA). One thread a run, one to two minutes each, 36 runs. Each is kept in
benchmarks/results/instance_noise.json as soon as it is done; called again, only missing ones run.

    python benchmarks/instance_noise.py [--jobs 2] [--seeds 3] [--table]
"""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from cells import command, interval

RESULTS = Path(__file__).parent / "results" / "instance_noise.json"
IMAGES, RATE, CLEAN, EPOCHS = 20_000, 0.4, 300, 6
KINDS = ("features", "network")
BY = ("example", "mean T")
WAYS: dict[str, dict[str, Any]] = {
    "labels as they are": {"method": "averaging"},
    "mean T known": {},
    "noise found": {"noise": "auto"},
}


def train(kind: str, by: str, way: str, seed: int) -> dict[str, Any]:
    """Train once; return accuracies on the 10,000 clean test images."""
    import torch

    import murk
    from murk.noise import Channel, Votes, instance_from_features, instance_from_probs
    from murk.noise.draws import permutation

    torch.set_num_threads(1)
    mnist = murk.load("mnist")
    order = permutation(seed, "benchmark/images", len(mnist.train))
    examples = mnist.train[np.sort(order[:IMAGES])]
    labels = examples.labels
    if kind == "features":
        noise = instance_from_features(examples.images, labels, RATE, num_classes=10, seed=seed)
    else:
        clean = mnist.train[np.sort(order[IMAGES : IMAGES + CLEAN])]
        weak = murk.fit("conv3", clean, Votes.from_labels(clean.labels, num_classes=10), method="averaging",
                        epochs=20, device="cpu", seed=seed)  # fmt: skip
        noise = instance_from_probs(weak.predict_probs(examples).astype(np.float64), labels, RATE)
    mean = Channel(noise.transition)
    votes = (noise if by == "example" else mean).draw(labels, seed=seed)
    told = {"noise": mean} if way == "mean T known" else WAYS[way]
    fit = murk.fit("conv3", examples, votes, epochs=EPOCHS, device="cpu", seed=seed, **told)
    drawn = votes.batch(np.arange(IMAGES)).labels
    return {
        "kind": kind, "by": by, "way": way, "seed": seed, "selected": fit.evaluate(mnist.test).value,
        "last": fit.at_last_epoch().evaluate(mnist.test).value, "wrong": round(float((drawn != labels).mean()), 4),
        "family": None if fit.found is None else fit.found.family,
    }  # fmt: skip


def summary(runs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Accuracy by the example and by the mean T, and the fall from one to the other over the seeds that both have."""
    rows = []
    for kind in KINDS:
        for way in WAYS:
            found = {by: {run["seed"]: run["selected"] for run in runs
                          if (run["kind"], run["by"], run["way"]) == (kind, by, way)} for by in BY}  # fmt: skip
            common = sorted(found["example"].keys() & found["mean T"].keys())
            row: dict[str, Any] = {"kind": kind, "way": way, "n": len(common)}
            if len(common) > 1:
                row |= {by: interval(values[seed] for seed in common) for by, values in found.items()}
                falls = np.array([found["mean T"][seed] - found["example"][seed] for seed in common])
                row["fall"] = {"mean": round(float(falls.mean()), 5), "sd": round(float(falls.std(ddof=1)), 5)}
            rows.append(row)
    return rows


def table(result: dict[str, Any]) -> str:
    """The rows as those of a page."""
    lines = ["| noise by | training | right, votes by T | right, votes by the example | fall | seeds |",
             "|---|---|---|---|---|---|"]  # fmt: skip
    for row in result["rows"]:
        by_t, by_example = (
            [run["selected"] for run in result["runs"]
             if (run["kind"], run["by"], run["way"]) == (row["kind"], by, row["way"])] for by in ("mean T", "example")
        )  # fmt: skip
        if row["n"]:
            fall = np.mean(by_t) - np.mean(by_example)
            spread = f" (sd {100 * row['fall']['sd']:.1f})" if "fall" in row else ""
            lines.append(f"| {row['kind']} | {row['way']} | {np.mean(by_t):.1%} | {np.mean(by_example):.1%} | "
                         f"{100 * fall:.1f} points{spread} | {row['n']} |")  # fmt: skip
    return "\n".join(lines)


if __name__ == "__main__":
    command(
        __doc__, script=__file__, results=RESULTS, names=("kind", "by", "way", "seed"), train=train, summary=summary,
        table=table,
        cells=lambda seeds: [(*rest, seed) for seed, *rest in product(range(seeds), KINDS, BY, WAYS)],
    )  # fmt: skip
