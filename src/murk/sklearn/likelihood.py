"""A score that noisy votes can give: how likely a classifier, and its noise model, make votes it has not seen."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import logsumexp
from sklearn.pipeline import Pipeline

from murk.errors import InputError
from murk.noise import NoiseModel
from murk.sklearn.classifier import NoisyLabelClassifier
from murk.sklearn.given_votes import read_votes

__all__ = ["vote_log_likelihood"]

LEAST = 1e-12  # of a probability, before its logarithm


def vote_log_likelihood(estimator: Any, X: Any, y: Any) -> float:  # noqa: N803
    """Give the mean log-likelihood of the examples' votes, in nats; higher is better. A scorer: `scoring=` takes it.

    mean over examples of log sum_j p_j(x) P(votes given class j), by the noise model that the estimator was fitted
    with; without one, votes are taken as drawn from p itself. The likelihood is of votes, so noise models can be
    compared by it as well as networks: a grid search over `noise=` is sound.

    Args:
        estimator: a fitted `NoisyLabelClassifier`, or a `Pipeline` that ends in one.
        X: examples that it was not trained on, as `fit` takes them.
        y: their labels or votes, as `fit` takes them.

    Raises:
        InputError: another estimator, labels it was not fitted with, votes that are impossible under its noise model,
            or no votes at all.

    Example:
        >>> from sklearn.datasets import make_blobs
        >>> from sklearn.model_selection import cross_val_score
        >>> X, y = make_blobs(200, centers=2, random_state=0)
        >>> noisy = np.where(np.random.default_rng(0).random(200) < 0.3, 1 - y, y)
        >>> classifier = NoisyLabelClassifier("symmetric:0.3", epochs=10, random_state=0)
        >>> cross_val_score(classifier, X, noisy, scoring=vote_log_likelihood, cv=2).shape
        (2,)
    """
    last = estimator[-1] if isinstance(estimator, Pipeline) else estimator
    if not isinstance(last, NoisyLabelClassifier):
        raise InputError(
            f"expected a NoisyLabelClassifier, or a Pipeline that ends in one, but {type(last).__name__} came"
        )
    log_probs = np.log(np.maximum(estimator.predict_proba(X), LEAST))
    _, votes = read_votes(y, classes=last.classes_)
    if len(votes) != len(log_probs):
        raise InputError(f"expected votes for each of {len(log_probs)} examples, but {len(votes)} came")
    noise = last.fit_.noise
    each = [_of_batch(log_probs[batch.indices], batch, noise) for batch in votes.batches()]
    voted = np.concatenate([batch.lengths > 0 for batch in votes.batches()])
    if not voted.any():
        raise InputError("expected at least one vote, but there is none")
    return float(np.concatenate(each)[voted].mean())


def _of_batch(log_probs: np.ndarray, batch: Any, noise: NoiseModel | None) -> np.ndarray:
    """The log-likelihood of each example's votes."""
    if noise is None:
        return np.asarray((batch.counts()[:, : batch.num_classes] * log_probs).sum(axis=1))
    return np.asarray(logsumexp(log_probs + noise.log_evidence(batch).dense(), axis=1))
