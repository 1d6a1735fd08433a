"""The store's file: what is no store is refused, layouts move whole, and a full disk spoils nothing."""

from __future__ import annotations

import os
import sqlite3
import tempfile
import threading
from contextlib import closing
from pathlib import Path

import pytest

from murk.errors import DataError, InputError
from murk.lab.database import Database
from murk.lab.migrations import APPLICATION_ID, MIGRATIONS, layout_of, migrate
from murk.lab.store import Store

A, B = "a" * 32, "b" * 32
NOBODY = 65534


def plain(path, script="") -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.executescript(script)
    return connection


def tables(connection) -> list[str]:
    return sorted(name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'"))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "murk.db"


@pytest.fixture
def whole(path):
    """A store with one done run and one that waits."""
    with Store(path) as store:
        store.add_study("grid", [(A, {"alpha": 1}), (B, {"alpha": 2})])
        store.start(A)
        store.finish(A, {"text": "x" * 20_000}, [(step, "loss", 0.5) for step in range(100)])
    return path


def test_what_is_done_is_flushed_to_the_disk_and_readers_need_not_wait(path):
    with Store(path) as store:
        told = [store.connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")]
        assert told == ["wal", 2] and store.connection.execute("PRAGMA busy_timeout").fetchone()[0] > 0


def test_a_reader_waits_for_whoever_is_still_making_the_file(path):
    plain(path, "PRAGMA journal_mode = WAL").close()
    birth = threading.Timer(0.2, lambda: Store(path).close())
    birth.start()
    with Store(path, read_only=True) as store:
        assert store.studies() == []
    birth.join()


def test_a_file_begun_and_left_is_told_as_such(path, monkeypatch):
    path.touch()
    monkeypatch.setattr("murk.lab.database.BIRTH", 0.1)
    with pytest.raises(DataError, match="holds nothing yet; run a study into it"):
        Store(path, read_only=True)


def test_a_closed_store_is_one_file(whole):
    assert [entry.name for entry in whole.parent.iterdir()] == [whole.name]


def test_a_reader_leaves_one_file_too(whole):
    with Store(whole, read_only=True) as store:
        assert store.run(A).state == "done" and not store.is_driven()
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            store.connection.execute("DELETE FROM metrics")
    assert [entry.name for entry in whole.parent.iterdir()] == [whole.name]


def no_database(path):
    path.write_text("settings: none\n" * 100)


def someone_elses(path):
    plain(path, "CREATE TABLE recipes (name TEXT)").close()


def someone_elses_empty(path):
    plain(path, "PRAGMA application_id = 7; CREATE TABLE t (x); DROP TABLE t").close()


def of_a_newer_murk(path):
    Store(path).close()
    plain(path, f"PRAGMA user_version = {len(MIGRATIONS) + 1}").close()


def damaged(path):
    Store(path).close()
    path.write_bytes(path.read_bytes()[:100] + b"\xff" * (path.stat().st_size - 100))


def folder(path):
    path.mkdir()


def under_a_file(path):
    path.parent.rmdir()
    path.parent.write_text("no folder")


REFUSED = {
    no_database: "no SQLite database", someone_elses: "no store of murk's", someone_elses_empty: "no store of murk's",
    of_a_newer_murk: "newer murk.*upgrade", damaged: "damaged", folder: "cannot be opened|no store",
    under_a_file: "choose another path|no store",
}  # fmt: skip


@pytest.mark.parametrize("make", REFUSED, ids=lambda make: make.__name__)
@pytest.mark.parametrize("read_only", [False, True])
def test_what_is_no_store_of_this_murk_is_refused_and_left_alone(path, make, read_only):
    make(path)
    before = path.read_bytes() if path.is_file() else b""
    with pytest.raises(DataError, match=REFUSED[make]):
        Store(path, read_only=read_only)
    assert (path.read_bytes() if path.is_file() else b"") == before


def test_damage_deep_in_the_file_is_told_when_it_is_met(whole):
    content = bytearray(whole.read_bytes())
    with closing(plain(whole)) as connection:
        page = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'runs'").fetchone()[0]
    content[(page - 1) * 4096 : page * 4096] = b"\xee" * 4096
    whole.write_bytes(content)
    with Store(whole, read_only=True) as store, pytest.raises(DataError, match="damaged"):
        store.runs()


def test_an_outcome_that_was_garbled_is_told_as_damage(whole):
    with Store(whole) as store:
        store.connection.execute("UPDATE runs SET outcome = '{' WHERE state = 'done'")
        with pytest.raises(DataError, match="damaged"):
            store.runs()


def test_reading_makes_nothing_and_changes_nothing(path):
    with pytest.raises(DataError, match="no store"):
        Store(path, read_only=True)
    assert list(path.parent.iterdir()) == []
    Store(path).close()
    with Store(path, read_only=True) as store:
        for write in (lambda: store.add_study("grid", []), store.driving().__enter__, store.retry_failed):
            with pytest.raises(InputError, match="open for reading only"):
                write()


def test_a_store_at_rest_is_read_where_nothing_may_be_written():
    with tempfile.TemporaryDirectory() as name:
        shut, rights = Path(name), os.geteuid()
        with Store(shut / "murk.db") as store:
            store.add_study("grid", [(A, {"alpha": 1})])
        shut.chmod(0o555)
        try:
            if rights == 0:
                os.seteuid(NOBODY)  # root may write everywhere
            with Store(shut / "murk.db", read_only=True) as store:
                assert store.counts("grid")["waiting"] == 1
            for refused in (lambda: Store(shut / "murk.db"), lambda: Store(shut / "new" / "murk.db")):
                with pytest.raises(DataError, match=r"permissions|another path"):
                    refused()
        finally:
            os.seteuid(rights)
            shut.chmod(0o755)


# Layouts


def test_a_file_of_the_first_layout_is_brought_up_to_date_with_all_it_holds(path):
    made = f"""
        {MIGRATIONS[0]};
        PRAGMA user_version = 1; PRAGMA application_id = {APPLICATION_ID};
        INSERT INTO runs VALUES ('{A}', '{{"alpha": 1}}', 'done', '{{"accuracy": 0.5}}', NULL, 2, 's', 'f', 1.5);
        INSERT INTO runs (id, settings) VALUES ('{B}', '{{"alpha": 2}}');
        INSERT INTO studies VALUES ('old', '2025-01-01');
        INSERT INTO members VALUES ('old', 0, '{B}'), ('old', 1, '{A}');
    """
    plain(path, made).close()
    with pytest.raises(DataError, match="open it for writing once"):
        Store(path, read_only=True)
    with Store(path) as store:
        assert [(run.id, run.outcome, run.seconds) for run in store.runs("old")] == [
            (B, None, None), (A, {"accuracy": 0.5}, 1.5),
        ]  # fmt: skip
        store.start(B)
        store.finish(B, {}, [(1, "loss", 0.5)])
        assert store.metrics(B) == [(1, "loss", 0.5)] and store.metrics(A) == []
        assert layout_of(store.connection) == len(MIGRATIONS)


def test_a_step_that_fails_leaves_the_layout_before_it(path):
    with closing(plain(path)) as connection:
        with pytest.raises(sqlite3.OperationalError):
            migrate(connection, (MIGRATIONS[0], "CREATE TABLE half (x); nonsense"))
        assert layout_of(connection) == 1 and tables(connection) == ["members", "runs", "studies"]
        migrate(connection)
        migrate(connection)
        assert layout_of(connection) == 2 and "half" not in tables(connection)


def test_an_empty_file_becomes_a_store(path):
    path.touch()
    with Store(path) as store:
        assert store.studies() == [] and store.counts()["waiting"] == 0


# A full disk: SQLite meets a limit on pages exactly as it meets the end of the disk


def pages(connection) -> int:
    return int(connection.execute("PRAGMA page_count").fetchone()[0])


def test_wherever_a_full_disk_strikes_a_finish_nothing_of_it_is_kept_and_later_it_works(whole):
    outcome, curve, told = {"text": "y" * 20_000}, [(step, "a" * 200, 0.5) for step in range(200)], []
    with Store(whole) as store:
        store.start(B)
        before, first = store.runs(), pages(store.connection)
        for room in range(100):
            store.connection.execute(f"PRAGMA max_page_count = {first + room}")
            try:
                store.finish(B, outcome, curve)
                break
            except DataError as error:
                told.append(str(error))
            assert store.runs() == before and store.metrics(B) == []
        assert len(told) > 10, "an outcome of 5 pages and metrics of 10 and more found room where there was none"
        assert all("disk is full. What is done is kept" in text for text in told)
        assert store.runs()[1].outcome == outcome and store.metrics(B) == curve
        assert store.connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_study_that_finds_no_room_is_as_it_was(whole):
    many = [(f"{n:032x}", {"alpha": n, "text": "z" * 100}) for n in range(1000)]
    with Store(whole) as store:
        before = store.runs(), store.studies()
        store.connection.execute(f"PRAGMA max_page_count = {pages(store.connection) + 5}")
        with pytest.raises(DataError, match="disk is full"):
            store.add_study("grid", many)
        assert (store.runs(), store.studies()) == before and store.connection.in_transaction is False
        store.connection.execute("PRAGMA max_page_count = 1000000")
        store.add_study("grid", many)
        assert store.counts("grid")["waiting"] == 1000 and store.counts()["done"] == 1


def test_an_interrupted_write_is_undone(whole):
    with closing(Database(whole, read_only=False)) as database:
        with pytest.raises(KeyboardInterrupt), database.writing() as connection:
            connection.execute("DELETE FROM members")
            raise KeyboardInterrupt
        assert database.ask("SELECT count(*) FROM members") == [(2,)]
        with database.writing() as connection:
            connection.execute("DELETE FROM members")
        assert database.ask("SELECT count(*) FROM members") == [(0,)]


def test_a_file_whose_damage_sqlite_tells_in_no_text_is_refused_like_others(tmp_path, monkeypatch):
    path = tmp_path / "runs.sqlite"
    Store(path).close()

    def told(connection):
        raise UnicodeDecodeError("utf-8", b"\xae", 0, 1, "invalid start byte")  # as `execute` does for such a message

    monkeypatch.setattr("murk.lab.database.layout_of", told)
    with pytest.raises(DataError, match="it is damaged"):
        Store(path)
