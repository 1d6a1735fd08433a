"""The gallery: every figure of a study on one page, each with its claim, its numbers and what stands behind them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote

from murk.measure import Estimate
from murk.show.blocks import Block, Column, Download, Facts, Picture, Prose, Table
from murk.show.page import Page
from murk.show.palette import in_legend_order, series_of
from murk.show.panels import Panels, Row, is_unfinished, panels_csv, panels_png, panels_svg
from murk.show.text import shown_text

__all__ = ["ClaimRow", "GalleryEntry", "gallery_markdown", "gallery_page", "sections_markdown"]

LEVEL = 0.95  # of every interval of a row
MOST_LINES = 30  # of a table between the pictures of a Markdown page
FORMS = {"share": ".1%", "log": ",.0f", "amount": ".3g"}
CLAIM_HEADS = ("Claim", "Protocol", "Verdict", "Estimate", "n", "What was tested")
VERDICTS = (
    "A claim holds, or does not, where the whole interval says so. It is undecided otherwise, and where one of the "
    "networks compared has not learned, or a target lies outside the numbers run. Nothing learned: none of its "
    "networks has. Not run: fewer than two seeds have, or the comparison is left out at this size."
)
TAGS = "Tags: [read] in a summary of the paper, [recalled] from memory of its text, unverified, [inferred] from either."
MARKUP = re.compile(r"\[(?:read|recalled|inferred)\](?![\[(:])|[\\`*_\[\]|~$#<>&]")
ENTITIES = {"<": "&lt;", ">": "&gt;", "&": "&amp;"}


@dataclass(frozen=True)
class GalleryEntry:
    """A figure, as the gallery shows it.

    Attributes:
        name: of its files, such as "fig1".
        title: what it is about.
        shown: what is drawn, and how it was run.
        claim: what the paper concludes from it, with its tag.
        panels: the picture.
        facts: runs, seeds, seconds, the kind of machine; "Command" is what draws it again.
    """

    name: str
    title: str
    shown: str
    claim: str
    panels: Panels
    facts: Mapping[str, Any]


@dataclass(frozen=True)
class ClaimRow:
    """A claim of the paper, tested.

    Attributes:
        claim: in words.
        tag: how sure it is that the paper says so: "read", "recalled" or "inferred".
        series: the training that was tested.
        verdict: "holds", "does not", "undecided", or why it could not be tested.
        statement: what was tested, as a statement about numbers.
        estimate: the number that decides; None where it cannot be told yet.
        n: how many runs it rests on, in words.
        why: what keeps the runs from deciding, besides a wide interval; "" where nothing does.
    """

    claim: str
    tag: str
    series: str
    verdict: str
    statement: str
    estimate: Estimate | None
    n: str
    why: str = ""


def gallery_page(
    entries: Sequence[GalleryEntry],
    claims: Sequence[ClaimRow],
    settings: Mapping[str, Any],
    machine: Mapping[str, Any],
) -> Page:
    """Build the page of a study: the claims first, then each figure with picture, table, CSV and SVG.

    Example:
        >>> "No claim has been tested yet." in gallery_page([], [], {}, {}).html()
        True
    """
    blocks: list[Block] = [_claims_table(claims)] if claims else []
    for entry in entries:
        blocks += _blocks(entry)
    blocks += [Facts(settings, "Settings"), Facts(machine, "Machine")]
    return Page("The paper, run again", "Does what the paper found hold when it is run again?", _answer(claims), blocks)


def gallery_markdown(entries: Sequence[GalleryEntry], claims: Sequence[ClaimRow], *, pictures: str) -> str:
    """Write the gallery as a Markdown page.

    Args:
        entries: the figures.
        claims: tested.
        pictures: the folder, seen from the page, where each figure's NAME.svg and NAME.csv lie.

    Example:
        >>> gallery_markdown([], [], pictures="pictures").splitlines()[0]
        '# The paper, run again'
    """
    parts = ["# The paper, run again", _marked(f"{_answer(claims)} {TAGS}")]
    if claims:
        rows = [[_claim(row), _protocol(row), _verdict(row), _number(row.estimate), row.n, row.statement]
                for row in claims]  # fmt: skip
        parts += [_marked_table(CLAIM_HEADS, rows), _marked(VERDICTS)]
    return "\n\n".join([*parts, *(sections_markdown([entry], pictures=pictures) for entry in entries)]) + "\n"


def sections_markdown(entries: Sequence[GalleryEntry], *, pictures: str) -> str:
    """Write the figures' part of the page alone; arguments as `gallery_markdown`."""
    return "\n\n".join(part for entry in entries for part in _sections(entry, pictures))


def _answer(claims: Sequence[ClaimRow]) -> str:
    """Count the verdicts."""
    if not claims:
        return "No claim has been tested yet."
    counts: dict[str, int] = {}
    for row in claims:
        counts[row.verdict] = counts.get(row.verdict, 0) + 1
    told = "; ".join(f"{verdict}: {count}" for verdict, count in counts.items())
    return f"{len(claims)} tests of its claims, each by one way to train: {told}."


def _claim(row: ClaimRow) -> str:
    return f"{row.claim} [{row.tag}]"


def _verdict(row: ClaimRow) -> str:
    return f"{row.verdict}: {row.why}" if row.why else row.verdict


def _protocol(row: ClaimRow) -> str:
    return series_of(row.series).name


