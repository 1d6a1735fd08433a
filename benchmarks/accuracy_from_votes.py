"""How short, and how true, are intervals for the accuracy of 10,000 test images from noisy votes alone?

Each simulation draws a test set of 10 classes, predictions that are right with the stated chance (errors spread evenly)
and votes from the noise model, and asks `accuracy_from_votes` for its 95 % interval. Two cores, 2,000 simulations a
row: about five minutes. Written to benchmarks/results/accuracy_from_votes.json: per row the mean of estimate minus low
end, and the share of intervals that hold the true accuracy, itself with an exact interval.

    python benchmarks/accuracy_from_votes.py [--simulations 2000]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
from pathlib import Path
from typing import Any

import numpy as np

from murk.measure import accuracy_from_votes, exact_binomial
from murk.noise import Channel, Dilution

IMAGES = 10_000
NUM_CLASSES = 10
RESULTS = Path(__file__).parent / "results" / "accuracy_from_votes.json"


def test_set(accuracy: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw true labels and predictions, each right with probability `accuracy`."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, NUM_CLASSES, size=IMAGES)
    wrong = (labels + rng.integers(1, NUM_CLASSES, size=IMAGES)) % NUM_CLASSES
    return labels, np.where(rng.random(IMAGES) < accuracy, labels, wrong)


def row(noise: Dilution | Channel, *, alpha: int, accuracy: float, simulations: int) -> dict[str, Any]:
    """Simulate test sets with seeds 0 .. simulations - 1 and sum up their intervals."""
    found = []
    for seed in range(simulations):
        labels, predictions = test_set(accuracy, seed)
        found.append(accuracy_from_votes(predictions, noise.draw(labels, seed=seed), noise=noise))
    below = np.array([estimate.value - estimate.low for estimate in found])
    covered = sum(estimate.low <= accuracy <= estimate.high for estimate in found)
    return {
        "votes": "exact dilution" if isinstance(noise, Dilution) else "independent votes",
        "alpha": alpha,
        "accuracy": accuracy,
        "simulations": simulations,
        "seeds": [0, simulations - 1],
        "estimate_mean": float(np.mean([estimate.value for estimate in found])),
        "estimate_minus_low": {"mean": float(below.mean()), "standard_error": float(below.std() / simulations**0.5)},
        "coverage": exact_binomial(covered, simulations).to_dict(),
    }


def main() -> None:
    """Run all rows, print them, and write them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--simulations", type=int, default=2000, help="test sets a row (default 2000)")
    simulations = parser.parse_args().simulations
    rows = []
    for accuracy in (0.98, 0.95):
        for alpha in (10, 100):
            exact = Dilution(alpha, num_classes=NUM_CLASSES)
            for noise in (exact, exact.independent()):
                rows.append(row(noise, alpha=alpha, accuracy=accuracy, simulations=simulations))
                short, coverage = 100 * rows[-1]["estimate_minus_low"]["mean"], rows[-1]["coverage"]
                print(
                    f"{rows[-1]['votes']:<17} alpha {alpha:>3} accuracy {accuracy}: estimate - low {short:.2f} points, "
                    f"coverage {coverage['value']:.3f} ({coverage['low']:.3f} to {coverage['high']:.3f})",
                    flush=True,
                )
    machine = {"processor": platform.processor() or platform.machine(), "cores": os.cpu_count()}
    result = {"images": IMAGES, "num_classes": NUM_CLASSES, "confidence_level": 0.95, "machine": machine, "rows": rows}
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
