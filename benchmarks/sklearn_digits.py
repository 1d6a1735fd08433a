"""What does `NoisyLabelClassifier` make of scikit-learn's digits when half the labels are drawn at random?

1,797 rows of 64 numbers, a new split into 1,300 and 497 for each of ten seeds, `StandardScaler` in a `Pipeline`, and
each training label replaced by a uniformly drawn one with probability 1/2. The classifier is given T = .5 I + .05 and
is otherwise as it comes; beside it, on the same labels, scikit-learn's LogisticRegression as it comes (max_iter raised
until it converges), and murk without T. Accuracy is on the clean labels of the 497, which nothing else looks at.

The one thing that was settled here is the classifier's default network for features. It was compared with others by
the likelihood of held-out *votes*: on splits of the 1,300 training rows of other seeds (200 to 207), a quarter held
out twice, no clean label read. `--settle` does that again.

One core: about two minutes, and ten with --settle. Written to benchmarks/results/sklearn_digits.json.

    python benchmarks/sklearn_digits.py [--settle]
"""

from __future__ import annotations

import argparse
import json
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy import stats
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from murk.models import build
from murk.noise import Channel
from murk.noise.draws import permutation
from murk.sklearn import NoisyLabelClassifier, vote_log_likelihood

RESULTS = Path(__file__).parent / "results" / "sklearn_digits.json"
SEEDS, SETTLING_SEEDS = range(10), range(200, 208)
TRAINING = 1_300
T = 0.5 * np.eye(10) + 0.05
BAR, MARGIN = 0.84, 0.03

Rival = Callable[[int], Any]


def ours(seed: int, **settings: Any) -> NoisyLabelClassifier:
    return NoisyLabelClassifier(**{"noise": T, "device": "cpu", "random_state": seed} | settings)


RIVALS: dict[str, Rival] = {
    "NoisyLabelClassifier(noise=T)": ours,
    "NoisyLabelClassifier(), T not given": lambda seed: ours(seed, noise=None),
    "LogisticRegression(max_iter=2000)": lambda seed: LogisticRegression(max_iter=2000),
}


def mlp1(seed: int, *, settings: dict[str, Any] | None = None, **options: Any) -> NoisyLabelClassifier:
    return ours(seed, model=partial(build, "mlp1", **options), **settings or {})


CANDIDATES: dict[str, Rival] = {
    "mlp1, dropout 0.5 (the default)": ours,
    "mlp1, dropout 0.5, batches of 512": partial(ours, batch_size=512),
    "mlp1, dropout 0.5, batches of 64": partial(ours, batch_size=64),
    "mlp1, dropout 0.5, 40 epochs": partial(ours, epochs=40),
    "mlp1, dropout 0.5, width 64": partial(mlp1, dropout=0.5, width=64),
    "mlp1, no dropout": partial(mlp1, dropout=0.0),
    "mlp1, no dropout, weight decay 0.5": partial(mlp1, dropout=0.0, settings={"weight_decay": 0.5}),
    "mlp1, no dropout, nothing held out": partial(mlp1, dropout=0.0, settings={"held_out": 0.0}),
    "perceptron": partial(ours, model="perceptron"),
}


