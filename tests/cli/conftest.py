"""The command line in this process, with one thread and a cache of its own."""

from __future__ import annotations

import json

import pytest
import torch
from commands import run
from pets import lay_out_pets
from typer.testing import CliRunner

from murk.cli import app


@pytest.fixture(autouse=True)
def alone(tmp_path, monkeypatch):
    """A folder to work in, no data but what is bundled, one thread (so that weights are the same bits)."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MURK_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("MURK_DATA", raising=False)
    monkeypatch.delenv("MURK_TRACEBACK", raising=False)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def murk():
    """murk("data list") gives the outcome: exit_code, stdout, stderr."""
    runner = CliRunner()

    def run_line(line, *more):
        return runner.invoke(app, [*line.split(), *map(str, more)], prog_name="murk")

    return run_line


@pytest.fixture
def murk_json(murk):
    """As murk, but demands success and reads the whole of stdout as one JSON object."""

    def run(line, *more):
        outcome = murk(f"{line} --json", *more)
        assert outcome.exit_code == 0, outcome.stderr
        return json.loads(outcome.stdout)

    return run


@pytest.fixture(scope="session")
def pets(tmp_path_factory):
    """The folders pets/train and pets/test, and votes.csv; only read."""
    return lay_out_pets(tmp_path_factory.mktemp("pets"))


@pytest.fixture(scope="session")
def trained(pets, tmp_path_factory):
    """A result folder, trained on the votes, and what the command told as JSON."""
    out = tmp_path_factory.mktemp("trained") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MURK_CACHE", str(tmp_path_factory.mktemp("pixels")))
        outcome = run("train", pets / "pets", "--side", 16, "--votes", pets / "votes.csv", "--noise", "symmetric:0.3",
                      "--test-labels", "clean", "--epochs", 30, "--json", "-o", out)  # fmt: skip
    return out, json.loads(outcome.stdout)
