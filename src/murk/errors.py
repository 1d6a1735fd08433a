"""The errors murk raises: each says what was expected, what came, and what to do next."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["DataError", "InputError", "MurkError", "TrainingError", "refuse"]


class MurkError(Exception):
    """Any failure that murk foresees; the command line prints its text and exits with code 1."""


class InputError(MurkError, ValueError):
    """Something the caller gave cannot be used; the command line exits with code 2."""


class DataError(MurkError):
    """A data set is missing, damaged, or could not be fetched."""


class TrainingError(MurkError):
    """A training had to stop; what it had reached is kept."""


def refuse(faults: Iterable[str]) -> None:
    """Raise one `InputError` that names every fault, or return if there is none."""
    found = [fault for fault in faults if fault]
    if found:
        raise InputError("; ".join(found))
