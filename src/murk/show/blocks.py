"""Blocks: what a page is made of, below its question and answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from murk.errors import InputError, refuse
from murk.files import csv_text
from murk.measure import Estimate, Range

if TYPE_CHECKING:
    import altair

__all__ = ["Block", "Column", "Download", "Facts", "Figure", "Gallery", "Picture", "Prose", "Table", "Tile"]


@dataclass(frozen=True)
class Prose:
    """Paragraphs, parted by empty lines; plain text, never markup."""

    text: str
    heading: str = ""

    @property
    def paragraphs(self) -> list[str]:
        """The paragraphs, each on one line."""
        return [" ".join(part.split()) for part in self.text.split("\n\n") if part.strip()]


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes:
        title: its head, with the unit.
        form: how numbers (and the ends of an `Estimate`) are written, such as ".1%", ".2f" or ",d".
    """

    title: str
    form: str = ""


@dataclass(frozen=True)
class Table:
    """Rows under columns, sortable by each; its numbers can be taken away as CSV, unrounded.

    Attributes:
        columns: titles and forms.
        rows: a cell a column: text, a number, an `Estimate`, a `Range`, or None.
        name: the CSV file's name, without ".csv".
        caption: what the numbers and intervals are.
    """

    columns: Sequence[Column]
    rows: Sequence[Sequence[Any]]
    name: str
    heading: str = ""
    caption: str = ""

    def __post_init__(self) -> None:
        """Check that every row fits the columns."""
        wrong = [number for number, row in enumerate(self.rows) if len(row) != len(self.columns)]
        refuse(
            [f"{len(self.columns)} columns, but row {wrong[0]} has {len(self.rows[wrong[0]])} cells"] if wrong else []
        )

    def csv(self) -> str:
        """Write the numbers unrounded; an `Estimate` takes three columns: value, low, high; a `Range` has no value."""
        wide = [any(isinstance(row[at], Estimate | Range) for row in self.rows) for at in range(len(self.columns))]
        heads = [
            name
            for column, three in zip(self.columns, wide, strict=True)
            for name in ((column.title, f"{column.title}: low", f"{column.title}: high") if three else (column.title,))
        ]
        return csv_text(heads, [_flat(row, wide) for row in self.rows])


@dataclass(frozen=True)
class Figure:
    """A chart with values on hover, and the same as a still SVG where no script runs, on paper, and to take away.

    Attributes:
        chart: an Altair chart with its data inside.
        description: what is to be seen, for those who do not see it.
        name: the SVG file's name, without ".svg".
        caption: how to read it: what a point is, its interval, n.
    """

    chart: altair.TopLevelMixin
    description: str
    name: str
    heading: str = ""
    caption: str = ""


@dataclass(frozen=True)
class Facts:
    """Names and values: settings, the machine. Values are written as text."""

    facts: Mapping[str, Any]
    heading: str = ""


@dataclass(frozen=True)
class Picture:
    """A PNG image, put into the page.

    Raises:
        InputError: the bytes are no PNG.
    """

    png: bytes = field(repr=False)
    description: str
    heading: str = ""
    caption: str = ""

    def __post_init__(self) -> None:
        """Look at the signature."""
        _refuse_other(self.png)


@dataclass(frozen=True)
class Tile:
    """An image of a gallery, with its numbers beside it.

    Attributes:
        png: the bytes of a PNG file.
        description: what is to be seen, for those who do not see it.
        lines: what stands below it, a line each; the first is the most important.

    Raises:
        InputError: the bytes are no PNG.
    """

    png: bytes = field(repr=False)
    description: str
    lines: Sequence[str] = ()

    def __post_init__(self) -> None:
        """Look at the signature."""
        _refuse_other(self.png)


@dataclass(frozen=True)
class Gallery:
    """Images side by side, as many in a row as the page is wide, put into the page."""

    tiles: Sequence[Tile]
    heading: str = ""
    caption: str = ""


@dataclass(frozen=True)
class Download:
    """A file inside the page, to be taken away.

    Attributes:
        name: the file's name.
        content: its bytes or text.
        media_type: such as "text/csv" or "application/json".
        label: what the link says; the name if empty.
    """

    name: str
    content: bytes | str = field(repr=False)
    media_type: str = "text/csv"
    label: str = ""
    heading: str = ""


Block = Prose | Table | Figure | Facts | Picture | Gallery | Download


def _refuse_other(png: bytes) -> None:
    if not png.startswith(b"\x89PNG\r\n\x1a\n"):
        raise InputError("a picture of a page is the bytes of a PNG file, but others came")


def _flat(row: Sequence[Any], wide: Sequence[bool]) -> list[Any]:
    cells: list[Any] = []
    for value, three in zip(row, wide, strict=True):
        if isinstance(value, Estimate):
            cells += [value.value, value.low, value.high]
        elif isinstance(value, Range):
            cells += [None, value.low, value.high]
        else:
            cells += [value, None, None] if three else [value]
    return cells
