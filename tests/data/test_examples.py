"""Examples are checked once, all faults together, and index cheaply, from memory maps too."""

from __future__ import annotations

import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from murk.data import Dataset, Examples
from murk.errors import InputError

IMAGES = np.arange(5 * 4 * 3 * 2, dtype=np.uint8).reshape(5, 4, 3, 2)
LABELS = np.array([0, 2, 1, -1, 2])


def test_images_and_labels_are_held_with_their_classes():
    examples = Examples(IMAGES, LABELS.astype(np.int32), ("a", "b", "c"), ids=list("vwxyz"), groups=[1, 1, 2, 2, 3])
    assert (len(examples), examples.num_classes, examples.is_images, examples.example_shape) == (5, 3, True, (4, 3, 2))
    assert examples.images is IMAGES and examples.labels.dtype == np.int64
    assert examples.ids.tolist() == list("vwxyz") and examples.groups.tolist() == [1, 1, 2, 2, 3]


def test_classes_without_names_are_numbered_up_to_the_largest_label():
    assert Examples(IMAGES, LABELS).class_names == ("0", "1", "2")
    assert Examples(IMAGES, np.full(5, -1)).num_classes == 0


def test_features_are_examples_too():
    features = np.zeros((5, 7), np.float64)
    examples = Examples(features, LABELS)
    assert (examples.is_images, examples.example_shape) == (False, (7,)) and examples.images is features


def test_all_faults_are_named_together():
    with pytest.raises(InputError) as caught:
        Examples(IMAGES, [0, 1, 2, 3], ("a", "a"), ids=[1.5] * 5, groups=[1])
    for words in ("expected 5 labels", "'a' twice", "expected ids as whole numbers or text", "expected 5 groups"):
        assert words in str(caught.value)


@pytest.mark.parametrize(
    ("images", "words"),
    [
        (np.zeros((5, 4, 3), np.uint8), r"images\[..., None\]"),
        (np.zeros((5, 3, 32, 32), np.uint8), "channels come first"),
        (np.zeros((5, 4, 3, 2), np.float32), "scale to 0..255"),
        (np.zeros((5, 4), np.int64), "astype"),
        (np.zeros((5, 4), np.uint8), "astype"),
        (np.zeros((5, 0), np.float32), "nothing in it"),
        (np.zeros((0, 4, 3, 2), np.uint8), "nothing in it"),
        (np.zeros(5), "reshape"),
        (np.array(3.0), "reshape"),
        ([[1.0], [1.0, 2.0]], "ragged"),
    ],
)
def test_images_of_another_layout_are_refused_with_the_next_step(images, words):
    with pytest.raises(InputError, match=words):
        Examples(images, LABELS)


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (np.eye(5, dtype=np.int64), "multi-label and one-hot"),
        (np.linspace(0, 1, 5), "regression"),
        (list("abcde"), "position in class_names"),
        ([True, False, True, False, True], "position in class_names"),
        ([0, 1, -2, 0, 1], "got -2 in example 2"),
        ([[0], [0, 1], [1], [0], [0]], "multi-label|ragged"),
        ([0, 1], "expected 5 labels"),
        (np.array([0, 1, 2, 3, 2**63], np.uint64), "in example 4"),
        ([0, 1, 2, 3, 10**12], "expected class_names"),
    ],
)
def test_labels_that_are_no_single_class_are_refused_with_the_next_step(labels, words):
    with pytest.raises(InputError, match=words):
        Examples(IMAGES, labels)


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (("a", "b"), "below 2.*got 2 in example 1"),
        (("a", " ", "c"), "not blank"),
        ("abc", "sequence of text"),
        (np.arange(3), "text and not blank"),
    ],
)
def test_class_names_that_do_not_fit_are_refused(names, words):
    with pytest.raises(InputError, match=words):
        Examples(IMAGES, LABELS, names)


def test_repeated_ids_are_refused_and_repeated_rows_are_not():
    with pytest.raises(InputError, match="all different"):
        Examples(IMAGES, LABELS, ids=[1, 2, 3, 4, 4])
    assert Examples(IMAGES, LABELS, ids=[1, 2, 3, 4, 5])[[0, 0]].ids.tolist() == [1, 1]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e39])
