"""draw_neighbours(): what is right stays plain, what is wrong is framed."""

from __future__ import annotations

import numpy as np
import pytest

import murk
from murk.data import Examples
from murk.errors import InputError
from murk.show import draw_neighbours

ORANGE = (0xD5, 0x5E, 0x00)
IMAGES = np.full((4, 8, 8, 1), 90, np.uint8)
FOUR = Examples(IMAGES, np.array([0, 0, 1, 1]), class_names=("a", "b"))


def framed(sheet) -> int:
    return int((np.asarray(sheet) == ORANGE).all(axis=2).sum())


def test_only_neighbours_of_another_class_are_framed() -> None:
    right = draw_neighbours(FOUR, np.array([0, 2]), {"good": np.array([[1], [3]])})
    one = draw_neighbours(FOUR, np.array([0, 2]), {"half": np.array([[1], [0]])})
    both = draw_neighbours(FOUR, np.array([0, 2]), {"half": np.array([[2], [0]])})
    assert framed(right) == 0 < framed(one)
    assert framed(both) == 2 * framed(one)


def test_searches_stand_side_by_side_and_long_titles_have_room() -> None:
    one = draw_neighbours(FOUR, np.array([0]), {"a": np.array([[1]])})
    two = draw_neighbours(FOUR, np.array([0]), {"a": np.array([[1]]), "b" * 60: np.array([[1]])})
    assert two.width > one.width + 300
    assert two.height == one.height
    assert draw_neighbours(FOUR, np.array([0]), {"\u202e\x1b[31m\nrtl": np.array([[1]])}).height == one.height


@pytest.mark.parametrize(
    ("examples", "queries", "searches", "fault"),
    [
        (Examples(np.zeros((4, 3)), FOUR.labels, class_names=("a", "b")), [0], {"a": [[1]]}, "features"),
        (Examples(IMAGES, np.array([0, 0, 1, -1]), class_names=("a", "b")), [0], {"a": [[1]]}, "some are unknown"),
        (FOUR, [], {"a": np.zeros((0, 1), int)}, r"1 to 100 places, but the shape \(0,\)"),
        (FOUR, [0], {}, "none came"),
        (FOUR, [0], {"a": [[1], [2]]}, r"each of 1 queries, but the shape \(2, 1\)"),
        (FOUR, [0], {"a": [[4]]}, r"in \[0, 4\)"),
        (FOUR, [-1], {"a": [[1]]}, r"in \[0, 4\)"),
        (FOUR, [0], {"a": [[0.5]]}, "whole numbers"),
    ],
)
def test_what_cannot_be_shown_is_refused(examples, queries, searches, fault) -> None:
    with pytest.raises(InputError, match=fault):
        draw_neighbours(examples, np.array(queries), {title: np.array(each) for title, each in searches.items()})


def test_pictures_of_colour_are_shown_in_colour() -> None:
    red = Examples(np.broadcast_to(np.array([200, 0, 0], np.uint8), (2, 4, 4, 3)), np.array([0, 0]), class_names=("a",))
    sheet = np.asarray(draw_neighbours(red, np.array([0]), {"a": np.array([[1]])}))
    assert (sheet == (200, 0, 0)).all(axis=2).sum() == 2 * 38 * 38


def test_what_is_drawn_can_be_saved(tmp_path) -> None:
    digits = murk.load("digits").test
    draw_neighbours(digits, np.arange(3), {"same": np.arange(6).reshape(3, 2)}).save(tmp_path / "found.png")
    assert (tmp_path / "found.png").stat().st_size > 1000
