"""Sources of images: a batch by index, from arrays, memory maps or whatever else can show an example."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Shaped
from scipy import sparse

from murk.data.examples import Examples
from murk.data.layout import layout_faults
from murk.data.rows import Indices, checked_rows
from murk.data.sparse_source import SparseSource
from murk.errors import InputError, refuse

Device = str | torch.device
"""A torch device or its name, such as "cpu" or "cuda:0"."""


@runtime_checkable
class ImageSource(Protocol):
    """Anything that shows examples by index: what training reads its images from.

    `batch` must be a pure function of the indices: the same image for the same index in any order, batch or process,
    and always of the same dtype, for an empty batch too.
    """

    def __len__(self) -> int:
        """N, the number of examples."""
        ...

    @property
    def example_shape(self) -> tuple[int, ...]:
        """(H, W, C) of one image or (D,) of one row of features."""
        ...

    @property
    def is_images(self) -> bool:
        """True for images, False for features."""
        ...

    def batch(self, indices: Indices, *, device: Device = "cpu") -> Shaped[torch.Tensor, "B ..."]:
        """The examples of these indices: uint8 [B,H,W,C], float32 [B,H,W,C] (0..255, unclipped) or float32 [B,D]."""
        ...


class ArraySource:
    """Examples held in an array, a memory map or a tensor.

    Args:
        array: uint8 [N,H,W,C] or float [N,D], finite in float32. Kept as it is: a memory map is read only where a
            batch asks.

    Raises:
        InputError: another shape or dtype, or features that are not finite.

    Example:
        >>> import numpy as np
        >>> from murk.data import ArraySource
        >>> source = ArraySource(np.arange(12, dtype=np.float32).reshape(6, 2))
        >>> source.batch([5, 0]).tolist()
        [[10.0, 11.0], [0.0, 1.0]]
    """

    def __init__(self, array: np.ndarray | torch.Tensor) -> None:
        """Check the array; nothing is copied."""
        refuse(layout_faults(array))
        self._hold(array)

    @classmethod
    def of(cls, examples: Examples) -> ArraySource:
        """A source over the images of `examples`, which are checked already."""
        source = cls.__new__(cls)
        source._hold(examples.images)
        return source

    def _hold(self, array: np.ndarray | torch.Tensor) -> None:
        if isinstance(array, torch.Tensor):
            array = array.detach()
            if array.device.type == "cpu" and array.dtype != torch.bfloat16:
                array = array.numpy()
        self._array = array
        self._resident: dict[torch.device, torch.Tensor | None] = {}

    def __len__(self) -> int:
        """N, the number of examples."""
        return len(self._array)

    @property
    def example_shape(self) -> tuple[int, ...]:
        """(H, W, C) of one image or (D,) of one row of features."""
        return tuple(int(size) for size in self._array.shape[1:])

    @property
    def is_images(self) -> bool:
        """True for uint8 images, False for features."""
        return len(self._array.shape) == 4

    @property
    def in_memory(self) -> bool:
        """False for a memory map, whose batches come from the disk."""
        return isinstance(self._array, torch.Tensor) or not _is_mapped(self._array)

    def resident(self, device: Device) -> ArraySource:
        """Keep a copy of everything on `device` from its first batch on; returns the source itself.

        Worth it where all N examples fit. On the CPU an array already in memory is not copied again.
        """
        self._resident.setdefault(_exact(device), None)
        return self

    def batch(self, indices: Indices, *, device: Device = "cpu") -> Shaped[torch.Tensor, "B ..."]:
        """The examples of these indices, on `device`.

        Args:
            indices: [B], whole numbers in [0, N), in any order, repeated or not.
            device: where the batch is wanted.

        Returns:
            uint8 [B,H,W,C] or float32 [B,D]; fresh memory, the caller's to change.

        Raises:
            InputError: an index outside [0, N). Indices that lie on an accelerator beside a resident copy are not
                looked at here, since that would wait for the device; the device itself refuses them.
        """
        where = _exact(device)
        if where in self._resident:
            everything = self._resident[where]
            if everything is None:
                everything = self._resident[where] = self._move(where)
            if isinstance(indices, torch.Tensor) and indices.device == where and where.type != "cpu":
                return everything.index_select(0, indices)
            chosen = torch.from_numpy(checked_rows(indices, len(self))).to(where, non_blocking=True)
            return everything.index_select(0, chosen)
        rows = checked_rows(indices, len(self))
        if isinstance(self._array, torch.Tensor):
            picked = self._array.index_select(0, torch.from_numpy(rows).to(self._array.device))
            return self._typed(picked).to(where)
        return torch.from_numpy(self._plain(np.asarray(self._array)[rows])).to(where)

    def _move(self, where: torch.device) -> torch.Tensor:
        """All examples as one tensor on `where`; memory is shared only with an array already there."""
        if isinstance(self._array, torch.Tensor):
            return self._typed(self._array).to(where)
        shareable = where.type == "cpu" and not _is_mapped(self._array) and self._array.flags.writeable
        plain = self._plain(np.asarray(self._array))
        return torch.from_numpy(plain) if shareable else torch.tensor(plain, device=where)

    def _plain(self, array: np.ndarray) -> np.ndarray:
        """The same numbers, contiguous, as uint8 or native float32."""
        return np.ascontiguousarray(array, dtype=np.uint8 if self.is_images else np.float32)

    def _typed(self, tensor: torch.Tensor) -> torch.Tensor:
        return tensor if self.is_images else tensor.to(torch.float32)


def as_source(images: Any) -> ImageSource:
    """Whatever holds images, as a source of them.

    Args:
        images: an array or memory map or tensor (uint8 [N,H,W,C] or float [N,D]); a SciPy sparse matrix of features
            [N,D] in any format, copied as float32 CSR; `Examples`; or a source, which is returned as it is.

    Raises:
        InputError: anything else, or features that are not finite in float32.

    Example:
        >>> import numpy as np
        >>> from murk.data import as_source
        >>> len(as_source(np.zeros((3, 8, 8, 1), np.uint8)))
        3
        >>> as_source(sparse.csr_array([[0.0, 2.0], [3.0, 0.0]])).batch([1]).tolist()
        [[3.0, 0.0]]
    """
    if isinstance(images, Examples):
        return ArraySource.of(images)
    if isinstance(images, np.ndarray | torch.Tensor):
        return ArraySource(images)
    if sparse.issparse(images):
        return SparseSource(images)
    if isinstance(images, ImageSource):
        return images
    raise InputError(
        f"expected an array, a tensor, a SciPy sparse matrix, Examples or an image source, got {type(images).__name__}"
        "; use np.asarray(...)"
    )


def _exact(device: Device) -> torch.device:
    """The device with its number, so that "cuda" and "cuda:0" are one."""
    named = torch.device(device)
    return named if named.type == "cpu" else torch.empty(0, device=named).device


def _is_mapped(array: np.ndarray) -> bool:
    """Whether an array, or one it is a view of, is a memory map."""
    owner: Any = array
    while owner is not None:
        if isinstance(owner, np.memmap):
            return True
        owner = getattr(owner, "base", None)
    return False
