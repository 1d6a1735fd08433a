"""Damaged images by the commands: each that is left out is named to machines; pixels are verified on demand."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
from commands import run

import murk.data.decoded_files as decoded_files

CAT, COW = range(10), range(2)
HOW = ["--side", 16, "--skip-corrupt", "--json"]


@pytest.fixture
def folder(pets, tmp_path):
    """Ten cats, of which the first seven are damaged, and two cows, in the folder some."""
    for name, numbers in (("cat", CAT), ("cow", COW)):
        (tmp_path / "some" / name).mkdir(parents=True)
        for number in numbers:
            content = (pets / "pets" / "test" / name / f"{name}-test{number}.png").read_bytes()
            is_damaged = name == "cat" and number < 7
            (tmp_path / "some" / name / f"{number}.png").write_bytes(content[: 40 if is_damaged else None])
    return "some", [f"cat/{number}.png" for number in range(7)]


@pytest.fixture
def table(folder, tmp_path):
    """The same images inside a table."""
    paths = sorted((tmp_path / "some").rglob("*.png"))
    columns = {"image": [{"bytes": path.read_bytes(), "path": None} for path in paths],
               "id": [f"{path.parent.name}{path.stem}" for path in paths],
               "label": [path.parent.name for path in paths]}  # fmt: skip
    parquet.write_table(pa.table(columns), tmp_path / "some.parquet")
    return "some.parquet", [f"cat{number}" for number in range(7)]


@pytest.mark.parametrize("form", ["folder", "table"])
def test_every_example_that_is_left_out_is_named_to_machines(form, request, trained, tmp_path):
    """On stderr and among the oddities the first few are, and how many more."""
    place, names = request.getfixturevalue(form)
    drawn = ["--alpha", 1, "--seed", 0]
    commands = {
        "show": ["data", "show", place], "predict": ["predict", trained[0], place, "-o", "p.parquet"],
        "dilute": ["dilute", place, *drawn, "-o", "v.csv"],
        "train": ["train", place, *drawn, "--votes", "draw", "--model", "perceptron", "--epochs", 1, "-o", "run"],
    }  # fmt: skip
    for name, command in commands.items():
        how = HOW[2:] if name == "predict" else HOW
        outcome = run(*command, *how)
        told = json.loads(outcome.stdout)
        assert (told["data"] if name == "train" else told)["skipped"] == names, name
        assert name == "show" or ("2 more" in outcome.stderr and names[6] not in outcome.stderr)
    assert json.loads((tmp_path / "run" / "result.json").read_text())["data"]["skipped"] == names


def test_all_pixels_are_verified_where_that_is_asked_for(pets, tmp_path, monkeypatch):
    show = ["data", "show", pets / "pets", "--side", 16, "--json"]
    run(*show)
    (pixels,) = (tmp_path / "cache").rglob("pixels")
    content = np.memmap(pixels, np.uint8, "r+")
    content[0] ^= 1
    content.flush()
    monkeypatch.setattr(decoded_files, "VERIFIED", 0)  # as of a cache above 1 GiB
    run(*show)
    assert "expected content with SHA-256" in run(*show, "--verify", exit_code=1).stderr
    assert "--verify goes with data of yours" in run("data", "show", "digits", "--verify", exit_code=2).stderr
