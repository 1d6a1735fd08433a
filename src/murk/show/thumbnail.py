"""Thumbnails: an image brought to the size at which a page or a contact sheet shows it."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import UInt8

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["draw_thumbnail", "thumbnail_png"]


def draw_thumbnail(pixels: UInt8[np.ndarray, "H W C"], side: int) -> Image:
    """Bring an image of 1 or 3 channels to a longer side of `side` pixels, in proportion; small pixels stay sharp."""
    from PIL import Image

    image = Image.fromarray(np.ascontiguousarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)).convert("RGB")
    scale = side / max(image.size)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return image.resize(size, Image.Resampling.NEAREST if scale > 1 else Image.Resampling.LANCZOS)


def thumbnail_png(pixels: UInt8[np.ndarray, "H W C"], side: int) -> bytes:
    """Write `draw_thumbnail` as a PNG; images that are small already keep their pixels, for the page to enlarge.

    Example:
        >>> thumbnail_png(np.zeros((8, 8, 1), np.uint8), 96)[1:4]
        b'PNG'
    """
    file = io.BytesIO()
    draw_thumbnail(pixels, min(side, max(pixels.shape[:2]))).save(file, format="PNG", optimize=True)
    return file.getvalue()
