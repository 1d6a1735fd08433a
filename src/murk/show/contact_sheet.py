"""A contact sheet: a few images of every class, each with what its votes say."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from murk.data import Examples
from murk.errors import refuse
from murk.files import replace_file
from murk.noise import Votes
from murk.show.text import clean_text
from murk.show.thumbnail import draw_thumbnail

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["draw_contact_sheet", "write_contact_sheet"]

TILE, GAP, LINE, FONT_SIZE = 72, 10, 18, 13  # pixels
MOST_CLASSES = 200
LONGEST_NAME = 20
PAPER, INK, WRONG = "#ffffff", "#1c1d1f", "#D55E00"


def draw_contact_sheet(examples: Examples, votes: Votes | None = None, *, per_class: int = 10) -> Image:
    """Draw the first images of each class, a row a class; under each the class with most votes, and its share.

    Args:
        examples: images with 1 or 3 channels; those whose label is not known (-1) get a last row of their own.
        votes: the votes of these examples; a winner that is not the true class is written in red after an x.
        per_class: images a row, 1 to 50.

    Returns:
        An RGB image; at most 200 classes, the first ones.

    Raises:
        InputError: features, other numbers of channels, votes of other examples, or per_class out of range; all
            faults together.

    Example:
        >>> import murk
        >>> draw_contact_sheet(murk.load("digits").test, per_class=3).mode
        'RGB'
    """
    from PIL import Image, ImageDraw, ImageFont

    _refuse_faults(examples, votes, per_class)
    shown = list(range(min(examples.num_classes, MOST_CLASSES))) + ([-1] if (examples.labels < 0).any() else [])
    step = TILE + GAP + (LINE if votes is not None else 0)
    font = ImageFont.load_default(FONT_SIZE)
    first = 2 * GAP + round(max((font.getlength(_name(examples, label)) for label in shown), default=0))
    sheet = Image.new("RGB", (first + per_class * (TILE + GAP), len(shown) * step + GAP), PAPER)
    pen = ImageDraw.Draw(sheet)
    for line, label in enumerate(shown):
        top = GAP + line * step
        pen.text((GAP, top + TILE // 2 - FONT_SIZE // 2), _name(examples, label), fill=INK, font=font)
        for place, row in enumerate(np.flatnonzero(examples.labels == label)[:per_class]):
            left = first + place * (TILE + GAP)
            sheet.paste(draw_thumbnail(examples.images[row], TILE), (left, top))
            if votes is not None:
                text, right = _winner(votes, int(row), label)
                pen.text((left, top + TILE + 2), text, fill=INK if right else WRONG, font=font)
    return sheet


def write_contact_sheet(
    examples: Examples, path: str | Path, *, votes: Votes | None = None, per_class: int = 10
) -> Path:
    """Write what `draw_contact_sheet` draws as a PNG file, whole or not at all; return its path.

    Raises:
        InputError: what `draw_contact_sheet` refuses.
        DataError: the folder cannot be written.
    """
    file = io.BytesIO()
    draw_contact_sheet(examples, votes, per_class=per_class).save(file, format="PNG")
    replace_file(Path(path), file.getvalue())
    return Path(path)


def _refuse_faults(examples: Examples, votes: Votes | None, per_class: int) -> None:
    channels = examples.example_shape[2] if examples.is_images else 0
    refuse([
        "" if examples.is_images else "a contact sheet shows images, but these examples are features",
        "" if channels in (0, 1, 3) else f"a contact sheet shows images of 1 or 3 channels, but these have {channels}",
        "" if len(examples) else "there are no examples to show",
        "" if votes is None or len(votes) == len(examples)
        else f"expected votes for each of {len(examples)} examples, but {len(votes)} came",
        "" if isinstance(per_class, int) and 1 <= per_class <= 50
        else f"per_class is a whole number in [1, 50], but {per_class!r} came",
    ])  # fmt: skip


def _name(examples: Examples, label: int) -> str:
    if label < 0:
        return "(not known)"
    name = " ".join(clean_text(examples.class_names[label]).split())
    return name if len(name) <= LONGEST_NAME else name[: LONGEST_NAME - 1] + "…"


def _winner(votes: Votes, row: int, label: int) -> tuple[str, bool]:
    """Name the class with most votes (the first of equals) and its count; say whether it is the true one."""
    counts = np.asarray(votes.batch(np.array([row])).counts().sum(axis=0)).ravel()[: votes.num_classes]
    if not counts.sum():
        return "no vote", True
    best = int(counts.argmax())
    right = label < 0 or best == label
    return f"{'' if right else 'x '}{best}: {counts[best]:g}/{counts.sum():g}", right
