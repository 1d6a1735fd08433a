"""The page builder: a question, its answer, and what they rest on, as one HTML file that needs nothing else."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import DictLoader, Environment, StrictUndefined
from markupsafe import Markup

from murk.files import replace_file
from murk.measure import Estimate, Range
from murk.show.blocks import Block, Column, Download, Facts, Figure, Gallery, Picture, Prose, Table
from murk.show.chart import chart_runtime, chart_spec, chart_svg
from murk.show.text import clean_text, shown_text

__all__ = ["Page"]


@dataclass(frozen=True)
class Page:
    """One self-contained page: question and answer first, then the blocks in their order.

    It works from disk without a network (a strict content policy forbids any), in light and dark, on a phone, on paper,
    and with scripts switched off. Whatever text comes in is shown as text.

    Attributes:
        title: of the browser's tab, and above the question.
        question: what is asked.
        answer: the answer in one or two sentences.
        blocks: what it rests on: pictures, tables, method, settings, machine.

    Example:
        >>> page = Page("Votes", "How many votes are there?", "Three.", [Prose("They were counted.")])
        >>> "They were counted." in page.html()
        True
    """

    title: str
    question: str
    answer: str
    blocks: Sequence[Block] = ()

    def html(self) -> str:
        """Write the page as HTML."""
        parts = [_part(block, number) for number, block in enumerate(self.blocks, start=1)]
        charts = any(isinstance(block, Figure) for block in self.blocks)
        scripts = [_inline(chart_runtime())] if charts else []
        scripts.append(_inline(_shipped("page.js")))
        style = _shipped("page.css")
        return _environment().get_template("page.html").render(
            title=shown_text(self.title), question=shown_text(self.question), answer=shown_text(self.answer),
            parts=parts, style=Markup(style), scripts=[Markup(script) for script in scripts],
            policy=_policy(style, scripts),
        )  # fmt: skip

    def write(self, path: str | Path) -> Path:
        """Write the page to a file, which is replaced as a whole or not at all; return its path.

        Raises:
            DataError: the folder cannot be written.
        """
        path = Path(path)
        replace_file(path, self.html().encode(errors="replace"))
        return path


def _part(block: Block, number: int) -> dict[str, Any]:
    """Turn a block into what the template writes."""
    part: dict[str, Any] = {
        "kind": type(block).__name__.lower(),
        "heading": shown_text(block.heading),
        "number": number,
    }
    if isinstance(block, Prose):
        return part | {"paragraphs": [clean_text(paragraph) for paragraph in block.paragraphs]}
    if isinstance(block, Facts):
        return part | {"facts": [(shown_text(name), shown_text(value)) for name, value in block.facts.items()]}
    if isinstance(block, Table):
        return part | _table(block)
    if isinstance(block, Picture):
        return part | {"address": _address(block.png, "image/png"), "caption": shown_text(block.caption),
                       "description": shown_text(block.description)}  # fmt: skip
    if isinstance(block, Gallery):
        tiles = [{"address": _address(tile.png, "image/png"), "description": shown_text(tile.description),
                  "lines": [shown_text(line) for line in tile.lines]} for tile in block.tiles]  # fmt: skip
        return part | {"tiles": tiles, "caption": shown_text(block.caption)}
    if isinstance(block, Download):
        return part | {"links": [_link(block.name, block.content, block.media_type, block.label)]}
    spec = chart_spec(block.chart)
    svg = chart_svg(spec)
    return part | {
        "spec": Markup(_safe_json(spec)), "svg": Markup(svg), "caption": shown_text(block.caption),
        "description": shown_text(block.description), "links": [_link(f"{block.name}.svg", svg, "image/svg+xml")],
    }  # fmt: skip


def _table(table: Table) -> dict[str, Any]:
    numeric = [
        all(isinstance(row[at], int | float | Estimate | Range) or row[at] is None for row in table.rows)
        for at in range(len(table.columns))
    ]
    rows = [
        [_cell(value, column) for value, column in zip(row, table.columns, strict=True)]
        for row in table.rows
    ]  # fmt: skip
    return {
        "columns": [{"title": shown_text(column.title), "numeric": flag}
                    for column, flag in zip(table.columns, numeric, strict=True)],
        "rows": rows, "caption": shown_text(table.caption),
        "links": [_link(f"{table.name}.csv", table.csv(), "text/csv")],
    }  # fmt: skip


def _cell(value: Any, column: Column) -> dict[str, Any]:
    """Write a cell: what is seen, an interval under it, and the number it sorts by."""
    if isinstance(value, Estimate):
        low, high = (format(end, column.form) for end in (value.low, value.high))
        return {
            "text": format(value.value, column.form),
            "interval": f"{low.removesuffix('%')} to {high}",
            "order": repr(value.value),
        }
    if isinstance(value, Range):
        low, high = (format(end, column.form) for end in (value.low, value.high))
        return {"text": f"{low.removesuffix('%')} to {high}", "interval": "", "order": repr(value.high)}
    if isinstance(value, int | float) and not isinstance(value, bool):
        return {"text": format(value, column.form), "interval": "", "order": repr(float(value))}
    return {"text": "–" if value is None else shown_text(value), "interval": "", "order": ""}


def _link(name: str, content: bytes | str, media_type: str, label: str = "") -> dict[str, str]:
    data = content.encode(errors="replace") if isinstance(content, str) else content
    return {"name": shown_text(name), "label": shown_text(label or name), "address": _address(data, media_type)}


def _address(content: bytes, media_type: str) -> str:
    return f"data:{media_type};base64,{base64.b64encode(content).decode()}"


def _safe_json(value: Any) -> str:
    """Write JSON that cannot end the script element it stands in."""
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _inline(script: str) -> str:
    """Make a script of ours fit to stand inside an HTML document."""
    return script.replace("\r\n", "\n").replace("</script", "<\\/script").replace("<!--", "<\\!--")


def _policy(style: str, scripts: Sequence[str]) -> str:
    """Allow this style and these scripts by their hashes, images inside the page, and nothing else."""
    allowed = " ".join(_hash(script) for script in scripts)
    return (
        f"default-src 'none'; script-src {allowed}; style-src {_hash(style)}; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


@lru_cache(maxsize=8)
def _shipped(name: str) -> str:
    return files("murk.show").joinpath(name).read_text(encoding="utf-8").replace("\r\n", "\n")


@lru_cache(maxsize=1)
def _environment() -> Environment:
    """Make the template engine: everything is escaped unless it is marked as ours."""
    return Environment(
        loader=DictLoader({"page.html": _shipped("page.html")}), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
