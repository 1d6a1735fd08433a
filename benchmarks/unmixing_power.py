"""How much surer than a classifier is the truth? The one number of `find_label_errors`, chosen here and not elsewhere.

20 cases of our own: 20,000 images of MNIST and Fashion-MNIST, labels made wrong in ten ways (symmetric, few and many
random confusions, by what a weak network confuses), and out-of-fold probabilities of a linear or a two-layer classifier
(4 folds). For each power, F1 of the labels flagged less that of labels that are not the predicted class, and the area
under the precision-recall curve of the ranking less that by self-confidence. The power is the one of the highest mean
difference of F1. No published case takes part.

Needs MNIST and Fashion-MNIST (`murk data fetch`, or MURK_DATA). One core: ten minutes. Written to
benchmarks/results/unmixing_power.json.

    python benchmarks/unmixing_power.py
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.metrics import average_precision_score, f1_score
from torch import nn

import murk
from murk.measure.label_errors import PROBS_OF, errors_of
from murk.measure.shortlist import read_shortlist
from murk.noise import Channel, Matrix, instance_from_probs

RESULTS = Path(__file__).parent / "results" / "unmixing_power.json"
IMAGES, FOLDS, EPOCHS, BATCH_SIZE, WEAK_ON = 20_000, 4, 12, 128, 600
SETS = ("mnist", "fashion-mnist")
POWERS = (1.0, 1.5, 2.0, 2.5, 3.0, 4.0)
CONFUSED = ((0.1, 1.0), (0.2, 1.0), (0.2, 0.4), (0.4, 0.8), (0.4, 0.4), (0.6, 0.6))  # rate, share of confusions there


def noises(images: np.ndarray, labels: np.ndarray) -> Iterator[tuple[str, Any]]:
    """Give ten kinds of noise with their names."""
    for rate in (0.2, 0.5):
        yield f"symmetric {rate:.0%}", Channel.symmetric(rate, num_classes=10)
    for seed, (rate, share) in enumerate(CONFUSED):
        yield f"confused {rate:.0%}, {share:.0%} of the pairs", Channel(Matrix(confused(rate, share, seed=seed)))
    weak = trained(images[:WEAK_ON], labels[:WEAK_ON], linear=False, seed=0)
    for rate in (0.1, 0.3):
        yield f"as a weak network confuses, {rate:.0%}", instance_from_probs(weak(images), labels, rate)


def confused(rate: float, share: float, *, seed: int) -> np.ndarray:
    """Draw a transition: rates that differ by class, and confusions with a share of the other classes."""
    rng = np.random.default_rng(seed)
    right = np.clip(1 - rate + 0.5 * min(rate, 1 - rate) * rng.normal(size=10), 0.15, 0.99)
    table = np.zeros((10, 10))
    for k in range(10):
        others = rng.permutation(np.delete(np.arange(10), k))[: max(1, round(9 * share))]
        table[k, others] = (1 - right[k]) * rng.dirichlet(np.ones(len(others)))
        table[k, k] = right[k]
    return table


def trained(images: np.ndarray, labels: np.ndarray, *, linear: bool, seed: int) -> Any:
    """Train on labels as they are; give what maps images to probabilities."""
    torch.manual_seed(seed)
    hidden = (nn.Linear(784, 256), nn.ReLU(), nn.Dropout(0.3), nn.Linear(256, 10))
    network = nn.Linear(784, 10) if linear else nn.Sequential(*hidden)
    optimizer = torch.optim.AdamW(network.parameters(), weight_decay=1e-4)
    x, y = torch.from_numpy(images), torch.from_numpy(labels)
    steps = EPOCHS * max(1, len(x) // BATCH_SIZE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=steps)
    for step in range(steps):
        if step % max(1, len(x) // BATCH_SIZE) == 0:
            order = torch.randperm(len(x))
        batch = order.roll(-step * BATCH_SIZE)[:BATCH_SIZE]
        optimizer.zero_grad()
        nn.functional.cross_entropy(network(x[batch]), y[batch]).backward()
        optimizer.step()
        schedule.step()
    network.eval()

    def probabilities(given: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return np.asarray(torch.softmax(network(torch.from_numpy(given)), 1).numpy())

    return probabilities


def case(images: np.ndarray, truth: np.ndarray, labels: np.ndarray, *, linear: bool) -> dict[str, Any]:
    """Give the differences to the better baseline of each power."""
    fold = np.random.default_rng(0).permutation(len(labels)) % FOLDS
    probs = np.empty((len(labels), 10), np.float32)
    for k in range(FOLDS):
        inside = fold != k
        probs[~inside] = trained(images[inside], labels[inside], linear=linear, seed=k)(images[~inside])
    wrong = labels != truth
    listed = read_shortlist(labels, probs)
    differ = f1_score(wrong, probs.argmax(1) != labels)
    area = average_precision_score(wrong, -probs[np.arange(len(labels)), labels])
    gains, settled = {}, PROBS_OF["votes"]
    try:
        for power in POWERS:
            PROBS_OF["votes"] = replace(settled, power=power)
            found = errors_of(listed, probs_of="votes")
            f1, auprc = f1_score(wrong, found.flagged), average_precision_score(wrong, found.probability)
            gains[str(power)] = {"f1": round(float(f1 - differ), 4), "auprc": round(float(auprc - area), 4)}
    finally:
        PROBS_OF["votes"] = settled
    return {"wrong": int(wrong.sum()), "f1_differs": round(float(differ), 4), "auprc_self": round(float(area), 4),
            "gains": gains}  # fmt: skip


def summary(cases: list[dict[str, Any]]) -> list[dict[str, Any]]:
    rows = []
    for power in POWERS:
        row: dict[str, Any] = {"power": power}
        for name in ("f1", "auprc"):
            gains = np.array([each["gains"][str(power)][name] for each in cases])
            row |= {f"{name}_mean": round(float(gains.mean()), 4), f"{name}_least": round(float(gains.min()), 4)}
        rows.append(row)
    return rows


def chosen(rows: list[dict[str, Any]]) -> float:
    return float(max(rows, key=lambda row: row["f1_mean"])["power"])


def main() -> None:
    from machine import machine  # beside this script, where only a run of it looks

    torch.set_num_threads(1)
    cases = []
    for name in SETS:
        examples = murk.load(name).train
        truth = np.asarray(examples.labels[:IMAGES]).astype(np.int64)
        images = np.asarray(examples.images[:IMAGES]).reshape(IMAGES, -1).astype(np.float32) / 255
        images -= images.mean(0)
        for at, (told, noise) in enumerate(noises(images, truth)):
            drawn = noise.draw(truth, seed=0)
            labels = np.asarray(drawn.batch(np.arange(IMAGES)).labels, dtype=np.int64)
            linear = (at % 2 == 0) == (name == "mnist")
            about = {"set": name, "noise": told, "classifier": "linear" if linear else "two layers"}
            cases.append(about | case(images, truth, labels, linear=linear))
            print(cases[-1], flush=True)
    rows = summary(cases)
    RESULTS.write_text(json.dumps({"machine": machine(), "rows": rows, "chosen": chosen(rows), "cases": cases},
                                  indent=1) + "\n")  # fmt: skip
    print(*rows, sep="\n")


if __name__ == "__main__":
    main()
