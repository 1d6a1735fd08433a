"""The gallery: every figure with its claim, its numbers and what stands behind them, as a page and as Markdown."""

from __future__ import annotations

import base64
import csv
import io
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from markdown_it import MarkdownIt

from murk.measure import Estimate
from murk.show import (
    ClaimRow,
    GalleryEntry,
    Mark,
    Panels,
    gallery_markdown,
    gallery_page,
    panels_csv,
    panels_svg,
    sections_markdown,
)

HOSTILE = [
    "a | b | c", "`code` ``two`` `", "<script>alert(1)</script>", "[link](https://example.org) ![i](x.png)",
    "\n\n# head\n- item\n```python\nimport os\n```", "**bold** _it_ ~~gone~~ &lt; \\| \\", '"><img src=x onerror=y>',
    "[read](https://example.org) [read]: x", "\u202e\x00\x07end",
]  # fmt: skip


def row(panel="Conv4", series="paper", x=10, value=0.9, *, seeds=3):
    ends = {"low": value - 0.1, "high": value + 0.05} if seeds > 1 else {"low": None, "high": None}
    return {"panel": panel, "series": series, "x": x, "value": value, **ends, "n_seeds": seeds, "planned": 3,
            "n_test": 1000, "seeds": dict.fromkeys(range(seeds), value)}  # fmt: skip


def entry(name="fig1", rows=None, text="plain", **facts):
    rows = [row(), row(series="evidence", value=0.9512), row(x=20, value=0.75, seeds=1)] if rows is None else rows
    marks = [Mark("Conv4", 100, 0.91, "91 % [recalled]")]
    panels = Panels(text, rows, "Random labels", "log1p", "Accuracy", "share", marks, [text])
    behind = {"Runs": "5 of 9", "Machine": text, "Command": f"murk reproduce {name}", **facts}
    return GalleryEntry(name, text, text, f"{text} [read]", panels, behind)


DIFFERENCE = Estimate(0.0213, 0.01, 0.03, 0.95, "test")


def claim(text="It holds", verdict="holds", estimate=DIFFERENCE):
    return ClaimRow(text, "recalled", "paper", verdict, text, estimate, "3 seeds")


class Reader(HTMLParser):
    """Reads HTML as a browser would: the elements, and the text of each kind of element."""

    def __init__(self, html):
        super().__init__()
        self.elements, self.texts, self.open = [], [], []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in ("meta", "img", "link", "br", "hr"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        while self.open and self.open.pop() != tag:
            pass

    def handle_data(self, text):
        self.texts.append((self.open[-1] if self.open else "", text))

    def tags(self):
        return [tag for tag, _ in self.elements]

    def text(self, *tags):
        return "".join(text for tag, text in self.texts if not tags or tag in tags)

    def file(self, name):
        address = next(a["href"] for tag, a in self.elements if tag == "a" and a.get("download") == name)
        return base64.b64decode(address.partition("base64,")[2])


def rendered(markdown):
    """Markdown as GitHub reads it: with tables, strike-through and HTML."""
    return Reader(MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).render(markdown))


def page_of(entries, claims=()):
    return Reader(gallery_page(entries, claims, {"Size": "small"}, {"Cores": 2}).html())


def test_a_figure_on_the_page_brings_its_picture_its_numbers_and_what_stands_behind_them():
    given = entry()
    page = page_of([given], [claim()])
    assert page.file("fig1.csv").decode() == panels_csv(given.panels.rows)
    assert page.file("fig1.svg") == panels_svg(given.panels)
    assert [a["src"].partition(";")[0] for tag, a in page.elements if tag == "img"] == ["data:image/png"]
    said = page.text()
    for words in ("The paper: plain [read]", "5 of 9", "murk reproduce fig1", "95.1%", "85.1 to 100.1%", "1 of 3"):
        assert words in said, words


def test_the_claims_come_first_each_with_tag_protocol_verdict_interval_and_n():
    page = page_of([entry()], [claim(), claim("It fails", "does not", None)])
    first = list(csv.reader(io.StringIO(page.file("claims.csv").decode())))
    assert [cell.partition(":")[0] for cell in first[0]] == ["Claim", "Protocol", "Verdict", *["Estimate"] * 3, "n",
                                                             "What was tested"]  # fmt: skip
    assert first[1] == ["It holds [recalled]", "The paper's training", "holds", "0.0213", "0.01", "0.03", "3 seeds",
                        "It holds"]  # fmt: skip
    assert first[2][2:6] == ["does not", "", "", ""]
    assert page.text("h2").startswith("The paper's claims")
    assert "holds: 1; does not: 1" in page.text("p")


