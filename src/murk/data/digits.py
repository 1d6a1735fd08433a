"""The handwritten digits that come with scikit-learn, as uint8 images with a fixed split."""

from __future__ import annotations

import importlib

import numpy as np
from jaxtyping import Bool, Int64

from murk.data.examples import Dataset, Examples
from murk.data.order import seeded_order
from murk.errors import DataError

NUM_TEST = 500
_SPLIT_SEED = 0


def load_digits() -> Dataset:
    """The 1,797 digits of 8x8 pixels: 1,297 to train on, 500 to test with; needs no network and no folder.

    A pixel of 0..16 becomes (255 pixel + 8) // 16: the nearest of 0..255, halves up. `ids` are positions in
    scikit-learn's set.

    Raises:
        DataError: scikit-learn does not give the set that this was written for.

    Source: Alpaydin and Kaynak 1998, Optical Recognition of Handwritten Digits, UCI; the test part of that set.
    """
    bundled = importlib.import_module("sklearn.datasets").load_digits()  # slow to import, so only where it is used
    pixels, labels = np.asarray(bundled.images), np.asarray(bundled.target)
    if pixels.shape != (1797, 8, 8) or labels.shape != (1797,) or not np.isin(pixels, np.arange(17)).all():
        raise DataError(
            f"expected scikit-learn's 1,797 digits of 8x8 in 0..16, got {list(pixels.shape)}; install it again"
        )
    images = ((pixels.astype(np.int64) * 255 + 8) // 16).astype(np.uint8)[..., None]
    is_test = stratified(labels.astype(np.int64), NUM_TEST, seed=_SPLIT_SEED)
    everything = Examples(images, labels, tuple(str(digit) for digit in range(10)), np.arange(len(labels)))
    return Dataset(train=everything[~is_test], test=everything[is_test], name="digits")


def stratified(labels: Int64[np.ndarray, " N"], num_test: int, *, seed: int) -> Bool[np.ndarray, " N"]:
    """Which examples are test examples: `num_test` of them, each class in proportion, by a seeded order within it.

    Class k gives floor(num_test n_k / N) examples; what is left goes to the largest remainders, the lower class first.
    """
    counts = np.bincount(labels)
    share, remainder = np.divmod(num_test * counts, len(labels))
    share[np.argsort(-remainder, kind="stable")[: num_test - int(share.sum())]] += 1
    order = seeded_order(len(labels), seed=seed)
    is_test = np.zeros(len(labels), np.bool_)
    for k, quota in enumerate(share):
        is_test[order[labels[order] == k][:quota]] = True
    return is_test
