"""An audit from data and votes alone: the classifiers that it needs are trained here, out of fold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Int

from murk.audit.findings import Findings, findings_of, names_of
from murk.errors import InputError
from murk.learn import CrossFit
from murk.measure import posterior
from murk.measure.label_errors import errors_by_posterior, errors_of
from murk.measure.shortlist import read_shortlist
from murk.noise import Votes

__all__ = ["TrainedAudit", "audit_fitted"]


@dataclass(frozen=True, eq=False)
class TrainedAudit:
    """An audit of the examples that have votes.

    Attributes:
        findings: of these examples.
        rows: int [n], which of the N examples they are.
        one_vote: whether each has one vote; else its label is what most of its votes say, a tie goes to the class that
            comes first.
    """

    findings: Findings
    rows: Int[np.ndarray, " n"]
    one_vote: bool


def audit_fitted(
    fitted: CrossFit,
    votes: Votes,
    *,
    checked: tuple[Any, Any] | None = None,
    class_names: Sequence[str] | None = None,
    ids: Any = None,
    confidence_level: float = 0.95,
) -> TrainedAudit:
    """Audit votes by the probabilities that `cross_fit` gave for them.

    One vote an example is audited as `audit_labels` does it. Of several, P(error) is that of what most of them say, by
    the posterior of probabilities and all votes under the noise that was given or found.

    Args:
        fitted: of these votes.
        votes: of N examples; those without a vote are left out.
        checked: positions among the examples with votes, and true classes, as `audit_labels`.
        class_names: K names; None for numbers.
        ids: [N], names of all examples; None for their positions among the N.
        confidence_level: of the intervals.

    Raises:
        InputError: no example has a vote, several votes an example and no noise, or what `audit_labels` refuses.

    Example:
        >>> import murk
        >>> from murk.learn import cross_fit
        >>> digits = murk.load("digits").train[:300]
        >>> noise = murk.Channel.symmetric(0.2, num_classes=10)
        >>> votes = noise.draw(digits.labels, seed=0)
        >>> fitted = cross_fit("mlp1", digits, votes, noise=noise, folds=2, epochs=20, seed=0)
        >>> audit_fitted(fitted, votes).findings.errors.count.high > 20
        True
    """
    said, given = _most_said(votes)
    rows = np.flatnonzero(said >= 0)
    if not len(rows):
        raise InputError("expected votes for classes on some examples, but there are none")
    one_vote = bool((given[rows] == 1).all())
    labels, probs = said[rows], fitted.probs[rows]
    listed = read_shortlist(labels, probs)
    names, named = names_of(listed, class_names, rows if ids is None else np.asarray(ids)[rows])
    if one_vote:
        errors = errors_of(listed, probs_of=fitted.probs_of)
    elif fitted.noise is None:
        raise InputError("several votes an example are audited under their noise; fit with noise=..., or auto")
    else:
        errors = errors_by_posterior(labels, probs, posterior(probs, votes.take(rows), noise=fitted.noise))
    found = findings_of(listed, errors, names, named)
    found = found if checked is None else found.with_checked(*checked, confidence_level=confidence_level)
    return TrainedAudit(found, rows, one_vote)


def _most_said(votes: Votes) -> tuple[Int[np.ndarray, " N"], Int[np.ndarray, " N"]]:
    """Give the class that most votes of each example name, the first of equals, -1 without one; and how many it has."""
    said, given = [], []
    for batch in votes.batches():
        counts = batch.counts()
        counts = (counts.toarray() if hasattr(counts, "toarray") else counts)[:, : votes.num_classes]
        said.append(np.where(counts.any(1), counts.argmax(1), -1))
        given.append(batch.lengths)
    return np.concatenate(said), np.concatenate(given)
