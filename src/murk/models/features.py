"""The base of every registered feature module."""

from __future__ import annotations

from torch import nn

__all__ = ["FeatureModule"]


class FeatureModule(nn.Module):
    """A module from a batch to features [B,D] that knows D as `num_features`."""

    num_features: int
