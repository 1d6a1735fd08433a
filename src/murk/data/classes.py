"""Classes: their names, found among the labels and votes of all parts or given, and the numbers that stand for them."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from jaxtyping import Int64

from murk.data.coded import LONGEST_NAME, Coded, in_rows, shown_text, stacked
from murk.data.told_names import counted, told_name, told_names

NO_LABEL, NONE_OF_THESE = -1, -2
FEW = 5  # examples to train on, below which a class is odd
_LIKE_EMPTY = frozenset("na n/a nan null none ? - unknown unsure skip".split())
_NOT_A_NUMBER = frozenset(("nan", "NaN"))  # what pandas and NumPy write for an empty cell
_FEW_LEVELS, _MANY_LEVELS = 20, 1000  # of fractions: up to the first they may be classes, from the second never


def emptied(column: Coded) -> Coded:
    """The same column, "nan" and "NaN" counting as empty, as they do where cells are numbers."""
    return column.without(_NOT_A_NUMBER)


def class_names_of(
    columns: Sequence[Coded], *, given: Sequence[str] | None, told: Sequence[str], none_of_these: str | None
) -> tuple[str, ...]:
    """The K names, in the order of their numbers.

    Args:
        columns: the labels and votes of all parts.
        given: by the user, as `given_faults` has nothing against, and then all there are.
        told: by the data, in their order; what else occurs comes after them.
        none_of_these: an answer that is no class.

    Returns:
        Given names; else told ones and then what occurs, in natural order ("2" before "10").
    """
    if given is not None:
        return tuple(given)
    every = stacked([column for column in columns if not numbers_of_classes(column, told)])
    texts = set(every.texts) - {none_of_these} - set(told)
    if minus_one_is_none(every.texts):
        texts.discard("-1")
    return (*told, *sorted(texts, key=natural_order(texts)))


def numbered(
    column: Coded, class_names: Sequence[str], *, none_of_these: str | None, by_number: bool
) -> Int64[np.ndarray, " n"]:
    """The class of each cell: int64 in [0, K), -1 for an empty one, -2 for "none of these" or a text that is no class.

    Args:
        column: labels or votes.
        class_names: as `class_names_of` found them.
        none_of_these: an answer that is no class.
        by_number: texts are numbers of classes, not names; -1 is an empty cell and -2 "none of these".
    """
    place = {name: k for k, name in enumerate(map(str, range(len(class_names))) if by_number else class_names)}
    if "-1" not in place:
        place["-1"] = NO_LABEL
    if none_of_these is not None:
        place[none_of_these] = NONE_OF_THESE
    classes = np.array([*(place.get(text, NONE_OF_THESE) for text in column.texts), NO_LABEL], np.int64)
    return np.take(classes, column.codes)


def numbers_of_classes(column: Coded, class_names: Sequence[str]) -> bool:
    """Whether the cells number the classes rather than name them: whole numbers below K, none of them a name."""
    if not class_names or not column.texts or set(column.texts) & set(class_names):
        return False
    return all(text == "-1" or (_is_count(text) and int(text) < len(class_names)) for text in column.texts)


def minus_one_is_none(texts: Iterable[str]) -> bool:
    """Whether "-1" stands for no label: beside whole numbers from 0 on, but not beside 0 and 1 alone."""
    others = set(texts) - {"-1"}
    return "0" in others and others != {"0", "1"} and all(map(_is_count, others))


def unclear_minus_one(column: Coded, what: str) -> list[str]:
    """The sentence that asks what -1 stands for beside 0 and 1, where it may be a class or no answer."""
    if {"-1", "0"} <= set(column.texts) <= {"-1", "0", "1"} and "1" in column.texts:
        return [f"expected {what} that are clear, got -1 beside 0 and 1, which may be a class or no answer; name all "
                "classes by `class_names=...`: 0 and 1, or -1, 0 and 1"]  # fmt: skip
    return []


def label_faults(
    column: Coded, class_names: Sequence[str], *, what: str, none_of_these: str | None, given: bool, by_number: bool
) -> list[str]:
    """What is wrong with labels or votes, a sentence a fault.

    Args:
        column: as codes.
        class_names: as `class_names_of` found them.
        what: such as "labels of pets.csv".
        none_of_these: an answer that is no class.
        given: the names are the user's, so that any other label is a fault.
        by_number: texts are numbers of classes.
    """
    faults = []
    if not given:
        faults += [*_several_labels(column, what), *_regression(column, what)] or _too_long(column, what)
    known = {*map(str, range(len(class_names)))} if by_number else {*class_names}
    codes = [code for code, text in enumerate(column.texts) if text not in known and text not in ("-1", none_of_these)]
    unknown = [column.texts[code] for code in codes]
    if unknown and given:
        rows = np.flatnonzero(np.isin(column.codes, codes))
        near = difflib.get_close_matches(unknown[0][:LONGEST_NAME], class_names, n=1, cutoff=0.0)
        hint = f"; the nearest class is {shown_text(near[0])}" if near else ""
        faults.append(f"expected {what} among the {counted(len(class_names), 'class', 'classes')} "
                      f"{told_names(class_names)}, got {shown_text(unknown[0])}"
                      f"{f' and {len(unknown) - 1:,} others' if len(unknown) > 1 else ''} {in_rows(rows)}{hint}; "
                      "correct them, or name them too by `class_names=...`")  # fmt: skip
    return faults


def name_oddities(class_names: Sequence[str]) -> list[str]:
    """Names that are legal but look wrong: with spaces around them, differing in case alone, or like an empty cell."""
    spaced = [shown_text(name) for name in class_names if name != name.strip()]
    folded: dict[str, list[str]] = {}
    for name in class_names:
        folded.setdefault(name.strip().casefold(), []).append(name)
    alike = [" = ".join(map(shown_text, names)) for names in folded.values() if len(names) > 1]
    empty = [shown_text(name) for name in class_names if name.strip().casefold() in _LIKE_EMPTY]
    return [
        *([f"{counted(len(spaced), 'class', 'classes')} with spaces around: {told_names(spaced)}"] if spaced else []),
        *([f"classes that differ in case or spaces alone: {told_names(alike)}"] if alike else []),
        *([f"classes that look like an empty cell: {told_names(empty)}; leave such cells empty, or name the "
           "answer by `none_of_these=...`"] if empty else []),
    ]  # fmt: skip


def small_classes(counts: Int64[np.ndarray, " K"], class_names: Sequence[str], *, of: str) -> list[str]:
    """The sentence on classes with fewer than 5 examples or votes to train on, if there are any."""
    few = [f"{told_name(class_names[k])} ({counts[k]:,})" for k in np.flatnonzero(counts < FEW).tolist()]
    return (
        [f"{counted(len(few), 'class', 'classes')} with fewer than {FEW} {of} to train on: {told_names(few)}"]
        if few
        else []
    )


def given_faults(given: Any) -> list[str]:
    """What is wrong with the names of all classes as a user gives them: different texts in a list or array, or None."""
    if given is None:
        return []
    listed = given.ndim == 1 if isinstance(given, np.ndarray) else isinstance(given, Sequence)
    if isinstance(given, str) or not listed or not len(given):
        return [f"expected class_names as a sequence of text, got {given!r:.60}"]
    wrong = [name for name in given if not isinstance(name, str) or not name.strip()]
    if wrong:
        return [f"expected class_names that are text and not blank, got {wrong[0]!r}; write them as text"]
    ordered = sorted(given)
    twice = [name for name, after in pairwise(ordered) if name == after]
    return [f"expected class_names that are all different, got {twice[0]!r} twice; leave one out"] if twice else []


def _several_labels(column: Coded, what: str) -> list[str]:
    """Multi-label text: most cells are lists of the same few words."""
    total = int((column.codes >= 0).sum())
    for mark in (";", "|"):
        several = np.array([mark in text.strip(mark) for text in column.texts], bool)
        if not several.any() or column.counts()[several].sum() * 2 <= total:
            continue
        words = {word.strip() for text in column.texts for word in text.split(mark)}
        if len(words) < len(column.texts):
            example = next(text for text, found in zip(column.texts, several.tolist(), strict=True) if found)
            return [f"expected one label in each cell of the {what}, got several separated by {mark!r}, such as "
                    f"{shown_text(example)}; multi-label data is not served: keep one class each, or write one column "
                    "a voter if these are votes"]  # fmt: skip
    return []


def _regression(column: Coded, what: str) -> list[str]:
    """Targets that are measured rather than named."""
    values = [_number(text) for text in column.texts]
    if (
        not values
        or any(value is None for value in values)
        or all(value % 1 == 0 for value in values if value is not None)
    ):
        return []
    levels, total = len(values), int((column.codes >= 0).sum())
    if levels <= _FEW_LEVELS or (levels <= _MANY_LEVELS and levels * 2 <= total):
        return []
    return [f"expected {what} that name classes, got {levels:,} different fractions, such as {column.texts[0]}; "
            "regression is not served: cut them into classes, or name another column"]  # fmt: skip


def _too_long(column: Coded, what: str) -> list[str]:
    longest = max(column.texts, key=len, default="")
    if len(longest) <= LONGEST_NAME:
        return []
    return [f"expected {what} of at most {LONGEST_NAME:,} characters, got {len(longest):,}: {shown_text(longest)}; "
            "name the column of labels, or shorten them"]  # fmt: skip


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 10 and str(int(text)) == text


def natural_order(texts: Iterable[str]) -> Callable[[str], Any]:
    """The key of the natural order: by value if all are numbers, else digits within the text by value."""
    if all(_number(text) is not None for text in texts):
        return lambda text: (_number(text), text)

    def key(text: str) -> tuple[object, ...]:
        parts = re.split(r"(\d+)", text.casefold())
        return (*(_digits(part) if part.isdecimal() else (1, 0, part) for part in parts), (1, 0, text))

    return key


def _digits(text: str) -> tuple[int, int, str]:
    """Orders digits by value without making a number of them, which Python does of a few thousand digits at most."""
    value = text.lstrip("0")
    return 0, len(value), value
