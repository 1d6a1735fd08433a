"""Noise that nobody states is found while training: what is found, from where it goes on, and what is refused."""

from pathlib import Path

import numpy as np
import pytest
import torch

import murk
from murk.errors import DataError, InputError
from murk.learn import Progress
from murk.learn.checkpoint import found_file
from murk.learn.find_noise import _uniform, find_noise
from murk.learn.setting_up import training_of
from murk.measure import estimate_transition
from murk.measure.expectation import Expectation
from murk.measure.source_votes import SourceVotes
from murk.noise import (
    Channel,
    Dilution,
    Evidence,
    Flat,
    Structured,
    Unknown,
    Votes,
    evidence_of,
    pair_flip,
    random_ranking,
)

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
    with pytest.raises(InputError, match='"auto:one-right" or "auto:dependent"'):
        murk.fit("mlp1", DIGITS.train, votes, noise="guess", **QUICK)


def test_votes_for_none_of_these_are_answers_like_any_other() -> None:
    """Half of all votes name no class; scouts that held them against predictions would never trust any."""
    noise = Channel(np.concatenate([0.5 * Channel.symmetric(0.4, num_classes=10).transition.matrix(),
                                    np.full((10, 1), 0.5)], axis=1))  # fmt: skip
    votes = noise.draw(DIGITS.train.labels, seed=0)
    found = find_noise("mlp1", DIGITS.train, votes, epochs=40, **QUICK)
    assert error(found, noise) < 0.015
    assert found.noise_rate.low < 0.4 < found.noise_rate.high


def copied_votes() -> tuple[np.ndarray, Votes]:
    """Two annotators of their own with 40 % wrong, and six who all copy one with 60 % wrong."""
    labels = DIGITS.train.labels
    rates = (0.4, 0.4, 0.6)
    own = [Channel.symmetric(rate, num_classes=10).draw(labels, seed=seed).batch(np.arange(len(labels))).labels
           for seed, rate in enumerate(rates)]  # fmt: skip
    return labels, Votes.from_matrix(np.stack([*own, *[own[2]] * 5], axis=1), num_classes=10)


def test_copies_are_found_and_count_less_and_what_is_learned_is_better() -> None:
    _, votes = copied_votes()
    fits = {
        noise: murk.fit("mlp1", DIGITS.train, votes, noise=noise, epochs=30, **QUICK)
        for noise in ("auto", "auto:dependent")
    }
    found = fits["auto:dependent"].found
    assert found is not None and found.tempering is not None
    assert found.tempering[2:].max() < 0.35  # six copies: a sixth each, or little more
    assert found.tempering[:2].min() > 0.6
    accuracies = {noise: fit.evaluate(DIGITS.test).value for noise, fit in fits.items()}
    assert accuracies["auto:dependent"] > accuracies["auto"] + 0.02


def test_a_search_among_copies_that_is_stopped_goes_on_and_ends_the_same(tmp_path: Path) -> None:
    _, votes = copied_votes()
    settings = {"noise": "auto:dependent", "epochs": 6, **QUICK}
    whole = murk.fit("mlp1", DIGITS.train, votes, **settings)

    class StoppedError(Exception):
        pass

    for phase in ("finding the noise, 1 of 3", "finding the noise, 3 of 3"):

        def stop(progress: Progress, phase: str = phase) -> None:
            if progress.phase == phase and progress.epoch is not None and progress.epoch.epoch == 3:
                raise StoppedError

        with pytest.raises(StoppedError):
            murk.fit("mlp1", DIGITS.train, votes, **settings, callbacks=[stop], checkpoint=tmp_path / "checkpoint",
                     checkpoint_seconds=0)  # fmt: skip
    resumed = murk.fit("mlp1", DIGITS.train, votes, **settings, checkpoint=tmp_path / "checkpoint")
    assert whole.found is not None and resumed.found is not None
    assert np.array_equal(whole.found.transition.value, resumed.found.transition.value)
    assert np.array_equal(whole.found.tempering, resumed.found.tempering)
    assert whole.history == resumed.history


