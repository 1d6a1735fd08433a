"""Searched classes: left out of training, for their test images to be searched by the embedding it makes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from murk.data import Dataset, Examples
from murk.errors import InputError
from murk.learn import Fit
from murk.measure import Estimate, retrieval
from murk.noise.draws import permutation

__all__ = ["FEWEST", "MEASURES", "classes_searched", "measure_search", "parted"]

FEWEST = 2  # classes that are searched, and classes that are trained on
RANDOM = "random:"
MEASURES = ("recall_at_1", "r_precision", "map_at_r")


def classes_searched(asked: str | Sequence[int], num_classes: int, *, seed: int) -> tuple[int, ...]:
    """Tell which classes are searched, in their order.

    Args:
        asked: the classes, or "random:COUNT" or "random:COUNT:SPLIT", so many drawn under the seed, split by split.
        num_classes: K.
        seed: of the run.

    Raises:
        InputError: classes that are none, or fewer than two to search or to train on.

    Example:
        >>> classes_searched((7, 3), 10, seed=0), len(classes_searched("random:4:1", 10, seed=0))
        ((3, 7), 4)
    """
    if isinstance(asked, str):
        count, split = _count_and_split(asked)
        found = tuple(permutation(seed, f"searched classes/{split}", num_classes)[:count].tolist())
    else:
        found = tuple(int(each) for each in asked)
        count = len(found)
    if len(set(found)) < len(found) or any(not 0 <= each < num_classes for each in found):
        raise InputError(f"searched classes are different ones in [0, {num_classes}), but {asked!r} came")
    if num_classes < 2 * FEWEST:
        raise InputError(
            f"two classes or more are searched and two or more trained on, but the data has {num_classes}; bring data "
            "of four classes or more"
        )
    if not FEWEST <= count <= num_classes - FEWEST:
        raise InputError(
            f"of {num_classes} classes, {FEWEST} to {num_classes - FEWEST} can be searched and the others trained on, "
            f"but {count} were asked for: among fewer there is nothing to tell apart"
        )
    return tuple(sorted(found))


def _count_and_split(text: str) -> tuple[int, int]:
    count, _, split = text.removeprefix(RANDOM).partition(":")
    if not text.startswith(RANDOM) or not count.isdecimal() or not (split or "0").isdecimal():
        raise InputError(f"searched classes are a list, random:COUNT or random:COUNT:SPLIT, but {text!r} came")
    return int(count), int(split or "0")


def parted(dataset: Dataset, searched: Sequence[int]) -> tuple[Dataset, Examples]:
    """Part a set: the classes to train on, numbered anew, and the test images of those that are searched.

    Raises:
        InputError: a searched class without at least two test images.
    """
    kept = [k for k in range(dataset.num_classes) if k not in searched]
    number = np.full(dataset.num_classes + 1, -1)  # the last is for unknown labels
    number[kept] = np.arange(len(kept))
    names = tuple(dataset.class_names[k] for k in kept)

    def seen(part: Examples) -> Examples:
        some = part[np.flatnonzero(number[part.labels] >= 0)]
        return Examples(some.images, number[some.labels], class_names=names, groups=some.groups)

    test = dataset.test
    for each in searched:
        if (test.labels == each).sum() < 2:
            raise InputError(f"class {each} has fewer than two test images, of which none can be found; search others")
    return (
        Dataset(seen(dataset.train), seen(test), name=dataset.name),
        test[np.flatnonzero(np.isin(test.labels, searched))],
    )


def measure_search(fit: Fit, unseen: Examples, *, device: str) -> dict[str, Estimate]:
    """Measure how well the fit's embedding finds images of classes that it never saw."""
    found = retrieval(fit.embed(unseen, device=device), unseen.labels)
    return {name: getattr(found, name) for name in MEASURES}
