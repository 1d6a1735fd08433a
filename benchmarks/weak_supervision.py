"""What do texts and the votes of labelling functions give a user who has no label at all?

FOLDER holds youtube.npz, sms.npz and yoruba.npz, each with texts (`train_text`), votes of labelling functions
(`train_L`, int [n, functions], -1 where a function abstains) and classes (`train_y`), the same for `valid` and `test`,
and `class_names`. Texts become TF-IDF features, by scikit-learn's vectorizer fitted on the training texts. An
abstention is no vote, but for the last three, where it is an answer of its own kind ("none of these"): a function that
only ever names one class tells by when it does. Seven ways to classify the test texts, with five seeds each:

- the majority vote of the functions on the test text itself: nothing is trained. A tie goes to one of the most voted
  classes at random, a text without a vote to the class that the training votes name most often;
- cross-entropy on the majority votes of the training texts (ties at random; those without a vote left out);
- cross-entropy on the shares of their votes: `NoisyLabelClassifier()`, which is told no noise;
- `NoisyLabelClassifier("symmetric:RATE")`: the likelihood of all votes;
- `NoisyLabelClassifier("auto")`: how each function errs is found, as if they erred independently;
- `NoisyLabelClassifier("auto:dependent")`: found, and functions that repeat each other count less, abstentions perhaps
  not at all; what held-out training votes choose. All five train one model on one budget (the last two search first);
- the same classifier together with what it found of the functions, on their votes on the test text itself
  (`murk.measure.posterior`): it reads what the majority vote reads, and the text.

RATE is the one of a few under which the votes of the valid split are likeliest (another seed); no class of `train_y` or
`valid_y` is read, and those of `test_y` only measure. Intervals are 95 %, percentile bootstrap (4,000 draws) over test
texts and seeds at once, of differences on the same draws. Beside them stands what `accuracy_from_votes` says of the
fourth way from the test votes alone: it takes functions to err independently of each other and of the text, which those
that look for words do not.

One core: about ten minutes. Written to benchmarks/results/weak_supervision.json.

    python benchmarks/weak_supervision.py FOLDER
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy import sparse
from sklearn.feature_extraction.text import TfidfVectorizer

from murk.errors import InputError
from murk.measure import accuracy_from_votes, posterior
from murk.noise import NONE_OF_THESE, Votes, noise_named
from murk.sklearn import NoisyLabelClassifier, vote_log_likelihood

RESULTS = Path(__file__).parent / "results" / "weak_supervision.json"
SETS = ("youtube", "sms", "yoruba")
SPLITS = ("train", "valid", "test")
SEEDS, CHOOSING_SEED, BOOTSTRAP_SEED = range(5), 100, 0
RATES = (0.1, 0.2, 0.3, 0.4, 0.5)
EPOCHS = 40  # of every training, to be quick; the rule of murk would take 60 to 95
BATCH_SIZE = 64
DRAWS = 4_000
LEAST_TEXTS = 2  # in which a word occurs, to be a feature: one that is seen once says nothing of other texts
MAJORITY, ENTROPY = "majority vote of the functions", "cross-entropy on majority votes"
SHARES, OURS = "cross-entropy on shares of votes", "likelihood of the votes"
FOUND, TEMPERED = "each function's noise found", "found and tempered"
BOTH = "found and tempered, with the functions on the text"
WAYS = (MAJORITY, ENTROPY, SHARES, OURS, FOUND, TEMPERED, BOTH)
COMPARED = (OURS, TEMPERED, BOTH)
MEASURES = ("accuracy", "macro_f1")


@dataclass(frozen=True)
class Texts:
    """One set: by split, features [n, D] and votes, without abstentions and with them; and the true classes of the
    test texts, which only measure."""

    class_names: list[str]
    features: dict[str, sparse.csr_matrix]
    votes: dict[str, Votes]
    answers: dict[str, Votes]
    test_labels: np.ndarray
    functions: int


def read_texts(path: Path) -> Texts:
    with np.load(path, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file}
    names = arrays["class_names"].tolist()
    texts = {split: np.char.decode(arrays[f"{split}_text"], "utf-8") for split in SPLITS}
    vectorizer = TfidfVectorizer(min_df=LEAST_TEXTS).fit(texts["train"])
    return Texts(
        class_names=names, features={split: vectorizer.transform(texts[split]) for split in SPLITS},
        votes={split: votes_of(arrays[f"{split}_L"], len(names)) for split in SPLITS},
        answers={split: answers_of(arrays[f"{split}_L"], len(names)) for split in SPLITS},
        test_labels=arrays["test_y"].astype(np.int64), functions=arrays["test_L"].shape[1],
    )  # fmt: skip


def answers_of(table: np.ndarray, num_classes: int) -> Votes:
    """Every function answers on every text: a class, or "none of these"."""
    return Votes.from_matrix(np.where(table < 0, NONE_OF_THESE, table), num_classes=num_classes)


def votes_of(table: np.ndarray, num_classes: int) -> Votes:
    """Long form: a row for each vote, none for an abstention."""
    example, function = np.nonzero(table >= 0)
    label = table[example, function].astype(np.int64)
    return Votes.from_long(example, label, function, num_examples=len(table), num_classes=num_classes)


def majority(votes: Votes, *, fallback: int, seed: int) -> np.ndarray:
    """The class with most votes; in a tie one of these at random, without a vote the fallback."""
    counts = np.asarray(votes.counts())[:, : votes.num_classes]
    order = counts + np.random.default_rng(seed).random(counts.shape)  # less than one vote
    return np.where(counts.any(axis=1), order.argmax(axis=1), fallback)


def classifier(noise: str | None, texts: Texts, **settings: Any) -> NoisyLabelClassifier:
    return NoisyLabelClassifier(
        noise, classes=range(len(texts.class_names)), epochs=EPOCHS, batch_size=BATCH_SIZE, device="cpu", **settings
    )


def chosen_rate(texts: Texts) -> tuple[float, list[dict[str, float]]]:
    """The rate under which the votes of the valid split are likeliest, and how likely they are under each."""
    tried = []
    for rate in RATES:
        if rate < 1 - 1 / len(texts.class_names):
            fitted = classifier(f"symmetric:{rate}", texts, random_state=CHOOSING_SEED)
            fitted.fit(texts.features["train"], texts.votes["train"])
            likelihood = vote_log_likelihood(fitted, texts.features["valid"], texts.votes["valid"])
            tried.append({"rate": rate, "valid_vote_log_likelihood": round(likelihood, 5)})
    return max(tried, key=lambda each: each["valid_vote_log_likelihood"])["rate"], tried


def predictions(texts: Texts, rate: float) -> tuple[dict[str, np.ndarray], list[dict[str, Any]]]:
    """Predicted classes [seeds, n] of the test texts by each way, and what the test votes say of the last one."""
    votes, features, answers = texts.votes, texts.features, texts.answers
    counts = np.asarray(votes["train"].counts())[:, : len(texts.class_names)]
    fallback, voted = int(counts.sum(axis=0).argmax()), counts.any(axis=1)
    found: dict[str, list[np.ndarray]] = {way: [] for way in WAYS}
    for seed in SEEDS:
        labels = majority(votes["train"], fallback=fallback, seed=seed)
        trained = {
            ENTROPY: classifier(None, texts, random_state=seed).fit(features["train"][voted], labels[voted]),
            SHARES: classifier(None, texts, random_state=seed).fit(features["train"], votes["train"]),
            OURS: classifier(f"symmetric:{rate}", texts, random_state=seed).fit(features["train"], votes["train"]),
            FOUND: classifier("auto", texts, random_state=seed).fit(features["train"], texts.answers["train"]),
            TEMPERED: classifier("auto:dependent", texts, random_state=seed).fit(
                features["train"], texts.answers["train"]
            ),
        }
        found[MAJORITY].append(majority(votes["test"], fallback=fallback, seed=seed))
        for way, each in trained.items():
            found[way].append(each.predict(features["test"]))
        both = trained[TEMPERED]
        told_both = posterior(both.predict_proba(features["test"]), answers["test"], noise=both.fit_.noise)
        found[BOTH].append(told_both.argmax(1))
    told = [told_by_votes(each, votes["test"], rate) for each in found[OURS]]
    return {way: np.array(each) for way, each in found.items()}, told


def told_by_votes(predicted: np.ndarray, votes: Votes, rate: float) -> dict[str, Any]:
    """The accuracy as the test votes tell it, or why they do not."""
    noise = noise_named(f"symmetric:{rate}", num_classes=votes.num_classes)
    try:
        return accuracy_from_votes(predicted, votes, noise=noise).to_dict()
    except InputError as error:
        return {"refused": str(error)}


def scores(cells: np.ndarray) -> np.ndarray:
    """Accuracy and macro-F1 [..., 2] from numbers of texts by true and predicted class [..., K, K]."""
    right = np.diagonal(cells, axis1=-2, axis2=-1)
    both = cells.sum(axis=-1) + cells.sum(axis=-2)
    f1 = np.divide(2 * right, both, out=np.zeros(right.shape), where=both > 0)
    return np.stack([right.sum(axis=-1) / cells.sum(axis=(-2, -1)), f1.mean(axis=-1)], axis=-1)


def resampled(labels: np.ndarray, predicted: np.ndarray, num_classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Scores [seeds, 2], and their mean over resampled texts and seeds [DRAWS, 2]; the draws are the same for all."""
    rng = np.random.default_rng(BOOTSTRAP_SEED)
    cells = np.eye(num_classes**2)[labels * num_classes + predicted]  # [seeds, n, K K]
    texts = rng.multinomial(len(labels), np.full(len(labels), 1 / len(labels)), size=DRAWS)
    seeds = rng.multinomial(len(predicted), np.full(len(predicted), 1 / len(predicted)), size=DRAWS) / len(predicted)
    shape = (-1, num_classes, num_classes)
    by_seed = scores(cells.sum(axis=1).reshape(shape))
    drawn = np.stack([scores((texts @ each).reshape(shape)) for each in cells], axis=1)  # [DRAWS, seeds, 2]
    return by_seed, np.einsum("ds,dsm->dm", seeds, drawn)


