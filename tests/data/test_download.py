"""Downloads from a server that drops, lies and truncates: one clear error each, and no half file under a final name."""

from __future__ import annotations

import errno
import hashlib
import os
from pathlib import Path

import numpy as np
import pytest

from murk.data.download import Remote, download
from murk.errors import DataError

BODY = np.random.default_rng(0).bytes(700_000)


def remote_of(*urls, body=BODY, name="set.gz"):
    return Remote(name, urls, hashlib.md5(body).hexdigest(), len(body))


def left_in(folder):
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def fails(remote, folder, *words):
    with pytest.raises(DataError) as caught:
        download(remote, folder)
    for word in words:
        assert word in str(caught.value)
    assert not (folder / remote.name).exists()


def test_a_good_file_arrives_whole_with_progress_up_to_its_full_size(server, tmp_path):
    seen = []
    path = download(remote_of(server.offer("set.gz", BODY)), tmp_path / "new" / "folder", progress=seen.append)
    assert path.read_bytes() == BODY
    assert left_in(tmp_path) == ["set.gz"]
    done = [step.done for step in seen]
    assert done == sorted(set(done)) and done[-1] == len(BODY) and len(done) > 1
    assert {(step.name, step.total) for step in seen} == {("set.gz", len(BODY))}


def test_a_file_already_there_is_not_asked_for(server, tmp_path):
    remote = remote_of(server.offer("set.gz", BODY))
    download(remote, tmp_path)
    download(remote, tmp_path)
    assert len(server.requests) == 1


def test_a_file_truncated_on_the_server_is_refused_and_leaves_nothing(server, tmp_path):
    url = server.offer("set.gz", BODY[:1000])
    fails(remote_of(url), tmp_path, url, "expected 700,000 bytes, the server offers 1,000", "load again")
    assert left_in(tmp_path) == []


def test_a_wrong_sum_is_refused_and_leaves_nothing(server, tmp_path):
    url = server.offer("set.gz", BODY[:-1] + b"?")
    fails(remote_of(url), tmp_path, url, f"expected MD5 {hashlib.md5(BODY).hexdigest()}", "load again")
    assert left_in(tmp_path) == []


@pytest.mark.parametrize("status", [403, 404, 500])
def test_an_error_status_is_told_and_leaves_nothing(server, tmp_path, status):
    url = server.offer("set.gz", b"", status=status)
    fails(remote_of(url), tmp_path, url, f"the server answered {status}", "MURK_DATA")
    assert left_in(tmp_path) == []


def test_a_missing_file_discards_what_an_earlier_drop_left(server, tmp_path):
    (tmp_path / "set.gz.part").write_bytes(BODY[:10])
    fails(remote_of(server.base + "gone"), tmp_path, "404")
    assert left_in(tmp_path) == []


def test_a_dropped_connection_keeps_the_part_and_the_next_call_asks_for_the_rest_only(server, tmp_path):
    remote = remote_of(server.offer("set.gz", BODY, drop_after=[300_000]))
    fails(remote, tmp_path, "the connection dropped after 300,000 of 700,000 bytes", "load again to resume")
    assert left_in(tmp_path) == ["set.gz.part"]
    assert (tmp_path / "set.gz.part").read_bytes() == BODY[:300_000]
    assert download(remote, tmp_path).read_bytes() == BODY
    assert left_in(tmp_path) == ["set.gz"]
    assert server.requests == [("set.gz", None), ("set.gz", "bytes=300000-")]


def test_two_drops_in_a_row_lose_nothing(server, tmp_path):
    remote = remote_of(server.offer("set.gz", BODY, drop_after=[300_000, 100_000]))
    fails(remote, tmp_path, "300,000")
    fails(remote, tmp_path, "400,000")
    assert download(remote, tmp_path).read_bytes() == BODY


def test_a_drop_before_the_first_byte_leaves_nothing(server, tmp_path):
    fails(remote_of(server.offer("set.gz", BODY, drop_after=[0])), tmp_path, "dropped after 0 of")
    assert left_in(tmp_path) == []


def test_a_server_that_ignores_ranges_makes_it_start_again(server, tmp_path):
    remote = remote_of(server.offer("set.gz", BODY, drop_after=[300_000], ranges=False))
    fails(remote, tmp_path, "dropped")
    assert download(remote, tmp_path).read_bytes() == BODY


def test_a_server_that_refuses_ranges_makes_it_start_again(server, tmp_path):
    remote = remote_of(server.offer("set.gz", BODY, drop_after=[300_000], refuse_ranges=True))
    fails(remote, tmp_path, "dropped")
    assert download(remote, tmp_path).read_bytes() == BODY
    assert [asked for _, asked in server.requests] == [None, "bytes=300000-", None]


def test_a_server_that_resumes_at_another_byte_is_refused(server, tmp_path):
    (tmp_path / "set.gz.part").write_bytes(BODY[:10])
    fails(remote_of(server.offer("set.gz", BODY, resume_offset=5)), tmp_path, "asked for bytes from 10 of 700,000")
    assert left_in(tmp_path) == []


