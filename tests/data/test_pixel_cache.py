"""The pixel cache: decoded once, whatever stops it, whoever else wants it, and never half a cache taken for a whole."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from image_folders import files_in, kept, lay_out
from PIL import Image

import murk.data.content as content
import murk.data.decoded_files as decoded_files
import murk.data.decoding as decoding
import murk.data.pixel_cache as pixel_cache
from murk.data import Dataset, content_sha256, image_folder
from murk.data.content import computed_sha256
from murk.errors import DataError

SIDE = 12
IMAGES = 18  # in six blocks of three


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr(pixel_cache, "BLOCK_BYTES", 3 * SIDE * SIDE * 3)


@pytest.fixture
def root(tmp_path, cache):
    return lay_out(tmp_path / "photos", side=SIDE)


@pytest.fixture
def decoded(monkeypatch):
    """The names of the files that this process decodes, as it does."""
    names = []
    original = decoding.decode_block
    monkeypatch.setattr(decoding, "decode_block", lambda block: names.extend(block.names) or original(block))
    return names


def read(root, **settings):
    return image_folder(root, side=SIDE, **{"processes": 1, **settings})


def stopped_after(count):
    """A callback that presses Ctrl-C when `count` blocks are done."""
    seen = []

    def stop(progress):
        seen.append(progress)
        if len(seen) > count:
            raise KeyboardInterrupt

    return stop


SCRIPT = """
import os, signal, sys
import murk.data.pixel_cache as pixel_cache
from murk.data import image_folder

pixel_cache.BLOCK_BYTES = {block}
signal.signal(signal.SIGINT, signal.default_int_handler)

def stop(progress):
    if progress.done > 2 * {block}:
        {stop}

