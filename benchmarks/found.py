"""Queries and what is found for them, without noise and at alpha = 20: the pictures of docs/retrieval.md.

The runs are the first of `murk reproduce retrieval` (split 0, seed 0), trained again: normalised softmax on pairs at
alpha 0 and 20, and on independent votes at 20. Queries are the first test images of each searched class; nothing is
picked by how it looks.

Needs MNIST and Fashion-MNIST (`murk data fetch NAME`, or MURK_DATA). Two cores: five minutes.

    python benchmarks/found.py
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from murk.lab import read_settings, resolve
from murk.lab.compute import prepared
from murk.lab.data_facts import dataset_of
from murk.lab.resolve import train_settings
from murk.lab.run import run_training
from murk.lab.searched import measure_search, parted
from murk.measure import nearest_neighbours
from murk.paper import COMPARISONS, size_named
from murk.paper.methods import SETS
from murk.show import draw_neighbours

PICTURES = Path(__file__).parents[1] / "docs" / "pictures" / "retrieval"
SEARCHES = {
    "plain training, no noise": ("normalised softmax, pairs", 0),
    "plain training, alpha 20": ("normalised softmax, pairs", 20),
    "evidence, alpha 20": ("normalised softmax, evidence (independent)", 20),
}
A_CLASS, FOUND = 2, 6


def main() -> None:
    cells = list(COMPARISONS["retrieval"].cells(size_named("small"), ()))
    for data, name in SETS.items():
        own = {(cell.series, cell.x): cell.setting for cell in reversed(cells) if cell.panel == name}
        if not own:
            continue
        searches = {}
        for title, key in SEARCHES.items():
            (setting,) = read_settings([{**own[key], "seed": 0}])
            resolved = resolve(setting, device="cpu")
            dataset, mixed = prepared(resolved)
            run = run_training(dataset, mixed, settings=train_settings(resolved), described={}, device="cpu",
                               last_checkpoint=False, data={})  # fmt: skip
            unseen = parted(dataset_of(resolved["data"]), resolved["searched"])[1]
            queries = np.concatenate([np.flatnonzero(unseen.labels == k)[:A_CLASS] for k in resolved["searched"]])
            searches[title] = nearest_neighbours(run.fit.embed(unseen), count=FOUND)[0][queries]
            print(name, title, measure_search(run.fit, unseen, device="cpu")["map_at_r"], flush=True)
        path = PICTURES / f"found_{data}.png"
        draw_neighbours(unseen, queries, searches).save(path, optimize=True)
        print(path.relative_to(PICTURES.parents[2]))


if __name__ == "__main__":
    main()
