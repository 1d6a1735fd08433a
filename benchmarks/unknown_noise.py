"""What does `fit(noise="auto")` reach on MNIST, where nobody says how labels go wrong, and what does it find?

All 60,000 images, three seeds; each seed draws its own votes, structure (random ranking), initial weights and order.
Single votes: symmetric noise (flips to the other classes) and flips to the next class. 21 votes an image: dilution at
alpha 20 with structured noise, nothing known of it; at delta 1, where one wrong class is voted for as often as the
right one, also with the knowledge that one vote is right, and with 100 audited labels. The model is `conv3`, everything
else the default rule, for all settings the same. A tenth of the images is held out and their votes choose the epoch;
no clean label is used but the 100. The last epoch stands beside the selected one.

Needs MNIST (`murk data fetch mnist`, or MURK_DATA). One thread a run; about six minutes each, 27 runs. Each is kept
in benchmarks/results/unknown_noise.json as soon as it is done; called again, only missing ones run.

    python benchmarks/unknown_noise.py [--jobs 2] [--seeds 3]
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np

from cells import command, interval

RESULTS = Path(__file__).parent / "results" / "unknown_noise.json"
ALPHA, AUDITED = 20, 100
SETTINGS: dict[str, dict[str, Any]] = {
    "symmetric 20 %": {"symmetric": 0.2, "bar": 0.992, "reach": 0.994},
    "symmetric 40 %": {"symmetric": 0.4, "bar": 0.990, "reach": 0.992},
    "symmetric 60 %": {"symmetric": 0.6, "bar": 0.984, "reach": 0.989},
    "symmetric 80 %": {"symmetric": 0.8, "bar": 0.965, "reach": 0.980},
    "pair flip 45 %": {"pair_flip": 0.45, "bar": 0.975, "reach": 0.988},
    "alpha 20, delta .5": {"delta": 0.5, "bar": 0.988, "reach": 0.993},
    "alpha 20, delta 1, one vote right": {"delta": 1.0, "one_right": True, "bar": 0.95, "reach": 0.985},
    "alpha 20, delta 1, 100 audited": {"delta": 1.0, "audited": AUDITED, "bar": 0.98, "reach": 0.99},
    "alpha 20, delta 1": {"delta": 1.0},
}  # fmt: skip


def train(setting: str, seed: int) -> dict[str, Any]:
    """Train once; return accuracies on the 10,000 clean test images, and how near the found noise is."""
    import torch

    import murk
    from murk.noise import Channel, Structured, Unknown, pair_flip, random_ranking
    from murk.noise.draws import permutation

    torch.set_num_threads(1)
    what, mnist = SETTINGS[setting], murk.load("mnist")
    if "delta" in what:
        noise = murk.Dilution(ALPHA, num_classes=10, pattern=Structured(what["delta"], random_ranking(10, seed=seed)))
    elif "pair_flip" in what:
        noise = Channel(pair_flip(10, what["pair_flip"]))
    else:
        noise = Channel.symmetric(what["symmetric"], num_classes=10)
    labels = mnist.train.labels
    votes, known = noise.draw(labels, seed=seed), None
    if "audited" in what:
        known = np.full(len(labels), -1)
        audited = permutation(seed, "benchmark/audited", len(labels))[: what["audited"]]
        known[audited] = labels[audited]
    started = time.perf_counter()
    fit = murk.fit(
        "conv3", mnist.train, votes, noise=Unknown(one_right=what.get("one_right", False)), known=known, device="cpu",
        seed=seed,
    )  # fmt: skip
    found, truth = fit.found, noise.transition.matrix()
    assert found is not None
    transition, rate = found.transition, 1 - float(np.diagonal(truth)[labels].mean())
    return {
        "setting": setting, "seed": seed,
        "selected": fit.evaluate(mnist.test).value, "last": fit.at_last_epoch().evaluate(mnist.test).value,
        "selected_epoch": fit.selected_epoch, "epochs": fit.recipe.epochs, "batch_size": fit.recipe.batch_size,
        "family": found.family, "identified": found.identified, "unnamed": list(found.unnamed),
        "error_per_entry": round(float(np.abs(transition.value - truth).mean()), 5),
        "entries_covered": float(((transition.low <= truth) & (truth <= transition.high)).mean()),
        "noise_rate": rate, "noise_rate_found": found.noise_rate.to_dict(), "behind": found.behind,
        "said": list(found.sentences()), "seconds": round(time.perf_counter() - started, 1),
    }  # fmt: skip


def summary(runs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Mean over seeds with its 95 % t-interval, per setting."""
    rows = []
    for setting, what in SETTINGS.items():
        found = [run for run in runs if run["setting"] == setting]
        row: dict[str, Any] = {"setting": setting, "n": len(found), **what}
        if len(found) > 1:
            row |= {name: interval(run[name] for run in found) for name in ("selected", "last", "error_per_entry")}
        row |= {
            "families": sorted({run["family"] for run in found}),
            "identified": [run["identified"] for run in found],
        }
        rows.append(row)
    return rows


def table(result: dict[str, Any]) -> str:
    """The runs as the rows of a page: mean over seeds, with the t-interval from two seeds on."""
    lines = [
        "| noise | right, selected | aimed at | T off by, an entry | found | classes named | seeds |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in result["rows"]:
        runs = [run for run in result["runs"] if run["setting"] == row["setting"]]
        mean = {name: float(np.mean([run[name] for run in runs])) for name in ("selected", "error_per_entry")}
        spread = f" ({row['selected']['low']:.1%} to {row['selected']['high']:.1%})" if len(runs) > 1 else ""
        bar = f"{row['bar']:.1%}" if "bar" in row else "-"
        named = "yes" if all(row["identified"]) else "no" if not any(row["identified"]) else "some"
        lines.append(
            f"| {row['setting']} | {mean['selected']:.1%}{spread} | {bar} | {mean['error_per_entry']:.4f} | "
            f"{', '.join(row['families'])} | {named} | {len(runs)} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    command(
        __doc__, script=__file__, results=RESULTS, names=("setting", "seed"), train=train, summary=summary, table=table,
        cells=lambda seeds: [(setting, seed) for seed in range(seeds) for setting in SETTINGS],
    )  # fmt: skip
