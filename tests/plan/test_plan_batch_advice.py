"""Batch advice: what the noise of votes leaves of a batch, and settings that follow it."""

from functools import cache
from typing import Any

import numpy as np
import pytest

import murk
from murk.errors import InputError
from murk.models import build
from murk.noise import Dilution
from murk.plan import BatchAdvice, batch_advice

DIGITS = murk.load("digits").train


@cache
def advice(alpha: int, loss: str, **settings: Any) -> BatchAdvice:
    noise = Dilution(alpha, num_classes=10)
    votes = noise.draw(DIGITS.labels, seed=0)
    return batch_advice("mlp1", DIGITS, votes, noise=noise, loss=loss, device="cpu", seed=0, **settings)


def test_scales_grow_with_the_noise_as_the_law_says_whatever_the_network_predicts_at_first() -> None:
    clean, noisy = advice(0, "pairs").scale, advice(4, "pairs").scale
    assert noisy.low * 0.8 < clean.value * 25 < noisy.high * 1.25
    at_once = advice(4, "evidence").scale
    assert at_once.high < noisy.low and at_once.value > 2 * clean.value


def test_more_noise_calls_for_larger_batches_and_lower_rates_within_their_bounds() -> None:
    told = [advice(alpha, "pairs", epochs=2000) for alpha in (0, 4, 20)]
    sizes, rates = [each.batch_size for each in told], [each.learning_rate for each in told]
    assert sizes == sorted(sizes) and sizes[0] < sizes[-1] == told[0].usual_batch_size == 512
    assert rates == sorted(rates, reverse=True) and rates[0] < 2 * told[0].usual_learning_rate
    assert all(size & (size - 1) == 0 and 64 <= size <= 512 for size in sizes)


def test_a_batch_that_is_given_stays_and_larger_ones_take_higher_rates() -> None:
    rates = {size: advice(4, "pairs", batch_size=size, epochs=5000).learning_rate for size in (32, 128, 512)}
    assert advice(4, "pairs", batch_size=32).batch_size == 32
    assert 1.8 * rates[32] < rates[128] < 2.2 * rates[32] and rates[512] > 1.6 * rates[128]


def test_few_steps_may_be_as_long_as_noise_alone_moves_weights_by_most_of_their_size() -> None:
    few, many = (advice(20, "pairs", epochs=epochs, batch_size=128) for epochs in (90, 9000))
    network = build("mlp1", example_shape=(8, 8, 1), num_classes=10, seed=0)
    with_products = np.concatenate([w.detach().numpy().ravel() for w in network.parameters() if w.dim() > 1])
    steps = 90 * (1167 // 128)
    assert few.learning_rate == pytest.approx(0.6 * (with_products**2).mean() ** 0.5 / steps**0.5, rel=0.05)
    assert many.learning_rate < few.learning_rate / 3


def test_evidence_is_never_advised_a_rate_below_the_usual_one() -> None:
    noisy, clean = advice(100, "evidence", epochs=2000), advice(0, "evidence", epochs=2000)
    assert noisy.scale.value > 20 * clean.scale.value
    assert noisy.learning_rate == noisy.usual_learning_rate < clean.learning_rate
    assert advice(100, "pairs", epochs=2000).learning_rate < noisy.learning_rate / 2


def test_the_sentence_names_both_settings_and_how_sure_the_scale_is() -> None:
    said = advice(4, "pairs").sentence()
    assert f"Batches of {advice(4, 'pairs').batch_size} at" in said and "95 %" in said and "128 at 0.002" in said
    only = advice(4, "pairs").sentence(batch=False)
    assert only.startswith("A rate of") and "128" not in only


def test_hopeless_noise_gives_no_higher_rate_than_noise_alone_allows() -> None:
    told, bearable = (advice(alpha, "pairs", epochs=5000) for alpha in (3000, 4))
    assert told.scale.high == np.inf and told.scale.low > 1e5
    assert told.learning_rate < bearable.learning_rate and told.batch_size == told.usual_batch_size
    assert "any number" in told.sentence() or "of no number" in told.sentence()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"method": "elr"}, "`method="),
        ({"protocol": "paper"}, "`protocol="),
        ({"learning_rate": 0.1}, "`learning_rate="),
        ({"batch_size": 0}, "batch_size"),
        ({"noise": None}, "noise"),
        ({"held_out": 0.7}, "held"),
    ],
)
def test_what_does_not_fit_is_refused(change: dict[str, Any], said: str) -> None:
    noise = Dilution(4, num_classes=10)
    votes = noise.draw(DIGITS.labels, seed=0)
    with pytest.raises(InputError, match=said):
        batch_advice("mlp1", DIGITS, votes, **{"noise": noise, "device": "cpu", "seed": 0, **change})


def test_too_few_examples_are_told() -> None:
    noise = Dilution(4, num_classes=10)
    few = DIGITS[:60]
    with pytest.raises(InputError, match="at least 64 examples"):
        batch_advice("mlp1", few, noise.draw(few.labels, seed=0), noise=noise, device="cpu", seed=0)