def test_the_markdown_page_shows_each_picture_with_its_claim_its_command_and_its_numbers():
    page = rendered(gallery_markdown([entry(), entry("fig 2")], [claim()], pictures="pictures/small"))
    assert [a["src"] for tag, a in page.elements if tag == "img"] == [f"pictures/small/{name}.svg"
                                                                      for name in ("fig1", "fig%202")]  # fmt: skip
    assert [a["href"] for tag, a in page.elements if tag == "a"] == [f"pictures/small/{name}.csv"
                                                                     for name in ("fig1", "fig%202")]  # fmt: skip
    assert page.text("code") == "murk reproduce fig1murk reproduce fig 2"
    cells = [text for tag, text in page.texts if tag == "td"]
    assert cells[:6] == ["It holds [recalled]", "The paper's training", "holds", "0.0213 (0.01 to 0.03)", "3 seeds",
                         "It holds"]  # fmt: skip
    assert "90.0% (80.0 to 95.0)" in cells and "75.0%, n = 1 of 3 so far" in cells and "–" in cells
    assert "plain [read]" in page.text("p")


def test_what_keeps_runs_from_deciding_stands_beside_the_verdict_and_every_verdict_is_explained():
    given = ClaimRow("It holds", "read", "paper", "undecided", "this", DIFFERENCE, "3 seeds", "Conv4 has not learned")
    for page in (page_of([], [given]), rendered(gallery_markdown([], [given], pictures="."))):
        assert "undecided: Conv4 has not learned" in page.text("td", "bdi")
        assert "by one way to train: undecided: 1." in page.text("p"), "counted by the verdict alone"
        for word in ("undecided otherwise", "Nothing learned", "Not run"):
            assert word in page.text(), word


def test_what_stands_below_the_picture_stands_on_both_pages():
    given = replace(entry(), panels=replace(entry().panels, notes=["Half of it is left out.", "Bars: 95 %."]))
    for page in (page_of([given]), rendered(sections_markdown([given], pictures="."))):
        assert "Half of it is left out. Bars: 95 %." in " ".join(page.text().split())


def test_seeds_without_a_number_are_told_beside_the_others_and_where_there_are_no_others():
    beyond = {("Conv4", "paper", 20): "under 30, n = 2", ("Conv4", "evidence", 50): "over 10"}
    given = replace(entry(), panels=replace(entry().panels, beyond=beyond, counted="that cross"))
    cells = [text for tag, text in rendered(sections_markdown([given], pictures=".")).texts if tag == "td"]
    assert "75.0%, n = 1 of 3 that cross; under 30, n = 2" in cells
    assert cells[-4:] == ["Conv4", "50", "–", "over 10"]
    assert "1 of 3 that cross; under 30, n = 2" in page_of([given]).text()


def test_pictures_beside_the_page_are_named_without_a_folder():
    assert "](fig1.svg)" in gallery_markdown([entry()], [], pictures=".")


@pytest.mark.parametrize(("points", "tables"), [(0, 0), (30, 1), (31, 0)])
def test_a_table_stands_in_the_markdown_unless_it_would_be_long(points, tables):
    rows = [row(series=series, x=x) for x in range(points) for series in ("paper", "evidence")]
    page = rendered(gallery_markdown([entry(rows=rows)], [], pictures="pictures"))
    assert page.tags().count("table") == tables
    assert page.tags().count("tr") == (points + 1) * tables


def test_what_has_not_run_yet_is_said_and_not_left_out():
    nothing = entry(rows=[])
    assert "nothing has run yet" in page_of([nothing]).file("fig1.svg").decode()
    assert "No claim has been tested yet." in page_of([nothing]).text("p")
    assert "No claim has been tested yet." in gallery_markdown([nothing], [], pictures=".")


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_stays_text_in_markdown(text):
    def page(words):
        given = entry(rows=[row(words, words)], text=words, Command=words, **{f"{words}:": words})
        return rendered(gallery_markdown([given], [claim(words, words)], pictures="pictures"))

    hostile = page(text)
    assert hostile.tags() == page("plain").tags()
    seen = " ".join(text.replace("\u202e", "").replace("\x00", "").replace("\x07", "").split())
    for tag in ("h2", "td", "p", "code"):
        assert seen in hostile.text(tag), tag


def test_hostile_text_stays_text_on_the_page():
    def page(words):
        given = entry(rows=[row(words, words)], text=words, **{f"{words}:": words})
        return page_of([given], [claim(words, words)])

    text = "<script>alert(1)</script> | `` $x$ \x00"
    assert page(text).tags() == page("plain").tags()
    for tag in ("h2", "bdi", "dd", "p"):
        assert "<script>alert(1)</script> | `` $x$" in page(text).text(tag), tag


def test_the_same_study_gives_the_same_page():
    one, other = (gallery_page([entry()], [claim()], {}, {}).html() for _ in range(2))
    assert one == other
