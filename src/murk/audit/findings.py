"""Findings: the whole audit of labels, as numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from murk.audit.by_class import FEWEST, ClassFinding, Confusion, by_class, confusions_of
from murk.errors import InputError, name_fault, refuse
from murk.files import csv_text
from murk.measure import Audit, Estimate, LabelErrors, Range, Reliability
from murk.measure.estimate import level_fault
from murk.measure.label_errors import MOST_MATRIX, PROBS_OF, errors_of, threshold_of
from murk.measure.neighbours import Neighbours, find_neighbours
from murk.measure.predicted import read_array
from murk.measure.shortlist import Shortlist, read_shortlist

__all__ = ["Findings", "audit_labels", "findings_of", "names_of"]

NAMED = 5  # classes
BINS = 5  # of how sure predictions are


@dataclass(frozen=True, eq=False)
class Findings:
    """What an audit found.

    Attributes:
        errors: which labels are probably wrong, ranked, with the range of their number.
        noise_rate: from an audit; None without.
        accuracy: share of examples whose predicted class is the true one, from an audit; None without.
        classes: by class.
        confusions: the most frequent ones, falling.
        audit: the labels that were checked; None without.
        class_names: K.
        ids: [N], names of the examples; None where they have none.
        listed: what was read of the probabilities.
        neighbours: near-duplicates and examples unlike all others, where embeddings were given; else None.
    """

    errors: LabelErrors
    noise_rate: Estimate | None
    accuracy: Estimate | None
    classes: tuple[ClassFinding, ...]
    confusions: tuple[Confusion, ...]
    audit: Audit | None
    class_names: tuple[str, ...]
    ids: np.ndarray | None
    listed: Shortlist
    neighbours: Neighbours | None = None

    @property
    def labels(self) -> Int[np.ndarray, " N"]:
        """The labels, as given."""
        return self.listed.labels

    @property
    def predicted(self) -> Int[np.ndarray, " N"]:
        """The likeliest class of each example by the probabilities alone."""
        return self.listed.predicted

    @property
    def own(self) -> Float[np.ndarray, " N"]:
        """The probability of each label."""
        return np.asarray(self.listed.probs[self.listed.classes == self.listed.labels[:, None]], dtype=np.float64)

    @property
    def corrected(self) -> Int[np.ndarray, " N"]:
        """The labels put right as far as known: what was checked is as checked, what is flagged as suggested."""
        labels = np.where(self.errors.flagged, self.errors.suggested, self.labels)
        if self.audit is not None:
            labels[self.audit.indices] = self.audit.truth
        return np.asarray(labels)

    @property
    def chances(self) -> Float[np.ndarray, " N"]:
        """P(the label is wrong), calibrated by the labels that were checked, where some were."""
        return self.errors.probability if self.audit is None else self.audit.calibrated()

    def threshold(self, *, precision: float | None = None, recall: float | None = None) -> float:
        """Give the P(error), of `chances`, from which to flag for a wanted precision, or a wanted recall.

        Raises:
            InputError: as `LabelErrors.threshold`.
        """
        return threshold_of(self.chances, precision=precision, recall=recall)

    def reliability(self, bins: int = BINS) -> Reliability | None:
        """Say how often predictions are right, by how sure they say to be, by checked labels; None without.

        Args:
            bins: of as many examples each, by the largest probability; fewer where probabilities are the same.
        """
        if self.audit is None or self.noise_rate is None:
            return None
        sure = self.listed.probs.max(1).astype(np.float64)
        ends = np.unique(np.quantile(sure, np.arange(1, bins) / bins))
        group = np.searchsorted(ends, sure, side="left")
        there = np.unique(group)
        group = np.searchsorted(there, group)
        right = self.predicted[self.audit.indices] == self.audit.truth
        accuracy = self.audit.share_by_group(
            group, right, len(there), expected=sure, confidence_level=self.noise_rate.confidence_level
        )
        count = np.bincount(group)
        return Reliability(np.bincount(group, weights=sure) / count, accuracy, count)

    @property
    def rate(self) -> Range | Estimate:
        """How many labels are wrong: an estimate where some were checked, else a range."""
        return self.errors.rate if self.noise_rate is None else self.noise_rate

    def with_checked(self, indices: Any, truth: Any, *, confidence_level: float = 0.95) -> Findings:
        """Add labels that someone checked: rates become estimates.

        Args:
            indices: positions [n], drawn by `audit_sample` from this very P(error), or simply at random.
            truth: their true classes [n].
            confidence_level: of the intervals, in (0, 1).

        Raises:
            InputError: what does not fit, as `Audit` refuses it.
        """
        audit = Audit(self.labels, self.errors.probability, indices, truth, num_classes=self.listed.num_classes)
        found = _found(self.listed, self.errors, self.class_names, self.ids, audit, confidence_level)
        return replace(found, neighbours=self.neighbours)

    def with_embeddings(self, embeddings: Any) -> Findings:
        """Add near-duplicates and examples unlike all others.

        Args:
            embeddings: float [N, D], as `find_neighbours` takes them.

        Raises:
            InputError: what `find_neighbours` refuses, or another number of rows.
        """
        table = read_array(embeddings, what="embeddings")
        if len(table) != len(self.labels):
            raise InputError(f"expected an embedding of each of {len(self.labels)} examples, but {len(table)} came")
        return replace(self, neighbours=find_neighbours(table))

    def name_of(self, example: int) -> str:
        """The name of an example, or its number."""
        return str(example if self.ids is None else self.ids[example])

    def sentences(self) -> tuple[str, ...]:
        """Say what was found, in words."""
        size, rate = len(self.labels), self.rate
        said = []
        if isinstance(rate, Estimate):
            said.append(
                f"{rate.value:.1%} of the labels are wrong ({rate.low:.1%} to {rate.high:.1%}, "
                f"{100 * rate.confidence_level:g} %), by {len(self.audit.indices) if self.audit else 0} that were "
                "checked."
            )
        else:
            said.append(
                f"Between {rate.low:.1%} and {rate.high:.1%} of the labels are wrong, by two opposite assumptions; "
                "check some to know it."
            )
        said.append(f"{int(self.errors.flagged.sum()):,} of {size:,} labels are probably wrong.")
        if self.confusions and self.confusions[0].expected >= 1:
            first = self.confusions[0]
            said.append(f"Most often {first.true} is labelled {first.label}: about {first.expected:,.0f} times.")
        said.append(self._on_plain_training())
        mute = sum(each.expected_wrong is None for each in self.classes)
        if mute:
            said.append(f"Of {mute} of {len(self.classes)} classes it cannot be said: fewer than {FEWEST} labels.")
        return (*said, *self._on_neighbours(), *self.errors.remarks)

    def _on_neighbours(self) -> list[str]:
        if self.neighbours is None:
            return []
        copies, strange = int(self.neighbours.copies.sum()), int(self.neighbours.strange.sum())
        torn = int(self.neighbours.disagreeing(self.labels).sum())
        return [
            f"{copies:,} examples are nearly the same as another; {torn:,} of these bear different labels, of which at "
            "least one is probably wrong." if copies else "No example is nearly the same as another.",
            f"{strange:,} examples are unlike all others: they may belong to no class.",
        ]  # fmt: skip

    def _on_plain_training(self) -> str:
        """Say whether training on these labels as they are has the right goal."""
        margins = [(each.name, each.margin) for each in self.classes if each.margin is not None]
        if self.audit is not None and not margins:
            return f"Whether plain training is enough is not told of more than {MOST_MATRIX} classes."
        if not margins:
            return (
                "Whether plain training is enough is not known: a class that is mostly labelled as another is seen by "
                "checked labels alone."
            )
        weak = [name for name, margin in margins if margin.high < 0]
        if weak:
            return f"Plain training is not enough: a wrong label is the most frequent in class {_listed(weak)}."
        doubtful = [name for name, margin in margins if margin.low <= 0]
        if doubtful:
            return (
                f"Whether plain training is enough cannot be said of {len(doubtful)} of {len(self.classes)} classes: "
                "too few labels were checked, or the most frequent wrong one is too near."
            )
        return "Plain training has the right goal: in every class the right label is the most frequent."


def audit_labels(
    labels: Any,
    probs: Any,
    *,
    probs_of: str = "votes",
    checked: tuple[Any, Any] | None = None,
    class_names: Sequence[str] | None = None,
    ids: Any = None,
    confidence_level: float = 0.95,
) -> Findings:
    """Audit labels by the probabilities of a classifier that has not been trained on them.

    Args:
        labels: int [N] in [0, K).
        probs: float [N, K] or `TopK`; read once, block by block.
        probs_of: "votes" for a classifier trained on such labels as they are, "truth" for p(truth given x).
        checked: positions [n] and true classes [n] of labels that someone checked, drawn by `audit_sample` from this
            very audit's P(error), or simply at random.
        class_names: K names; None for numbers.
        ids: [N], names of the examples, all different; None for numbers.
        confidence_level: of the intervals, in (0, 1).

    Raises:
        InputError: what does not fit, as `find_label_errors` and `Audit` refuse it.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> truth = rng.integers(0, 3, 3000)
        >>> labels = np.where(rng.random(3000) < 0.2, (truth + 1) % 3, truth)
        >>> probs = np.full((3000, 3), 0.01)
        >>> probs[np.arange(3000), truth], probs[np.arange(3000), (truth + 1) % 3] = 0.79, 0.2
        >>> found = audit_labels(labels, probs, class_names=["cat", "dog", "fox"])
        >>> found.confusions[0].true, found.confusions[0].share > 0.15
        ('cat', True)
    """
    refuse([name_fault("probs_of", probs_of, list(PROBS_OF)), level_fault(confidence_level)])
    listed = read_shortlist(labels, probs)
    names, ids = names_of(listed, class_names, ids)
    found = findings_of(listed, errors_of(listed, probs_of=probs_of), names, ids)
    return found if checked is None else found.with_checked(*checked, confidence_level=confidence_level)


def names_of(
    listed: Shortlist, class_names: Sequence[str] | None, ids: Any
) -> tuple[tuple[str, ...], np.ndarray | None]:
    """Read the names of classes and examples, or refuse what does not fit."""
    names = tuple(str(k) for k in range(listed.num_classes)) if class_names is None else tuple(map(str, class_names))
    named = None if ids is None else np.asarray(ids)
    doubled = [name for name, count in Counter(names).items() if count > 1]
    refuse([
        "" if len(names) == listed.num_classes else
        f"expected {listed.num_classes} names of classes, as many as probabilities, but {len(names)} came",
        f"expected names of classes that are all different, but {doubled[0]!r} came twice; rename one" if doubled else
        "",
        "expected names of classes that are not empty, but '' came; name it" if "" in names else "",
        _alike_fault(names, what="names of classes"),
        "" if named is None or named.shape == (len(listed),) else
        f"expected a name for each of {len(listed)} examples, but {named.shape} came",
    ])  # fmt: skip
    if named is not None:
        different, count = np.unique(named, return_counts=True)
        refuse([
            f"expected ids that are all different, but {str(different[count > 1][0])!r} came {count.max()} times; "
            "keep one of each" if len(different) < len(named) else "",
            _alike_fault(named.tolist(), what="ids") if named.dtype.kind not in "iu" else "",
        ])  # fmt: skip
    return names, named


def _alike_fault(names: Sequence[Any], *, what: str) -> str:
    """Say which names a table for spreadsheets would write alike: '=a with its quote, and =a, which gets one."""
    quoted = [name for name in map(str, names) if name[:1] == "'"]
    known = {str(name) for name in names} if quoted else set()
    both = [name for name in quoted if name[1:] in known and csv_text([name[1:]], []) == csv_text([name], [])]
    return f"{what}: {both[0]!r} and {both[0][1:]!r} are written alike for spreadsheets; rename one" if both else ""


def findings_of(
    listed: Shortlist, errors: LabelErrors, class_names: tuple[str, ...], ids: np.ndarray | None
) -> Findings:
    """Put together what errors tell of the examples read, before any label is checked."""
    return _found(listed, errors, class_names, ids, None, 0.95)


def _found(
    listed: Shortlist, errors: LabelErrors, names: tuple[str, ...], ids: np.ndarray | None, audit: Audit | None,
    level: float,
) -> Findings:  # fmt: skip
    return Findings(
        errors=errors, noise_rate=None if audit is None else audit.noise_rate(confidence_level=level),
        accuracy=None if audit is None else
        audit.share(listed.predicted[audit.indices] == audit.truth, confidence_level=level),
        classes=tuple(by_class(listed, errors, audit, names, level)),
        confusions=tuple(confusions_of(listed, errors, audit, names, level)),
        audit=audit, class_names=names, ids=ids, listed=listed,
    )  # fmt: skip


def _listed(names: list[str]) -> str:
    rest = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + rest
