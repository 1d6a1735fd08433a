"""Pages: nothing from outside, whatever comes in stays text, and the numbers inside are the numbers given."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import re
from html.parser import HTMLParser

import altair
import pytest
from PIL import Image

from murk.errors import DataError, InputError
from murk.measure import Estimate
from murk.show import Column, Download, Facts, Figure, Page, Picture, Prose, Table

MOST_BYTES = 5_000_000
HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</style></script><!-- ]]>",
    "{{ 7 * 7 }} {% raw %}",
    "&lt;b&gt; &amp;",
    "\u202egnissim\u0000\u0007",
    "x" * 10_000,
    "👩‍🔬🙂",
]
LOADING = {"src", "href", "xlink:href", "action", "formaction", "data", "poster", "srcset", "background"}


class Reader(HTMLParser):
    """Reads a page as a browser would: elements, attributes, the text of each kind of element."""

    def __init__(self, html):
        super().__init__()
        self.elements, self.texts, self.open = [], [], []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in ("meta", "img", "link", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        while self.open and self.open.pop() != tag:
            pass

    def handle_data(self, text):
        self.texts.append((self.open[-1] if self.open else "", text))

    def all(self, tag):
        return [attrs for name, attrs in self.elements if name == tag]

    def text(self, *tags):
        return "".join(text for tag, text in self.texts if not tags or tag in tags)

    def file(self, name):
        address = next(link["href"] for link in self.all("a") if link.get("download") == name)
        return base64.b64decode(address.partition("base64,")[2])


def chart(name="a"):
    values = [{"x": 1, "y": 2, "series": name}, {"x": 2, "y": 3, "series": "b"}]
    encodings = {"x": "x:Q", "y": "y:Q", "color": "series:N", "tooltip": ["series:N", "y:Q"]}
    return altair.Chart(altair.Data(values=values)).mark_point().encode(**encodings).properties(width="container")


def png():
    file = io.BytesIO()
    Image.new("RGB", (2, 2)).save(file, "PNG")
    return file.getvalue()


def full_page(text="plain"):
    """A page with every kind of block, `text` in every place that takes text."""
    rows = [[text, 1.5, Estimate(0.5, 0.25, 0.75, 0.95, "test")], ["b", None, None]]
    return Page(text, text, text, [
        Prose(f"{text}\n\n{text}", text),
        Figure(chart(text), text, "figure", text, text),
        Table([Column(text), Column("n", ".1f"), Column("share", ".1%")], rows, "numbers", text, text),
        Facts({text: text}, text),
        Picture(png(), text, text, text),
        Download("file.csv", "a,b\n1,2\n", label=text, heading=text),
    ])  # fmt: skip


def test_a_page_asks_nothing_of_any_network():
    page = Reader(full_page().html())
    for tag, attrs in page.elements:
        for name in LOADING & attrs.keys():
            assert attrs[name].startswith("data:"), (tag, name, attrs[name][:80])
    assert not {"link", "iframe", "object", "embed", "base", "form"} & {tag for tag, _ in page.elements}
    assert not re.search(r"url\(|@import", page.text("style"))
    outside = re.findall(r"https?://[^\s\"'<>)]+", re.sub(r"(?s)<script>.*?</script>", "", full_page().html()))
    assert set(outside) <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}


def test_the_policy_names_every_script_and_style_by_its_hash_and_forbids_the_rest():
    html = full_page().html()
    policy = next(m["content"] for m in Reader(html).all("meta") if m.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'; ") and "unsafe" not in policy and "http" not in policy
    run = re.findall(r"(?s)<script>(.*?)</script>", html)
    style = re.findall(r"(?s)<style>(.*?)</style>", html)
    assert len(run) == 2 and len(style) == 1
    for text in run + style:
        assert base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() in policy
    assert not re.search(r"\s(style|on\w+)=\"", re.sub(r"(?s)<script.*?</script>", "", html)), (
        "the policy forbids these"
    )


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_stays_text_everywhere(text):
    harmless, hostile = Reader(full_page().html()), Reader(full_page(text).html())
    assert [tag for tag, _ in hostile.elements] == [tag for tag, _ in harmless.elements]
    assert [sorted(attrs) for tag, attrs in hostile.elements if tag != "text"] == [
        sorted(attrs) for tag, attrs in harmless.elements if tag != "text"
    ]
    seen = "".join(sign for sign in text if sign not in "\u202e\u0000\u0007")[:1000]
    for tag in ("title", "h1", "h2", "bdi", "dt", "dd", "figcaption", "a"):
        assert seen in hostile.text(tag), tag


def test_a_chart_carries_its_data_whole_though_it_be_hostile():
    html = full_page("</script><b>").html()
    spec = json.loads(re.search(r'(?s)<script type="application/json">(.*?)</script>', html)[1])
    assert "</script><b>" in [point["series"] for point in spec["data"]["values"]]


def test_signs_that_are_no_text_are_left_out():
    html = full_page("a\x00\x1b\u202eb\ud800c").html()
    assert not re.search("[\x00-\x08\x0b\x0c\x0e-\x1f]", re.sub(r"(?s)<script>.*?</script>", "", html))
    assert Reader(html).text("h1") == "abc"


def test_a_page_stays_small():
    assert len(full_page().html().encode()) < MOST_BYTES


def test_without_charts_a_page_carries_no_chart_runtime():
    assert len(Page("t", "q", "a", [Prose("text")]).html()) < 20_000


def test_a_still_picture_stands_where_no_script_runs():
    page = Reader(full_page().html())
    hidden = [attrs["class"] for tag, attrs in page.elements if "hidden" in attrs]
    assert hidden == ["live"] and page.all("svg")
    assert page.file("figure.svg").startswith(b"<svg")


def test_the_csv_inside_equals_the_numbers_unrounded():
    third = 1 / 3
    rows = [["=1+1", third, Estimate(third, 0.1, 0.7, 0.95, "t")], ['b,"c"', None, None]]
    table = Table([Column("name"), Column("x", ".1f"), Column("share", ".0%")], rows, "numbers")
    read = list(csv.reader(io.StringIO(Reader(Page("t", "q", "a", [table]).html()).file("numbers.csv").decode())))
    assert read[0] == ["name", "x", "share", "share: low", "share: high"]
    assert read[1] == ["'=1+1", repr(third), repr(third), "0.1", "0.7"], "a spreadsheet must not run text as a formula"
    assert read[2] == ['b,"c"', "", "", "", ""]


def test_a_table_shows_value_and_interval_and_sorts_by_the_whole_number():
    table = Table([Column("share", ".1%")], [[Estimate(0.98765, 0.97, 0.99, 0.95, "t")]], "numbers")
    page = Reader(Page("t", "q", "a", [table]).html())
    assert page.text("bdi") == "98.8%" and page.text("span") == "97.0 to 99.0%"
    assert [cell["data-order"] for cell in page.all("td")] == ["0.98765"]


def test_a_page_is_written_whole_or_not_at_all(tmp_path):
    written = Page("t", "q", "a").write(tmp_path / "deep" / "page.html")
    assert written.read_text(encoding="utf-8") == Page("t", "q", "a").html()
    assert [path.name for path in written.parent.iterdir()] == ["page.html"]
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DataError, match="cannot write"):
        Page("t", "q", "a").write(tmp_path / "file" / "page.html")


def test_what_is_no_png_and_rows_that_do_not_fit_are_refused():
    with pytest.raises(InputError, match="PNG"):
        Picture(b"GIF89a", "a picture")
    with pytest.raises(InputError, match="2 columns, but row 1 has 1 cells"):
        Table([Column("a"), Column("b")], [[1, 2], [3]], "numbers")
