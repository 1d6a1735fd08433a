"""The page of an audit: its numbers are the audit's, its images lie inside, whatever names come in stay text."""

import io

import numpy as np
import pytest
from PIL import Image

from murk.audit import audit_labels
from murk.audit.folder import result_of
from murk.errors import InputError
from murk.measure import Range, reliability
from murk.noise import Channel
from murk.show import (
    Column,
    Gallery,
    Page,
    Suspect,
    Table,
    Tile,
    audit_page,
    check_page,
    reliability_svg,
    thumbnail_png,
)

HOSTILE = "<script>alert(1)</script>\u202e" + "x" * 3000
NAMES = ("cat", HOSTILE, "fox")
PIXELS = np.arange(64, dtype=np.uint8).reshape(8, 8, 1)


def plain(*, checked: int = 0, names: tuple[str, ...] = NAMES) -> dict:
    """Audit 600 labels of three classes, every fifth of them wrong; give the result as plain values."""
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 3, 600)
    labels = np.where(rng.random(600) < 0.2, (truth + 1) % 3, truth)
    probs = np.full((600, 3), 0.05)
    probs[np.arange(600), truth], probs[np.arange(600), (truth + 1) % 3] = 0.75, 0.2
    where = np.arange(checked)
    found = audit_labels(labels, probs, class_names=names, checked=(where, truth[where]) if checked else None)
    return result_of(found, settings={}, data={}, seeds={}).to_dict()


def suspects(count: int, png: bytes | None) -> list[Suspect]:
    return [Suspect(f"img{i}", "cat", "fox", 0.9, png) for i in range(count)]


def test_the_page_says_what_the_audit_found_and_holds_its_images() -> None:
    result = plain(names=("cat", "dog", "fox"))
    page = audit_page(result, suspects(3, thumbnail_png(PIXELS, 120)))
    html = page.html()
    assert page.answer == " ".join(result["facts"]["said"][:3]) and page.answer.startswith("Between")
    assert html.count('src="data:image/png') == 3 and "cat → fox" in html and "90.0%" in html
    for heading in ("Noise by class", "How labels go wrong", "Most frequent confusions", "Most suspicious", "Method"):
        assert heading in html
    assert "by two opposite assumptions" in html and "by checked labels: interval" not in html


def test_with_checked_labels_pictures_show_intervals() -> None:
    html = audit_page(plain(checked=200, names=("cat", "dog", "fox")), []).html()
    assert "by checked labels: interval" in html and "that were checked" in html
    assert "How far the probabilities can be taken at their word" in html


def test_without_images_suspicious_examples_are_a_table() -> None:
    html = audit_page(plain(), suspects(2, None), strange=suspects(1, None)).html()
    assert "img1" in html and 'class="tiles"' not in html and "Unlike all others" in html


def test_hostile_names_are_text_and_pages_stay_small() -> None:
    pages = (
        audit_page(plain(), [Suspect(HOSTILE, HOSTILE, "fox", 1.0, thumbnail_png(PIXELS, 120))] * 60),
        check_page([Suspect(HOSTILE, HOSTILE, "fox", 1.0)] * 9, total=9, table="to_check.csv"),
    )
    for page in pages:
        html = page.html()
        assert "<script>alert" not in html and "\u202e" not in html and len(html) < 5_000_000


def test_the_page_of_questions_suggests_nothing() -> None:
    html = check_page(suspects(4, thumbnail_png(PIXELS, 120)), total=9, table="to_check.csv").html()
    assert "The first 4 are shown" in html and "9 examples" in html and "fox" not in html and "label: cat" in html


def test_a_range_in_a_table_shows_both_ends_and_keeps_them_unrounded_in_its_csv() -> None:
    table = Table([Column("rate", ".1%")], [[Range(0.0512, 0.25, "low; high")]], "rates")
    assert "5.1 to 25.0%" in Page("t", "q", "a", [table]).html()
    assert table.csv().splitlines()[1].split(",")[1:] == ["0.0512", "0.25"]


def test_a_thumbnail_keeps_small_images_as_they_are_and_shrinks_large_ones() -> None:
    small = Image.open(io.BytesIO(thumbnail_png(PIXELS, 120)))
    assert (np.asarray(small)[..., 0] == PIXELS[..., 0]).all()
    large = Image.open(io.BytesIO(thumbnail_png(np.zeros((300, 600, 3), np.uint8), 120)))
    assert large.size == (120, 60)


def test_a_tile_holds_a_png() -> None:
    with pytest.raises(InputError, match="PNG"):
        Gallery([Tile(b"GIF89a", "a cat")])


def test_a_reliability_from_votes_is_a_picture_with_what_is_said_beside_what_is_so() -> None:
    noise = Channel.symmetric(0.3, num_classes=3)
    truth = np.random.default_rng(0).integers(0, 3, 3000)
    probs = np.full((3000, 3), 0.1)
    probs[np.arange(3000), np.where(np.arange(3000) % 5 > 0, truth, (truth + 1) % 3)] = 0.8
    svg = reliability_svg(reliability(probs, noise.draw(truth, seed=0), noise=noise, bins=2))
    assert svg.startswith("<svg") and "sure to 80.0%, 1,500 labels" in svg and "by noisy votes: interval" in svg
