"""Matching: which example each vote of a table beside the data is about, by what it is called there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Int64

from murk.data.coded import in_rows, shown_text
from murk.data.found import Found, FoundVotes
from murk.data.told_names import counted, told_names
from murk.errors import InputError

_UNKNOWN, _LEFT_OUT, _UNCLEAR = -1, -2, -3


def matched(votes: FoundVotes, found: Found) -> tuple[FoundVotes, tuple[str, ...]]:
    """The votes with the position of their example, -1 for one that is not read on purpose.

    Examples are told by their id as text; paths of files may be shortened (by folders in front, or by the ending), or
    begin with the part they lie in, as long as it is clear which is meant. Examples without ids are told by their row
    among those to train on, from 0.

    Returns:
        Votes on known examples, and a sentence on the votes that are left out, if any are.

    Raises:
        InputError: a name that could be several examples; a row that is none; or most votes are about examples that are
            not there, so that they are called otherwise in both places.
    """
    by_row = found.ids is None or bool(votes.num_classes)
    if by_row:
        return _by_row(votes, found), ()
    place = _places(found)
    positions = np.array([place.get(text, _UNKNOWN) for text in votes.example.texts] + [_UNKNOWN])[votes.example.codes]
    _refuse_unclear(votes, positions)
    unknown = positions == _UNKNOWN
    if not unknown.any():
        return _with(votes, positions), ()
    names = told_names(votes.example.texts[code] for code in dict.fromkeys(votes.example.codes[unknown].tolist()))
    if unknown.sum() * 2 > len(votes) or (found.ids is not None and found.ids.dtype.kind in "iu"):
        raise InputError(f"expected votes of {votes.where} on examples of {found.where}, which are called "
                         f"{told_names(found.ids[:2].tolist() if found.ids is not None else ())}, ..., got "
                         f"{counted(int(unknown.sum()), 'vote')} of {len(votes):,} on others: {names}; call them the "
                         "same in both")  # fmt: skip
    odd = f"{counted(int(unknown.sum()), 'vote')} of {votes.where} on examples that are not there, left out: {names}"
    return _with(votes.taken(np.flatnonzero(~unknown)), positions[~unknown]), (odd,)


def _by_row(votes: FoundVotes, found: Found) -> FoundVotes:
    """Votes on rows of the examples to train on."""
    if votes.num_examples not in (0, found.num_train):
        raise InputError(f"expected votes on the {counted(found.num_train, 'example')} to train on in {found.where}, "
                         f"got {votes.where}, which tells of {votes.num_examples:,}; take the right one")  # fmt: skip
    rows = np.array([_row(text) for text in votes.example.texts] + [-1], np.int64)[votes.example.codes]
    wrong = (rows < 0) | (rows >= found.num_train)
    if wrong.any():
        got = votes.example.texts[votes.example.codes[wrong.argmax()]]
        raise InputError(f"expected votes of {votes.where} on rows 0 to {found.num_train - 1:,} of the examples to "
                         f"train on in {found.where}, got {shown_text(got)} {in_rows(wrong)}; count from 0, or give "
                         "the examples ids")  # fmt: skip
    return _with(votes, rows)


def _row(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 18 else -1


def _with(votes: FoundVotes, positions: Int64[np.ndarray, " V"]) -> FoundVotes:
    return replace(votes, position=np.maximum(positions, -1))


def _refuse_unclear(votes: FoundVotes, positions: Int64[np.ndarray, " V"]) -> None:
    unclear = positions == _UNCLEAR
    if unclear.any():
        names = told_names(votes.example.texts[code] for code in dict.fromkeys(votes.example.codes[unclear].tolist()))
        raise InputError(f"expected votes of {votes.where} on examples that are clear, got {names}, which could be "
                         "several; write their paths from the folder of the images on")  # fmt: skip


def _places(found: Found) -> dict[str, int]:
    """What an example may be called -> its position; the whole name comes before what is shortened."""
    assert found.ids is not None
    ids = [str(name) for name in found.ids.tolist()]
    places: dict[str, int] = {}
    for level in _levels(ids, found):
        here: dict[str, int] = {}
        for position, name in enumerate(level):
            here[name] = position if here.setdefault(name, position) == position else _UNCLEAR
        places = here | places
    return dict.fromkeys(found.left_out, _LEFT_OUT) | places


def _levels(ids: Sequence[str], found: Found) -> Iterator[list[str]]:
    yield list(ids)
    if not found.are_paths:
        return
    in_part = [f"{found.parts[at >= found.num_train]}/{name}" for at, name in enumerate(ids)] if found.parts else []
    last = [name.rpartition("/")[2] for name in ids]
    yield from (in_part, last)
    yield from ([_stem(name) for name in level] for level in (ids, in_part, last))


def _stem(path: str) -> str:
    """A path without the ending of its file."""
    folder, slash, name = path.rpartition("/")
    return folder + slash + (name.rpartition(".")[0] or name)
