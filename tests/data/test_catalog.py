"""The catalog finds, fetches and verifies sets, writes only in the cache, and fails by one clear error."""

from __future__ import annotations

import dataclasses
import errno
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from official_layouts import published, tar_bytes

import murk.data.catalog as catalog
from murk.data import ENTRIES, Dataset, Examples, content_sha256, entry, fetch, load, locate
from murk.data.cache import cache_folder
from murk.data.digits import stratified
from murk.data.order import seeded_order, splitmix64
from murk.errors import DataError, InputError


def left_in(folder):
    """Files in a folder, the cache's lock apart."""
    return sorted(
        str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file() and path.name != ".lock"
    )


def same(dataset, arrays):
    train, train_labels, test, test_labels = arrays
    assert np.array_equal(dataset.train.images, train.reshape(dataset.train.images.shape))
    assert np.array_equal(dataset.test.images, test.reshape(dataset.test.images.shape))
    assert np.array_equal(dataset.train.labels, train_labels) and np.array_equal(dataset.test.labels, test_labels)


@pytest.fixture(params=["tiny_idx", "tiny_cifar"])
def tiny(request, cache):
    return request.getfixturevalue(request.param)


def test_a_set_is_fetched_verified_and_decoded(tiny, cache, server):
    steps = []
    dataset = catalog.load_entry(tiny.entry, progress=steps.append)
    same(dataset, tiny.arrays)
    assert dataset.name == tiny.entry.name and dataset.class_names == tiny.entry.class_names
    assert {step.name for step in steps} == {remote.name for remote in tiny.entry.remotes}
    assert set(tiny.files) <= {path.name for path in (cache / "data" / tiny.entry.folder).iterdir()}
    assert not [name for name in left_in(cache) if name.endswith((".part", ".tar.gz"))]


def test_a_set_in_the_cache_is_not_fetched_again(tiny, server):
    catalog.load_entry(tiny.entry)
    before = len(server.requests)
    same(catalog.load_entry(tiny.entry), tiny.arrays)
    assert len(server.requests) == before


def test_the_folder_of_official_files_comes_before_cache_and_download_and_is_never_written(
    tiny, tmp_path, server, monkeypatch
):
    tiny.lay_out(tmp_path / "official")
    before = left_in(tmp_path / "official")
    monkeypatch.setenv("MURK_DATA", str(tmp_path / "official"))
    same(catalog.load_entry(tiny.entry), tiny.arrays)
    assert server.requests == [] and left_in(tmp_path / "official") == before


def test_root_takes_the_place_of_murk_data(tiny, tmp_path, server, monkeypatch):
    tiny.lay_out(tmp_path / "official")
    monkeypatch.setenv("MURK_DATA", str(tmp_path / "nowhere"))
    same(catalog.load_entry(tiny.entry, root=tmp_path / "official"), tiny.arrays)
    with pytest.raises(InputError, match="expected MURK_DATA to name a folder"):
        catalog.load_entry(tiny.entry)
    assert server.requests == []


def test_a_set_that_the_folder_lacks_is_fetched_into_the_cache(tiny, tmp_path, cache):
    (tmp_path / "official").mkdir()
    same(catalog.load_entry(tiny.entry, root=tmp_path / "official"), tiny.arrays)
    assert left_in(tmp_path / "official") == [] and (cache / "data" / tiny.entry.folder).is_dir()


def test_a_folder_with_only_some_of_the_files_is_refused_not_passed_over(tiny, tmp_path, server):
    folder = tiny.lay_out(tmp_path / "official")
    gone = tiny.entry.files[1]
    (folder / gone).unlink()
    with pytest.raises(DataError, match=f"lacks {gone}"):
        catalog.load_entry(tiny.entry, root=tmp_path / "official")
    assert server.requests == []


def test_an_incomplete_cache_is_filled(tiny, cache):
    catalog.load_entry(tiny.entry)
    (cache / "data" / tiny.entry.folder / tiny.entry.files[1]).unlink()
    same(catalog.load_entry(tiny.entry), tiny.arrays)


def test_content_other_than_pinned_is_refused(tiny, tmp_path):
    other = dataclasses.replace(tiny.entry, content_sha256="0" * 64)
    tiny.lay_out(tmp_path / "official")
    for _ in range(2):
        with pytest.raises(DataError, match=r"not the official tiny.*SHA-256 0000.*replace the files"):
            catalog.load_entry(other, root=tmp_path / "official")


def test_a_verified_set_is_not_digested_again_until_a_file_changes(tiny, tmp_path, monkeypatch):
    folder = tiny.lay_out(tmp_path / "official")
    catalog.load_entry(tiny.entry, root=tmp_path / "official")
    digests = []
    monkeypatch.setattr(catalog, "content_sha256", lambda dataset: digests.append(1) or content_sha256(dataset))
    catalog.load_entry(tiny.entry, root=tmp_path / "official")
    assert digests == []
    changed = folder / tiny.entry.files[0]
    os.utime(changed, ns=(0, changed.stat().st_mtime_ns + 1))
    same(catalog.load_entry(tiny.entry, root=tmp_path / "official"), tiny.arrays)
    assert digests == [1]


