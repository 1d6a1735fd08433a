"""How many votes a second does one core draw?

One thread on one core; batches of 2,000 examples as a training asks for them, ten classes, seed 0; each noise model
draws for two seconds after a warm-up, seven times over. Written to benchmarks/results/draws.json: per noise model the
median of the repeats, the least and the greatest. About two minutes.

    taskset -c 0 python benchmarks/draws.py [--repeats 7] [--seconds 2]
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path
from typing import Any

for threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[threads] = "1"  # before NumPy starts its threads

import numpy as np  # noqa: E402
import torch  # noqa: E402

from machine import machine  # noqa: E402
from murk.noise import Channel, Dilution, NoiseModel, Structured, Votes, random_ranking  # noqa: E402

EXAMPLES, NUM_CLASSES, BATCH, ALPHA = 60_000, 10, 2_000, 100
RESULTS = Path(__file__).parent / "results" / "draws.json"
STRUCTURED = Structured(1.0, random_ranking(NUM_CLASSES, seed=0))
MODELS: dict[str, NoiseModel] = {
    "uniform dilution, alpha 100": Dilution(ALPHA, num_classes=NUM_CLASSES),
    "structured dilution, alpha 100, delta 1": Dilution(ALPHA, num_classes=NUM_CLASSES, pattern=STRUCTURED),
    "symmetric channel, rate 0.4, 100 votes": Channel.symmetric(0.4, num_classes=NUM_CLASSES, votes_per_example=100),
    "symmetric channel, rate 0.4, one vote": Channel.symmetric(0.4, num_classes=NUM_CLASSES),
}


def rate(votes: Votes, *, seconds: float) -> float:
    """Draw batch after batch for `seconds` of this process's own time; votes per second of it.

    Process time, not the clock's: whatever else runs on the core is no property of the generator.
    """
    drawn, at, started = 0, 0, time.process_time()
    while (passed := time.process_time() - started) < seconds:
        drawn += len(votes.batch(np.arange(at, at + BATCH)).labels)
        at = (at + BATCH) % EXAMPLES
    return drawn / passed


def row(name: str, noise: NoiseModel, *, repeats: int, seconds: float) -> dict[str, Any]:
    """Measure one noise model."""
    votes = noise.draw(np.arange(EXAMPLES) % NUM_CLASSES, seed=0)
    rate(votes, seconds=0.3)
    rates = [rate(votes, seconds=seconds) for _ in range(repeats)]
    return {
        "noise": name,
        "votes_per_example": votes.votes_per_example,
        "repeats": repeats,
        "seconds": seconds,
        "votes_per_second": {"median": float(np.median(rates)), "least": min(rates), "greatest": max(rates)},
    }


def main() -> None:
    """Measure all, print, and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=7, help="measurements of each noise model (default 7)")
    parser.add_argument("--seconds", type=float, default=2.0, help="processor time of each (default 2)")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    for name, noise in MODELS.items():
        rows.append(row(name, noise, repeats=arguments.repeats, seconds=arguments.seconds))
        found = {kind: value / 1e6 for kind, value in rows[-1]["votes_per_second"].items()}
        print(
            f"{name:<40} {found['median']:6.1f} million votes a second ({found['least']:.1f} to "
            f"{found['greatest']:.1f}, {arguments.repeats} repeats)",
            flush=True,
        )
    result = {
        "examples": EXAMPLES, "num_classes": NUM_CLASSES, "batch": BATCH, "seed": 0,
        "clock": "process time, one thread", "machine": machine(), "rows": rows,
    }  # fmt: skip
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
