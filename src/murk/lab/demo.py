"""The demo: how accuracy holds while right labels drown, on the handwritten digits that come with scikit-learn."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, cast

import numpy as np

from murk.data import Dataset, load
from murk.errors import InputError, TrainingError, refuse
from murk.lab.executors import Ended, Executor, Here, Job, Processes
from murk.lab.repeats import mean_over_runs
from murk.lab.threads import one_thread
from murk.learn import fit
from murk.learn.device import settle_compute
from murk.measure import Estimate, effective_clean_labels, exact_binomial, information_log_score
from murk.noise import Dilution, NoiseModel, Votes

__all__ = [
    "ALPHAS",
    "EPOCHS",
    "METHODS",
    "MODEL",
    "SEEDS",
    "DemoProgress",
    "DemoRow",
    "DemoRun",
    "demo_settings",
    "run_demo",
    "train_once",
]

METHODS = ("clean", "plain", "evidence", "evidence-independent")
ALPHAS = (0, 2, 5, 10, 20, 50)
MODEL = "conv3"
SEEDS = 5
EPOCHS = 60
HELD_OUT = 0.1
BATCH = 256  # for a run of about two minutes on two cores; the rule for so few images would take 64
MOST_ALPHA = 10_000  # 13 million votes: beyond it the demo is no demo


@dataclass(frozen=True)
class DemoRun:
    """One training of the demo, and the digits of the test set that it got right.

    Attributes:
        method: one of `METHODS`.
        alpha: random labels per right one; 0 for clean labels.
        seed: of the votes, the initial weights, the order, the augmentation and the held-out choice.
        accuracy: share of the test digits got right at the epoch that held-out votes selected.
        last: the same at the last epoch.
        selected_epoch: from 1.
        seconds: the training took, with its one thread.
    """

    method: str
    alpha: int
    seed: int
    accuracy: float
    last: float
    selected_epoch: int
    seconds: float


@dataclass(frozen=True)
class DemoRow:
    """What one method reached at one noise level.

    Attributes:
        method: "clean" (true labels), "plain" (cross-entropy on the votes), "evidence" (exact dilution known) or
            "evidence-independent" (only the noise rate known).
        alpha: random labels per right one.
        accuracy: at the epoch that held-out votes selected; the interval is over the runs.
        accuracy_over_digits: the same value with the interval that the number of test digits leaves.
        last: accuracy at the last epoch, over the runs.
        noise_rate: share of labels that are wrong.
        effective_clean_labels: how many right labels the training labels are worth to this method (mean over seeds).
            For "plain" what the votes hold, used or not; for "evidence-independent" what it gets out of them.
        num_labels: noisy labels in all.
        runs: one `DemoRun` a seed.
    """

    method: str
    alpha: int
    accuracy: Estimate
    accuracy_over_digits: Estimate
    last: Estimate
    noise_rate: float
    effective_clean_labels: float
    num_labels: int
    runs: tuple[DemoRun, ...]

    def to_dict(self) -> dict[str, Any]:
        """Give plain numbers and text, ready for JSON."""
        return {
            "method": self.method,
            "alpha": self.alpha,
            "accuracy": self.accuracy.to_dict(),
            "accuracy_over_digits": self.accuracy_over_digits.to_dict(),
            "last": self.last.to_dict(),
            "n_seeds": len(self.runs),
            "noise_rate": self.noise_rate,
            "effective_clean_labels": self.effective_clean_labels,
            "num_labels": self.num_labels,
            "per_seed": [
                {"seed": run.seed, "accuracy": run.accuracy, "last": run.last, "selected_epoch": run.selected_epoch}
                for run in self.runs
            ],
        }


@dataclass(frozen=True)
class DemoProgress:
    """How far the demo is: trainings done, trainings in all, seconds gone, and to go (None until a pace is known)."""

    done: int
    total: int
    seconds: float
    seconds_left: float | None


def run_demo(
    *,
    alphas: Sequence[int] = ALPHAS,
    seeds: int = SEEDS,
    seed: int = 0,
    epochs: int = EPOCHS,
    device: str = "cpu",
    processes: int = 1,
    on_progress: Callable[[DemoProgress], None] | None = None,
) -> list[DemoRow]:
    """Train on diluted labels by each method at each noise level, several times, and measure on clean test digits.

    All methods share network, budget, augmentation, batches and the seeds of everything. No clean label of a test
    digit chooses anything: the epoch is selected by held-out votes, and the budget is one for all rows.

    Args:
        alphas: random labels per right one; whole numbers in [0, 10000], none twice.
        seeds: runs of each setting, >= 2, so that there is an interval.
        seed: the first of the seeds; the runs take seed, seed + 1, ...
        epochs: passes over the training digits, >= 1.
        device: "auto" or a torch device. By default the processor: the networks are tiny.
        processes: trainings at a time, each with one thread, >= 1. Results do not depend on it. With more than one,
            a script needs the usual `if __name__ == "__main__"`.
        on_progress: called with a `DemoProgress` at the start and after each training.

    Returns:
        Rows by alpha, and by method in the order of `METHODS`. Clean labels know no alpha, and at alpha = 0 every
        method is training on clean labels: these rows share their runs.

    Raises:
        InputError: settings out of range, or no such device; all faults together.
        TrainingError: a training failed; the others have stopped.

    Example:
        >>> rows = run_demo(alphas=(5,), seeds=2, epochs=1)
        >>> [(row.method, row.alpha) for row in rows][2:]
        [('evidence', 5), ('evidence-independent', 5)]
    """
    alphas = list(alphas)
    refuse([
        _alpha_fault(alphas),
        _count_fault("seeds", seeds, at_least=2), _count_fault("seed", seed, at_least=0),
        _count_fault("epochs", epochs), _count_fault("processes", processes), _device_fault(device),
    ])  # fmt: skip
    settings = list(dict.fromkeys(_trained_as(method, alpha) for alpha in (0, *alphas) for method in METHODS))
    tasks = [(method, alpha, seed + k, epochs, device) for k in range(seeds) for method, alpha in settings]
    tasks.sort(key=lambda task: -task[1])  # the slowest first, so that no process is left alone at the end
    started, runs = time.monotonic(), []
    report = on_progress or (lambda progress: None)
    report(DemoProgress(0, len(tasks), 0.0, None))
    for run in _run_all(tasks, processes):
        runs.append(run)
        seconds = time.monotonic() - started
        left = seconds / len(runs) * (len(tasks) - len(runs))
        report(DemoProgress(len(runs), len(tasks), seconds, left))
    runs.sort(key=lambda run: run.seed)
    return [_row(method, alpha, runs) for alpha in sorted(alphas) for method in METHODS]


def demo_settings(*, alphas: Sequence[int], seeds: int, seed: int, epochs: int) -> dict[str, Any]:
    """Name every setting that the rows depend on, for people to read."""
    dataset = _digits()
    return {
        "data": "digits (bundled with scikit-learn), "
        f"{len(dataset.train):,} to train on, {len(dataset.test)} to test with",
        "alphas": ", ".join(map(str, sorted(alphas))),
        "model": MODEL,
        "epochs": f"{epochs}, the kept one chosen by held-out noisy labels",
        "held out": f"{HELD_OUT:.0%} of the training digits",
        "optimizer": "AdamW with murk's default rates, weights averaged",
        "augmentation": "small affine moves",
        "runs": f"{seeds} of each setting, seeds {seed} to {seed + seeds - 1}",
        "precision": "float32",
    }


def train_once(dataset: Dataset, method: str, alpha: int, *, seed: int, epochs: int, device: str) -> DemoRun:
    """Train by one method on one draw of diluted labels, and count right test examples.

    Args:
        dataset: examples whose true labels are known.
        method: one of `METHODS`.
        alpha: random labels per right one; "clean" ignores it.
        seed: of everything.
        epochs: passes over the training examples.
        device: "auto" or a torch device.
    """
    noise = Dilution(alpha, num_classes=dataset.num_classes)
    started = time.monotonic()
    fitted = fit(
        MODEL, dataset.train.images, _votes(dataset, method, noise, seed), noise=_noise(method, noise),
        held_out=HELD_OUT, loss="pairs" if method in ("clean", "plain") else "evidence",
        epochs=epochs, batch_size=BATCH, device=device, precision="float32", seed=seed,
    )  # fmt: skip
    chosen, last = (each.predict_probs(dataset.test, device=device).argmax(1) for each in
                    (fitted, fitted.at_last_epoch()))  # fmt: skip
    truth = dataset.test.labels
    return DemoRun(
        method, alpha, seed, float((chosen == truth).mean()), float((last == truth).mean()),
        fitted.selected_epoch, time.monotonic() - started,
    )  # fmt: skip


def _votes(dataset: Dataset, method: str, noise: Dilution, seed: int) -> Votes:
    labels = dataset.train.labels
    if method == "clean":
        return Votes.from_labels(labels, num_classes=dataset.num_classes)
    return noise.draw(labels, seed=seed)


def _noise(method: str, noise: Dilution) -> NoiseModel | None:
    if method == "evidence":
        return noise
    return noise.independent() if method == "evidence-independent" else None


Task = tuple[str, int, int, int, str]


def _run_all(tasks: list[Task], processes: int) -> Iterator[DemoRun]:
    """Run the tasks, here or in processes of their own, each with one thread, and give results as they come."""
    executor: Executor = Here() if processes == 1 else Processes(min(processes, len(tasks)))
    jobs = [Job(f"{task[0]} at alpha = {task[1]} under seed {task[2]}", task) for task in tasks]
    ends = executor.run(_run_task, jobs, on_start=lambda key: None)
    with closing(cast("Generator[Ended]", ends)):  # on Ctrl-C or a failure the other trainings stop
        for end in ends:
            if end.error is not None:
                raise TrainingError(f"the demo's training by {end.key} failed: {end.error}")
            yield end.value


def _run_task(task: Task) -> DemoRun:
    method, alpha, seed, epochs, device = task
    with one_thread():
        return train_once(_digits(), method, alpha, seed=seed, epochs=epochs, device=device)


@lru_cache(maxsize=1)
def _digits() -> Dataset:
    return load("digits")


def _trained_as(method: str, alpha: int) -> tuple[str, int]:
    """Name the training that a row rests on: with right labels alone, all methods make the same one, bit for bit."""
    return ("clean", 0) if method == "clean" or alpha == 0 else (method, alpha)


def _row(method: str, alpha: int, runs: list[DemoRun]) -> DemoRow:
    """Put the runs of one setting together."""
    trained = _trained_as(method, alpha)
    ours = tuple(run for run in runs if (run.method, run.alpha) == trained)
    drawn_at = trained[1]
    dataset, num_test = _digits(), len(_digits().test)
    noise = Dilution(drawn_at, num_classes=dataset.num_classes)
    worth = [_worth(dataset, method, noise, run.seed) for run in ours]
    accuracy = mean_over_runs([run.accuracy for run in ours], resolution=1 / num_test)
    return DemoRow(
        method, alpha, accuracy, _over_digits(accuracy.value, num_test),
        last=mean_over_runs([run.last for run in ours], resolution=1 / num_test),
        noise_rate=float(1 - np.diagonal(noise.transition.matrix()).mean()),
        effective_clean_labels=float(np.mean(worth)),
        num_labels=len(dataset.train) * (1 + drawn_at), runs=ours,
    )  # fmt: skip


def _over_digits(value: float, num_test: int) -> Estimate:
    """Give the exact binomial interval for the mean count of right digits among those there are.

    Not among digits times runs: every run is measured on the same digits, and more runs bring no new ones.
    """
    exact = exact_binomial(round(value * num_test), num_test)
    return Estimate(
        value, min(exact.low, value), max(exact.high, value), exact.confidence_level,
        f"{exact.method} of the mean count among {num_test} test digits, rounded; runs share the digits",
    )  # fmt: skip


def _worth(dataset: Dataset, method: str, noise: Dilution, seed: int) -> float:
    """Count the clean labels that these votes are worth; by the log-score where the noise model is not the true one."""
    votes = _votes(dataset, method, noise, seed)
    if method != "evidence-independent":
        return effective_clean_labels(votes, noise)
    nats = information_log_score(votes, noise.independent(), dataset.train.labels)
    return len(votes) * nats / float(np.log(dataset.num_classes))


def _alpha_fault(alphas: list[int]) -> str:
    whole = all(isinstance(alpha, int) and not isinstance(alpha, bool) and 0 <= alpha <= MOST_ALPHA for alpha in alphas)
    if alphas and whole and len(set(alphas)) == len(alphas):
        return ""
    return f"alphas are whole numbers in [0, {MOST_ALPHA}], at least one and none twice, but {alphas} came"


def _count_fault(name: str, value: Any, *, at_least: int = 1) -> str:
    if isinstance(value, int) and not isinstance(value, bool) and value >= at_least:
        return ""
    return f"{name} is a whole number >= {at_least}, but {value!r} came"


def _device_fault(device: str) -> str:
    try:
        settle_compute(device, "float32")
    except InputError as error:
        return str(error)
    return ""
