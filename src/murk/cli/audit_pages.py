"""The pages that `murk audit` writes: what was found, and the examples to check, with their images where there are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from murk.audit import Findings
from murk.data import ImageSource
from murk.show import Suspect, audit_page, check_page, thumbnail_png

__all__ = ["CHECK_PAGE", "PAGE", "Pictured", "write_pages"]

PAGE, CHECK_PAGE = "audit.html", "to_check.html"
SUSPECTS, TORN, STRANGE, MOST_TO_CHECK = 60, 36, 24, 500
SIDE = 120  # pixels of an image on a page


@dataclass(frozen=True, eq=False)
class Pictured:
    """Where the images of audited examples are.

    Attributes:
        source: of images.
        rows: int [n], which of its images each audited example is; None for as they come.
    """

    source: ImageSource
    rows: np.ndarray | None = None

    def of(self, examples: Sequence[int]) -> list[bytes | None]:
        """Give the images of examples as PNG; None where these are no images of 1 or 3 channels."""
        at = np.asarray(examples, np.int64)
        batch = self.source.batch(at if self.rows is None else self.rows[at], device="cpu")
        if batch.ndim != 4 or batch.shape[3] not in (1, 3):
            return [None] * len(at)
        return [thumbnail_png(pixels, SIDE) for pixels in batch.numpy()]


def write_pages(
    out: Path, found: Findings, result: dict[str, Any], pictured: Pictured | None, questions: np.ndarray, *, table: str
) -> None:
    """Write audit.html, and to_check.html where questions were asked, each whole or not at all.

    Args:
        out: the audit folder.
        found: the audit.
        result: the same as plain values.
        pictured: the images; None where there are none.
        questions: positions of the examples to check.
        table: the name of the file that takes the answers.

    Raises:
        DataError: the folder cannot be written.
    """
    ranked = found.errors.ranked()
    suspects = ranked[found.errors.flagged[ranked]][:SUSPECTS]
    torn = strange = suspects[:0]
    if found.neighbours is not None:
        torn = np.flatnonzero(found.neighbours.disagreeing(found.labels))
        torn = torn[np.lexsort((torn, found.neighbours.copy_of[torn]))][:TORN]
        strange = np.flatnonzero(found.neighbours.strange)
        strange = strange[np.argsort(-found.neighbours.strangeness[strange], kind="stable")][:STRANGE]
    page = audit_page(
        result, _suspects(found, suspects, pictured), torn=_suspects(found, torn, pictured),
        strange=_suspects(found, strange, pictured),
    )  # fmt: skip
    page.write(out / PAGE)
    if len(questions):
        check_page(_suspects(found, questions[:MOST_TO_CHECK], pictured), total=len(questions), table=table).write(
            out / CHECK_PAGE
        )


def _suspects(found: Findings, examples: np.ndarray, pictured: Pictured | None) -> list[Suspect]:
    pngs = [None] * len(examples) if pictured is None or not len(examples) else pictured.of(examples.tolist())
    names = found.class_names
    return [
        Suspect(found.name_of(i), names[found.labels[i]], names[found.errors.suggested[i]],
                float(found.errors.probability[i]), png) for i, png in zip(examples.tolist(), pngs, strict=True)
    ]  # fmt: skip
