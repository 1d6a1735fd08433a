"""Small multiples: every number as given, unfinished points told apart, no value of the paper without its tag."""

from __future__ import annotations

import csv
import hashlib
import io
import itertools
import subprocess
import sys
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from murk.errors import InputError
from murk.show import Mark, Panels, draw_panels, panels_csv, panels_png, panels_svg, series_of

WAYS = ("paper", "evidence", "evidence-independent")
ALPHAS = (0, 2, 5, 10, 20)


def row(panel="Conv4", series="paper", x=10, value=0.9, *, seeds=3, planned=3):
    ends = {"low": value * 0.9, "high": value * 1.1} if seeds > 1 else {"low": None, "high": None}
    by_seed = {seed: value + seed / 7 for seed in range(seeds)}
    return {"panel": panel, "series": series, "x": x, "value": value, **ends, "n_seeds": seeds, "planned": planned,
            "n_test": 10_000, "seeds": by_seed}  # fmt: skip


ROWS = [
    row(panel, series, x, 0.8 - place / 10 - x / 100, seeds=1 if (panel, x) == ("Conv4", 20) else 3)
    for panel in ("Perceptron", "1 hidden layer", "2 hidden layers", "4 hidden layers", "Conv4")
    for place, series in enumerate(WAYS)
    for x in ALPHAS
]
MARKS = [Mark("Conv4", 100, 0.91, "91 % at alpha 100 [recalled]"), Mark("Conv4", 100, 0.9, "above 90 % [read]")]


def panels(rows=ROWS, marks=MARKS, *, x="log1p", y="share", notes=("Bars: 95 % intervals.",), title="Uniform noise"):
    return Panels(title, rows, "Random labels", x, "Accuracy", y, marks, notes)


def drawn(given):
    figure = draw_panels(given, Figure())
    FigureCanvasAgg(figure).draw()
    return figure


def texts(figure):
    return [text for text in figure.findobj(lambda part: hasattr(part, "get_text")) if text.get_text().strip()]


def points(ax, series):
    """Every point of a series in one panel: x, y and whether it is hollow."""
    look = series_of(series)
    return {
        (x, y, line.get_markerfacecolor() == "white")
        for line in ax.lines if line.get_marker() == look.marker and line.get_color() == look.colour
        for x, y in line.get_xydata()
    }  # fmt: skip


def test_every_point_is_in_the_csv_unrounded_with_each_of_its_seeds():
    rows = [row(value=1 / 3), row("=Conv4", "evidence", 20, 2 / 3, seeds=1, planned=5)]
    read = list(csv.DictReader(io.StringIO(panels_csv(rows))))
    assert list(read[0]) == ["panel", "series", "x", "value", "low", "high", "n_seeds", "planned", "n_test",
                             "seed_0", "seed_1", "seed_2"]  # fmt: skip
    assert [float(read[0][name]) for name in ("value", "low", "high")] == [1 / 3, 1 / 3 * 0.9, 1 / 3 * 1.1]
    assert [float(read[0][f"seed_{seed}"]) for seed in range(3)] == [1 / 3 + seed / 7 for seed in range(3)]
    assert read[1]["panel"] == "'=Conv4", "a spreadsheet must not run text as a formula"
    assert [read[1][name] for name in ("low", "high", "planned", "seed_1")] == ["", "", "5", ""]


def test_seeds_keep_their_columns_when_their_numbers_came_back_from_json_as_text():
    assert panels_csv([row()]) == panels_csv([{**row(), "seeds": {str(k): v for k, v in row()["seeds"].items()}}])


def test_the_same_rows_give_the_same_bytes_in_another_process_too():
    code = (
        "import sys, hashlib; from murk.show import *;"
        "rows, marks = eval(sys.stdin.read());"
        "print(hashlib.sha256(panels_svg(Panels('Uniform noise', rows, 'Random labels', 'log1p', 'Accuracy', 'share',"
        "marks, ('Bars: 95 % intervals.',)))).hexdigest())"
    )
    there = subprocess.run([sys.executable, "-c", code], input=repr((ROWS, MARKS)), capture_output=True, text=True)
    assert there.stdout.strip() == hashlib.sha256(panels_svg(panels())).hexdigest(), there.stderr
    assert b"<dc:date>" not in panels_svg(panels())


def test_values_and_intervals_stand_where_the_rows_say():
    for ax, name in zip(drawn(panels()).axes, panels().names, strict=True):
        for series in WAYS:
            ours = [r for r in ROWS if (r["panel"], r["series"]) == (name, series)]
            assert sorted(y for _, y, _ in points(ax, series)) == sorted(r["value"] for r in ours)
        bars = {tuple(segment[:, 1]) for part in ax.collections for segment in part.get_segments()}
        assert bars == {(r["low"], r["high"]) for r in ROWS if r["panel"] == name and r["low"] is not None}


