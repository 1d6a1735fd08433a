"""Unmixing: what a classifier of noisy labels says of the truth, and how labels go wrong, on a shortlist.

A classifier trained on noisy labels gives q(k) = sum_j p(j) T[j, k]: the truth's probabilities p, mixed by T.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import numpy as np
from jaxtyping import Float
from scipy.optimize import minimize_scalar

from murk.measure.shortlist import Shortlist

__all__ = ["Unmixing", "calibrating_power", "confusions", "label_transition"]

ROWS = 4096  # of a block: results depend on it in the last digits, so it is not a setting
THREADS = 2
TINY = 1e-6
WIDE = 2048  # classes above which counts are float32: [K, K] is then the largest thing there is
LOG_POWERS = (float(np.log(0.2)), float(np.log(5.0)))
Result = TypeVar("Result")


def confusions(listed: Shortlist) -> Float[np.ndarray, "K K"]:
    """Count the labels of the examples predicted to be of each class: [predicted, label]."""
    counted = _no_counts(listed.num_classes)
    np.add.at(counted, (listed.predicted, listed.labels), 1.0)
    return counted


def label_transition(counted: Float[np.ndarray, "K K"]) -> Float[np.ndarray, "K K"]:
    """Give T, float32, from labels counted by class, one more spread over each row; in place where K is large."""
    counted += 1 / len(counted)
    counted /= counted.sum(1, keepdims=True)
    return counted.astype(np.float32, copy=False)


def _no_counts(num_classes: int) -> Float[np.ndarray, "K K"]:
    return np.zeros((num_classes,) * 2, np.float64 if num_classes <= WIDE else np.float32)


@dataclass(frozen=True)
class Unmixing:
    """How probabilities are read.

    Attributes:
        mixed: whether they are of labels (q = p T), or of the truth already.
        steps: of expectation-maximisation towards the p with p T = q, from p = q.
        power: to which p is raised: how much surer the truth is than the classifier. 1 takes its doubt for the
            example's own; the larger, the more for the classifier's.
        rounds: in which T is counted anew from the posteriors.
    """

    mixed: bool
    power: float
    steps: int
    rounds: int

    def transition(self, listed: Shortlist) -> Float[np.ndarray, "K K"]:
        """Find T [K, K], float32: first as predictions and labels have it, then by expectation-maximisation."""
        transition = label_transition(confusions(listed))
        for _ in range(self.rounds):
            counted = _no_counts(listed.num_classes)
            for part, posterior in self.posteriors(listed, transition):
                np.add.at(counted, (listed.classes[part], listed.labels[part, None]), posterior)
            transition = label_transition(counted)
        return transition

    def posteriors(
        self, listed: Shortlist, transition: Float[np.ndarray, "K K"]
    ) -> Iterator[tuple[slice, Float[np.ndarray, "B m"]]]:
        """Give P(truth given probabilities and label) of the classes listed, block by block."""
        return _in_blocks(listed, partial(self.posterior, transition=transition))

    def posterior(self, block: Shortlist, transition: Float[np.ndarray, "K K"]) -> Float[np.ndarray, "B m"]:
        """Give P(truth given probabilities and label) of a few examples' classes."""
        likelihood = transition[block.classes, block.labels[:, None]]
        surer = np.maximum(self._unmixed(block, transition), TINY, dtype=np.float64) ** self.power
        joint = surer * np.maximum(likelihood, 1e-9)
        return np.asarray(joint / joint.sum(1, keepdims=True))

    def _unmixed(self, block: Shortlist, transition: np.ndarray) -> np.ndarray:
        """Give p [B, m] of the classes listed, with sum_a p_a T[a, b] = q_b as far as it goes."""
        q = np.asarray(block.probs / block.probs.sum(1, keepdims=True))
        if not self.mixed:
            return q
        named = np.ascontiguousarray(block.classes.T)
        mixing = transition[named[:, None], named[None]]  # [a, b, B]: vectors over examples are what is fast
        q_listed = np.ascontiguousarray(block.probs.T)
        q_rest = np.maximum(1 - q_listed.sum(0), 0)
        rest = np.maximum(1 - mixing.sum(1), 0)
        p = np.ascontiguousarray(q.T)
        for _ in range(self.steps):
            mix = np.maximum(np.einsum("aB,abB->bB", p, mixing), 1e-12)
            mix_rest = np.maximum((p * rest).sum(0), 1e-12)
            p = p * (np.einsum("abB,bB->aB", mixing, q_listed / mix) + rest * (q_rest / mix_rest))
            p = p / p.sum(0)
        return np.asarray(p.T)


def calibrating_power(listed: Shortlist) -> float:
    """Find the power of the probabilities under which the labels are likeliest, in [0.2, 5]."""
    others = listed.num_classes - listed.probs.shape[1]
    log_q = np.log(np.maximum(listed.probs, TINY, dtype=np.float64))
    own = log_q[listed.classes == listed.labels[:, None]]
    rest = np.maximum(1 - listed.probs.sum(1, dtype=np.float64), TINY * max(others, 1)) / max(others, 1)

    def loss(log_power: float) -> float:
        power = np.exp(log_power)
        total = np.exp(power * log_q).sum(1) + others * rest**power
        return float((np.log(total) - power * own).mean())

    found = minimize_scalar(loss, bounds=LOG_POWERS, method="bounded", options={"xatol": 1e-3})
    return float(np.exp(found.x))


def _in_blocks(listed: Shortlist, read: Callable[[Shortlist], Result]) -> Iterator[tuple[slice, Result]]:
    """Read blocks of examples in threads, and give what came of them in their order."""
    parts = [slice(start, start + ROWS) for start in range(0, len(listed), ROWS)]
    with ThreadPoolExecutor(THREADS) as pool:
        for start in range(0, len(parts), 4 * THREADS):
            batch = parts[start : start + 4 * THREADS]
            yield from zip(batch, pool.map(lambda part: read(listed.rows(part)), batch), strict=True)
