"""How the command line fails: exit codes, one line, the nearest name, nothing half-written."""

from __future__ import annotations

import pytest

import murk as package


def test_version_is_the_package_version(murk):
    outcome = murk("--version")
    assert outcome.exit_code == 0 and outcome.stdout == f"murk {package.__version__}\n"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("data show mnits", "did you mean 'mnist'?"),
        ("data fetch digit", "did you mean 'digits'?"),
        ("data show digits --noise dilutoin:20", "nearest: dilution"),
        ("data show digits --noise dilution:2.5", "alpha is a whole number"),
        ("dilute digits -o v.csv", "say how labels go wrong"),
        ("dilute digits --alpha 2 -o v.txt", "ends in .parquet or .csv"),
        ("dilute digits --alpha 2 --source same-sat -o v.csv", "same-set"),
        ("dilute digits --alpha 2 --noise symmetric:0.2 -o v.csv", "give one of them"),
        ("dilute digits --alpha 2 --delta 0.5 -o v.csv", "--delta goes with --pattern structured"),
        ("dilute digits --alpha 2 --pattern structured --delta 1 -o v.csv", "alpha >= K delta"),
        ("dilute digits --noise symmetric:0.2 --source white -o v.csv", "goes with a dilution"),
        ("train digits -o out", "say how labels go wrong"),
        ("train digits --alpha 1 --model conv33 -o out", "did you mean 'conv3'?"),
        ("train digits --alpha 1 --loss evidense -o out", "did you mean 'evidence'?"),
        ("train digits --alpha 1 --weigh-as independant -o out", "did you mean 'independent'?"),
        ("train digits --alpha 1 --augment flip -o out", "--augment is auto, none"),
        ("train digits --alpha 1 --device abacus -o out", "device 'abacus' cannot be used"),
        ("train digits --alpha 1 --epochs 0 -o out", "--epochs is a whole number > 0"),
        ("train digits --noise symmetric:0.2 --weigh-as independent -o out", "only votes of a dilution"),
    ],
)
def test_bad_input_exits_2_with_one_line_that_helps(murk, tmp_path, line, said):
    outcome = murk(line)
    assert outcome.exit_code == 2, outcome.output
    assert said in outcome.stderr and outcome.stderr.startswith("murk: ") and outcome.stderr.count("\n") == 1
    assert not outcome.stdout
    assert {path.name for path in tmp_path.iterdir()} <= {"cache"}, "something half-written is left"


@pytest.mark.parametrize(
    "line",
    ["dilute digits --alpha 2.5 -o v.csv", "train digits --alpha 1", "data show", "data sow", "train --alhpa 1", "fly",
     "dilute digits --alpha -1 -o v.csv", "data show digits --seed -1", "dilute digits --pattern unifrom -o v.csv"],
)  # fmt: skip
def test_bad_options_exit_2_and_print_nothing_on_stdout(murk, line):
    outcome = murk(line)
    assert outcome.exit_code == 2 and outcome.stderr and not outcome.stdout


def test_missing_files_fail_with_1(murk):
    outcome = murk("train digits --votes nowhere.parquet -o out")
    assert outcome.exit_code == 1 and "there is no file nowhere.parquet" in outcome.stderr


def test_a_damaged_table_of_votes_fails_with_1(murk, tmp_path):
    (tmp_path / "votes.parquet").write_bytes(b"PAR1 not really")
    outcome = murk("train digits --votes votes.parquet -o out")
    assert outcome.exit_code == 1 and outcome.stderr.startswith("murk: votes.parquet cannot be read")


def test_what_was_not_foreseen_is_told_shortly_and_the_traceback_on_request(murk, monkeypatch):
    def fail(*_, **__):
        raise RuntimeError("the cat\nsat on it")

    monkeypatch.setattr("murk.data.load", fail)
    outcome = murk("data show digits")
    assert outcome.exit_code == 1
    assert outcome.stderr == ("murk: unexpected RuntimeError: the cat sat on it; set MURK_TRACEBACK=1 to see where\n")
    monkeypatch.setenv("MURK_TRACEBACK", "1")
    told = murk("data show digits").stderr
    assert "Traceback (most recent call last)" in told and told.endswith(
        "murk: unexpected RuntimeError: the cat sat on it\n"
    )


def test_ctrl_c_where_nothing_is_kept_says_so(murk, monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("murk.data.load", interrupt)
    outcome = murk("data show digits")
    assert outcome.exit_code == 130 and outcome.stderr.startswith("murk: interrupted: nothing is left half-written")
