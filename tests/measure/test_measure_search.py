import tracemalloc

import numpy as np
import pytest

from murk.errors import InputError
from murk.measure import nearest_neighbours, search


def by_sorting(rows: np.ndarray, gallery: np.ndarray, *, count: int, among: bool = False) -> np.ndarray:
    rows, gallery = (each / np.linalg.norm(each, axis=1, keepdims=True) for each in (rows, gallery))
    similar = np.stack([(gallery * row).sum(1) for row in rows])  # one order of sums for equal rows
    if among:
        np.fill_diagonal(similar, -np.inf)
    return np.argsort(-similar, axis=1, kind="stable")[:, :count]


@pytest.mark.parametrize("count", [1, 7, 100, 899])
def test_neighbours_are_those_of_a_sort_of_all_similarities_whatever_the_block(
    count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    table = rng.normal(size=(900, 6)) * rng.uniform(1e-3, 1e3, size=(900, 1))
    wanted = by_sorting(table, table, count=count, among=True)
    for block, sample in ((1 << 24, 2048), (5_000, 64)):
        monkeypatch.setattr(search, "BLOCK_VALUES", block)
        monkeypatch.setattr(search, "SAMPLE", sample)
        found, cosine = nearest_neighbours(table, count=count)
        assert (found == wanted).all() and (np.diff(cosine, axis=1) <= 1e-6).all()
    assert np.allclose(cosine[:, 0], [
        table[row] @ table[at] / np.linalg.norm(table[row]) / np.linalg.norm(table[at])
        for row, at in enumerate(found[:, 0])
    ], atol=1e-6)  # fmt: skip


def test_of_equal_examples_the_earlier_comes_first_and_what_rounding_hides_is_told_apart() -> None:
    rng = np.random.default_rng(1)
    base = rng.normal(size=(40, 5))
    table = np.tile(base, (30, 1))[rng.permutation(1200)]  # thirty copies of each
    found, cosine = nearest_neighbours(table, count=40)
    for row in range(0, 1200, 97):
        copies = np.flatnonzero((table == table[row]).all(1))
        assert found[row, :29].tolist() == [at for at in copies if at != row]
        assert (cosine[row, :29] == 1).all()
    close = np.array([[1.0, 0.0]] + [[1.0, 1e-7 * k] for k in range(9, 0, -1)])  # alike in float32
    assert nearest_neighbours(close[:1], close[1:], count=9)[0][0].tolist() == list(range(8, -1, -1))


@pytest.mark.parametrize(("numbers", "spread"), [(128, 1e-4), (256, 1e-3), (64, 1e-4)])
def test_rows_that_are_all_but_alike_are_told_apart(numbers: int, spread: float) -> None:
    table = 1 + spread * np.random.default_rng(1).normal(size=(4000, numbers))
    assert nearest_neighbours(table[:100], table, count=1)[0][:, 0].tolist() == list(range(100))
    found, cosine = nearest_neighbours(table[:200], table, count=10)
    assert (found == by_sorting(table[:200], table, count=10)).all()
    assert np.allclose(cosine[:, 0], 1, atol=1e-6)


def test_candidates_are_all_that_rounding_lets_be_among_the_nearest_though_the_sample_is_unlike_the_rest() -> None:
    size, count = 6000, 100
    gallery = search.Gallery(np.random.default_rng(0).normal(size=(size, 3)))
    gallery._rounding = 1e-3
    rng = np.random.default_rng(1)
    similar = rng.uniform(-0.5, 0.3, (20, size)).astype(np.float32)
    similar[:, :70] = 0.6  # the bar, which the 61st of the sample sets
    similar[:, 3000:3300] = 0.6 - rng.uniform(0, 2.5e-3, (20, 300))  # beyond the sample, a little below it
    row, column = gallery._candidates(similar, count)
    for one in range(20):
        wanted = np.flatnonzero(similar[one] >= np.sort(similar[one])[-count] - gallery._rounding)
        assert set(wanted) <= set(column[row == one])


def test_a_gallery_in_order_of_its_classes_is_searched_as_exactly_as_a_shuffled_one() -> None:
    rng = np.random.default_rng(2)
    far, near = rng.normal(size=(5000, 4)), rng.normal(size=(50, 4)) * 0.01 + [9, 0, 0, 0]
    gallery = np.concatenate([far, near])
    found, _ = nearest_neighbours(near[:5], gallery, count=60)
    assert (found == by_sorting(near[:5], gallery, count=60)).all()


@pytest.mark.parametrize(
    ("queries", "gallery", "count", "said"),
    [
        ([[1.0, 0.0], [0.0, 0.0]], None, 1, "row 1 is not"),
        ([[1.0, 0.0], [np.nan, 1.0]], None, 1, "row 1 is not"),
        ([[1.0, 0.0], [np.inf, 1.0]], None, 1, "row 1 is not"),
        ([1.0, 2.0], None, 1, "numbers \\[N, D\\]"),
        ([["a", "b"]], None, 1, "numbers \\[N, D\\]"),
        ([[1.0, 0.0]], [[1.0, 0.0, 0.0]], 1, "embed both by one model"),
        ([[1.0, 0.0], [1.0, 1.0]], None, 2, "there are 1"),
        ([[1.0, 0.0]], [[1.0, 1.0]], 2, "there are 1"),
        ([[1.0, 0.0]], [[0.0, 0.0]], 1, "gallery are finite"),
        ([[1.0, 0.0]], [[1.0, 1.0]], 0, "count of neighbours"),
    ],
)
def test_what_cannot_be_searched_is_refused(queries: list[float], gallery: object, count: int, said: str) -> None:
    with pytest.raises(InputError, match=said):
        nearest_neighbours(queries, gallery, count=count)


def test_copies_and_embeddings_that_have_collapsed_do_not_fill_the_memory() -> None:
    rng = np.random.default_rng(4)
    table = np.concatenate([np.ones((4000, 64)), rng.normal(size=(1000, 64))]) + 1e-9 * rng.normal(size=(5000, 1))
    tracemalloc.start()
    found, _ = nearest_neighbours(table[:100], table, count=50)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 150e6  # in one piece it would be 100 x 4,000 x 64 x 8 = 205 million bytes, and as many again
    assert (found < 4000).all()


def test_lengths_at_the_ends_of_double_precision_do_not_matter() -> None:
    table = np.random.default_rng(3).normal(size=(20, 3))
    assert (nearest_neighbours(table * 1e-300, count=3)[0] == nearest_neighbours(table * 1e300, count=3)[0]).all()


def test_no_query_has_no_neighbours() -> None:
    found, cosine = nearest_neighbours(np.zeros((0, 3)), np.eye(3), count=2)
    assert found.shape == cosine.shape == (0, 2)
