"""A set larger than memory: anonymous memory, time spent waiting for the disk, throughput beside a set in memory.

Writes 1,000,000 images of 64 x 64 x 3 (12.3 GB) under --folder, once. Each row is a process of its own:

- "mapped, cold" and "mapped, warm": a Conv4 trained from the memory map for --minutes by the evidence of 21 drawn votes
  an image, a tenth held out, with the system's page cache dropped before (where that is allowed) and without;
- "in memory": the same training on the first 100,000 images, held in memory;
- "cross-fit and audit": 1,000,000 examples of 32 numbers and 100 classes, one noisy label each: the noise found, a
  perceptron cross-fitted in two folds of two epochs, epochs chosen by held-out votes, wrong labels listed.

Memory is the largest RssAnon of the process, imports included; pages of the map are the system's to keep or drop.
Throughput: images a second from the second step on; in memory and mapped in turns, the ratio of each turn.
Written to results/larger_than_memory.json. Two cores: half an hour.

    python benchmarks/larger_than_memory.py --folder FOLDER [--minutes 2] [--turns 2]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from machine import machine
from memory import Watched

RESULTS = Path(__file__).parent / "results" / "larger_than_memory.json"
EXAMPLES, SIDE, BLOCK, CLASSES, ALPHA = 1_000_000, 64, 10_000, 10, 20
IN_MEMORY = 100_000
NUMBERS, MANY_CLASSES, WRONG = 32, 100, 0.3


class EnoughError(Exception):
    """The time is up."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=2.0)
    parser.add_argument("--turns", type=int, default=2)
    parser.add_argument("--one", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.one:
        way = {"audit": audited}.get(asked.one)
        print(json.dumps(way() if way else trained(asked.one, asked.folder, asked.minutes)))
        return
    written(asked.folder)
    rows = []
    dropped = drop_pages()
    for name, way in [("mapped, cold" if dropped else "mapped", "mapped"), ("cross-fit and audit", "audit")] + [
        (name, name.rpartition(", ")[0] or name) for _ in range(asked.turns) for name in ("in memory", "mapped, warm")
    ]:
        line = [sys.executable, __file__, "--folder", str(asked.folder), "--minutes", str(asked.minutes), "--one", way]
        rows.append({"row": name, **json.loads(subprocess.run(line, check=True, stdout=subprocess.PIPE).stdout)})
        print(rows[-1], flush=True)
        speeds = {each: [row["images_per_second"] for row in rows if row["row"] == each]
                  for each in ("mapped, warm", "in memory")}  # fmt: skip
        ratios = [ours / theirs for ours, theirs in zip(*speeds.values(), strict=False)]
        told = {"machine": machine(), "rows": rows, "throughput, mapped over in memory": ratios}
        RESULTS.write_text(json.dumps(told, indent=1) + "\n")


def written(folder: Path) -> Path:
    """Write the images, unless they are there: noise over a coarse pattern of the class."""
    path = folder / "images.npy"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        part = folder / "images.part.npy"
        images = np.lib.format.open_memmap(part, "w+", np.uint8, (EXAMPLES, SIDE, SIDE, 3))
        for start in range(0, EXAMPLES, BLOCK):
            images[start : start + BLOCK] = block(start)
            images.flush()
        part.rename(path)
    return path


def labels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, CLASSES, EXAMPLES)


def block(start: int) -> np.ndarray:
    coarse = np.random.default_rng(2).integers(0, 128, (CLASSES, 8, 8, 3), dtype=np.uint8)
    fine = coarse.repeat(8, 1).repeat(8, 2)[labels()[start : start + BLOCK]]
    return np.asarray(fine + np.random.default_rng([1, start]).integers(0, 128, fine.shape, dtype=np.uint8))


def drop_pages() -> bool:
    try:
        subprocess.run(["sync"], check=True)
        Path("/proc/sys/vm/drop_caches").write_text("1")
    except OSError:
        return False
    return True


def trained(way: str, folder: Path, minutes: float) -> dict[str, Any]:
    """Train for some minutes; tell the speed, the share of waiting, and memory."""
    import murk

    images, truth = np.load(written(folder), mmap_mode="r"), labels()
    if way == "in memory":
        images, truth = np.array(images[:IN_MEMORY]), truth[:IN_MEMORY]
    noise = murk.Dilution(ALPHA, num_classes=CLASSES)
    seen: list[Any] = []

    def watch(progress: Any) -> None:
        seen.append((progress.step, progress.seconds, progress.seconds_waiting))
        if progress.seconds > 60 * minutes:
            raise EnoughError

    started = time.perf_counter()
    with Watched() as memory:
        try:
            murk.fit("conv4", images, noise.draw(truth, seed=0), noise=noise, batch_size=128, epochs=10, device="cpu",
                     callbacks=(watch,), seed=0)  # fmt: skip
        except EnoughError:
            pass
    first, last = seen[0], seen[-1]
    steps, seconds = last[0] - first[0], last[1] - first[1]
    return {
        "images": len(images), "images_per_second": round(128 * steps / seconds, 1), "seconds": round(last[1], 1),
        "seconds_before": round(time.perf_counter() - started - last[1], 1),
        "waiting": round((last[2] - first[2]) / seconds, 4), "megabytes": round(memory.most),
    }  # fmt: skip


def audited() -> dict[str, Any]:
    """Find the noise, cross-fit and list wrong labels of a million examples."""
    import murk
    from murk.learn import cross_fit
    from murk.noise import Votes

    rng = np.random.default_rng(0)
    truth = rng.integers(0, MANY_CLASSES, EXAMPLES)
    features = rng.standard_normal((MANY_CLASSES, NUMBERS), dtype=np.float32)[truth]
    features += rng.standard_normal(features.shape, dtype=np.float32)
    noise = murk.Channel.symmetric(WRONG, num_classes=MANY_CLASSES)
    given = noise.draw(truth, seed=0).batch(np.arange(EXAMPLES)).labels
    started = time.perf_counter()
    with Watched() as memory:
        crossed = cross_fit("perceptron", features, Votes.from_labels(given, num_classes=MANY_CLASSES), folds=2,
                            epochs=2, device="cpu", seed=0)  # fmt: skip
        errors = murk.find_label_errors(given, crossed.probs, probs_of="truth")
    wrong = given != truth
    return {
        "examples": EXAMPLES, "classes": MANY_CLASSES, "seconds": round(time.perf_counter() - started, 1),
        "megabytes": round(memory.most), "wrong": round(float(wrong.mean()), 4),
        "found": None if crossed.found is None else crossed.found.noise_rate.to_dict(),
        "flagged": int(errors.flagged.sum()), "precision": round(float(wrong[errors.flagged].mean()), 4),
    }  # fmt: skip


if __name__ == "__main__":
    main()
