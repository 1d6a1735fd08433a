"""How much of a batch's size noise takes away, through training: measured, beside the law at uniform predictions.

An MLP (mlp1) and a narrow ConvNet without dropout (conv2, 8 channels) on 20,000 MNIST images, alpha random labels
beside each right one, once a vote at a time (pairs), once all of an image's votes at once (soft labels). Each trains on
that very loss; before it, and when a tenth, three tenths and all of 60,000 passes are done, the noise scale S / |G|^2
of 4,096 examples' gradients is measured under its
noise and under the right labels, at the same (averaged) weights. Their ratio is the part of a batch that the noise
leaves, which the law says is (1 + alpha)^-2 for pairs and (1 + alpha)^-1 for votes counted together: once of gradients
as they are, once of what the votes alone say (as if predictions were still alike, `uninformed`).

Written to results/gradient_noise.json, training by training: stopped, it goes on. One core: forty minutes.

    MURK_DATA=FOLDER python benchmarks/gradient_noise.py            python benchmarks/gradient_noise.py --table
"""

from __future__ import annotations

import copy
import itertools
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

import murk
from machine import machine
from murk.learn.gradient_noise import gradient_noise
from murk.learn.progress import Progress
from murk.models import build

RESULTS = Path(__file__).parent / "results" / "gradient_noise.json"
IMAGES, EPOCHS, BATCH = 20_000, 3, 128
ALPHAS, SHARES = (5, 20, 100), (0.0, 0.1, 0.3, 1.0)
BUILT: dict[str, dict[str, Any]] = {"mlp1": {}, "conv2": {"width": 8, "dropout": 0.0}}
LAWS = {"pairs": -2, "soft-labels": -1}
NAMED = {"pairs": "a vote at a time", "soft-labels": "all votes at once"}


def main(arguments: list[str]) -> None:
    rows = json.loads(RESULTS.read_text())["rows"] if RESULTS.exists() else []
    if "--table" not in arguments:
        torch.set_num_threads(1)
        done = {(row["model"], row["loss"], row["alpha"]) for row in rows}
        for case in itertools.product(BUILT, LAWS, ALPHAS):
            if case not in done:
                rows += through(*case)
                RESULTS.write_text(json.dumps({"machine": machine(), "rows": rows}, indent=1) + "\n")
    print(table(rows))


def through(model: str, loss: str, alpha: int) -> list[dict[str, Any]]:
    """Train, and measure on the way."""
    data = murk.load("mnist")
    images = data.train[:IMAGES]
    noise, clean = (murk.Dilution(each, num_classes=10) for each in (alpha, 0))
    votes, right = noise.draw(images.labels, seed=0), clean.draw(images.labels, seed=0)
    network = build(model, example_shape=images.example_shape, num_classes=10, seed=0, **BUILT[model])
    states: dict[float, tuple[nn.Module, float | None]] = {0.0: (network, None)}

    def keep(progress: Progress) -> None:
        for share in SHARES:
            if share not in states and progress.step >= share * progress.steps:
                right = progress.predict(torch.from_numpy(data.test.images)).argmax(1).numpy() == data.test.labels
                states[share] = copy.deepcopy(progress.model), float(right.mean())

    murk.fit(
        network, images, votes, noise=noise, loss=loss, held_out=0.0, epochs=EPOCHS, batch_size=BATCH, augment="none",
        callbacks=[keep], seed=0,
    )  # fmt: skip
    rows = []
    for share, (state, accuracy) in states.items():
        scales = {
            f"{name}{' uninformed' if uninformed else ''}": finite(gradient_noise(
                state, images, own, noise=by, loss=each, uninformed=uninformed, seed=0
            ).scale)
            for name, own, by, each in (("noisy", votes, noise, loss), ("clean", right, clean, "pairs"))
            for uninformed in (False, True)
        }  # fmt: skip
        row = {"model": model, "loss": loss, "alpha": alpha, "share": share, "accuracy": accuracy, **scales}
        print(row, flush=True)
        rows.append(row)
    return rows


def finite(scale: murk.measure.Estimate) -> list[float | None]:
    return [each if np.isfinite(each) else None for each in (scale.value, scale.low, scale.high)]


def table(rows: list[dict[str, Any]]) -> str:
    """Write the table of docs/training.md."""
    lines = [
        "| network, loss | alpha | law | gradients | before | a tenth | three tenths | at the end |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for model in BUILT:
        for loss, power in LAWS.items():
            for alpha in ALPHAS:
                own = [row for row in rows if (row["model"], row["loss"], row["alpha"]) == (model, loss, alpha)]
                if not own:  # has not run yet
                    continue
                for name, kind in (("", "as they are"), (" uninformed", "of votes alone")):
                    told = " | ".join(left(row[f"noisy{name}"], row[f"clean{name}"]) for row in own)
                    lines.append(
                        f"| {model}, {NAMED[loss]} | {alpha} | 1/{(1 + alpha) ** -power:,} | {kind} | {told} |"
                    )
    return "\n".join(lines)


def left(noisy: list[float | None], clean: list[float | None]) -> str:
    """Say which part of a batch is left, with the interval of the noisy scale."""
    assert clean[0] is not None
    value, low, high = (np.inf if each is None else each / clean[0] for each in noisy)
    ends = f"{rounded(low)} to {rounded(high) if np.isfinite(high) else 'any'}"
    return f"1/{rounded(value)} ({ends})" if np.isfinite(value) else f"- ({ends})"


def rounded(number: float) -> str:
    return f"{number:,.0f}" if number >= 10 else f"{number:.1f}"


if __name__ == "__main__":
    main(sys.argv[1:])
