"""What a command shows of names and texts from a user's files: as text, whatever they would do to a terminal."""

from __future__ import annotations

import io
import sys

import pytest
from commands import run

from murk.cli.progress import progress_bar

ESCAPE = "\x1b"


class Terminal(io.StringIO):
    """What takes itself for a terminal."""

    def isatty(self):
        return True


@pytest.mark.parametrize("terminal", [True, False])
@pytest.mark.parametrize("name", ["photos[/b]", "[bold]photos", "a[link=x]b"])
def test_brackets_in_names_are_no_markup(monkeypatch, terminal, name):
    shown = Terminal() if terminal else io.StringIO()
    monkeypatch.setattr(sys, "stderr", shown)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "200")
    with progress_bar(f"reading {name}") as advance:
        advance(1, 2, f"from {name}", milestone=True)
    assert f"reading {name}" in shown.getvalue() and f"from {name}" in shown.getvalue()


@pytest.mark.parametrize("terminal", [True, False])
def test_progress_sends_no_escape_of_a_name(monkeypatch, terminal):
    shown = Terminal() if terminal else io.StringIO()
    monkeypatch.setattr(sys, "stderr", shown)
    monkeypatch.setenv("TERM", "xterm")
    with progress_bar(f"reading {ESCAPE}]0;mine") as advance:
        advance(1, 2, f"{ESCAPE}]0;too", milestone=True)
    assert f"{ESCAPE}]0" not in shown.getvalue() and "]0;mine" in shown.getvalue()


def test_a_failure_that_quotes_a_file_sends_no_escape(tmp_path):
    (tmp_path / "t.csv").write_text(f"a,b,label\n1,2,x\n{ESCAPE}[2J{ESCAPE}]0;mine\x07,1,2,3\n", encoding="utf-8")
    said = run("data", "show", "t.csv", exit_code=None).stderr
    assert "[2J" in said and ESCAPE not in said and "\x07" not in said and said.count("\n") == 1


def test_what_looks_odd_sends_no_escape_of_the_name_of_a_file(tmp_path):
    rows = [f"{number},{number % 2},{'xy'[number % 2]},word" for number in range(12)]
    (tmp_path / f"t{ESCAPE}[2J.csv").write_text("\n".join(["a,b,label,note", *rows, ""]), encoding="utf-8")
    said = run("train", f"./t{ESCAPE}[2J.csv", "--noise", "symmetric:.1", "--epochs", 1, "-o", "run").stderr
    assert "'note'" in said and ESCAPE not in said


def write_wide(path, voters, classes):
    """A table with so many columns of votes, and classes that occur twice each."""
    rows = [f"{k},{k % 3}," + ",".join([f"class{k % classes}"] * voters) for k in range(2 * classes)]
    names = ["a", "b", *(f"vote_{voter}" for voter in range(voters))]
    path.write_text("\n".join([",".join(names), *rows, ""]), encoding="utf-8")


def test_all_annotators_are_shown_in_order_and_what_is_left_out_of_the_classes_is_counted(tmp_path):
    write_wide(tmp_path / "t.csv", voters=60, classes=53)
    shown = "".join(run("data", "show", "t.csv").stdout.replace("│", "").split())
    assert ",".join(f"vote_{voter}" for voter in range(60)) in shown
    assert "class49120,and3more;--jsonhasall" in shown and "class50120" not in shown


def test_predictions_of_many_classes_say_how_many_are_left_out(tmp_path):
    write_wide(tmp_path / "t.csv", voters=1, classes=22)
    run("train", "t.csv", "--noise", "symmetric:.1", "--model", "perceptron", "--epochs", 1, "-o", "run")
    shown = run("predict", "run", "t.csv", "-o", "p.csv").stdout
    assert "taken for class19" in shown and "taken for class20" not in shown and "and 2 more; --json has all" in shown
