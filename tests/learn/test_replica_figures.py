"""What is told of trainings that run together is what was measured, and the rule asks for it only where that paid."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from murk.learn import replicas_pay
from murk.models import Classifier, build

ROOT = Path(__file__).parents[2]
MEASURED = json.loads((ROOT / "benchmarks" / "results" / "replicas.json").read_text(encoding="utf-8"))
CELLS: list[dict[str, Any]] = MEASURED["one_thread"]
ROW = re.compile(r"(\w+) of width (\d+), batch (\d+) +([\d.]+) million((?: +[\d.]+){6})$", re.MULTILINE)
ORDER = [(count, precision) for count in (16, 8, 4) for precision in ("float32", "bfloat16")]


def network(model: str, width: int | None) -> Classifier:
    options = {"width": width} | ({"dropout": 0.0} if model.startswith("conv") else {})
    return build(model, example_shape=(28, 28, 1), num_classes=10, **options)


def ratio(model: str, width: int, batch: int, count: int, precision: str) -> str:
    asked = {"model": model, "width": width, "batch": batch, "replicas": count, "precision": precision}
    (cell,) = (cell for cell in CELLS if cell["augment"] == "none" and asked.items() <= cell.items())
    return f"{cell['ratio']['median']:.1f}"


def of_convnets() -> list[float]:
    return [cell["ratio"]["median"] for cell in CELLS if cell["model"].startswith("conv")]


def test_the_table_beside_the_rule_is_the_measured_one() -> None:
    text = str(replicas_pay.__doc__)
    rows = ROW.findall(text)
    assert len(rows) == 5
    for model, width, batch, millions, ratios in rows:
        weights = sum(weight.numel() for weight in network(model, int(width)).parameters())
        assert float(millions) == pytest.approx(int(batch) * weights / 1e6, rel=0.03)
        assert ratios.split() == [ratio(model, int(width), int(batch), *way) for way in ORDER]
    assert f"{min(of_convnets()):.1f} .. {max(of_convnets()):.1f}\n" in text


def test_the_rule_trains_together_only_where_every_measurement_was_faster() -> None:
    paying = [
        cell for cell in CELLS
        if replicas_pay(network(cell["model"], cell["width"]), replicas=cell["replicas"], batch_size=cell["batch"],
                        device="cpu")
    ]  # fmt: skip
    assert MEASURED["device"] == "cpu" and len(paying) >= 10
    assert [cell for cell in paying if cell["ratio"]["least"] <= 1] == []


def test_the_page_tells_what_was_measured() -> None:
    page = " ".join((ROOT / "docs" / "training.md").read_text(encoding="utf-8").split())
    eight, four = ([ratio("mlp1", 64, 32, count, way) for way in ("float32", "bfloat16")] for count in (8, 4))
    assert (
        f"8 MLPs of width 64 in batches of 32 train {eight[0]} times as fast as one after another in float32 "
        f"({eight[1]} times in bfloat16), 4 of them {four[0]} times ({four[1]})"
    ) in page
    slower = [1 / found for found in of_convnets()]
    assert f"ConvNets are {min(slower):.1f} to {max(slower):.1f} times *slower*" in page
    by_workers = {study["workers"]: study for study in MEASURED["studies"]}
    assert {study["trained_together"] for study in by_workers.values()} == {8}
    alone, two = (by_workers[count]["ratio"]["median"] for count in (0, 2))
    assert f"16 on 8x8 digits ends {alone:.1f} times as fast in one process and {two:.1f} times by two" in page
