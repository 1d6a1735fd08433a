"""The memory that a process takes for itself, watched while something runs. Linux only."""

from __future__ import annotations

import threading
from pathlib import Path

__all__ = ["Watched"]


class Watched:
    """Anonymous memory (RssAnon: what is mapped from files is not in it), in MiB.

    Attributes:
        before: at the start.
        most: the largest since.
    """

    def __enter__(self) -> Watched:
        self.before = self.most = _anonymous()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(0.02):
            self.most = max(self.most, _anonymous())


def _anonymous() -> float:
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("RssAnon"))
    return int(line.split()[1]) / 1024