def test_an_exchanged_file_of_the_same_length_is_found_out(tiny_cifar, cache, tmp_path):
    folder = tiny_cifar.lay_out(tmp_path / "official")
    catalog.load_entry(tiny_cifar.entry, root=tmp_path / "official")
    path = folder / "one.bin"
    raw = bytearray(path.read_bytes())
    raw[100] ^= 1
    path.write_bytes(raw)
    os.utime(path, ns=(0, 12345))
    with pytest.raises(DataError, match="not the official"):
        catalog.load_entry(tiny_cifar.entry, root=tmp_path / "official")


def test_a_damaged_stamp_only_means_digesting_again(tiny, tmp_path, cache):
    tiny.lay_out(tmp_path / "official")
    catalog.load_entry(tiny.entry, root=tmp_path / "official")
    for stamp in (cache / "verified").iterdir():
        stamp.write_bytes(b"\xff\xfe")
    same(catalog.load_entry(tiny.entry, root=tmp_path / "official"), tiny.arrays)


def test_a_set_in_the_official_folder_loads_beside_a_cache_that_cannot_be_written(tiny, tmp_path, monkeypatch):
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("MURK_CACHE", str(tmp_path / "file" / "cache"))
    tiny.lay_out(tmp_path / "official")
    same(catalog.load_entry(tiny.entry, root=tmp_path / "official"), tiny.arrays)


def test_a_damaged_official_file_is_named(tiny_idx, cache, tmp_path):
    folder = tiny_idx.lay_out(tmp_path / "official")
    path = folder / "train-images.gz"
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(DataError, match=r"train-images\.gz is damaged.*cut short"):
        catalog.load_entry(tiny_idx.entry, root=tmp_path / "official")


def worse(tiny, server, **behaviour):
    """The entry's first file served badly: at another address, with other bytes where `body` says so."""
    remote = tiny.entry.remotes[0]
    good = server.served[remote.urls[0].removeprefix(server.base)].body
    body = behaviour.pop("body", lambda raw: raw)(good)
    url = server.offer("bad", body, **behaviour)
    return dataclasses.replace(tiny.entry, remotes=(dataclasses.replace(remote, urls=(url,)), *tiny.entry.remotes[1:]))


@pytest.mark.parametrize(
    ("behaviour", "words"),
    [
        ({"body": lambda raw: raw[:-5]}, "truncated"),
        ({"body": lambda raw: raw[:-1] + bytes([raw[-1] ^ 1])}, "expected MD5"),
        ({"status": 404}, "404"),
    ],
    ids=["truncated", "wrong sum", "404"],
)
def test_a_failed_fetch_is_one_error_and_leaves_no_file(tiny, server, cache, behaviour, words):
    with pytest.raises(DataError, match=words):
        catalog.load_entry(worse(tiny, server, **behaviour))
    assert left_in(cache) == []


def test_a_fetch_dropped_half_way_resumes_at_the_next_load(tiny, server, cache):
    broken = worse(tiny, server, drop_after=[40])
    with pytest.raises(DataError, match="dropped after 40 of"):
        catalog.load_entry(broken)
    assert left_in(cache) == [f"data/{broken.remotes[0].name}.part"]
    same(catalog.load_entry(broken), tiny.arrays)
    assert ("bad", "bytes=40-") in server.requests
    assert not [name for name in left_in(cache) if name.endswith(".part")]


def test_a_read_only_cache_is_one_error_before_anything_is_asked_for(tiny, server, tmp_path, monkeypatch):
    def read_only(*_, **__):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(Path, "mkdir", read_only)
    with pytest.raises(DataError, match=r"could not write.*Read-only file system.*MURK_CACHE"):
        catalog.load_entry(tiny.entry)
    assert server.requests == []


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0,
    reason="file permissions do not bind root, nor do they exist on Windows",
)
def test_a_cache_without_permission_to_write_is_one_error(tiny, server, cache):
    cache.mkdir()
    cache.chmod(0o500)
    with pytest.raises(DataError, match=r"could not write.*MURK_CACHE"):
        catalog.load_entry(tiny.entry)
    assert server.requests == []


def test_an_archive_that_tries_to_escape_is_one_error_and_leaves_nothing(tiny_cifar, server, cache, tmp_path):
    body = tar_bytes(tiny_cifar.files | {"../../evil": b"x"}, "tiny-cifar")
    hostile = dataclasses.replace(
        tiny_cifar.entry, remotes=(published("tiny.tar.gz", body, server.offer("hostile", body)),)
    )
    with pytest.raises(DataError, match="not the official archive"):
        catalog.load_entry(hostile)
    assert left_in(tmp_path) == []


def test_an_unknown_name_is_refused_with_the_nearest_valid_one():
    for asked, nearest in (
        ("mnits", "mnist"),
        ("CIFAR10", "cifar10"),
        ("fashion_mnist", "fashion-mnist"),
        ("cifar", "cifar10"),
    ):
        with pytest.raises(InputError, match=f"did you mean '{nearest}'") as caught:
            load(asked)
        assert all(known.name in str(caught.value) for known in ENTRIES)


