"""Several processes that train one network: each takes its part of every batch, and all end with the same weights.

Nothing of `torch.distributed` is used, nor a port opened, unless `joined_processes` is entered.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from murk.errors import InputError, TrainingError

__all__ = ["Team", "joined_processes", "launched", "team"]

LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True)
class Team:
    """The processes that train together, as one of them sees them.

    Attributes:
        rank: which one this is, from 0.
        size: how many there are; alone where there is one.
    """

    rank: int = 0
    size: int = 1

    @property
    def leads(self) -> bool:
        """Whether this is the one that writes files and speaks."""
        return self.rank == 0

    def part(self, batch: int) -> slice:
        """Give the positions within a batch of so many examples that are this process's."""
        return slice(batch * self.rank // self.size, batch * (self.rank + 1) // self.size)

    def weight(self, batch: int) -> float:
        """Give by how much this process's mean loss counts, so that the mean over processes is that of the batch."""
        own = self.part(batch)
        return len(range(batch)[own]) * self.size / batch

    def parallel(self, model: nn.Module) -> nn.Module:
        """Give the module whose backward pass averages gradients over all processes; alone, the model itself."""
        trained = any(weight.requires_grad for weight in model.parameters())
        return DistributedDataParallel(model) if self.size > 1 and trained else model

    def mean(self, values: Tensor) -> Tensor:
        """Take the mean over processes of values that each has."""
        if self.size == 1:
            return values
        total = values.detach().clone()
        distributed.all_reduce(total)
        return total / self.size

    def any(self, mine: bool) -> bool:
        """Tell whether any process says so."""
        return bool(self.mean(torch.tensor(float(mine))) > 0)

    def joined(self, mine: np.ndarray) -> np.ndarray:
        """Put the rows that each process has one after the other, in order of rank; all get all of them."""
        if self.size == 1:
            return mine
        counts = [torch.zeros(1, dtype=torch.int64) for _ in range(self.size)]
        distributed.all_gather(counts, torch.tensor([len(mine)]))
        most = max(int(count) for count in counts)
        padded = torch.zeros((most, *mine.shape[1:]), dtype=torch.from_numpy(mine).dtype)
        padded[: len(mine)] = torch.from_numpy(mine)
        parts = [torch.empty_like(padded) for _ in range(self.size)]
        distributed.all_gather(parts, padded)
        return np.concatenate([part[: int(count)].numpy() for part, count in zip(parts, counts, strict=True)])

    def refuse_difference(self, mark: str) -> None:
        """Refuse to go on where processes hold different trainings, by a text of one length that tells them apart.

        Raises:
            InputError: in every process, if any differs.
        """
        marks = self.joined(np.array([list(mark.encode())], np.uint8))
        different = np.flatnonzero((marks != marks[0]).any(1))
        if len(different):
            raise InputError(
                f"processes that train together are given the same, but process {different[0]} has other data, votes, "
                "settings or checkpoint than process 0; start all of them by one command, on folders that all see"
            )

    @contextmanager
    def lost_told(self, kept: Callable[[], str]) -> Iterator[None]:
        """Turn what a lost process does to the others into an error that says so, and what is kept.

        Raises:
            TrainingError: another process has ended or cannot be reached.
        """
        if self.size == 1:
            yield
            return
        try:
            with _ended_by_exception():
                yield
        except RuntimeError as error:  # torch tells by its text alone that a connection broke
            told = str(error)
            if not isinstance(error, distributed.DistError | _EndError) and "gloo" not in told and "NCCL" not in told:
                raise
            raise TrainingError(
                f"the {self.size} processes that train together cannot go on: another has ended or cannot be reached, "
                f"or all were told to end ({told.splitlines()[0]:.120}); {kept()}; run the same again to go on"
            ) from error


def launched() -> bool:
    """Tell whether `torchrun` started this process as one of several."""
    return "TORCHELASTIC_RUN_ID" in os.environ and _told("WORLD_SIZE", 1) > 1


def team() -> Team:
    """Give the processes that this one has joined; alone where it has joined none."""
    if distributed.is_available() and distributed.is_initialized():
        return Team(distributed.get_rank(), distributed.get_world_size())
    return Team()


@contextmanager
def joined_processes() -> Iterator[Team]:
    """Join the processes that `torchrun` started with this one; where it started none, stay alone.

    Within, `fit` shares its work: every process calls it with the same arguments and gets the same `Fit`. GPUs talk by
    NCCL, one a process, processors by Gloo, and on this machine's loopback alone, unless MASTER_ADDR or
    GLOO_SOCKET_IFNAME say otherwise.

    Raises:
        InputError: the others cannot be reached.

    Example:
        >>> with joined_processes() as us:
        ...     us.size
        1
    """
    if not launched() or distributed.is_initialized():
        yield team()
        return
    if os.environ.get("MASTER_ADDR") in LOOPBACK and sys.platform == "linux":
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    gpus = torch.cuda.is_available()
    if gpus:
        torch.cuda.set_device(_told("LOCAL_RANK", 0) % torch.cuda.device_count())
    try:
        distributed.init_process_group("cpu:gloo,cuda:nccl" if gpus else "gloo")
    except (RuntimeError, ValueError) as error:
        raise InputError(f"the processes that were to train together do not find one another ({error})") from error
    try:
        yield team()
    finally:
        gc.collect()  # what refers to the group would keep its threads until Python has gone from under them
        distributed.destroy_process_group()


class _EndError(RuntimeError):
    """SIGTERM came: from torchrun, when another process has ended, or from whoever ends the job."""


@contextmanager
def _ended_by_exception() -> Iterator[None]:
    """Let SIGTERM raise, so that there is time to say what is kept."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(*_: object) -> None:
        raise _EndError("SIGTERM")

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    except RuntimeError:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # on the way out: torchrun's would cut off what is to be said
        raise
    except BaseException:
        signal.signal(signal.SIGTERM, before)
        raise
    signal.signal(signal.SIGTERM, before)


def _told(name: str, otherwise: int) -> int:
    return int(os.environ.get(name, otherwise))
