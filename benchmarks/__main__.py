"""Run the benchmarks, one after the other: about seven hours on two cores. Each writes its file in benchmarks/results.

Those that need to be told where their data lies, or a rival, are left out, and run by themselves: weak_supervision
FOLDER, label_errors FOLDER, annotators FOLDER, law STORE, methods STORE, retrieval STORE,
cifar10n (a GPU), fuzz
(hours), larger_than_memory --folder FOLDER, audit_walk LABELS.npz PROBS.npz --work FOLDER, decision --work FOLDER.

    python -m benchmarks [NAME ...]
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parent
NAMES = ("draws", "accuracy_from_votes", "decoding", "own_data", "sklearn_digits", "store_crash", "replicas",
         "training_speed", "mnist", "unknown_noise", "instance_noise", "time_to_accuracy", "unmixing_power",
         "conformal", "learning_curves", "gradient_noise", "batch_advice", "purchases", "neighbours",
         "retrieval_floor")  # fmt: skip
BY_THEMSELVES = {
    "weak_supervision": "FOLDER",
    "law": "STORE",
    "methods": "STORE",
    "retrieval": "STORE",
    "cifar10n": "",
    "larger_than_memory": "--folder FOLDER",
    "fuzz": "",
    "label_errors": "FOLDER",
    "annotators": "FOLDER",
    "audit_walk": "LABELS.npz PROBS.npz --work FOLDER",
    "decision": "--work FOLDER",
}  # with what they need


def main() -> None:
    unknown = [name for name in sys.argv[1:] if name not in NAMES]
    if unknown:
        alone = ", ".join(f"python benchmarks/{name}.py {needed}".rstrip() for name, needed in BY_THEMSELVES.items())
        raise SystemExit(f"benchmarks are {', '.join(NAMES)}, and by itself {alone}, but {', '.join(unknown)} came")
    for name in sys.argv[1:] or NAMES:
        print(f"== {name}", flush=True)
        subprocess.run([sys.executable, str(FOLDER / f"{name}.py")], check=True)


if __name__ == "__main__":
    main()
