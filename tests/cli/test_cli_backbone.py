"""A backbone of a user's own by its import path: where it is looked for, and when it is told that it will not do."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from commands import run

BODY = "from torch import nn\ndef body():\n    return nn.Linear(2, 3)\n"


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A table in the working folder; what a command adds to where modules are looked for is taken back."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    rows = [f"{number / 2},{number % 2},{'xy'[number % 2]}" for number in range(20)]
    (tmp_path / "t.csv").write_text("\n".join(["a,b,label", *rows, ""]), encoding="utf-8")
    return tmp_path


def train(model):
    options = ["--noise", "symmetric:.1", "--epochs", "1", "--model", model, "--allow-import", "-o", "run"]
    return ["train", "t.csv", *options]


def test_the_installed_program_finds_a_module_that_lies_in_the_working_folder(here):
    (here / "a_body_here.py").write_text(BODY, encoding="utf-8")
    program = Path(sys.executable).with_name("murk")
    outcome = subprocess.run([program, *train("a_body_here:body")], cwd=here, capture_output=True, text=True)
    assert outcome.returncode == 0, outcome.stderr
    assert (here / "run" / "result.json").is_file()


def test_no_file_of_the_working_folder_takes_the_place_of_an_installed_package(here):
    (here / "rich.py").write_text("raise SystemError('this is not rich')\n", encoding="utf-8")
    (here / "one_more_body.py").write_text("import rich.table\n" + BODY, encoding="utf-8")
    run(*train("one_more_body:body"))


@pytest.mark.parametrize(("code", "told"), [
    ("def body(:\n", "SyntaxError: "), ("body = undefined\n", "NameError: name 'undefined' is not defined"),
    ("1 / 0\n", "ZeroDivisionError: division by zero"), ("raise SystemExit(0)\n", "SystemExit: 0"),
    ("import no_such_package_anywhere\n", "No module named 'no_such_package_anywhere'"),
    ("import torch\n", "has no 'body'"),
], ids=["syntax", "name", "zero", "exit", "missing", "other"])  # fmt: skip
def test_what_keeps_a_module_from_being_imported_is_told_before_the_data_is_read(here, request, code, told):
    name = f"bad_body_{request.node.callspec.id}"
    (here / f"{name}.py").write_text(code, encoding="utf-8")
    (here / "t.csv").unlink()
    said = run(*train(f"{name}:body"), exit_code=2).stderr
    assert repr(name) in said and told in said and said.count("\n") == 1 and not (here / "run").exists()
