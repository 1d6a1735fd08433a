"""VotedDataset: every item with what its votes say, in any order, batch and worker."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.data import DataLoader, IterableDataset, Subset, TensorDataset

import murk
from murk.data import Examples, as_source
from murk.errors import InputError
from murk.learn.voted_dataset import VotedDataset
from murk.noise import Evidence, evidence_of

DIGITS = murk.load("digits")
T = np.array([[0.6, 0.3, 0.1], [0.2, 0.5, 0.3], [0.1, 0.1, 0.8]])


def channel_votes(labels: Any, *, seed: int = 0) -> tuple[murk.Channel, murk.Votes]:
    noise = murk.Channel(T, votes_per_example=3)
    return noise, noise.draw(np.asarray(labels), seed=seed)


@given(st.lists(st.integers(0, 2), min_size=1, max_size=12), st.data())
@settings(max_examples=40, deadline=None)
def test_rows_are_the_evidence_up_to_a_constant_an_item_in_any_order(labels: list[int], data: st.DataObject) -> None:
    noise, votes = channel_votes(labels)
    indices = data.draw(st.lists(st.integers(-len(labels), len(labels) - 1), min_size=1, max_size=9))
    evidence = evidence_of(votes, noise).dense()[indices]
    for of in (VotedDataset(np.arange(len(labels)), votes, noise=noise),
               VotedDataset(np.arange(len(labels)), evidence_of(votes, noise))):  # fmt: skip
        items, rows = zip(*of.__getitems__(indices), strict=True)
        assert [int(item) for item in items] == [index % len(labels) for index in indices]
        np.testing.assert_allclose(torch.stack(rows), evidence - evidence.max(1, keepdims=True), atol=1e-5)
        assert all(torch.equal(of[index][1], row) for index, row in zip(indices, rows, strict=True))


def test_counts_are_those_of_the_votes_weights_summed() -> None:
    votes = murk.Votes.from_long([0, 0, 2], [1, 1, 0], num_examples=3, num_classes=2, weight=[1.0, 0.5, 2.0])
    of = VotedDataset(["a", "b", "c"], votes, carry="counts")
    assert [(item, row.tolist()) for item, row in of.__getitems__([0, 1, 2])] == [
        ("a", [0.0, 1.5]), ("b", [0.0, 0.0]), ("c", [2.0, 0.0]),
    ]  # fmt: skip


def test_a_thousand_classes_give_the_rows_that_few_would() -> None:
    noise = murk.Dilution(3, num_classes=1000)
    votes = noise.draw(np.array([5, 999]), seed=1)
    of = VotedDataset([0, 1], votes, noise=noise)
    evidence = evidence_of(votes, noise).dense()
    np.testing.assert_allclose(torch.stack([of[0][1], of[1][1]]), evidence - evidence.max(1, keepdims=True), atol=1e-5)


def test_votes_are_drawn_for_the_items_asked_for_alone() -> None:
    noise, votes = channel_votes(np.zeros(1000, int))
    asked: list[int] = []
    draw = votes._draw  # type: ignore[attr-defined]
    votes._draw = lambda indices: asked.extend(indices) or draw(indices)  # type: ignore[attr-defined]
    of = VotedDataset(range(1000), votes, noise=noise)
    assert len(of) == 1000 and not asked
    of.__getitems__([7, 400])
    assert asked == [7, 400]


def test_a_dataset_that_fetches_batches_at_once_is_asked_once() -> None:
    class Fetching(TensorDataset):
        asked: list[list[int]] = []  # noqa: RUF012

        def __getitems__(self, indices: list[int]) -> list[Any]:
            self.asked.append(indices)
            return [self[index] for index in indices]

    noise, votes = channel_votes([0, 1, 2, 0])
    of = VotedDataset(Fetching(torch.arange(4)), votes, noise=noise)
    loader = DataLoader(Subset(of, [3, 1]), batch_size=2)
    (items,), _ = next(iter(loader))
    assert items.tolist() == [3, 1]
    assert Fetching.asked == [[3, 1]]


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")  # of Python 3.12 on, where torch has threads
def test_workers_see_the_same_votes_forked_or_spawned() -> None:
    few = DIGITS.train[:60]
    noise = murk.Dilution(9, num_classes=10)
    of = VotedDataset(few, noise.draw(few.labels, seed=3), noise=noise)
    images, rows = (torch.cat(parts) for parts in zip(*DataLoader(of, batch_size=7), strict=True))
    assert np.array_equal(images, few.images)
    for start, workers in (("fork", 2), ("spawn", 1)):
        loader = DataLoader(of, batch_size=16, num_workers=workers, multiprocessing_context=start)
        assert torch.equal(torch.cat([batch for _, batch in loader]), rows)


def test_a_copy_of_the_dataset_gives_the_same_rows_without_any_item_too() -> None:
    noise, votes = channel_votes([2, 0, 1])
    of = VotedDataset([0, 1, 2], votes, noise=noise)
    assert all(torch.equal(copy.deepcopy(of)[index][1], of[index][1]) for index in range(3))
    assert len(copy.deepcopy(VotedDataset([], noise.draw(np.zeros(0, int), seed=0), noise=noise))) == 0


@pytest.mark.parametrize("kind", ["examples", "array", "tensor", "source", "read-only"])
def test_images_come_as_they_are_whatever_holds_them(kind: str) -> None:
    few = DIGITS.train[:5]
    locked = few.images.copy()
    locked.flags.writeable = False
    holders: dict[str, Any] = {
        "examples": Examples(few.images, few.labels, few.class_names), "array": few.images.copy(),
        "tensor": torch.tensor(few.images), "source": as_source(few.images.copy()), "read-only": locked,
    }  # fmt: skip
    noise = murk.Dilution(1, num_classes=10)
    of = VotedDataset(holders[kind], noise.draw(few.labels, seed=0), noise=noise)
    images, _ = next(iter(DataLoader(of, batch_size=5)))
    assert images.dtype == torch.uint8
    assert np.array_equal(images, few.images)


class Stream(IterableDataset[int]):
    def __iter__(self) -> Iterator[int]:
        return iter(range(3))


def test_what_does_not_fit_together_is_refused_with_every_fault() -> None:
    noise, votes = channel_votes([0, 1, 2])
    evidence: Evidence = evidence_of(votes, noise)
    with pytest.raises(InputError, match=r"Votes\.from_labels"):
        VotedDataset([0, 1, 2], [0, 1, 2], noise=noise)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"of 2 items, but 3 came.*carry is evidence or counts.*has 4 classes"):
        VotedDataset([0, 1], votes, noise=murk.Dilution(2, num_classes=4), carry="both")
    with pytest.raises(InputError, match=r"stream into a list.*noise=None came"):
        VotedDataset(Stream(), votes)
    together: list[tuple[Any, Any, str, str]] = [
        (evidence, noise, "evidence", "weighed already"), (evidence, None, "counts", "no vote can be counted"),
        (votes, noise, "counts", "not weighed"), (votes, "channel", "evidence", "such as Dilution"),
    ]  # fmt: skip
    for given_votes, given_noise, carry, told in together:
        with pytest.raises(InputError, match=told):
            VotedDataset([0, 1, 2], given_votes, noise=given_noise, carry=carry)


def test_impossible_votes_are_refused_by_their_example_when_asked_for_and_not_before() -> None:
    clean = murk.Channel(np.eye(2))
    votes = murk.Votes.from_long([0, 2, 2], [1, 0, 1], num_examples=3, num_classes=2)
    of = VotedDataset("abc", votes, noise=clean)
    assert of[0][1].tolist() == [-math.inf, 0.0]
    with pytest.raises(InputError, match="example 2"):
        of[2]
    for outside in (3, -4):
        with pytest.raises(IndexError):
            of[outside]
