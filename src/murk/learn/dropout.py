"""Dropout as a function of a seed and a stream, whatever else draws random numbers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from murk.noise.draws import stream_key

__all__ = ["seeded_dropout"]


@contextmanager
def seeded_dropout(seed: int, stream: str, device: torch.device) -> Iterator[None]:
    """Make dropout a function of (seed, stream), and leave the caller's random state as it was."""
    devices = [device] if device.type == "cuda" else []
    low, high = stream_key(seed, stream)
    with torch.random.fork_rng(devices):
        torch.default_generator.manual_seed(high << 31 | low >> 1)  # torch.manual_seed would seed every GPU too
        if devices:
            with torch.cuda.device(device):
                torch.cuda.manual_seed(high << 31 | low >> 1)
        yield
