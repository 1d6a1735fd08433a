"""Methods: one conformance suite for every registered method; what each promises by itself is in test_method_rules."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import murk
from murk.errors import InputError
from murk.learn import Progress
from murk.learn.losses import EvidenceLoss
from murk.learn.methods import METHODS, Method, method_named
from murk.noise import Channel, Evidence, Votes

DIGITS = murk.load("digits")
NOISE = Channel.symmetric(0.3, num_classes=10)
VOTES = NOISE.draw(DIGITS.train.labels, seed=0)
FEW = DIGITS.train[:120]
OF_FEW = NOISE.draw(FEW.labels, seed=0)
QUICK: dict[str, Any] = {"device": "cpu", "precision": "float32", "seed": 0}


def known_noise(name: str) -> dict[str, Any]:
    return asked(name) | ({"noise": NOISE} if METHODS[name].noise_is == "needed" else {})


def asked(name: str) -> dict[str, Any]:
    return {"embedding": 16} if METHODS[name].trains_embeddings else {}


@pytest.mark.parametrize("name", METHODS)
def test_every_method_learns_through_a_third_of_wrong_labels(name: str) -> None:
    """One that ignored its votes would stay at .1; the labels themselves are right on .7."""
    fit = murk.fit("mlp1", DIGITS.train, VOTES, method=name, epochs=8, batch_size=32, **known_noise(name), **QUICK)
    least = 0.6 if METHODS[name].trains_embeddings else 0.85  # by class means of embeddings
    assert fit.evaluate(DIGITS.test).value > least
    assert fit.recipe.method.startswith(name)


@pytest.mark.parametrize("name", METHODS)
def test_every_method_goes_on_from_a_checkpoint_as_if_nothing_had_been(name: str, tmp_path: Path) -> None:
    """What a method remembers of examples, and a second network with its optimizer, are part of the checkpoint."""
    settings = {"epochs": 6, "batch_size": 10, "method": name, **known_noise(name), **QUICK}

    class StoppedError(Exception):
        pass

    def stop(progress: Progress) -> None:
        if progress.phase == "training" and progress.epoch is not None and progress.epoch.epoch == 3:
            raise StoppedError

    whole = murk.fit("mlp1", FEW, OF_FEW, **settings)
    path = tmp_path / "checkpoint.safetensors"
    with pytest.raises(StoppedError):
        murk.fit("mlp1", FEW, OF_FEW, **settings, checkpoint=path, checkpoint_seconds=0, callbacks=[stop])
    steps: list[int] = []

    def note(progress: Progress) -> None:
        if progress.phase == "training":
            steps.append(progress.step)

    resumed = murk.fit("mlp1", FEW, OF_FEW, **settings, checkpoint=path, callbacks=[note])
    assert min(steps) > 22  # it did not begin anew: an epoch has 10 steps, and the second is in the checkpoint
    for name_, tensor in whole.model.state_dict().items():
        assert torch.equal(tensor, resumed.model.state_dict()[name_])
    assert whole.history == resumed.history


@pytest.mark.parametrize("name", METHODS)
def test_known_labels_stand_in_for_the_votes(name: str) -> None:
    """All votes are for the wrong class; whoever reads them in place of the known labels is right on none."""
    wrong = Votes.from_labels((DIGITS.train.labels + 1) % 10, num_classes=10)
    settings = {"noise": Channel.symmetric(0.1, num_classes=10)} | asked(name)
    fit = murk.fit("mlp1", DIGITS.train, wrong, method=name, known=DIGITS.train.labels, epochs=4, batch_size=32,
                   **settings, **QUICK)  # fmt: skip
    assert fit.evaluate(DIGITS.test).value > 0.7


@pytest.mark.parametrize("name", METHODS)
def test_every_method_takes_several_votes_an_example_and_none(name: str) -> None:
    table = np.stack([VOTES.batch([i]).labels for i in range(120)])
    several = np.concatenate([table, (table + 1) % 10, table], axis=1)
    several[::7] = -1
    votes = Votes.from_matrix(several, num_classes=10)
    fit = murk.fit("mlp1", FEW, votes, method=name, epochs=2, batch_size=16, **known_noise(name), **QUICK)
    assert all(np.isfinite(epoch.training_loss) for epoch in fit.history)


@pytest.mark.parametrize("name", METHODS)
def test_a_method_given_as_an_object_stays_as_it_is_and_can_be_used_again(name: str) -> None:
    method = method_named(name)
    first, second = (
        murk.fit("mlp1", FEW, OF_FEW, method=method, epochs=2, **known_noise(name), **QUICK) for _ in range(2)
    )
    assert first.history == second.history
    assert method == method_named(name)
    assert set(vars(method)) == set(vars(method_named(name)))


@pytest.mark.parametrize("name", METHODS)
def test_every_method_is_written_as_it_is_read_and_names_its_source(name: str) -> None:
    method = method_named(name)
    assert method_named(str(method)) == method
    assert METHODS[name].source
    assert METHODS[name].noise_is in ("unused", "needed", "estimated")


@pytest.mark.parametrize("name", METHODS)
def test_evidence_has_no_votes_to_pick_from(name: str) -> None:
    evidence = Evidence(10, np.zeros(len(FEW)), np.zeros((len(FEW), 10)))
    if isinstance(method_named(name).loss(), EvidenceLoss):
        assert murk.fit("mlp1", FEW, evidence, method=name, epochs=1, **asked(name), **QUICK).history
    else:
        with pytest.raises(InputError, match="evidence came"):
            murk.fit("mlp1", FEW, evidence, method=name, epochs=1, noise=NOISE, **asked(name), **QUICK)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("erl", "did you mean 'elr'"),
        ("elr:pul=1", "settings of elr are pull, momentum"),
        ("elr:pull", "settings of elr are pull, momentum"),
        ("elr:pull=-1", "`pull` is a number > 0, but -1"),
        ("elr:momentum=1", r"`momentum` is a number in \[0, 1\), but 1"),
        ("elr:pull=high", "`pull` is a number > 0, but 'high'"),
        ("gce:q=0", r"`q` is a number in \(0, 1\]"),
        ("gce:q=True", r"`q` is a number in \(0, 1\]"),
        ("1-sam:rho=nan", "settings of|`rho` is a number > 0"),
        ("averaging:share=1", "settings of averaging are none"),
        ("mixup:alpha=0", "`alpha` is a number > 0"),
        ("label-smoothing:epsilon=1", r"`epsilon` is a number in \[0, 1\)"),
        ("forward:quantile=2", r"`quantile` is a number in \(0, 1\]"),
        ("co-teaching:rate=1", r"`rate` is a number in \[0, 1\)"),
        ("sop:growth=0", "`growth` is a number > 0"),
        ("penalty:weights=0", "`weights` is a number > 0"),
    ],
)
def test_what_cannot_be_meant_is_refused(text: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        method_named(text)


def test_a_method_beside_a_loss_or_two_views_is_refused() -> None:
    with pytest.raises(InputError, match="a method has a loss of its own"):
        murk.fit("mlp1", FEW, OF_FEW, method="elr", loss="pairs", **QUICK)
    with pytest.raises(InputError, match="two views"):
        murk.fit("mlp1", FEW, OF_FEW, method="elr", consistency=1.0, augment="affine", **QUICK)


def test_methods_that_need_the_noise_say_so() -> None:
    with pytest.raises(InputError, match="co-teaching needs the share of wrong votes"):
        murk.fit("mlp1", FEW, OF_FEW, method="co-teaching", **QUICK)
    with pytest.raises(InputError, match="weighs votes by a noise model"):
        murk.fit("mlp1", FEW, OF_FEW, method="evidence", **QUICK)


@pytest.mark.parametrize("name", ["1-sam", "l-sam", "j-sam"])
def test_gradients_of_single_examples_refuse_batchnorm_and_dropout(name: str) -> None:
    for options in ({"norm": "batch", "dropout": 0.0}, {"norm": "group", "dropout": 0.5}):
        model = murk.models.build("conv2", example_shape=(8, 8, 1), num_classes=10, seed=0, width=4, **options)
        with pytest.raises(InputError, match='norm="group" and without dropout'):
            murk.fit(model, FEW, OF_FEW, method=name, epochs=1, **QUICK)


def test_a_method_of_ones_own_can_be_given() -> None:
    class Backwards(Method):
        name = "backwards"

        def objective(self, training: Any, batch: Any) -> Any:
            return -training.objective(batch)

    fit = murk.fit("mlp1", FEW, OF_FEW, method=Backwards(), epochs=2, **QUICK)
    assert fit.history[-1].training_loss < 0
    assert fit.recipe.method == "backwards"
