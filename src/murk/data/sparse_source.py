"""Sparse features as a source: rows of a SciPy matrix, written out a batch at a time and never all at once."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from jaxtyping import Float32
from scipy import sparse

from murk.data.rows import Indices, checked_rows
from murk.errors import refuse

__all__ = ["SparseSource"]


class SparseSource:
    """Features that are mostly zero, such as TF-IDF, held as float32 CSR; only the rows of a batch are written out.

    10,000 texts of 20,000 columns with 50 words each are 4 MB here and 800 MB written out.

    Args:
        matrix: SciPy sparse matrix or array [N, D], any format, finite in float32. Copied, so that it may be changed
            afterwards; entries of one place are summed, and stored zeros are left out.

    Raises:
        InputError: no sparse matrix, nothing in it, complex numbers, or numbers that are not finite in float32; faults
            together.

    Example:
        >>> from murk.data import SparseSource
        >>> source = SparseSource(sparse.csr_array([[0.0, 2.0], [0.0, 0.0], [3.0, 0.0]]))
        >>> source.batch([2, 0]).tolist()
        [[3.0, 0.0], [0.0, 2.0]]
    """

    def __init__(self, matrix: Any) -> None:
        """Check the matrix and bring it into the one form that equal matrices share."""
        refuse(_faults(matrix))
        with np.errstate(over="ignore"):
            self.matrix = sparse.csr_array(matrix, dtype=np.float32, copy=True)
        self.matrix.sum_duplicates()
        self.matrix.eliminate_zeros()
        refuse([_finite_fault(self.matrix)])

    def __len__(self) -> int:
        """N, the number of examples."""
        return int(self.matrix.shape[0])

    @property
    def example_shape(self) -> tuple[int, ...]:
        """(D,), the columns of one row."""
        return (int(self.matrix.shape[1]),)

    @property
    def is_images(self) -> bool:
        """False: these are features."""
        return False

    def row_bytes(self, row: int) -> bytes:
        """The columns and values of one row; equal bytes for equal rows."""
        part = slice(self.matrix.indptr[row], self.matrix.indptr[row + 1])
        return bytes(self.matrix.indices[part].astype(np.int64).tobytes() + self.matrix.data[part].tobytes())

    def take(self, rows: Indices) -> SparseSource:
        """The chosen rows, in this order, as a source of their own.

        Raises:
            InputError: an index outside [0, N).
        """
        chosen = object.__new__(SparseSource)
        chosen.matrix = self.matrix[checked_rows(rows, len(self))]
        return chosen

    def batch(self, indices: Indices, *, device: str | torch.device = "cpu") -> Float32[torch.Tensor, "B D"]:
        """The rows of these indices, written out on `device`.

        Raises:
            InputError: an index outside [0, N).
        """
        return torch.from_numpy(self.matrix[checked_rows(indices, len(self))].toarray()).to(device)


def _faults(matrix: Any) -> list[str]:
    """What is wrong with a matrix, before its values are looked at."""
    if not bool(sparse.issparse(matrix)):
        return [f"expected a SciPy sparse matrix [N, D], but {type(matrix).__name__} came; as_source takes arrays"]
    if matrix.ndim != 2 or min(matrix.shape) == 0:
        return [f"expected a sparse matrix [N, D] with rows and columns, but the shape {matrix.shape} came"]
    if matrix.dtype.kind not in "buif":
        return [f"expected real numbers, but {matrix.dtype} came; convert with .astype(np.float32)"]
    return []


def _finite_fault(matrix: Any) -> str:
    wrong = np.flatnonzero(~np.isfinite(matrix.data))
    if not len(wrong):
        return ""
    row = int(np.searchsorted(matrix.indptr, wrong[0], side="right")) - 1
    return f"expected features finite in float32, got NaN, infinity or overflow in example {row}; drop it"
