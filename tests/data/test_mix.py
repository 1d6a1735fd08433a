"""Mixed sources are arithmetic on the index: nothing of size N x alpha, the same image for the same index."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from murk.data import Interleaved, WhiteNoise, as_source, channel_moments
from murk.errors import InputError

DRAW = np.random.default_rng(0)
CLEAN = DRAW.integers(0, 256, (4, 3, 3, 2), np.uint8)
OTHER = DRAW.integers(0, 256, (5, 3, 3, 2), np.uint8)


def normal(indices, count):
    """Standard normal numbers, row b a function of indices[b] alone."""
    return np.stack([np.random.default_rng([7, int(i)]).standard_normal(count, np.float32) for i in indices])


def white(length=50, shape=(3, 3, 2), mean=(100.0, 50.0), std=(20.0, 5.0)):
    return WhiteNoise(np.array(mean), np.array(std), example_shape=shape, length=length, normal=normal)


@given(st.integers(1, 6), st.integers(1, 7), st.integers(0, 9), st.none() | st.integers(0, 2**64 - 1))
def test_every_clean_image_comes_once_followed_by_alpha_noisy_ones_in_turn(n, m, alpha, seed):
    clean, noise = (
        as_source(np.arange(n, dtype=np.float32)[:, None]),
        as_source(100 + np.arange(m, dtype=np.float32)[:, None]),
    )
    mixed = Interleaved(clean, noise, alpha=alpha, seed=seed)
    assert len(mixed) == n * (1 + alpha)
    shown = mixed.image_of(np.arange(len(mixed)))
    assert np.array_equal(shown.is_noise, np.arange(len(mixed)) % (1 + alpha) > 0)
    assert shown.row[~shown.is_noise].tolist() == list(range(n))
    turns = shown.row[shown.is_noise]
    one_round = turns[:m]
    assert len(set(one_round.tolist())) == len(one_round)
    assert np.array_equal(turns, np.resize(one_round, len(turns)))
    assert mixed.batch(np.arange(len(mixed)))[:, 0].tolist() == (shown.row + 100.0 * shown.is_noise).tolist()


def test_the_order_of_the_noisy_images_depends_on_the_seed_alone():
    def turns(seed):
        big = as_source(np.zeros((500, 1), np.float32))
        return Interleaved(big, big, alpha=1, seed=seed).image_of(np.arange(1, 1000, 2)).row

    assert np.array_equal(turns(None), np.arange(500))
    assert np.array_equal(turns(5), turns(5))
    assert not np.array_equal(turns(5), turns(6)) and not np.array_equal(turns(5), turns(None))


@given(st.permutations(range(4 * 4)), st.integers(1, 15))
def test_an_example_does_not_depend_on_its_batch(order, cut):
    for noise in (as_source(OTHER), white()):
        mixed = Interleaved(as_source(CLEAN), noise, alpha=3, seed=0)
        whole = mixed.batch(np.arange(16))
        parts = torch.cat([mixed.batch(order[:cut]), mixed.batch(order[cut:])])
        assert torch.equal(parts, whole[list(order)])


def test_the_type_of_a_batch_does_not_depend_on_what_it_holds():
    for noise, dtype in ((as_source(OTHER), torch.uint8), (white(), torch.float32)):
        mixed = Interleaved(as_source(CLEAN), noise, alpha=1, seed=1)
        for rows in ([0, 2], [1, 3], [0, 1], []):
            batch = mixed.batch(rows)
            assert batch.dtype == dtype and batch.shape == (len(rows), 3, 3, 2)
    assert np.array_equal(mixed.batch([2]).numpy()[0], CLEAN[1].astype(np.float32))


def test_no_dilution_shows_the_clean_images():
    mixed = Interleaved(as_source(CLEAN), as_source(OTHER), alpha=0, seed=0)
    assert np.array_equal(mixed.batch(np.arange(4)).numpy(), CLEAN)


def test_memory_does_not_grow_with_alpha():
    clean = as_source(np.zeros((50_000, 1), np.float32))
    noise = WhiteNoise([0.0], [1.0], example_shape=(1,), length=50_000 * 10**9, normal=normal)
    tracemalloc.start()
    mixed = Interleaved(clean, noise, alpha=10**9, seed=None)
    foreign = Interleaved(clean, clean, alpha=10**9, seed=3)
    last = len(mixed) - 1
    mixed.batch([0, last])
    foreign.batch([0, last])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(mixed) == 50_000 * (10**9 + 1) and mixed.image_of([last]).row.tolist() == [50_000 * 10**9 - 1]
    assert peak < 10_000_000


@pytest.mark.parametrize("alpha", [-1, 1.5, True])
def test_an_alpha_that_is_no_count_is_refused(alpha):
    with pytest.raises(InputError, match="whole number of at least 0"):
        Interleaved(as_source(CLEAN), as_source(OTHER), alpha=alpha, seed=0)


def test_all_faults_of_a_mixture_are_named_together():
    with pytest.raises(InputError) as caught:
        Interleaved(as_source(CLEAN), as_source(np.zeros((2, 9), np.float32)), alpha=-2, seed=-1)
    for words in ("alpha", "seed", "clean shape (3, 3, 2), got (9,)"):
        assert words in str(caught.value)


def test_an_example_outside_the_mixture_is_refused():
    mixed = Interleaved(as_source(CLEAN), as_source(OTHER), alpha=2, seed=0)
    for rows in ([12], [-1]):
        with pytest.raises(InputError, match="expected indices"):
            mixed.batch(rows)


def test_white_noise_has_the_asked_moments_in_each_channel_and_is_not_clipped():
    """Means and spreads of 180,000 pixels a channel, within 5 standard errors: false alarms below 1e-5 in all."""
    noise = WhiteNoise([250.0, 3.0], [60.0, 8.0], example_shape=(30, 30, 2), length=200, normal=normal)
    pixels = noise.batch(np.arange(200)).numpy().reshape(-1, 2).astype(np.float64)
    n = len(pixels)
    assert np.all(np.abs(pixels.mean(axis=0) - [250, 3]) < 5 * np.array([60, 8]) / n**0.5)
    assert np.all(np.abs(pixels.std(axis=0) / [60, 8] - 1) < 5 / (2 * n) ** 0.5)
    assert pixels.max() > 255 and pixels.min() < 0


def test_white_noise_is_a_function_of_the_index():
    noise = white()
    assert torch.equal(noise.batch([3, 49, 3])[[0, 2]], noise.batch([3]).repeat(2, 1, 1, 1))
    assert not torch.equal(noise.batch([3]), noise.batch([4]))
    assert (len(noise), noise.is_images, white(shape=(2,)).is_images) == (50, True, False)


def test_all_faults_of_white_noise_are_named_together():
    with pytest.raises(InputError) as caught:
        WhiteNoise([1.0], [-1.0, 2.0], example_shape=(3, 3, 2), length=0, normal=normal)
    for words in ("finite mean", "std >= 0", "length > 0"):
        assert words in str(caught.value)
    with pytest.raises(InputError, match="finite std"):
        white(std=(np.nan, 1.0))
    with pytest.raises(InputError, match="example_shape"):
        white(shape=(3, 2))


@pytest.mark.parametrize("wrong", [lambda i, n: np.zeros((len(i), n)), lambda i, n: np.zeros((n, len(i)), np.float32)])
def test_a_generator_of_another_shape_or_type_is_refused(wrong):
    noise = WhiteNoise([0.0], [1.0], example_shape=(2, 2, 1), length=3, normal=wrong)
    with pytest.raises(InputError, match="to give float32"):
        noise.batch([0])


@pytest.mark.parametrize("array", [OTHER, DRAW.normal(1e4, 1, (5000, 3)), DRAW.normal(size=(7, 2)).astype(np.float32)])
def test_channel_moments_are_those_of_numpy_however_the_blocks_fall(array, monkeypatch):
    flat = array.reshape(-1, array.shape[-1]).astype(np.float32).astype(np.float64)
    for values in (1, 50, 1 << 22):
        monkeypatch.setattr("murk.data.mix._BLOCK_VALUES", values)
        moments = channel_moments(array)
        assert np.allclose(moments.mean, flat.mean(axis=0), rtol=1e-12)
        assert np.allclose(moments.std, flat.std(axis=0), rtol=1e-9)