image_folder(sys.argv[1], side={side}, processes={processes}, on_progress=stop)
"""


def run_script(root, *, processes, stop):
    """A script without `if __name__ == "__main__"` in a session of its own, stopped after some blocks."""
    code = SCRIPT.format(block=3 * SIDE * SIDE * 3, side=SIDE, processes=processes, stop=stop)
    script = root.parent / "script.py"
    script.write_text(code)
    command = [sys.executable, str(script), str(root)]
    return subprocess.run(command, capture_output=True, text=True, start_new_session=True, timeout=300)


def test_the_second_start_decodes_nothing_and_knows_the_digest_that_it_verified(root, decoded, monkeypatch):
    first = read(root)
    assert len(decoded) == IMAGES and content_sha256(first) == computed_sha256(first)
    monkeypatch.setattr(content, "computed_sha256", lambda _: pytest.fail("the pixels were read again"))
    second = read(root)
    assert content_sha256(second) == content_sha256(first) and len(decoded) == IMAGES
    assert np.array_equal(second.train.images, first.train.images)


def test_the_remembered_digest_is_of_that_very_data_set_alone(root):
    dataset = read(root)
    part = Dataset(dataset.train[:5], dataset.test)
    assert content_sha256(part) == computed_sha256(part) != content_sha256(dataset)
    before = content_sha256(dataset)
    dataset.train.labels[0] = 2
    assert content_sha256(dataset) == computed_sha256(dataset) != before


def test_another_side_and_a_changed_file_are_decoded_anew(root, decoded, cache):
    read(root)
    image_folder(root, side=SIDE - 1, processes=1)
    file = root / "val/n01440764/n01440764_0.png"
    os.utime(file, ns=(0, file.stat().st_mtime_ns + 1))
    read(root)
    assert len(decoded) == 3 * IMAGES and len(list((cache / "folders").iterdir())) == 3


def test_a_folder_that_was_moved_or_copied_with_its_times_finds_its_pixels_again(root, decoded):
    read(root)
    shutil.copytree(root, root.with_name("copied"))
    assert read(root.with_name("copied")).name == "copied" and len(decoded) == IMAGES
    root.rename(root.with_name("moved"))
    assert read(root.with_name("moved")).name == "moved" and len(decoded) == IMAGES


@pytest.mark.parametrize("place", ["first", "middle", "last"])
def test_two_folders_that_agree_in_names_sizes_and_times_have_pixels_of_their_own(tmp_path, cache, decoded, place):
    row = {"first": 0, "middle": 50, "last": 99}[place]
    for name, value in (("one", 0), ("two", 255)):
        pixels = np.full((100, 100, 3), 128, np.uint8)
        pixels[row, 50] = value
        file = tmp_path / name / "cat/1.bmp"
        file.parent.mkdir(parents=True)
        Image.fromarray(pixels).save(file)
        os.utime(file, ns=(0, 0))
    images = [image_folder(tmp_path / name, side=100, processes=1).train.images for name in ("one", "two")]
    assert [int(image[0, row, 50, 0]) for image in images] == [0, 255] and len(decoded) == 2


def test_files_that_cannot_be_read_at_the_start_are_told_by_name(root, cache, monkeypatch):
    def refuse(path):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)

    monkeypatch.setattr(decoded_files, "opened", refuse)
    with pytest.raises(
        DataError, match=r"18 images .*got 18 that cannot: train/.*_0\.png \(Permission.* and 13 more; make"
    ):
        read(root)
    assert not cache.exists()


@pytest.mark.parametrize("processes", [2, 3, None])
def test_the_pixels_do_not_depend_on_the_number_of_processes(root, tmp_path, processes):
    alone, together = read(root), read(root, processes=processes, cache=tmp_path / "other")
    assert content_sha256(alone) == content_sha256(together)
    assert np.array_equal(alone.test.images, together.test.images)


@pytest.mark.parametrize("processes", [1, 2])
def test_progress_goes_from_nothing_to_all_bytes(root, processes):
    told = []
    read(root, processes=processes, on_progress=told.append)
    total = IMAGES * SIDE * SIDE * 3
    assert [step.done for step in told] == [total * block // 6 for block in range(7)]
    assert {(step.name, step.total) for step in told} == {("photos", total)}


@pytest.mark.parametrize("processes", [1, 2])
def test_ctrl_c_keeps_what_is_decoded(root, cache, decoded, processes):
    with pytest.raises(KeyboardInterrupt):
        read(root, processes=processes, on_progress=stopped_after(2))
    assert files_in(kept(cache)) == ["done", "pixels"]
    decoded.clear()
    dataset = read(root)
    assert len(decoded) == IMAGES - 6 and content_sha256(dataset) == computed_sha256(dataset)
    assert files_in(kept(cache)) == ["pixels", "record.json"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
@pytest.mark.parametrize(
    ("stop", "code"),
    [("os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL), ("os.killpg(0, signal.SIGINT)", -signal.SIGINT)],
    ids=["killed outright", "Ctrl-C to the whole group"],
)
@pytest.mark.parametrize("processes", [1, 2])
def test_a_stopped_script_is_gone_on_with_and_ends_with_the_same_bytes(
    root, tmp_path, cache, decoded, processes, stop, code
):
    outcome = run_script(root, processes=processes, stop=stop)
    assert outcome.returncode == code, outcome.stderr
    assert outcome.stderr.count("Traceback") == (code == -signal.SIGINT)  # none of the decoding processes
    assert files_in(kept(cache)) == ["done", "pixels"]
    resumed = read(root)
    assert len(decoded) == IMAGES - 9
    assert content_sha256(resumed) == content_sha256(read(root, cache=tmp_path / "anew"))


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no flock, so there each process decodes for itself")
def test_of_two_scripts_that_want_the_same_folder_one_decodes_and_none_needs_a_main_guard(
    root, cache, decoded, monkeypatch
):
    wants = root.parent / "wants"
    waits = f"import time\n        while not os.path.exists({str(wants)!r}): time.sleep(0.01)"
    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(run_script, root, processes=2, stop=waits)
        while not list(cache.glob("folders/*/done")):  # it has begun, and holds the folder
            assert not other.done(), other.result().stderr
            time.sleep(0.01)
        asked = decoded_files.exclusive
        monkeypatch.setattr(decoded_files, "exclusive", lambda folder: wants.touch() or asked(folder))
        dataset = read(root)
    assert other.result().returncode == 0 and other.result().stderr == ""
    assert decoded == [] and content_sha256(dataset) == computed_sha256(dataset)
    assert files_in(kept(cache)) == ["pixels", "record.json"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no flock, so there each process decodes for itself")
def test_several_that_want_the_same_folder_at_once_decode_it_once(root, decoded):
    with ThreadPoolExecutor(4) as pool:
        digests = {content_sha256(dataset) for dataset in pool.map(read, [root] * 4)}
    assert len(digests) == 1 and len(decoded) == IMAGES


DAMAGE = {
    "cut": lambda path: path.write_bytes(path.read_bytes()[:-200]),
    "empty": lambda path: path.write_bytes(b""),
    "text": lambda path: path.write_text("<html>404</html>"),
    "header only": lambda path: path.write_bytes(path.read_bytes()[:60]),
}


@pytest.mark.parametrize("suffix", [".png", ".JPEG"])
@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_file_is_refused_by_name_and_the_call_that_skips_it_goes_on(tmp_path, cache, decoded, damage, suffix):
    root = lay_out(tmp_path / "damaged", side=SIDE, suffix=suffix)
    file = root / f"train/n01443537/n01443537_2{suffix}"
    DAMAGE[damage](file)
    with pytest.raises(
        DataError, match=rf"18 images .*got 1 that cannot: train/n01443537/n01443537_2\{suffix} \(.*repl.*skip_corrupt"
    ):
        read(root)
    assert files_in(kept(cache)) == ["done", "pixels"] and len(decoded) == IMAGES
    assert len(read(root, skip_corrupt=True).train) == 11
    assert decoded[IMAGES:] == [f"train/n01443537/n01443537_2{suffix}"]


@pytest.mark.parametrize("processes", [1, 2])
def test_of_many_damaged_files_five_are_named_and_all_counted(root, cache, processes):
    damaged = sorted((root / "train").rglob("*.png"))[3:10]
    for file in damaged:
        DAMAGE["text"](file)
    with pytest.raises(DataError, match=r"18 images that can be decoded, got 7 that cannot.* and 2 more; ") as caught:
        read(root, processes=processes)
    named = [str(file.relative_to(root)) in str(caught.value) for file in damaged]
    assert named == [True] * 5 + [False] * 2
    for file in damaged:
        Image.new("RGB", (SIDE, SIDE)).save(file)
    dataset = read(root, processes=processes)
    assert not dataset.train.images[3:10].any() and dataset.train.images[:3].any()


def test_a_file_that_the_system_cannot_read_keeps_the_others(root, cache, decoded):
    gone = root / "train/n01440764/n01440764_1.png"
    away = shutil.copy2(gone, root.parent / "away.png")
    with pytest.raises(DataError, match=r"n01440764_1\.png \(No such file.*\).*make them readable.*is kept"):
        read(root, on_progress=lambda progress: progress.done or gone.unlink())
    decoded.clear()
    shutil.copy2(away, gone)
    read(root)
    assert decoded == ["train/n01440764/n01440764_1.png"]


def test_a_disk_too_small_is_told_before_anything_is_decoded(root, decoded, monkeypatch):
    usage = shutil.disk_usage(root)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(DataError, match=r"could not write.*7,776 bytes are needed, 1,000 are free; make room"):
        read(root)
    assert decoded == []


def test_a_disk_that_fills_up_is_one_error_and_the_work_can_go_on(root, cache, monkeypatch):
    original, calls = decoding.decode_block, []

    def full(block):
        calls.append(block)
        if len(calls) == 3:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return original(block)

    monkeypatch.setattr(decoding, "decode_block", full)
    with pytest.raises(DataError, match=r"could not write.*No space left on device.*what is decoded is kept"):
        read(root)
    assert files_in(kept(cache)) == ["done", "pixels"]
    dataset = read(root)
    assert len(calls) == 3 + 4 and content_sha256(dataset) == computed_sha256(dataset)


def test_pixels_that_another_process_cannot_write_are_one_error(root, cache):
    def remove(progress):
        if not progress.done:
            (kept(cache) / "pixels").unlink()

    with pytest.raises(DataError, match=r"could not write.*pixels: No such file"):
        read(root, processes=2, on_progress=remove)


def test_a_decoding_process_that_dies_is_one_error(root, cache, tmp_path, monkeypatch):
    script = tmp_path / "dies.py"
    script.write_text("input(); raise SystemExit(3)")
    monkeypatch.setattr(decoding.decoder, "__file__", str(script))
    with pytest.raises(DataError, match=r"ended before its time.*fewer processes"):
        read(root, processes=2)
    monkeypatch.undo()
    monkeypatch.setenv("MURK_CACHE", str(cache))
    assert len(read(root).train) == 12


@pytest.mark.parametrize(
    "harm",
    [
        lambda folder: os.truncate(folder / "pixels", 7000),
        lambda folder: (folder / "pixels").unlink(),
        lambda folder: (folder / "record.json").write_text("{"),
        lambda folder: (folder / "record.json").write_text('{"shape": [1, 1, 1, 3], "content_sha256": ""}'),
    ],
    ids=["pixels cut", "pixels gone", "record cut", "other record"],
)
def test_a_cache_that_is_not_as_it_was_left_is_refused(root, cache, harm):
    read(root)
    harm(kept(cache))
    with pytest.raises(DataError, match=r"is damaged: expected .*; remove that folder and call again"):
        read(root)
    shutil.rmtree(kept(cache))
    assert len(read(root).train) == 12


def test_a_single_changed_bit_is_found_at_the_next_start_or_in_many_pixels_when_asked_for(root, cache, monkeypatch):
    read(root)
    assert len(read(root, verify=True).train) == 12
    with open(kept(cache) / "pixels", "r+b") as file:
        file.seek(5000)
        byte = file.read(1)[0]
        file.seek(5000)
        file.write(bytes([byte ^ 1]))
    for asked in (None, True):
        with pytest.raises(DataError, match="is damaged: expected content with SHA-256"):
            read(root, verify=asked)
    monkeypatch.setattr(decoded_files, "VERIFIED", IMAGES * SIDE * SIDE * 3 - 1)
    assert len(read(root).train) == 12
    with pytest.raises(DataError, match="is damaged: expected content with SHA-256"):
        read(root, verify=True)


def test_marks_without_pixels_are_not_believed(root, cache, decoded):
    with pytest.raises(KeyboardInterrupt):
        read(root, on_progress=stopped_after(2))
    (kept(cache) / "pixels").unlink()
    decoded.clear()
    dataset = read(root)
    assert len(decoded) == IMAGES and content_sha256(dataset) == computed_sha256(dataset)
