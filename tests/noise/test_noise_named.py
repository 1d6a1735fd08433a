"""noise_named(): texts for the command line and study files."""

from __future__ import annotations

import numpy as np
import pytest

from murk.errors import InputError
from murk.noise import (
    NOISE_FORMS,
    Annotators,
    Channel,
    Dilution,
    Matrix,
    Structured,
    class_flips,
    confusion_ranking,
    noise_named,
    pair_flip,
    random_ranking,
)

ROWS = np.array([[0.7, 0.3, 0.0], [0.1, 0.6, 0.3], [0.25, 0.25, 0.5]])
CONFUSION = np.array([[9, 1, 4], [0, 9, 2], [5, 3, 9]])


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder of matrices, made the current one."""
    monkeypatch.chdir(tmp_path)
    np.savetxt("T.csv", ROWS, delimiter=",", header="three classes")
    np.save("T.npy", ROWS)
    np.save("A.npy", np.stack([ROWS, np.eye(3)]))
    np.savetxt("confusion.csv", CONFUSION, delimiter=",")
    np.savetxt("ranking.csv", confusion_ranking(CONFUSION), delimiter=",", fmt="%d")
    np.save("objects.npy", np.array([{"code": 1}], dtype=object), allow_pickle=True)
    (tmp_path / "words.csv").write_text("a,b\nc,d\n")
    (tmp_path / "ragged.csv").write_text("1,0\n1\n")
    (tmp_path / "empty.npy").write_bytes(b"")
    (tmp_path / "text.txt").write_text("1")
    np.savetxt("wide.csv", np.full((3, 5), 0.2), delimiter=",")
    np.savetxt("halves.csv", np.full((3, 2), 0.5), delimiter=",")
    return tmp_path


@pytest.mark.parametrize(
    ("text", "noise"),
    [
        ("dilution:20", Dilution(20, num_classes=3)),
        ("dilution:0", Dilution(0, num_classes=3)),
        (" dilution:20 , delta=0.5 , ranking=random ", Dilution(20, 3, Structured(0.5, random_ranking(3, seed=0)))),
        ("dilution:20,ranking=random:8,delta=1", Dilution(20, 3, Structured(1.0, random_ranking(3, seed=8)))),
        ("dilution:20,delta=1,ranking=ranking.csv", Dilution(20, 3, Structured(1.0, confusion_ranking(CONFUSION)))),
        ("dilution:20,delta=1,ranking=confusion.csv", Dilution(20, 3, Structured(1.0, confusion_ranking(CONFUSION)))),
        ("symmetric:0.4", Channel.symmetric(0.4, num_classes=3)),
        ("symmetric:.4,votes=3", Channel.symmetric(0.4, num_classes=3, votes_per_example=3)),
        ("pairflip:0.45", Channel(pair_flip(3, 0.45))),
        ("flips:0.4,to=2>0+0>1", Channel(class_flips(3, 0.4, {2: 0, 0: 1}))),
        ("flips:0.4,to= 1>2,votes=2", Channel(class_flips(3, 0.4, {1: 2}), votes_per_example=2)),
        ("channel:T.csv", Channel(Matrix(ROWS))),
        ("channel:T.npy,votes=2", Channel(Matrix(ROWS), votes_per_example=2)),
        ("annotators:A.npy", Annotators(np.stack([ROWS, np.eye(3)]))),
        ("annotators:A.npy,votes=2", Annotators(np.stack([ROWS, np.eye(3)]), votes_per_example=2)),
    ],
)
def test_a_text_names_its_noise(folder, text, noise):
    assert noise_named(text, num_classes=3) == noise


def test_every_documented_form_is_read(folder):
    examples = {"ALPHA": "20", "D": "0.5", "random|random:SEED|FILE": "random:1", "RATE": "0.3", "M": "1",
                "CLASS>CLASS+...": "0>1+2>0"}  # fmt: skip
    for form in NOISE_FORMS:
        text = form.replace("[", "").replace("]", "").replace("FILE.npy", "A.npy")
        text = text.replace("channel:FILE", "channel:T.csv")
        for name, value in examples.items():
            text = text.replace(f"={name}", f"={value}").replace(f":{name},", f":{value},")
        assert noise_named(text, num_classes=3).num_classes == 3


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        ("", ["expected noise as one of dilution:ALPHA"]),
        ("dillution:20", ["nearest: dilution"]),
        ("Symmetric:0.4", ["nearest: symmetric"]),
        ("dilution", ["dilution needs a value: dilution:ALPHA"]),
        ("symmetric:", ["symmetric needs a value"]),
        ("dilution:-1", ["alpha", "but -1"]),
        ("dilution:2.5", ["alpha is a whole number, but '2.5'"]),
        ("dilution:20,detla=1", ["no option 'detla'; nearest: delta"]),
        ("dilution:20,delta=1", ["add ranking="]),
        ("dilution:20,ranking=random", ["add delta="]),
        ("dilution:20,delta=x,ranking=random:y", ["delta is a number", "the seed of ranking"]),
        ("dilution:20,delta=2,ranking=nowhere.csv,votes=3", ["no option 'votes'", "there is no file 'nowhere.csv'"]),
        ("dilution:2,delta=1,ranking=random", ["alpha >= K delta = 3"]),
        ("dilution:20,delta=nan,ranking=random", ["delta lies in [0, 1], but nan"]),
        ("dilution:20,delta=1,ranking=random:-1", ["a seed is a whole number"]),
        ("dilution:20,delta=1,ranking=wide.csv", ["a ranking [3, 2]", "shape (3, 5)"]),
        ("dilution:20,delta=1,ranking=halves.csv", ["of whole numbers"]),
        ("symmetric:0.7", ["[0, (K-1)/K)"]),
        ("symmetric:x,votes=y,vote=2", ["a rate is a number", "votes is a whole number", "nearest: votes"]),
        ("symmetric:0.4,votes=2,votes=3", ["votes is given twice"]),
        ("symmetric:0.4,votes", ["expected votes=VALUE"]),
        ("symmetric:0.4,votes=0", ["votes_per_example is a whole number >= 1"]),
        ("symmetric:0.4,", ["no option ''"]),
        ("pairflip:1.5", ["a flip rate lies in [0, 1]"]),
        ("flips:0.4", ["add to=CLASS>CLASS"]),
        ("flips:0.4,to=2>3", ["classes are 0 to 2, but 3 came"]),
        ("flips:x,to=a>1+2", ["a rate is a number", "a class of to=CLASS>CLASS is a whole number, but 'a' came", "''"]),
        ("flips:0.4,to=1>2+1>0", ["class 1 flips twice"]),
        ("flips:0.4,to=1>1", ["class 1 flips to itself"]),
        ("flips:1.4,to=1>2", ["a flip rate lies in [0, 1]"]),
        ("channel:nowhere.npy", ["there is no file 'nowhere.npy'"]),
        ("channel:text.txt", ["ends in .csv or .npy"]),
        ("channel:words.csv", ["rows of numbers in 'words.csv'"]),
        ("channel:ragged.csv", ["rows of numbers in 'ragged.csv'"]),
        ("channel:empty.npy", ["rows of numbers in 'empty.npy'"]),
        ("channel:A.npy", ["probabilities"]),
        ("channel:confusion.csv", ["each row sums to one"]),
        ("annotators:T.npy", ["one matrix an annotator"]),
        ("annotators:A.npy,votes=3", ["nobody votes twice"]),
    ],
)
def test_a_text_that_names_nothing_is_refused_with_what_would_do(folder, text, faults):
    with pytest.raises(InputError) as caught:
        noise_named(text, num_classes=3)
    for fault in faults:
        assert fault in str(caught.value)


def test_files_are_never_unpickled(folder):
    with pytest.raises(InputError, match=r"objects\.npy.*[Pp]ickle|[Oo]bject arrays"):
        noise_named("channel:objects.npy", num_classes=3)


@pytest.mark.parametrize("text", ["channel:T.csv", "annotators:A.npy"])
def test_a_file_of_other_classes_is_refused(folder, text):
    with pytest.raises(InputError, match="to be of 4 classes, but it has 3"):
        noise_named(text, num_classes=4)


@pytest.mark.parametrize(("text", "num_classes"), [("dilution:2", 1), ("dilution:2", "3"), (20, 3), (None, 3)])
def test_what_is_no_text_or_no_number_of_classes_is_refused(text, num_classes):
    with pytest.raises(InputError):
        noise_named(text, num_classes=num_classes)
