"""Fit as a folder: saved whole, loaded without running anything, refused where it is damaged or foreign."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from torch import nn

import murk
from murk.errors import DataError, InputError
from murk.noise import Flat

DIGITS = murk.load("digits")
FEW = DIGITS.train[:300]
NOISE = murk.Dilution(5, num_classes=10)
VOTES = NOISE.draw(FEW.labels, seed=0)
QUICK: dict[str, Any] = {"epochs": 3, "device": "cpu", "seed": 0}


@pytest.fixture(scope="module")
def fitted() -> murk.Fit:
    return murk.fit("mlp1", FEW, VOTES, noise=NOISE, **QUICK)


@pytest.mark.parametrize(
    "noise",
    [
        NOISE,
        murk.Dilution(5, num_classes=10, pattern=Flat(10, 0.3)),
        murk.Channel(np.full((10, 10), 0.1)),
        murk.Annotators(np.stack([np.eye(10) * 0.5 + 0.05] * 2)),
    ],
)
def test_a_saved_fit_comes_back_whole(tmp_path: Path, fitted: murk.Fit, noise: Any) -> None:
    fit = replace(fitted, noise=noise)
    fit.save(tmp_path / "fit")
    fit.save(tmp_path / "fit")  # again, over the first
    back = murk.Fit.load(tmp_path / "fit")
    assert np.array_equal(back.predict_probs(DIGITS.test), fitted.predict_probs(DIGITS.test))
    assert (back.history, back.recipe, back.class_names) == (fit.history, fit.recipe, fit.class_names)
    same_evidence = VOTES.batch([0, 1])
    if not isinstance(noise, murk.Annotators):
        ours, theirs = (n.log_evidence(same_evidence).dense() for n in (noise, back.noise))  # type: ignore[union-attr]
        assert np.array_equal(ours, theirs)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["fit"]


@pytest.mark.parametrize(
    ("file", "change"),
    [
        ("weights.safetensors", lambda content: content[:-3]),
        ("weights.safetensors", lambda content: content[:-1] + bytes([content[-1] ^ 1])),
        ("weights.safetensors", lambda content: b"\x80\x04cos\nsystem\n."),
        ("fit.json", lambda content: content[:100]),
        ("fit.json", lambda content: content.replace(b'"format": 1', b'"format": 2')),
        ("fit.json", lambda content: content.replace(b'"name": "mlp1"', b'"name": "os:system"')),
        ("fit.json", lambda content: content.replace(b'"selected_epoch"', b'"chosen"')),
        ("fit.json", lambda content: b"[" * 100_000),
        ("fit.json", lambda content: content.replace(b'"width": 256', b'"width": 65536')),
        ("fit.json", lambda content: content.replace(b'"num_classes": 10', b'"num_classes": 1000000000')),
        ("fit.json", lambda content: content.replace(b'"selected_epoch": ', b'"selected_epoch": 1e999, "x": ')),
        ("fit.json", lambda content: content.replace(b'"selected_epoch": ', b'"selected_epoch": 9')),
        ("fit.json", lambda content: content.replace(b'"std": [\n   ', b'"std": [\n   -')),
        ("fit.json", lambda content: content.replace(b'"7",', b"")),
        ("fit.json", lambda content: content.replace(b'"epochs": 3', b'"epochs": "x"')),
        ("fit.json", lambda content: b"[]"),
    ],
)
def test_damaged_foreign_and_code_carrying_files_are_refused(
    tmp_path: Path, fitted: murk.Fit, file: str, change: Any
) -> None:
    fitted.save(tmp_path / "fit")
    path = tmp_path / "fit" / file
    before = path.read_bytes()
    path.write_bytes(change(before))
    assert path.read_bytes() != before
    with pytest.raises(DataError):
        murk.Fit.load(tmp_path / "fit")


def features_fit() -> murk.Fit:
    x = np.random.default_rng(0).normal(size=(40, 3))
    votes = murk.Votes.from_labels(np.arange(40) % 2, num_classes=2)
    return murk.fit("perceptron", x, votes, noise=murk.Channel.symmetric(0.1, num_classes=2), **QUICK)


def test_names_of_features_are_kept_and_older_fits_have_none(tmp_path: Path) -> None:
    fit = replace(features_fit(), feature_names=("mass", "ears", "=tail"))
    fit.save(tmp_path / "fit")
    assert murk.Fit.load(tmp_path / "fit").feature_names == ("mass", "ears", "=tail")
    path = tmp_path / "fit" / "fit.json"
    facts = json.loads(path.read_text())
    del facts["feature_names"]
    path.write_text(json.dumps(facts))
    assert murk.Fit.load(tmp_path / "fit").feature_names is None


@pytest.mark.parametrize("names", [["mass", "ears"], 3, [["mass"], "ears"]])
def test_names_that_are_not_one_a_feature_are_refused(tmp_path: Path, fitted: murk.Fit, names: Any) -> None:
    fit = features_fit()
    for wrong in (fit, fitted):
        with pytest.raises(InputError, match="a name for each feature"):
            replace(wrong, feature_names=("mass", "ears"))
    fit.save(tmp_path / "fit")
    path = tmp_path / "fit" / "fit.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"feature_names": names}))
    with pytest.raises(DataError, match=r"fit\.json lacks or garbles a value"):
        murk.Fit.load(tmp_path / "fit")


def test_a_users_model_needs_its_maker_to_load(tmp_path: Path) -> None:
    def make() -> nn.Module:
        return nn.Sequential(nn.Flatten(), nn.Linear(64, 10))

    fit = murk.fit(make(), FEW, VOTES, noise=NOISE, **QUICK)
    fit.save(tmp_path / "fit")
    with pytest.raises(InputError, match="model="):
        murk.Fit.load(tmp_path / "fit")
    back = murk.Fit.load(tmp_path / "fit", model=make)
    assert np.array_equal(back.predict_probs(DIGITS.test), fit.predict_probs(DIGITS.test))
    with pytest.raises(DataError, match="do not fit"):
        murk.Fit.load(tmp_path / "fit", model=lambda: nn.Linear(3, 3))


def test_a_folder_with_other_things_in_it_is_not_overwritten(tmp_path: Path, fitted: murk.Fit) -> None:
    (tmp_path / "thesis.tex").write_text("ten years")
    with pytest.raises(DataError, match="something other"):
        fitted.save(tmp_path)
    assert (tmp_path / "thesis.tex").read_text() == "ten years"


def test_a_save_that_fails_leaves_the_older_fit(
    tmp_path: Path, fitted: murk.Fit, monkeypatch: pytest.MonkeyPatch
) -> None:
    fitted.save(tmp_path / "fit")
    rename = Path.rename

    def failing(self: Path, target: Path) -> Path:
        if self.name.endswith(".part"):
            raise OSError(5, "Input/output error")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", failing)
    with pytest.raises(DataError, match="Input/output error"):
        fitted.save(tmp_path / "fit")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["fit"]
    assert murk.Fit.load(tmp_path / "fit").history == fitted.history
