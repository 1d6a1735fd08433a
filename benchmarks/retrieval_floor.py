"""What does searching reach without any training? The floor of `murk reproduce retrieval`, run by run.

The same searched classes and test images as each of its runs: by pixels as they are, and by the embedding of the same
network as it is before the first step. Needs MNIST and Fashion-MNIST (`murk data fetch NAME`, or MURK_DATA). One core:
five minutes. Written to results/retrieval_floor.json.

    python benchmarks/retrieval_floor.py
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from machine import machine
from murk.lab import read_settings, resolve
from murk.lab.compute import prepared
from murk.lab.data_facts import dataset_of
from murk.lab.searched import parted
from murk.learn.fit import fit_of
from murk.learn.setting_up import training_of
from murk.measure import retrieval
from murk.models import build
from murk.paper import COMPARISONS, size_named
from murk.paper.methods import SETS
from murk.paper.retrieval import MEASURES, SPLITS

RESULTS = Path(__file__).parent / "results" / "retrieval_floor.json"
WAYS = ("pixels", "untrained network")
SEEDS = 3


def main() -> None:
    cells = list(COMPARISONS["retrieval"].cells(size_named("small"), ()))
    runs = []
    for name in SETS.values():
        own = [cell.setting for cell in cells if cell.panel == name and cell.x == 0]
        for split in range(SPLITS if own else 0):
            setting = next(each for each in own if each["searched"].endswith(f":{split}"))
            for seed in range(SEEDS):
                runs += [
                    {"set": name, "run": split * SEEDS + seed, **row} for row in searched({**setting, "seed": seed})
                ]
                print(runs[-2:], flush=True)
                RESULTS.write_text(json.dumps({"machine": machine(), "runs": runs}, indent=1) + "\n")


def searched(setting: dict[str, Any]) -> list[dict[str, Any]]:
    """Search among the unseen classes' test images, by pixels and by the network that training would begin with."""
    resolved = resolve(read_settings([setting])[0], device="cpu")
    dataset, mixed = prepared(resolved)
    unseen = parted(dataset_of(resolved["data"]), resolved["searched"])[1]
    network = build(
        resolved["model"], example_shape=dataset.train.example_shape, num_classes=dataset.num_classes,
        seed=resolved["seed"], width=resolved["width"], embedding=resolved["embedding"],
    )  # fmt: skip
    training = training_of(network, dataset.train, mixed.votes, loss="pairs", device="cpu", seed=resolved["seed"])
    before = fit_of(training, dataset.train, None)
    rows = []
    for way, table in zip(WAYS, (unseen.images.reshape(len(unseen), -1), before.embed(unseen)), strict=True):
        found = retrieval(table, unseen.labels)
        rows.append(
            {"way": way, **{name: round(getattr(found, name).value, 5) for name in MEASURES if name != "accuracy"}}
        )
    return rows


if __name__ == "__main__":
    main()
