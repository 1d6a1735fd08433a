"""One SQLite file with murk's layout: opened, brought up to date, written in whole transactions."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from murk.errors import DataError, InputError
from murk.lab.migrations import MIGRATIONS, layout_of, migrate

__all__ = ["Database"]

PATIENCE = 60.0  # seconds that one process waits for another's transaction
BIRTH = 5.0  # seconds that a reader waits for whoever has just begun the file
REASONS = {
    sqlite3.SQLITE_FULL: "the disk is full. What is done is kept; free space, then go on",
    sqlite3.SQLITE_NOTADB: "it is no SQLite database; check the path",
    sqlite3.SQLITE_CORRUPT: "it is damaged; restore it from a copy, or rescue it with `sqlite3 FILE .recover`",
    sqlite3.SQLITE_IOERR: "the disk fails to read or write it; see whether the disk is full or damaged",
    sqlite3.SQLITE_BUSY: f"another process has been writing for {PATIENCE:.0f} seconds; try again when it is done",
    sqlite3.SQLITE_READONLY: "it may not be written; change its permissions, or those of its folder",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened; check that the path is a file, and its permissions and its folder's",
}
NO_SHARED_MEMORY = (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY)


OUTSIDE = ("BEGIN IMMEDIATE", "COMMIT", ("ROLLBACK",))
INSIDE = ("SAVEPOINT part", "RELEASE part", ("ROLLBACK TO part", "RELEASE part"))


class Database:
    """An open file; every failure of SQLite is told as a `DataError`.

    Args:
        path: the file; it and its folders are made unless `read_only`. An older layout is brought up to date.
        read_only: change nothing that is stored, not even the layout. What SQLite puts beside the file while it is open
            goes with the last who closes it.

    Attributes:
        connection: to the file, in autocommit mode.

    Raises:
        DataError: no such file, or an empty one (`read_only`); no store of murk's, one of a newer murk, or damaged.

    Example:
        >>> import tempfile
        >>> database = Database(Path(tempfile.mkdtemp()) / "murk.db", read_only=False)
        >>> with database.writing() as connection:
        ...     _ = connection.execute("INSERT INTO studies VALUES ('dilution', '2026-01-01')")
        >>> database.ask("SELECT name FROM studies")
        [('dilution',)]
        >>> database.close()
    """

    connection: sqlite3.Connection

    def __init__(self, path: Path, *, read_only: bool) -> None:
        """Open the file, and make it or bring it up to date if need be."""
        self.path, self.read_only = path, read_only
        with self.errors_told():
            self.connection = self._open_to_read() if read_only else self._open_to_write()
            try:
                self._settle_layout()
            except BaseException:
                self.close()
                raise

    def close(self) -> None:
        """Close the file; a second time does nothing."""
        self.connection.close()

    def ask(self, question: str, values: Sequence[Any] | Mapping[str, Any] = ()) -> list[Any]:
        """Give every row that answers a question."""
        with self.errors_told():
            return self.connection.execute(question, values).fetchall()

    @contextmanager
    def errors_told(self) -> Iterator[None]:
        """Say in murk's words what the database has to complain of."""
        try:
            yield
        except sqlite3.Error as error:
            raise DataError(f"{self.path} cannot be used: {REASONS.get(_kind(error), error)}") from error
        except (json.JSONDecodeError, UnicodeDecodeError) as error:  # the latter perhaps of SQLite's own words
            raise DataError(f"{self.path} cannot be used: {REASONS[sqlite3.SQLITE_CORRUPT]}") from error
        except OSError as error:
            raise DataError(f"{self.path} cannot be used: {error.strerror or error}; choose another path") from error

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Have one transaction, kept whole when the `with` ends and undone when it fails; one inside another is part
        of it."""
        if self.read_only:
            raise InputError(f"{self.path} is open for reading only; open it without read_only")
        inside = self.connection.in_transaction
        begin, keep, undo = INSIDE if inside else OUTSIDE
        with self.errors_told():
            self.connection.execute(begin)
            try:
                yield self.connection
                self.connection.execute(keep)
            except BaseException:
                if self.connection.in_transaction:  # SQLite has undone it by itself where the disk is full
                    for statement in undo:
                        self.connection.execute(statement)
                raise

    @contextmanager
    def reading(self) -> Iterator[None]:
        """See one state of the file inside the `with`, whoever is writing meanwhile."""
        if self.connection.in_transaction:
            yield
            return
        with self.errors_told():
            self.connection.execute("BEGIN")
            try:
                yield
            finally:
                if self.connection.in_transaction:
                    self.connection.execute("ROLLBACK")

    def _open_to_write(self) -> sqlite3.Connection:
        """Open the file, or begin it, with its folders."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        return self._connect("mode=rwc")

    def _open_to_read(self) -> sqlite3.Connection:
        """Open the file as it is, sharing memory with a writer if there is one."""
        if not self.path.is_file():
            raise DataError(f"there is no store {self.path}; check the path, or run a study into it")
        # a connection that may not write at all could not clear away the log and the shared memory that it made
        connection = self._connect("mode=rw")
        try:
            connection.execute("PRAGMA query_only = ON")
            connection.execute("SELECT 1 FROM sqlite_master")
        except sqlite3.Error as error:
            connection.close()
            if _kind(error) not in NO_SHARED_MEMORY or self.path.with_name(self.path.name + "-wal").exists():
                raise
            # the folder may not be written; but where no log of changes lies there, nobody is writing the file either
            connection = self._connect("mode=ro&immutable=1")
        return connection

    def _connect(self, how: str) -> sqlite3.Connection:
        address = f"{self.path.absolute().as_uri()}?{how}"
        return sqlite3.connect(address, uri=True, timeout=PATIENCE, isolation_level=None)

    def _settle_layout(self) -> None:
        """Refuse what is not a store, and bring an older layout up to date."""
        layout, newest = self._layout_after_birth(), len(MIGRATIONS)
        if layout is None:
            raise DataError(f"{self.path} is a database, but no store of murk's; choose another path")
        if layout > newest:
            raise DataError(
                f"{self.path} was written by a newer murk (layout {layout}, this one knows {newest}); upgrade murk"
            )
        if not self.read_only:
            self.connection.execute("PRAGMA journal_mode = WAL")
            self.connection.execute("PRAGMA synchronous = FULL")
            self.connection.execute("PRAGMA fullfsync = ON")  # without it macOS leaves data in the disk's own cache
            self.connection.execute("PRAGMA foreign_keys = ON")
            migrate(self.connection)
        elif layout == 0:
            raise DataError(f"{self.path} was begun and holds nothing yet; run a study into it")
        elif layout < newest:
            raise DataError(f"{self.path} has layout {layout}, and reading takes {newest}; open it for writing once")

    def _layout_after_birth(self) -> int | None:
        """Tell the layout; a reader that comes while another process is still making the file waits for it."""
        layout, deadline = layout_of(self.connection), time.monotonic() + BIRTH
        log = self.path.with_name(self.path.name + "-wal")
        while self.read_only and layout is not None and layout < len(MIGRATIONS) and time.monotonic() < deadline:
            if layout > 0 and not log.exists():  # an older file at rest
                break
            time.sleep(0.02)
            layout = layout_of(self.connection)
        return layout


def _kind(error: sqlite3.Error) -> int:
    """Give SQLite's primary code of an error; SQLITE_OK for one that Python raises by itself."""
    return int(getattr(error, "sqlite_errorcode", sqlite3.SQLITE_OK)) & 0xFF
