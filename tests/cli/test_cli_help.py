"""Help: every command carries an example, and every example runs."""

from __future__ import annotations

import shlex
from pathlib import Path

import numpy as np
import pytest
import typer

from murk.cli import app
from murk.cli.app import main

SMALLER = {
    "murk plan": "--model mlp1 --epochs 3 --minutes .0001",
    "murk demo": "--alphas 0,1 --seeds 2 --epochs 1 --processes 1",
    "murk reproduce": "--size smoke --jobs 1 --minutes 0.0000001",
    "murk study run": "--jobs 1", "murk study resume": "--jobs 1",
}  # fmt: skip
STUDY = """
name = "noise"
[base]
model = "mlp1"
train_size = 200
passes = 2000
[grid]
alpha = [0, 5]
"""


def leaves(command, words):
    """Every command that does something, with the words that call it."""
    if not hasattr(command, "commands"):
        return [(" ".join(words), command)]
    return [leaf for name, part in command.commands.items() for leaf in leaves(part, [*words, name])]


COMMANDS = dict(leaves(typer.main.get_command(app), ["murk"]))


def example_of(name):
    said = COMMANDS[name].epilog or ""
    assert said.startswith("Example: "), f"{name} has no example"
    return said.removeprefix("Example: ")


def test_the_commands_are_those_that_the_documents_name():
    assert set(COMMANDS) == {
        "murk demo", "murk data list", "murk data fetch", "murk data show", "murk dilute", "murk train",
        "murk predict", "murk study run", "murk study resume", "murk study status", "murk study results",
        "murk study import", "murk reproduce", "murk audit", "murk plan", "murk embed",
    }  # fmt: skip


@pytest.mark.parametrize("name", COMMANDS)
def test_help_shows_an_example_of_the_command_itself(murk, name):
    outcome = murk(f"{name.removeprefix('murk')} --help")
    assert outcome.exit_code == 0
    assert example_of(name).startswith(f"{name}")
    assert " ".join(f"Example: {example_of(name)}".split()) in " ".join(outcome.stdout.split())


@pytest.fixture
def a_study(murk, tmp_path):
    """The file and the store that the examples of `murk study` are about."""
    (tmp_path / "study.toml").write_text(STUDY)
    assert murk("study run study.toml").exit_code == 0
    (tmp_path / "study.json").write_text(murk("study results --json").stdout)


@pytest.fixture
def a_fit(murk):
    """The folder that the examples of `murk predict` and `murk embed` are about."""
    assert murk("train digits --alpha 1 --model perceptron --epochs 1 -o run").exit_code == 0


@pytest.fixture
def given_labels(tmp_path):
    """The probabilities and labels that the example of `murk audit` is about."""
    rng = np.random.default_rng(0)
    np.save(tmp_path / "probs.npy", rng.dirichlet([0.3] * 4, 500))
    np.save(tmp_path / "labels.npy", rng.integers(0, 4, 500))


@pytest.mark.parametrize("name", COMMANDS)
def test_examples_run(murk, name, request):
    if name == "murk audit":
        request.getfixturevalue("given_labels")
    if name.startswith("murk study"):
        request.getfixturevalue("a_study")
    if name in ("murk predict", "murk embed"):
        request.getfixturevalue("a_fit")
    program, *words = shlex.split(f"{example_of(name)} {SMALLER.get(name, '')}")
    outcome = murk("", *words)
    assert program == "murk" and outcome.exit_code == 0, outcome.stderr
    assert outcome.stdout


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_speaks_json_and_documents_its_options(name):
    options = {option for parameter in COMMANDS[name].params for option in parameter.opts}
    assert "--json" in options
    assert all(parameter.help for parameter in COMMANDS[name].params if parameter.name != "help")


@pytest.mark.parametrize("name", COMMANDS)
def test_the_page_of_commands_shows_each_with_its_example(name):
    page = (Path(__file__).parents[2] / "docs" / "commands.md").read_text(encoding="utf-8")
    assert f"## {name}\n" in page and f"```sh\n{example_of(name)}\n```" in page


def test_no_command_at_all_shows_the_help(murk):
    outcome = murk("")
    assert "Usage: murk" in outcome.output and "train" in outcome.output


def test_the_entry_point_runs_the_application(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["murk", "--version"])
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == 0 and capsys.readouterr().out.startswith("murk ")
