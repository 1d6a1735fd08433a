"""Which answer is right, and how good is each annotator? Dawid and Skene of murk beside crowd-kit's.

FOLDER holds sets as .npz: `task`, `worker`, `answer` in long form, and `truth` per task, which only measures. For each:
how often the consensus of both is the same, how often each is right beside the majority's, how sure each says to be,
and seconds, the least of five, in one run side by side; intervals for every annotator, which crowd-kit lacks, by
themselves. murk's own (`shrink=True`) stands beside the original algorithm (`shrink=False`), which crowd-kit runs.

Needs crowd-kit, which murk does not: pip install crowd-kit. One core: half a minute. Written to
benchmarks/results/annotators.json.

    python benchmarks/annotators.py FOLDER
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from murk.measure import AnnotatorQuality, dawid_skene
from murk.noise import Votes

RESULTS = Path(__file__).parent / "results" / "annotators.json"
TIMES = 5
OURS, ORIGINAL, THEIRS, MAJORITY = "murk", "murk, shrink=False", "crowd-kit", "majority"


def timed(run: Callable[[], Any]) -> tuple[Any, float]:
    """Give what a call returns, and its least seconds."""
    seconds = []
    for _ in range(TIMES):
        started = time.perf_counter()
        found = run()
        seconds.append(time.perf_counter() - started)
    return found, round(min(seconds), 3)


def measured(path: Path) -> dict[str, Any]:
    import pandas as pd
    from crowdkit.aggregation import DawidSkene, MajorityVote

    with np.load(path, allow_pickle=False) as file:
        task, worker, answer, truth = (np.asarray(file[name]).astype(np.int64)
                                       for name in ("task", "worker", "answer", "truth"))  # fmt: skip
    size, classes = len(truth), int(max(answer.max(), truth.max())) + 1
    votes = Votes.from_long(task, answer, worker, num_examples=size, num_classes=classes)
    table = pd.DataFrame({"task": task, "worker": worker, "label": answer})
    ours, ours_seconds = timed(lambda: dawid_skene(votes))
    plain, plain_seconds = timed(lambda: dawid_skene(votes, shrink=False))
    theirs, their_seconds = timed(lambda: DawidSkene(n_iter=100, tol=1e-5).fit(table))
    width, interval_seconds = intervals(ours)
    labels = theirs.labels_.sort_index()
    judged = labels.index.to_numpy().astype(np.int64)
    consensus = {
        OURS: ours.consensus[judged], ORIGINAL: plain.consensus[judged], THEIRS: labels.to_numpy().astype(np.int64),
        MAJORITY: MajorityVote().fit_predict(table).sort_index().to_numpy().astype(np.int64),
    }  # fmt: skip
    sure = {OURS: ours.confidence[judged], ORIGINAL: plain.confidence[judged],
            THEIRS: theirs.probas_.sort_index().max(axis=1).to_numpy()}  # fmt: skip
    known = truth[judged] >= 0
    return {
        "tasks": len(judged), "annotators": int((np.bincount(worker) > 0).sum()), "answers": len(answer),
        "classes": classes,
        "right": {name: round(float((each == truth[judged])[known].mean()), 4) for name, each in consensus.items()},
        "sure": {name: round(float(each.mean()), 4) for name, each in sure.items()},
        "same_as_crowd_kit": {name: round(float((consensus[name] == consensus[THEIRS]).mean()), 4)
                              for name in (OURS, ORIGINAL)},
        "seconds": {OURS: ours_seconds, ORIGINAL: plain_seconds, THEIRS: their_seconds, "intervals": interval_seconds},
        "interval_width": round(width, 3),
    }  # fmt: skip


def intervals(found: AnnotatorQuality) -> tuple[float, float]:
    """Make the intervals; give their mean width, and seconds."""
    started = time.perf_counter()
    accuracy = found.accuracy
    return float((accuracy.high - accuracy.low).mean()), round(time.perf_counter() - started, 3)


def table(result: dict[str, Any]) -> str:
    """The results as a Markdown table."""
    heads = ("set", "tasks, annotators, answers", "consensus right: murk", "original", "crowd-kit", "majority",
             "same as crowd-kit, original", "seconds: murk", "original", "crowd-kit", "murk's intervals")  # fmt: skip
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for name, each in result["sets"].items():
        right, seconds = each["right"], each["seconds"]
        cells = [
            f"{each['tasks']:,}, {each['annotators']}, {each['answers']:,}", *(f"{right[way]:.1%}" for way in right),
            f"{each['same_as_crowd_kit'][ORIGINAL]:.1%}", *(f"{value:.2f}" for value in seconds.values()),
        ]  # fmt: skip
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    from machine import machine  # beside this script, where only a run of it looks

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where the sets lie, .npz")
    folder = parser.parse_args().folder
    sets = {path.stem: measured(path) for path in sorted(folder.glob("*.npz"))}
    result = {"machine": machine(), "sets": sets}
    RESULTS.write_text(json.dumps(result, indent=1) + "\n")
    print(table(result))


if __name__ == "__main__":
    main()
