"""What an array of examples looks like: uint8 images [N,H,W,C] or float features [N,D]; anything else is named."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import Float32

_BLOCK_BYTES = 1 << 22


def layout_faults(array: np.ndarray | torch.Tensor) -> Iterator[str]:
    """What is wrong with an array of examples, one sentence a fault; nothing if it can be used.

    Images are judged by shape and type alone, so that a memory map is not read; float features are read in blocks,
    because one that is not finite in float32 would spoil a training.
    """
    shape, dtype = tuple(array.shape), str(array.dtype).removeprefix("torch.")
    floating = array.is_floating_point() if isinstance(array, torch.Tensor) else array.dtype.kind == "f"
    found = _shape_fault(shape, dtype, floating)
    if found:
        yield found
    elif floating:
        yield from _finite_faults(array)


def _shape_fault(shape: tuple[int, ...], dtype: str, floating: bool) -> str:
    """The one sentence that says why this shape and type hold no examples, or nothing."""
    got = f"expected images uint8 [N,H,W,C] or float features [N,D], got {dtype} {list(shape)}"
    if len(shape) == 4 and dtype == "uint8" and shape[3] > 4 >= shape[1]:
        return f"{got}: channels come first; use images.transpose(0, 2, 3, 1)"
    if (len(shape) == 4 and dtype == "uint8") or (len(shape) == 2 and floating):
        return "" if min(shape) > 0 else f"{got}: there is nothing in it; check how it was read"
    if len(shape) == 3 and dtype == "uint8":
        return f"{got}: the channel axis is missing; use images[..., None] for grey images"
    if len(shape) == 4:
        return f"{got}: scale to 0..255, round and convert with .astype(np.uint8)"
    if len(shape) == 2:
        return f"{got}: convert features with .astype(np.float32), reshape flattened images to [N,H,W,C]"
    return f"{got}: reshape to one of the two"


def _finite_faults(features: np.ndarray | torch.Tensor) -> Iterator[str]:
    """The first example whose features are not all finite as float32, looked for block by block."""
    rows = max(1, _BLOCK_BYTES // (4 * int(features.shape[1])))
    for start in range(0, len(features), rows):
        block = float32_block(features, start, start + rows)
        finite = np.isfinite(block).all(axis=1)
        if not finite.all():
            row = start + int(np.argmin(finite))
            yield f"expected features finite in float32, got NaN, infinity or overflow in example {row}; drop it"
            return


def float32_block(array: np.ndarray | torch.Tensor, start: int, stop: int) -> Float32[np.ndarray, "B ..."]:
    """Rows start..stop of an array in memory as float32; what float32 cannot hold becomes infinite."""
    if isinstance(array, torch.Tensor):
        block: np.ndarray = array[start:stop].detach().to("cpu", torch.float32).numpy()
        return block
    with np.errstate(over="ignore"):
        return np.asarray(array[start:stop]).astype(np.float32, copy=False)
