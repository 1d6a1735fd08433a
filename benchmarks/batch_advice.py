"""Is the advised batch and rate as good as the best of a grid, and how far are the usual ones from it?

An MLP (mlp1) on MNIST, a vote at a time (pairs) with alpha = 20 and 100: batches of 64, 256, 1,024 and 4,096 by rates
of .0002, .0006, .002 and .006, each once; then the grid's best by clean labels, the advice, and the rule for all noise
levels, each with five fresh seeds (new votes, weights and order). The advice sees noisy votes alone. Then the advice
beside the rule, three seeds each, where all votes of an image are read at once (evidence): the same MLP, and a ConvNet
(conv2) on 20,000 images. With evidence the advice is no rate below the rule's; why, the last table shows: what lower
rates, as the noise before the first step would call for, came to, and what held-out votes say of the ConvNet's on
Fashion-MNIST (20,000 images, two seeds).

Written to results/batch_advice.json, run by run: stopped, it goes on. One core: an hour and a quarter.

    MURK_DATA=FOLDER python benchmarks/batch_advice.py            python benchmarks/batch_advice.py --table
"""

from __future__ import annotations

import itertools
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.stats import t as student

import murk
from machine import machine
from murk.data import Examples
from murk.noise import Dilution, Votes
from murk.plan import BatchAdvice, batch_advice

RESULTS = Path(__file__).parent / "results" / "batch_advice.json"
BATCHES, RATES = (64, 256, 1024, 4096), (0.0002, 0.0006, 0.002, 0.006)
FRESH = {"pairs": (1, 2, 3, 4, 5), "evidence": (1, 2, 3)}
CASES = (("mlp1", 60_000, "pairs"), ("mlp1", 60_000, "evidence"), ("conv2", 20_000, "evidence"))
ALPHAS = (20, 100)
NAMED = {"pairs": "a vote at a time", "evidence": "evidence"}
LOWER = {("mlp1", 60_000, 100): (512, 0.00091), ("conv2", 20_000, 20): (256, 0.0007),
         ("conv2", 20_000, 100): (256, 0.00033)}  # fmt: skip
HELD_OUT_SEEDS = (0, 1)


def main(arguments: list[str]) -> None:
    if "--table" not in arguments:
        torch.set_num_threads(1)
        told = Told.read()
        done, told.rows = told.rows, []
        for number, (case, alpha) in enumerate(itertools.product(CASES, ALPHAS)):
            told.rows.append(of(told, *case, alpha))
            told.write(also=done[number + 1 :])
        for (model, images, alpha), lower in LOWER.items():
            lowered(told, model, images, alpha, lower)
    print(table(Told.read().rows), lower_rates(Told.read()), sep="\n\n")


@dataclass
class Told:
    """What has run so far: accuracies and held-out losses by what was trained how, and rows of the table."""

    runs: dict[str, float]
    rows: list[dict[str, Any]]
    held_out: dict[str, float]

    @classmethod
    def read(cls) -> Told:
        written = json.loads(RESULTS.read_text()) if RESULTS.exists() else {"runs": {}, "rows": []}
        return cls(written["runs"], written["rows"], written.get("held_out", {}))

    def write(self, also: Sequence[dict[str, Any]] = ()) -> None:
        told = {"machine": machine(), "rows": [*self.rows, *also], "runs": self.runs, "held_out": self.held_out}
        RESULTS.write_text(json.dumps(told, indent=1) + "\n")

    def accuracy(
        self, model: str, images: int, loss: str, alpha: int, settings: tuple[Any, Any], *, seed: int
    ) -> float:
        """Train, and measure the epoch that held-out votes chose on the clean test images."""
        name = f"{model}, {images} images, {loss}, alpha {alpha}, batch {settings[0]}, rate {settings[1]}, seed {seed}"
        if name not in self.runs:
            noise, data = Dilution(alpha, num_classes=10), murk.load("mnist")
            train, votes = drawn(images, noise, seed=seed)
            fit = murk.fit(
                model, train, votes, noise=noise, loss=loss, batch_size=settings[0], learning_rate=settings[1],
                seed=seed,
            )  # fmt: skip
            self.runs[name] = float((fit.predict_probs(data.test).argmax(1) == data.test.labels).mean())
            self.write()
            print(name, self.runs[name], flush=True)
        return self.runs[name]


def lowered(told: Told, model: str, images: int, alpha: int, lower: tuple[int, float]) -> None:
    """Train at a rate below the rule's: on MNIST, and the ConvNet on Fashion-MNIST, for its last held-out loss."""
    for seed in FRESH["evidence"]:
        told.accuracy(model, images, "evidence", alpha, lower, seed=seed)
    data, noise = murk.load("fashion-mnist").train[:images], Dilution(alpha, num_classes=10)
    for seed, rate in itertools.product(HELD_OUT_SEEDS if model == "conv2" else (), (lower[1], None)):
        name = held_out_name(alpha, rate, seed)
        if name not in told.held_out:
            votes = noise.draw(data.labels, seed=seed)
            fit = murk.fit(model, data, votes, noise=noise, batch_size=lower[0], learning_rate=rate, seed=seed)
            loss = fit.history[-1].held_out_loss
            assert loss is not None
            told.held_out[name] = loss
            told.write()
            print(name, loss, flush=True)


