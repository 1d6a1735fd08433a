"""Figure 9: clean labels needed, where the numbers run tell them, and on which side they lie where not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from murk.errors import InputError
from murk.paper import FIGURES, Drawn, size_named
from murk.paper.figure import Cell
from murk.paper.figure9 import labels_needed, needed_by_seed
from murk.paper.figure9 import rows as needed_rows
from murk.paper.gallery import figures_text, panels_of
from murk.paper.ways import EXACT
from murk.show import panels_svg

SMALL = size_named("small")


def outcome(accuracy: float) -> dict[str, object]:
    return {"estimates": {"accuracy": {"value": accuracy}}, "facts": {"test_examples": 1000}}


def test_labels_needed_are_interpolated_in_log_n_and_bounded_beyond_what_was_run():
    at = pytest.approx(np.sqrt(100 * 1000), abs=1e-5)
    assert labels_needed([100, 1000], [0.8, 0.9], 0.85) == (at, at)
    assert labels_needed([100, 1000], [0.8, 0.9], 0.8) == (0, pytest.approx(100)), "the fewest reach it already"
    assert labels_needed([100, 1000], [0.8, 0.9], 0.95) == (pytest.approx(1000), np.inf), "not even the most reach it"
    with pytest.raises(InputError, match="rise"):
        labels_needed([1000, 100], [0.9, 0.8], 0.85)


def test_figure_nine_finds_the_power_of_a_made_up_threshold():
    """Accuracies that depend on N / (1 + alpha) alone need N in proportion to 1 + alpha."""
    counts, alphas = (100, 1000, 10_000), (0, 4, 9)
    cells = [Cell(f"level {alpha}", EXACT, n, {}, 2, level=alpha) for alpha in alphas for n in counts]
    outcomes = {
        (number, seed): outcome(1 - 0.5 * (cell.x / (1 + cell.level) / 20) ** -0.5)
        for number, cell in enumerate(cells) for seed in range(2)
    }  # fmt: skip
    needed = needed_by_seed(cells, outcomes, 0.9)
    assert set(needed) == {(alpha, EXACT) for alpha in alphas}
    found = [row for row in needed_rows(cells, outcomes) if row["panel"] == "90% right"]
    assert found[2]["value"] / found[0]["value"] == pytest.approx(10, rel=0.05)
    assert all(row["low"] <= row["value"] <= row["high"] for row in found)


def test_a_target_that_no_network_reaches_is_not_said_to_wait_for_runs():
    cells = [Cell(f"α = {level}", EXACT, n, {}, 2, level=level) for level in (0, 4) for n in (100, 1000)]
    there = {(number, seed): outcome(0.85) for number in range(4) for seed in range(2)}
    figure = FIGURES["fig9"]
    drawn = Drawn(figure, SMALL, tuple(cells), tuple(figure.rows(cells, there)), 8, 8, 1.0, ())
    picture = panels_of(replace(drawn, planned=0))
    assert picture.names == ["80% right", "90% right", "95% right"] and picture.xs == [0, 4]
    assert b"nothing has run yet" not in panels_svg(picture)
    assert panels_svg(picture).count(b"outside the numbers run") == 3
    assert panels_svg(panels_of(replace(drawn, planned=0, done=0))).count(b"nothing has run yet") == 3


def test_figure_nine_tells_seeds_that_miss_the_numbers_run_from_seeds_that_have_not_run():
    """At alpha 0 one seed of three crosses 90 %; at alpha 4 the fewest reach it for all, at alpha 9 none ever."""
    figure, levels = FIGURES["fig9"], (0, 4, 9)
    cells = [Cell(f"α = {level}", EXACT, n, {}, 3, level=level) for level in levels for n in (100, 1000)]
    reached = {(0, 0): (0.8, 0.99), (0, 1): (0.92, 0.99), (0, 2): (0.8, 0.85)}
    reached |= {(4, seed): (0.92, 0.99) for seed in range(3)} | {(9, seed): (0.4, 0.85) for seed in range(3)}
    there = {(number, seed): outcome(reached[cell.level, seed][int(cell.x == 1000)])
             for number, cell in enumerate(cells) for seed in range(3)}  # fmt: skip
    drawn = Drawn(figure, SMALL, tuple(cells), tuple(figure.rows(cells, there)), 18, 0, 1.0, (),
                  beyond=figure.beyond(cells, there))  # fmt: skip
    (row,) = [row for row in drawn.rows if row["panel"] == "90% right"]
    assert (row["x"], row["n_seeds"], row["low"]) == (0, 1, None)
    assert drawn.beyond["90% right", EXACT, 0] == "under 100, n = 1; over 1,000, n = 1"
    assert (drawn.beyond["90% right", EXACT, 4], drawn.beyond["90% right", EXACT, 9]) == ("under 100", "over 1,000")
    picture = panels_svg(panels_of(drawn)).decode()
    assert "Hollow: crossed by some of the seeds" in picture and "that cross where hollow" in picture
    assert "missing" not in picture and "so far" not in picture
    text = figures_text([drawn], pictures=".")
    assert "n = 1 of 3 that cross; under 100, n = 1; over 1,000, n = 1 |" in text
    assert "| 90% right | 4 | under 100 |" in text and "| 90% right | 9 | over 1,000 |" in text
