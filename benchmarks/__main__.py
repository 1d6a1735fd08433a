"""Run every benchmark, one after the other: about two hours on two cores. Each writes its file in benchmarks/results.

python -m benchmarks [NAME ...]
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parent
NAMES = ("draws", "accuracy_from_votes", "decoding", "own_data", "sklearn_digits", "store_crash", "replicas",
         "training_speed", "mnist", "time_to_accuracy")  # fmt: skip


def main() -> None:
    unknown = [name for name in sys.argv[1:] if name not in NAMES]
    if unknown:
        raise SystemExit(f"benchmarks are {', '.join(NAMES)}, but {', '.join(unknown)} came")
    for name in sys.argv[1:] or NAMES:
        print(f"== {name}", flush=True)
        subprocess.run([sys.executable, str(FOLDER / f"{name}.py")], check=True)


if __name__ == "__main__":
    main()
