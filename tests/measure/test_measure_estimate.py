"""What an Estimate promises: checked numbers, frozen, readable, and plain to write."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from murk.errors import InputError
from murk.measure import Estimate


def make(value=0.978, low=0.973, high=0.982, confidence_level=0.95, method="exact"):
    return Estimate(value, low, high, confidence_level=confidence_level, method=method)


def test_a_single_estimate_reads_as_one_line():
    assert str(make()) == "0.978 (0.973 to 0.982, 95 %)"


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [
        ((0.97801, 0.97799, 0.97803), "0.97801 (0.97799 to 0.97803, 95 %)"),
        ((1180.4, 1100.0, 1260.0), "1180 (1100 to 1260, 95 %)"),
        ((3.25, 3.1, 3.4), "3.2 (3.1 to 3.4, 95 %)"),
        ((1.0, 1.0, 1.0), "1.000 (1.000 to 1.000, 95 %)"),
    ],
)
def test_decimals_follow_the_width_of_the_interval(numbers, expected):
    assert str(make(*numbers)) == expected


def test_an_array_reads_as_one_line_an_element_and_says_how_many_more_there_are():
    text = str(make(np.full(30, 0.5), np.full(30, 0.4), np.full(30, 0.6), confidence_level=0.9))
    assert text.splitlines()[0] == "0.500 (0.400 to 0.600, 90 %)"
    assert text.splitlines()[-1] == "... and 18 more"


def test_float_gives_the_value_of_a_single_estimate_and_refuses_an_array():
    assert float(make()) == 0.978
    with pytest.raises(TypeError, match=r"\(2,\)"):
        float(make([0.5, 0.6], [0.4, 0.5], [0.6, 0.7]))


def test_to_dict_survives_json_for_single_estimates_and_arrays():
    single, many = make(), make([0.5, 0.6], [0.4, 0.5], [0.6, 0.7])
    for estimate in (single, many):
        assert Estimate(**json.loads(json.dumps(estimate.to_dict()))) == estimate
    assert single != many


def test_an_estimate_cannot_be_changed_neither_by_field_nor_through_the_callers_array():
    given = np.array([0.5, 0.6])
    estimate = make(given, [0.4, 0.5], [0.6, 0.7])
    given[0] = 0.0
    assert estimate.value.tolist() == [0.5, 0.6]
    with pytest.raises(dataclasses.FrozenInstanceError):
        estimate.value = 1.0
    with pytest.raises(ValueError, match="read-only"):
        estimate.value[0] = 1.0


def test_equal_estimates_hash_alike():
    assert len({make(), make(), make(low=0.9)}) == 2


@pytest.mark.parametrize(
    ("fields", "match"),
    [
        ({"low": 0.979}, "low <= value <= high"),
        ({"high": 0.977}, "low <= value <= high"),
        ({"value": float("nan")}, "low <= value <= high"),
        ({"low": float("nan")}, "low <= value <= high"),
        ({"low": [0.9, 0.9]}, "one shape"),
        ({"value": [0.5, 0.9], "low": [0.4, 0.95], "high": [0.6, 1.0]}, r"at \(1,\)"),
        ({"confidence_level": 0.0}, "confidence level"),
        ({"confidence_level": 95.0}, "confidence level"),
        ({"confidence_level": float("nan")}, "confidence level"),
    ],
)
def test_faulty_numbers_are_refused(fields, match):
    with pytest.raises(InputError, match=match):
        make(**fields)


def test_all_faults_are_named_together():
    with pytest.raises(InputError, match="low <= value") as caught:
        make(low=2.0, confidence_level=1.0)
    assert "confidence level" in str(caught.value)
