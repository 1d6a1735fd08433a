"""The paper's figures: each is a study that runs, from its header to its points."""

from __future__ import annotations

import importlib
import json

import numpy as np
import pytest

from murk.errors import InputError
from murk.lab import Here, Store
from murk.paper import FIGURES, SIZES, draw_figure, figure_named, plan_figures, reproduce, size_named
from murk.paper.figure import Cell, accuracies
from murk.paper.figure9 import labels_needed, needed_by_seed
from murk.paper.figure9 import rows as needed_rows
from murk.paper.gallery import panels_of
from murk.paper.rates import best_rates
from murk.paper.ways import EXACT, INDEPENDENT, PAPER, RATES, trained

SMOKE = size_named("smoke")


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
    from murk.lab import read_settings

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
    small = size_named("small")
    assert max(small.alphas) == 20
    assert (small.digits["train_size"], small.digits["passes"], small.conv["width"]) == (10_000, 100_000, 16)
    assert all(part in small.note for part in ("10,000", "100,000", "half width", "up to 20"))


def test_the_ways_differ_in_training_alone():
    setting = {"model": "mlp4", "alpha": 20}
    assert trained(EXACT, setting) == {**setting, "protocol": "evidence", "weigh_as": "given"}
    assert trained(INDEPENDENT, setting)["weigh_as"] == "independent"
    assert trained(PAPER, setting) == {**setting, "protocol": "paper", "learning_rate": 0.3}
    assert trained(PAPER, {"model": "resnet18", "alpha": 100})["learning_rate"] == RATES["conv"][20]


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


def test_labels_needed_are_interpolated_in_log_n_and_never_extrapolated():
    assert labels_needed([100, 1000], [0.8, 0.9], 0.85) == pytest.approx(np.sqrt(100 * 1000), abs=1e-5)
    assert labels_needed([100, 1000], [0.8, 0.9], 0.8) is None
    assert labels_needed([100, 1000], [0.8, 0.9], 0.95) is None
    with pytest.raises(InputError, match="rise"):
        labels_needed([1000, 100], [0.9, 0.8], 0.85)


def test_figure_nine_finds_the_power_of_a_made_up_threshold():
    """Accuracies that depend on N / (1 + alpha) alone need N in proportion to 1 + alpha."""
    counts, alphas = (100, 1000, 10_000), (0, 4, 9)
    cells = [Cell(f"α = {alpha}", EXACT, n, {}, 2) for alpha in alphas for n in counts]
    outcomes = {
        (number, seed): outcome(1 - 0.5 * (cell.x / (1 + int(cell.panel[4:])) / 20) ** -0.5)
        for number, cell in enumerate(cells) for seed in range(2)
    }  # fmt: skip
    needed = needed_by_seed(cells, outcomes, 0.9)
    assert set(needed) == {(f"α = {alpha}", EXACT) for alpha in alphas}
    found = [row for row in needed_rows(cells, outcomes) if row["panel"] == "90% right"]
    assert found[2]["value"] / found[0]["value"] == pytest.approx(10, rel=0.05)
    assert all(row["low"] <= row["value"] <= row["high"] for row in found)


def test_the_rate_is_the_one_with_the_lowest_held_out_loss():
    rows = [{"panel": "mlp2, α = 5", "x": rate, "value": loss}
            for rate, loss in zip((0.1, 0.3, 1.0, 3.0), (1.0, 0.7, 0.9, 2.0), strict=True)]  # fmt: skip
    assert best_rates(rows)["mlp2"] == {5: 0.3}
    assert best_rates(rows[:-1])["mlp2"] == {}


def test_unknown_names_are_refused_with_the_nearest():
    with pytest.raises(InputError, match="did you mean 'fig1'"):
        figure_named("figg1")
    with pytest.raises(InputError, match="did you mean 'small'"):
        size_named("smal")
