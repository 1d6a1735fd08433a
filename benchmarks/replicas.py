"""When is it faster to train runs together (`fit_replicas`) than one after another (`fit`)?

16 or 4 runs that differ in seed and alpha, on random images of MNIST's size; both ways do all a user would wait for
(weighing votes, training, held-out selection). Two measurements:
- one thread, by kind of model, batch and precision: seconds of `fit`, run after run, over seconds of `fit_replicas`, in
  turns in one process, with the thread pinned to one core where the system allows it. The first line is the bar: mlp1
  of 64 hidden units, batches of 32, at least 1.5.
- the whole machine, for that first line: two processes of one thread, each with half of the runs one after another,
  over two processes of one thread, each with half of them together. In turns; on the CPU only.
`murk.learn.replicas_pay` is the rule read off these figures.

About fifteen minutes on one core. Written to benchmarks/results/replicas.json; runs on CUDA where there is a device.

    python benchmarks/replicas.py [--repeats 5] [--only TEXT] [--device auto]
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

import murk
from machine import machine
from murk.learn import Replica, fit_replicas
from murk.learn.device import settle_compute
from murk.models import build

RESULTS = Path(__file__).parent / "results" / "replicas.json"
ALPHAS = (1, 2, 5, 10)
CELLS = [  # model, width, batch, steps an epoch, augmentation
    ("mlp1", 64, 32, 150, "none"),
    ("mlp1", 64, 32, 150, "affine"),
    ("perceptron", None, 32, 150, "none"),
    ("mlp1", 64, 128, 60, "none"),
    ("mlp1", 64, 512, 20, "none"),
    ("mlp1", 256, 32, 100, "none"),
    ("mlp1", 256, 128, 40, "none"),
    ("mlp1", 256, 512, 20, "none"),
    ("mlp2", 256, 128, 40, "none"),
    ("mlp2", 256, 512, 20, "none"),
    ("conv2", 16, 32, 10, "none"),
    ("conv2", 16, 128, 5, "none"),
    ("conv4", 16, 32, 10, "none"),
    ("conv4", 16, 128, 5, "none"),
]


def network(seed: int, *, model: str, width: int | None) -> nn.Module:
    options = {"width": width} | ({"dropout": 0.0} if model.startswith("conv") else {})
    return build(model, example_shape=(28, 28, 1), num_classes=10, seed=seed, **options)


class Runs:
    """R runs of one cell, to be trained one after another or together."""

    def __init__(self, cell: tuple[Any, ...], numbers: range, *, device: str, precision: str) -> None:
        model, width, batch, steps, augment = cell
        generator, examples = np.random.default_rng(0), round(batch * steps / 0.9) + 1
        self.images = generator.integers(0, 256, (examples, 28, 28, 1), dtype=np.uint8)
        labels = generator.integers(0, 10, examples)
        noises = [murk.Dilution(ALPHAS[number % len(ALPHAS)], num_classes=10) for number in numbers]
        pairs = zip(numbers, noises, strict=True)
        self.replicas = [Replica(noise.draw(labels, seed=number), noise, number) for number, noise in pairs]
        self.network = partial(network, model=model, width=width)
        self.settings: dict[str, Any] = {
            "epochs": 2, "batch_size": batch, "augment": augment, "device": device, "precision": precision,
        }  # fmt: skip

    def alone(self) -> None:
        for replica in self.replicas:
            model, votes = self.network(replica.seed), replica.votes
            murk.fit(model, self.images, votes, noise=replica.noise, seed=replica.seed, **self.settings)

    def together(self) -> None:
        fit_replicas(self.network, self.images, self.replicas, **self.settings)

    def seconds(self, way: str) -> float:
        started = time.perf_counter()
        getattr(self, way)()
        return time.perf_counter() - started


def half(way: str, numbers: range, precision: str, repeats: int, barrier: Any, queue: Any) -> None:
    """In a process of its own: train half of the runs, over and over, from a common start."""
    torch.set_num_threads(1)
    runs = Runs(CELLS[0], numbers, device="cpu", precision=precision)
    getattr(runs, way)()
    for _ in range(repeats):
        barrier.wait()
        queue.put(runs.seconds(way))


def on_two_processes(precision: str, repeats: int) -> dict[str, Any]:
    """Seconds until the slower of two processes is done, of both ways in turns."""
    context = multiprocessing.get_context("spawn")
    found: dict[str, list[float]] = {"alone": [], "together": []}
    parties = {}
    for way in found:
        barrier, queue = context.Barrier(3), context.Queue()
        halves = [range(8), range(8, 16)]
        members = [context.Process(target=half, args=(way, n, precision, repeats, barrier, queue)) for n in halves]
        parties[way] = (members, barrier, queue)
        for member in members:
            member.start()
    for _ in range(repeats):
        for way, (_, barrier, queue) in parties.items():
            barrier.wait()
            found[way].append(max(queue.get(), queue.get()))
    for members, _, _ in parties.values():
        for member in members:
            member.join()
    return summary(found)


def in_turns(cell: tuple[Any, ...], count: int, device: str, precision: str, repeats: int) -> dict[str, Any]:
    """Seconds of both ways, one after the other in this process, in alternating order."""
    runs = Runs(cell, range(count), device=device, precision=precision)
    Runs(cell, range(2), device=device, precision=precision).together()  # warm-up
    Runs(cell, range(1), device=device, precision=precision).alone()
    found: dict[str, list[float]] = {"alone": [], "together": []}
    for repeat in range(repeats):
        for way in [*found] if repeat % 2 else [*found][::-1]:
            found[way].append(runs.seconds(way))
    return summary(found)


def summary(found: dict[str, list[float]]) -> dict[str, Any]:
    each = np.array(found["alone"]) / np.array(found["together"])
    return {
        "seconds_alone": [round(s, 3) for s in found["alone"]],
        "seconds_together": [round(s, 3) for s in found["together"]],
        "ratio": {"median": round(float(np.median(each)), 2), "least": round(float(each.min()), 2),
                  "most": round(float(each.max()), 2)},
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--only", default="", help="the cells whose name holds this text; nothing is written")
    parser.add_argument("--device", default="auto")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    cores = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()
    if cores:
        os.sched_setaffinity(0, {min(cores)})
    settled = settle_compute(arguments.device)
    device, found = str(settled.device), []
    for cell in CELLS:
        model, width, batch, _, augment = cell
        conv = model.startswith("conv")
        for precision in dict.fromkeys([settled.precision] if conv else [settled.precision, "float32"]):
            for count in (16, 4):
                name = f"{model} width {width} batch {batch} {augment} {precision} x{count}"
                if arguments.only not in name:
                    continue
                repeats = min(arguments.repeats, 2) if conv and device == "cpu" else arguments.repeats
                measured = in_turns(cell, count, device, precision, repeats)
                facts = {"model": model, "width": width, "batch": batch, "augment": augment, "precision": precision,
                         "replicas": count}  # fmt: skip
                found.append(facts | measured)
                print(name, measured["ratio"], flush=True)
    if arguments.only:
        return
    results: dict[str, Any] = {"machine": machine(), "device": device, "one_thread": found}
    if device == "cpu":
        if cores:
            os.sched_setaffinity(0, cores)
        halves = results["two_processes_of_8_runs_each"] = on_two_processes(settled.precision, arguments.repeats)
        print("two processes of 8 runs each", halves["ratio"])
    RESULTS.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
