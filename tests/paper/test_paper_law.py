"""The law's study: what an image is worth under each noise, and where its points stand."""

import math

import pytest

from murk.measure import information_per_example
from murk.noise import Dilution
from murk.paper import COMPARISONS, size_named
from murk.paper.law import NOISES, PLAIN, worth_of_an_image


@pytest.mark.parametrize("noise", [name for name in NOISES if "δ" not in name])
def test_an_image_is_worth_what_the_closed_form_says(noise: str) -> None:
    exact = information_per_example(Dilution(NOISES[noise]["alpha"], num_classes=10)) / math.log(10)
    assert worth_of_an_image(noise) == pytest.approx(exact, rel=0.05)


def test_structured_votes_of_a_known_pattern_are_worth_more_than_uniform_ones() -> None:
    for alpha in (5, 20):
        assert 1 > worth_of_an_image(f"α {alpha}, δ .5") > worth_of_an_image(f"α {alpha}")


def test_points_stand_at_what_their_votes_are_worth_and_plain_training_is_told_nothing() -> None:
    cells = list(COMPARISONS["law"].cells(size_named("small"), ()))
    for cell in cells:
        assert cell.x == pytest.approx(cell.setting["train_size"] * worth_of_an_image(cell.series), abs=0.06)
        assert (cell.setting["weigh_as"] == "untold") == (PLAIN in cell.panel)
    assert sum(cell.seeds for cell in cells if PLAIN not in cell.panel) == 4 * 6 * 2 * 2
