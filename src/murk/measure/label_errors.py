"""Label errors: which labels are probably wrong, what they should be, and how many there may be."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from murk.errors import InputError, name_fault, refuse
from murk.measure.range import Range
from murk.measure.shortlist import Shortlist, read_shortlist
from murk.measure.unmixing import Unmixing, calibrating_power, confusions, label_transition
from murk.noise.draws import permutation

__all__ = [
    "MOST_MATRIX",
    "PROBS_OF",
    "LabelErrors",
    "errors_by_posterior",
    "errors_of",
    "find_label_errors",
    "threshold_of",
]

PROBS_OF = {
    "votes": Unmixing(mixed=True, power=3.0, steps=10, rounds=2),
    "truth": Unmixing(mixed=False, power=1.0, steps=0, rounds=5),
}
"""How probabilities are read, by what they estimate; see `docs/audit.md` for where 3 comes from."""
DOUBT_ITS_OWN = {
    "votes": Unmixing(mixed=True, power=1.0, steps=10, rounds=5),
    "truth": Unmixing(mixed=False, power=1.0, steps=0, rounds=5),
}
EXAMPLES_FOR_RANGE = 100_000
MOST_MATRIX = 200  # classes, up to which ranges are told of each pair of them
TOO_GOOD = 0.998
ASSUMED = (
    "low: all doubt of the probabilities, as large as the labels bear it, is the examples' own; high: none is, and the "
    "predicted class is the true one"
)
ASSUMED_OF_VOTES = (
    "by two readings: the posterior of probabilities and votes is right; or the class predicted without votes is the "
    "true one"
)


@dataclass(frozen=True)
class LabelErrors:
    """Which labels are probably wrong.

    Attributes:
        probability: float64 [N], P(the label is wrong), as the probabilities and their T have it. Not calibrated: how
            many errors there are is not known without audited labels (`rate`).
        suggested: int32 [N], the likeliest class; the label itself where that is it.
        flagged: bool [N], where another class is likelier than the label.
        rate: the share of wrong labels, as a range between stated assumptions.
        transition: float32 [K, K], how labels go wrong, T[true, label], on which the probabilities rest.
        remarks: what speaks against the input, in sentences.
        ends: float64 [2, K, K], examples by true class and label, under either of the two assumptions; None of more
            than 200 classes.
    """

    probability: Float[np.ndarray, " N"]
    suggested: Int[np.ndarray, " N"]
    flagged: Bool[np.ndarray, " N"]
    rate: Range
    transition: Float[np.ndarray, "K K"]
    remarks: tuple[str, ...]
    ends: Float[np.ndarray, "2 K K"] | None

    @property
    def count(self) -> Range:
        """The number of wrong labels, as a range between stated assumptions."""
        size = len(self.probability)
        return replace(self.rate, low=size * self.rate.low, high=size * self.rate.high)

    def ranked(self) -> Int[np.ndarray, " N"]:
        """Give the examples from the most suspicious on; of equals the first one first."""
        return np.argsort(-self.probability, kind="stable")

    def threshold(self, *, precision: float | None = None, recall: float | None = None) -> float:
        """Give the P(error) from which to flag for a wanted precision, or a wanted recall, of what is flagged.

        As the probabilities say: precision is the mean of those flagged, recall their share of the sum of all.

        Raises:
            InputError: neither or both, or a share outside (0, 1]; no set of examples that is so surely wrong.
        """
        return threshold_of(self.probability, precision=precision, recall=recall)


def threshold_of(probability: np.ndarray, *, precision: float | None = None, recall: float | None = None) -> float:
    """Give the P(error) [N] from which to flag, equals together, as `LabelErrors.threshold` does."""
    wanted = [share for share in (precision, recall) if share is not None]
    if len(wanted) != 1 or not 0 < wanted[0] <= 1:
        raise InputError(f"give precision or recall, in (0, 1], but {precision!r} and {recall!r} came")
    if not len(probability) or not np.isfinite(probability).all():
        raise InputError("expected P(error) of at least one example, all finite")
    chances, count = np.unique(probability, return_counts=True)
    falling, flagged = chances[::-1], np.cumsum(count[::-1])
    expected = np.cumsum(falling * count[::-1])
    if precision is not None:
        enough = np.flatnonzero(expected >= precision * flagged * (1 - 1e-12))
        if not len(enough):
            raise InputError(f"no label is wrong with probability {precision:g}; the surest is {falling[0]:.3g}")
        return float(falling[enough[-1]])
    return float(falling[np.flatnonzero(expected >= recall * expected[-1] * (1 - 1e-12))[0]])


def find_label_errors(labels: Any, probs: Any, *, probs_of: str = "votes") -> LabelErrors:
    """Find labels that are probably wrong, from out-of-sample probabilities of any classifier.

    A plain classifier, trained on labels of the same kind, predicts labels: q = p T. T is first counted from predicted
    classes and labels, p is found by unmixing, and P(truth given probabilities and label) is proportional to
    p^3 T[truth, label]; T is counted anew from that, twice. The power says that the truth is surer than a
    classifier; it was chosen once, on sets that no reported number comes from.

    Assumes that a label depends on the example through its true class alone, and probabilities of examples that the
    classifier has not been trained on. Not promised: that P(error) is calibrated, which without audited labels nothing
    can tell; `LabelErrors.rate` says between what it may lie.

    Args:
        labels: int [N] in [0, K), one label an example.
        probs: float [N, K], rows sum to one, a memory map if large; or `TopK` for thousands of classes. Read once.
        probs_of: "votes" for probabilities of an ordinary classifier trained on these labels, "truth" for
            p(truth given x), as murk's evidence training gives.

    Raises:
        InputError: another `probs_of`, or what is no label or no probability (`read_shortlist`).

    Example:
        >>> rng = np.random.default_rng(0)
        >>> truth = rng.integers(0, 3, 3000)
        >>> labels = np.where(rng.random(3000) < 0.2, (truth + 1) % 3, truth)
        >>> probs = np.full((3000, 3), 0.01)
        >>> probs[np.arange(3000), truth], probs[np.arange(3000), (truth + 1) % 3] = 0.79, 0.2
        >>> found = find_label_errors(labels, probs)
        >>> bool((found.flagged == (labels != truth)).all()), found.suggested[found.flagged].tolist() == truth[
        ...     found.flagged].tolist()
        (True, True)

    Source: expectation-maximisation of Dawid and Skene 1979 for one label; the unmixing and the power are ours.
    """
    refuse([name_fault("probs_of", probs_of, list(PROBS_OF))])
    return errors_of(read_shortlist(labels, probs), probs_of=probs_of)


def errors_of(listed: Shortlist, *, probs_of: str) -> LabelErrors:
    """Find the label errors of what has been read."""
    unmixing = PROBS_OF[probs_of]
    own_doubt, joint = _own_doubt(listed, probs_of=probs_of)  # first: it has a [K, K] of its own
    no_doubt = float((listed.predicted != listed.labels).mean())
    transition = unmixing.transition(listed)
    size = len(listed)
    probability, suggested = np.empty(size), np.empty(size, np.int32)
    for part, posterior in unmixing.posteriors(listed, transition):
        classes = listed.classes[part]
        wrong = posterior.sum(1, where=classes != listed.labels[part, None])
        probability[part] = np.minimum(wrong, 1)
        suggested[part] = np.take_along_axis(classes, posterior.argmax(1)[:, None], axis=1)[:, 0]
    mean = float(probability.mean())
    return LabelErrors(
        probability=probability, suggested=suggested, flagged=suggested != listed.labels,
        rate=Range(min(own_doubt, no_doubt, mean), max(own_doubt, no_doubt, mean), ASSUMED), transition=transition,
        remarks=_remarks(listed), ends=None if joint is None else np.stack([joint, confusions(listed)]),
    )  # fmt: skip


def errors_by_posterior(labels: np.ndarray, probs: np.ndarray, posterior: np.ndarray) -> LabelErrors:
    """Find the label errors where several votes, and what is known of their noise, have given a posterior already.

    Args:
        labels: int [N], what votes say together.
        probs: float [N, K], p(truth given x) without the votes.
        posterior: float [N, K], with them.
    """
    rows = np.arange(len(labels))
    counted = np.zeros((probs.shape[1],) * 2)
    np.add.at(counted.T, labels, posterior)
    suggested = posterior.argmax(1).astype(np.int32)
    probability = np.clip(1 - posterior[rows, labels], 0, 1)
    predicted = probs.argmax(1)
    rates = float(probability.mean()), float((predicted != labels).mean())
    ends = None
    if len(counted) <= MOST_MATRIX:
        ends = np.stack([counted, np.zeros_like(counted)])
        np.add.at(ends[1], (predicted, labels), 1)
    return LabelErrors(
        probability=probability, suggested=suggested, flagged=suggested != labels,
        rate=Range(min(rates), max(rates), ASSUMED_OF_VOTES), transition=label_transition(counted.copy()), remarks=(),
        ends=ends,
    )  # fmt: skip


def _own_doubt(listed: Shortlist, *, probs_of: str) -> tuple[float, np.ndarray | None]:
    """Give the share of wrong labels if all doubt is the examples' own, and the examples [true, label] behind it."""
    some = listed
    if len(listed) > EXAMPLES_FOR_RANGE:  # drawn: every tenth would miss what has an order
        some = listed.rows(np.sort(permutation(0, "range", len(listed))[:EXAMPLES_FOR_RANGE]))
    power = calibrating_power(some)
    powered = some.probs.astype(np.float64) ** power
    others = some.num_classes - some.probs.shape[1]
    rest = others * (np.maximum(1 - some.probs.sum(1, dtype=np.float64), 0) / max(others, 1)) ** power
    some = replace(some, probs=(powered / (powered.sum(1) + rest)[:, None]).astype(np.float32))
    own = DOUBT_ITS_OWN[probs_of]
    transition, wrong = own.transition(some), 0.0
    joint = np.zeros((some.num_classes,) * 2) if some.num_classes <= MOST_MATRIX else None
    for part, posterior in own.posteriors(some, transition):
        wrong += float(posterior.sum(where=some.classes[part] != some.labels[part, None]))
        if joint is not None:
            np.add.at(joint, (some.classes[part], some.labels[part, None]), posterior * (len(listed) / len(some)))
    return wrong / len(some), joint


def _remarks(listed: Shortlist) -> tuple[str, ...]:
    agree = float((listed.predicted == listed.labels).mean())
    if agree < TOO_GOOD:
        return ()
    return (
        f"{agree:.2%} of the labels agree with the predicted class: are these probabilities of examples that the "
        "classifier has not been trained on? Those it has seen it repeats, wrong labels included.",
    )
