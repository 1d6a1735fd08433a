"""Pictures: intervals and n on each, values as given, colours that differ."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

import murk
from murk.data import Examples
from murk.errors import InputError
from murk.noise import Votes
from murk.show import (
    OKABE_ITO,
    SERIES,
    chart_accuracy_by_alpha,
    draw_accuracy_by_alpha,
    draw_contact_sheet,
    write_contact_sheet,
)
from murk.show.chart import chart_spec, chart_svg

ROWS = [
    {
        "method": method, "alpha": alpha, "n_seeds": 3,
        "accuracy": {"value": 0.9 - alpha / 100, "low": 0.8 - alpha / 100, "high": 0.95, "confidence_level": 0.95},
    }
    for method in SERIES for alpha in (0, 5, 20)
]  # fmt: skip


def data_points(spec):
    return spec["data"]["values"] if "values" in spec.get("data", {}) else next(iter(spec["datasets"].values()))


def test_the_drawn_intervals_are_the_rows_intervals():
    ax = draw_accuracy_by_alpha(ROWS, Figure().subplots())
    drawn = {c.get_label(): c[2][0].get_segments() for c in ax.containers}
    assert list(drawn) == [look.name for look in SERIES.values()]
    for method, look in SERIES.items():
        wanted = [[row["accuracy"]["low"], row["accuracy"]["high"]] for row in ROWS if row["method"] == method]
        np.testing.assert_allclose([segment[:, 1] for segment in drawn[look.name]], wanted, atol=1e-12)


def test_both_pictures_say_n_and_what_the_bars_are():
    ax = draw_accuracy_by_alpha(ROWS, Figure().subplots())
    svg = chart_svg(chart_spec(chart_accuracy_by_alpha(ROWS)))
    for words in ("n = 3 runs", "95% interval", "Random labels per right one", "share right"):
        assert words in ax.get_xlabel() + ax.get_ylabel()
        assert words in svg


def test_the_chart_carries_values_and_intervals_and_shows_them_on_hover():
    spec = chart_spec(chart_accuracy_by_alpha(ROWS))
    points = data_points(spec)
    assert [(p["alpha"], p["value"], p["low"], p["high"], p["runs"]) for p in points] == [
        (r["alpha"], *(r["accuracy"][end] for end in ("value", "low", "high")), r["n_seeds"]) for r in ROWS
    ]
    bars = next(layer for layer in spec["layer"] if layer["mark"]["type"] == "rule")
    assert (bars["encoding"]["y"]["field"], bars["encoding"]["y2"]["field"]) == ("low", "high")
    assert {"value", "low", "high", "runs"} <= {hover["field"] for hover in bars["encoding"]["tooltip"]}


def test_points_of_one_alpha_stand_apart_but_nearer_to_it_than_to_any_other():
    for point in data_points(chart_spec(chart_accuracy_by_alpha(ROWS))):
        distances = {alpha: abs(np.log1p(point["x"]) - np.log1p(alpha)) for alpha in (0, 2, 5, 10, 20, 50)}
        assert min(distances, key=distances.get) == point["alpha"]


def test_no_chart_names_an_address():
    assert "http" not in str(chart_spec(chart_accuracy_by_alpha(ROWS)))


def test_series_differ_in_colour_and_shape_and_their_colours_are_seen_on_light_and_dark():
    looks = list(SERIES.values())
    assert len({look.shape for look in looks}) == len({look.marker for look in looks}) == len(looks)
    whole = [look for look in looks if not look.dash]
    assert len(looks) - len(whole) == 1, "the reference is told by its dash, whatever its colour"
    for first, second in itertools.combinations(whole, 2):
        for matrix in (np.eye(3), PROTANOPIA, DEUTERANOPIA):
            seen = [linear(colour) @ matrix.T for colour in (first.colour, second.colour)]
            assert np.linalg.norm(np.subtract(*np.sqrt(np.clip(seen, 0, 1)))) > 0.15, (first.name, second.name)
    for look in looks:
        assert look.colour in OKABE_ITO.values()
        assert contrast(look.colour, "#fdfdfb") >= 3 and contrast(look.colour, "#16181b") >= 3


# what linear RGB becomes without the long- or the middle-wave cones (Machado, Oliveira, Fernandes 2009, severity 1)
PROTANOPIA = np.array([[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
                       [-0.003882, -0.048116, 1.051998]])  # fmt: skip
DEUTERANOPIA = np.array([[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
                         [-0.011820, 0.042940, 0.968881]])  # fmt: skip


def linear(colour):
    return np.array([c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)])


def contrast(one, other):
    """WCAG 2's contrast ratio; 3 is asked of pictures."""
    shine = [float(linear(colour) @ [0.2126, 0.7152, 0.0722]) for colour in (one, other)]
    return (max(shine) + 0.05) / (min(shine) + 0.05)


@pytest.mark.parametrize("draw", [lambda: draw_accuracy_by_alpha([], Figure().subplots()),
                                  lambda: chart_accuracy_by_alpha([])])  # fmt: skip
def test_no_rows_are_refused(draw):
    with pytest.raises(InputError, match="no rows"):
        draw()


def test_a_contact_sheet_shows_each_class_in_its_row():
    images = np.zeros((6, 4, 4, 3), np.uint8)
    labels = np.array([0, 1, 2, 0, 1, 2])
    images[np.arange(6), :, :, labels] = 255
    sheet = np.asarray(draw_contact_sheet(Examples(images, labels), per_class=2)).astype(int)
    pure = [(sheet == 255 * np.eye(3, dtype=int)[k]).all(axis=2) for k in range(3)]
    heights = [np.flatnonzero(found.any(axis=1)).mean() for found in pure]
    assert heights == sorted(heights)
    assert len({int(found.sum()) for found in pure}) == 1, "every class shows as many pixels"


def test_a_contact_sheet_marks_images_whose_votes_name_another_class():
    digits = murk.load("digits").test[:40]
    right = Votes.from_labels(digits.labels, num_classes=10)
    wrong = Votes.from_labels((digits.labels + 1) % 10, num_classes=10)

    def reds(votes):
        pixels = np.asarray(draw_contact_sheet(digits, votes, per_class=3)).astype(int)
        return int((pixels[..., 0] - pixels[..., 2] > 60).sum())

    assert reds(right) == 0 and reds(wrong) > 100


def test_a_contact_sheet_names_every_fault():
    features = Examples(np.zeros((2, 3), np.float32), [0, 1])
    with pytest.raises(InputError, match=r"features.*votes for each of 2.*per_class"):
        draw_contact_sheet(features, Votes.from_labels([0], num_classes=2), per_class=0)


def test_hostile_class_names_are_cut_and_drawn(tmp_path):
    names = ("\x00\u202e<script>", "x" * 10_000)
    examples = Examples(np.zeros((2, 30, 10, 1), np.uint8), [0, -1], names)
    assert write_contact_sheet(examples, tmp_path / "sheet.png").read_bytes().startswith(b"\x89PNG")
    assert [path.name for path in tmp_path.iterdir()] == ["sheet.png"]
