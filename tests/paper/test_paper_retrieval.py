"""The study of search: its runs share all but the way to train, and the claim is judged run by run."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from murk.lab import read_settings, resolve
from murk.paper.figure import Cell
from murk.paper.registry import COMPARISONS, FIGURES
from murk.paper.retrieval import (
    FIGURE,
    MEASURES,
    PLAIN,
    WAYS,
    cells,
    left_of_the_fall,
    places,
    rows,
    verdicts,
    verdicts_above,
)
from murk.paper.sizes import size_named

CELLS = list(cells(size_named("small"), ()))
SOFTMAX, EVIDENCE = "normalised softmax, pairs", "normalised softmax, evidence (independent)"


def test_every_way_runs_at_every_noise_on_both_sets_with_nine_splits() -> None:
    assert {(cell.panel, cell.series, cell.x) for cell in CELLS} == set(
        itertools.product(("MNIST", "Fashion-MNIST"), WAYS, (0, 2, 5, 10, 20, 50))
    )
    assert len(CELLS) == 2 * 6 * 6 * 3 and {cell.seeds for cell in CELLS} == {3}
    resolved = [resolve(each, device="cpu") for each in read_settings([dict(c.setting, seed=1) for c in CELLS])]
    own = {"method", "loss", "weigh_as", "alpha", "searched", "data", "data_sha256", "noise_sha256"}
    shared = [{name: value for name, value in each.items() if name not in own} for each in resolved]
    assert all(each == shared[0] for each in shared)
    assert len({tuple(each["searched"]) for each in resolved}) == 3
    assert FIGURE.name in COMPARISONS and FIGURE.name not in FIGURES


def outcome(accuracy: float, search: float) -> dict:
    values = {"accuracy": accuracy, "recall_at_1": search, "map_at_r": search}
    return {"estimates": {name: {"value": value} for name, value in values.items()}, "facts": {"test_examples": 100}}


def drawn(fall_of_search: float, mended: float) -> list[dict]:
    rng = np.random.default_rng(0)
    found = [
        Cell("MNIST", series, alpha, {"searched": f"random:4:{split}"}, 3)
        for split in range(3) for series in (SOFTMAX, EVIDENCE) for alpha in (0, 20)
    ]  # fmt: skip
    outcomes = {}
    for number, cell in enumerate(found):
        for seed in range(3):
            fall = 0.0 if cell.x == 0 else fall_of_search * (mended if cell.series == EVIDENCE else 1)
            noise = rng.normal(0, 0.005, 2)
            outcomes[number, seed] = outcome(0.9 * (0.9 if cell.x else 1) + noise[0], 0.8 * (1 - fall) + noise[1])
    return rows(found, outcomes)


@pytest.mark.parametrize(("fall", "said"), [(0.3, "holds"), (0.02, "does not hold")])
def test_the_claim_is_judged_by_relative_falls_of_the_same_run(fall: float, said: str) -> None:
    told = [each for each in verdicts(drawn(fall, 1.0)) if each.series == SOFTMAX]
    assert {each.measure for each in told} == {"Recall@1", "MAP@R"} and {each.said for each in told} == {said}
    assert all(each.more.low < fall - 0.1 < each.more.high and each.alpha == 20 for each in told)


def floored(search: float, classes: float) -> dict[str, dict[int, float]]:
    return {f"MNIST, {title}": dict.fromkeys(range(9), classes if name == "accuracy" else search)
            for name, title in MEASURES.items()}  # fmt: skip


def test_of_what_training_added_search_may_lose_more_though_of_itself_it_loses_less() -> None:
    told = drawn(0.02, 1.0)  # accuracy falls from .9 to .81, search from .8 to .784
    (above,) = (each for each in verdicts_above(told, floored(0.76, 0.1)) if (each.series, each.measure) == (
        SOFTMAX, "MAP@R"))  # fmt: skip
    assert above.said == "holds" and above.more.value == pytest.approx(0.016 / 0.04 - 0.09 / 0.8, abs=0.1)
    assert above.more.low < 0.2875 < above.more.high
    assert {each.said for each in verdicts_above(told, floored(0.0, 0.0))} == {"does not hold"}  # as without a floor


def test_where_training_adds_nothing_to_search_nothing_is_judged() -> None:
    assert not verdicts_above(drawn(0.02, 1.0), floored(0.8, 0.1))


def test_what_evidence_leaves_of_the_fall_is_a_ratio_with_an_interval() -> None:
    told = left_of_the_fall(drawn(0.4, 0.25), "MNIST, MAP@R", alpha=20, ours=EVIDENCE, theirs=SOFTMAX)
    assert told is not None and told.low < 0.25 < told.high < 0.35
    assert left_of_the_fall([], "MNIST, MAP@R", alpha=20, ours=EVIDENCE, theirs=SOFTMAX) is None


def test_runs_of_all_splits_make_one_point_in_the_panel_of_each_measure() -> None:
    points = drawn(0.3, 1.0)
    assert len(points) == 2 * 2 * 3 and all(set(row["seeds"]) == set(range(9)) for row in points)
    assert {row["panel"] for row in points} == {f"MNIST, {title}" for title in MEASURES.values()}
    assert {panel for panel, _ in places(CELLS)} > {row["panel"] for row in points}
    assert set(PLAIN) < set(WAYS)
