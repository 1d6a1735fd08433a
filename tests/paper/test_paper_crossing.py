"""Crossings: known where they lie between places that were run, bounded where they do not."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from murk.errors import InputError
from murk.paper.crossing import first_reached, slope

INFINITY = math.inf


def test_the_first_place_is_found_and_later_ones_change_nothing():
    assert first_reached([0, 10, 20], [0.5, 0.7, 0.2], 0.6) == pytest.approx((5, 5))
    assert first_reached([0, 10, 20, 30], [0.5, 0.7, 0.2, 0.9], 0.6) == pytest.approx((5, 5))


def test_what_the_first_place_reaches_and_what_none_reaches_are_told_apart():
    assert first_reached([3, 10], [0.6, 0.7], 0.6) == (-INFINITY, 3)
    assert first_reached([3, 10, 20], [0.9, 0.1, 0.9], 0.6) == (-INFINITY, 3), "though it falls below once more"
    assert first_reached([3, 10], [0.1, 0.5], 0.6) == (10, INFINITY)


@pytest.mark.parametrize(("places", "values"), [([], []), ([1, 2], [1]), ([2, 1], [0, 1]), ([1, 1], [0, 1])])
def test_places_that_do_not_rise_are_refused(places, values):
    with pytest.raises(InputError, match="places rise"):
        first_reached(places, values, 0.5)


numbers = st.floats(-100, 100)
point = st.tuples(st.integers(0, 50), numbers, numbers)
whole = st.lists(point, min_size=2, max_size=6, unique_by=lambda each: each[0])


@given(whole)
def test_a_slope_lies_within_the_bounds_that_bounded_numbers_give_it(points):
    places, one, other = (np.array(part, float) for part in zip(*points, strict=True))
    least, most = slope(places, [(min(pair), max(pair)) for pair in zip(one, other, strict=True)])
    for ends in (one, other, (one + other) / 2):
        assert least - 1e-6 <= np.polyfit(places, ends, 1)[0] <= most + 1e-6
    low, high = slope(places, list(zip(one, one, strict=True)))
    assert low == high == pytest.approx(np.polyfit(places, one, 1)[0], abs=1e-6)


def test_an_end_without_a_bound_leaves_the_slope_without_one_on_that_side_alone():
    assert slope([0, 1, 2], [(0, 0), (1, 1), (2, INFINITY)]) == pytest.approx((1, INFINITY))
    assert slope([0, 1, 2], [(-INFINITY, 0), (1, 1), (2, 2)]) == pytest.approx((1, INFINITY))
    assert slope([0, 1, 2], [(0, INFINITY), (1, 1), (2, 2)]) == pytest.approx((-INFINITY, 1))
    assert slope([0, 1, 2], [(0, 0), (-INFINITY, INFINITY), (2, 2)]) == pytest.approx((1, 1)), "it does not move it"
