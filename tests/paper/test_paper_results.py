"""The results of the study as a file, and what the page and the figures' headers say of them."""

from __future__ import annotations

import importlib
import importlib.util
import re
from pathlib import Path

import pytest

from murk.lab import run_id
from murk.lab.study_results import ReportedRun
from murk.paper import FIGURES, Drawn, size_named
from murk.paper.gallery import gallery_text
from murk.paper.ways import EXACT, INDEPENDENT, PAPER, TWO_VIEWS

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "paper.py"
FULL, SMALL = size_named("full"), size_named("small")


@pytest.fixture(scope="module")
def paper():
    spec = importlib.util.spec_from_file_location("paper", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def small(paper):
    return {each.figure.name: each for each in paper.what_is_shown(SMALL)}


@pytest.mark.parametrize("name", [name for name in FIGURES if name not in ("fig3", "fig4", "fig9")])
def test_a_figures_header_says_how_long_its_runs_took(name, small):
    """Within half of it either way: kinds of machine differ. Figure 9 has the runs of figure 8; 3 and 4 have none."""
    module = importlib.import_module(f"murk.paper.{name.replace('fig', 'figure')}")
    said = float(re.search(r"size small, about (\d+) minutes", module.__doc__)[1])
    assert 1 / 1.5 <= said / (small[name].seconds / 60) <= 1.5, f"`{SCRIPT.name} --minutes` gives the minutes"


def test_the_minutes_of_each_figure_are_printed(paper, small, monkeypatch, capsys):
    monkeypatch.setattr(paper, "what_is_shown", lambda size: list(small.values()))
    paper.main(["--minutes"])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == [*small, "all"]
    assert f"{small['fig2'].seconds / 60:.0f} minutes" in lines[list(small).index("fig2")]


def run(precision: str, seed: int, device: str = "cpu") -> ReportedRun:
    settings = {"model": "perceptron", "seed": seed, "device": device, "precision": precision}
    return ReportedRun(run_id(settings), settings, "done", 1, None, {}, None, None, None)


@pytest.mark.parametrize("rest", ["bfloat16", "float32"])
def test_of_what_two_kinds_of_machine_have_run_one_is_kept_that_belongs_with_the_rest(paper, rest):
    """Whatever stands first in the file, and whatever the machine of who reads it."""
    twice = [run(precision, seed) for seed in (0, 1) for precision in ("bfloat16", "float32")]
    alone = [run(rest, seed) for seed in (2, 3)]
    other = [run("float32" if rest == "bfloat16" else "bfloat16", 4)]
    for runs in ([*twice, *alone, *other], [*other, *alone, *reversed(twice)]):
        kept = {run.settings["seed"]: run.settings["precision"] for run in paper.one_of_each(runs)}
        assert kept == {**dict.fromkeys(range(4), rest), 4: other[0].settings["precision"]}


def test_the_page_says_that_metrics_are_left_out_of_the_results(paper, small):
    assert "Metrics step by step are not in it" in paper.FIRST["Numbers"]
    assert not any(run.metrics for run in paper.StudyResults.read(paper.results_of(SMALL)).runs)


def reached(values: dict[str, float]) -> Drawn:
    point = {"panel": "ResNet-18", "x": 10, "low": None, "high": None, "n_seeds": 1, "planned": 3, "n_test": 10}
    rows = tuple({**point, "series": way, "value": value, "seeds": {0: value}} for way, value in values.items())
    return Drawn(FIGURES["fig2"], FULL, (), rows, 1, 3, 1.0, ())


def test_what_was_aimed_at_stands_beside_what_was_reached_and_what_has_not_run(paper):
    said = paper.aimed_and_reached([reached({EXACT: 0.857, TWO_VIEWS: 0.91})])
    assert "exact dilution: aimed at 89%, reached 85.7% (n = 1 of 3 seeds)" in said
    assert "independent votes: aimed at 85%, not run" in said
    assert "two views agreeing: aimed at 93%, reached 91.0%" in said
    assert "The paper's training: no aim of its own, not run" in said
    assert paper.aimed_and_reached([]).count("not run") == 4
    assert {*paper.AIMS, PAPER} == {EXACT, INDEPENDENT, TWO_VIEWS, PAPER}


def test_the_head_of_the_page_says_what_it_rests_on(small):
    """What intervals are, what has learned, where rates come from, which rules are late, what weighs one vote."""
    text = " ".join(gallery_text(list(small.values()), pictures=".").split())
    for words in (
        r"95 %, Student's over the seeds that have run \(n = 3 on digits, 2 on photographs planned\)",
        "more than 30% of the test images", "at size small, with one seed, on MNIST", "highest above 0 at which every",
        "settled after runs of size small had been seen", "which is plain cross-entropy",
        "figure 9's Student's of log N",
    ):  # fmt: skip
        assert re.search(words, text), words


def test_how_near_the_choice_of_rates_was_is_read_from_their_runs(paper, small):
    said = paper.nearness_of_rates(list(small.values()))
    losses = sorted(row["value"] for row in small["rates"].rows if row["panel"] == "conv4, α = 20")
    assert f"conv4 by {losses[1] - losses[0]:.4f}, to {losses[0]:.4f}" in said and "(guessing: 2.3026)" in said
