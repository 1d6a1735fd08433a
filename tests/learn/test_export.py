"""Fit.export: one ONNX file that gives what the fit gives, written whole or not at all."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import Tensor, nn

import murk
from murk.errors import DataError, InputError
from murk.learn import export
from murk.models import backbone

DIGITS = murk.load("digits")
FEW = DIGITS.train[:200]
GREY = FEW.images
COLOUR = np.concatenate([GREY, GREY // 2, 255 - GREY], axis=3)
FEATURES = GREY.reshape(len(GREY), -1).astype(np.float32) * 3 - 1
NOISE = murk.Dilution(2, num_classes=10)
VOTES = NOISE.draw(FEW.labels, seed=0)


def fitted(model: Any, examples: Any = GREY) -> murk.Fit:
    return murk.fit(model, examples, VOTES, noise=NOISE, epochs=1, batch_size=50, device="cpu", seed=0)


@pytest.fixture(scope="module")
def small() -> murk.Fit:
    return fitted("mlp1", FEATURES)


def narrow(name: str) -> nn.Module:
    return murk.models.build(name, example_shape=(8, 8, 1), num_classes=10, width=8)


def on_a_frozen_backbone() -> nn.Module:
    body = nn.Sequential(nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6), nn.ReLU(), nn.AdaptiveAvgPool2d(1))
    return backbone(body, frozen=True, num_classes=10, example_shape=(8, 8, 3), hidden=5, dropout=0.5)


class TheirOwn(nn.Module):
    """A module of a user: attention over the rows of an image, its weights no powers of two."""

    def __init__(self) -> None:
        super().__init__()
        self.mix = nn.MultiheadAttention(24, 3, dropout=0.1, batch_first=True)
        self.last = nn.Linear(24, 10)

    def forward(self, x: Tensor) -> Tensor:
        rows = x.permute(0, 2, 3, 1).flatten(2)
        return self.last(self.mix(rows, rows, rows, need_weights=False)[0].mean(1))


EXPORTED: dict[str, tuple[Callable[[], Any], np.ndarray]] = {
    "perceptron": (lambda: "perceptron", GREY),
    "mlp1": (lambda: "mlp1", FEATURES),
    "conv3": (lambda: narrow("conv3"), GREY),
    "conv4": (lambda: narrow("conv4"), GREY),
    "resnet18": (lambda: narrow("resnet18"), GREY),
    "a module of one's own": (TheirOwn, COLOUR),
    "a frozen backbone": (on_a_frozen_backbone, COLOUR),
}


@pytest.mark.parametrize("name", EXPORTED)
def test_the_file_gives_what_the_fit_gives_for_any_number_of_examples(name: str, tmp_path: Path) -> None:
    model, examples = EXPORTED[name]
    fit = fitted(model(), examples)
    fit.export(tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    given = "features" if examples is FEATURES else "images"
    for size in (1, 7):
        batch = examples[:size]
        probs, logits = session.run(["probabilities", "logits"], {given: batch})
        expected = fit.predict_probs(batch)
        np.testing.assert_allclose(probs, expected, atol=1e-5, rtol=0)
        np.testing.assert_allclose(torch.softmax(torch.tensor(logits), 1), expected, atol=1e-5, rtol=0)
    assert [(each.name, each.shape[1:]) for each in session.get_inputs()] == [(given, list(examples.shape[1:]))]


def test_the_file_says_its_classes_and_its_makers_version_and_nothing_of_the_machine(
    tmp_path: Path, small: murk.Fit
) -> None:
    names = ("naïve\n", '"quoted"', "<b>", *map(str, range(7)))
    replace(small, class_names=names).export(tmp_path / "model.onnx")
    written = onnx.load(tmp_path / "model.onnx")
    facts = {each.key: each.value for each in written.metadata_props}
    assert tuple(json.loads(facts.pop("class_names"))) == names
    assert facts == {"murk_version": murk.__version__}
    assert [(each.domain, each.version) for each in written.opset_import] == [("", export.OPSET)]
    content = (tmp_path / "model.onnx").read_bytes()
    for place in (os.fsencode(Path(murk.__file__).parent), os.fsencode(sys.prefix), b"site-packages"):
        assert place not in content


def test_the_same_fit_gives_the_same_bytes(tmp_path: Path, small: murk.Fit) -> None:
    for name in ("one.onnx", "two.ONNX"):
        small.export(tmp_path / name)
    assert (tmp_path / "one.onnx").read_bytes() == (tmp_path / "two.ONNX").read_bytes()


class ByValue(nn.Linear):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x if x.sum() > 0 else -x)


class BySize(nn.Linear):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x if len(x) > 3 else -x)


class OneByOne(nn.Linear):
    def forward(self, x: Tensor) -> Tensor:
        return torch.stack([nn.functional.linear(row, self.weight, self.bias) for row in x])


class Foreign(nn.Linear):
    def forward(self, x: Tensor) -> Tensor:
        return torch.linalg.eigvals(super().forward(x)[:, :, None] + torch.eye(10)).real


@pytest.mark.parametrize("model", [ByValue, BySize, OneByOne, Foreign])
def test_a_model_that_onnx_cannot_hold_is_refused_and_an_older_file_stays(
    model: type[nn.Linear], tmp_path: Path, small: murk.Fit, monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """`BySize` and `OneByOne` would pass for exported with torch.onnx alone, and be wrong for other batches."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "model.onnx"
    path.write_bytes(b"an older one")
    with pytest.raises(InputError, match=r"cannot be written as ONNX \(.+\); build it of torch's own operations"):
        replace(small, model=model(64, 10).eval()).export(path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["model.onnx"]
    assert path.read_bytes() == b"an older one"
    assert capfd.readouterr() == ("", "")


def test_a_failed_write_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, small: murk.Fit, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"an older one")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DataError, match="No space left"):
        small.export(path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["model.onnx"]
    assert path.read_bytes() == b"an older one"


def test_another_ending_and_a_model_too_large_are_refused_together(
    tmp_path: Path, small: murk.Fit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "LARGEST", 1000)
    with pytest.raises(InputError, match=r"to a \.onnx file, but .*model\.pt2 came; one ONNX file holds"):
        small.export(tmp_path / "model.pt2")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("missing", ["onnx", "onnxscript"])
def test_without_the_extra_the_error_says_how_to_get_it(
    missing: str, tmp_path: Path, small: murk.Fit, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == missing]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(InputError, match=r'pip install "murk\[onnx\]"'):
        small.export(tmp_path / "model.onnx")


def test_the_callers_logs_are_as_before_even_after_a_refusal(tmp_path: Path, small: murk.Fit) -> None:
    levels = [logging.getLogger(name).level for name in export.NOISY]
    with pytest.raises(InputError):
        replace(small, model=ByValue(64, 10).eval()).export(tmp_path / "model.onnx")
    assert [logging.getLogger(name).level for name in export.NOISY] == levels
    assert logging.CRITICAL not in levels


SCRIPT = """
import sys, torch, murk
early = [name for name in ("onnx", "onnxscript", "onnxruntime", "lightning") if name in sys.modules]
assert not early, f"import murk loads {early}"
from murk.learn.augment import Normalisation
from murk.learn.export import write_onnx
as_they_are = Normalisation((0.0,) * 4, (1.0,) * 4, images=False)
write_onnx("m.onnx", torch.nn.Linear(4, 2), normalisation=as_they_are, class_names="ab", example_shape=(4,))
"""


def test_the_export_says_nothing_and_onnx_is_loaded_for_it_alone(tmp_path: Path) -> None:
    """In a process of its own: torch's loggers hold on to the stderr they were born with."""
    command = [sys.executable, "-W", "always", "-c", SCRIPT]
    outcome = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (outcome.returncode, outcome.stdout, outcome.stderr) == (0, "", "")
    assert [entry.name for entry in tmp_path.iterdir()] == ["m.onnx"]
