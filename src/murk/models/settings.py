"""The complete settings of a registered model: enough to build it again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from murk.models.option import OptionValue
from murk.models.request import input_shape

__all__ = ["ModelSettings"]


@dataclass(frozen=True)
class ModelSettings:
    """What `build` was asked for, with every default filled in.

    Args:
        name: one of `names()`.
        example_shape: (H, W, C) of the images in pixels and channels, or (D,) of the features.
        num_classes: number of classes, 2 or more.
        options: the architecture's options and their values, sorted by name.
        embedding: of how many numbers an embedding has that is to be searched by; None for features as they are.

    Example:
        >>> from murk.models import build
        >>> model = build("mlp1", example_shape=(8, 8, 1), num_classes=10)
        >>> model.settings.options
        (('dropout', 0.0), ('width', 256))
    """

    name: str
    example_shape: tuple[int, ...]
    num_classes: int
    options: tuple[tuple[str, OptionValue], ...]
    embedding: int | None = None

    def as_dict(self) -> dict[str, Any]:
        """The settings as JSON can hold them; `build(**settings.as_dict())` builds the same architecture."""
        return {
            "name": self.name,
            "example_shape": list(self.example_shape),
            "num_classes": self.num_classes,
            **({} if self.embedding is None else {"embedding": self.embedding}),
            **dict(self.options),
        }

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one example as the model takes it: (C, H, W) for images, (D,) for features."""
        return input_shape(self.example_shape)