def interval(value: float, drawn: np.ndarray) -> dict[str, float]:
    low, high = np.quantile(drawn, [0.025, 0.975])
    return {"value": round(value, 4), "low": round(float(low), 4), "high": round(float(high), 4)}


def measured(texts: Texts, predicted: dict[str, np.ndarray]) -> dict[str, Any]:
    """Scores of each way and differences of pairs, with their intervals."""
    found = {way: resampled(texts.test_labels, each, len(texts.class_names)) for way, each in predicted.items()}
    rows = {
        way: {name: interval(by_seed[:, m].mean(), drawn[:, m])
              | {"seed_sd": round(float(by_seed[:, m].std(ddof=1)), 4), "by_seed": by_seed[:, m].round(4).tolist()}
              for m, name in enumerate(MEASURES)}
        for way, (by_seed, drawn) in found.items()
    }  # fmt: skip
    differences = [
        {"of": ours, "less": way} | {
            name: interval((found[ours][0] - found[way][0])[:, m].mean(), (found[ours][1] - found[way][1])[:, m])
            for m, name in enumerate(MEASURES)
        } for ours in COMPARED for way in WAYS if way != ours
    ]  # fmt: skip
    return {"rows": rows, "differences": differences}


def described(texts: Texts) -> dict[str, Any]:
    """The size of a set, and how often its functions vote."""
    counts = {split: np.diff(votes.batch(np.arange(len(votes))).offsets) for split, votes in texts.votes.items()}
    test = texts.votes["test"].batch(np.arange(len(texts.test_labels)))
    return {
        "classes": texts.class_names, "functions": texts.functions,
        "texts": {split: len(each) for split, each in counts.items()},
        "with_a_vote": {split: round(float((each > 0).mean()), 4) for split, each in counts.items()},
        "votes_per_text": {split: round(float(each.mean()), 3) for split, each in counts.items()},
        "wrong_test_votes": round(float((test.labels != texts.test_labels[test.rows]).mean()), 4),
        "features": texts.features["train"].shape[1],
    }  # fmt: skip


