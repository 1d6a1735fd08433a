"""Sizes: how large the experiments are run, from a check that they run at all to the paper's own."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from murk.errors import InputError

__all__ = ["SIZES", "Size", "size_named"]


@dataclass(frozen=True)
class Size:
    """How large to run.

    Attributes:
        name: "smoke", "small" or "full".
        digits: settings of the experiments on MNIST.
        photographs: settings of the experiments on CIFAR-10.
        foreign: name of the set that stands in for CIFAR-100.
        conv: settings of ConvNets.
        resnet: settings of ResNets.
        seeds: of each cell, on digits and on photographs.
        alphas: noise levels on digits.
        photograph_alphas: noise levels on photographs.
        clean_counts: numbers of clean labels in figures 8 and 9.
        deltas: degrees of structure in figure 5.
        note: what this size is, and what it leaves out, whatever figure is run; how many images, figures say.
    """

    name: str
    digits: Mapping[str, Any]
    photographs: Mapping[str, Any]
    foreign: str
    conv: Mapping[str, Any]
    resnet: Mapping[str, Any]
    seeds: tuple[int, int]
    alphas: tuple[int, ...]
    photograph_alphas: tuple[int, ...]
    clean_counts: tuple[int, ...]
    deltas: tuple[float, ...]
    note: str


SMOKE = Size(
    "smoke", {"data": "digits", "train_size": 300, "test_size": 200, "passes": 3000}, {"data": "digits",
    "train_size": 300, "test_size": 200, "passes": 3000}, "digits", {"width": 4}, {"width": 4}, (2, 2), (0, 10), (0, 5),
    (100, 300), (0.0, 1.0),
    "Size smoke: scikit-learn's 8x8 digits stand in for every set. It shows that the experiment runs, no more.",
)  # fmt: skip
SMALL = Size(
    "small", {"data": "mnist", "train_size": 10_000, "passes": 100_000}, {"data": "cifar10", "train_size": 10_000,
    "passes": 100_000}, "cifar100", {"width": 16}, {"width": 16}, (3, 2), (0, 2, 5, 10, 20), (0, 2, 5, 10),
    (100, 300, 1000, 3000, 10_000), (0.0, 0.25, 0.5, 0.75, 0.9, 1.0),
    "Size small, equal compute: as many images shown by either protocol, networks of half width (ResNet-18 of a "
    "quarter), alpha up to 20 (photographs: 10). Left out: the paper's 60,000 or 50,000 images, alpha up to 100, full "
    "width, and the many more images shown that training on pairs needs.",
)  # fmt: skip
FULL = Size(
    "full", {"data": "mnist", "train_size": 60_000, "passes": 6_060_000}, {"data": "cifar10", "train_size": 50_000,
    "passes": 2_000_000}, "cifar100", {}, {},
    (3, 3), (0, 10, 20, 50, 100), (0, 2, 5, 10), (1000, 2000, 5000, 10_000, 20_000, 60_000),
    (0.0, 0.2, 0.4, 0.6, 0.8, 0.9, 1.0),
    "Size full: networks of full width. On digits, as many images are shown as an epoch of the paper's pairs has at "
    "alpha = 100; on photographs two million. The paper's protocol takes the rates of size small, at alpha "
    "above 20 that of 20.",
)  # fmt: skip

SIZES = {size.name: size for size in (SMOKE, SMALL, FULL)}


def size_named(name: str) -> Size:
    """Find a size by its name.

    Raises:
        InputError: an unknown name; the nearest is named.

    Example:
        >>> size_named("small").alphas
        (0, 2, 5, 10, 20)
    """
    if name not in SIZES:
        near = difflib.get_close_matches(str(name), SIZES, n=1, cutoff=0.0)[0]
        raise InputError(f"a size is one of {', '.join(SIZES)}, but {name!r} came; did you mean {near!r}?")
    return SIZES[name]
