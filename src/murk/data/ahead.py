"""Reading ahead: the next batches come from the disk while one is worked on."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from murk.data.sources import ArraySource, Device, ImageSource
from murk.data.sparse_source import SparseSource

__all__ = ["read_ahead"]

BATCHES_AHEAD = 2


def read_ahead(
    source: ImageSource, indices: Int[np.ndarray, " n"], *, batch_size: int, device: Device = "cpu"
) -> Generator[tuple[Tensor, Tensor]]:
    """Give examples batch by batch, with the next two batches being read meanwhile by a thread.

    That thread is the only one that asks the source for anything while this runs, and ends with it: close the
    generator, if it is not walked to its end. What lies in memory is read when it is wanted, without a thread.

    Args:
        source: where examples come from.
        indices: int64 [n] in [0, N), in any order.
        batch_size: examples at a time, >= 1; what is left over makes the last batch.
        device: where batches are wanted.

    Yields:
        The indices of a batch, int64 [B], and what `source.batch` gives for them, both on the device.

    Raises:
        Exception: what the source raises, when its batch is wanted.

    Example:
        >>> source = ArraySource(np.arange(6, dtype=np.float32).reshape(6, 1))
        >>> [batch.flatten().tolist() for _, batch in read_ahead(source, np.array([0, 5, 2]), batch_size=2)]
        [[0.0, 5.0], [2.0]]
    """
    here = torch.from_numpy(np.array(indices, dtype=np.int64))
    there = here.to(device)
    batches, wanted = (torch.split(each, batch_size) if len(here) else () for each in (here, there))
    if isinstance(source, SparseSource) or (isinstance(source, ArraySource) and source.in_memory):
        for index in wanted:
            yield index, source.batch(index, device=device)
        return
    coming: deque[Future[Tensor]] = deque()
    with ThreadPoolExecutor(1, "murk-reader") as reader:
        try:
            for number, index in enumerate(wanted):
                while len(coming) <= BATCHES_AHEAD and number + len(coming) < len(batches):
                    # an index on a GPU would be waited for until all that was asked of it before is done
                    coming.append(reader.submit(_read, source, batches[number + len(coming)], device))
                yield index, coming.popleft().result()
        finally:
            for unread in coming:
                unread.cancel()


@torch.no_grad()
def _read(source: ImageSource, index: Tensor, device: Device) -> Tensor:
    return source.batch(index, device=device)
