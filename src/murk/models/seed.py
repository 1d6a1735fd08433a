"""Random initialisation as a pure function of a seed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

__all__ = ["seeded"]


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Draw initial weights from `seed` on the CPU, and leave every random state as it was.

    Inside, torch's default CPU generator starts from `seed` and new tensors are made on the CPU, so the weights are
    the same bits whatever device the model moves to later. On leaving, the generator gets back the state it had.
    Generators of other devices are neither read nor written (`torch.manual_seed` would seed them too, and could not
    give their states back).

    Args:
        seed: whole number in [0, 2**63).
    """
    with torch.random.fork_rng(devices=[]), torch.device("cpu"):
        torch.default_generator.manual_seed(seed)
        yield
