"""What will not do is told before an image is decoded: no image here can be, so that a decoder would say otherwise."""

from __future__ import annotations

import json
from functools import partial

import numpy as np
import pytest
from commands import run

from murk.cli.noise import chosen_noise
from murk.cli.place import HowRead
from murk.cli.voted import NO_NOISE, voted
from murk.errors import DataError, InputError

DECODED = "images that can be decoded"
ROWS = [(name, number) for name in ("cat", "dog") for number in range(2)]


@pytest.fixture
def broken(tmp_path):
    """Folders of damaged images, and what is said of them: two classes, one, none; votes of three; matrices of two."""
    for folder, names in (("two", ("cat", "dog")), ("one", ("cat",)), ("flat", ("",))):
        for name in names:
            (tmp_path / folder / name).mkdir(parents=True, exist_ok=True)
            for number in range(2):
                (tmp_path / folder / name / f"{number}.png").write_text("no image")
    votes = [f"{name}/{number}.png,{who},{name}" for name, number in ROWS for who in ("ann", "bob", "cid")]
    (tmp_path / "votes.csv").write_text("\n".join(["image,worker,label", *votes, ""]))
    table = [f"two/{name}/{number}.png,{name if number else ''}" for name, number in ROWS]
    (tmp_path / "some.csv").write_text("\n".join(["image,label", *table, ""]))
    np.save(tmp_path / "two.npy", np.stack([np.eye(2)] * 2))
    (tmp_path / "twos").mkdir()
    np.savetxt(tmp_path / "three.csv", np.eye(3), delimiter=",")
    return tmp_path


def test_without_a_fault_the_images_are_what_is_wrong(broken):
    """Else the other tests would see nothing."""
    for line in ("data show two", "dilute two --alpha 1 -o v.csv", "train two --noise symmetric:.1 -o run"):
        assert DECODED in run(*line.split(), exit_code=1).stderr


@pytest.mark.parametrize(("line", "told"), [
    ("data show one --noise symmetric:.1", "one class, cat; bring labels"),
    ("data show flat --noise symmetric:.1", "no label or vote; bring labels"),
    ("data show some.csv --noise symmetric:.1", "2 examples to train on without one"),
    ("data show two --noise channel:three.csv", "three.csv to be of 2 classes"),
    ("dilute one --alpha 1 -o v.csv", "one class, cat; bring labels"),
    ("dilute flat --alpha 1 -o v.csv", "no label or vote; bring labels"),
    ("dilute some.csv --alpha 1 -o v.csv", "2 examples to train on without one"),
    ("dilute two --noise channel:three.csv -o v.csv", "three.csv to be of 2 classes"),
    ("dilute two --noise channel:nowhere.csv -o v.csv", "nowhere.csv"),
    ("dilute two --noise annotators:two.npy --source same-set -o v.csv", "--source same-set goes with a dilution"),
    ("dilute two --alpha 1 --source white-ish -o v.csv", "did you mean 'white'?"),
    ("dilute two --alpha 1 --source ./twos.d -o v.csv", "nothing lies there; did you mean 'twos'?"),
    ("train one --noise symmetric:.1 -o run", "one class, cat; bring labels"),
    ("train two -o run", "or have it found, by --noise auto"),
    ("train two --noise symmetric:.1 --consistency 1 --augment none -o run", "--augment none changes nothing"),
    ("train two --noise symmetric:.1 --consistency 1 --model perceptron -o run", "perceptron takes unchanged ones"),
    ("train flat --noise symmetric:.1 -o run", "no label or vote; bring labels"),
    ("train two --noise channel:three.csv -o run", "three.csv to be of 2 classes"),
    ("train two --votes draw -o run", "say how labels go wrong: --alpha 20, or --noise SPEC, or --votes FILE"),
    ("train some.csv --votes draw --alpha 1 -o run", "2 examples to train on without one"),
    ("train one --votes draw --alpha 1 -o run", "one class, cat; bring labels"),
    ("train two --noise symmetric:.1 --test-labels clean -o run", "but the data has no test part"),
    ("train two --votes votes.csv --noise annotators:two.npy -o run", "but 3 voted, in this order: ann, bob, cid"),
    ("train two --noise annotators:two.npy -o run", "do not say who voted"),
])  # fmt: skip
def test_what_will_not_do_is_told_instead(broken, line, told):
    outcome = run(*line.split(), exit_code=None)
    assert outcome.exit_code in (1, 2) and told in outcome.stderr and DECODED not in outcome.stderr
    assert not (broken / "cache").exists() and not (broken / "run").exists()


def test_votes_of_ones_own_need_noise_where_whoever_takes_them_does(broken):
    take = partial(voted, "two", None, partial(chosen_noise, noise=None), HowRead(), test_labels=None, seed=0)
    with pytest.raises(InputError, match=r"^say how labels go wrong"):
        take(without_noise=NO_NOISE)
    with pytest.raises(DataError, match=DECODED):
        take()


@pytest.mark.parametrize(("facts", "line", "told"), [
    ({"data": {"name": "others", "sha256": "0"}}, "", "about 'others' as it was when they were drawn, but two came"),
    ({"classes": 3}, "", "drawn over 3 classes, but two has 2"),
    ({"source": "others"}, "", "called others, which murk does not know"),
    ({"source": "others", "source_sha256": "0"}, "", "name it by --source PATH"),
    ({"source": "others", "source_sha256": "0"}, " --source ./others", "--source names ./others, but nothing lies"),
    ({}, " --noise annotators:two.npy", "votes.csv does not say who voted"),
    ({}, " --noise channel:three.csv", "three.csv to be of 2 classes"),
])  # fmt: skip
def test_stored_votes_on_other_data_or_among_images_elsewhere_are_told_of(broken, facts, line, told):
    num_classes = facts.get("classes", 2)
    drawn_by = {"kind": "dilution", "alpha": 1, "num_classes": num_classes,
                "pattern": {"kind": "uniform", "num_classes": num_classes}}  # fmt: skip
    known = {"data": {"name": "two", "sha256": "0"}, "num_examples": 4, "num_classes": num_classes, "seed": 0,
             "drawn_by": drawn_by, "source": "copies"}  # fmt: skip
    (broken / "votes.csv").write_text("example,label\n0,1\n")
    (broken / "votes.csv.json").write_text(json.dumps(known | facts))
    outcome = run("train", "two", "--votes", "votes.csv", *line.split(), "-o", "run", exit_code=None)
    assert outcome.exit_code in (1, 2) and told in outcome.stderr and DECODED not in outcome.stderr
