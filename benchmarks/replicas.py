"""When is it faster to train runs together (`fit_replicas`) than one after another (`fit`)?

Two measurements:
- one thread, by kind of model, batch and precision, on random images of MNIST's size: 16, 8 or 4 runs that differ in
  seed and alpha; seconds of `fit`, run after run, over seconds of `fit_replicas`, in turns in one process, with the
  thread pinned to one core where the system allows it. Both ways do all a user would wait for (weighing votes,
  training, held-out selection). `murk.learn.replicas_pay` is the rule read off these figures.
- studies, as `murk study run` makes them: 16 runs (4 seeds, 4 alphas) on digits of mlp1 with 64 hidden units, batches
  of 32, float32, in this process and by two workers; seconds of `run_study` with every run a job by itself, over
  seconds with the parts that `murk.lab.batches` chooses. The start of workers, the data and the store are in it. The
  bar: by two workers on two cores at least 1.5.

About twenty minutes on two cores. Written to benchmarks/results/replicas.json; the first part runs on CUDA where there
is a device, the second on the CPU.

    python benchmarks/replicas.py [--repeats 5] [--only TEXT] [--device auto] [--passes 120000]
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from torch import nn

import murk
from machine import machine
from murk.lab import Executor, Here, Processes, Store, Study
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


class Studies:
    """A study of 16 small runs, to be made by one executor with every run by itself or with runs trained together."""

    def __init__(self, executor: Executor, *, passes: int) -> None:
        base = {"data": "digits", "model": "mlp1", "width": 64, "batch_size": 32, "precision": "float32",
                "passes": passes}  # fmt: skip
        self.study = Study.of("replicas", base=base, grid={"alpha": ALPHAS, "seed": [0, 1, 2, 3]})
        self.executor, self.together_by = executor, 1

    def seconds(self, way: str) -> float:
        singly = mock.patch("murk.lab.driver.batches", lambda runs: ([run] for run in runs))
        with tempfile.TemporaryDirectory() as folder, Store(Path(folder) / "s.sqlite") as store:
            with singly if way == "alone" else nullcontext():
                started = time.perf_counter()
                self.study.run(store, executor=self.executor, device="cpu")
                taken = time.perf_counter() - started
            counts = [run.outcome["facts"]["trained_together"] for run in store.runs("replicas") if run.outcome]
            self.together_by = max(self.together_by, *counts)
        return taken


def studies(repeats: int, passes: int) -> list[dict[str, Any]]:
    """Measure whole studies, both ways in turns."""
    found = []
    for workers, executor in ((0, Here()), (2, Processes(2))):
        runs = Studies(executor, passes=passes)
        measured = turns(runs, repeats)
        print(f"study, {workers or 'no'} workers, trained together {runs.together_by}", measured["ratio"], flush=True)
        facts = {"workers": workers, "passes": passes, "runs": 16, "trained_together": runs.together_by}
        found.append(facts | measured)
    return found


def in_turns(cell: tuple[Any, ...], count: int, device: str, precision: str, repeats: int) -> dict[str, Any]:
    """Seconds of both ways, one after the other in this process, in alternating order."""
    runs = Runs(cell, range(count), device=device, precision=precision)
    Runs(cell, range(2), device=device, precision=precision).together()  # warm-up
    Runs(cell, range(1), device=device, precision=precision).alone()
    return turns(runs, repeats)


def turns(runs: Runs | Studies, repeats: int) -> dict[str, Any]:
    """Seconds of both ways, in alternating order."""
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
    parser.add_argument("--only", default="", help="the cells whose name holds this text, or study; nothing is written")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--passes", type=int, default=120_000, help="images shown in each training of the studies")
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
            for count in (16, 8, 4):
                name = f"{model} width {width} batch {batch} {augment} {precision} x{count}"
                if arguments.only not in name:
                    continue
                repeats = min(arguments.repeats, 2) if conv and device == "cpu" else arguments.repeats
                measured = in_turns(cell, count, device, precision, repeats)
                facts = {"model": model, "width": width, "batch": batch, "augment": augment, "precision": precision,
                         "replicas": count}  # fmt: skip
                found.append(facts | measured)
                print(name, measured["ratio"], flush=True)
    if cores:
        os.sched_setaffinity(0, cores)
    whole = studies(arguments.repeats, arguments.passes) if arguments.only in "study" else []
    if arguments.only:
        return
    results = {"machine": machine(), "device": device, "one_thread": found, "studies": whole}
    RESULTS.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
