"""Text from outside, made fit for pages and pictures."""

from __future__ import annotations

import unicodedata

__all__ = ["clean_text", "shown_text"]

LONGEST = 2000  # signs of one text shown on a page; what is longer is cut, with a mark
TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
CONTROL = ("Cc", "Cs")


def clean_text(text: str) -> str:
    """Leave out what is no text: control signs, halves of surrogate pairs, and signs that turn the direction round.

    Line feeds and tabs stay. Right-to-left scripts stay too: they need no such sign where each text has an element of
    its own.

    Example:
        >>> clean_text("a\\x00b\\u202ec")
        'abc'
    """
    return "".join(
        sign for sign in text if sign in "\n\t" or (unicodedata.category(sign) not in CONTROL and sign not in TURNING)
    )


def shown_text(value: object) -> str:
    """Write a value as clean text, cut where it is longer than 2,000 signs.

    Example:
        >>> shown_text("x" * 2001)[-16:]
        'x… (2,001 signs)'
    """
    text = clean_text(str(value))
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}… ({len(text):,} signs)"
