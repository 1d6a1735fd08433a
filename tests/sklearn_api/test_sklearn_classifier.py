"""What the classifier promises beside scikit-learn's own checks: every noise, votes, weights, images, sparse rows."""

from __future__ import annotations

import pickle
from functools import partial
from typing import Any

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import make_blobs
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_predict, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler, StandardScaler

import murk
from murk.errors import InputError
from murk.models import build
from murk.noise import Annotators, Channel, Dilution
from murk.sklearn import NoisyLabelClassifier, vote_log_likelihood

T = np.array([[0.7, 0.2, 0.1], [0.1, 0.7, 0.2], [0.2, 0.1, 0.7]])
NAMES = np.array(["ant", "bee", "cat"])


@pytest.fixture(scope="module")
def blobs() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features [300, 2], true classes, and labels drawn through T."""
    features, truth = make_blobs(300, centers=[(0, 0), (6, 0), (0, 6)], random_state=0)
    return features, truth, Channel(T).draw(truth, seed=0).batch(np.arange(300)).labels


def quick(noise: Any = T, **settings: Any) -> NoisyLabelClassifier:
    return NoisyLabelClassifier(noise, **{"epochs": 15, "device": "cpu", "random_state": 0} | settings)


def test_probabilities_are_of_the_true_class_not_of_the_label(blobs):
    features, truth, noisy = blobs
    sure = quick(epochs=40).fit(features, noisy).predict_proba(features)[np.arange(300), truth]
    assert np.median(sure) > 0.9  # labels are right 70 % of the time
    assert np.allclose(quick().fit(features, noisy).predict_proba(features).sum(axis=1), 1, atol=1e-12)


@pytest.mark.parametrize(
    "noise",
    [T, T.tolist(), Channel(T), Channel.symmetric(0.3, num_classes=3), "symmetric:0.3", "pairflip:0.2", None],
    ids=["matrix", "lists", "Channel", "flat", "symmetric", "pairflip", "none"],
)
def test_every_noise_there_is_trains(blobs, noise):
    features, truth, noisy = blobs
    classifier = quick(noise).fit(features, noisy)
    assert classifier.score(features, truth) > 0.9
    assert (classifier.fit_.noise is None) == (noise is None)


def test_a_matrix_in_a_file_is_read_by_its_name(blobs, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.savetxt("T.csv", T, delimiter=",")
    named = quick("channel:T.csv").fit(blobs[0], blobs[2])
    assert (named.predict_proba(blobs[0]) == quick().fit(blobs[0], blobs[2]).predict_proba(blobs[0])).all()


def test_the_matrix_goes_by_the_order_of_classes_whatever_the_labels_are_called(blobs):
    features, _, noisy = blobs
    numbered, named = quick().fit(features, noisy), quick().fit(features, NAMES[noisy])
    assert named.classes_.tolist() == NAMES.tolist() == list(named.fit_.class_names)
    assert (numbered.predict_proba(features) == named.predict_proba(features)).all()
    assert (NAMES[numbered.predict(features)] == named.predict(features)).all()


def test_exact_dilution_and_annotators_read_tables_and_votes(blobs):
    features, truth, _ = blobs
    for noise in (Dilution(3, num_classes=3), Annotators(np.stack([T, T.T]), votes_per_example=2)):
        classifier = quick(noise, epochs=30).fit(features, noise.draw(truth, seed=1))
        assert classifier.score(features, truth) > 0.9


@pytest.mark.parametrize(
    "gaps",
    [
        lambda table, none: np.where(none, -1, table),
        lambda table, none: np.where(none, np.nan, table),
        lambda table, none: np.where(none, None, table),
        lambda table, none: np.where(none, None, NAMES[table]),
        lambda table, none: np.where(none, np.nan, NAMES[table].astype(object)).tolist(),
    ],
    ids=["-1", "nan", "None", "names", "lists"],
)
def test_a_table_of_votes_is_the_same_votes_however_its_gaps_are_written(blobs, gaps):
    features, truth, _ = blobs
    table = np.stack([Channel(T).draw(truth, seed=s).batch(np.arange(300)).labels for s in range(3)], axis=1)
    none = np.random.default_rng(0).random(table.shape) < 0.3
    expected = quick().fit(features, murk.Votes.from_matrix(np.where(none, -1, table), num_classes=3))
    found = quick().fit(features, gaps(table, none))
    assert (found.predict_proba(features) == expected.predict_proba(features)).all()
    assert len(found.classes_) == 3


def test_a_data_frame_of_votes_and_of_features_works(blobs):
    pd = pytest.importorskip("pandas")
    features, truth, _ = blobs
    table = np.stack([Channel(T).draw(truth, seed=s).batch(np.arange(300)).labels for s in range(2)], axis=1)
    votes = pd.DataFrame(NAMES[table], dtype=object)
    votes.iloc[:5, 0] = None
    classifier = quick().fit(pd.DataFrame(features, columns=["length", "width"]), votes)
    assert classifier.feature_names_in_.tolist() == ["length", "width"]
    assert classifier.classes_.tolist() == NAMES.tolist()


def test_a_weight_is_that_many_copies_for_votes_too(blobs):
    features, truth, _ = blobs
    features, truth = features[:60], truth[:60]
    votes = Channel(T, votes_per_example=3).draw(truth, seed=0).batch(np.arange(60)).labels.reshape(60, 3)
    weights = np.arange(60) % 4
    copies = np.repeat(np.arange(60), weights)
    weighed = quick().fit(features, votes, sample_weight=weights)
    copied = quick().fit(features[copies], votes[copies])
    assert (weighed.predict_proba(features) == copied.predict_proba(features)).all()


def test_weights_count_by_their_ratio_and_do_count(blobs):
    features, _, noisy = blobs
    weights = np.where(noisy == 0, 1.0, 3.0)
    weighed, doubled = (quick().fit(features, noisy, sample_weight=c * weights) for c in (1, 2))
    assert (weighed.predict_proba(features) == doubled.predict_proba(features)).all()
    assert (weighed.predict_proba(features) != quick().fit(features, noisy).predict_proba(features)).any()


@pytest.mark.parametrize("loss", ["evidence", "pairs", "soft-labels", "composite"])
def test_every_loss_takes_weights(blobs, loss):
    features, truth, noisy = blobs
    wrong = quick(loss=loss).fit(features, np.where(truth == 0, 0, noisy), sample_weight=np.where(truth == 0, 1.0, 0.5))
    assert wrong.score(features, truth) > 0.8


def test_the_order_of_the_examples_plays_no_part(blobs):
    features, _, noisy = blobs
    order = np.random.default_rng(1).permutation(300)
    there, back = quick().fit(features, noisy), quick().fit(features[order], noisy[order])
    assert (there.predict_proba(features) == back.predict_proba(features)).all()


def test_sparse_rows_of_any_format_give_the_same_as_each_other(blobs):
    features, truth, noisy = blobs
    rows = np.abs(MaxAbsScaler().fit_transform(features)) * (np.abs(features) > 1)
    found = [
        quick(epochs=30).fit(make(rows), noisy).predict_proba(make(rows))
        for make in (sparse.csr_array, sparse.csc_matrix, sparse.coo_array)
    ]
    assert (found[0] == found[1]).all() and (found[0] == found[2]).all()
    assert (found[0].argmax(axis=1) == truth).mean() > 0.7


def test_images_are_classified_and_other_images_refused():
    digits = murk.load("digits")
    noise = Channel.symmetric(0.2, num_classes=10)
    noisy = noise.draw(digits.train.labels, seed=0).batch(np.arange(len(digits.train))).labels
    classifier = quick(noise, epochs=10).fit(digits.train.images, noisy)
    assert classifier.score(digits.test.images, digits.test.labels) > 0.75
    assert classifier.n_features_in_ == 64
    assert quick(noise, model="conv3", epochs=1).fit(digits.train.images[:200], noisy[:200]).predict(
        digits.test.images[:2]).shape == (2,)  # fmt: skip
    with pytest.raises(InputError, match=r"shape \(8, 8, 1\)"):
        classifier.predict(np.zeros((1, 9, 9, 1), np.uint8))
    with pytest.raises(InputError, match="channel axis is missing"):
        quick(noise).fit(digits.train.images[..., 0], noisy)


def test_a_model_is_a_name_or_a_function_that_makes_one(blobs):
    features, truth, noisy = blobs
    wide = quick(model=partial(build, "mlp2", width=48)).fit(features, noisy)
    assert dict(wide.fit_.model.settings.options)["width"] == 48
    assert quick(model="mlp1").fit(features, noisy).score(features, truth) > 0.9
    with pytest.raises(InputError, match="wrap it in a function"):
        quick(model=wide.fit_.model).fit(features, noisy)


def test_settings_reach_the_training(blobs):
    classifier = quick(epochs=3, batch_size=7, learning_rate=0.3e-3, weight_decay=0.2, held_out=0.25)
    recipe = classifier.fit(blobs[0], blobs[2]).fit_.recipe
    assert (recipe.epochs, recipe.batch_size, recipe.learning_rate) == (3, 7, 0.3e-3)
    assert (recipe.weight_decay, recipe.held_out) == (0.2, 0.25)


def test_random_state_is_read_as_everywhere_in_scikit_learn(blobs):
    def probabilities(state: Any) -> np.ndarray:
        return quick(random_state=state, epochs=2).fit(blobs[0], blobs[2]).predict_proba(blobs[0])

    assert (probabilities(3) == probabilities(np.random.RandomState(3))).all()
    assert (probabilities(3) != probabilities(4)).any()
    shared = np.random.RandomState(3)
    assert (probabilities(shared) != probabilities(shared)).any()


def test_clone_get_params_and_set_params_keep_every_setting():
    classifier = NoisyLabelClassifier(T, model="mlp2", classes=[0, 1, 2], epochs=3, loss="pairs", random_state=5)
    copied = clone(classifier)
    assert copied.get_params().keys() == classifier.get_params().keys()
    assert (copied.noise == T).all() and copied.model == "mlp2" and copied.random_state == 5
    assert copied.set_params(noise=None, epochs=7).epochs == 7


def test_a_pickled_classifier_predicts_the_same(blobs):
    classifier = quick().fit(blobs[0], blobs[2])
    again = pickle.loads(pickle.dumps(classifier))
    assert (again.predict_proba(blobs[0]) == classifier.predict_proba(blobs[0])).all()
    with pytest.raises(NotFittedError):
        clone(classifier).predict(blobs[0])


def test_it_works_in_pipelines_cross_validation_and_grids(blobs):
    features, truth, noisy = blobs
    pipeline = make_pipeline(StandardScaler(), quick(epochs=8))
    out_of_fold = cross_val_predict(pipeline, features, NAMES[noisy], cv=3, method="predict_proba")
    assert (out_of_fold.argmax(axis=1) == truth).mean() > 0.9
    grid = {"noisylabelclassifier__noise": [T, T.T, None], "noisylabelclassifier__model": ["perceptron", "mlp1"]}
    search = GridSearchCV(pipeline, grid, cv=2, scoring=vote_log_likelihood, error_score="raise").fit(features, noisy)
    assert (search.predict(features) == truth).mean() > 0.9


def test_two_processes_give_what_one_gives(blobs):
    features, _, noisy = blobs
    alone, together = (cross_val_score(quick(epochs=2), features, noisy, cv=2, n_jobs=jobs) for jobs in (1, 2))
    assert np.allclose(alone, together)


def test_out_of_fold_probabilities_come_from_a_table_given_as_votes(blobs):
    features, truth, _ = blobs
    table = np.stack([Channel(T).draw(truth, seed=s).batch(np.arange(300)).labels for s in range(3)], axis=1)
    table[::2, 0] = -1
    found = cross_val_predict(
        quick(classes=[0, 1, 2]), features, params={"votes": table}, cv=3, method="predict_proba"
    )  # fmt: skip
    assert (found.argmax(axis=1) == truth).mean() > 0.9


def test_classes_may_be_named_where_labels_lack_some(blobs):
    features, _, noisy = blobs
    two = noisy < 2
    with pytest.raises(InputError, match="name all by classes="):
        quick().fit(features[two], NAMES[noisy[two]])
    classifier = quick(classes=NAMES).fit(features[two], NAMES[noisy[two]])
    assert classifier.predict_proba(features).shape == (300, 3)


@pytest.mark.parametrize(
    ("settings", "labels", "said"),
    [
        ({"noise": "automatic"}, [0, 1, 2, 0], '"auto:one-right" or "auto:dependent"'),
        ({"noise": "symetric:.2"}, [0, 1, 2, 0], "nearest: symmetric"),
        ({"noise": 2 * T}, [0, 1, 2, 0], "sum"),
        ({"noise": None, "model": "mlp9"}, [0, 1, 2, 0], "did you mean"),
        ({"noise": None, "model": 3}, [0, 1, 2, 0], "a function that makes"),
        ({"noise": None, "loss": "evidence"}, [0, 1, 2, 0], "noise=None"),
        ({"noise": None, "epochs": 0, "learning_rate": -1}, [0, 1, 2, 0], "epochs.*learning_rate"),
        ({"noise": None, "augment": "affine"}, [0, 1, 2, 0], "for images"),
        ({"noise": None, "classes": [2, 1, 0]}, [0, 1, 2, 0], "sorted"),
        ({"noise": None, "classes": [0, 1]}, [0, 1, 2, 0], "renumbers"),
        ({"noise": None, "classes": ["a", "b"]}, [0, 1, 1, 0], "among the classes"),
        ({"noise": None}, [0, 0, 0, 0], "nothing to learn from one class"),
        ({"noise": None}, [0, "one", 2, 1], "mixed"),
        ({"noise": None}, [0.5, 1.5, 2.25, 0.1], "continuous"),
        ({"noise": None}, [0, 1, np.nan, 0], "NaN"),
        ({"noise": None}, [[0, 1], [1], [0, 0], [1, 1]], "ragged"),
        ({"noise": None}, [[0, -2], [1, 1], [0, 0], [1, 1]], "none of these"),
        ({"noise": None}, [[0, -2], [1, None], [0, 0], [1, 1]], "none of these"),
        ({"noise": None}, [["a", -2], ["b", None], ["a", "a"], ["b", "b"]], "mixed"),
        ({"noise": None}, ["a", "b", np.nan, "a"], "mixed"),
        ({"noise": None}, [[None, None]] * 4, "0 classes"),
        ({"noise": None, "classes": [0, 1]}, [[-1, -1]] * 4, "none to learn from"),
        ({"noise": None}, [0, 1, 0], "inconsistent numbers of samples"),
    ],
)
def test_what_does_not_fit_is_refused_with_what_to_do(settings, labels, said):
    with pytest.raises(ValueError, match=said):
        quick(**settings).fit(np.eye(4), np.array(labels, dtype=object) if "one" in labels else labels)


@pytest.mark.parametrize("weights", [[1, 1, 1], [1, 1, 1, -1], [0, 0, 0, 0], [1, np.nan, 1, 1]])
def test_weights_that_are_none_are_refused(weights):
    with pytest.raises(ValueError, match=r"(?i)weight"):
        quick(None).fit(np.eye(4), [0, 1, 0, 1], sample_weight=weights)