def rows(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Features and noisy labels of the training rows, features and true labels of the others."""
    features, labels = load_digits(return_X_y=True)
    order = permutation(seed, "benchmark/digits", len(labels))
    training, test = order[:TRAINING], order[TRAINING:]
    noisy = Channel(T).draw(labels[training], seed=seed).batch(np.arange(TRAINING)).labels
    return features[training], noisy, features[test], labels[test]


def scaled(rival: Any) -> Pipeline:
    return make_pipeline(StandardScaler(), rival)


def accuracies(rival: Rival) -> list[float]:
    """Accuracy on the 497 clean labels, seed by seed."""
    found = []
    for seed in SEEDS:
        features, noisy, test_features, test_labels = rows(seed)
        found.append(float(scaled(rival(seed)).fit(features, noisy).score(test_features, test_labels)))
    return found


def held_out_likelihood(candidate: Rival) -> list[float]:
    """Mean log-likelihood of held-out votes of training rows, seed by seed."""
    found = []
    for seed in SETTLING_SEEDS:
        features, noisy, *_ = rows(seed)
        parts = []
        for part in range(2):
            held = np.arange(TRAINING) // (TRAINING // 4) == part
            fitted = scaled(candidate(seed)).fit(features[~held], noisy[~held])
            parts.append(vote_log_likelihood(fitted, features[held], noisy[held]))
        found.append(float(np.mean(parts)))
    return found


def interval(values: list[float]) -> dict[str, Any]:
    """Mean over seeds with its 95 % t-interval."""
    mean, deviation, count = float(np.mean(values)), float(np.std(values, ddof=1)), len(values)
    half = float(stats.t.ppf(0.975, count - 1)) * deviation / count**0.5
    return {"mean": round(mean, 5), "sd": round(deviation, 5), "n": count,
            "low": round(mean - half, 5), "high": round(mean + half, 5)}  # fmt: skip


def settled() -> list[dict[str, Any]]:
    """Compare the candidates by held-out votes, each paired with the default."""
    default: list[float] = []
    table = []
    for name, candidate in CANDIDATES.items():
        found = held_out_likelihood(candidate)
        default = default or found
        less = interval([mine - theirs for mine, theirs in zip(found, default, strict=True)])
        table.append({"network": name, "log_likelihood": interval(found), "minus_default": less})
        print(f"{name:<40} {np.mean(found):.4f} nats a vote, {less['mean']:+.4f} of the default", flush=True)
    return table


def shown(found: dict[str, Any], *, sign: str = "") -> str:
    """A mean with its interval."""
    mean, low, high = (format(found[name], f"{sign}.3f") for name in ("mean", "low", "high"))
    return f"{mean} ({low} to {high})"


def table(result: dict[str, Any]) -> str:
    """The accuracies, and the margin over LogisticRegression, as a Markdown table, as docs/sklearn.md has it."""
    names = [row["classifier"].partition(", ") for row in result["rows"]]
    lines = ["| classifier | accuracy |", "|---|---|"]
    lines += [f"| `{name}`{comma}{rest} | {shown(row['accuracy'])} |"
              for (name, comma, rest), row in zip(names, result["rows"], strict=True)]  # fmt: skip
    lines.append(f"| the first less the last, split by split | {shown(result['margin'], sign='+')} |")
    return "\n".join([*lines, ""])


def settling_table(result: dict[str, Any]) -> str:
    """The comparison of networks by held-out votes as a Markdown table."""
    lines = ["| network | nats a held-out vote, less the default's |", "|---|---|"]
    lines += [f"| {row['network']} | {shown(row['minus_default'], sign='+')} |" for row in result["settling"][1:]]
    return "\n".join([*lines, ""])


def missed(result: dict[str, Any]) -> list[str]:
    """The bars that the lower end of an interval does not reach."""
    lowest = {"accuracy": result["rows"][0]["accuracy"]["low"], "margin": result["margin"]["low"]}
    bars = {"accuracy": BAR, "margin": MARGIN}
    return [f"{name} {lowest[name]:.4f} at least, but the bar is {bar}" for name, bar in bars.items()
            if lowest[name] < bar]  # fmt: skip


def main() -> None:
    from machine import machine  # beside this script, where only a run of it looks

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--settle", action="store_true", help="compare default networks by held-out votes again")
    settle = parser.parse_args().settle
    warnings.simplefilter("error")  # LogisticRegression warns where it has not converged
    torch.set_num_threads(1)
    before = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    settling = settled() if settle else before.get("settling", [])
    found = {name: accuracies(rival) for name, rival in RIVALS.items()}
    mine, _, theirs = found.values()
    margin = interval([a - b for a, b in zip(mine, theirs, strict=True)])
    for name, values in found.items():
        print(f"{name:<40} {np.mean(values):.4f} on {1797 - TRAINING} clean labels, {len(values)} seeds")
    print(f"margin over LogisticRegression {margin['mean']:.4f} ({margin['low']:.4f} to {margin['high']:.4f})")
    result = {
        "machine": machine(), "training_rows": TRAINING, "test_rows": 1797 - TRAINING, "seeds": list(SEEDS),
        "bar": {"accuracy": BAR, "margin": MARGIN}, "margin": margin,
        "rows": [{"classifier": name, "accuracy": interval(v), "by_seed": v} for name, v in found.items()],
        "settling_seeds": list(SETTLING_SEEDS), "settling": settling,
    }  # fmt: skip
    RESULTS.write_text(json.dumps(result, indent=1) + "\n")
    print(table(result), settling_table(result), sep="\n")
    if missed(result):
        raise SystemExit("; ".join(missed(result)))


if __name__ == "__main__":
    main()
