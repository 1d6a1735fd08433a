"""Missing: what a name or path that leads nowhere was probably meant to be."""

from __future__ import annotations

import difflib
import os
from collections.abc import Sequence
from pathlib import Path

_ALIKE = 0.7  # of difflib's ratio; what is less alike was not mistyped
_LONGEST = 255  # characters that are compared


def did_you_mean(name: str, known: Sequence[str]) -> str:
    """The end of a message: "; did you mean NAME?", or "" where no known name is alike.

    Example:
        >>> from murk.data.missing import did_you_mean
        >>> did_you_mean("lables", ("labels", "draw")), did_you_mean("photos", ("labels", "draw"))
        ("; did you mean 'labels'?", '')
    """
    near = difflib.get_close_matches(name[:_LONGEST], known, n=1, cutoff=_ALIKE)
    return f"; did you mean {near[0]!r}?" if near else ""


def did_you_mean_path(path: str | os.PathLike[str], known: Sequence[str] = ()) -> str:
    """The same for a path: it may be a known name, or one of the files and folders that lie where it leads.

    Example:
        >>> import tempfile
        >>> from murk.data.missing import did_you_mean_path
        >>> folder = Path(tempfile.mkdtemp())
        >>> (folder / "votes.csv").touch()
        >>> did_you_mean_path(folder / "vots.csv") == f"; did you mean {str(folder / 'votes.csv')!r}?"
        True
    """
    path = Path(path)
    try:
        beside = sorted(entry.name for entry in os.scandir(path.parent) if not entry.name.startswith("."))
    except (OSError, ValueError):
        beside = []  # there is no such folder, or it is closed to the user
    near = difflib.get_close_matches(path.name[:_LONGEST], [*known, *beside], n=1, cutoff=_ALIKE)
    if not near:
        return ""
    meant = near[0] if near[0] in known else os.fspath(path.parent / near[0])
    return f"; did you mean {meant!r}?"
