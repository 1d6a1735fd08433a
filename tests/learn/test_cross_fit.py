"""Cross-fitting: every example predicted by a network that did not see it; stopped anywhere, it goes on."""

from typing import Any

import numpy as np
import pytest

import murk
from murk.errors import DataError, InputError
from murk.learn import Progress, cross_fit
from murk.noise import Channel, Votes

DIGITS = murk.load("digits").train[:240]
NOISE = Channel.symmetric(0.3, num_classes=10)
LABELS = np.asarray(NOISE.draw(DIGITS.labels, seed=0).batch(np.arange(240)).labels)
QUICK: dict[str, Any] = {"noise": NOISE, "folds": 3, "epochs": 2, "seed": 0, "device": "cpu", "precision": "float32"}


def votes(labels: np.ndarray) -> Votes:
    """Take one label each."""
    return Votes.from_labels(labels, num_classes=10)


def test_an_examples_own_vote_and_image_do_not_touch_the_others_of_its_fold_nor_its_own_prediction() -> None:
    before = cross_fit("mlp1", DIGITS, votes(LABELS), **QUICK)
    changed = np.where(before.fold == 1, (LABELS + 1) % 10, LABELS)
    after = cross_fit("mlp1", DIGITS, votes(changed), **QUICK)
    assert np.array_equal(before.fold, after.fold)
    same = (before.probs == after.probs).all(1)
    assert same[before.fold == 1].all() and not same[before.fold != 1].any()
    assert before.probs.sum(1) == pytest.approx(np.ones(240), abs=1e-5)


def test_groups_are_in_one_fold() -> None:
    groups = np.arange(240) // 7
    found = cross_fit("mlp1", DIGITS, votes(LABELS), groups=groups, **QUICK)
    assert all(len(np.unique(found.fold[groups == g])) == 1 for g in np.unique(groups))
    assert len(np.unique(found.fold)) == 3


def test_with_noise_to_find_it_is_found_once_and_told_and_without_votes_are_what_is_predicted() -> None:
    found = cross_fit("mlp1", DIGITS, votes(LABELS), **QUICK | {"noise": "auto", "folds": 2})
    assert found.found is not None and found.noise is found.found.noise and found.probs_of == "truth"
    plain = cross_fit("mlp1", DIGITS, votes(LABELS), **QUICK | {"noise": None, "folds": 2, "method": "averaging"})
    assert plain.noise is None and plain.probs_of == "votes"


@pytest.mark.parametrize("noise", [NOISE, "auto"])
@pytest.mark.parametrize("stop", [1, 4, 8])
def test_stopped_it_goes_on_and_ends_the_same(noise: Any, stop: int, tmp_path: Any) -> None:
    settings = QUICK | {"noise": noise, "folds": 2}
    whole = cross_fit("mlp1", DIGITS, votes(LABELS), **settings)
    seen = [0]

    def interrupt(progress: Progress) -> None:
        seen[0] += progress.epoch is not None
        if seen[0] == stop:
            raise KeyboardInterrupt

    kept: dict[str, Any] = {"checkpoint": tmp_path / "folds", "checkpoint_seconds": 0.0}
    if stop < 5 or noise == "auto":
        with pytest.raises(KeyboardInterrupt):
            cross_fit("mlp1", DIGITS, votes(LABELS), callbacks=[interrupt], **kept, **settings)
    again = cross_fit("mlp1", DIGITS, votes(LABELS), **kept, **settings)
    assert np.array_equal(whole.probs, again.probs) and np.array_equal(whole.fold, again.fold)
    names = {path.name for path in (tmp_path / "folds").iterdir()}
    assert {name for name in names if name.startswith("fold")} == {"fold-1.safetensors", "fold-2.safetensors"}
    steps = [0]
    cross_fit("mlp1", DIGITS, votes(LABELS), callbacks=[lambda _: steps.__setitem__(0, 1)], **kept, **settings)
    assert steps == [0]  # all is there


def test_folds_of_another_training_are_not_taken(tmp_path: Any) -> None:
    cross_fit("mlp1", DIGITS, votes(LABELS), checkpoint=tmp_path, **QUICK)
    with pytest.raises(DataError, match="fold of another training"):
        cross_fit("mlp1", DIGITS, votes((LABELS + 1) % 10), checkpoint=tmp_path, **QUICK)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"folds": 1}, "folds"),
        ({"folds": 999}, "999 folds need as many examples"),
        ({"groups": np.zeros(240, int)}, "3 folds need"),
        ({"votes": "labels"}, "folds are fitted to votes"),
    ],
)
def test_what_cannot_be_folded_is_refused(change: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        cross_fit("mlp1", DIGITS, **(QUICK | {"votes": votes(LABELS)} | change))