def table(result: dict[str, Any]) -> str:
    """The results as a Markdown table, as docs/text.md has it."""
    lines = ["| texts | n | way | accuracy | macro-F1 |", "|---|---|---|---|---|"]
    for name, each in result["sets"].items():
        for way in WAYS:
            label = f"{way}, {each['rate']:g} of them wrong" if way == OURS else way
            cells = [f"{s['value']:.3f} ({s['low']:.3f} to {s['high']:.3f})"
                     for s in (each["rows"][way][measure] for measure in MEASURES)]  # fmt: skip
            lines.append(f"| {name} | {each['texts']['test']} | {label} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def differences_table(result: dict[str, Any]) -> str:
    """The paired differences as a Markdown table."""
    lines = ["| texts | difference | accuracy | macro-F1 |", "|---|---|---|---|"]
    for name, each in result["sets"].items():
        for pair in each["differences"]:
            cells = [f"{s['value']:+.3f} ({s['low']:+.3f} to {s['high']:+.3f})" for s in map(pair.get, MEASURES)]
            lines.append(f"| {name} | {pair['of']}, less {pair['less']} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def told_table(result: dict[str, Any]) -> str:
    """What the test votes alone say of the first seed's classifier, beside the truth, as a Markdown table."""
    lines = ["| texts | accuracy | as `accuracy_from_votes` tells it |", "|---|---|---|"]
    for name, each in result["sets"].items():
        told, truth = each["accuracy_from_votes"][0], each["rows"][OURS]["accuracy"]["by_seed"][0]
        said = "refused" if "refused" in told else f"{told['value']:.3f} ({told['low']:.3f} to {told['high']:.3f})"
        lines.append(f"| {name} | {truth:.3f} | {said} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    from machine import machine  # beside this script, where only a run of it looks

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where youtube.npz, sms.npz and yoruba.npz lie")
    folder = parser.parse_args().folder
    torch.set_num_threads(1)
    result: dict[str, Any] = {
        "machine": machine(), "seeds": list(SEEDS), "choosing_seed": CHOOSING_SEED, "epochs": EPOCHS,
        "batch_size": BATCH_SIZE, "bootstrap_draws": DRAWS,
        "confidence_level": 0.95, "vectorizer": f"TfidfVectorizer(min_df={LEAST_TEXTS})", "sets": {},
    }  # fmt: skip
    for name in SETS:
        texts = read_texts(folder / f"{name}.npz")
        rate, tried = chosen_rate(texts)
        predicted, told = predictions(texts, rate)
        facts = {"rate": rate, "rates": tried, "accuracy_from_votes": told}
        result["sets"][name] = described(texts) | facts | measured(texts, predicted)
        print(f"{name}: done", flush=True)
    RESULTS.write_text(json.dumps(result, indent=1) + "\n")
    print(table(result), differences_table(result), told_table(result), sep="\n")


if __name__ == "__main__":
    main()
