"""Mixed sources: clean images among foreign images or white noise, by arithmetic on the index alone."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float32, Float64, Int64, Shaped

from murk.data.layout import float32_block, layout_faults
from murk.data.order import seeded_order
from murk.data.rows import ArrayLike, Indices, checked_rows
from murk.data.sources import Device, ImageSource
from murk.errors import InputError, refuse

_BLOCK_VALUES = 1 << 22

Normal = Callable[[np.ndarray, int], np.ndarray | torch.Tensor]
"""normal(indices [B], count): float32 [B, count] standard normal numbers, row b a pure function of indices[b]."""


class Shown(NamedTuple):
    """Which image each example shows: from the noise or the clean source, and its row there."""

    is_noise: Bool[np.ndarray, " B"]
    row: Int64[np.ndarray, " B"]


class ChannelMoments(NamedTuple):
    """Mean and standard deviation [C] of each channel over all examples and pixels, in the images' own unit."""

    mean: Float64[np.ndarray, " C"]
    std: Float64[np.ndarray, " C"]


@dataclass(frozen=True, eq=False)
class Interleaved:
    """Each clean image followed by alpha images of another source: N (1 + alpha) examples, none of them stored.

    Example e: i = e // (1 + alpha), v = e % (1 + alpha). v = 0 shows clean image i; v > 0 shows noisy image number
    t = i alpha + (v - 1) of M, used again in turn: row order[t % M].

    Args:
        clean: N images.
        noise: M images of the same shape; may be the same source as `clean`, in which case an image may also meet
            itself.
        alpha: noisy images per clean one, a whole number of at least 0; a fractional one is refused.
        seed: of the order in which the noisy images come round, in [0, 2^64); None: as they lie, t % M, with no order
            stored (for white noise, which has none). The order holds M numbers.

    Raises:
        InputError: another alpha, shapes that differ, or an empty source; all named together.

    Example:
        >>> import numpy as np
        >>> from murk.data import Interleaved, as_source
        >>> clean, other = np.zeros((2, 1), np.float32), np.array([[7.0], [8.0], [9.0]])
        >>> mixed = Interleaved(as_source(clean), as_source(other), alpha=2, seed=None)
        >>> mixed.batch([0, 1, 2, 3, 4, 5]).flatten().tolist()
        [0.0, 7.0, 8.0, 0.0, 9.0, 7.0]

    Source: Rolnick, Veit, Belongie, Shavit 2017, arXiv 1705.10694, section 4.
    """

    clean: ImageSource
    noise: ImageSource
    alpha: int | float = field(kw_only=True)
    seed: int | None = field(kw_only=True)
    _order: np.ndarray | None = field(init=False, repr=False, default=None)

    def __post_init__(self) -> None:
        """Refuse what cannot be mixed; lay down the order of the noisy images."""
        refuse(self._faults())
        if self.seed is not None and self.alpha:
            object.__setattr__(self, "_order", seeded_order(len(self.noise), seed=self.seed))

    def _faults(self) -> list[str]:
        alpha, clean, noise = self.alpha, self.clean, self.noise
        whole = isinstance(alpha, int | np.integer) and not isinstance(alpha, bool) and alpha >= 0
        seeded = self.seed is None or 0 <= self.seed < 2**64
        return [
            "" if whole else f"expected alpha as a whole number of at least 0, got {alpha!r}",
            "" if seeded else f"expected a seed in [0, 2**64) or None, got {self.seed}",
            "" if len(clean) else "expected clean images, got none",
            "" if len(noise) else "expected noisy images, got none",
            ""
            if (clean.example_shape, clean.is_images) == (noise.example_shape, noise.is_images)
            else f"expected noisy examples of the clean shape {clean.example_shape}, got {noise.example_shape}; resize "
            "or convert them first",
        ]

    def __len__(self) -> int:
        """N (1 + alpha), the number of examples."""
        return len(self.clean) * (1 + int(self.alpha))

    @property
    def example_shape(self) -> tuple[int, ...]:
        """(H, W, C) of one image or (D,) of one row of features."""
        return self.clean.example_shape

    @property
    def is_images(self) -> bool:
        """True for images, False for features."""
        return self.clean.is_images

    def image_of(self, examples: Indices) -> Shown:
        """Which image each example shows; a pure function of the index.

        Args:
            examples: [B], whole numbers in [0, N (1 + alpha)).

        Returns:
            Shown(is_noise [B], row [B]): a row of `clean` where is_noise is False, of `noise` elsewhere.
        """
        alpha = int(self.alpha)
        i, v = np.divmod(checked_rows(examples, len(self)), 1 + alpha)
        turn = (i * alpha + v - 1) % len(self.noise)
        noisy = turn if self._order is None else self._order[turn]
        return Shown(is_noise=v > 0, row=np.where(v > 0, noisy, i))

    def batch(self, indices: Indices, *, device: Device = "cpu") -> Shaped[torch.Tensor, "B ..."]:
        """The images of these examples: uint8 if both sources are, float32 if either is, whatever the batch holds."""
        is_noise, rows = self.image_of(indices)
        clean = self.clean.batch(rows[~is_noise], device=device)
        noise = self.noise.batch(rows[is_noise], device=device)
        dtype = torch.promote_types(clean.dtype, noise.dtype)
        mixed = torch.empty((len(rows), *self.example_shape), dtype=dtype, device=clean.device)
        for part, places in ((clean, np.flatnonzero(~is_noise)), (noise, np.flatnonzero(is_noise))):
            mixed.index_copy_(0, torch.from_numpy(places).to(clean.device), part.to(dtype))
        return mixed


