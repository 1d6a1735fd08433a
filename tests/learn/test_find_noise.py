"""Noise that nobody states is found while training: what is found, from where it goes on, and what is refused."""

import numpy as np
import pytest
import torch

import murk
from murk.errors import InputError
from murk.learn import Progress
from murk.learn.find_noise import find_noise
from murk.learn.setting_up import training_of
from murk.noise import Channel, Dilution, Evidence, Flat, Structured, Unknown, Votes, evidence_of, pair_flip

DIGITS = murk.load("digits")
QUICK = {"device": "cpu", "precision": "float32", "seed": 0}


def error(found: murk.measure.TransitionEstimate, noise: Channel | Dilution) -> float:
    return float(np.abs(found.transition.value - noise.transition.matrix()).mean())


@pytest.mark.parametrize(
    ("noise", "family", "within"),
    [
        (Channel(Flat(10, 1.0)), ("none", "uniform"), 0.005),
        (Channel.symmetric(0.5, num_classes=10), ("uniform",), 0.015),
        (Channel(pair_flip(10, 0.4)), ("class-dependent",), 0.04),
    ],
)
def test_single_votes_tell_their_noise(noise: Channel, family: tuple[str, ...], within: float) -> None:
    votes = noise.draw(DIGITS.train.labels, seed=0)
    found = find_noise("mlp1", DIGITS.train, votes, epochs=40, **QUICK)
    assert found.family in family
    assert error(found, noise) < within  # flat noise taken for the pairs' would be off by .07


def structured() -> Dilution:
    # each class's votes name the next class as often as itself
    ranking = (np.arange(10)[:, None] + np.arange(1, 10)) % 10
    return Dilution(10, num_classes=10, pattern=Structured(1, ranking))


def test_where_a_wrong_class_is_as_frequent_only_an_audit_or_the_one_right_vote_names_classes() -> None:
    noise = structured()
    labels = DIGITS.train.labels
    votes = noise.draw(labels, seed=0)
    known = np.where(np.arange(len(labels)) < 100, labels, -1)
    audited = find_noise("mlp1", DIGITS.train, votes, known=known, epochs=60, **QUICK)
    assert audited.identified
    assert error(audited, noise) < 0.02
    assert not find_noise("mlp1", DIGITS.train, votes, epochs=60, **QUICK).identified
    one_right = find_noise("mlp1", DIGITS.train, votes, Unknown(one_right=True), epochs=60, **QUICK)
    assert isinstance(one_right.noise, Dilution)
    assert error(one_right, noise) < 0.02


def test_fit_finds_the_noise_and_keeps_what_it_found() -> None:
    noise = Channel(pair_flip(10, 0.3))
    votes = noise.draw(DIGITS.train.labels, seed=0)
    fit = murk.fit("mlp1", DIGITS.train, votes, noise="auto", epochs=40, **QUICK)
    assert fit.found is not None
    assert fit.noise == fit.found.noise
    assert fit.evaluate(DIGITS.test).value > 0.85


def test_a_search_that_is_stopped_goes_on_and_ends_the_same(tmp_path: object) -> None:
    votes = Channel.symmetric(0.4, num_classes=10).draw(DIGITS.train.labels, seed=0)
    whole = murk.fit("mlp1", DIGITS.train, votes, noise="auto", epochs=6, **QUICK)

    class StoppedError(Exception):
        pass

    for phase in ("finding the noise, 1 of 2", "finding the noise, 2 of 2", "training"):

        def stop(progress: Progress, phase: str = phase) -> None:
            if progress.phase == phase and progress.epoch is not None and progress.epoch.epoch == 2:
                raise StoppedError

        with pytest.raises(StoppedError):
            murk.fit("mlp1", DIGITS.train, votes, noise="auto", epochs=6, callbacks=[stop], checkpoint_seconds=0,
                     checkpoint=f"{tmp_path}/run", **QUICK)  # fmt: skip
    again = murk.fit("mlp1", DIGITS.train, votes, noise="auto", epochs=6, checkpoint=f"{tmp_path}/run", **QUICK)
    assert again.noise == whole.noise
    assert all(torch.equal(a, b) for a, b in zip(again.model.parameters(), whole.model.parameters(), strict=True))


def test_a_scout_learns_nothing_from_the_votes_that_it_holds() -> None:
    # the other half's votes are replaced: what the training sees, and so what it predicts, stays the same
    votes = Channel.symmetric(0.3, num_classes=10).draw(DIGITS.train.labels, seed=0)
    labels = votes.batch(np.arange(len(votes))).labels
    trained, others = np.arange(0, len(votes), 2), np.arange(1, len(votes), 2)
    changed = labels.copy()
    changed[others] = 0
    predictions = []
    for given in (labels, changed):
        training = training_of(
            "mlp1", DIGITS.train, Votes.from_labels(given, num_classes=10), noise=Channel(Flat(10, 0.4)), epochs=2,
            split=(trained, others[:0]), **QUICK,
        )  # fmt: skip
        training.run()
        predictions.append(training.log_probs(others))
    assert (predictions[0] == predictions[1]).all()


def test_what_cannot_be_is_refused_before_anything_is_trained() -> None:
    def train(progress: Progress) -> None:
        pytest.fail("a scout was trained")

    rest = {**QUICK, "epochs": 2, "callbacks": [train]}
    single = Votes.from_labels(np.where(np.arange(len(DIGITS.train)) % 2, DIGITS.train.labels, -1), num_classes=10)
    wrong = np.full(len(single), -1)
    wrong[1] = (DIGITS.train.labels[1] + 1) % 10
    with pytest.raises(InputError, match="none of example 1 names its known class"):
        find_noise("mlp1", DIGITS.train, single, "auto:one-right", known=wrong, **rest)
    uneven = Votes.from_long([0, 0, 1], [1, 2, 1], num_examples=len(DIGITS.train), num_classes=10)
    with pytest.raises(InputError, match="only where each has as many"):
        find_noise("mlp1", DIGITS.train, uneven, "auto:one-right", **rest)
    with pytest.raises(InputError, match="do not say who voted"):
        find_noise("mlp1", DIGITS.train, single, Unknown(by_annotator=True), **rest)
    with pytest.raises(InputError, match="weights are"):
        find_noise("mlp1", DIGITS.train, single, weights=[1, 2], **rest)


def test_evidence_has_no_noise_to_be_found_and_other_words_are_refused() -> None:
    votes = Votes.from_labels(DIGITS.train.labels, num_classes=10)
    evidence = evidence_of(votes, Channel(Flat(10, 0.9)))
    assert isinstance(evidence, Evidence)
    with pytest.raises(InputError, match="noise is found from votes"):
        murk.fit("mlp1", DIGITS.train, evidence, noise="auto", **QUICK)
    with pytest.raises(InputError, match='"auto" or "auto:one-right"'):
        murk.fit("mlp1", DIGITS.train, votes, noise="guess", **QUICK)
