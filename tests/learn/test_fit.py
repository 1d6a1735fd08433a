"""fit and Fit: what a user sees of training, from a small real data set."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import murk
from murk.errors import InputError, TrainingError
from murk.learn.progress import Progress
from murk.noise import Evidence, Flat, from_labels

DIGITS = murk.load("digits")
FEW = DIGITS.train[:300]
NOISE = murk.Dilution(5, num_classes=10)
VOTES = NOISE.draw(FEW.labels, seed=0)
QUICK: dict[str, Any] = {"epochs": 3, "device": "cpu", "seed": 0}


@pytest.fixture(scope="module")
def fitted() -> murk.Fit:
    return murk.fit("mlp1", FEW, VOTES, noise=NOISE, **QUICK)


def test_evidence_learns_from_labels_of_which_nine_in_ten_are_wrong() -> None:
    """alpha = 9 random labels per right one; chance is .1, and a mix-up of evidence and classes gives less than .2."""
    noise = murk.Dilution(9, num_classes=10)
    votes = noise.draw(DIGITS.train.labels, seed=1)
    fit = murk.fit("mlp1", DIGITS.train, votes, noise=noise, epochs=40, device="cpu", seed=1)
    assert fit.evaluate(DIGITS.test).low > 0.85


def test_known_labels_override_votes() -> None:
    """The votes all say 0; only the known labels can teach the other classes."""
    votes = murk.Votes.from_labels(np.zeros(len(FEW), int), num_classes=10)
    noise = murk.Channel(Flat(10, 0.5))
    fit = murk.fit("mlp1", FEW, votes, noise=noise, known=FEW.labels, epochs=40, device="cpu", seed=0)
    assert fit.evaluate(DIGITS.test).low > 0.6


def test_evidence_in_place_of_votes_gives_the_same_weights(fitted: murk.Fit) -> None:
    from murk.noise import evidence_of

    again = murk.fit("mlp1", FEW, evidence_of(VOTES, NOISE), noise=NOISE, **QUICK)
    assert_same_weights(fitted, again)


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(fitted: murk.Fit) -> None:
    assert_same_weights(fitted, murk.fit("mlp1", FEW, VOTES, noise=NOISE, **QUICK))
    other = murk.fit("mlp1", FEW, VOTES, noise=NOISE, **(QUICK | {"seed": 1}))
    assert not torch.equal(next(fitted.model.parameters()), next(other.model.parameters()))


def test_training_neither_reads_nor_changes_the_global_random_state(fitted: murk.Fit) -> None:
    torch.manual_seed(99)
    np.random.seed(99)
    before = torch.get_rng_state(), np.random.get_state()[1].copy()
    assert_same_weights(fitted, murk.fit("mlp1", FEW, VOTES, noise=NOISE, **QUICK))
    assert torch.equal(torch.get_rng_state(), before[0])
    assert np.array_equal(np.random.get_state()[1], before[1])


def test_dropout_is_seeded_by_step() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(64, 10))
    first, second = (murk.fit(model, FEW, VOTES, noise=NOISE, **QUICK) for _ in range(2))
    assert_same_weights(first, second)


def test_a_users_module_stays_as_it_was() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    before = model[1].weight.detach().clone()
    murk.fit(model, FEW, VOTES, noise=NOISE, **QUICK)
    assert torch.equal(model[1].weight, before)


def test_a_resumed_training_ends_with_the_same_weights(tmp_path: Path) -> None:
    """Stopped in the middle of an epoch by a callback, with dropout and augmentation on."""
    model = murk.models.build("conv2", example_shape=(8, 8, 1), num_classes=10, seed=0, width=2)
    settings = QUICK | {"noise": NOISE, "batch_size": 10, "precision": "float32"}

    class StopError(Exception):
        pass

    def stop(progress: Progress) -> None:
        if progress.step == 50:
            raise StopError

    whole = murk.fit(model, FEW, VOTES, **settings)
    path = tmp_path / "checkpoint.safetensors"
    with pytest.raises(StopError):
        murk.fit(model, FEW, VOTES, **settings, checkpoint=path, checkpoint_seconds=0, callbacks=[stop])
    assert path.exists()
    resumed_at: list[int] = []
    resumed = murk.fit(
        model, FEW, VOTES, **settings, checkpoint=path, callbacks=[lambda progress: resumed_at.append(progress.step)]
    )
    assert min(resumed_at) > 25
    assert_same_weights(whole, resumed)
    assert whole.history == resumed.history
    assert whole.selected_epoch == resumed.selected_epoch


SCRIPT = """
import sys
import torch
torch.set_num_threads(1)
import murk
digits = murk.load("digits")
noise = murk.Dilution(5, num_classes=10)
votes = noise.draw(digits.train.labels, seed=0)
def tell(progress):
    print(progress.step, flush=True)
