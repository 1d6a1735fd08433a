"""Which labels are wrong, and how many? Against cleanlab and against "the predicted class differs".

FOLDER holds cases as .npz: `noisy_labels`, `true_labels` (which only measure) and `pred_probs`, published out-of-sample
probabilities of classifiers trained on those labels. One setting for all cases. Written to
benchmarks/results/label_errors.json:

- F1 of the labels flagged, and the area under the precision-recall curve of the ranking, beside cleanlab's default
  filter, the disagreement of label and predicted class, and cleanlab's ranking by self-confidence;
- the stated range of the number of wrong labels, beside cleanlab's point;
- noise rates from audits of 200 and 500 labels, 4,000 of each: how often the 95 % interval holds the truth of the case,
  and its mean width over that of the Wilson interval of as many labels drawn simply at random; drawn by
  `audit_sample`, and simply at random;
- with --scale, in place of all that: time and anonymous memory (RssAnon) for tables of probabilities larger than memory
  should hold, float16 in a memory map, made from a seed.

Needs cleanlab, which murk does not: pip install cleanlab==2.9.0. Two cores: ten minutes.

    python benchmarks/label_errors.py FOLDER [--audits 4000] [--scale]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.metrics import average_precision_score, f1_score

from murk.audit import audit_labels
from murk.audit.folder import result_of
from murk.measure import Audit, audit_sample, exact_binomial, find_label_errors

RESULTS = Path(__file__).parent / "results" / "label_errors.json"
AUDITED = (200, 500)
DRAWN = ("by audit_sample", "simply at random")
SCALES = ((1_000_000, 1000), (200_000, 5000))
ROWS_AT_ONCE = 10_000
SURE, SPREAD, NOISE = 8.0, 1.5, 0.2


def read(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    with np.load(path, allow_pickle=False) as file:
        return file["noisy_labels"].astype(np.int64), file["true_labels"].astype(np.int64), file["pred_probs"]


def case(path: Path, number: int) -> dict[str, Any]:
    """Measure one case."""
    given = read(path)
    found = detection(*given) | {"audits": audits(*given, number=number), "ranges": ranges(path)}
    print(f"{path.stem}: done", flush=True)
    return found


def detection(labels: np.ndarray, truth: np.ndarray, probs: np.ndarray) -> dict[str, Any]:
    """F1, area under the precision-recall curve, and number of errors, of murk and of rivals."""
    from cleanlab.count import num_label_issues
    from cleanlab.filter import find_label_issues

    wrong = labels != truth
    started = time.perf_counter()
    found = find_label_errors(labels, probs)
    seconds = time.perf_counter() - started
    started = time.perf_counter()
    theirs = find_label_issues(labels, probs)
    their_seconds = time.perf_counter() - started
    own = probs[np.arange(len(labels)), labels]
    return {
        "examples": len(labels), "wrong": int(wrong.sum()),
        "f1": {"murk": f1(wrong, found.flagged), "cleanlab": f1(wrong, theirs),
               "predicted class differs": f1(wrong, probs.argmax(1) != labels)},
        "auprc": {"murk": area(wrong, found.probability), "cleanlab, self-confidence": area(wrong, -own)},
        "range": [found.count.low, found.count.high], "cleanlab_count": int(num_label_issues(labels, probs)),
        "corrected": {"before": round(float((~wrong).mean()), 5),
                      "after": round(float((found.suggested == truth).mean()), 5)},
        "seconds": {"murk": round(seconds, 2), "cleanlab": round(their_seconds, 2)},
    }  # fmt: skip


def f1(wrong: np.ndarray, flagged: np.ndarray) -> float:
    return round(float(f1_score(wrong, flagged)), 5)


def area(wrong: np.ndarray, score: np.ndarray) -> float:
    return round(float(average_precision_score(wrong, score)), 5)


def audits(labels: np.ndarray, truth: np.ndarray, probs: np.ndarray, *, number: int) -> list[dict[str, Any]]:
    """Draw many audits; give coverage of their intervals, and their width over Wilson's."""
    chance = find_label_errors(labels, probs).probability
    rate, classes = float((labels != truth).mean()), probs.shape[1]
    rows = []
    for size in AUDITED:
        wilson = np.mean([np.ptp(wilson_interval(hits, size)) for hits in
                          np.random.default_rng(0).hypergeometric(round(rate * len(labels)), round((1 - rate) * len(
                              labels)), size, number)])  # fmt: skip
        for drawn in DRAWN:
            found = []
            for seed in range(number):
                where = (audit_sample(chance, size, seed=seed) if drawn == DRAWN[0]
                         else np.random.default_rng(seed).choice(len(labels), size, replace=False))  # fmt: skip
                told = Audit(labels, chance, where, truth[where], num_classes=classes).noise_rate()
                found.append((told.low, told.high))
            low, high = np.array(found).T
            held = int(((low <= rate) & (rate <= high)).sum())
            rows.append({
                "audited": size, "drawn": drawn, "audits": number, "coverage": exact_binomial(held, number).to_dict(),
                "width": round(float((high - low).mean()), 5), "over_wilson": round(float((high - low).mean() / wilson),
                                                                                    4),
            })  # fmt: skip
    return rows


