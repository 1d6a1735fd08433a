"""Files that are either whole or not there: written beside their place, then moved into it in one step. And CSV."""

from __future__ import annotations

import csv
import io
import os
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from murk.errors import DataError

__all__ = ["csv_text", "replace_file"]


def replace_file(path: Path, content: bytes) -> None:
    """Write bytes beside `path`, flush them to the disk, and move them into place in one step.

    Folders on the way are made. Interrupted at any moment, it leaves the old file or the new one, never a part; only a
    process killed outright leaves a `.part` beside it.

    Raises:
        DataError: the folder cannot be written, or the disk is full; an older file of this name stays as it was.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> replace_file(folder / "numbers.csv", b"alpha,accuracy")
        >>> [entry.name for entry in folder.iterdir()]
        ['numbers.csv']
    """
    part = path.with_name(f"{path.name}.{secrets.token_hex(6)}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except OSError as error:
        raise DataError(
            f"cannot write {path} ({error.strerror or error}); free space or choose another folder"
        ) from error
    finally:
        _remove(part)


def _remove(part: Path) -> None:
    """Clear away what was not moved into place, if anything was written at all."""
    try:
        part.unlink(missing_ok=True)
    except OSError:
        pass  # the folder itself is what failed, and that is told already


def csv_text(heads: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Write a head and rows as CSV (RFC 4180, lines ended by a line feed); None is an empty cell.

    Text that a spreadsheet would run as a formula (it starts with =, +, -, @, a tab or a return) gets a leading quote.
    """
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerows([[_cell(value) for value in row] for row in (heads, *rows)])
    return file.getvalue()


def _cell(value: Any) -> Any:
    if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")):
        return "'" + value
    return "" if value is None else value