def test_a_feature_that_float32_cannot_hold_is_refused_in_whichever_block_it_lies(bad):
    features = np.zeros((3, 5_000_000))
    features[2, 7] = bad
    with pytest.raises(InputError, match=r"finite in float32.*example 2"):
        Examples(features, [0, 1, 0])


def test_a_slice_is_a_view_and_indices_copy_only_their_rows():
    examples = Examples(IMAGES, LABELS, groups=np.arange(5))
    part = examples[1:4]
    assert np.shares_memory(part.images, IMAGES) and np.shares_memory(part.labels, examples.labels)
    chosen = examples[[3, 0]]
    assert chosen.groups.tolist() == [3, 0] and chosen.class_names == examples.class_names
    assert np.array_equal(chosen.images, IMAGES[[3, 0]])


@given(st.lists(st.integers(0, 4), max_size=8))
def test_indices_of_any_kind_choose_the_same_rows(rows):
    examples = Examples(IMAGES, LABELS)
    for which in (rows, np.array(rows, np.int16), torch.tensor(rows, dtype=torch.int64)):
        assert np.array_equal(examples[which].images, IMAGES[np.array(rows, int)])
        assert np.array_equal(examples[which].labels, LABELS[np.array(rows, int)])


def test_a_boolean_mask_chooses_its_rows_and_must_have_the_right_length():
    examples = Examples(IMAGES, LABELS)
    assert examples[examples.labels == 2].labels.tolist() == [2, 2]
    assert examples[torch.tensor([True, False, False, False, True])].labels.tolist() == [0, 2]
    with pytest.raises(InputError, match=r"boolean mask \[5\]"):
        examples[np.array([True, False])]


@pytest.mark.parametrize("which", [5, [5], [-1], np.array([[0]]), np.array([0.0])])
def test_an_index_that_names_no_row_is_refused(which):
    with pytest.raises(InputError, match="expected indices"):
        Examples(IMAGES, LABELS)[which]


def test_iterating_gives_each_example_by_itself():
    assert [example.labels.tolist() for example in Examples(IMAGES, LABELS)] == [[0], [2], [1], [-1], [2]]


def resident_kilobytes(path):
    """How much of a mapped file lies in memory."""
    lines = Path("/proc/self/smaps").read_text().splitlines()
    at = next(number for number, line in enumerate(lines) if line.endswith(str(path)))
    return int(next(line for line in lines[at:] if line.startswith("Rss:")).split()[1])


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc/self/smaps, which only Linux has")
def test_checking_images_reads_no_page_of_a_memory_map(tmp_path):
    path = tmp_path / "images.bin"
    path.touch()
    with open(path, "r+b") as file:
        file.truncate(1000 * 64 * 64 * 3)
    images = np.memmap(path, np.uint8, "r", shape=(1000, 64, 64, 3))
    examples = Examples(images, np.zeros(1000, np.int64))
    part = examples[500:900]
    assert resident_kilobytes(path) == 0
    assert part[[3]].images.sum() == 0
    assert 0 < resident_kilobytes(path) < 1000


def test_checking_features_holds_only_a_block_of_a_memory_map(tmp_path):
    path = tmp_path / "features.bin"
    with open(path, "wb") as file:
        file.truncate(8 * 160 * 100_000)
    features = np.memmap(path, np.float64, "r", shape=(100_000, 160))
    tracemalloc.start()
    examples = Examples(features, np.zeros(100_000, np.int64))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert examples.images is features
    assert peak < features.nbytes / 10


def test_a_data_set_has_two_parts_of_one_kind():
    train, test = Examples(IMAGES, LABELS), Examples(IMAGES[:2], [0, 2])
    dataset = Dataset(train, test, name="pair")
    assert (dataset.num_classes, dataset.class_names, dataset.example_shape) == (3, ("0", "1", "2"), (4, 3, 2))
    with pytest.raises(InputError) as caught:
        Dataset(train, Examples(np.zeros((2, 7), np.float32), [0, 1]))
    for words in ("same kind", "same example shape", "same class names"):
        assert words in str(caught.value)