@pytest.mark.parametrize("way", ["auto", "auto:dependent"])
def test_noise_that_was_found_is_read_again_bit_by_bit_and_not_for_another_search(
    way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, votes = copied_votes()
    settings = {"epochs": 4, **QUICK, "checkpoint": tmp_path / "checkpoint"}
    first = find_noise("mlp1", DIGITS.train, votes, way, **settings)
    calls = []
    monkeypatch.setattr(
        "murk.learn.find_noise.estimate_transition",
        lambda *_, **told: calls.append(told) or estimate_transition(*_, **told),
    )
    again = find_noise("mlp1", DIGITS.train, votes, way, **settings)
    assert not calls  # with other threads its last digits could be others, and another training would follow
    assert again.state().keys() == first.state().keys() and again.to_dict() == first.to_dict()
    assert again.transition == first.transition and again.noise == first.noise
    known = np.full(len(DIGITS.train), -1)
    known[0] = DIGITS.train.labels[0]
    (tmp_path / "other").mkdir()
    for path in tmp_path.glob("checkpoint*"):
        path.rename(tmp_path / "other" / path.name)
    other = {**settings, "checkpoint": tmp_path / "other" / "checkpoint"}
    found_file(other["checkpoint"]).rename(found_file(settings["checkpoint"]))
    find_noise("mlp1", DIGITS.train, votes, way, **settings, known=known)
    assert len(calls) == 1
    found_file(settings["checkpoint"]).write_bytes(b"damaged")
    with pytest.raises(DataError, match=r"checkpoint\.found"):
        find_noise("mlp1", DIGITS.train, votes, way, **settings, known=known)


def test_what_was_found_is_saved_with_the_fit(tmp_path: Path) -> None:
    votes = Channel.symmetric(0.4, num_classes=10).draw(DIGITS.train.labels, seed=0)
    fit = murk.fit("mlp1", DIGITS.train, votes, noise="auto", epochs=4, **QUICK)
    fit.save(tmp_path / "fit")
    loaded = murk.Fit.load(tmp_path / "fit").found
    assert fit.found is not None and loaded is not None
    assert loaded.to_dict() == fit.found.to_dict() and loaded.noise == fit.found.noise
    assert loaded.sentences() == fit.found.sentences()


def test_who_repeats_whom_needs_votes_that_say_who_voted() -> None:
    votes = Channel.symmetric(0.4, num_classes=10).draw(DIGITS.train.labels, seed=0)
    with pytest.raises(InputError, match="say who voted"):
        find_noise("mlp1", DIGITS.train, votes, "auto:dependent", **QUICK)
    with pytest.raises(InputError, match="dependent without one_right"):
        Unknown(one_right=True, dependent=True)
    with pytest.raises(InputError, match="dependent without one_right"):
        Unknown(by_annotator=False, dependent=True)


def test_at_the_start_no_class_is_left_out_because_structured_noise_names_it_seldom() -> None:
    labels = np.arange(20_000) % 10
    noise = Dilution(20, num_classes=10, pattern=Structured(1.0, random_ranking(10, seed=0)))
    votes = SourceVotes.of(noise.draw(labels, seed=0), by_annotator=False)
    blank = Expectation(votes, np.full((1, 10), -np.log(10)))
    likeliest = blank.log_evidence(_uniform(votes)).argmax(1)
    shares = np.bincount(likeliest, minlength=10) / len(labels)
    assert shares.min() > 0.08 and shares.max() < 0.12


def imbalanced(seed: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Five classes of 100 : 60 : 30 : 10 : 1, each around a point of its own."""
    shares = np.array([100, 60, 30, 10, 1])
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.repeat(np.arange(5), np.round(size * shares / shares.sum()).astype(int)))
    centres = 1.5 * np.random.default_rng(99).normal(size=(5, 10))
    return (centres[labels] + rng.normal(size=(len(labels), 10))).astype(np.float32), labels


@pytest.mark.parametrize("noise", [Channel.symmetric(0.4, num_classes=5), Channel(pair_flip(5, 0.4))])
def test_classes_a_hundred_times_rarer_than_others_are_learned_as_well_as_with_the_noise_known(noise: Channel) -> None:
    features, labels = imbalanced(0, 8000)
    votes = noise.draw(labels, seed=0)
    settings = {"epochs": 20, **QUICK}
    found, told = (murk.fit("mlp1", features, votes, noise=way, **settings) for way in ("auto", noise))
    test, truth = imbalanced(100, 20_000)
    right = [fit.predict_probs(test).argmax(1) == truth for fit in (found, told)]
    by_class = [[float(each[truth == k].mean()) for k in range(5)] for each in right]
    assert np.abs(np.subtract(*by_class)).max() < 0.05
    assert min(by_class[0]) > 0.5  # the rarest class has 40 examples, of which 24 have the right label
    assert error(found.found, noise) < 0.05
