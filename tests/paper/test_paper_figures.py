"""The paper's figures: each is a study that runs, from its header to its points."""

from __future__ import annotations

import importlib
import json
import os
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from murk.errors import InputError
from murk.lab import Here, Store, Study, read_settings, resolve, run_id
from murk.paper import FIGURES, SIZES, draw_figure, figure_named, plan_figures, reproduce, size_named
from murk.paper.figure import Cell, accuracies
from murk.paper.gallery import panels_of
from murk.paper.rates import best_rates
from murk.paper.reproduce import Drawn
from murk.paper.ways import EXACT, INDEPENDENT, PAPER, RATES, TWO_VIEWS, trained
from murk.show import panels_svg

SMOKE, SMALL = size_named("smoke"), size_named("small")
REAL = Path(os.environ.get("MURK_DATA", "nowhere")) / "tiny-imagenet-12"


def outcome(accuracy: float) -> dict[str, object]:
    return {"estimates": {"accuracy": {"value": accuracy}}, "facts": {"test_examples": 1000}}


@pytest.fixture(scope="module")
def run_once(tmp_path_factory):
    """Figures 5, 6 and 8 at size smoke: what needs other runs first, other images, and a figure of its own."""
    figures = [figure_named(name) for name in ("fig5", "fig6", "fig8", "fig9")]
    store = Store(tmp_path_factory.mktemp("paper") / "smoke.sqlite")
    with store:
        yield store, {drawn.figure.name: drawn for drawn in reproduce(figures, SMOKE, store, executor=Here())}


@pytest.mark.parametrize("name", list(FIGURES))
def test_each_figure_is_one_file_whose_header_says_what_how_and_why(name):
    module = importlib.import_module(f"murk.paper.{name.replace('fig', 'figure')}")
    assert f"murk reproduce {name}" in module.__doc__
    assert "Shown:" in module.__doc__
    assert "Time:" in module.__doc__
    assert "paper" in module.__doc__.lower()


@pytest.mark.parametrize("name", [name for name in FIGURES if name != "fig5"])
@pytest.mark.parametrize("size", SIZES.values(), ids=list(SIZES))
def test_every_cell_is_a_setting_that_can_be_read(name, size):
    cells = list(FIGURES[name].cells(size, []))
    assert len(read_settings([{**cell.setting, "seed": 0} for cell in cells])) == len(cells)
    assert all(cell.seeds >= (1 if name == "rates" else 2) for cell in cells)


@pytest.mark.parametrize("name", ["fig1", "fig2", "fig6", "fig7", "fig8", "fig10", "fig11"])
def test_protocols_are_shown_the_same_number_of_images(name, tmp_path):
    """By steps and batches, and to half an epoch: an epoch is not cut."""
    with Store(tmp_path / "empty.sqlite") as store:
        (planned,) = plan_figures([figure_named(name)], size_named("small"), store, device="cpu")
    for number, cell in enumerate(planned.cells):
        _, run = planned.runs[number, 0]
        examples = run["train_size"] * (1 if run["source"] == "copies" else 1 + run["alpha"])
        epoch = round(examples * (1 - run["held_out"])) // run["batch_size"] * run["batch_size"]
        assert abs(run["epochs"] * epoch - cell.setting["passes"]) <= epoch / 2, cell


def test_small_leaves_out_what_its_note_says():
    assert max(SMALL.alphas) == 20
    assert (SMALL.digits["train_size"], SMALL.digits["passes"], SMALL.conv["width"]) == (10_000, 100_000, 16)
    assert all(part in SMALL.note for part in ("equal compute", "half width", "up to 20"))


def notes_of(name, size):
    cells = tuple(FIGURES[name].cells(size, []))
    return " ".join(panels_of(Drawn(FIGURES[name], size, cells, (), 0, len(cells), 0.0, ())).notes)


@pytest.mark.parametrize("size", SIZES.values(), ids=list(SIZES))
@pytest.mark.parametrize("name", ["fig1", "fig2", "fig6", "fig7", "fig8", "fig9", "fig10", "fig11", "rates"])
def test_the_picture_says_how_many_images_its_own_runs_have_and_show(name, size):
    said = re.search(r"Each run: (.*) images with a right label, about (.*) images shown\.", notes_of(name, size))
    for key, told in zip(("train_size", "passes"), said.groups(), strict=True):
        planned = {cell.setting[key] for cell in FIGURES[name].cells(size, [])}
        assert {int(part.replace(",", "")) for part in told.split(" to ")} == {min(planned), max(planned)}