def wilson_interval(hits: int, size: int) -> tuple[float, float]:
    z, share = 1.959964, hits / size
    centre, half = share + z**2 / (2 * size), z * (share * (1 - share) / size + z**2 / (4 * size**2)) ** 0.5
    return (centre - half) / (1 + z**2 / size), (centre + half) / (1 + z**2 / size)


def made(folder: Path, rows: int, classes: int) -> None:
    """Write probabilities [rows, classes] float16 and labels, a fifth of them the class after the right one."""
    table = np.lib.format.open_memmap(folder / "probs.npy", "w+", np.float16, (rows, classes))
    rng, labels = np.random.default_rng(0), np.empty(rows, np.int64)
    for start in range(0, rows, ROWS_AT_ONCE):
        truth = rng.integers(0, classes, ROWS_AT_ONCE)
        scores = SPREAD * rng.standard_normal((ROWS_AT_ONCE, classes), dtype=np.float32)
        scores[np.arange(ROWS_AT_ONCE), truth] += SURE
        scores = np.exp(scores)
        table[start : start + ROWS_AT_ONCE] = scores / scores.sum(1, keepdims=True)
        wrong = rng.random(ROWS_AT_ONCE) < NOISE
        labels[start : start + ROWS_AT_ONCE] = np.where(wrong, (truth + 1) % classes, truth)
    table.flush()
    np.save(folder / "labels.npy", labels)


def measured_alone(folder: Path) -> dict[str, Any]:
    """Find the label errors of what `made` wrote; give seconds, and the peak of anonymous memory in MB."""
    peak, done = [anonymous()], threading.Event()

    def watch() -> None:
        while not done.wait(0.01):
            peak.append(max(peak[-1], anonymous()))

    watcher = threading.Thread(target=watch)
    watcher.start()
    started = time.perf_counter()
    found = find_label_errors(np.load(folder / "labels.npy"), np.load(folder / "probs.npy", mmap_mode="r"))
    seconds = time.perf_counter() - started
    done.set()
    watcher.join()
    return {"seconds": round(seconds, 1), "anonymous_mb": round(peak[-1]), "at_start_mb": round(peak[0]),
            "range": [found.rate.low, found.rate.high], "flagged": float(found.flagged.mean())}  # fmt: skip


def ranges(path: Path) -> dict[str, Any]:
    """Count the classes, and the pairs of classes, whose stated range without an audit holds what is true."""
    labels, truth, probs = read(path)
    found = result_of(audit_labels(labels, probs), settings={}, data={}, seeds={}).facts
    classes, size = found["classes"], len(found["classes"])
    counted = np.zeros((size, size))
    np.add.at(counted, (truth, labels), 1)
    wrong = 1 - np.diagonal(counted) / counted.sum(0)
    held = [each["range"]["low"] <= rate <= each["range"]["high"] for each, rate in zip(classes, wrong, strict=True)]
    low, high = (np.array(found["transition"][end]) for end in ("low", "high"))
    rows = counted / counted.sum(1, keepdims=True)
    pairs = ((low <= rows) & (rows <= high))[~np.eye(size, dtype=np.bool_)]
    first = [(int(each["true"]), int(each["label"])) for each in found["confusions"][:15]]
    return {
        "classes": size, "classes_held": int(sum(held)), "pairs": len(pairs), "pairs_held": int(pairs.sum()),
        "first": len(first), "first_held": sum(bool(low[at] <= rows[at] <= high[at]) for at in first),
    }  # fmt: skip


