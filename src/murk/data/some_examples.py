"""Some of a source's examples, without a copy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Int

from murk.data.sources import ImageSource

__all__ = ["SomeExamples"]


@dataclass(frozen=True)
class SomeExamples:
    """Some examples of a source.

    Attributes:
        source: of all.
        rows: int [B], which.
    """

    source: ImageSource
    rows: Int[np.ndarray, " B"]

    def __len__(self) -> int:
        """Count them."""
        return len(self.rows)

    @property
    def example_shape(self) -> tuple[int, ...]:
        """The shape of one."""
        return self.source.example_shape

    @property
    def is_images(self) -> bool:
        """Whether they are images."""
        return self.source.is_images

    def batch(self, indices: Any, *, device: Any = "cpu") -> torch.Tensor:
        """Read some of them, as `murk.data.ImageSource` does."""
        return self.source.batch(self.rows[np.asarray(indices)], device=device)
