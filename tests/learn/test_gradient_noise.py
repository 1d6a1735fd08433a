"""The noise of gradients: exact where it can be worked out by hand, and the laws at uniform predictions."""

from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import binom
from torch import nn

import murk
from murk.errors import InputError
from murk.learn import gradient_noise
from murk.learn.gradient_noise import noise_scale
from murk.models import build
from murk.noise import Channel, Dilution

DIGITS = murk.load("digits").train
FALSE_ALARM = 1e-6
QUICK: dict[str, Any] = {"device": "cpu", "seed": 0, "examples": 1280}


def flat() -> nn.Module:
    """Build a network of one layer that predicts every class alike."""
    network = build("perceptron", example_shape=(8, 8, 1), num_classes=10)
    with torch.no_grad():
        for weight in network.parameters():
            weight.zero_()
    return network


@pytest.mark.parametrize("by_example", [True, False])
@pytest.mark.parametrize("signal", [0.02, 1.0])
def test_intervals_of_scale_spread_and_signal_cover(by_example: bool, signal: float) -> None:
    blocks, block, size, repeats = 32, 16, 40, 200
    mean, spread = np.full(size, np.sqrt(signal / size)), float(size)
    held = np.zeros(3)
    for seed in range(repeats):
        each = mean + np.random.default_rng(seed).normal(size=(blocks, block, size))
        means = each.mean(1)
        squares = (each**2).sum(2).mean(1) if by_example else (means**2).sum(1)
        told = noise_scale(means @ means.T, squares, size=1 if by_example else block, confidence_level=0.95)
        true = (spread / signal, spread, signal)
        held += [estimate.low <= value <= estimate.high for estimate, value in zip(told, true, strict=True)]
    assert (binom.cdf(held, repeats, 0.95) > FALSE_ALARM).all()  # .86 and more of 200


def test_a_single_layer_has_the_gradient_noise_that_its_formula_says() -> None:
    votes = murk.Votes.from_labels(DIGITS.labels, num_classes=10)
    told = gradient_noise(flat(), DIGITS, votes, loss="soft-labels", **QUICK)
    pixels = DIGITS.images.reshape(len(DIGITS), -1).astype(np.float64)
    inputs = np.c_[(pixels - pixels.mean()) / pixels.std(), np.ones(len(pixels))]
    slopes = np.full((len(inputs), 10), 0.1) - np.eye(10)[DIGITS.labels]
    every = np.einsum("nk,nd->nkd", slopes, inputs).reshape(len(inputs), -1)
    spread = every.var(0, ddof=1).sum()
    signal = (every.mean(0) ** 2).sum() - spread / len(every)  # chance gives a mean of so many some length
    assert told.signal.value == pytest.approx(signal, rel=0.02)  # 1,280 of 1,297
    assert told.spread.value == pytest.approx(spread, rel=0.02)
    assert told.examples == 1280


def test_blocks_tell_what_single_examples_tell_less_surely() -> None:
    votes = murk.Votes.from_labels(DIGITS.labels, num_classes=10)
    network = build("mlp1", example_shape=(8, 8, 1), num_classes=10, width=16)
    one, other = (gradient_noise(network, DIGITS, votes, loss="soft-labels", by=by, **QUICK)
                  for by in ("example", "batch"))  # fmt: skip
    assert other.scale.low < one.scale.value < other.scale.high
    assert other.spread.high - other.spread.low > one.spread.high - one.spread.low
    assert one.signal.value == pytest.approx(other.signal.value, rel=1e-4)


@pytest.mark.parametrize("alpha", [4, 9])
def test_at_uniform_predictions_pairs_lose_the_square_of_what_counted_votes_lose(alpha: int) -> None:
    clean, noisy = Dilution(0, num_classes=10), Dilution(alpha, num_classes=10)
    right = gradient_noise(flat(), DIGITS, clean.draw(DIGITS.labels, seed=0), loss="pairs", **QUICK).scale.value
    votes = noisy.draw(DIGITS.labels, seed=0)
    pairs, counted = (
        gradient_noise(flat(), DIGITS, votes, loss=loss, **QUICK).scale for loss in ("pairs", "soft-labels")
    )
    assert pairs.low < right * (1 + alpha) ** 2 < pairs.high
    assert counted.low * 0.75 < right * (1 + alpha) < counted.high * 1.25  # but for the votes that agree by chance