def _claims_table(claims: Sequence[ClaimRow]) -> Table:
    columns = [Column(head, ".3g" if head == "Estimate" else "") for head in CLAIM_HEADS]
    rows = [[_claim(row), _protocol(row), _verdict(row), row.estimate, row.n, row.statement] for row in claims]
    levels = sorted({row.estimate.confidence_level for row in claims if row.estimate is not None})
    intervals = f"Intervals: {' or '.join(f'{100 * level:g}%' for level in levels)}. " if levels else ""
    return Table(columns, rows, "claims", "The paper's claims", f"{intervals}{VERDICTS} {TAGS}")


def _blocks(entry: GalleryEntry) -> list[Block]:
    panels = entry.panels
    alone = f"{panels.title}: {panels.y_title} against {panels.x_title}; {len(panels.names)} panels, " \
            f"{len(panels.rows)} points. The numbers stand in the table below."  # fmt: skip
    table: list[Block] = []
    if panels.rows:
        caption = f"Intervals over seeds, {100 * LEVEL:g}%; none where one seed has run. {' '.join(panels.notes)}"
        columns = [
            Column("Panel"), Column("Training"), Column(panels.x_title, ",g"),
            Column(panels.y_title, FORMS[panels.y_scale]), Column("Seeds"),
        ]  # fmt: skip
        table = [Table(columns, [_cells(row, panels) for row in panels.rows], f"{entry.name}-table", caption=caption)]
    return [
        Prose(f"{entry.shown}\n\nThe paper: {entry.claim}", entry.title),
        Picture(panels_png(panels), alone),
        Facts(entry.facts),
        *table,
        Download(f"{entry.name}.csv", panels_csv(panels.rows), label=f"{entry.name}.csv: unrounded, seed by seed"),
        Download(f"{entry.name}.svg", panels_svg(panels), "image/svg+xml"),
    ]


def _cells(row: Row, panels: Panels) -> list[Any]:
    value = row["value"] if row["low"] is None else Estimate(row["value"], row["low"], row["high"], LEVEL, "over seeds")
    return [row["panel"], series_of(row["series"]).name, row["x"], value, _seeds(row, panels)]


def _seeds(row: Row, panels: Panels) -> str:
    """Say how many seeds stand behind a point, and where the others are."""
    beyond = panels.beyond.get((row["panel"], row["series"], row["x"]), "")
    return f"{panels.seeds_of(row)}{'; ' if beyond else ''}{beyond}"


def _sections(entry: GalleryEntry, pictures: str) -> list[str]:
    """Write a figure's part of the Markdown page."""
    panels = entry.panels
    svg, csv = (quote(str(PurePosixPath(pictures, f"{entry.name}.{kind}"))) for kind in ("svg", "csv"))
    facts = [f"{_marked(name)}: {_code(value) if name.lower() == 'command' else _marked(value)}"
             for name, value in entry.facts.items()]  # fmt: skip
    table = _pivot(panels)
    return [
        f"## {_marked(entry.title)}",
        f"**The paper.** {_marked(entry.claim)}",
        f"**Shown.** {_marked(entry.shown)}",
        f"![{_marked(panels.title)}: {_marked(panels.y_title)} against {_marked(panels.x_title)}]({svg})",
        *([table] if table else []),
        *([f"**Notes.** {_marked(' '.join(panels.notes))}"] if panels.notes else []),
        " · ".join([*facts, f"[every number, seed by seed]({csv})"]),
    ]


def _pivot(panels: Panels) -> str:
    """Write a line a panel and x, a column a series; nothing where that is more than 30 lines."""
    at = {(row["panel"], row["series"], row["x"]): row for row in panels.rows}
    lines = sorted({(panel, x) for panel, _, x in (*at, *panels.beyond)},
                   key=lambda line: (panels.names.index(line[0]), line[1]))  # fmt: skip
    if not 0 < len(lines) <= MOST_LINES:
        return ""
    ways = in_legend_order(series for _, series, _ in [*at, *panels.beyond])
    body = [[panel, f"{x:,g}", *(_told(panels, at.get((panel, way, x)), panels.beyond.get((panel, way, x), "–"))
                                 for way in ways)] for panel, x in lines]  # fmt: skip
    return _marked_table(["", panels.x_title, *(series_of(way).name for way in ways)], body)


def _told(panels: Panels, row: Row | None, without: str) -> str:
    """Write a point with its interval, or what is said where there is none."""
    if row is None:
        return without
    form = FORMS[panels.y_scale]
    value, *ends = (format(row[end], form) for end in ("value", "low", "high") if row[end] is not None)
    interval = f" ({ends[0].removesuffix('%')} to {ends[1].removesuffix('%')})" if ends else ""
    return f"{value}{interval}{f', n = {_seeds(row, panels)}' if is_unfinished(row) else ''}"


def _number(estimate: Estimate | None) -> str:
    return "–" if estimate is None else f"{estimate.value:.3g} ({estimate.low:.3g} to {estimate.high:.3g})"


def _marked_table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heads, *rows]
    written = [f"| {' | '.join(_marked(cell) for cell in line)} |" for line in lines]
    return "\n".join([written[0], "|---" * len(heads) + "|", *written[1:]])


def _marked(value: object) -> str:
    """Write text that Markdown reads as text: on one line, without markup, links or HTML; the tags stay as they are."""
    text = " ".join(shown_text(value).split())
    return MARKUP.sub(
        lambda sign: sign[0] if len(sign[0]) > 1 else ENTITIES.get(sign[0], f"\\{sign[0]}"), text
    )  # fmt: skip


def _code(value: object) -> str:
    """Write text as code, in more backticks than it holds."""
    text = " ".join(shown_text(value).split())
    fence = "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
    return f"{fence} {text} {fence}" if "`" in text else f"{fence}{text}{fence}"
