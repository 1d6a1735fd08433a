"""Cross-entropy: the votes are taken as they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from murk.learn.method import Method

__all__ = ["CrossEntropy"]


@dataclass
class CrossEntropy(Method):
    """Cross-entropy on one vote of the example, taken at random at each visit, and the weights of the last step.

    Of several votes this is how the study of 2017 trained (arXiv 1705.10694). It is the one method here without
    averaged weights, so that what averaging alone does can be seen beside it.
    """

    name: ClassVar[str] = "cross-entropy"
    source: ClassVar[str] = "Rolnick et al. 2017, arXiv 1705.10694; no settings"
    averaging: ClassVar[bool | None] = False
