"""Mixtures: truth and groups follow the image shown."""

from __future__ import annotations

import numpy as np
import pytest

import murk
from murk.errors import InputError
from murk.lab import RunSettings, mixture, run_training
from murk.noise import Channel, InstanceRate

DIGITS = murk.load("digits")
NOISE = murk.Dilution(2, num_classes=10)


def test_copies_are_the_images_themselves():
    mixed = mixture(DIGITS.train, NOISE, seed=0)
    assert mixed.noise is NOISE and mixed.groups() is None and not mixed.is_foreign
    assert np.array_equal(mixed.truth(DIGITS.train.labels), DIGITS.train.labels)


def test_showings_of_one_image_are_one_group_and_have_its_class():
    mixed = mixture(DIGITS.train, NOISE, source="same-set", seed=0)
    rows = mixed.images.image_of(np.arange(len(mixed.images))).row
    assert np.array_equal(mixed.groups(), rows)
    assert np.array_equal(mixed.truth(DIGITS.train.labels), DIGITS.train.labels[rows])
    assert mixed.noise == Channel(NOISE.transition)


def test_foreign_images_have_no_class_and_groups_of_their_own():
    mixed = mixture(DIGITS.train, NOISE, source=DIGITS.test, seed=0)
    truth, groups = mixed.truth(DIGITS.train.labels).reshape(-1, 3), mixed.groups().reshape(-1, 3)
    assert np.array_equal(truth[:, 0], DIGITS.train.labels) and (truth[:, 1:] == -1).all()
    assert len(np.unique(groups[:, 0])) == 1297 and not set(groups[:, 0]) & set(groups[:, 1:].ravel())
    assert len(np.unique(groups[:, 1:])) == 500, "a foreign image that comes round again is one group"


def test_only_a_dilution_has_noisy_images():
    with pytest.raises(InputError, match="go with a dilution"):
        mixture(DIGITS.train, Channel.symmetric(0.2, num_classes=10), source="white", seed=0)


def test_all_faults_of_settings_are_told_together():
    with pytest.raises(InputError, match=r"a loss .*'evidence'.*weigh_as .*'given'.*seed"):
        RunSettings(loss="evidense", weigh_as="givn", seed=-1)


def test_a_test_set_without_truth_gives_no_accuracy_and_says_why():
    unknown = murk.Examples(DIGITS.test.images, np.full(500, -1), DIGITS.class_names)
    run = run_training(
        murk.Dataset(DIGITS.train, unknown, "digits"), mixture(DIGITS.train, NOISE, seed=0),
        settings=RunSettings(model="perceptron", epochs=1), described={},
    )  # fmt: skip
    assert run.result.estimates == {"accuracy": None, "accuracy_last": None, "accuracy_from_votes": None}
    assert "not all known" in run.result.remarks["accuracy"]


def test_noise_that_depends_on_the_image_is_weighed_by_its_mean_and_not_drawn_for_test_images():
    mixed = mixture(DIGITS.train, InstanceRate(0.4, 10), seed=0)
    again = mixture(DIGITS.train, InstanceRate(0.4, 10), seed=0)
    votes = mixed.votes.batch(np.arange(1297)).labels
    assert np.array_equal(votes, again.votes.batch(np.arange(1297)).labels)
    assert not mixed.simulated
    share = np.mean(votes != DIGITS.train.labels)
    assert 0.33 < share < 0.47  # binomial and the spread of rates: less than 1e-6 outside
    assert 1 - np.diagonal(mixed.noise.transition.matrix()).mean() == pytest.approx(0.4, abs=0.02)
    with pytest.raises(InputError, match="go with a dilution"):
        mixture(DIGITS.train, InstanceRate(0.4, 10), source="white", seed=0)