def ranges_table(result: dict[str, Any]) -> str:
    """Ranges by class and by pair of classes as a Markdown table."""
    lines = [
        "| case | classes held | pairs of classes held | of the 15 most frequent confusions |",
        "|---|---|---|---|",
    ]
    for name, each in result["cases"].items():
        told = each["ranges"]
        cells = [f"{told[f'{kind}_held']} of {told[kind]}" for kind in ("classes", "pairs", "first")]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def anonymous() -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) / 1024


def scale() -> list[dict[str, Any]]:
    rows = []
    for examples, classes in SCALES:
        with tempfile.TemporaryDirectory() as folder:
            made(Path(folder), examples, classes)
            alone = subprocess.run([sys.executable, __file__, folder, "--alone"], check=True, capture_output=True)
        rows.append({"examples": examples, "classes": classes, **json.loads(alone.stdout)})
        print(rows[-1], flush=True)
    return rows


def detection_table(result: dict[str, Any]) -> str:
    """Detection as a Markdown table."""
    lines = ["| case | wrong labels | F1: murk | cleanlab | predicted differs | AUPRC: murk | self-confidence |"
             " errors, stated range | cleanlab's count |", "|---|---|---|---|---|---|---|---|---|"]  # fmt: skip
    for name, each in result["cases"].items():
        scores, areas = each["f1"], each["auprc"]
        shown = [f"{value:.3f}" for value in (*scores.values(), *areas.values())]
        count = f"{each['range'][0]:,.0f} to {each['range'][1]:,.0f}"
        cells = [f"{each['wrong']:,}", *shown, count, f"{each['cleanlab_count']:,}"]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def audits_table(result: dict[str, Any]) -> str:
    """Audits as a Markdown table: coverage and width of each case, and mean width."""
    names = list(result["cases"])
    lines = [f"| labels checked | drawn | {' | '.join(names)} | mean width |", f"|---|---|{'---|' * len(names)}---|"]
    for at, row in enumerate(result["cases"][names[0]]["audits"]):
        rows = [result["cases"][name]["audits"][at] for name in names]
        cells = [f"{each['coverage']['value']:.1%}, {each['over_wilson']:.2f}" for each in rows]
        mean = np.mean([each["over_wilson"] for each in rows])
        lines.append(f"| {row['audited']} | {row['drawn']} | {' | '.join(cells)} | {mean:.2f} |")
    return "\n".join(lines) + "\n"


def scale_table(result: dict[str, Any]) -> str:
    """Large tables as a Markdown table."""
    lines = ["| examples x classes, float16 | seconds | anonymous memory, MB | of which before it began |",
             "|---|---|---|---|"]  # fmt: skip
    for row in result["scale"]:
        size = f"{row['examples']:,} x {row['classes']:,}"
        lines.append(f"| {size} | {row['seconds']} | {row['anonymous_mb']} | {row['at_start_mb']} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    from machine import machine  # beside this script, where only a run of it looks

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", help="where the cases lie, .npz")
    parser.add_argument("--audits", type=int, default=4000, help="simulated, of each size and way")
    parser.add_argument("--scale", action="store_true", help="measure large tables instead")
    parser.add_argument("--ranges", action="store_true", help="measure only the ranges by class anew, without a rival")
    parser.add_argument("--alone", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.alone:
        print(json.dumps(measured_alone(arguments.folder)))
        return
    if not arguments.scale and arguments.folder is None:
        parser.error("name the FOLDER where the cases lie, or --scale")
    result = json.loads(RESULTS.read_text()) if RESULTS.exists() else {"cases": {}, "scale": []}
    result["machine"] = machine()
    if arguments.scale:
        result["scale"] = scale()
    elif arguments.ranges:
        for path in sorted(arguments.folder.glob("*.npz")):
            result["cases"][path.stem]["ranges"] = ranges(path)
    else:
        result["cases"] = {path.stem: case(path, arguments.audits) for path in sorted(arguments.folder.glob("*.npz"))}
    RESULTS.write_text(json.dumps(result, indent=1) + "\n")
    print(detection_table(result), audits_table(result), ranges_table(result), scale_table(result), sep="\n")


if __name__ == "__main__":
    main()