def test_points_with_fewer_seeds_than_planned_are_hollow_and_the_legend_says_so():
    given = panels([row(x=2, value=0.5), row(x=5, value=0.4, seeds=2), row(x=10, value=0.3, seeds=1)], ())
    (ax,) = drawn(given).axes
    assert {(y, hollow) for _, y, hollow in points(ax, "paper")} == {(0.5, False), (0.4, True), (0.3, True)}
    said = " ".join(text.get_text() for text in texts(drawn(given)))
    assert "Hollow: seeds are missing" in said
    assert "n = 3 seeds a point where filled, 1 to 2 so far where hollow" in said
    whole = " ".join(text.get_text() for text in texts(drawn(panels([row()], ()))))
    assert "ollow" not in whole and "measured on 10,000 examples" in whole


def test_what_hollow_points_lack_is_said_in_the_figures_own_words():
    given = replace(panels([row(seeds=1)], ()), hollow="crossed by some", counted="that cross")
    said = " ".join(text.get_text() for text in texts(drawn(given)))
    assert "Hollow: crossed by some" in said and "1 that cross where hollow" in said
    assert "missing" not in said and "so far" not in said
    assert given.seeds_of(given.rows[0]) == "1 of 3 that cross"


@pytest.mark.parametrize(("scale", "xs"), [("log1p", (0, 1, 100)), ("log", (0.03, 0.1, 3)), ("linear", (0, 0.9, 1))])
def test_series_of_one_x_stand_apart_but_nearer_to_it_than_to_any_other(scale, xs):
    places = {"log1p": np.log1p, "log": np.log, "linear": np.asarray}[scale](np.array(xs, float))
    (ax,) = drawn(panels([row("one", way, x, 0.5) for way in WAYS for x in xs], (), x=scale)).axes
    for at in range(len(xs)):
        stands = [sorted(x for x, _, _ in points(ax, way))[at] for way in WAYS]
        assert len(set(stands)) == len(WAYS)
        assert all(np.abs(places - x).argmin() == at for x in stands)


@pytest.mark.parametrize("label", ["91 %", "[recalled] 91 %", "91 % []", ""])
def test_a_value_of_the_paper_is_never_drawn_without_its_tag(label):
    with pytest.raises(InputError, match="tag"):
        Mark("Conv4", 100, 0.91, label)


def test_marks_are_drawn_with_their_labels_where_no_run_reaches():
    figure = drawn(panels())
    ax = figure.axes[panels().names.index("Conv4")]
    stars = [tuple(point) for line in ax.lines if line.get_marker() == "*" for point in line.get_xydata()]
    assert stars == [(np.log1p(100), 0.91), (np.log1p(100), 0.9)]
    assert all(left <= np.log1p(100) <= right for left, right in [other.get_xlim() for other in figure.axes])
    head = " ".join(text.get_text() for text in reversed(ax.texts))
    assert head == "Conv4 ★ 91 % at alpha 100 [recalled] ★ above 90 % [read]"
    assert not [line for other in figure.axes if other is not ax for line in other.lines if line.get_marker() == "*"]


def test_a_picture_without_runs_says_so_and_keeps_the_papers_values():
    for scale, y in itertools.product(("linear", "log", "log1p"), ("share", "log", "amount")):
        assert b"nothing has run yet" in panels_svg(panels([], (), x=scale, y=y))
    said = panels_svg(panels([], MARKS)).decode()
    assert "nothing has run yet" in said and "[recalled]" in said
    half = drawn(panels([row("Conv4")], [Mark("α = 50", 10, 0.9, "90 % [recalled]")]))
    assert ["nothing has run yet" in [text.get_text() for text in ax.texts] for ax in half.axes] == [False, True]


def test_planned_panels_and_places_are_drawn_before_a_run_has_reached_them():
    places = [(name, x) for name in ("CIFAR-100", "Conv4", "White noise") for x in (0, 5, 50)]
    given = Panels("Noise", [row("Conv4", x=5)], "α", "log1p", "Accuracy", "share",
                   [Mark("White noise", 5, 0.9, "90 % [read]"), Mark("α = 50", 5, 0.9, "90 % [read]")],
                   places=places, unreached="no crossing yet")  # fmt: skip
    axes = drawn(given).axes
    assert given.names == ["CIFAR-100", "Conv4", "White noise", "α = 50"] and given.xs == [0, 5, 50]
    said = [[text.get_text() for text in ax.texts if text.get_text() in ("no crossing yet", "not at this size")]
            for ax in axes]  # fmt: skip
    assert said == [["no crossing yet"], [], ["no crossing yet"], ["not at this size"]]
    assert all(low < np.log1p(0) and np.log1p(50) < high for low, high in [ax.get_xlim() for ax in axes])
    with pytest.raises(InputError, match="x = 0 cannot stand on the scale log"):
        Panels("Noise", [], "α", "log", "Accuracy", "share", places=places)


