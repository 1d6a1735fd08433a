"""`murk reproduce`: figures of the paper from runs that stay, as pictures, numbers and a gallery."""

from __future__ import annotations

import csv
import io
import re
import shlex

import pytest

from murk.lab import Store
from murk.paper import FIGURES

SMOKE = "reproduce {} --size smoke --jobs 1"


@pytest.fixture
def paper(tmp_path):
    return tmp_path / "out" / "paper"


def test_a_figure_is_run_drawn_and_never_run_again(murk, murk_json, paper):
    said = murk_json(SMOKE.format("fig7"))
    (figure,) = said["figures"]
    assert (said["size"], figure["name"]) == ("smoke", "fig7")
    assert figure["done"] == figure["planned"] > 0 and figure["seeds"] == [2, 2] and figure["seconds"] > 0
    assert said["files"] == ["out/paper/fig7.svg", "out/paper/fig7.csv"] and not said["failed"] and not said["claims"]
    svg, rows = (paper / "fig7.svg").read_text(), list(csv.DictReader(io.StringIO((paper / "fig7.csv").read_text())))
    assert svg.lstrip().startswith("<?xml") and len(rows) > 1 and all(0 <= float(row["value"]) <= 1 for row in rows)
    again = murk(SMOKE.format("fig7"))
    assert again.exit_code == 0 and f"{figure['done']} of {figure['planned']}" in again.stdout
    with Store(paper / "smoke.sqlite", read_only=True) as store:
        assert {run.attempts for run in store.runs()} == {1}
    (paper / "fig7.svg").unlink()
    assert murk_json(SMOKE.format("fig7") + " --draw")["figures"] == said["figures"]
    assert (paper / "fig7.svg").read_text() == svg, "drawn again, it is the same picture"


def test_when_the_minutes_are_over_what_is_there_is_drawn_and_the_rest_comes_later(murk_json, paper):
    line = SMOKE.format("fig7 fig8")
    first = murk_json(f"{line} --minutes 0.0000001 --store kept.sqlite")["figures"]
    assert [figure["done"] for figure in first] == [0, 0] and all(figure["planned"] for figure in first)
    drawn = murk_json(f"{line} --store kept.sqlite --draw")["figures"]
    assert drawn == first and {path.name for path in paper.iterdir()} == {
        "fig7.svg",
        "fig7.csv",
        "fig8.svg",
        "fig8.csv",
    }


def test_all_gives_every_figure_but_imagenet_with_claims_and_gallery(murk, paper):
    outcome = murk(SMOKE.format("all") + " --minutes 0.0000001", "--store", "my runs.sqlite")
    assert outcome.exit_code == 0, outcome.stderr
    assert "fig3 is left out: it takes the folder of images tiny-imagenet-12 in MURK_DATA" in outcome.stderr
    names = {path.name for path in paper.iterdir()}
    figures = {f"{name}.{kind}" for name in FIGURES if name != "fig3" for kind in ("svg", "csv")}
    assert figures | {"index.html", "gallery.md", "claims.csv"} <= names and "fig3.svg" not in names
    assert "not run" in outcome.stdout and "out/paper/index.html" in outcome.stdout
    redraws = re.search("`murk (reproduce fig7 .*?)`", (paper / "gallery.md").read_text())[1]
    assert murk("", *shlex.split(redraws)).exit_code == 0, "the page's command draws from the store that was named"


def test_claims_bring_the_figures_they_need_and_no_gallery(murk_json, paper):
    said = murk_json(SMOKE.format("claims") + " --minutes 0.0000001")
    rows = list(csv.DictReader(io.StringIO((paper / "claims.csv").read_text())))
    assert len(rows) == len(said["claims"]) > 0 and {row["figure"] for row in rows} == {
        f["name"] for f in said["figures"]
    }
    assert "out/paper/claims.csv" in said["files"] and not (paper / "index.html").exists()


def test_runs_that_fail_are_told_with_the_command_that_runs_them_again(murk, monkeypatch):
    def fail(*_, **__):
        raise ValueError("no luck")

    monkeypatch.setattr("murk.lab.driver.compute_run", fail)
    monkeypatch.setattr("murk.lab.driver.compute_batch", fail)
    place = ["--store", "my runs.sqlite", "--out", "a b"]
    outcome = murk(SMOKE.format("fig5 fig7"), *place)
    assert outcome.exit_code == 1 and "ValueError: no luck" in outcome.stdout
    (said,) = [line for line in outcome.stdout.splitlines() if line.startswith("To run again what failed: murk ")]
    command = shlex.split(said.partition(": murk ")[2])
    assert command == ["reproduce", "fig5", "fig7", "--size", "smoke", "--out", "a b", "--store", "my runs.sqlite",
                       "--retry-failed"]  # fmt: skip
    other = murk(SMOKE.format("fig4"), *place)
    assert other.exit_code == 0 and "no luck" not in other.stdout, "fig4 has nothing to do with what failed"
    seen = murk("reproduce fig7 --size smoke --draw", *place)
    assert seen.exit_code == 0 and "no luck" in seen.stdout, "looking at it has not failed"
    again = murk("", *command, "--jobs", "1", "--minutes", "0.0000001")
    assert again.exit_code == 0 and "no luck" not in again.stdout, "all of it waits again, for more minutes"


@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        ("reproduce fig77", 2, "did you mean 'fig7'?"),
        ("reproduce fig1 clams", 2, "did you mean 'claims'?"),
        ("reproduce fig1 --size smal", 2, "did you mean 'small'?"),
        ("reproduce fig3", 2, "fig3 takes ImageNet and a GPU: give --size full"),
        ("reproduce fig1 --size smoke --out file", 2, "is a file"),
        ("reproduce fig1 --size smoke --jobs 2 --ray auto", 2, "give one of them"),
        ("reproduce fig3 --size smoke", 2, "fig3 takes the folder of images tiny-imagenet-12 in MURK_DATA"),
        ("reproduce fig1 --size smoke --draw --retry-failed", 2, "give one of them"),
        ("reproduce fig1 --size smoke --draw", 1, "there is no store out/paper/smoke.sqlite"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_written(murk, tmp_path, line, code, said):
    (tmp_path / "file").write_text("in the way")
    outcome = murk(line)
    assert outcome.exit_code == code and said in outcome.stderr and not outcome.stdout, outcome.stderr
    assert {path.name for path in tmp_path.iterdir()} == {"file"}
