"""Methods in studies: a run's name holds its method, older runs keep theirs, and the best epoch is only watched."""

from __future__ import annotations

from dataclasses import fields

import pytest

from murk.errors import InputError
from murk.lab import Setting, compute_run, read_settings, resolve, run_id
from murk.lab.batches import batches
from murk.lab.stored import StoredRun

TINY = {
    "data": "digits", "model": "mlp1", "train_size": 200, "test_size": 100, "passes": 1000, "noise": "symmetric:0.2",
    "precision": "float32",
}  # fmt: skip


def named(**more: object) -> str:
    return run_id(resolve(Setting(**{**TINY, **more}), device="cpu"))  # type: ignore[arg-type]


def test_a_method_is_part_of_a_runs_name_and_its_defaults_are_written_out() -> None:
    assert len({named(), named(method="gce"), named(method="gce:q=0.5"), named(watch=True)}) == 4
    assert named(method="gce") == named(method="gce:q=0.7")
    resolved = resolve(Setting(**TINY, method="elr"), device="cpu")  # type: ignore[arg-type]
    assert (resolved["method"], resolved["loss"]) == ("elr:pull=3.0,momentum=0.7", None)


def test_an_embedding_is_part_of_a_runs_name_and_of_its_network() -> None:
    assert len({named(), named(embedding=8), named(embedding=16)}) == 3
    found = compute_run(resolve(Setting(**TINY, embedding=8, method="arcface"), device="cpu"))  # type: ignore[arg-type]
    assert found.outcome["estimates"]["accuracy"]["value"] > 0.2


def test_runs_from_before_there_were_methods_keep_their_names() -> None:
    assert not {"embedding", "method", "watch"} & resolve(Setting(**TINY), device="cpu").keys()  # type: ignore[arg-type]


def test_a_run_by_a_method_is_computed_and_says_what_the_best_epoch_on_clean_labels_would_have_been() -> None:
    found = compute_run(resolve(Setting(**TINY, method="cross-entropy", watch=True), device="cpu"))  # type: ignore[arg-type]
    estimates = found.outcome["estimates"]
    assert estimates["accuracy_best"]["value"] >= estimates["accuracy_last"]["value"]
    plain = compute_run(resolve(Setting(**TINY, method="cross-entropy"), device="cpu"))  # type: ignore[arg-type]
    assert "accuracy_best" not in plain.outcome["estimates"]
    assert plain.outcome["estimates"]["accuracy"] == estimates["accuracy"]  # watching changes nothing


def test_untold_a_training_knows_nothing_of_the_noise() -> None:
    untold = compute_run(resolve(Setting(**TINY, method="averaging", weigh_as="untold"), device="cpu"))  # type: ignore[arg-type]
    assert untold.outcome["facts"]["effective_clean_labels"] is None
    assert "no noise model" in untold.outcome["remarks"]["accuracy_from_votes"]


def test_noise_by_the_image_is_run_and_has_no_accuracy_from_votes() -> None:
    setting = {**TINY, "noise": "instance:0.4"}
    found = compute_run(resolve(Setting(**setting), device="cpu"))  # type: ignore[arg-type]
    assert found.outcome["facts"]["noise_rate"] == pytest.approx(0.4, abs=0.18)  # of 200 labels, 5 deviations
    assert found.outcome["estimates"]["accuracy_from_votes"] is None


def waiting(setting: Setting) -> StoredRun:
    resolved = resolve(setting, device="cpu")
    return StoredRun(**{**dict.fromkeys(field.name for field in fields(StoredRun)), "id": run_id(resolved),
                        "settings": resolved, "state": "waiting"})  # fmt: skip


def test_methods_are_not_trained_together() -> None:
    whole = {**TINY, "train_size": 1297}  # runs on the same images, small and in float32: what is trained together
    for settings, size in (({"loss": "pairs"}, 8), ({"method": "gce"}, 1), ({"loss": "pairs", "watch": True}, 1)):
        runs = [waiting(Setting(**{**whole, **settings}, seed=seed)) for seed in range(8)]  # type: ignore[arg-type]
        assert [len(batch) for batch in batches(runs)] == [size] * (8 // size)


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ({"method": "erl"}, "did you mean 'elr'"),
        ({"method": "elr", "loss": "pairs"}, "a method has a loss of its own"),
        ({"weigh_as": "untold"}, "untold tells the training nothing"),
        ({"weigh_as": "untold", "method": "co-teaching"}, "untold tells the training nothing"),
        ({"method": "elr", "consistency": 1.0, "augment": "affine"}, "two views"),
        ({"method": "1-sam", "model": "conv2", "norm": "batch"}, "without BatchNorm and dropout"),
        ({"weigh_as": "auto:dependent"}, "who repeats whom"),
        ({"noise": "instance:lots"}, "instance:RATE"),
        ({"noise": "instance:1"}, "below 1"),
        ({"noise": "instance:0.2", "source": "white"}, "go with a dilution"),
    ],
)
def test_what_cannot_be_run_is_refused_when_it_is_planned(setting: dict, said: str) -> None:  # type: ignore[type-arg]
    with pytest.raises(InputError, match=said):
        resolve(read_settings([{**TINY, **setting}])[0], device="cpu")