fit = murk.fit("conv2", digits.train, votes, noise=noise, epochs=3, batch_size=16, device="cpu", seed=0,
               checkpoint=sys.argv[1], checkpoint_seconds=0, callbacks=[tell])
fit.save(sys.argv[2])
"""


def test_a_training_killed_at_any_moment_ends_with_the_same_weights_bit_for_bit(tmp_path: Path) -> None:
    """kill -9 three times, at uneven moments (also while a checkpoint is written), then to the end."""
    script = tmp_path / "train.py"
    script.write_text(textwrap.dedent(SCRIPT))

    def start(name: str) -> subprocess.Popen[str]:
        arguments = [sys.executable, str(script), str(tmp_path / f"{name}.safetensors"), str(tmp_path / name)]
        return subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True)

    whole = start("whole")
    killed_at = [0]
    for lines, delay in ((2, 0.0), (2, 0.013), (3, 0.031)):
        process = start("killed")
        assert process.stdout is not None
        steps = [int(process.stdout.readline()) for _ in range(lines)]
        assert steps[0] >= killed_at[-1]  # each run goes on where the last checkpoint was, none begins again
        deadline = time.monotonic() + delay
        while time.monotonic() < deadline:
            pass
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        killed_at.append(steps[-1])
    last = start("killed")
    steps = [int(line) for line in last.communicate()[0].split()]
    whole.communicate()
    assert last.returncode == whole.returncode == 0
    assert 25 < killed_at[1] <= steps[0]
    ours, theirs = (json.loads((tmp_path / name / "fit.json").read_text()) for name in ("killed", "whole"))
    assert ours == theirs  # with the SHA-256 of the weights among it


@pytest.fixture
def _hears_ctrl_c() -> Iterator[None]:
    """A test run in the background is told to ignore Ctrl-C."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("_hears_ctrl_c")
