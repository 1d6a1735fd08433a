"""Near-duplicates and examples unlike all others: found where they are put, seldom found where there are none."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

import murk
from murk.errors import InputError
from murk.measure import find_neighbours

FALSE_ALARM = 1e-6


def test_copies_and_strangers_put_among_digits_are_found_and_nothing_else() -> None:
    digits = murk.load("digits").train.images.reshape(1297, 64).astype(float)
    rng = np.random.default_rng(0)
    copied = rng.choice(1297, 20, replace=False)
    near = digits[copied] + rng.normal(size=(20, 64)) * 0.3  # pixels are 0 to 255
    found = find_neighbours(np.r_[digits, near, rng.uniform(0, 255, (20, 64))])
    assert not find_neighbours(digits).copies.any()
    assert sorted(np.flatnonzero(found.copies)) == sorted([*copied, *range(1297, 1317)])
    assert (found.copy_of[1297:1317] == copied).all() and (found.copy_of[copied] == copied).all()
    assert found.strange[1317:].mean() >= 0.5 and not found.strange[:1317].any()


def test_without_copies_none_is_called_in_nineteen_of_twenty_sets() -> None:
    sets = 60
    called = sum(
        find_neighbours(np.random.default_rng(seed).normal(size=(500, 4))).copies.any() for seed in range(sets)
    )
    assert binom.sf(called - 1, sets, 0.05) > FALSE_ALARM  # fails if distances are compared with the wrong power


def test_the_dimension_is_that_of_the_surface_on_which_examples_lie() -> None:
    flat = np.random.default_rng(0).normal(size=(3000, 4))
    inside = np.concatenate([flat, np.zeros((3000, 60))], axis=1) @ np.linalg.qr(
        np.random.default_rng(1).normal(size=(64, 64))
    )[0]  # fmt: skip
    assert find_neighbours(inside).dimension == pytest.approx(3, rel=0.1)  # directions of 4 numbers


def test_more_equal_examples_than_neighbours_are_one_group() -> None:
    table = np.random.default_rng(0).normal(size=(200, 6))
    table[50:80] = table[50]
    found = find_neighbours(table, count=5)
    assert (found.copy_of[50:80] == 50).all() and found.copies.sum() == 30


def test_copies_with_different_labels_are_told() -> None:
    table = np.random.default_rng(0).normal(size=(300, 8))
    table[[10, 11]] = table[[0, 1]]
    labels = np.zeros(300, int)
    labels[10] = 1
    assert np.flatnonzero(find_neighbours(table).disagreeing(labels)).tolist() == [0, 10]


def test_where_most_lie_at_one_distance_nothing_is_called_strange_for_it() -> None:
    square = np.kron(np.eye(100), np.ones((1, 2)))  # a hundred directions, each as far from all others
    found = find_neighbours(np.r_[square, [[1.0] * 200]], count=5)
    assert not found.strange.any() and found.strangeness.tolist() == [0.0] * 101
    rng = np.random.default_rng(0)
    copies = np.repeat(rng.normal(size=(10, 16)), 30, axis=0)  # most have more copies than neighbours
    found = find_neighbours(np.r_[copies, rng.normal(size=(100, 16))], count=5)
    assert found.strange[300:].mean() < 0.1 and not found.strange[:300].any()


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.floats(0.01, 100.0))
def test_neither_order_nor_scale_changes_what_is_found(seed: int, scale: float) -> None:
    rng = np.random.default_rng(seed)
    table, order = rng.normal(size=(60, 5)).astype(np.float32), rng.permutation(60)
    table[3] = table[9]
    first, again = find_neighbours(table), find_neighbours(np.float32(scale) * table[order])
    assert (again.copies == first.copies[order]).all()
    assert again.strangeness == pytest.approx(first.strangeness[order], abs=1e-3)


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (np.ones(5), "numbers [N, D]"),
        (np.ones((8, 3)), "N >= 11"),
        (np.array([["a", "b"]] * 20), "came"),
        (np.r_[np.ones((20, 3)), np.zeros((1, 3))], "row 20"),
        (np.r_[np.ones((20, 3)), np.full((2, 3), np.nan)], "(2 such)"),
    ],
)
def test_what_is_no_table_of_embeddings_is_refused(table: np.ndarray, said: str) -> None:
    with pytest.raises(InputError) as caught:
        find_neighbours(table)
    assert said in str(caught.value)
