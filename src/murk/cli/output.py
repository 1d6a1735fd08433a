"""What a command prints: on stdout a table for people, or JSON for machines; on stderr remarks, a line each."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

__all__ = [
    "and_more", "print_facts", "print_json", "print_remark", "print_rows", "printable", "shown_estimate", "shown_share",
]  # fmt: skip

WIDTH = 120  # where stdout is no terminal


def print_json(document: Mapping[str, Any]) -> None:
    """Print one JSON object, and nothing else."""
    sys.stdout.write(json.dumps(document, indent=2, allow_nan=False) + "\n")


def print_remark(text: str) -> None:
    """Print one line on stderr, whatever lines and control characters of a user's files are in it."""
    print("murk:", printable(" ".join(text.split())), file=sys.stderr)


def print_rows(title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print a table with a header; numbers stand to the right."""
    rows = [list(row) for row in rows]
    table = Table()
    for position, column in enumerate(columns):
        numeric = bool(rows) and all(isinstance(row[position], int | float) for row in rows)
        table.add_column(column, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(_cell(value) for value in row))
    _print_titled(title, table)


def print_facts(title: str, facts: Mapping[str, Any]) -> None:
    """Print names and values under each other; None is left out."""
    table = Table(show_header=False)
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in facts.items():
        if value is not None:
            table.add_row(_cell(name), _cell(value))
    _print_titled(title, table)


def shown_estimate(estimate: Mapping[str, Any] | None, remark: str = "") -> str:
    """Write an estimate's interval, or why there is none."""
    if estimate is None:
        return remark or "cannot be told"
    numbers = (100 * estimate[name] for name in ("value", "low", "high"))
    return "{:.2f} % ({:.2f} to {:.2f}, {:g} %)".format(*numbers, 100 * estimate["confidence_level"])


def shown_share(share: float | None) -> str | None:
    """Write a share as per cent."""
    return None if share is None else f"{100 * share:.2f} %"


def and_more(count: int, shown: int) -> str:
    """Say how many of `count` are not among those shown, and where they are; nothing if all are shown."""
    return f"and {count - shown:,} more; --json has all" if count > shown else ""


def printable(text: str) -> str:
    """Replace what commands a terminal instead of showing on it; lines stay lines.

    Example:
        >>> printable("a" + chr(27) + "[2Jb")
        'a\N{REPLACEMENT CHARACTER}[2Jb'
    """
    return "".join(sign if sign.isprintable() or sign == "\n" else "\N{REPLACEMENT CHARACTER}" for sign in text)


def _print_titled(title: str, table: Table) -> None:
    """Print to the stdout of now, which a test or a pipe may have replaced."""
    console = Console(file=sys.stdout, width=None if sys.stdout.isatty() else WIDTH, highlight=False)
    console.print(_cell(title), style="bold")
    console.print(table)


def _cell(value: Any) -> Text:
    """Take text as text: no markup, no control characters."""
    return Text(printable(f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)))