def test_imagenet_is_never_said_to_be_digits():
    full, smoke = notes_of("fig3", size_named("full")), notes_of("fig3", SMOKE)
    assert "ImageNet" in full and "23,061,006 images shown" in full and "digits" not in full
    assert "ImageNet" in smoke and "240 images" in smoke and "digits" not in smoke


def test_a_panel_that_no_run_has_reached_is_drawn_and_one_of_another_size_says_so(tmp_path):
    with Store(tmp_path / "empty.sqlite") as store:
        six, eight = (panels_of(draw_figure(each, SMALL, store)) for each in
                      plan_figures([FIGURES["fig6"], FIGURES["fig8"]], SMALL, store, device="cpu"))  # fmt: skip
    assert len(six.names) == 4 and six.xs == [0, 2, 5, 10]
    assert panels_svg(six).count(b"nothing has run yet") == 4
    assert eight.names[-1] == "α = 50" and panels_svg(eight).count(b"not at this size") == 1


def test_the_ways_differ_in_training_alone():
    setting = {"model": "mlp4", "alpha": 20}
    assert trained(EXACT, setting) == {**setting, "protocol": "evidence", "weigh_as": "given"}
    assert trained(INDEPENDENT, setting)["weigh_as"] == "independent"
    assert trained(PAPER, setting) == {**setting, "protocol": "paper", "learning_rate": 0.3}
    assert trained(PAPER, {"model": "resnet18", "alpha": 100})["learning_rate"] == RATES["conv"][20]
    two_views = {"protocol": "evidence", "weigh_as": "independent", "consistency": 1.0}
    assert trained(TWO_VIEWS, setting) == {**setting, **two_views}


def test_two_views_are_trained_at_full_size_alone_for_half_the_epochs():
    full = size_named("full")
    cells = {(cell.series, cell.x): cell for cell in FIGURES["fig2"].cells(full, []) if cell.panel == "ResNet-18"}
    assert {x for series, x in cells if series == TWO_VIEWS} == {*full.photograph_alphas}
    assert not [cell for cell in FIGURES["fig2"].cells(SMALL, []) if cell.series == TWO_VIEWS]
    settings = read_settings([{**cells[way, 10].setting, "seed": 0} for way in (TWO_VIEWS, INDEPENDENT)])
    two, one = (resolve(setting, device="cpu")["epochs"] for setting in settings)
    assert two == one // 2


def test_a_figure_of_the_store_has_all_its_runs_and_draws_again_the_same(run_once):
    store, drawn = run_once
    for each in drawn.values():
        assert each.done == each.planned > 0
    again = {figure.figure.name: draw_figure(figure, SMOKE, store) for figure in
             plan_figures([each.figure for each in drawn.values()], SMOKE, store)}  # fmt: skip
    assert json.dumps(again["fig5"].rows) == json.dumps(drawn["fig5"].rows)


def test_what_has_run_is_not_run_again(run_once):
    store, drawn = run_once
    before = {run.id: run.attempts for run in store.runs()}
    reproduce([drawn["fig8"].figure, drawn["fig9"].figure], SMOKE, store)
    assert {run.id: run.attempts for run in store.runs()} == before


def test_a_figure_whose_needs_have_not_run_asks_for_nothing_yet(tmp_path):
    with Store(tmp_path / "empty.sqlite") as store:
        (planned,) = plan_figures([figure_named("fig5")], SMOKE, store)
        assert planned.cells == ()
        drawn = draw_figure(planned, SMOKE, store)
    assert drawn.rows == ()
    assert panels_of(drawn).notes == ["Runs that must come first have not all run yet."]


def test_the_orders_of_structured_noise_are_the_clean_networks_confusions(run_once):
    _, drawn = run_once
    panels = {row["panel"] for row in drawn["fig5"].rows}
    assert panels == {"Confusing first", "Reverse", "Random"}
    at_zero = [row["value"] for row in drawn["fig5"].rows if row["x"] == 0 and row["series"] == PAPER]
    assert len(set(at_zero)) == 1  # without structure there is no order


def test_figure_six_shows_clean_images_as_often_with_any_source(run_once):
    _, drawn = run_once
    clean = {row["panel"]: row["value"] for row in drawn["fig6"].rows if row["x"] == 0 and row["series"] == PAPER}
    assert len(set(clean.values())) == 1
    assert len(clean) == 4


