"""One decision from start to end, as docs/plan.md tells it: what to buy for images labelled by a careless crowd.

10,000 Fashion-MNIST images, each with one label of which six in ten are wrong; 85 % are wanted. `murk plan` is run on
them, its recommendation is bought, and a network is trained with it (two seeds), measured on the set's clean test
images. Pictures of the plan go to docs/pictures/plan, what came out to results/decision.json. One core: fifteen
minutes.

    MURK_DATA=FOLDER python benchmarks/decision.py --work FOLDER            python benchmarks/decision.py --table
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch

import murk
from audit_walk import draw
from machine import machine
from murk.plan import Purchase
from murk.show import plan_page
from purchases import collected

RESULTS = Path(__file__).parent / "results" / "decision.json"
PICTURES = Path(__file__).parents[1] / "docs" / "pictures" / "plan"
SET, IMAGES, RATE, SEED = "fashion-mnist", 10_000, 0.6, 0
ASKED = ("--votes", "labels", "--noise", f"symmetric:{RATE}", "--target", ".85", "--minutes", "8",
         "--cost-label", ".02", "--cost-vote",
         ".02", "--cost-clean", ".40", "--seed", str(SEED))  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--work", type=Path)
    parser.add_argument("--table", action="store_true")
    arguments = parser.parse_args()
    if not arguments.table:
        if arguments.work is None:
            parser.error("name a folder to work in by --work")
        torch.set_num_threads(1)
        RESULTS.write_text(json.dumps({"machine": machine(), **decided(arguments.work)}, indent=1) + "\n")
    print(table(json.loads(RESULTS.read_text())))


def decided(work: Path) -> dict[str, Any]:
    """Plan, buy, train twice."""
    whole, noise = murk.load(SET), murk.Channel.symmetric(RATE, num_classes=10)
    labels = noise.draw(whole.train.labels, seed=SEED).batch(np.arange(IMAGES)).labels
    work.mkdir(parents=True, exist_ok=True)
    np.savez(work / "crowd.npz", images=whole.train.images[:IMAGES], labels=labels)
    out = work / "plan"
    program = [sys.executable, "-c", "from murk.cli import main; main()", "plan", str(work / "crowd.npz")]
    subprocess.run([*program, *ASKED, "-o", str(out)], check=True)
    result = json.loads((out / "result.json").read_text())
    draw(plan_page(result), PICTURES)
    facts = result["facts"]
    told = {"said": facts["said"], "purchase": facts["purchase"], "now": result["estimates"]["now"],
            "trainings": len(facts["runs"]), "seconds": sum(run["seconds"] for run in facts["runs"]),
            "offers": facts["offers"], "model": result["settings"]["model"]}  # fmt: skip
    if facts["purchase"] is None:
        return {**told, "reached": []}
    bought = Purchase(**{name: facts["purchase"][name] for name in ("labels", "votes", "clean", "cost")},
                      accuracy=murk.measure.Estimate(**facts["purchase"]["accuracy"]))  # fmt: skip
    images, answers, known = collected(whole.train, noise, bought, images_at_hand=IMAGES, seed=SEED)
    reached = []
    for seed in (1, 2):
        fit = murk.fit(
            told["model"], images, murk.Votes.from_matrix(answers, num_classes=10), noise=noise, known=known, seed=seed
        )
        reached.append(float((fit.predict_probs(whole.test).argmax(1) == whole.test.labels).mean()))
    return {**told, "reached": reached}


def table(result: dict[str, Any]) -> str:
    """Write what docs/plan.md says of it."""
    lines = ["| what | cost | accuracy then | now, if they measure it |", "|---|---|---|---|"]
    for offer in result["offers"]:
        lines.append(
            f"| {offer['name']} | {offer['cost']:,.2f} | {shown(offer['accuracy'])} | {shown(offer['measured'])} |"
        )
    reached = " and ".join(f"{each:.1%}" for each in result["reached"])
    return "\n".join([*(f"> {said}\n" for said in result["said"]), *lines, "", f"Reached by two trainings: {reached}."])


def shown(estimate: dict[str, float] | None) -> str:
    return "-" if estimate is None else f"{estimate['value']:.1%} ({estimate['low']:.1%} to {estimate['high']:.1%})"


if __name__ == "__main__":
    main()
