"""Archives unpack to exactly the expected files, or to nothing at all."""

from __future__ import annotations

import gzip
import io
import tarfile
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from official_layouts import tar_bytes

from murk.data.archive import extract
from murk.errors import DataError

FILES = {"a.bin": 4, "b.bin": 3, "note.txt": None}
GOOD = tar_bytes({"a.bin": b"aaaa", "b.bin": b"bbb", "note.txt": b"hi"}, "set")


def member(name, content=b"", **attributes):
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for key, value in attributes.items():
        setattr(info, key, value)
    return info, content


def tar_of(*members):
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as tar:
        for info, content in members:
            tar.addfile(info, io.BytesIO(content))
    return made.getvalue()


def everything_below(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def unpack(folder, body):
    inner = folder / "cache"
    inner.mkdir(exist_ok=True)
    archive = inner / "set.tar.gz"
    archive.write_bytes(body)
    return extract(archive, inner / "set", files=FILES)


def test_a_good_archive_gives_its_folder_and_nothing_else(tmp_path):
    folder = unpack(tmp_path, GOOD)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {
        "a.bin": b"aaaa",
        "b.bin": b"bbb",
        "note.txt": b"hi",
    }
    assert everything_below(tmp_path) == [
        "cache",
        "cache/set",
        "cache/set.tar.gz",
        *(f"cache/set/{name}" for name in sorted(FILES)),
    ]


def test_a_note_may_be_missing(tmp_path):
    folder = unpack(tmp_path, tar_bytes({"a.bin": b"aaaa", "b.bin": b"bbb"}, "set"))
    assert sorted(path.name for path in folder.iterdir()) == ["a.bin", "b.bin"]


def test_an_incomplete_folder_is_replaced(tmp_path):
    (tmp_path / "cache" / "set").mkdir(parents=True)
    (tmp_path / "cache" / "set" / "a.bin").write_bytes(b"old")
    assert (unpack(tmp_path, GOOD) / "a.bin").read_bytes() == b"aaaa"


A, B = member("set/a.bin", b"aaaa"), member("set/b.bin", b"bbb")
HOSTILE = {
    "a parent folder": ((A, B, member("../evil", b"x")), "../evil"),
    "a detour through the folder": ((A, B, member("set/../../evil", b"x")), "evil"),
    "an absolute name": ((A, B, member("/tmp/murk-evil", b"x")), "/tmp/murk-evil"),
    "an absolute folder": ((A, B, member("/set", type=tarfile.DIRTYPE)), "/set"),
    "a symbolic link": ((A, B, member("set/note.txt", type=tarfile.SYMTYPE, linkname="/etc/passwd")), "a link"),
    "a hard link": ((A, B, member("set/note.txt", type=tarfile.LNKTYPE, linkname="set/a.bin")), "a link"),
    "the folder as a link": ((member("set", type=tarfile.SYMTYPE, linkname="/tmp"), A, B), "a link"),
    "a pipe": ((A, B, member("set/note.txt", type=tarfile.FIFOTYPE)), "a special member"),
    "a device": ((A, B, member("set/note.txt", type=tarfile.CHRTYPE, devmajor=1, devminor=3)), "a special member"),
    "an unexpected file": ((A, B, member("set/c.bin", b"x")), "set/c.bin"),
    "an unexpected folder": ((A, B, member("set/deep", type=tarfile.DIRTYPE)), "set/deep"),
    "a file in another folder": ((A, B, member("other/a.bin", b"aaaa")), "other/a.bin"),
    "a file twice": ((A, A, B), "'a.bin' twice"),
    "a file of another length": ((member("set/a.bin", b"aaaaa"), B), "5 bytes for 'a.bin', not 4"),
    "a long note": ((A, B, member("set/note.txt", bytes((1 << 20) + 1))), "'note.txt', not a short note"),
    "a file too few": ((A,), "no b.bin"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_archive_is_refused_and_leaves_nothing_inside_or_outside(tmp_path, case):
    members, words = HOSTILE[case]
    with pytest.raises(DataError) as caught:
        unpack(tmp_path, tar_of(*members))
    assert words in str(caught.value)
    assert everything_below(tmp_path) == ["cache", "cache/set.tar.gz"]
    assert not Path("/tmp/murk-evil").exists()


@pytest.mark.parametrize(  # the time of day is in what gzip writes, so no name is made of it
    "body", [b"", b"not gzip", GOOD[: len(GOOD) // 2], GOOD[:-4], gzip.compress(b"no tar" * 200), gzip.compress(b"")],
    ids=["empty", "not gzip", "half", "cut short", "no tar", "empty gzip"],
)  # fmt: skip
def test_a_damaged_archive_is_one_clear_error_and_leaves_nothing(tmp_path, body):
    with pytest.raises(DataError, match="load again"):
        unpack(tmp_path, body)
    assert everything_below(tmp_path) == ["cache", "cache/set.tar.gz"]


@settings(max_examples=60, deadline=None)
@given(
    flips=st.lists(st.tuples(st.integers(0, 10_239), st.integers(0, 255)), min_size=1, max_size=4),
    keep=st.integers(0, 10_240),
)
def test_no_bytes_make_unpacking_fail_otherwise_than_by_a_data_error(flips, keep):
    raw = bytearray(gzip.decompress(GOOD))
    for at, value in flips:
        raw[at % len(raw)] = value
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        try:
            unpack(folder, gzip.compress(bytes(raw[:keep]), mtime=0))
        except DataError:
            assert everything_below(folder) == ["cache", "cache/set.tar.gz"]
        else:
            assert {path.name for path in (folder / "cache" / "set").iterdir()} <= set(FILES)


def test_a_folder_that_cannot_be_written_is_one_clear_error(tmp_path):
    archive = tmp_path / "set.tar.gz"
    archive.write_bytes(GOOD)
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(DataError, match=r"could not write.*MURK_CACHE"):
        extract(archive, tmp_path / "file" / "set", files=FILES)