def test_figure_four_draws_what_its_noise_model_says():
    """A wrong rank order or a wrong delta would move shares by more than any of these exact 99.9999 % intervals."""
    rows = FIGURES["fig4"].rows([], {})
    drawn = {(row["panel"], row["x"]): row for row in rows if row["series"] == "drawn"}
    expected = {(row["panel"], row["x"]): row["value"] for row in rows if row["series"] == "probability"}
    assert expected["δ = 1", 0] == pytest.approx(3 / 21) == pytest.approx(expected["δ = 1", 1])
    assert expected["δ = 0", 9] == pytest.approx(2 / 21)
    for key, row in drawn.items():  # 30 rows of 42,000 votes: six standard errors, false alarm 6e-8
        error = np.sqrt(expected[key] * (1 - expected[key]) / row["n_test"])
        assert abs(row["value"] - expected[key]) < 6 * error


def test_a_point_tells_its_seeds_and_has_no_interval_from_one():
    cells = [Cell("a", EXACT, 5, {}, 3), Cell("a", EXACT, 10, {}, 3), Cell("a", EXACT, 20, {}, 3)]
    found = accuracies(cells, {(0, 0): outcome(0.9), (1, 0): outcome(0.8), (1, 2): outcome(0.7)})
    assert [(row["x"], row["n_seeds"], row["planned"]) for row in found] == [(5, 1, 3), (10, 2, 3)]
    assert found[0]["low"] is None
    assert found[1]["low"] < 0.7 < 0.8 < found[1]["high"]


def test_the_rate_is_the_one_with_the_lowest_held_out_loss():
    setting = {"model": "mlp2", "alpha": 5}
    rates, losses = (0.1, 0.3, 1.0, 3.0), (1.0, 0.7, 0.9, 2.0)
    cells = [Cell("a panel", PAPER, rate, setting, 1) for rate in rates]
    rows = [{"panel": "a panel", "x": rate, "value": loss} for rate, loss in zip(rates, losses, strict=True)]
    assert best_rates(cells, rows)["mlp2"] == {5: 0.3}
    assert best_rates(cells, rows[:-1])["mlp2"] == {}


def test_top_five_is_drawn_beside_top_one_of_the_same_runs():
    cells = list(FIGURES["fig3"].cells(SMOKE, []))[:1]
    found = {(0, seed): {"estimates": {"accuracy": {"value": 0.2 + seed / 100}, "top5": {"value": 0.6 + seed / 100}},
                         "facts": {"test_examples": 120}} for seed in (0, 1)}  # fmt: skip
    rows = FIGURES["fig3"].rows(cells, found)
    means = [(row["panel"], round(row["value"], 3), row["n_seeds"]) for row in rows]
    assert means == [("Top-1", 0.205, 2), ("Top-5", 0.605, 2)]
    assert list(FIGURES["fig3"].places(cells)) == [(row["panel"], row["x"]) for row in rows]


@pytest.mark.skipif(not REAL.is_dir(), reason="MURK_DATA names no folder that holds tiny-imagenet-12")
def test_figure_three_trains_on_folders_of_imagenets_classes_and_counts_both_ranks(tmp_path):
    figure = FIGURES["fig3"]
    assert figure.lacks(SMOKE) == ""
    cells = [replace(cell, setting={**cell.setting, "passes": 240}) for cell in list(figure.cells(SMOKE, []))[:2]]
    study = Study.of("fig3", runs=[{**cell.setting, "seed": 0} for cell in cells])
    with Store(tmp_path / "fig3.sqlite") as store:
        study.run(store, device="cpu")
        done = store.runs("fig3", states=["done"])
    assert len(done) == 2
    rows = figure.rows(cells, {(number, 0): run.outcome for number, run in enumerate(done)})
    one, five = ([row["value"] for row in rows if row["panel"] == panel] for panel in ("Top-1", "Top-5"))
    assert all(0 <= first <= among <= 1 for first, among in zip(one, five, strict=True))
    assert max(five) > max(one), "of 12 classes, five guesses are right more often than one"


