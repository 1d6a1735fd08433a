"""What accuracy do diluted MNIST labels reach, with no clean label used anywhere?

Four settings (structured noise ranks the false classes at random), three seeds, each trained three ways: by exact
dilution (exactly one vote of an image is right, which only a simulation knows), as independent votes, and as these with
two views of each image held against each other (consistency 1; with few images only). The model is `conv3` and
everything else `murk.fit`'s one default rule. Each seed draws its own images, votes, initial weights and order. A tenth
of the images is held out, and their votes alone choose the epoch; the last epoch and the best one on the clean test set
stand beside it, the latter only to show what choosing by it would have claimed. Test accuracy is never used for
anything else here. (Before, it was looked at when the layers of `conv3` were picked among five variants: BatchNorm won
about two points in short trainings at alpha 100, the widths differed less than seeds do. The recipe was settled on the
last 10,000 training images with votes of other seeds.)

Needs MNIST (`murk data fetch mnist`, or MURK_DATA). Two cores, two runs at a time of one thread each: about 50 minutes.
Every run is kept in benchmarks/results/mnist.json as soon as it is done; called again, only missing ones run.

    python benchmarks/mnist.py [--jobs 2] [--seeds 3]
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np

from cells import command, interval

RESULTS = Path(__file__).parent / "results" / "mnist.json"
SETTINGS: dict[str, dict[str, Any]] = {
    "60,000 images, alpha 100": {"images": 60_000, "alpha": 100, "delta": 0.0, "bar": 0.978, "reach": 0.984,
                                 "paper": "91 % [recalled], above 90 % [read]"},
    "2,000 images, alpha 10": {"images": 2_000, "alpha": 10, "delta": 0.0, "bar": 0.965, "reach": 0.977,
                               "paper": "about 90 % [recalled]"},
    "10,000 images, alpha 50": {"images": 10_000, "alpha": 50, "delta": 0.0, "bar": 0.950, "reach": 0.965,
                                "paper": "about 90 % [recalled]"},
    "60,000 images, alpha 20, structured delta 1": {"images": 60_000, "alpha": 20, "delta": 1.0, "bar": 0.988,
                                                    "reach": 0.992, "paper": "about 50 % [read]"},
}  # fmt: skip
WEIGHINGS = ("exact", "independent", "two views")
MOST_IMAGES_FOR_TWO_VIEWS = 10_000


def train(setting: str, weighing: str, seed: int) -> dict[str, Any]:
    """Train once; return accuracies on the 10,000 clean test images and how the run went."""
    import torch

    import murk
    from murk.noise import Structured, random_ranking
    from murk.noise.draws import permutation

    torch.set_num_threads(1)
    what = SETTINGS[setting]
    mnist = murk.load("mnist")
    chosen = np.sort(permutation(seed, "benchmark/images", len(mnist.train))[: what["images"]])
    images = mnist.train[chosen]
    pattern = Structured(what["delta"], random_ranking(10, seed=seed)) if what["delta"] else None
    noise = murk.Dilution(what["alpha"], num_classes=10, pattern=pattern)
    votes = noise.draw(images.labels, seed=seed)
    by_epoch: list[float] = []

    def watch(progress: Any) -> None:
        if progress.epoch is not None:
            parts = torch.from_numpy(np.array(mnist.test.images)).split(1000)
            predicted = torch.cat([progress.predict(part).argmax(1) for part in parts]).numpy()
            by_epoch.append(float((predicted == mnist.test.labels).mean()))

    started = time.perf_counter()
    weigh = noise if weighing == "exact" else noise.independent()
    consistency = 1.0 if weighing == "two views" else None
    fit = murk.fit(
        "conv3", images, votes, noise=weigh, consistency=consistency, device="cpu", seed=seed, callbacks=[watch]
    )
    return {
        "setting": setting, "weighing": weighing, "seed": seed,
        "selected": fit.evaluate(mnist.test).value, "last": by_epoch[-1], "best_on_test": max(by_epoch),
        "selected_epoch": fit.selected_epoch, "epochs": fit.recipe.epochs, "batch_size": fit.recipe.batch_size,
        "learning_rate": fit.recipe.learning_rate, "weight_decay": fit.recipe.weight_decay,
        "by_epoch": [round(value, 4) for value in by_epoch],
        "effective_clean_labels": round(murk.effective_clean_labels(votes, noise), 1),
        "seconds": round(time.perf_counter() - started, 1),
    }  # fmt: skip


def ways_of(setting: str) -> list[str]:
    """The trainings of a setting."""
    few = SETTINGS[setting]["images"] <= MOST_IMAGES_FOR_TWO_VIEWS
    return [weighing for weighing in WEIGHINGS if weighing != "two views" or few]


def summary(runs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Mean over seeds with its 95 % t-interval, per setting and weighing."""
    rows = []
    for setting, what in SETTINGS.items():
        for weighing in ways_of(setting):
            found = [run for run in runs if run["setting"] == setting and run["weighing"] == weighing]
            row: dict[str, Any] = {"setting": setting, "weighing": weighing, "n": len(found), **what}
            for name in ("selected", "last", "best_on_test"):
                values = np.array([run[name] for run in found])
                if len(values) > 1:
                    row[name] = interval(values)
            rows.append(row)
    return rows


if __name__ == "__main__":
    command(
        __doc__, script=__file__, results=RESULTS, names=("setting", "weighing", "seed"), train=train, summary=summary,
        cells=lambda seeds: [
            (setting, way, seed) for seed in range(seeds) for setting in SETTINGS for way in ways_of(setting)
        ],
    )  # fmt: skip
