"""Queries and what was found for them: an image a line, beside it its nearest ones in each of several searches."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Int

from murk.data import Examples
from murk.errors import refuse
from murk.show.text import clean_text
from murk.show.thumbnail import draw_thumbnail

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["draw_neighbours"]

TILE, FRAME, GAP, BETWEEN, FONT_SIZE = 44, 3, 4, 22, 14  # pixels
PAPER, INK, WRONG = "#ffffff", "#1c1d1f", "#D55E00"
MOST = 100


def draw_neighbours(
    examples: Examples, queries: Int[np.ndarray, " Q"], searches: Mapping[str, Int[np.ndarray, "Q M"]]
) -> Image:
    """Draw queries, a line each, and what each search found for them; what is of another class is framed and crossed.

    Args:
        examples: labelled images with 1 or 3 channels, the searched collection.
        queries: places of the queries in it, 1 to 100.
        searches: by its title, the places that a search found for each query, nearest first
            (`murk.measure.nearest_neighbours`); at least one.

    Returns:
        An RGB image.

    Raises:
        InputError: features, unknown labels, places outside the collection, or shapes that do not belong together;
            all faults together.

    Example:
        >>> import murk
        >>> digits = murk.load("digits").test
        >>> draw_neighbours(digits, np.array([0, 1]), {"by chance": np.array([[5, 6], [7, 8]])}).mode
        'RGB'
    """
    from PIL import Image, ImageDraw, ImageFont

    queries, searches = np.asarray(queries), {title: np.asarray(places) for title, places in searches.items()}
    _refuse_faults(examples, queries, searches)
    font, step = ImageFont.load_default(FONT_SIZE), TILE + GAP
    head = FONT_SIZE + 2 * GAP
    titles = {title: " ".join(clean_text(title).split()) for title in searches}
    widths = {title: max(places.shape[1] * step, round(font.getlength(titles[title]))) + BETWEEN
              for title, places in searches.items()}  # fmt: skip
    sheet = Image.new("RGB", (GAP + step + BETWEEN + sum(widths.values()), head + len(queries) * step + GAP), PAPER)
    pen = ImageDraw.Draw(sheet)

    def place(index: int, left: int, line: int, *, right: bool) -> None:
        top = head + line * step
        if not right:
            pen.rectangle((left, top, left + TILE - 1, top + TILE - 1), fill=WRONG)
        inner = draw_thumbnail(examples.images[index], TILE - 2 * FRAME)
        sheet.paste(inner, (left + FRAME, top + FRAME))
        if not right:
            pen.line((left, top + TILE - 1, left + TILE // 4, top + 3 * TILE // 4), fill=WRONG, width=FRAME)
            pen.line((left, top + 3 * TILE // 4, left + TILE // 4, top + TILE - 1), fill=WRONG, width=FRAME)

    pen.text((GAP, GAP), "query", fill=INK, font=font)
    for line, query in enumerate(queries):
        place(int(query), GAP, line, right=True)
    left = GAP + step + BETWEEN
    for title, places in searches.items():
        pen.text((left, GAP), titles[title], fill=INK, font=font)
        for line, found in enumerate(places):
            for number, index in enumerate(found):
                right = examples.labels[index] == examples.labels[queries[line]]
                place(int(index), left + number * step, line, right=bool(right))
        left += widths[title]
    return sheet


def _refuse_faults(examples: Examples, queries: np.ndarray, searches: Mapping[str, np.ndarray]) -> None:
    channels = examples.example_shape[2] if examples.is_images else 0
    every = [queries, *searches.values()]
    refuse([
        "" if examples.is_images else "neighbours are shown as images, but these examples are features",
        "" if channels in (0, 1, 3) else f"images of 1 or 3 channels can be shown, but these have {channels}",
        "" if (examples.labels >= 0).all() else "whether a neighbour is right is told by labels, but some are unknown",
        "" if queries.ndim == 1 and 1 <= len(queries) <= MOST else
        f"queries are 1 to {MOST} places, but the shape {queries.shape} came",
        "" if searches else "at least one search is shown, but none came",
        *(f"{title!r} holds the places found for each of {len(queries)} queries, but the shape {places.shape} came"
          for title, places in searches.items() if places.ndim != 2 or len(places) != len(queries)),
        "" if all(each.dtype.kind in "iu" and ((each >= 0) & (each < len(examples))).all() for each in every) else
        f"places are whole numbers in [0, {len(examples)}), but others came",
    ])  # fmt: skip