def test_locate_and_fetch_tell_where_the_files_are(tiny, tmp_path, cache, monkeypatch):
    monkeypatch.setattr(catalog, "ENTRIES", (tiny.entry,))
    name = tiny.entry.name
    assert locate(name) is None
    assert fetch(name) == locate(name) == cache / "data" / tiny.entry.folder
    assert locate(name, root=tiny.lay_out(tmp_path / "official").parent) == tmp_path / "official" / tiny.entry.folder


def test_the_digits_need_no_network_and_no_folder(cache, monkeypatch):
    monkeypatch.setattr("urllib.request.urlopen", lambda *_, **__: pytest.fail("the network was asked"))
    digits = load("digits")
    assert (len(digits.train), len(digits.test), digits.example_shape) == (1297, 500, (8, 8, 1))
    assert digits.class_names == tuple("0123456789")
    assert left_in(cache) == [] if cache.exists() else True
    assert locate("digits") is None and fetch("digits") is None


def test_the_digits_are_scikit_learns_scaled_to_255_and_split_without_overlap():
    from sklearn.datasets import load_digits

    bundled, digits = load_digits(), load("digits")
    for part in (digits.train, digits.test):
        pixels = bundled.images[part.ids]
        assert np.array_equal(part.labels, bundled.target[part.ids])
        assert np.array_equal(part.images[..., 0], np.floor(pixels * 255 / 16 + 0.5))
    assert {0, 255} <= set(np.unique(digits.train.images).tolist())
    ids = np.concatenate([digits.train.ids, digits.test.ids])
    assert np.array_equal(np.sort(ids), np.arange(1797))


def test_the_digits_test_part_holds_every_class_in_proportion():
    digits = load("digits")
    train, test = np.bincount(digits.train.labels), np.bincount(digits.test.labels)
    assert np.all(np.abs(test - 500 * (train + test) / 1797) < 1)


def test_a_stratified_split_gives_each_class_its_share_within_one():
    labels = np.repeat(np.arange(3), [5, 11, 30])
    counts = np.bincount(labels[stratified(labels, 20, seed=3)])
    assert counts.sum() == 20 and np.all(np.abs(counts - 20 * np.array([5, 11, 30]) / 46) < 1)


def test_splitmix64_gives_its_reference_words():
    assert splitmix64(5, seed=1234567).tolist() == [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ]


def test_a_seeded_order_is_a_permutation_that_depends_on_its_seed():
    first, second = seeded_order(1000, seed=0), seeded_order(1000, seed=1)
    assert np.array_equal(np.sort(first), np.arange(1000)) and np.array_equal(np.sort(second), np.arange(1000))
    assert np.array_equal(first, seeded_order(1000, seed=0)) and not np.array_equal(first, second)
    with pytest.raises(InputError, match="seed in"):
        seeded_order(3, seed=-1)


@pytest.mark.parametrize("known", ENTRIES, ids=lambda known: known.name)
def test_every_entry_is_complete(known):
    assert entry(known.name) is known
    assert len(known.content_sha256) == 64 and len(known.class_names) == len(set(known.class_names)) in (10, 100)
    assert bool(known.remotes) == (known.layout != "bundled") == bool(known.files)
    for remote in known.remotes:
        assert len(remote.md5) == 32 and remote.size > 0
        assert remote.urls and all(url.endswith(remote.name.rpartition("/")[2]) for url in remote.urls)
    if known.layout == "idx":
        assert {remote.name for remote in known.remotes} == {f"{known.folder}/{file}" for file in known.files}


def test_the_content_digest_tells_images_labels_and_order_apart():
    images = np.arange(12, dtype=np.uint8).reshape(3, 2, 2, 1)
    one, two = Examples(images, [0, 1, 2]), Examples(images, [0, 2, 1])
    digests = {content_sha256(Dataset(*parts)) for parts in ((one, one), (one, two), (two, one), (two, two))}
    assert len(digests) == 4
    assert content_sha256(Dataset(one[[2, 0, 1]][[1, 2, 0]], one)) == content_sha256(Dataset(one, one))


def test_the_cache_follows_its_variable_and_then_the_platform(monkeypatch, tmp_path):
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.delenv("MURK_CACHE", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder() == tmp_path / "xdg" / "murk"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert cache_folder() == tmp_path / ".cache" / "murk"
    monkeypatch.setattr("sys.platform", "darwin")
    assert cache_folder() == tmp_path / "Library" / "Caches" / "murk"
    monkeypatch.setenv("MURK_CACHE", str(tmp_path / "own"))
    assert cache_folder() == tmp_path / "own"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no flock, so there each process fetches for itself")
def test_several_that_want_the_same_set_at_once_fetch_it_once(tiny, server):
    with ThreadPoolExecutor(4) as pool:
        for dataset in pool.map(lambda _: catalog.load_entry(tiny.entry), range(4)):
            same(dataset, tiny.arrays)
    assert len(server.requests) == len(tiny.entry.remotes)
