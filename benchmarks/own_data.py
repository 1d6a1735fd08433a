"""How long does it take from a folder of JPEGs and a table of votes to a model and predictions, by three commands?

Makes 5,000 JPEGs of 500 x 375 in one folder without classes (those of benchmarks/decoding.py, each with a large figure
of its class: five colours of disc), and a CSV of three annotators' votes, each wrong with probability .4. Then times,
from an empty cache, `murk data show`, `murk train` and `murk predict`, as a user would call them, defaults throughout,
and holds the predictions against the true classes, which no command sees. Written to benchmarks/results/own_data.json;
with another number of images it is only printed.

    python benchmarks/own_data.py [--images 5000]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet
from PIL import ImageDraw

from decoding import QUALITY, SEED, photograph
from machine import machine

COLOURS = {"amber": (230, 159, 0), "azure": (86, 180, 233), "jade": (0, 158, 115), "ochre": (213, 94, 0),
           "plum": (150, 60, 160)}  # fmt: skip
ANNOTATORS, WRONG = 3, 0.4
RESULTS = Path(__file__).parent / "results" / "own_data.json"


def write_data(root: Path, count: int) -> list[str]:
    """Write photos/NUMBER.jpg and votes.csv; the true class of each image, in order."""
    draw, names = np.random.default_rng(SEED), list(COLOURS)
    truth, lines = [names[k] for k in draw.integers(0, len(names), count)], ["image,annotator,label"]
    (root / "photos").mkdir()
    for number, name in enumerate(truth):
        image = photograph(number)
        left, top, size = draw.integers((60, 0, 120), (260, 180, 190)).tolist()
        ImageDraw.Draw(image).ellipse((left, top, left + size, top + size), fill=COLOURS[name])
        image.save(root / "photos" / f"{number:06}.jpg", quality=QUALITY)
        for annotator in range(ANNOTATORS):
            others = [other for other in names if other != name]
            vote = name if draw.random() >= WRONG else others[draw.integers(len(others))]
            lines.append(f"{number:06}.jpg,a{annotator},{vote}")
    (root / "votes.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return truth


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=5000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        truth = write_data(root, arguments.images)
        environment = os.environ | {"MURK_CACHE": str(root / "cache")}
        seconds = {}
        for command in (
            ["data", "show", "photos", "--votes", "votes.csv"],
            ["train", "photos", "--votes", "votes.csv", "--noise", f"symmetric:{WRONG}", "-o", "run"],
            ["predict", "run", "photos", "-o", "predictions.parquet"],
        ):
            started = time.perf_counter()
            program = [sys.executable, "-c", "from murk.cli import main; main()", *command]
            subprocess.run(program, cwd=root, env=environment, check=True, stdout=subprocess.DEVNULL)
            seconds["murk " + " ".join(command)] = round(time.perf_counter() - started, 1)
            print(command[0], seconds["murk " + " ".join(command)], flush=True)
        table = pyarrow.parquet.read_table(root / "predictions.parquet")
        found = dict(zip(table["id"].to_pylist(), table["class"].to_pylist(), strict=True))
        right = np.mean([found[f"{number:06}.jpg"] == name for number, name in enumerate(truth)])
    results = {
        "machine": machine(), "images": arguments.images, "seconds": seconds, "in_all": round(sum(seconds.values()), 1),
        "right_predictions": float(right), "right_votes": 1 - WRONG,
    }  # fmt: skip
    print(json.dumps(results, indent=1))
    if arguments.images == parser.get_default("images"):
        RESULTS.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
