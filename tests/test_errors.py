"""Errors: a name that is none of the valid ones is answered with the nearest that is."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from murk.errors import InputError, name_fault, nearest, refuse

words = st.text(string.ascii_letters + string.digits + "-_", max_size=12)


@given(st.lists(words, min_size=1, unique_by=str.casefold), words, st.data())
def test_the_nearest_name_is_a_valid_one_and_a_valid_one_itself_whatever_the_letter_case(valid, asked, data):
    assert nearest(asked, valid) in valid
    assert nearest(asked.upper(), valid) == nearest(asked.lower(), valid)
    meant = data.draw(st.sampled_from(valid))
    assert nearest(meant, valid) == nearest(meant.swapcase(), valid) == meant


@pytest.mark.parametrize(
    ("asked", "valid", "near"),
    [
        ("alhpa", ("delta", "alpha"), "alpha"), ("PAIR", ("pairs", "evidence"), "pairs"),
        ("study2", ("Study-2", "study-1"), "Study-2"), ("zzz", ("alpha", "delta"), "alpha"), ("any", (), ""),
    ],
)  # fmt: skip
def test_a_mistyped_name_is_told_the_one_it_resembles_most_and_of_equals_the_first(asked, valid, near):
    assert nearest(asked, valid) == near


def test_a_fault_tells_what_was_expected_what_came_and_the_nearest_and_a_valid_name_has_none():
    known = {"small": 1, "full": 2}
    assert name_fault("a size", "small", known) == ""
    with pytest.raises(InputError, match=r"^a size is one of small, full, but 'smal' came; did you mean 'small'\?$"):
        refuse([name_fault("a size", "smal", known)])


@pytest.mark.parametrize("came", [3, None, ["small"], b"small"])
def test_what_is_no_text_is_refused_without_a_guess(came):
    assert name_fault("a size", came, ("small", "full")) == f"a size is one of small, full, but {came!r} came"
