"""`murk embed` hands out what `Fit.embed` gives, of one's own data too, and writes nothing where it cannot."""

from __future__ import annotations

import numpy as np
import pytest

from murk import Fit, load

TRAIN = "train digits --alpha 2 --model mlp1 --epochs 1 --embedding 12 -o run"


@pytest.fixture
def trained_digits(murk):
    assert murk(TRAIN).exit_code == 0


def test_embeddings_are_those_of_the_fit_training_part_first(murk_json, trained_digits):
    told = murk_json("embed run digits -o found.npy")
    assert told == {
        "out": "found.npy", "examples": 1797, "numbers": 12, "parts": {"train": 1297, "test": 500}, "oddities": [],
        "skipped": [],
    }  # fmt: skip
    found, digits, fit = np.load("found.npy"), load("digits"), Fit.load("run/fit")
    assert found.dtype == np.float32 and np.allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)
    assert (found == np.concatenate([fit.embed(digits.train), fit.embed(digits.test)])).all()
    murk_json("embed run/fit digits -o all.npz")
    with np.load("all.npz") as file:
        assert (file["embeddings"] == found).all()
        assert file["label"].tolist() == [str(k) for k in [*digits.train.labels, *digits.test.labels]]
        assert file["part"].tolist() == ["train"] * 1297 + ["test"] * 500 and len(file["id"]) == 1797


def test_a_fit_without_embedding_gives_its_features(murk, murk_json):
    assert murk(TRAIN.replace("--embedding 12", "")).exit_code == 0
    assert murk_json("embed run digits -o found.npy")["numbers"] == 256


def test_images_without_labels_are_embedded_by_their_names(murk_json, trained, pets):
    told = murk_json(f"embed {trained[0]} {pets / 'pets'} -o found.npz")
    with np.load("found.npz") as file:
        assert len(file["embeddings"]) == told["examples"] == len(set(file["id"].tolist()))


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("embed run digits -o found.csv", ".npy"),
        ("embed nowhere digits -o found.npy", "there is no folder nowhere"),
        ("embed run nothing -o found.npy", "nothing"),
        ("train digits --alpha 2 --embedding 0 -o other", "--embedding"),
        ("train digits --alpha 2 --method same-class -o other", "--embedding 64"),
        ("train digits --alpha 2 --embedding 8 --model torch.nn:Flatten --allow-import -o other", "murk embed"),
    ],
)
def test_what_cannot_be_embedded_is_refused_and_nothing_is_written(murk, trained_digits, tmp_path, line, said):
    before = sorted(path.name for path in tmp_path.iterdir())
    outcome = murk(line)
    assert outcome.exit_code in (1, 2) and said in outcome.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == before
