"""Augmentation: batches of uint8 images, moved about on the device and normalised.

Every draw is a function of (seed, epoch, example), so a resumed training sees the same images.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from murk.errors import InputError

__all__ = ["AUGMENTATIONS", "Normalisation", "affine", "augmentation_for", "augmented", "crop_and_flip"]

ROTATION = 0.2  # radians, either way
SCALE = 0.15  # relative, each side by itself
SHEAR = 0.2
SHIFT = 0.1  # of the image's side
CROP = 0.125  # of the image's side: 4 pixels of 32
UNIFORMS = 6  # numbers that one image's augmentation uses


@dataclass(frozen=True)
class Normalisation:
    """Mean and standard deviation per channel (images, in 0..1) or per feature, of the training examples.

    Attributes:
        mean: [C] or [D].
        std: [C] or [D], > 0.
        images: whether the examples are images.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    images: bool

    def tensors(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Give mean and standard deviation shaped to go with `x`."""
        shape = (1, -1, 1, 1) if self.images else (1, -1)
        mean, std = (torch.tensor(part, device=x.device, dtype=torch.float32).view(shape) for part in
                     (self.mean, self.std))  # fmt: skip
        return mean, std

    def prepare(self, batch: Tensor, *, augment: str = "none", uniforms: Tensor | None = None) -> Tensor:
        """Turn a batch into what a model reads: augmented, normalised, channels first (stored channels last).

        Args:
            batch: uint8 or float32 [B, H, W, C] in 0..255, or float32 [B, D].
            augment: "none", "affine" or "crop-flip".
            uniforms: float [B, 6] in (0, 1), needed unless augment is "none".
        """
        x = augmented(batch, augment=augment, uniforms=uniforms) if self.images else batch
        mean, std = self.tensors(x)
        x = (x - mean) / std
        return x.contiguous(memory_format=torch.channels_last) if self.images else x


def augmented(batch: Tensor, *, augment: str, uniforms: Tensor | None) -> Tensor:
    """Bring images [B, H, W, C] to [B, C, H, W] in 0..1, moved about as `prepare` says, not yet normalised."""
    x = batch.permute(0, 3, 1, 2).to(torch.float32).div(255)
    return x if augment == "none" or uniforms is None else AUGMENTATIONS[augment](x, uniforms)


def affine(x: Float[Tensor, "B C H W"], uniforms: Float[Tensor, "B U"]) -> Float[Tensor, "B C H W"]:
    """Turn, stretch, shear and shift each image a little; what comes in at the border is 0 (black)."""
    signed = 2 * uniforms.to(torch.float32) - 1
    turn, shear = signed[:, 0] * ROTATION, signed[:, 1] * SHEAR
    wide, high = 1 + signed[:, 2] * SCALE, 1 + signed[:, 3] * SCALE
    across, down = 2 * SHIFT * signed[:, 4], 2 * SHIFT * signed[:, 5]  # grid units: the image spans -1 .. 1
    cos, sin = torch.cos(turn), torch.sin(turn)
    rows = (torch.stack([cos * wide, shear - sin * high, across], 1), torch.stack([sin * wide, cos * high, down], 1))
    grid = functional.affine_grid(torch.stack(rows, 1), list(x.shape), align_corners=False)
    return functional.grid_sample(x, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


def crop_and_flip(x: Float[Tensor, "B C H W"], uniforms: Float[Tensor, "B U"]) -> Float[Tensor, "B C H W"]:
    """Shift each image by whole pixels, up to an eighth of its side (reflected border), and mirror half of them."""
    height, width = x.shape[2:]
    reach = (int(height * CROP), int(width * CROP))
    padded = functional.pad(x, (reach[1], reach[1], reach[0], reach[0]), mode="reflect")
    # float64: rounded to float32, a number close to 1 would become 1 and point outside
    uniforms = uniforms.double()
    top = (uniforms[:, 0] * (2 * reach[0] + 1)).long()
    left = (uniforms[:, 1] * (2 * reach[1] + 1)).long()
    columns = torch.arange(width, device=x.device)[None, :].repeat(len(x), 1)
    columns = torch.where(uniforms[:, 2, None] < 0.5, columns.flip(1), columns) + left[:, None]
    rows = torch.arange(height, device=x.device)[None, :] + top[:, None]
    owner = torch.arange(len(x), device=x.device)[:, None, None]
    return padded.permute(0, 2, 3, 1)[owner, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


AUGMENTATIONS: dict[str, Any] = {"affine": affine, "crop-flip": crop_and_flip}


def augmentation_for(choice: str, example_shape: tuple[int, ...], *, single_layer: bool) -> str:
    """Settle "auto": affine for grey images, crop and flip for colour ones, none for features and for a single layer.

    A single layer cannot learn to see past such changes: it only sees blurred classes.

    Raises:
        InputError: an unknown choice, or an augmentation of images for features.
    """
    images = len(example_shape) == 3
    if choice == "auto":
        return "none" if not images or single_layer else "affine" if example_shape[2] == 1 else "crop-flip"
    if choice != "none" and choice not in AUGMENTATIONS:
        raise InputError(f"`augment=...` is auto, none, {' or '.join(AUGMENTATIONS)}, but {choice!r} came")
    if choice != "none" and not images:
        raise InputError(f"{choice} is for images, but the examples are features; leave `augment=...` out, or say none")
    return choice