def test_ctrl_c_keeps_what_is_done(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.safetensors"

    def interrupt(progress: Progress) -> None:
        os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        murk.fit("mlp1", FEW, VOTES, noise=NOISE, **QUICK, checkpoint=path, callbacks=[interrupt])
    steps: list[int] = []
    murk.fit("mlp1", FEW, VOTES, noise=NOISE, **QUICK, checkpoint=path, callbacks=[lambda p: steps.append(p.step)])
    assert len(steps) < 3


def test_a_checkpoint_of_another_training_is_refused_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.safetensors"
    murk.fit("mlp1", FEW, VOTES, noise=NOISE, **QUICK, checkpoint=path)
    before = path.read_bytes()
    with pytest.raises(InputError, match="another training"):
        murk.fit("mlp1", FEW, NOISE.draw(FEW.labels, seed=1), noise=NOISE, **QUICK, checkpoint=path)
    assert path.read_bytes() == before


def test_a_loss_that_is_not_finite_stops_with_the_place_and_keeps_the_last_good_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.safetensors"

    class Breaks(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(64, 10)
            self.register_buffer("calls", torch.zeros(1))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.calls += self.training
            return self.layer(x.flatten(1)) * torch.where(self.calls > 40, torch.nan, 1.0)

    with pytest.raises(TrainingError, match=r"nan at step 41 of .*\(epoch 2\).*checkpoint"):
        murk.fit(
            Breaks(), FEW, VOTES, noise=NOISE, epochs=4, batch_size=10, device="cpu", seed=0, checkpoint=path,
            checkpoint_seconds=0,
        )  # fmt: skip
    from murk.learn.checkpoint import read_tensors

    tensors, facts = read_tensors(path)
    assert facts["step"] == 27  # the end of epoch 1; what came after was never saved
    assert all(torch.isfinite(tensor).all() for tensor in tensors.values())


def test_a_step_that_throws_the_weights_out_of_range_stops_and_is_not_saved(tmp_path: Path) -> None:
    """The loss of the first step is finite; what its update leaves behind is not."""
    path = tmp_path / "checkpoint.safetensors"
    settings = QUICK | {"checkpoint": path, "checkpoint_seconds": 0, "learning_rate": 3e38, "held_out": 0.0,
                        "batch_size": len(FEW)}  # fmt: skip
    with pytest.raises(TrainingError, match=r"no longer finite at step .*there is no checkpoint"):
        murk.fit("mlp1", FEW, VOTES, noise=NOISE, **(settings | {"epochs": 1}))
    assert not path.exists()


def test_a_checkpoint_of_slightly_other_votes_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.safetensors"
    table = np.stack([VOTES.batch([i]).labels for i in range(len(FEW))])
    murk.fit("mlp1", FEW, murk.Votes.from_matrix(table, num_classes=10), loss="pairs", **QUICK, checkpoint=path)
    table[123] = (table[123] + 1) % 10
    with pytest.raises(InputError, match="another training"):
        murk.fit("mlp1", FEW, murk.Votes.from_matrix(table, num_classes=10), loss="pairs", **QUICK, checkpoint=path)


def test_a_linear_model_learns_by_the_default_rule() -> None:
    """Two separable classes and one label in ten wrong; a rate too small for a single layer leaves chance."""
    features = np.random.default_rng(0).normal(size=(2000, 2)).astype(np.float32)
    labels = (features.sum(1) > 0).astype(np.int64)
    noise = murk.Channel.symmetric(0.1, num_classes=2)
    fit = murk.fit("head", features, noise.draw(labels, seed=0), noise=noise, device="cpu", seed=0)
    assert float((fit.predict_probs(features).argmax(1) == labels).mean()) > 0.95


def test_examples_of_other_classes_are_not_measured(fitted: murk.Fit) -> None:
    named = murk.Examples(DIGITS.test.images, DIGITS.test.labels, class_names=tuple("abcdefghij"))
    mine = murk.Examples(FEW.images, FEW.labels, class_names=tuple("klmnopqrst"))
    with pytest.raises(InputError, match="same classes"):
        murk.fit("mlp1", mine, VOTES, noise=NOISE, **QUICK).evaluate(named)


def test_held_out_votes_are_never_trained_on() -> None:
    """Held-out examples carry votes for class 9 alone; a model that saw them would learn to answer 9."""
    from murk.learn.selection import held_out_examples

    _, held = held_out_examples(len(FEW), 0.5, seed=0)
    labels = np.where(np.isin(np.arange(len(FEW)), held), 9, FEW.labels % 5)
    seen: list[float] = []

    def look(progress: Progress) -> None:
        with torch.no_grad():
            seen.append(float(progress.predict(torch.from_numpy(np.asarray(FEW.images)))[:, 9].max()))

    murk.fit("mlp1", FEW, from_labels(labels, 10), held_out=0.5, epochs=20, device="cpu", seed=0, callbacks=[look])
    assert seen[-1] < 0.05


def test_callbacks_hear_of_every_epoch_and_of_the_time_left() -> None:
    heard: list[Progress] = []
    fit = murk.fit("mlp1", FEW, VOTES, noise=NOISE, **QUICK, callbacks=[heard.append])
    epochs = [progress.epoch for progress in heard if progress.epoch is not None]
    assert tuple(epochs) == fit.history
    assert heard[-1].step == heard[-1].steps
    assert heard[-1].seconds_left == 0


def test_features_train_as_images_do() -> None:
    features = np.asarray(FEW.images, dtype=np.float32).reshape(len(FEW), -1)
    features[:, 3] = 7.0  # a constant column
    fit = murk.fit("head", features, VOTES, noise=NOISE, epochs=60, device="cpu", seed=0)
    assert fit.predict_probs(features).shape == (300, 10)
    assert float((fit.predict_probs(features).argmax(1) == FEW.labels).mean()) > 0.6


def test_probabilities_are_rows_that_sum_to_one_and_features_come_out(fitted: murk.Fit) -> None:
    probs = fitted.predict_probs(DIGITS.test)
    np.testing.assert_allclose(probs.sum(1), 1, rtol=1e-5)
    np.testing.assert_allclose(
        fitted.predict_probs(DIGITS.test.images[:7], batch_size=2), probs[:7], rtol=1e-4, atol=1e-6
    )
    assert fitted.embed(DIGITS.test).shape == (500, 256)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"votes": NOISE.draw(FEW.labels[:9], seed=0)}, "300 examples, but 9"),
        ({"noise": murk.Dilution(5, num_classes=3)}, "3 classes"),
        ({"noise": "dilution"}, '"auto:one-right" or "auto:dependent"'),
        ({"noise": 4}, "noise model"),
        ({"known": np.full(300, 11)}, "known"),
        ({"held_out": 0.9}, "held_out"),
        ({"held_out": "x"}, "held_out"),
        ({"weight_decay": float("inf")}, "weight_decay"),
        ({"votes": Evidence(10, np.zeros(300), np.full((300, 10), -np.inf))}, "example 0"),
        ({"votes": Evidence(10, np.zeros(300), np.full((300, 10), np.nan))}, "example 0"),
        ({"model": nn.Sequential(nn.Flatten(), nn.Linear(64, 1))}, "one output a class"),
        ({"groups": np.array(["a"] * 300)}, "say 0 by `held_out=...`"),
        ({"groups": np.array([["a"] * 2] * 300)}, "one group an example"),
        ({"model": "convv4"}, "conv4"),
        ({"model": 4}, "name or a torch module"),
        ({"groups": [1, 2]}, "groups"),
        ({"loss": "evidense"}, "soft-labels"),
        ({"precision": "half"}, "precision"),
        ({"seed": -1}, "seed"),
        ({"epochs": 0}, "epochs"),
        ({"augment": "spin"}, "crop-flip"),
    ],
)
def test_bad_input_is_one_clear_error(changes: dict[str, Any], words: str) -> None:
    arguments = {"model": "mlp1", "images": FEW, "votes": VOTES, "noise": NOISE} | QUICK | changes
    with pytest.raises(InputError, match=words):
        murk.fit(arguments.pop("model"), arguments.pop("images"), arguments.pop("votes"), **arguments)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no CUDA device")
def test_a_gpu_trains_by_the_same_code() -> None:
    noise = murk.Dilution(9, num_classes=10)
    votes = noise.draw(DIGITS.train.labels, seed=1)
    fit = murk.fit("conv3", DIGITS.train, votes, noise=noise, epochs=40, device="cuda", seed=1)
    assert fit.evaluate(DIGITS.test, device="cuda").low > 0.85


def assert_same_weights(ours: murk.Fit, theirs: murk.Fit) -> None:
    for a, b in zip(ours.model.state_dict().values(), theirs.model.state_dict().values(), strict=True):
        assert torch.equal(a, b)
