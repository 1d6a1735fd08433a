"""A classifier: features, then one linear layer to the classes."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

from murk.errors import InputError
from murk.models.settings import ModelSettings

__all__ = ["Classifier"]


class Classifier(nn.Module):
    """Logits [B,K] = head(features(x)), with features [B,D] that can be read for themselves.

    Args:
        features: module from a batch (images float [B,C,H,W], normalised, or features float [B,D']) to [B,D].
        head: linear layer from D features to K classes.
        settings: how `build` made it; None for a model put together by hand, which is then not checked on its input.

    Example:
        >>> import torch
        >>> model = Classifier(nn.Flatten(), nn.Linear(64, 10))
        >>> model(torch.zeros(2, 1, 8, 8)).shape, model.features(torch.zeros(2, 1, 8, 8)).shape
        (torch.Size([2, 10]), torch.Size([2, 64]))
    """

    features: nn.Module
    head: nn.Linear

    def __init__(self, features: nn.Module, head: nn.Linear, *, settings: ModelSettings | None = None) -> None:
        """Join features and head, which must agree on D."""
        super().__init__()
        self.features = features
        self.head = head
        self.settings = settings

    @property
    def num_classes(self) -> int:
        """Number of classes K."""
        return self.head.out_features

    @property
    def num_features(self) -> int:
        """Number of features D that the head reads."""
        return self.head.in_features

    def forward(self, x: Float[Tensor, " B *input"]) -> Float[Tensor, "B K"]:
        """Logits of a batch.

        Raises:
            InputError: the batch does not have the shape the model was built for.
        """
        if self.settings is not None and tuple(x.shape[1:]) != self.settings.input_shape:
            layout = "[B,C,H,W]" if len(self.settings.input_shape) == 3 else "[B,D]"
            wanted = ",".join(map(str, ("B", *self.settings.input_shape)))
            raise InputError(
                f"{self.settings.name} takes a float batch [{wanted}] laid out as {layout}, "
                f"but {list(x.shape)} came; images from [B,H,W,C] need permute(0, 3, 1, 2)"
            )
        logits: Tensor = self.head(self.features(x))
        return logits
