"""The right to drive a store: one process has it at a time, and it ends with the process, however that ends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from murk.errors import DataError, InputError

__all__ = ["RightToDrive"]

GLANCE = 0.5  # seconds in which one who is refused tries again


class RightToDrive:
    """A lock on the file `PATH.lock` beside a store, which stays behind, unlocked and empty.

    Args:
        store: path of the store's file.

    Example:
        >>> import tempfile
        >>> right = RightToDrive(Path(tempfile.mkdtemp()) / "murk.db")
        >>> with right.held():
        ...     RightToDrive(right.store).is_taken()
        True
    """

    def __init__(self, store: Path) -> None:
        """Name the lock; nothing is taken yet."""
        self.store = store

    @contextmanager
    def held(self) -> Iterator[None]:
        """Have the right inside the `with`.

        Raises:
            InputError: another process, or another open store of this one, has it.
            DataError: the folder cannot be written.
        """
        lock = FileLock(self._place())
        try:
            lock.acquire(timeout=GLANCE, poll_interval=GLANCE / 10)  # who only asks (`is_taken`) has it for a moment
        except Timeout:
            raise InputError(f"another process is running the studies of {self.store}; wait until it ends") from None
        except OSError as error:
            raise DataError(f"cannot lock {self.store} ({error.strerror or error}); check its folder") from error
        try:
            yield
        finally:
            lock.release()

    def is_taken(self) -> bool:
        """Tell whether somebody has the right now; True also where this may not be found out."""
        place = self._place()
        if not place.exists():
            return False
        try:
            with FileLock(place).acquire(blocking=False):
                return False
        except (Timeout, OSError):  # the lock may belong to another user
            return True

    def _place(self) -> Path:
        place = self.store.resolve()  # a file with two names has one lock
        return place.with_name(place.name + ".lock")
