"""Batches read ahead of their use."""

import threading
import time
from itertools import pairwise

import numpy as np
import pytest
import torch

from murk.data import ArraySource, read_ahead
from murk.data.ahead import BATCHES_AHEAD
from murk.errors import DataError

ROWS = np.arange(40, dtype=np.float32).reshape(20, 2)


class Watched:
    """A source that notes who asks it for what, and when."""

    example_shape, is_images = (2,), False

    def __init__(self, broken_from: int = 100) -> None:
        self.asked: list[list[int]] = []
        self.threads: set[str] = set()
        self.broken_from = broken_from

    def __len__(self) -> int:
        return len(ROWS)

    def batch(self, indices, *, device="cpu") -> torch.Tensor:
        self.asked.append(indices.tolist())
        self.threads.add(threading.current_thread().name)
        if len(self.asked) > self.broken_from:
            raise DataError("expected a disk, got none")
        return torch.from_numpy(ROWS[indices.numpy()])


@pytest.mark.parametrize("count", [0, 1, 3, 4, 19, 20])
def test_batches_come_in_order_and_all_of_them_from_a_map_too(tmp_path, count):
    np.save(tmp_path / "rows.npy", ROWS)
    mapped = ArraySource(np.load(tmp_path / "rows.npy", mmap_mode="r"))
    indices = np.random.default_rng(0).permutation(20)[:count]
    assert ArraySource(ROWS).in_memory and not mapped.in_memory
    for source in (ArraySource(ROWS), mapped, Watched()):
        pairs = list(read_ahead(source, indices, batch_size=3))
        assert [index.tolist() for index, _ in pairs] == [indices[at : at + 3].tolist() for at in range(0, count, 3)]
        assert all(torch.equal(batch, torch.from_numpy(ROWS[index.numpy()])) for index, batch in pairs)


def test_the_next_batches_are_read_while_one_is_worked_on():
    source = Watched()
    read = read_ahead(source, np.arange(20), batch_size=2)
    next(read)
    until = time.monotonic() + 30
    while len(source.asked) < 1 + BATCHES_AHEAD and time.monotonic() < until:
        time.sleep(0.001)
    assert source.asked == [[0, 1], [2, 3], [4, 5]], "two are read ahead, and no more"
    read.close()
    assert source.threads == {"murk-reader_0"}
    assert not any(thread.name.startswith("murk-reader") for thread in threading.enumerate()), "the thread ends with it"


def test_what_the_source_raises_comes_when_its_batch_is_wanted():
    read = read_ahead(Watched(broken_from=1), np.arange(20), batch_size=4)
    assert next(read)[0].tolist() == [0, 1, 2, 3]
    with pytest.raises(DataError, match="got none"):
        next(read)


def test_one_thread_at_a_time_asks_the_source(tmp_path):
    spans = []

    class Slow(Watched):
        def batch(self, indices, *, device="cpu"):
            started = time.monotonic()
            found = super().batch(indices, device=device)
            time.sleep(0.002)
            spans.append((started, time.monotonic()))
            return found

    list(read_ahead(Slow(), np.arange(20), batch_size=2))
    assert all(before[1] <= after[0] for before, after in pairwise(sorted(spans)))
