"""Comparisons over a whole axis: labels needed, best rates, where a fall begins."""

from __future__ import annotations

import math
import re

import pytest

from murk.paper.figure import Cell
from murk.paper.figure5 import ORDERS
from murk.paper.table import Table
from murk.paper.verdicts import Judged, judge
from murk.paper.ways import EXACT

COUNTS, ALPHAS = (30, 300, 3000, 30_000), (0, 2, 5, 20)


def labels(power: float = 1.0, *, scale: float = 100.0, best: float = 1.0, counts=COUNTS, missing=()):
    """Judge figure 8 where scale (1 + alpha)^power labels give 90 % right, ten times as many 10 points more."""
    cells = [Cell(f"α = {alpha}", EXACT, count, {}, 2, level=alpha) for alpha in ALPHAS for count in counts]

    def accuracy(cell: Cell, seed: int) -> float:
        needed = scale * (1 + seed / 100) * (1 + cell.level) ** power
        return min(best, 0.9 + 0.1 * math.log10(cell.x / needed))

    rows = [{"panel": cell.panel, "series": EXACT, "x": cell.x, "n_test": 10_000,
             "seeds": {seed: accuracy(cell, seed) for seed in (0, 1)}}
            for cell in cells if (cell.level, cell.x) not in missing]  # fmt: skip
    found = judge({"fig8": Table.of(rows, cells)})
    return {j.claim.says: j for j in found if j.claim.figure == "fig8" and j.series == EXACT}


RISES, LINEAR, STEEPER = (
    "The clean labels needed rise with alpha", "... about linearly", "... and more steeply for higher accuracies",
)  # fmt: skip


@pytest.mark.parametrize(
    ("power", "rises", "linear"), [(1.0, "holds", "holds"), (0.3, "holds", "does not"), (-0.2, "does not", "does not")]
)
def test_a_made_up_power_of_the_labels_needed_is_found(power, rises, linear):
    found = labels(power)
    assert (found[RISES].verdict, found[LINEAR].verdict) == (rises, linear)
    assert found[LINEAR].estimate is not None and found[LINEAR].estimate.value == pytest.approx(power, abs=0.02)


def test_what_the_fewest_reach_already_is_not_said_to_be_reached_by_none():
    """All of it lies below 30 labels: the exponent can be anything."""
    found = labels(scale=0.5)[LINEAR]
    assert (found.verdict, found.estimate) == ("undecided", None)
    assert found.why == "90% is reached already with the fewest labels at alpha 0, 2, 5, 20"
    assert "not reached" in labels(scale=1e7, best=0.8)[LINEAR].why


def test_labels_beyond_those_run_bound_the_exponent_from_below():
    """At alpha 20 more than the most are needed: a power of 1 cannot be told, one of 2 contradicts what is linear."""
    found = labels(1.0, counts=(30, 300, 1000))[LINEAR]
    assert (found.verdict, found.estimate) == ("undecided", None)
    least = re.fullmatch(r"exponent at 90% is at least (.*); 90% is not reached with the most at alpha 20", found.why)
    assert 0.7 < float(least[1]) < 1
    steep = labels(2.0)
    assert (steep[LINEAR].verdict, steep[RISES].verdict) == ("does not", "holds")
    assert 1.3 < float(re.search(r"at least (\S+);", steep[LINEAR].why)[1]) < 2


def test_one_number_of_labels_that_has_not_run_gives_no_exponent():
    assert {j.verdict for j in labels(missing={(5, 300)}).values()} == {"not run"}


def test_higher_accuracies_need_more_labels_a_noise_level():
    assert labels()[STEEPER].verdict == "holds"
    assert labels(-0.5, counts=(1, 10, 100, 1000))[STEEPER].verdict == "does not"


