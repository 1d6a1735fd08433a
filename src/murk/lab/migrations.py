"""The layout of a study store, as numbered steps from an empty file to the newest one.

Layout n is what the first n scripts make. A script is applied whole or not at all, and never changes once it is
published: what comes later is a script of its own.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

__all__ = ["APPLICATION_ID", "MIGRATIONS", "layout_of", "migrate"]

APPLICATION_ID = 0x6D75726B
"""How SQLite's header tells a store of murk from other databases: "murk" in ASCII."""

STUDIES_AND_RUNS = """
    CREATE TABLE runs (
        id TEXT PRIMARY KEY CHECK (length(id) = 32),
        settings TEXT NOT NULL,
        state TEXT NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'running', 'done', 'failed')),
        outcome TEXT,
        error TEXT,
        attempts INTEGER NOT NULL DEFAULT 0,
        started TEXT,
        finished TEXT,
        seconds REAL,
        CHECK ((state = 'done') = (outcome IS NOT NULL)),
        CHECK ((state = 'failed') = (error IS NOT NULL))
    );
    CREATE TABLE studies (name TEXT PRIMARY KEY, created TEXT NOT NULL);
    CREATE TABLE members (
        study TEXT NOT NULL REFERENCES studies (name),
        place INTEGER NOT NULL,
        run TEXT NOT NULL REFERENCES runs (id),
        PRIMARY KEY (study, place),
        UNIQUE (study, run)
    ) WITHOUT ROWID
"""
METRICS = """
    CREATE TABLE metrics (
        run TEXT NOT NULL REFERENCES runs (id),
        step INTEGER NOT NULL,
        name TEXT NOT NULL,
        value REAL NOT NULL,
        PRIMARY KEY (run, step, name)
    ) WITHOUT ROWID
"""
MIGRATIONS = (STUDIES_AND_RUNS, METRICS)
"""SQL scripts, oldest first; a semicolon stands only between two statements."""


def layout_of(connection: sqlite3.Connection) -> int | None:
    """Tell the layout of a file: 0 for an empty one, None for a database that is not murk's."""
    connection.execute("BEGIN")  # one view of all three, whoever is writing
    application, version, things = (
        connection.execute(question).fetchone()[0]
        for question in ("PRAGMA application_id", "PRAGMA user_version", "SELECT count(*) FROM sqlite_master")
    )
    connection.execute("COMMIT")
    if application == APPLICATION_ID:
        return int(version)
    return None if application or version or things else 0


def migrate(connection: sqlite3.Connection, scripts: Sequence[str] = MIGRATIONS) -> None:
    """Bring a file of murk, or an empty one, to the newest layout; each step is one transaction.

    Killed or failing half-way, it leaves the last layout that was whole. Several processes may do it at once.

    Args:
        connection: in autocommit mode (`isolation_level=None`).
        scripts: the steps, oldest first.

    Example:
        >>> connection = sqlite3.connect(":memory:", isolation_level=None)
        >>> migrate(connection)
        >>> layout_of(connection)
        2
    """
    for number, script in enumerate(scripts, start=1):
        connection.execute("BEGIN IMMEDIATE")
        try:
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            if version < number:
                for statement in script.split(";"):
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {number}")
                connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute("COMMIT")
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
