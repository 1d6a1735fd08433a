"""Noise to be found, on the command line: said in words, kept in the result, and nothing else is left behind."""

import json
import re

import pytest
from commands import run

from murk.cli.failure import NOTHING_KEPT, kept_on_interrupt

QUICK = "--model mlp1 --epochs 20 --device cpu --seed 0"


def test_it_is_found_for_votes_that_were_drawn_and_for_those_of_a_table(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    drawn = run(*f"train digits --noise symmetric:.4 --weigh-as auto {QUICK} -o drawn".split()).stdout
    assert "of the labels are wrong" in drawn and "there are no votes on the test examples" in " ".join(drawn.split())
    run(*"dilute digits --noise symmetric:.4 -o votes.parquet".split())
    told = json.loads(run(*f"train digits --votes votes.parquet --noise auto {QUICK} -o table --json".split()).stdout)
    found = told["facts"]["found"]
    assert found["family"] == "uniform" and abs(found["noise_rate"]["value"] - 0.4) < 0.1  # 1,297 votes: 7 SD of .5
    assert told["settings"]["weigh_as"] == "auto"
    for folder in ("drawn", "table"):
        assert sorted(path.name for path in (tmp_path / folder).iterdir()) == [
            "fit",
            "predictions.parquet",
            "result.json",
        ]


def test_that_one_vote_is_right_is_for_dilutions_told_as_such(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run(*f"train digits --alpha 5 --weigh-as auto:one-right {QUICK} -o run".split())
    noise = json.loads((tmp_path / "run" / "fit" / "fit.json").read_text())["noise"]
    assert (noise["kind"], noise["alpha"]) == ("dilution", 5)


def test_ctrl_c_tells_what_is_kept_wherever_it_came(tmp_path):
    main, scout = tmp_path / "run", tmp_path / "run.scout1"
    with pytest.raises(KeyboardInterrupt, match=re.escape(NOTHING_KEPT)), kept_on_interrupt("kept", main, scout):
        raise KeyboardInterrupt
    scout.touch()
    with pytest.raises(KeyboardInterrupt, match=r"^kept$"), kept_on_interrupt("kept", main, scout):
        raise KeyboardInterrupt
