"""The scorer that reads noisy votes: its value in closed form, and what it can tell apart."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import make_blobs
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from murk.errors import InputError
from murk.noise import Channel
from murk.sklearn import NoisyLabelClassifier, vote_log_likelihood

T = np.array([[0.8, 0.2], [0.3, 0.7]])


@pytest.fixture(scope="module")
def blobs() -> tuple[np.ndarray, np.ndarray]:
    features, truth = make_blobs(400, centers=2, random_state=0)
    return features, Channel(T).draw(truth, seed=0).batch(np.arange(400)).labels


def quick(noise: object) -> NoisyLabelClassifier:
    return NoisyLabelClassifier(noise, epochs=20, device="cpu", random_state=0)


def test_one_label_each_gives_the_log_of_p_times_the_matrix(blobs):
    features, noisy = blobs
    fitted = make_pipeline(StandardScaler(), quick(T)).fit(features[:300], noisy[:300])
    expected = np.log((fitted.predict_proba(features[300:]) @ T)[np.arange(100), noisy[300:]]).mean()
    assert np.isclose(vote_log_likelihood(fitted, features[300:], noisy[300:]), expected, rtol=1e-9)


def test_without_noise_labels_are_weighed_by_the_probabilities_themselves(blobs):
    features, noisy = blobs
    fitted = quick(None).fit(features[:300], noisy[:300])
    expected = np.log(fitted.predict_proba(features[300:])[np.arange(100), noisy[300:]]).mean()
    assert np.isclose(vote_log_likelihood(fitted, features[300:], noisy[300:]), expected, rtol=1e-9)


def test_independent_votes_of_an_example_multiply_given_its_class(blobs):
    features, noisy = blobs
    fitted = quick(T).fit(features[:300], noisy[:300])
    table = np.array([[0, 1], [1, -1], [-1, -1]])
    p = fitted.predict_proba(features[300:303])
    expected = (np.log(p[0] @ (T[:, 0] * T[:, 1])) + np.log(p[1] @ T[:, 1])) / 2  # who has no vote says nothing
    assert np.isclose(vote_log_likelihood(fitted, features[300:303], table), expected, rtol=1e-9)


def test_the_true_noise_is_likelier_than_another(blobs):
    features, noisy = blobs
    right, wrong = (quick(noise).fit(features[:300], noisy[:300]) for noise in (T, "symmetric:0.05"))
    unseen = features[300:], noisy[300:]
    assert vote_log_likelihood(right, *unseen) > vote_log_likelihood(wrong, *unseen)


def test_other_estimators_and_labels_are_refused(blobs):
    features, noisy = blobs
    with pytest.raises(InputError, match="LogisticRegression came"):
        vote_log_likelihood(LogisticRegression().fit(features, noisy), features, noisy)
    fitted = quick(T).fit(features, noisy)
    with pytest.raises(InputError, match="among the classes"):
        vote_log_likelihood(fitted, features, noisy + 1)
    with pytest.raises(InputError, match="at least one vote"):
        vote_log_likelihood(fitted, features[:2], [[-1, -1], [-1, -1]])
    with pytest.raises(InputError, match="400 examples"):
        vote_log_likelihood(fitted, features, noisy[:9])
