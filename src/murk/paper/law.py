"""The law: does accuracy depend on how many clean labels the votes are worth, whatever images and noise they are of?

Shown: test accuracy against n_eff, the votes' information in clean labels, for several numbers of images and noises.
Command: murk reproduce law
Time: size small, some 2 hours of one core (x86 with bfloat16, one thread a run).
The hypothesis of `murk.plan`: all points of a set fall on one falling curve of the error. What each noise is worth is
computed from the noise alone, not fitted. "Votes as they are" trains without evidence, for which nothing is promised.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np

from murk.measure import effective_clean_labels
from murk.noise import Dilution, Structured, random_ranking
from murk.paper.figure import Axis, Cell, Figure
from murk.paper.methods import SETS
from murk.paper.sizes import Size

__all__ = ["FIGURE", "NOISES", "PLAIN", "worth_of_an_image"]

NOISES: dict[str, dict[str, Any]] = {
    "α 0": {"alpha": 0},
    "α 5": {"alpha": 5},
    "α 20": {"alpha": 20},
    "α 100": {"alpha": 100},
    "α 5, δ .5": {"alpha": 5, "delta": 0.5, "ranking": "random:0"},
    "α 20, δ .5": {"alpha": 20, "delta": 0.5, "ranking": "random:0"},
}
PLAIN = "votes as they are"
COUNTS = {"smoke": (100, 300), "small": (500, 2000, 8000, 30_000), "full": (500, 2000, 8000, 30_000, 60_000)}
SEEDS = {"smoke": 1, "small": 2, "full": 3}
CLASSES, DRAWN = 10, 20_000


@cache
def worth_of_an_image(noise: str) -> float:
    """Give how many clean labels an image's votes are worth under a noise of `NOISES`, by 20,000 images drawn once."""
    told = NOISES[noise]
    structured = "delta" in told
    ranking = random_ranking(CLASSES, seed=int(told["ranking"].split(":")[1])) if structured else None
    pattern = {"pattern": Structured(told["delta"], ranking)} if ranking is not None else {}
    model = Dilution(told["alpha"], num_classes=CLASSES, **pattern)
    return effective_clean_labels(model.draw(np.arange(DRAWN) % CLASSES, seed=0), model) / DRAWN


def cells(size: Size, _: Any) -> Iterator[Cell]:
    """Every number of images with every noise on each set, by evidence; on the first with votes as they are, too."""
    small = size.name == "smoke"
    how: dict[str, Any] = {"model": "conv3", "width": 32 if size.name == "full" else 16}
    if small:
        how = {"model": "conv2", "width": 4, "dropout": 0.0, "test_size": 200, "passes": 1000}
    for plain in (False, True):
        for data in ("digits",) if small else ("mnist",) if plain else ("mnist", "fashion-mnist"):
            for noise in list(NOISES)[:2] if small else NOISES:
                if plain and "δ" in noise:
                    continue
                for count in COUNTS[size.name]:
                    way = {"method": "averaging", "weigh_as": "untold"} if plain else {"weigh_as": "given"}
                    panel = f"{SETS[data]}{', ' + PLAIN if plain else ''}"
                    yield Cell(
                        panel, noise, round(count * worth_of_an_image(noise), 1),
                        {"data": data, "train_size": count, **how, **NOISES[noise], **way}, SEEDS[size.name],
                    )  # fmt: skip


FIGURE = Figure(
    "law", "Accuracy against effective clean labels",
    "Test accuracy against what the votes are worth in clean labels, each image with one right label and α random "
    "ones; several numbers of images at each noise.",
    "murk's own hypothesis: on each set the points of evidence training fall on one curve.",
    Axis("Effective clean labels", "log"), cells, note=lambda size: "",
)  # fmt: skip