def test_a_figure_that_cannot_be_run_here_is_refused_and_says_what_it_lacks(tmp_path, monkeypatch):
    monkeypatch.setenv("MURK_DATA", str(tmp_path))
    with Store(tmp_path / "paper.sqlite") as store, pytest.raises(InputError, match="fig3 takes ImageNet and a GPU"):
        reproduce([FIGURES["fig3"]], SMALL, store)
    assert "tiny-imagenet-12" in FIGURES["fig3"].lacks(SMOKE)
    assert "MURK_DATA/imagenet" in FIGURES["fig3"].lacks(size_named("full"))
    (tmp_path / "tiny-imagenet-12").mkdir()
    (tmp_path / "imagenet").mkdir()
    assert not FIGURES["fig3"].lacks(SMOKE) and not FIGURES["fig3"].lacks(size_named("full"))
    assert not any(figure.lacks(size) for name, figure in FIGURES.items() if name != "fig3" for size in SIZES.values())


def done_in(precision, store, planned):
    """Note every run of a figure as done in another precision."""
    runs = []
    for _, settings in planned.runs.values():
        other = {**settings, "precision": precision}
        runs.append((run_id(other), other))
    runs = list(dict(runs).items())
    with store.driving():
        store.add_study("elsewhere", runs)
        for run, _ in runs:
            store.start(run)
            store.finish(run, {**outcome(0.5), "machine": {"precision": precision},
                               "facts": {"test_examples": 200, "training_seconds": 1.0}})  # fmt: skip


def test_what_another_precision_has_done_is_drawn_and_not_done_again(tmp_path):
    figure = FIGURES["fig7"]
    with Store(tmp_path / "paper.sqlite") as store:
        (planned,) = plan_figures([figure], SMOKE, store, device="cpu")
        here = next(iter(planned.runs.values()))[1]["precision"]
        done_in("bfloat16" if here == "float32" else "float32", store, planned)
        (drawn,) = reproduce([figure], SMOKE, store, device="cpu")
        assert drawn.done == drawn.planned == len(planned.ids)
        assert {run.attempts for run in store.runs()} == {1}
        assert store.counts("paper/smoke/fig7") == store.counts("elsewhere"), "they are the study's runs, all done"
        assert [machine["precision"] for machine in drawn.machines] != [here]


def test_the_runs_of_a_store_are_read_once_for_all_figures_of_a_plan(tmp_path, monkeypatch):
    figures = [FIGURES[name] for name in ("fig6", "fig7", "fig8", "fig9")]
    with Store(tmp_path / "paper.sqlite") as store:
        asked = []
        monkeypatch.setattr(store, "runs", lambda *args, states=(), **_: asked.append(tuple(states)) or [])
        plans = plan_figures(figures, SMOKE, store, device="cpu")
        for plan in plans:
            draw_figure(plan, SMOKE, store)
    assert all(plan.runs for plan in plans)
    assert asked.count(("done",)) == 1


def test_failures_are_those_of_the_figures_asked_for_and_of_what_must_come_first(tmp_path, monkeypatch):
    def fail(*_, **__):
        raise ValueError("no luck")

    with Store(tmp_path / "paper.sqlite") as store:
        with monkeypatch.context() as patch:
            patch.setattr("murk.lab.driver.compute_run", fail)
            patch.setattr("murk.lab.driver.compute_batch", fail)
            five, seven = reproduce([FIGURES["fig5"], FIGURES["fig7"]], SMOKE, store)
        assert len(five.failed) == 2, "the two networks whose confusions are needed"
        assert len(seven.failed) == seven.planned and "failed" in " ".join(panels_of(seven).notes)
        assert "2 failed" in " ".join(panels_of(five).notes)
        (four,) = reproduce([FIGURES["fig4"]], SMOKE, store)
        assert four.failed == ()
        (again,) = reproduce([FIGURES["fig7"]], SMOKE, store)
        assert len(again.failed) == again.planned, "what failed is not run again unless asked"
        (retried,) = reproduce([FIGURES["fig7"]], SMOKE, store, retry_failed=True)
        assert retried.failed == () and retried.done == retried.planned
        assert len(store.runs(states=["failed"])) == 2, "those of figure 5, which was not asked for"
        (five,) = reproduce([FIGURES["fig5"]], SMOKE, store, retry_failed=True, minutes=1e-7)
        assert five.failed == (), "what must come first waits again, too"


def test_unknown_names_are_refused_with_the_nearest():
    with pytest.raises(InputError, match="did you mean 'fig1'"):
        figure_named("figg1")
    with pytest.raises(InputError, match="did you mean 'small'"):
        size_named("smal")
