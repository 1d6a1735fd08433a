"""The estimator finds noise that nobody states, from labels, tables and weighted examples."""

import numpy as np
import pytest
from sklearn.datasets import make_blobs
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from murk.noise import Annotators, Channel, Flat, pair_flip
from murk.sklearn import NoisyLabelClassifier

NAMES = np.array(["ant", "bee", "cat"])


@pytest.fixture(scope="module")
def blobs() -> tuple[np.ndarray, np.ndarray]:
    features, truth = make_blobs(900, centers=3, n_features=4, cluster_std=1.5, random_state=0)
    return features, truth


def auto(**settings: object) -> NoisyLabelClassifier:
    return NoisyLabelClassifier("auto", **{"model": "perceptron", "epochs": 20, "random_state": 0} | settings)


def test_noise_of_labels_is_found(blobs: tuple[np.ndarray, np.ndarray]) -> None:
    features, truth = blobs
    noise = Channel(pair_flip(3, 0.4))
    noisy = NAMES[noise.draw(truth, seed=0).batch(np.arange(900)).labels]
    classifier = auto().fit(features, noisy)
    found = classifier.fit_.found
    assert np.abs(found.transition.value - noise.transition.matrix()).max() < 0.12  # 300 labels a row: 4 SD
    assert (classifier.predict(features) == NAMES[truth]).mean() > 0.95


def test_columns_of_a_table_may_err_in_their_own_ways(blobs: tuple[np.ndarray, np.ndarray]) -> None:
    features, truth = blobs
    noise = Annotators(np.stack([Flat(3, right).matrix() for right in (0.9, 0.5)]), votes_per_example=2)
    batch = noise.draw(truth, seed=0).batch(np.arange(900))
    table = np.full((900, 2), -1)
    table[batch.rows, batch.annotators] = batch.labels
    found = auto().fit(features, table).fit_.found
    assert found.family == "a rate for each annotator"
    assert np.abs(np.diagonal(found.noise.transitions, axis1=1, axis2=2).mean(1) - [0.9, 0.5]).max() < 0.08


def test_an_example_of_weight_two_is_that_example_twice(blobs: tuple[np.ndarray, np.ndarray]) -> None:
    features, truth = blobs
    noisy = Channel.symmetric(0.3, num_classes=3).draw(truth, seed=0).batch(np.arange(900)).labels
    weights = np.where(np.arange(900) < 300, 2, 1)
    twice = np.repeat(np.arange(900), weights)
    one = auto().fit(features, noisy, sample_weight=weights)
    other = auto().fit(features[twice], noisy[twice])
    assert np.allclose(one.fit_.found.transition.value, other.fit_.found.transition.value, atol=1e-9)
    assert np.allclose(one.predict_proba(features), other.predict_proba(features))


def test_it_goes_into_pipelines_and_cross_validation(blobs: tuple[np.ndarray, np.ndarray]) -> None:
    features, truth = blobs
    noisy = Channel.symmetric(0.3, num_classes=3).draw(truth, seed=0).batch(np.arange(900)).labels
    scores = cross_val_score(make_pipeline(StandardScaler(), auto()), features, noisy, cv=3)
    assert scores.min() > 0.6  # right predictions agree with 70 % of the labels
