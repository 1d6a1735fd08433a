"""Does dilution cost time, and how many labelled votes a second go through training?

Two ratios, measured side by side on the same machine, in turns, with the same number of threads:
- seconds per epoch at alpha = 100 over alpha = 0, by `murk.fit` (Conv4; medians of paired runs);
- labelled votes a second at alpha = 100, of `murk.fit` over a plain PyTorch loop: DataLoader over the materialised
  pairs, same Conv4, same number of images a batch, cross-entropy, Adam. One image of murk's carries 101 votes.
Votes are drawn and weighed inside the timed region of murk.

Needs MNIST. About four minutes. Written to benchmarks/results/training_speed.json.

    python benchmarks/training_speed.py [--threads 1] [--images 6144] [--repeats 5]
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader

import murk
from machine import machine
from murk.models import build
from time_to_accuracy import Pairs

RESULTS = Path(__file__).parent / "results" / "training_speed.json"
BATCH = 512


def murk_seconds(images: murk.Examples, alpha: int, repeat: int) -> float:
    """Draw and weigh the votes and train one epoch; seconds."""
    noise = murk.Dilution(alpha, num_classes=10)
    started = time.perf_counter()
    votes = noise.draw(images.labels, seed=repeat)
    murk.fit(
        "conv4", images, votes, noise=noise, held_out=0.0, epochs=1, batch_size=BATCH, device="cpu", seed=repeat
    )  # fmt: skip
    return time.perf_counter() - started


def rival_seconds(images: murk.Examples, alpha: int, repeat: int) -> float:
    """Train a plain loop over as many pairs as there are images; seconds, without making the pairs."""
    votes = murk.Dilution(alpha, num_classes=10).draw(images.labels, seed=repeat)
    generator = torch.Generator().manual_seed(repeat)
    loader = DataLoader(Pairs(images.images, votes), batch_size=BATCH, shuffle=True, generator=generator)
    model = build("conv4", example_shape=(28, 28, 1), num_classes=10, seed=repeat)
    optimizer = torch.optim.Adam(model.parameters())
    started = time.perf_counter()
    for batch, labels in itertools.islice(loader, len(images) // BATCH):
        loss = torch.nn.functional.cross_entropy(model(batch), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return time.perf_counter() - started


def ratio(above: list[float], below: list[float]) -> dict[str, float]:
    """Median of paired ratios, with the smallest and the largest."""
    each = np.array(above) / np.array(below)
    found = {"median": np.median(each), "least": each.min(), "most": each.max()}
    return {name: round(float(value), 4) for name, value in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--images", type=int, default=12 * BATCH)
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    images = murk.load("mnist").train[: arguments.images]
    murk_seconds(images, 100, 99)  # warm-up
    rival_seconds(images, 100, 99)
    clean, diluted, rival = [], [], []
    for repeat in range(arguments.repeats):
        pair = [(clean, 0), (diluted, 100)]
        for seconds, alpha in pair if repeat % 2 else pair[::-1]:  # in turns, so that drift hits both
            seconds.append(murk_seconds(images, alpha, repeat))
        rival.append(rival_seconds(images, 100, repeat))
    steps = len(images) // BATCH * BATCH
    found: dict[str, Any] = {
        "machine": machine(), "model": "conv4", "batch_images": BATCH, "images": len(images),
        "repeats": arguments.repeats,
        "epoch_time_alpha_100_over_0": ratio(diluted, clean),
        "images_per_second": {"murk, alpha 100": round(steps / float(np.median(diluted))),
                              "plain loop": round(steps / float(np.median(rival)))},
        "votes_per_second_over_plain_loop": {k: round(101 * v, 1) for k, v in ratio(rival, diluted).items()},
    }  # fmt: skip
    RESULTS.write_text(json.dumps(found, indent=1) + "\n")
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
