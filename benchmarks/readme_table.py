"""The README's table of results, from the result files: prints it, so that no number is copied by hand.

python benchmarks/readme_table.py
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"


def table() -> str:
    """Write the accuracies of benchmarks/results/mnist.json as a Markdown table."""
    rows: list[dict[str, Any]] = json.loads((RESULTS / "mnist.json").read_text())["rows"]
    by_setting: dict[str, dict[str, dict[str, Any]]] = {}
    for row in rows:
        by_setting.setdefault(row["setting"], {})[row["weighing"]] = row
    lines = [
        "| MNIST, alpha random labels per right one | ordinary training (the paper) | murk, independent votes "
        "| the same, two views | murk, exact dilution |",
        "|---|---|---|---|---|",
    ]
    for setting, found in by_setting.items():
        paper = found["exact"]["paper"]
        cells = [_cell(found.get(way)) for way in ("independent", "two views", "exact")]
        lines.append(f"| {setting} | {paper} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(row: dict[str, Any] | None) -> str:
    if row is None:
        return "not run"
    return f"{100 * row['selected']['mean']:.1f} % (± {100 * row['selected']['sd']:.1f})"


if __name__ == "__main__":
    print(table())