def rates(best: dict[int, float], *, others: float = 0.4, top: float = 0.9) -> Judged:
    """Judge figure 11 where one rate is best at each noise level."""
    factors = (0.03, 0.1, 0.3, 1.0, 3.0)
    cells = [Cell(f"level {alpha}", EXACT, factor, {}, 3, level=alpha) for alpha in best for factor in factors]
    rows = [{"panel": cell.panel, "series": EXACT, "x": cell.x, "n_test": 10_000,
             "seeds": dict.fromkeys(range(3), top if cell.x == best[cell.level] else others)}
            for cell in cells]  # fmt: skip
    return next(j for j in judge({"fig11": Table.of(rows, cells)}) if j.claim.figure == "fig11" and j.series == EXACT)


def test_the_best_rates_slope_is_taken_over_noise_levels_that_cells_name():
    falling = rates({0: 3.0, 2: 1.0, 5: 0.3, 10: 0.1, 20: 0.03})
    assert falling.verdict == "holds"
    assert falling.estimate is not None and falling.estimate.value == pytest.approx(-1.53, abs=0.01)
    assert rates({0: 0.03, 2: 0.1, 5: 0.3, 10: 1.0, 20: 3.0}).verdict == "does not"


def test_seeds_that_agree_on_a_rate_are_no_surer_than_the_grid_is_fine():
    one_step = rates({0: 3.0, 2: 3.0, 5: 3.0, 20: 1.0})
    assert one_step.verdict == "undecided", "they may all lie half a step away"
    assert one_step.estimate is not None and one_step.estimate.high > 0 > one_step.estimate.value


def test_rates_of_a_network_that_never_learns_decide_nothing():
    assert rates({0: 3.0, 2: 1.0, 5: 0.3}, others=0.1, top=0.2).verdict == "nothing learned"


DELTAS = (0.0, 0.25, 0.5, 0.75, 0.9, 1.0)


def structured(accuracies: tuple[float, ...], *, one: dict[str, float] | None = None) -> dict[str, Judged]:
    """Judge figure 5, every order alike but at delta 1, where `one` may say what each comes to."""
    cells = [Cell(order, EXACT, delta, {}, 2) for order in ORDERS for delta in DELTAS]
    rows = []
    for cell in cells:
        value = (one or {}).get(cell.panel, accuracies[-1]) if cell.x == 1 else accuracies[DELTAS.index(cell.x)]
        rows.append({"panel": cell.panel, "series": EXACT, "x": cell.x, "n_test": 10_000,
                     "seeds": {0: value, 1: value + 0.001}})  # fmt: skip
    found = judge({"fig5": Table.of(rows, cells)})
    return {j.claim.says: j for j in found if j.claim.figure == "fig5" and j.series == EXACT}


NEAR_ONE, NEAR_SIX = "... the fall begins when delta nears 1", "... the fall begins near delta .6"


@pytest.mark.parametrize(
    ("accuracies", "near_one", "near_six"),
    [
        ((0.9, 0.9, 0.9, 0.9, 0.88, 0.5), "holds", "does not"),
        ((0.9, 0.9, 0.9, 0.86, 0.7, 0.5), "does not", "holds"),
        ((0.9, 0.8, 0.7, 0.6, 0.5, 0.5), "does not", "does not"),
        ((0.9, 0.9, 0.9, 0.9, 0.9, 0.95), "holds", "does not"),
        ((0.1, 0.1, 0.1, 0.1, 0.1, 0.1), "nothing learned", "nothing learned"),
    ],
)  # fmt: skip
def test_where_the_fall_begins_is_measured_and_either_memory_may_be_wrong(accuracies, near_one, near_six):
    found = structured(accuracies)
    assert (found[NEAR_ONE].verdict, found[NEAR_SIX].verdict) == (near_one, near_six)


@pytest.mark.parametrize(
    ("random", "expected", "part"),
    [(0.6, "holds", ""), (0.9, "does not", "Confusing first at delta 1 minus Random at delta 1")],
)
def test_the_confusing_order_must_be_better_than_both_others(random, expected, part):
    found = structured((0.9,) * 6, one={ORDERS[0]: 0.7, ORDERS[1]: 0.5, ORDERS[2]: random})
    better = found["... and the confusing order is slightly better"]
    assert better.verdict == expected
    assert part in better.part
