"""Classes left out of training and searched: drawn by the seed, part of a run's name, measured by its embedding."""

from __future__ import annotations

import numpy as np
import pytest

import murk
from murk.data import Dataset, Examples
from murk.errors import InputError
from murk.lab import Setting, compute_run, mean_ratio, resolve, run_id
from murk.lab.searched import classes_searched, parted

TINY = {"data": "digits", "model": "mlp1", "train_size": 300, "passes": 3000, "alpha": 2, "precision": "float32",
        "embedding": 8}  # fmt: skip


def resolved(**more):
    return resolve(Setting(**{**TINY, **more}), device="cpu")


def test_searched_classes_are_drawn_by_seed_and_split_and_stand_in_the_name_of_a_run():
    drawn = {classes_searched(f"random:4:{split}", 10, seed=seed) for split in range(3) for seed in range(3)}
    assert len(drawn) >= 7 and all(len(set(each)) == 4 for each in drawn)
    assert np.bincount(np.concatenate([classes_searched("random:4", 10, seed=seed) for seed in range(300)])).min() > 60
    found = resolved(searched="random:4:1")
    assert found["searched"] == list(classes_searched("random:4:1", 10, seed=0))
    assert run_id(found) == run_id(resolved(searched=tuple(found["searched"])))
    assert len({run_id(resolved()), run_id(found), run_id(resolved(searched="random:4:2"))}) == 3


def test_a_run_trains_on_the_other_classes_and_searches_test_images_of_these():
    found = compute_run(resolved(searched=(1, 4, 8), loss="pairs")).outcome["estimates"]
    plain = compute_run(resolved(loss="pairs")).outcome["estimates"]
    assert {"recall_at_1", "r_precision", "map_at_r"} <= found.keys() and "map_at_r" not in plain
    assert found["recall_at_1"]["low"] > 0.5 and found["accuracy"]["value"] > 0.5


def test_parts_hold_their_own_classes_numbered_anew():
    digits = murk.load("digits")
    seen, unseen = parted(digits, (0, 3, 9))
    assert seen.class_names == ("1", "2", "4", "5", "6", "7", "8") and set(unseen.labels) == {0, 3, 9}
    assert len(seen.test) + len(unseen) == len(digits.test)
    rows = np.flatnonzero(np.isin(digits.train.labels, (0, 3, 9), invert=True))
    assert (seen.train.images == digits.train.images[rows]).all()
    assert [int(seen.class_names[k]) for k in seen.train.labels] == digits.train.labels[rows].tolist()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"searched": (1,)}, "2 to 8 can be searched"),
        ({"searched": "random:9"}, "2 to 8 can be searched"),
        ({"searched": (1, 1)}, "different ones"),
        ({"searched": (1, 10)}, r"in \[0, 10\)"),
        ({"searched": "some"}, "random:COUNT"),
        ({"searched": "random:x"}, "random:COUNT"),
        ({"searched": (1, 2), "train_size": None}, "give train_size"),
        ({"searched": (1, 2), "source": "white"}, "source copies"),
    ],
)
def test_what_cannot_be_searched_is_refused_before_anything_runs(change, said):
    with pytest.raises(InputError, match=said):
        resolved(**change)


def test_more_training_images_than_the_other_classes_have_are_refused():
    with pytest.raises(InputError, match="training images, but 1,297"):
        compute_run(resolved(searched=(1, 2), train_size=1297))


def test_a_class_with_a_single_test_image_cannot_be_found():
    part = Examples(np.zeros((8, 4), np.float32), [0, 0, 1, 1, 2, 2, 3, 3])
    test = Examples(np.zeros((7, 4), np.float32), [0, 0, 1, 1, 2, 2, 3])
    with pytest.raises(InputError, match="class 3 has fewer than two test images"):
        parted(Dataset(part, test), (0, 3))


def test_ratios_of_means_hold_the_truth_as_often_as_they_say():
    rng, held = np.random.default_rng(0), 0
    for _ in range(2000):
        shared = rng.normal(0, 0.05, 6)
        top, bottom = 0.1 + shared + rng.normal(0, 0.02, 6), 0.4 + shared + rng.normal(0, 0.02, 6)
        told = mean_ratio(dict(enumerate(top)), dict(enumerate(bottom)))
        held += told.low <= 0.25 <= told.high
    assert 1852 <= held <= 1945  # 95 % of 2,000, false alarm 1e-6
    nothing = mean_ratio({0: 1.0, 1: 1.1}, {0: -0.3, 1: 0.4})
    assert nothing.low == -np.inf and nothing.high == np.inf
    with pytest.raises(InputError, match="mean of zero"):
        mean_ratio({0: 1.0, 1: 1.0}, {0: 1.0, 1: -1.0})