@dataclass(frozen=True, eq=False, init=False)
class WhiteNoise:
    """Images of independent normal pixels, drawn when a batch asks for them and never stored.

    image[h, w, c] = mean[c] + std[c] z, z from `normal`; float32 and unclipped, because clipping to 0..255 would shrink
    the spread.

    Args:
        mean: [C], in the unit of the images it stands beside (0..255 for uint8).
        std: [C], at least 0, the same unit.
        example_shape: (H, W, C), or (D,) for features, where C is D.
        length: how many different images there are, at least 1.
        normal: normal(indices int64 [B], count) -> float32 [B, count], row b a pure function of indices[b] (and of
            the seed the callable holds), so that image i is the same in any batch.

    Raises:
        InputError: all faults of these together.

    Example:
        >>> import numpy as np
        >>> from murk.data import WhiteNoise
        >>> ones = lambda indices, count: np.ones((len(indices), count), np.float32)
        >>> noise = WhiteNoise([100.0], [20.0], example_shape=(8, 8, 1), length=50, normal=ones)
        >>> noise.batch([3]).unique().tolist()
        [120.0]

    Source: Rolnick, Veit, Belongie, Shavit 2017, arXiv 1705.10694, section 4.
    """

    mean: Float32[np.ndarray, " C"]
    std: Float32[np.ndarray, " C"]
    example_shape: tuple[int, ...]
    length: int
    normal: Normal

    def __init__(
        self, mean: ArrayLike, std: ArrayLike, *, example_shape: tuple[int, ...], length: int, normal: Normal
    ) -> None:
        """Check all, hold mean and standard deviation as float32."""
        shape = tuple(example_shape)
        moments = {"mean": np.asarray(mean), "std": np.asarray(std)}
        shaped = len(shape) in (1, 3) and min(shape) > 0
        refuse(
            [
                "" if shaped else f"expected example_shape (H, W, C) or (D,) of positive numbers, got {shape}",
                "" if length > 0 else f"expected length > 0, got {length}",
                *(_moment_fault(name, value, shape[-1:]) for name, value in moments.items()),
            ]
        )
        for name, value in moments.items():
            object.__setattr__(self, name, value.astype(np.float32))
        for name, given in (("example_shape", shape), ("length", int(length)), ("normal", normal)):
            object.__setattr__(self, name, given)

    def __len__(self) -> int:
        """How many different images there are."""
        return int(self.length)

    @property
    def is_images(self) -> bool:
        """True for images, False for features."""
        return len(self.example_shape) == 3

    def batch(self, indices: Indices, *, device: Device = "cpu") -> Float32[torch.Tensor, "B ..."]:
        """The noise images of these indices, float32 [B, *example_shape]; the same bits on any device."""
        rows, count = checked_rows(indices, len(self)), math.prod(self.example_shape)
        if not len(rows):
            return torch.empty((0, *self.example_shape), dtype=torch.float32, device=device)
        drawn = torch.as_tensor(self.normal(rows, count))
        if tuple(drawn.shape) != (len(rows), count) or drawn.dtype != torch.float32:
            raise InputError(
                f"expected normal(indices, {count}) to give float32 [{len(rows)}, {count}], got {drawn.dtype} "
                f"{list(drawn.shape)}; check the generator given to WhiteNoise"
            )
        z = drawn.cpu().reshape(-1, *self.example_shape)
        return (z * torch.from_numpy(self.std) + torch.from_numpy(self.mean)).to(device)


def _moment_fault(name: str, value: np.ndarray, channels: tuple[int, ...]) -> str:
    """What is wrong with a mean or a standard deviation of each channel, or nothing."""
    if value.dtype.kind not in "fiu" or value.shape != channels or not np.isfinite(value).all():
        return f"expected a finite {name} for each of the channels {list(channels)}, got {value.tolist()}"
    return f"expected std >= 0, got {value.tolist()}" if name == "std" and (value < 0).any() else ""


def channel_moments(images: np.ndarray) -> ChannelMoments:
    """Mean and standard deviation of each channel, read block by block.

    std^2 = sum (x - mean)^2 / n over all n pixels (n examples for features): the population's, in two passes.

    Args:
        images: uint8 [N,H,W,C] or float [N,D]; a memory map is never held whole.

    Returns:
        ChannelMoments(mean [C], std [C]) in float64, the unit of the images.

    Raises:
        InputError: another shape or dtype.

    Example:
        >>> import numpy as np
        >>> from murk.data import channel_moments
        >>> channel_moments(np.array([[1.0, 5.0], [3.0, 5.0]]))
        ChannelMoments(mean=array([2., 5.]), std=array([1., 0.]))
    """
    refuse(layout_faults(images))
    rows = max(1, _BLOCK_VALUES // math.prod(images.shape[1:]))
    pixels = math.prod(images.shape[:-1])

    def total(shift: np.ndarray | float, power: int) -> Float64[np.ndarray, " C"]:
        sums = np.zeros(images.shape[-1])
        for start in range(0, len(images), rows):
            block = float32_block(images, start, start + rows).reshape(-1, images.shape[-1])
            sums += ((block.astype(np.float64) - shift) ** power).sum(axis=0)
        return sums

    mean = total(0.0, 1) / pixels
    return ChannelMoments(mean=mean, std=np.sqrt(total(mean, 2) / pixels))
