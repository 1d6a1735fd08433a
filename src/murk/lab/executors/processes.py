"""Worker processes on this machine, each with a pipe of its own, so that it is known which job a dead one had."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from typing import Any

from murk.errors import InputError
from murk.lab.executors.executor import ATTEMPTS, Ended, Job, compute, given_up, packed

__all__ = ["Processes", "processes_here"]

SPAWN = multiprocessing.get_context("spawn")
READY = None
SECONDS_TO_LEAVE = 5.0


def processes_here() -> int:
    """Count the processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class Processes:
    """Computes in worker processes, each with one torch thread.

    Workers start with their first job and take one after another. They leave Ctrl-C to this process, end with it
    however it ends, and cannot start processes of their own by `multiprocessing`.

    Args:
        count: how many workers, >= 1.

    Raises:
        InputError: a count below 1; while running, workers that cannot start.

    Example:
        >>> from math import sqrt
        >>> jobs = [Job("a", 9.0), Job("b", -1.0)]
        >>> sorted(ended.key for ended in Processes(1).run(sqrt, jobs, on_start=print))
        a
        b
        ['a', 'b']
    """

    def __init__(self, count: int) -> None:
        """Check the count; nothing starts yet."""
        if count < 1:
            raise InputError(f"a number of worker processes is a whole number >= 1, but {count} came")
        self.slots = count

    def run(
        self, work: Callable[[Any], Any], jobs: Iterable[Job], *, on_start: Callable[[str], None]
    ) -> Iterator[Ended]:
        """Compute the jobs, `slots` at a time; see `Executor.run`."""
        waiting = iter(jobs)
        crew = [_Worker(work) for _ in range(self.slots)]
        try:
            while True:
                for worker in crew:
                    if worker.job is None and (job := next(waiting, None)):
                        on_start(job.key)
                        worker.take(job)
                busy = [worker for worker in crew if worker.job]
                if not busy:
                    return
                speaking = wait([worker.pipe for worker in busy])
                for worker in busy:
                    if worker.pipe in speaking and (ended := worker.hear()):
                        yield ended
        finally:
            for worker in crew:
                worker.dismiss()
            for worker in crew:
                worker.wait_until_gone()


class _Worker:
    """A process that computes one job after another; if it dies, another takes its place and its job."""

    pipe: Connection

    def __init__(self, work: Callable[[Any], Any]) -> None:
        self._work = work
        self._process: multiprocessing.process.BaseProcess | None = None
        self.job: Job | None = None

    def take(self, job: Job) -> None:
        """Be handed a job; the process starts with the first, or anew if it died with none to blame."""
        self.job, self._deaths = job, 0
        if not (self._process and self._process.is_alive()):
            self._start()
            return
        try:
            self.pipe.send(job)
        except OSError:
            pass  # it has just died, which `hear` will learn

    def hear(self) -> Ended | None:
        """Read what the process says: its job's end, or nothing yet, as when it has only started."""
        try:
            said: Ended | None = self.pipe.recv()
        except (EOFError, OSError):
            return self._mourn()
        if said is READY:
            self._ready = True
        else:
            self.job = None
        return said

    def dismiss(self) -> None:
        """Make the process leave: at once if it computes, else by hearing that nothing more will come."""
        if self._process:
            if self.job:
                self._process.kill()
            self.pipe.close()

    def wait_until_gone(self) -> None:
        """Wait for the process to leave, or make it."""
        if self._process:
            self._process.join(SECONDS_TO_LEAVE)
            self._process.kill()
            self._process.join()

    def _start(self) -> None:
        ours, theirs = SPAWN.Pipe()
        process = SPAWN.Process(target=_serve, args=(theirs, self._work, self.job), daemon=True)
        with theirs, _interrupts_held_back():
            process.start()
        self.pipe, self._process, self._ready = ours, process, False

    def _mourn(self) -> Ended | None:
        """Start anew for the same job, or give the job up."""
        assert self._process and self.job
        self.wait_until_gone()
        code = self._process.exitcode or 0
        if code > 0 and not self._ready:
            raise InputError(
                f"a worker process ended with exit code {code} before it could take a job; what it wrote to stderr "
                "says why. A script that starts workers does so under `if __name__ == '__main__':`, and what they "
                "compute is a function of a module that they can import"
            )
        self._deaths += 1
        if self._deaths < ATTEMPTS:
            self._start()
            return None
        job, self.job = self.job, None
        return given_up(job.key, f"by signal {-code}" if code < 0 else f"with exit code {code}")


@contextmanager
def _interrupts_held_back() -> Iterator[None]:
    """Hold SIGINT back, as a process started meanwhile then does for good: Ctrl-C reaches the driver alone."""
    resource_tracker.ensure_running()  # its start, which the first worker's would bring about, lets SIGINT through
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _serve(pipe: Connection, work: Callable[[Any], Any], job: Job) -> None:
    """Compute a job, and what comes through the pipe after it, until nothing more will."""
    threading.Thread(target=_end_with_driver, daemon=True).start()
    import torch

    torch.set_num_threads(1)
    try:
        pipe.send(READY)
        while True:
            pipe.send_bytes(packed(compute(work, job)))
            job = pipe.recv()
    except (EOFError, OSError):  # the driver has no more, or is gone
        return


def _end_with_driver() -> None:
    """Leave when the driver is gone, whatever is being computed."""
    driver = multiprocessing.parent_process()
    assert driver
    driver.join()
    os._exit(1)
