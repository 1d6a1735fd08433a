"""The errors murk raises: each says what was expected, what came, and what to do next."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from difflib import SequenceMatcher

__all__ = ["DataError", "InputError", "MurkError", "TrainingError", "UndecidedError", "name_fault", "nearest", "refuse"]


class MurkError(Exception):
    """Any failure that murk foresees; the command line prints its text and exits with code 1."""


class InputError(MurkError, ValueError):
    """Something the caller gave cannot be used; the command line exits with code 2."""


class UndecidedError(InputError):
    """What was asked is well put, but the data do not tell; the message begins with "cannot say"."""


class DataError(MurkError):
    """A data set is missing, damaged, or could not be fetched."""


class TrainingError(MurkError):
    """A training had to stop; what it had reached is kept."""


def refuse(faults: Iterable[str]) -> None:
    """Raise one `InputError` that names every fault, or return if there is none."""
    found = [fault for fault in faults if fault]
    if found:
        raise InputError("; ".join(found))


def nearest(name: str, valid: Iterable[str]) -> str:
    """Give the valid name most like a given one, whatever their letter case; of several, the first; "" of none.

    Example:
        >>> nearest("Alhpa", ["delta", "alpha"])
        'alpha'
    """
    asked = name.casefold()
    return max(valid, key=lambda each: SequenceMatcher(None, each.casefold(), asked).ratio(), default="")


def name_fault(what: str, name: object, valid: Collection[str]) -> str:
    """Say that a name is none of the valid ones, and which is nearest, or nothing ("") where it is one.

    Args:
        what: is named, as it begins the sentence.
        name: what came, of whatever type.
        valid: the names, in the order in which they are told; at least one.

    Example:
        >>> name_fault("a loss", "pars", ["evidence", "pairs"])
        "a loss is one of evidence, pairs, but 'pars' came; did you mean 'pairs'?"
        >>> name_fault("a loss", "pairs", ["evidence", "pairs"])
        ''
    """
    if isinstance(name, str) and name in valid:
        return ""
    hint = f"; did you mean {nearest(name, valid)!r}?" if isinstance(name, str) else ""
    return f"{what} is one of {', '.join(valid)}, but {name!r} came{hint}"
