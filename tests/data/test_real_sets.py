"""The official sets, where MURK_DATA names them: published sums, pinned content, first labels, published moments."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import numpy as np
import pytest

from murk.data import channel_moments, content_sha256, entry, load

FOLDER = os.environ.get("MURK_DATA", "")
needs_files = pytest.mark.skipif(
    not FOLDER, reason="MURK_DATA is not set: name a folder of the official data sets to run this"
)
NAMES = ("mnist", "fashion-mnist", "cifar10", "cifar100")
FIRST_LABELS = {
    "mnist": ([5, 0, 4, 1, 9, 2, 1, 3, 1, 4], [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]),
    "fashion-mnist": ([9, 0, 0, 3, 0, 2, 7, 2, 5, 5], [9, 2, 1, 1, 6, 1, 4, 6, 5, 7]),
    "cifar10": ([6, 9, 9, 4, 1, 1, 2, 7, 8, 3], [3, 8, 8, 0, 6, 6, 1, 6, 3, 1]),
    "cifar100": ([19, 29, 0, 11, 1, 86, 90, 28, 23, 31], [49, 33, 72, 51, 71, 92, 15, 14, 23, 0]),
}
MOMENTS = {
    "mnist": ([0.1307], [0.3081]),
    "fashion-mnist": ([0.2860], [0.3530]),
    "cifar10": ([0.4914, 0.4822, 0.4465], [0.2470, 0.2435, 0.2616]),
    "cifar100": ([0.5071, 0.4865, 0.4409], [0.2673, 0.2564, 0.2762]),
}


@pytest.fixture(scope="module")
def real_cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("cache")
        patch.setenv("MURK_CACHE", str(folder))
        yield folder


@needs_files
@pytest.mark.parametrize("name", NAMES)
def test_an_official_set_loads_with_its_known_labels_counts_and_moments(name, real_cache):
    dataset = load(name)
    known = entry(name)
    assert content_sha256(dataset) == known.content_sha256
    assert (len(dataset.train), len(dataset.test)) == (known.train.num_examples, known.test.num_examples)
    assert dataset.example_shape == known.example_shape
    first_train, first_test = FIRST_LABELS[name]
    assert dataset.train.labels[:10].tolist() == first_train and dataset.test.labels[:10].tolist() == first_test
    if name != "mnist":
        assert set(np.bincount(dataset.test.labels).tolist()) == {10_000 // dataset.num_classes}
    moments = channel_moments(dataset.train.images)
    mean, std = MOMENTS[name]
    assert np.allclose(moments.mean / 255, mean, atol=6e-5) and np.allclose(moments.std / 255, std, atol=6e-5)
    assert not (real_cache / "data").exists() and any((real_cache / "verified").iterdir())


@needs_files
@pytest.mark.parametrize("name", ["mnist", "fashion-mnist"])
def test_the_official_files_have_the_published_sums_and_sizes(name):
    for remote in entry(name).remotes:
        raw = (Path(FOLDER) / remote.name).read_bytes()
        assert (hashlib.md5(raw).hexdigest(), len(raw)) == (remote.md5, remote.size)


@needs_files
@pytest.mark.parametrize(("name", "names"), [("cifar10", "batches.meta.txt"), ("cifar100", "fine_label_names.txt")])
def test_class_names_are_those_of_the_official_archive(name, names):
    known = entry(name)
    assert tuple((Path(FOLDER) / known.folder / names).read_text().split()) == known.class_names
