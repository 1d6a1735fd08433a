"""Normalisation of feature maps: none, over the batch, or over groups of channels."""

from __future__ import annotations

import math

from torch import nn

__all__ = ["normaliser"]


def normaliser(norm: str, channels: int) -> nn.Module:
    """A normalisation layer for maps [B,C,H,W].

    Args:
        norm: "batch" for BatchNorm; "group" for GroupNorm with as many groups, 32 at most, as the largest power of two
            that divides the channels; "none" for the identity.
        channels: channels C of the maps, 1 or more.

    Example:
        >>> normaliser("group", 48).num_groups
        16
    """
    if norm == "batch":
        return nn.BatchNorm2d(channels)
    return nn.GroupNorm(math.gcd(32, channels), channels) if norm == "group" else nn.Identity()
