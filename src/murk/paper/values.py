"""What the paper reports, each value with how sure murk is of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["CITATION", "PaperValue", "Tag"]

CITATION = "Rolnick, Veit, Belongie, Shavit 2017, Deep Learning is Robust to Massive Label Noise, arXiv 1705.10694"

Tag = Literal["read", "recalled", "inferred"]
"""read: in a summary or mirror of the paper; recalled: from memory of its text, not verified; inferred: derived."""


@dataclass(frozen=True)
class PaperValue:
    """A number that the paper gives, at one place of a figure.

    Attributes:
        panel: of the figure, as murk draws it.
        x: where on its horizontal axis.
        value: accuracy, in [0, 1].
        tag: how sure it is; shown wherever the value is.
        says: the value in words.
    """

    panel: str
    x: float
    value: float
    tag: Tag
    says: str

    def __str__(self) -> str:
        """Give the words with the tag, without which the value is never shown."""
        return f"{self.says} [{self.tag}]"
