"""Does a purchase reach what the plan said? Ten recommended purchases, made.

At hand are 5,000 images of MNIST or Fashion-MNIST with one noisy label each. A pilot of three minutes (mlp2, noise
known, measured by votes alone) and a plan for the money; then what it recommends is bought: the next images of the set
with a noisy label each, votes more on images at hand, true labels of them. One training with all of it, of a seed of
its own, is measured on the set's 10,000 clean test images: did the plan's 90 % band hold that accuracy?

Written to results/purchases.json, case by case: stopped, it goes on. One core: forty minutes.

    MURK_DATA=FOLDER python benchmarks/purchases.py            python benchmarks/purchases.py --table
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch

import murk
from machine import machine
from murk.noise.draws import permutation
from murk.plan import Prices, Purchase, pilot, plan_purchase

RESULTS = Path(__file__).parent / "results" / "purchases.json"
MODEL, IMAGES, MINUTES = "mlp2", 5_000, 3.0
CASES = (
    (0.2, Prices(label=0.02, vote=0.02, clean=0.40), 200.0),
    (0.6, Prices(label=0.05, vote=0.02, clean=0.40), 150.0),
    (0.4, Prices(label=0.10, vote=0.03, clean=0.10), 150.0),
    (0.7, Prices(label=0.05, vote=0.05, clean=0.10), 150.0),
    (0.5, Prices(label=0.03, clean=0.50), 300.0),
)
SETS = {"mnist": "MNIST", "fashion-mnist": "Fashion-MNIST"}


def main(arguments: list[str]) -> None:
    rows = json.loads(RESULTS.read_text())["rows"] if RESULTS.exists() else []
    if "--table" not in arguments:
        torch.set_num_threads(1)
        for number, (data, case) in enumerate((data, case) for data in SETS for case in CASES):
            if number >= len(rows):
                rows.append(made(data, *case, seed=100 + number))
                print(rows[-1], flush=True)
                RESULTS.write_text(json.dumps({"machine": machine(), "rows": rows}, indent=1) + "\n")
    print(table(rows))


def made(data: str, rate: float, prices: Prices, budget: float, *, seed: int) -> dict[str, Any]:
    """Plan, buy, train, and measure."""
    whole = murk.load(data)
    noise = murk.Channel.symmetric(rate, num_classes=10)
    at_hand = whole.train[:IMAGES]
    votes = noise.draw(at_hand.labels, seed=seed)
    found = pilot(MODEL, at_hand, votes, noise=noise, minutes=MINUTES, seed=seed)
    plan = plan_purchase(found, votes, noise, prices, budget=budget)
    bought = plan.purchase
    assert bought is not None
    images, answers, known = collected(whole.train, noise, bought, seed=seed)
    fit = murk.fit(
        MODEL, images, murk.Votes.from_matrix(answers, num_classes=10), noise=noise, known=known, seed=1000 + seed
    )
    accuracy = float((fit.predict_probs(whole.test).argmax(1) == whole.test.labels).mean())
    return {
        "data": data, "rate": rate, "budget": budget, "trainings": len(found.runs), "seconds": found.seconds,
        "bought": {"labels": bought.labels, "votes": bought.votes, "clean": bought.clean, "cost": bought.cost},
        "now": told(plan.now), "then": told(bought.accuracy), "accuracy": accuracy,
        "effective": [plan.held.effective, float(plan.held.effective_with(bought.labels, bought.votes, bought.clean))],
        "held": bool(bought.accuracy.low <= accuracy <= bought.accuracy.high),
    }  # fmt: skip


def told(estimate: murk.measure.Estimate) -> list[float]:
    return [estimate.value, estimate.low, estimate.high]


def collected(
    images: murk.data.Examples, noise: murk.Channel, bought: Purchase, *, images_at_hand: int = IMAGES, seed: int
) -> tuple[murk.data.Examples, np.ndarray, np.ndarray]:
    """Give images, their votes (-1 for none) and the true classes that were bought (-1 for none)."""
    size = images_at_hand + bought.labels
    if size > len(images):
        raise SystemExit(f"the plan would buy {bought.labels:,} images, and there are no more than {len(images):,}")
    chosen, rounds = images[:size], -(-bought.votes // images_at_hand)
    answers = np.full((size, 1 + rounds), -1)
    first = noise.draw(chosen.labels, seed=seed)
    answers[:, 0] = first.batch(np.arange(size)).labels
    for number in range(rounds):  # one more vote on every image, in the last round on some
        count = min(images_at_hand, bought.votes - number * images_at_hand)
        asked = permutation(seed, f"asked/{number}", images_at_hand)[:count]
        more = noise.draw(chosen.labels, seed=10_000 * (number + 1) + seed)
        answers[asked, 1 + number] = more.batch(asked).labels
    known = np.full(size, -1)
    checked = permutation(seed, "checked", images_at_hand)[: bought.clean]
    known[checked] = chosen.labels[checked]
    return chosen, answers, known


def table(rows: list[dict[str, Any]]) -> str:
    """Write the table of docs/plan.md."""
    lines = [
        "| set, noise | bought | worth in clean labels | reached before, as told | predicted | reached | held |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        parts = [f"{amount:,} {name}" for name, amount in row["bought"].items() if amount and name != "cost"]
        now, then = (f"{value:.1%} ({low:.1%} to {high:.1%})" for value, low, high in (row["now"], row["then"]))
        lines.append(
            f"| {SETS[row['data']]}, {row['rate']:.0%} | {', '.join(parts)} | {row['effective'][0]:,.0f} to "
            f"{row['effective'][1]:,.0f} | {now} | {then} | {row['accuracy']:.1%} | {'yes' if row['held'] else 'no'} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main(sys.argv[1:])