def test_a_stale_part_is_found_out_by_its_sum_and_the_next_call_starts_again(server, tmp_path):
    (tmp_path / "set.gz.part").write_bytes(b"x" * 1000)
    remote = remote_of(server.offer("set.gz", BODY))
    fails(remote, tmp_path, "expected MD5")
    assert left_in(tmp_path) == []
    assert download(remote, tmp_path).read_bytes() == BODY


def test_a_part_that_is_too_long_is_thrown_away(server, tmp_path):
    (tmp_path / "set.gz.part").write_bytes(BODY + b"more")
    assert download(remote_of(server.offer("set.gz", BODY)), tmp_path).read_bytes() == BODY
    assert server.requests == [("set.gz", None)]


def test_a_part_that_is_complete_is_verified_without_asking_again(server, tmp_path):
    (tmp_path / "set.gz.part").write_bytes(BODY)
    assert download(remote_of(server.offer("set.gz", BODY)), tmp_path).read_bytes() == BODY
    assert server.requests == []


def test_a_body_of_unstated_length_that_ends_early_is_a_drop(server, tmp_path):
    fails(remote_of(server.offer("set.gz", BODY[:1000], declares_length=False)), tmp_path, "dropped after 1,000")
    assert left_in(tmp_path) == ["set.gz.part"]


def test_a_body_of_unstated_length_cannot_fill_the_disk(server, tmp_path):
    written = []
    with pytest.raises(DataError, match="expected MD5"):
        download(
            remote_of(server.offer("set.gz", b"z" * 5_000_000, declares_length=False)),
            tmp_path,
            progress=lambda step: written.append(step.done),
        )
    assert max(written) == len(BODY)
    assert left_in(tmp_path) == []


def test_the_next_address_serves_where_the_first_fails(server, tmp_path):
    remote = remote_of(server.base + "gone", server.offer("bad", BODY[:-1] + b"?"), server.offer("good", BODY))
    assert download(remote, tmp_path).read_bytes() == BODY
    assert server.requests == [("gone", None), ("bad", None), ("good", None)]


def test_what_one_address_dropped_the_next_resumes(server, tmp_path):
    remote = remote_of(server.offer("first", BODY, drop_after=[300_000]), server.offer("second", BODY))
    assert download(remote, tmp_path).read_bytes() == BODY
    assert server.requests == [("first", None), ("second", "bytes=300000-")]


def test_when_every_address_fails_one_error_names_each(server, tmp_path):
    first, second = server.base + "gone", server.offer("short", b"")
    fails(remote_of(first, second), tmp_path, first, second, "404", "the server offers 0")
    assert left_in(tmp_path) == []


def test_a_closed_port_is_told_and_leaves_nothing(server, tmp_path):
    import socket

    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        fails(remote_of(f"http://127.0.0.1:{held.getsockname()[1]}/set.gz"), tmp_path, "no connection")
    assert left_in(tmp_path) == []


def test_an_address_of_this_machines_files_is_refused(tmp_path):
    secret = tmp_path / "secret"
    secret.write_bytes(BODY)
    fails(remote_of(secret.as_uri()), tmp_path / "cache", "expected an http or https address")


def test_an_interruption_keeps_the_part_and_the_next_call_resumes(server, tmp_path):
    remote = remote_of(server.offer("set.gz", BODY))

    def stop(step):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        download(remote, tmp_path, progress=stop)
    have = (tmp_path / "set.gz.part").stat().st_size
    assert 0 < have < len(BODY)
    assert download(remote, tmp_path).read_bytes() == BODY
    assert server.requests[-1] == ("set.gz", f"bytes={have}-")


def read_only(*_, **__):
    raise OSError(errno.EROFS, os.strerror(errno.EROFS))


def test_a_read_only_cache_is_one_clear_error(server, tmp_path, monkeypatch):
    monkeypatch.setattr("murk.data.download.os.open", read_only)
    fails(remote_of(server.offer("set.gz", BODY)), tmp_path, "could not write", "Read-only file system", "MURK_CACHE")
    assert left_in(tmp_path) == [] and server.requests == []


def test_a_cache_below_a_read_only_folder_is_one_clear_error(server, tmp_path, monkeypatch):
    monkeypatch.setattr(Path, "mkdir", read_only)
    fails(remote_of(server.offer("set.gz", BODY)), tmp_path / "new", "could not write", "MURK_CACHE")
    assert left_in(tmp_path) == [] and server.requests == []


def test_a_cache_that_is_a_file_is_one_clear_error(server, tmp_path):
    (tmp_path / "cache").write_bytes(b"")
    fails(remote_of(server.offer("set.gz", BODY)), tmp_path / "cache", "could not write", "MURK_CACHE")


def test_a_full_disk_is_one_clear_error_and_leaves_nothing(server, tmp_path, monkeypatch):
    def full(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("murk.data.download.os.fsync", full)
    fails(remote_of(server.offer("set.gz", BODY)), tmp_path, "could not write", "No space left")
    assert left_in(tmp_path) == []
