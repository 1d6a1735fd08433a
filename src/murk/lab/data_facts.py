"""What planning needs to know of a data set, without reading it where the catalog tells."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from murk.data import ENTRIES, Dataset, content_sha256, load

__all__ = ["DataFacts", "data_facts", "dataset_of", "sha256_of"]


@dataclass(frozen=True)
class DataFacts:
    """Sizes and identity of a data set.

    Attributes:
        train: examples to train on.
        test: examples to test with.
        example_shape: (H, W, C) or (D,).
        num_classes: K.
        sha256: of the content (`murk.data.content_sha256`).
    """

    train: int
    test: int
    example_shape: tuple[int, ...]
    num_classes: int
    sha256: str


@lru_cache(maxsize=64)
def data_facts(name: str) -> DataFacts:
    """Tell the facts of a set; one of the catalog is not read, and need not even be there.

    Example:
        >>> data_facts("mnist").train
        60000
    """
    for entry in ENTRIES:
        if entry.name == name:
            return DataFacts(
                entry.train.num_examples, entry.test.num_examples, entry.example_shape, entry.num_classes,
                entry.content_sha256,
            )  # fmt: skip
    dataset = dataset_of(name)
    return DataFacts(
        len(dataset.train), len(dataset.test), dataset.train.example_shape, dataset.num_classes, sha256_of(name)
    )


@lru_cache(maxsize=4)
def dataset_of(name: str) -> Dataset:
    """Load a set once a process."""
    return load(name)


@lru_cache(maxsize=16)
def sha256_of(name: str) -> str:
    """Hash the content of a set once a process."""
    return content_sha256(dataset_of(name))
