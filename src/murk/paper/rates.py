"""AdaDelta's rate for the paper's protocol, chosen by held-out noisy votes.

Shown: the held-out loss of the last epoch against the rate, for three networks on MNIST at several alpha.
Command: murk reproduce rates
Time: size small, about 10 minutes of one core (x86 with bfloat16, one thread a run); full wants a GPU.
The rate of a network at a noise level is the one with the lowest held-out loss; no clean label is read. The paper tuned
its rates for each noise level [recalled]; `murk.paper.ways.RATES` holds what these runs chose at size small, and no
other size reads its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from murk.paper.figure import Axis, Cell, Figure, Outcome, Row
from murk.paper.sizes import Size
from murk.paper.ways import PAPER

__all__ = ["FIGURE", "best_rates"]

RATES = (0.1, 0.3, 1.0, 3.0)
MODELS = ("perceptron", "mlp2", "conv4")
HELD_OUT = 0.1


def cells(size: Size, _: Any) -> Iterator[Cell]:
    """Each rate at each noise level, for each network."""
    for alpha in size.alphas:
        for model in MODELS:
            width = size.conv if model == "conv4" else {}
            base = {**size.digits, "model": model, **width, "alpha": alpha, "protocol": "paper", "held_out": HELD_OUT}
            for rate in RATES:
                yield Cell(f"{model}, α = {alpha}", PAPER, rate, {**base, "learning_rate": rate}, 1, level=alpha)


def rows(cells: Sequence[Cell], outcomes: Mapping[tuple[int, int], Outcome]) -> list[Row]:
    """Give the held-out loss of the last epoch."""
    found = []
    for number, cell in enumerate(cells):
        if (number, 0) in outcomes:
            loss = outcomes[number, 0]["facts"]["held_out_loss_last"]
            held_out = round(HELD_OUT * outcomes[number, 0]["facts"]["training_examples"])
            found.append({
                "panel": cell.panel, "series": cell.series, "x": cell.x, "value": loss, "low": None, "high": None,
                "n_seeds": 1, "planned": 1, "n_test": held_out, "seeds": {0: loss},
            })  # fmt: skip
    return found


def best_rates(cells: Sequence[Cell], rows: Sequence[Row]) -> dict[str, dict[int, float]]:
    """Choose the rate of each network and noise level where all its runs are there."""
    losses: dict[tuple[str, int], dict[float, float]] = {}
    found = {(row["panel"], row["x"]): row["value"] for row in rows}
    for cell in cells:
        if (cell.panel, cell.x) in found:
            setting = cell.setting
            losses.setdefault((setting["model"], setting["alpha"]), {})[cell.x] = found[cell.panel, cell.x]
    chosen: dict[str, dict[int, float]] = {model: {} for model in MODELS}
    for (model, alpha), by_rate in losses.items():
        if len(by_rate) == len(RATES):
            chosen[model][alpha] = min(by_rate, key=by_rate.__getitem__)
    return chosen


FIGURE = Figure(
    "rates", "AdaDelta's rate by held-out votes, MNIST",
    "Held-out loss of the last epoch (nats a vote, on noisy votes alone) against AdaDelta's rate, one run a point.",
    "The paper tuned its learning rate for each noise level [recalled].",
    Axis("Learning rate of AdaDelta", "log"), cells, rows=rows, y_title="Held-out loss", y_scale="amount",
)  # fmt: skip
