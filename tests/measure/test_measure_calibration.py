"""Calibration from noisy votes: the temperature that was there, and accuracies by confidence."""

import numpy as np
import pytest
from scipy.stats import binom

from murk.errors import InputError
from murk.measure import calibrating_temperature, reliability, tempered
from murk.noise import Channel, Votes, pair_flip

FALSE_ALARM = 1e-6
NOISE = Channel(pair_flip(4, 0.3))


def world(size: int, *, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw calibrated probabilities, and the truth by them."""
    rng = np.random.default_rng(seed)
    probs = rng.dirichlet([0.4] * 4, size)
    return probs, (probs.cumsum(1) > rng.random((size, 1))).argmax(1)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_intervals_of_the_temperature_cover(temperature: float) -> None:
    held, simulations = 0, 60
    for seed in range(simulations):
        probs, truth = world(800, seed=seed)
        told = calibrating_temperature(tempered(probs, 1 / temperature), NOISE.draw(truth, seed=seed), noise=NOISE)
        held += told.low <= temperature <= told.high
    assert binom.cdf(held, simulations, 0.95) > FALSE_ALARM


def test_the_temperature_found_gives_back_the_probabilities_that_were() -> None:
    probs, truth = world(20_000, seed=0)
    sharp = tempered(probs, 0.4)
    told = calibrating_temperature(sharp, NOISE.draw(truth, seed=0), noise=NOISE)
    assert np.abs(tempered(sharp, float(told)) - probs).mean() < 0.01


def test_accuracies_by_confidence_cover_and_show_what_is_too_sure() -> None:
    held, bins, simulations = 0, 5, 40
    for seed in range(simulations):
        probs, truth = world(2000, seed=seed)
        told = reliability(probs, NOISE.draw(truth, seed=seed), noise=NOISE, bins=bins)
        held += int(((told.accuracy.low <= told.confidence) & (told.confidence <= told.accuracy.high)).sum())
        assert told.examples.sum() == 2000 and (np.diff(told.confidence) > 0).all()
    assert binom.cdf(held, bins * simulations, 0.95) > FALSE_ALARM
    sure = reliability(tempered(probs, 0.2), NOISE.draw(truth, seed=0), noise=NOISE, bins=bins)
    assert (sure.confidence > sure.accuracy.high).any()


def test_bins_of_which_votes_cannot_say_are_open_and_few_examples_make_few_bins() -> None:
    probs, truth = world(4, seed=0)
    told = reliability(probs, Channel.symmetric(0.7, num_classes=4).draw(truth, seed=0), bins=10,
                       noise=Channel(0.98 / 4 + 0.02 * pair_flip(4, 0.3).matrix()))  # fmt: skip
    assert len(told.examples) == 4 and told.accuracy.low.min() == 0 and told.accuracy.high.max() == 1


def test_examples_without_votes_are_in_no_bin() -> None:
    probs, truth = world(300, seed=0)
    some = np.where(np.arange(300) % 3 == 0, -1, truth)
    told = reliability(probs, Votes.from_matrix(some[:, None], num_classes=4), noise=Channel(np.eye(4)), bins=4)
    assert told.examples.sum() == 200


def test_votes_are_taken_with_all_that_they_are() -> None:
    votes = Votes.from_long([0, 0, 2, 3], [1, -2, 0, 1], [0, 1, 1, 0], num_examples=4, num_classes=2)
    taken = votes.take([3, 0])
    assert len(taken) == 2
    batch, same = taken.batch([0, 1]), votes.batch([3, 0])
    for one, other in ((batch.labels, same.labels), (batch.offsets, same.offsets), (batch.annotators, same.annotators)):
        assert np.array_equal(one, other)


def test_what_does_not_fit_is_refused() -> None:
    probs, truth = world(5, seed=0)
    votes = NOISE.draw(truth, seed=0)
    with pytest.raises(InputError, match="a temperature is > 0"):
        tempered(probs, 0)
    with pytest.raises(InputError, match="do not fit probabilities"):
        calibrating_temperature(probs[:3], votes, noise=NOISE)
    with pytest.raises(InputError, match="expected Votes"):
        reliability(probs, truth, noise=NOISE)
    with pytest.raises(InputError, match="the noise model has 3 classes"):  # not bins that are open in silence
        reliability(probs, votes, noise=Channel.symmetric(0.3, num_classes=3))
    with pytest.raises(InputError, match="weighed by a noise model"):
        calibrating_temperature(probs, votes, noise=None)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="at least one vote"):
        reliability(probs, Votes.from_matrix(np.full((5, 1), -1), num_classes=4), noise=NOISE)
    with pytest.raises(InputError, match="bins"):
        reliability(probs, votes, noise=NOISE, bins=0)
    with pytest.raises(InputError, match="apply softmax"):
        tempered(probs * 3, 1.0)
