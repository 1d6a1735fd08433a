"""Philox: its published vectors, the same bits everywhere, and independence of streams, indices and words."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from murk.errors import InputError
from murk.noise.draws import below, normals, permutation, philox, stream_key, uniforms, words

FULL = 0xFFFFFFFF
# Random123, kat_vectors: philox4x32 with 10 rounds
PUBLISHED = [
    ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((FULL, FULL, FULL, FULL), (FULL, FULL), (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]
DEVICES = ["cpu", *(f"cuda:{number}" for number in range(torch.cuda.device_count()))]
FAR = np.array([0, 1, 2**31, 2**32 - 1, 2**32, 2**32 + 1, 2**40 + 7, 2**62], dtype=np.int64)


@pytest.mark.parametrize(("counter", "key", "expected"), PUBLISHED)
def test_philox_gives_the_published_vectors_in_numpy(counter, key, expected):
    got = philox(tuple(np.array([word], dtype=np.int64) for word in counter), key)
    assert tuple(int(word[0]) for word in got) == expected


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(("counter", "key", "expected"), PUBLISHED)
def test_philox_gives_the_published_vectors_on_every_device(counter, key, expected, device):
    got = philox(tuple(torch.tensor([word], dtype=torch.int64, device=device) for word in counter), key)
    assert tuple(int(word[0]) for word in got) == expected


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("count", [0, 1, 4, 7, 101])
def test_words_are_the_same_bits_in_numpy_and_on_every_device(device, count):
    index = np.concatenate([FAR, np.arange(1000)])
    there = words(9, "votes", torch.from_numpy(index).to(device), count)
    assert there.device == torch.device(device) and there.shape == (1008, count)
    assert np.array_equal(there.cpu().numpy(), words(9, "votes", index, count))


def test_words_read_narrow_indices_as_the_same_numbers():
    wide = words(0, "votes", np.arange(100), 5)
    assert np.array_equal(words(0, "votes", np.arange(100, dtype=np.uint8), 5), wide)
    assert np.array_equal(words(0, "votes", torch.arange(100, dtype=torch.int32), 5).numpy(), wide)


def test_word_w_of_index_i_is_the_published_cipher_of_the_counter():
    """words() is philox of (low i, high i, w // 4, 0), lane w % 4, written out with Python integers."""
    key = stream_key(3, "votes")
    got = words(3, "votes", FAR, 11)
    for row, i in enumerate(FAR.tolist()):
        for w in range(11):
            counter = tuple(np.array([value], dtype=np.int64) for value in (i & FULL, i >> 32, w // 4, 0))
            assert got[row, w] == philox(counter, key)[w % 4][0]


def test_indices_beyond_32_bits_have_words_of_their_own():
    drawn = words(0, "votes", FAR, 4)
    assert len(np.unique(drawn)) == drawn.size


@given(st.lists(st.integers(0, 2**62), min_size=1, max_size=30), st.integers(0, 40), st.integers(0, 2**70))
@settings(max_examples=40, deadline=None)
def test_words_are_a_function_of_seed_and_index_alone(indices, count, seed):
    whole = words(seed, "votes", np.array(indices), count)
    assert whole.shape == (len(indices), count) and (whole >= 0).all() and (whole <= FULL).all()
    for row, index in enumerate(indices):
        assert np.array_equal(words(seed, "votes", np.array([index]), count)[0], whole[row])


def test_more_words_begin_with_the_fewer():
    assert np.array_equal(words(0, "s", np.arange(9), 100)[:, :13], words(0, "s", np.arange(9), 13))


def test_words_do_not_depend_on_the_pieces_they_are_made_in(monkeypatch):
    whole = words(0, "s", np.arange(500), 9)
    monkeypatch.setattr("murk.noise.draws.BLOCK", 5)
    assert np.array_equal(words(0, "s", np.arange(500), 9), whole)
    assert np.array_equal(words(0, "s", torch.arange(500), 9).numpy(), whole)


@pytest.mark.parametrize("first_second", ["seeds", "streams", "indices", "words"])
def test_different_seeds_streams_indices_and_words_agree_only_by_chance(first_second, fits_binomial):
    """Agreement of a draw below 16 is Binomial(200,000, 1/16); catches a counter or key part that is dropped."""
    index = np.arange(200_000)
    pairs = {
        "seeds": (words(0, "a", index, 1), words(1, "a", index, 1)),
        "streams": (words(0, "a", index, 1), words(0, "b", index, 1)),
        "indices": (words(0, "a", index, 1), words(0, "a", index + 2**32, 1)),
        "words": (words(0, "a", index, 6)[:, 1:2], words(0, "a", index, 6)[:, 5:6]),
    }
    first, second = pairs[first_second]
    assert fits_binomial((below(first, 16) == below(second, 16)).sum(), 200_000, 1 / 16)


@pytest.mark.parametrize("bit", range(32))
def test_every_bit_is_one_half_of_the_time(bit, fits_binomial):
    """Binomial(400,000, 1/2); catches a lane that is masked, shifted or signed wrongly."""
    drawn = words(0, "bits", np.arange(100_000), 4)
    assert fits_binomial(((drawn >> bit) & 1).sum(), 400_000, 0.5)


@pytest.mark.parametrize("bound", [1, 2, 3, 10, 1000, 2**20 + 1])
def test_below_meets_every_number_alike(bound):
    """The least and the greatest word bound the range; each number is met by 2^32 / bound words to within one."""
    assert below(np.array([0]), bound)[0] == 0 and below(np.array([FULL]), bound)[0] == bound - 1
    first = -(-np.arange(min(bound, 1000) + 1) * 2**32 // bound)  # the first word that gives each number
    assert np.array_equal(below(first[:-1], bound), np.arange(min(bound, 1000)))
    assert np.ptp(np.diff(first)) <= 1


def test_uniforms_stay_inside_the_open_interval_and_are_the_same_in_torch():
    drawn = uniforms(0, "u", np.arange(50_000), 4)
    assert drawn.min() > 0 and drawn.max() < 1
    assert np.array_equal(uniforms(0, "u", torch.arange(50_000), 4).numpy(), drawn)
    assert ((0 + 0.5) * 2.0**-32, (FULL + 0.5) * 2.0**-32 < 1) == (2.0**-33, True)


def test_normals_are_standard_normal():
    """Kolmogorov-Smirnov with the Dvoretzky-Kiefer-Wolfowitz-Massart bound, 1e-6: exact for any n."""
    drawn = normals(0, "n", np.arange(40_000), 5)
    assert drawn.dtype == np.float32 and drawn.shape == (40_000, 5)
    distance = stats.kstest(drawn.ravel(), "norm").statistic
    assert distance < np.sqrt(np.log(2 / 1e-6) / (2 * drawn.size))


def test_normals_of_one_pair_are_uncorrelated_and_the_same_in_torch():
    """Mean of n products of independent normals: sd 1/sqrt(n), here within 6 sd (1e-6 with room); catches one angle
    used for both halves of Box-Muller."""
    drawn = normals(0, "n", np.arange(100_000), 2).astype(np.float64)
    assert abs((drawn[:, 0] * drawn[:, 1]).mean()) < 6 / np.sqrt(100_000)
    assert abs((drawn[:, 0] ** 2 * drawn[:, 1] ** 2).mean() - 1) < 6 * np.sqrt(8 / 100_000)
    there = normals(0, "n", torch.arange(1000), 3)
    assert there.dtype == torch.float32
    assert there.numpy() == pytest.approx(normals(0, "n", np.arange(1000), 3), abs=1e-5)


@pytest.mark.parametrize("size", [0, 1, 2, 257])
def test_a_permutation_holds_every_number_once(size):
    assert sorted(permutation(0, "p", size).tolist()) == list(range(size))


def test_permutations_are_all_alike_likely(fits_multinomial):
    """24 orders of four, 4,800 seeds; catches an order that depends on the index more than on the seed."""
    codes = np.array([permutation(seed, "p", 4) @ [64, 16, 4, 1] for seed in range(4800)])
    found, counts = np.unique(codes, return_counts=True)
    assert len(found) == 24
    assert fits_multinomial(counts, np.full(24, 1 / 24))


@pytest.mark.parametrize("seed", [-1, 0.5, True, "0", None])
def test_a_seed_that_is_no_whole_number_is_refused(seed):
    with pytest.raises(InputError, match=r"a seed is a whole number >= 0, but .* came; pass for example seed=0"):
        words(seed, "votes", np.arange(3), 1)
