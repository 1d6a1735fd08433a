"""Heat maps: every cell with its number, those on too few seeds told apart, the same bytes each time."""

from __future__ import annotations

import csv
import io
from xml.etree import ElementTree

from murk.show import HeatMap, heat_map_csv, heat_map_markdown, heat_map_svg


def row(series: str, panel: str, value: float, *, seeds: int = 3) -> dict:  # type: ignore[type-arg]
    ends = {"low": value - 0.02, "high": value + 0.01} if seeds > 1 else {"low": None, "high": None}
    more = {"last": value - 0.1, "last_low": None, "last_high": None, "gap_to_best": 0.034, "seconds": 5.0}
    return {"series": series, "panel": panel, "value": value, **ends, **more, "n_seeds": seeds, "planned": 3,
            "n_test": 100, "seeds": dict.fromkeys(range(seeds), value)}  # fmt: skip


HEAT = HeatMap("A title", [row("one", "A", 0.912), row("one", "B", 0.5), row("two", "B", 0.3333, seeds=1)], ["A note"])


def texts(svg: bytes) -> list[str]:
    return [element.text or "" for element in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]


def test_each_cell_has_its_number_and_brackets_where_seeds_are_missing() -> None:
    found = texts(heat_map_svg(HEAT))
    for said in ("A title", "A note", "one", "two", "A", "B", "91.2", "50.0", "(33.3)"):
        assert said in found
    assert len([text for text in found if text.strip("()").replace(".", "").isdigit()]) == 3  # the empty cell has none


def test_the_same_numbers_give_the_same_picture() -> None:
    assert heat_map_svg(HEAT) == heat_map_svg(HEAT)


def test_a_map_without_rows_is_drawn_too() -> None:
    assert "A title" in texts(heat_map_svg(HeatMap("A title", [])))


def test_numbers_are_saved_unrounded_with_each_seed() -> None:
    lines = list(csv.DictReader(io.StringIO(heat_map_csv(HEAT.rows))))
    assert [float(line["value"]) for line in lines] == [0.912, 0.5, 0.3333]
    assert lines[2]["low"] == "" and lines[2]["seed_1"] == "" and lines[0]["seed_2"] == "0.912"


def test_the_table_says_interval_last_epoch_and_gap() -> None:
    table = heat_map_markdown(HEAT)
    assert "| one | 91.2 ± 1.5, last 81.2, gap 3.4 | 50.0 ± 1.5, last 40.0, gap 3.4 |" in table
    assert "| two |  | 33.3, last 23.3, gap 3.4 |" in table
