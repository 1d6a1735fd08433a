"""Decoding by several processes: blocks go out, and come back in the order in which they are done."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack, contextmanager, suppress
from queue import SimpleQueue
from typing import IO, NamedTuple

from murk.data import decoder
from murk.data.decoder import Block, Fault, decode_block
from murk.data.told_names import told_name
from murk.errors import DataError


class _Process(NamedTuple):
    """A decoder that runs beside this process."""

    asked: IO[str]
    answers: IO[str]


_Idle = SimpleQueue[_Process]


def decode_blocks(blocks: Iterable[Block], *, processes: int) -> Generator[tuple[Block, list[Fault]], None, None]:
    """Decode blocks, each image into its place.

    The processes are plain children that end when this one does, however that ends; they import neither murk nor the
    caller's script, which therefore needs no `if __name__ == "__main__"`.

    Args:
        blocks: what to decode.
        processes: how many decode at a time; with 1 it is this process.

    Yields:
        Each block with the files of it that give no pixels, as it is done. Closed early, what is under way is
        finished and the rest left.

    Raises:
        OSError: pixels cannot be written.
        DataError: a process ended before its time.
    """
    if processes == 1:
        yield from ((block, decode_block(block)) for block in blocks)
        return
    with ExitStack() as stack:
        idle: _Idle = SimpleQueue()
        for _ in range(processes):
            idle.put(stack.enter_context(_started()))
        pool = stack.enter_context(ThreadPoolExecutor(processes))
        stack.callback(pool.shutdown, cancel_futures=True)
        asked = {pool.submit(_answer, idle, block): block for block in blocks}
        for future in as_completed(asked):
            yield asked[future], future.result()


def available_processors() -> int:
    """How many processors this process may use, at least 1."""
    allowed = getattr(os, "sched_getaffinity", None)  # not everywhere
    return len(allowed(0)) if allowed else os.cpu_count() or 1


@contextmanager
def _started() -> Iterator[_Process]:
    """A decoder process, ended by the end of its input."""
    command = [sys.executable, "-P", decoder.__file__]  # -P: the folder of the script is no place to import from
    child = subprocess.Popen(  # in a session of its own, where a terminal's Ctrl-C does not reach it
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    asked, answers = child.stdin, child.stdout
    if asked is None or answers is None:
        raise DataError("a decoding process has no input or output; decode with processes=1")
    try:
        yield _Process(asked, answers)
    finally:
        with suppress(BrokenPipeError):  # it ended before its time, which is told already
            asked.close()
        answers.close()
        child.wait()


def _answer(idle: _Idle, block: Block) -> list[Fault]:
    """What a process that has nothing else to do says of this block."""
    process = idle.get()
    try:
        process.asked.write(json.dumps(block) + "\n")
        process.asked.flush()
        line = process.answers.readline()
    except BrokenPipeError:
        line = ""
    finally:
        idle.put(process)
    if not line.endswith("\n"):
        first, last = told_name(block.names[0]), told_name(block.names[-1])
        raise DataError(
            f"a decoding process ended before its time, between {first} and {last}; if memory ran out, use fewer "
            "processes; what is decoded is kept: call again to go on"
        )
    answer = json.loads(line)
    if "faults" not in answer:
        raise OSError(answer["errno"], answer["strerror"])
    return [Fault(*fault) for fault in answer["faults"]]