def test_all_panels_share_their_axes_and_shares_run_from_nothing_to_all():
    axes = drawn(panels()).axes
    assert len(axes) == 5
    assert len({ax.get_xlim() for ax in axes}) == len({ax.get_ylim() for ax in axes}) == 1
    low, high = axes[0].get_ylim()
    assert low == 0 and high >= 1


def test_a_logarithmic_axis_shows_every_interval_and_at_least_two_numbers():
    given = panels([row("80 %", "paper", 10, 300.0), row("80 %", "paper", 20, 350.0)], (), y="log")
    (ax,) = drawn(given).axes
    low, high = ax.get_ylim()
    assert low <= 270 and high >= 385 and ax.get_yscale() == "log"
    shown = [tick for tick in ax.get_yticks() if low <= tick <= high]
    assert [label.get_text() for label in ax.get_yticklabels() if label.get_text() == "500"] and len(shown) >= 2


@pytest.mark.parametrize(
    "given",
    [
        panels(notes=["word " * 300, "Bars: 95 % intervals."]),
        panels([row(f"α = {a}", way, n, 0.5) for a in ALPHAS for way in WAYS for n in (300, 1000, 3000, 10_000)],
               [Mark("α = 10", 2000, 0.9, "90 % from 2,000 clean labels at alpha 10 [recalled]")], x="log"),
        panels([row(f"{p} " * 9, "mine", x) for p in "abcd" for x in (0, 0.25, 0.5, 0.75, 0.9, 1)], (), x="linear"),
    ],
    ids=["long notes", "close ticks", "long names"],
)  # fmt: skip
def test_no_text_leaves_the_picture_or_lies_on_another(given):
    figure = drawn(given)
    frame = figure.bbox
    boxes = [(text.get_text(), text.get_window_extent()) for text in texts(figure) if text.get_visible()]
    for text, box in boxes:
        assert frame.x0 <= box.x0 and box.x1 <= frame.x1 and frame.y0 <= box.y0 and box.y1 <= frame.y1, text
    for ax in figure.axes:
        ticks = [tick.get_window_extent() for tick in ax.get_xticklabels() if tick.get_text()]
        assert len(ticks) >= 2 and all(left.x1 < right.x0 for left, right in itertools.pairwise(ticks))
        heads = [text.get_window_extent() for text in ax.texts]
        others = [other.get_window_extent() for other in figure.axes if other is not ax]
        assert not any(head.overlaps(other) for head in heads for other in others)


def test_every_series_stands_in_the_legend_once_and_looks_like_no_other():
    (legend,) = drawn(panels()).legends
    assert [text.get_text() for text in legend.get_texts()] == [
        "The paper's training", "Evidence, exact dilution", "Evidence, independent votes", "Hollow: seeds are missing",
        "The paper's value",
    ]  # fmt: skip
    looks = [series_of(name) for name in (*WAYS, "h-alpha")]
    assert all(len({getattr(look, part) for look in looks}) == len(looks) for part in ("colour", "marker", "shape"))


@pytest.mark.parametrize("text", [r"$\frac{", "<script>alert(1)</script>", "_hidden", "a\x00\u202e\nb", "&amp; %s {0}"])
def test_hostile_text_stays_text(text):
    seen = " ".join(text.replace("\x00", "").replace("\u202e", "").split())
    marks = [Mark(text, 5, 0.5, f"{text} [read]")]
    given = Panels(text, [row(text, text)], text, "log1p", text, "share", marks, [text])
    root = ElementTree.fromstring(panels_svg(given))
    tags = {element.tag.rpartition("}")[2] for element in root.iter()}
    assert "script" not in tags
    said = [" ".join((element.text or "").split()) for element in root.iter() if element.tag.endswith("}text")]
    assert said.count(seen) >= 6, "title, panel, series, both axes and note"
    assert f"★ {seen} [read]" in said


def test_numbers_that_cannot_stand_on_their_scales_are_refused_all_together():
    with pytest.raises(InputError, match=r"x_scale is one of linear, log, log1p.*y_scale is one of share, log, amount"):
        panels(x="cubic", y="bark")
    with pytest.raises(InputError, match=r"x = 0 .*the value -1"):
        panels([row(x=0), row(value=-1, seeds=1)], (), x="log", y="log")
    with pytest.raises(InputError, match="the value nan"):
        panels([row(value=float("nan"), seeds=1)], ())


def test_a_png_is_a_png():
    assert panels_png(panels([row()], ()), dpi=50).startswith(b"\x89PNG\r\n\x1a\n")
