"""A Ray cluster: many machines, or this one; Ray is imported when a cluster is named, never before."""

from __future__ import annotations

import logging
import os
import pickle
import socket
import sys
from collections.abc import Callable, Iterable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from murk.errors import InputError, refuse
from murk.lab.executors.executor import ATTEMPTS, Ended, Job, compute, given_up, packed

__all__ = ["RayCluster"]

# With "0" Ray takes 127.0.0.1 for this machine's address, and its servers listen there alone. It reads this once, when
# imported; an address given to `ray.init` it would turn into one that other machines reach, listening on all.
LOOPBACK = "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"
SECONDS_TO_ANSWER = 10.0


class RayCluster:
    """Computes on a Ray cluster, a job a CPU, each with one torch thread.

    The cluster is joined, or started, when first needed. One that was started ends with the run; one that was there
    before stays. All its machines need the same Python, Ray and murk as this one.

    Args:
        address: "auto" for the cluster this process is connected to, that RAY_ADDRESS names or that `ray start` left
            on this machine, or else a new one, reachable from this machine only; or "HOST:PORT" of a cluster that
            this machine belongs to.
        slots: how many jobs at a time, >= 1; None for the cluster's CPUs. More than these wait within Ray.

    Raises:
        InputError: Ray is missing, the settings cannot be used, no cluster answers, or its workers cannot compute.

    Example:
        >>> RayCluster("somewhere")
        Traceback (most recent call last):
        murk.errors.InputError: a Ray cluster's address is "auto" or HOST:PORT, but 'somewhere' came

    Source: P. Moritz et al., "Ray: A Distributed Framework for Emerging AI Applications", OSDI 2018.
    """

    def __init__(self, address: str = "auto", *, slots: int | None = None) -> None:
        """Check the settings and that Ray is there; nothing starts yet."""
        host, _, port = address.rpartition(":")
        usable = address == "auto" or (host and "/" not in host and port.isdecimal() and int(port) < 2**16)
        refuse([
            "" if usable else f'a Ray cluster\'s address is "auto" or HOST:PORT, but {address!r} came',
            "" if slots is None or slots >= 1 else f"a number of slots is a whole number >= 1, but {slots} came",
        ])  # fmt: skip
        self._ray = _import_ray()
        self._endpoint = None if address == "auto" else (host, int(port))
        self._slots = slots
        self._joined = False

    def refuse_silence(self) -> None:
        """Find out whether a cluster answers at HOST:PORT, without joining it; "auto" is not asked.

        Raises:
            InputError: nothing listens there.
        """
        if self._endpoint:
            _refuse_silence(*self._endpoint)

    @property
    def slots(self) -> int:
        """How many jobs are computed at a time; if not given, the cluster is joined and its CPUs are counted."""
        if self._slots is None:
            self._join()
            self._slots = int(self._ray.cluster_resources().get("CPU", 0))
            if self._slots < 1:
                raise InputError("the Ray cluster has no CPU to compute with; add a machine to it, or give slots")
        return self._slots

    def run(
        self, work: Callable[[Any], Any], jobs: Iterable[Job], *, on_start: Callable[[str], None]
    ) -> Iterator[Ended]:
        """Compute the jobs, `slots` at a time; see `Executor.run`."""
        waiting, pending = iter(jobs), dict[Any, tuple[Job, int]]()
        try:
            self._join()
            # Ray itself would try again without end where memory runs out
            task = self._ray.remote(num_cpus=1, max_retries=0)(_packed_end)
            while True:
                while len(pending) < self.slots and (job := next(waiting, None)):
                    on_start(job.key)
                    pending[task.remote(work, job)] = job, 1
                if not pending:
                    return
                done = self._ray.wait(list(pending))[0][0]
                job, attempt = pending.pop(done)
                if ended := self._end(done, job, attempt):
                    yield ended
                else:
                    pending[task.remote(work, job)] = job, attempt + 1
        finally:
            for unfinished in pending:
                self._ray.cancel(unfinished, force=True)
            self._leave()

    def _end(self, done: Any, job: Job, attempt: int) -> Ended | None:
        """Tell how a job ended, or nothing where its worker died and it can be tried again."""
        errors = self._ray.exceptions
        try:
            ended: Ended = pickle.loads(self._ray.get(done))
        except errors.RayTaskError as error:
            raise InputError(
                f"the workers of the Ray cluster cannot compute: {error.cause or error}; its machines need the same "
                "Python, Ray and murk as this one"
            ) from error
        except errors.RayError as error:
            return given_up(job.key, f"by Ray's {type(error).__name__}") if attempt == ATTEMPTS else None
        return ended

    def _join(self) -> None:
        """Connect to the cluster, or start it, if this process is not connected yet."""
        if self._ray.is_initialized():
            return
        address = None
        if self._endpoint:
            self.refuse_silence()
            address = "{}:{}".format(*self._endpoint)
        elif LOOPBACK not in os.environ:
            raise InputError(
                "Ray was imported before murk could bind a new cluster to this machine alone; call ray.init yourself "
                f"before, give the address of a cluster, or set {LOOPBACK}=0 in the environment"
            )
        elif not _is_there():
            address = "local"
        try:
            self._ray.init(address, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
        except (ConnectionError, RuntimeError, ValueError) as error:
            raise InputError(
                f"the Ray cluster {address or 'of this machine'} cannot be joined ({error}); `ray status` tells "
                "whether it is well, and one that asks for a token needs RAY_AUTH_MODE=token in the environment"
            ) from error
        self._joined = True

    def _leave(self) -> None:
        """Disconnect if this connected, which ends a cluster that it started."""
        if self._joined:
            self._ray.shutdown()
            self._joined = False


def _is_there() -> bool:
    """Tell whether this machine has a cluster that answers: for one that was killed, Ray itself would wait minutes."""
    if os.environ.get("RAY_ADDRESS"):
        return True
    folder = os.environ.get("RAY_TMPDIR") or os.environ.get("TMPDIR") or "/tmp"  # where Ray notes it
    try:
        host, _, port = (Path(folder) / "ray" / "ray_current_cluster").read_text().strip().rpartition(":")
        socket.create_connection((host, int(port)), timeout=5).close()
    except (OSError, ValueError):
        return False
    return True


def _packed_end(work: Callable[[Any], Any], job: Job) -> bytes:
    """Compute one job in a worker of the cluster."""
    import torch

    torch.set_num_threads(1)
    return packed(compute(work, job))


def _import_ray() -> Any:
    if "ray" not in sys.modules:
        os.environ.setdefault(LOOPBACK, "0")
        os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    try:
        return import_module("ray")
    except ImportError as error:
        raise InputError(f"a Ray cluster needs Ray ({error}); pip install 'murk[ray]'") from error


def _refuse_silence(host: str, port: int) -> None:
    """Refuse an address where nothing listens, which Ray would try for minutes and then end the process."""
    try:
        socket.create_connection((host, port), timeout=SECONDS_TO_ANSWER).close()
    except OSError as error:
        raise InputError(
            f"no Ray cluster answers at {host}:{port} ({error}); `ray start --head` starts one and tells its address"
        ) from error