def held_out_name(alpha: int, rate: float | None, seed: int) -> str:
    return f"conv2, Fashion-MNIST, alpha {alpha}, rate {rate}, seed {seed}"


def lower_rates(told: Told) -> str:
    """Write the table of docs/training.md on lower rates with evidence."""
    lines = ["| network, alpha | rate | accuracy | the rule's | accuracy | held-out loss less the rule's |",
             "|---|---|---|---|---|---|"]  # fmt: skip
    for (model, images, alpha), lower in LOWER.items():
        case, seeds = (model, images, "evidence", alpha), FRESH["evidence"]
        own, rule = ([told.accuracy(*case, way, seed=seed) for seed in seeds] for way in (lower, (None, None)))
        less = [told.held_out[held_out_name(alpha, lower[1], seed)] - told.held_out[held_out_name(alpha, None, seed)]
                for seed in HELD_OUT_SEEDS if model == "conv2"]  # fmt: skip
        held = ", ".join(f"{each:+.4f}" for each in less) or "-"
        lines.append(f"| {model}, {alpha} | {lower[1]:.2g} | {spread(own)} | 0.002 | {spread(rule)} | {held} |")
    return "\n".join(lines)


def of(told: Told, model: str, images: int, loss: str, alpha: int) -> dict[str, Any]:
    """Look for the best of the grid (for pairs), then hold it, the advice and the rule against each other."""
    noise = Dilution(alpha, num_classes=10)
    train, votes = drawn(images, noise, seed=0)
    advice = batch_advice(model, train, votes, noise=noise, loss=loss, seed=0)
    print(model, loss, alpha, advice.sentence(), flush=True)
    case, ways = (model, images, loss, alpha), {"advice": (advice.batch_size, advice.learning_rate),
                                                "rule": (None, None)}  # fmt: skip
    if loss == "pairs":
        ways["grid"] = max(
            ((batch, rate) for batch in BATCHES for rate in RATES),
            key=lambda settings: told.accuracy(*case, settings, seed=0),
        )
    fresh = {name: [told.accuracy(*case, way, seed=seed) for seed in FRESH[loss]] for name, way in ways.items()}
    return {"model": model, "images": images, "loss": loss, "alpha": alpha, "fresh": fresh, "ways": ways,
            **described(advice)}  # fmt: skip


def described(told: BatchAdvice) -> dict[str, Any]:
    scale = [told.scale.value, told.scale.low, told.scale.high]
    return {"scale": [each if np.isfinite(each) else None for each in scale],
            "usual": [told.usual_batch_size, told.usual_learning_rate]}  # fmt: skip


def drawn(images: int, noise: Dilution, *, seed: int) -> tuple[Examples, Votes]:
    train = murk.load("mnist").train[:images]
    return train, noise.draw(train.labels, seed=seed)


def table(rows: list[dict[str, Any]]) -> str:
    """Write the table of docs/training.md."""
    lines = [
        "| network, loss | alpha | noise scale | advised | accuracy | rule | accuracy | best of 16 | accuracy | "
        "advice less best |", "|---|---|---|---|---|---|---|---|---|---|",
    ]  # fmt: skip
    for row in rows:
        grid = ("-", "-", "-")
        if "grid" in row["ways"]:
            less = np.array(row["fresh"]["advice"]) - np.array(row["fresh"]["grid"])
            reach = student.ppf(0.975, len(less) - 1) * less.std(ddof=1) / len(less) ** 0.5
            grid = (settings(*row["ways"]["grid"]), spread(row["fresh"]["grid"]),
                    f"{100 * less.mean():+.1f} ({100 * (less.mean() - reach):+.1f} to "
                    f"{100 * (less.mean() + reach):+.1f})")  # fmt: skip
        lines.append(
            f"| {row['model']}, {NAMED[row['loss']]} | {row['alpha']} | {row['scale'][0]:,.0f} | "
            f"{settings(*row['ways']['advice'])} | {spread(row['fresh']['advice'])} | {settings(*row['usual'])} | "
            f"{spread(row['fresh']['rule'])} | {' | '.join(grid)} |"
        )
    return "\n".join(lines)


def settings(batch: int, rate: float) -> str:
    return f"{batch:,} at {rate:.2g}"


def spread(values: list[float]) -> str:
    return f"{np.mean(values):.1%} ± {100 * np.std(values, ddof=1):.1f}"


if __name__ == "__main__":
    main(sys.argv[1:])
