"""Methods under one protocol: what is alike for all, who is told the noise, and what the numbers say."""

from __future__ import annotations

import pytest

from murk.lab import read_settings
from murk.learn.methods import METHODS
from murk.paper import COMPARISONS, FIGURES, figure_named, size_named
from murk.paper.methods import AUTO, ORACLES, SERIES

OWN = {"method", "weigh_as", "norm", "precision"}  # all in which two methods of one noise may differ
CELLS = list(COMPARISONS["methods"].cells(size_named("small"), ()))


@pytest.mark.parametrize("name", COMPARISONS)
@pytest.mark.parametrize("size", ["smoke", "small", "full"])
def test_all_settings_can_be_read_and_each_stands_once(name: str, size: str) -> None:
    figure = COMPARISONS[name]
    if figure.lacks(size_named(size)):
        return
    cells = list(figure.cells(size_named(size), ()))
    assert read_settings([dict(cell.setting) for cell in cells])
    each = {(cell.panel, cell.series, cell.x, cell.setting.get("searched")) for cell in cells}  # splits make one point
    assert len(each) == len(cells)


def test_network_budget_and_data_are_the_same_for_all_methods() -> None:
    for panel in {cell.panel for cell in CELLS}:
        shared = [{name: value for name, value in cell.setting.items() if name not in OWN}
                  for cell in CELLS if cell.panel == panel]  # fmt: skip
        assert all(setting == shared[0] for setting in shared)
    assert {cell.seeds for cell in CELLS} == {3}


def test_every_registered_method_is_compared_and_only_oracles_are_told_the_noise() -> None:
    telling_classes = {name for name, method in METHODS.items() if not method.trains_embeddings}
    assert {cell.setting["method"] for cell in CELLS} == telling_classes
    told = {cell.series for cell in CELLS if cell.setting["weigh_as"] in ("given", "independent")}
    assert told == set(ORACLES)
    assert {cell.setting["weigh_as"] for cell in CELLS if cell.series == AUTO} == {"auto"}
    assert {cell.series for cell in CELLS} == set(SERIES)


def test_comparisons_run_by_their_own_names_and_are_no_figures_of_the_paper() -> None:
    assert not set(COMPARISONS) & set(FIGURES)
    assert figure_named("methods") is COMPARISONS["methods"]


def test_rows_put_seeds_together_and_say_what_choosing_on_clean_labels_would_have_added() -> None:
    cells = [cell for cell in CELLS if cell.series == AUTO][:2]

    def outcome(selected: float, last: float, best: float) -> dict:  # type: ignore[type-arg]
        values = {"accuracy": selected, "accuracy_last": last, "accuracy_best": best}
        return {"estimates": {name: {"value": value} for name, value in values.items()},
                "facts": {"test_examples": 1000, "training_seconds": 10.0}}  # fmt: skip

    rows = COMPARISONS["methods"].rows(cells, {
        (0, 0): outcome(0.9, 0.8, 0.95), (0, 1): outcome(0.92, 0.82, 0.93), (1, 2): outcome(0.5, 0.6, 0.4999),
    })  # fmt: skip
    assert rows[0]["value"] == pytest.approx(0.91)
    assert rows[0]["low"] < 0.91 < rows[0]["high"]
    assert rows[0]["last"] == pytest.approx(0.81)
    assert rows[0]["gap_to_best"] == pytest.approx(0.03)
    assert (rows[1]["n_seeds"], rows[1]["low"], rows[1]["gap_to_best"]) == (1, None, 0.0)