@pytest.mark.parametrize("by", ["example", "batch"])
def test_what_votes_say_to_a_network_that_knows_nothing_follows_the_law_whatever_it_predicts(by: str) -> None:
    clean, noisy = Dilution(0, num_classes=10), Dilution(9, num_classes=10)
    network = build("mlp1", example_shape=(8, 8, 1), num_classes=10, width=16, seed=1)
    with torch.no_grad():
        network.head.bias += torch.arange(10) / 3  # far from alike
    asked = {**QUICK, "loss": "pairs", "by": by}
    right, votes = clean.draw(DIGITS.labels, seed=0), noisy.draw(DIGITS.labels, seed=0)
    told = {name: [gradient_noise(network, DIGITS, own, uninformed=uninformed, **asked).scale
                   for uninformed in (False, True)] for name, own in (("right", right), ("noisy", votes))}  # fmt: skip
    assert told["noisy"][1].low * 0.75 < told["right"][1].value * 100 < told["noisy"][1].high * 1.25
    assert told["noisy"][0].high < told["right"][1].value * 20  # as it predicts, it is pulled back: that is no noise


def test_votes_that_say_nothing_have_a_signal_of_nothing_on_average() -> None:
    network, told = build("mlp1", example_shape=(8, 8, 1), num_classes=10), []
    for seed in range(20):
        labels = np.random.default_rng(seed).integers(0, 10, len(DIGITS))
        votes = murk.Votes.from_labels(labels, num_classes=10)
        asked = {**QUICK, "loss": "soft-labels", "seed": seed}
        told.append(gradient_noise(network, DIGITS, votes, uninformed=True, **asked).signal)
    signals = np.array([each.value for each in told])
    z = signals.mean() / (signals.std(ddof=1) / len(signals) ** 0.5)
    assert abs(z) < 6.5  # t with 19 degrees of freedom: one false alarm in 300,000
    held = sum(each.low <= 0 <= each.high for each in told)
    assert binom.cdf(held, len(told), 0.95) > FALSE_ALARM


def test_networks_in_which_examples_meet_go_by_blocks_and_are_left_as_they_were() -> None:
    network = build("conv2", example_shape=(8, 8, 1), num_classes=10, width=4, norm="batch", dropout=0.0)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    noise = Channel.symmetric(0.4, num_classes=10)
    votes = noise.draw(DIGITS.labels, seed=0)
    with pytest.raises(InputError, match='by="batch"'):
        gradient_noise(network, DIGITS, votes, noise=noise, **QUICK)
    told = gradient_noise(network, DIGITS, votes, noise=noise, by="batch", **QUICK)
    assert told.spread.value > 0
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())


def test_a_fit_is_read_and_left_as_it_is() -> None:
    noise = Channel.symmetric(0.2, num_classes=10)
    votes = noise.draw(DIGITS.labels, seed=0)
    fit = murk.fit("mlp1", DIGITS, votes, noise=noise, epochs=3, seed=0, device="cpu")
    probs = fit.predict_probs(DIGITS, device="cpu")
    told = gradient_noise(fit, DIGITS, votes, noise=noise, **QUICK)
    assert told.scale.value > 0 and np.array_equal(probs, fit.predict_probs(DIGITS, device="cpu"))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"by": "exampel"}, "did you mean 'example'"),
        ({"blocks": 4}, "blocks"),
        ({"examples": 40}, "at least two examples in each of 32"),
        ({"loss": "evidence", "noise": None}, "noise"),
        ({"confidence_level": 0}, "confidence level"),
    ],
)
def test_what_does_not_fit_is_refused(change: dict[str, Any], said: str) -> None:
    votes = Channel.symmetric(0.2, num_classes=10).draw(DIGITS.labels, seed=0)
    with pytest.raises(InputError, match=said):
        gradient_noise(flat(), DIGITS, votes, **{**QUICK, "loss": "pairs", **change})
