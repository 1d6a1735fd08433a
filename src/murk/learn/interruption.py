"""Interruption: Ctrl-C becomes a flag that is looked at between steps."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["interruption"]


@contextmanager
def interruption() -> Iterator[threading.Event]:
    """Turn Ctrl-C into a flag, so that a step is never cut in two.

    Outside the main thread there is no Ctrl-C, and a process told to ignore it (in the background) goes on ignoring it.

    Raises:
        KeyboardInterrupt: at the end, where nobody had looked at the flag since it came.
    """
    flag = threading.Event()
    main = threading.current_thread() is threading.main_thread()
    if not main or signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        yield flag
        return
    before = signal.signal(signal.SIGINT, lambda *_: flag.set())
    try:
        yield flag
    finally:
        signal.signal(signal.SIGINT, before)
    if flag.is_set():  # it came after the last step had looked
        raise KeyboardInterrupt
