"""How often do conformal sets hold the true class, calibrated on clean, on noisy, and on adjusted noisy labels?

MNIST: a two-layer network of murk, trained on 2,000 clean images, so that it errs on some; of the 10,000 test images
2,000 calibrate and 8,000 are judged, 200 times with another split and other votes. Noise is simulated from T: symmetric
20 %, and pair flips of 20 %. Sets by APS and LAC, wanted rate 90 %. Published for CIFAR-10H (Einbinder et al., arXiv
2209.14295): clean 90.2 %, noisy 93.1 %.

Needs MNIST (`murk data fetch mnist`, or MURK_DATA). One core: three minutes. Written to
benchmarks/results/conformal.json.

    python benchmarks/conformal.py
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch

import murk
from murk.measure import calibrate_conformal
from murk.noise import Channel, pair_flip

RESULTS = Path(__file__).parent / "results" / "conformal.json"
TRAINED_ON, CALIBRATING, REPEATS, COVERAGE, EPOCHS = 2_000, 2_000, 200, 0.9, 20
NOISES = {"symmetric 20 %": Channel.symmetric(0.2, num_classes=10), "pair flip 20 %": Channel(pair_flip(10, 0.2))}
WAYS = ("clean labels", "noisy labels as they are", "noisy labels, adjusted")


def main() -> None:
    from machine import machine  # beside this script, where only a run of it looks

    torch.set_num_threads(1)
    mnist = murk.load("mnist")
    some = mnist.train[:TRAINED_ON]
    votes = murk.Votes.from_labels(some.labels, num_classes=10)
    fitted = murk.fit("mlp1", some, votes, loss="pairs", epochs=EPOCHS, held_out=0.0, device="cpu", seed=0)
    probs = fitted.predict_probs(mnist.test)
    accuracy = float((probs.argmax(1) == mnist.test.labels).mean())
    rows = [row for score in ("aps", "lac") for name in NOISES for row in judged(probs, mnist.test.labels, name, score)]
    result = {"machine": machine(), "accuracy": round(accuracy, 4), "calibrating": CALIBRATING, "repeats": REPEATS,
              "coverage_wanted": COVERAGE, "rows": rows}  # fmt: skip
    RESULTS.write_text(json.dumps(result, indent=1) + "\n")
    print(table(result))


def judged(probs: np.ndarray, truth: np.ndarray, name: str, score: str) -> list[dict[str, Any]]:
    """Calibrate and judge by each way, over all repeats."""
    noise = NOISES[name]
    found: dict[str, list[tuple[float, float]]] = {way: [] for way in WAYS}
    for seed in range(REPEATS):
        order = np.random.default_rng(seed).permutation(len(truth))
        at, rest = order[:CALIBRATING], order[CALIBRATING:]
        labels = np.asarray(noise.draw(truth[at], seed=seed).batch(np.arange(CALIBRATING)).labels)
        for way, given, told in zip(WAYS, (truth[at], labels, labels), (None, None, noise), strict=True):
            rule = calibrate_conformal(probs[at], given, noise=told, coverage=COVERAGE, score=score, seed=seed)
            sets = rule.sets(probs[rest], seed=seed)
            found[way].append((sets[np.arange(len(rest)), truth[rest]].mean(), sets.sum(1).mean()))
    rows = []
    for way, values in found.items():
        covered, size = np.array(values).T
        rows.append({
            "score": score, "noise": name, "way": way, "coverage": round(float(covered.mean()), 4),
            "standard_error": round(float(covered.std(ddof=1) / REPEATS**0.5), 4),
            "size": round(float(size.mean()), 3),
        })  # fmt: skip
    return rows


def table(result: dict[str, Any]) -> str:
    """The results as a Markdown table."""
    lines = ["| score | noise | calibrated on | holds the true class (± standard error) | classes in a set |",
             "|---|---|---|---|---|"]  # fmt: skip
    for row in result["rows"]:
        held = f"{row['coverage']:.1%} ± {row['standard_error']:.1%}"
        lines.append(f"| {row['score']} | {row['noise']} | {row['way']} | {held} | {row['size']:.2f} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
