"""A whole audit, from labels to corrected labels, as docs/audit.md tells it: what it says, and what is true.

Twice the labels of CIFAR-10N (what two of three people said, 9 % wrong): once with nothing else, the classifiers (a
small ConvNet, 8 passes) being trained out of fold; once with published out-of-sample probabilities of a ResNet-18. In
both, 200 labels are drawn to be checked, the true ones answer, and the labels are put right. The truth is used for
nothing else but to measure what came of it.

LABELS.npz holds `aggre_label` and `clean_label` in the order of the set's images; PROBS.npz holds `noisy_labels`,
`true_labels` and `pred_probs`. Needs CIFAR-10 (MURK_DATA). One core: 40 minutes, which resume in --work. Written to
benchmarks/results/audit_walk.json, pictures to docs/pictures/audit.

    python benchmarks/audit_walk.py LABELS.npz PROBS.npz --work FOLDER
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

from machine import machine
from murk.show import Figure, Page, audit_page
from murk.show.chart import chart_spec, chart_svg

RESULTS = Path(__file__).parent / "results" / "audit_walk.json"
PICTURES = Path(__file__).parents[1] / "docs" / "pictures" / "audit"
SAMPLE, EPOCHS, FOLDS = 200, 8, 4


def walk(asked: list[str], out: Path, labels: np.ndarray, truth: np.ndarray, names: list[str]) -> dict[str, Any]:
    """Audit without answers, answer, audit again and correct; say what was told and what is true."""
    first = murk([*asked, "--sample", str(SAMPLE), "-o", str(out)])
    rows = answered(out / "to_check.csv", truth, names)
    second = murk([
        *asked, "--audited", str(out / "to_check.csv"), "--corrected", str(out / "corrected.csv"), "-o", str(out),
    ])  # fmt: skip
    with (out / "corrected.csv").open(newline="") as file:
        corrected = np.array([names.index(row["label"]) for row in csv.DictReader(file)])
    changed = corrected != labels
    count, rate = first["facts"]["errors_range"], second["estimates"]["noise_rate"]
    return {
        "examples": len(labels), "wrong": int((labels != truth).sum()), "range": [count["low"], count["high"]],
        "flagged": first["facts"]["flagged"], "checked": len(rows), "rate": rate,
        "accuracy": second["estimates"]["accuracy"], "promises": second["facts"]["promises"],
        "said": second["facts"]["said"], "changed": int(changed.sum()),
        "changed_wrong": int((changed & (labels != truth)).sum()), "wrong_after": int((corrected != truth).sum()),
    }  # fmt: skip


def murk(line: list[str]) -> dict[str, Any]:
    command = [str(Path(sys.executable).with_name("murk")), "audit", *line, "--json"]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def answered(path: Path, truth: np.ndarray, names: list[str]) -> list[dict[str, str]]:
    """Fill the column truth, as someone would who looks at each image."""
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        row["truth"] = names[truth[int(row["id"])]]
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return rows


def draw(page: Page, folder: Path) -> None:
    """Write the pictures of a page."""
    folder.mkdir(parents=True, exist_ok=True)
    for block in page.blocks:
        if isinstance(block, Figure):
            (folder / f"{block.name}.svg").write_text(chart_svg(chart_spec(block.chart)))


def table(results: dict[str, Any]) -> str:
    """Write the table of docs/audit.md."""
    lines = [
        "| | trained here: small ConvNet | brought: ResNet-18 |", "|---|---|---|",
        line(results, "predicted class is the true one, by 200 checked", lambda one: share(one["accuracy"])),
        line(results, "wrong labels, range without a checked one",
             lambda one: f"{one['range'][0]:,.0f} to {one['range'][1]:,.0f}"),
        line(results, "wrong labels, by 200 checked", lambda one: share(one["rate"])),
        line(results, "in truth", lambda one: f"{one['wrong']:,} ({one['wrong'] / one['examples']:.1%})"),
        line(results, "labels changed, of which were wrong",
             lambda one: f"{one['changed']:,}, {one['changed_wrong']:,}"),
        line(results, "wrong labels after that",
             lambda one: f"{one['wrong_after']:,} ({one['wrong_after'] / one['examples']:.1%})"),
    ]  # fmt: skip
    return "\n".join(lines)


def line(results: dict[str, Any], name: str, told: Any) -> str:
    return f"| {name} | {told(results['trained'])} | {told(results['brought'])} |"


def share(estimate: dict[str, Any]) -> str:
    return f"{estimate['value']:.1%} ({estimate['low']:.1%} to {estimate['high']:.1%})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("labels", type=Path, nargs="?", metavar="LABELS.npz")
    parser.add_argument("probs", type=Path, nargs="?", metavar="PROBS.npz")
    parser.add_argument("--work", type=Path, help="folder for audits; what has run in it is not run again")
    parser.add_argument("--table", action="store_true", help="run nothing; print the page's table")
    arguments = parser.parse_args()
    if arguments.table:
        print(table(json.loads(RESULTS.read_text())))
        return
    if arguments.labels is None or arguments.probs is None or arguments.work is None:
        parser.error("name LABELS.npz, PROBS.npz and --work FOLDER")
    import murk as library

    names, work = list(library.load("cifar10").class_names), arguments.work
    work.mkdir(parents=True, exist_ok=True)
    with np.load(arguments.labels) as file:
        labels, truth = file["aggre_label"].astype(int), file["clean_label"].astype(int)
    rows = "".join(f"{example},{names[label]}\n" for example, label in enumerate(labels))
    (work / "votes.csv").write_text(f"example,label\n{rows}")
    asked = ["cifar10", "--votes", str(work / "votes.csv"), "--model", "conv4", "--epochs", str(EPOCHS), "--folds",
             str(FOLDS), "--device", "cpu"]  # fmt: skip
    results = {"machine": machine(), "trained": walk(asked, work / "trained", labels, truth, names)}
    with np.load(arguments.probs) as file:
        labels, truth = file["noisy_labels"].astype(int), file["true_labels"].astype(int)
        np.save(work / "probs.npy", file["pred_probs"])
    np.save(work / "labels.npy", labels)
    asked = ["--probs", str(work / "probs.npy"), "--labels", str(work / "labels.npy"), "--classes", ",".join(names)]
    results["brought"] = walk(asked, work / "brought", labels, truth, names)
    draw(audit_page(json.loads((work / "brought" / "result.json").read_text()), []), PICTURES)
    RESULTS.write_text(json.dumps(results, indent=1) + "\n")
    print(table(results))


if __name__ == "__main__":
    main()
