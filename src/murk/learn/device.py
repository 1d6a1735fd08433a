"""Where and how precisely to compute: the device, and bfloat16 where it pays."""

from __future__ import annotations

from contextlib import AbstractContextManager

import torch

from murk.errors import InputError

__all__ = ["Compute", "settle_compute"]


class Compute:
    """A device and the precision of its products.

    Attributes:
        device: the torch device.
        precision: "bfloat16" (weights and sums stay float32) or "float32".
    """

    def __init__(self, device: torch.device, precision: str) -> None:
        """Hold both; use `settle_compute` to have "auto" settled."""
        self.device, self.precision = device, precision

    def autocast(self) -> AbstractContextManager[object]:
        """Compute products in the precision chosen, inside a `with` block."""
        return torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.precision == "bfloat16")


def settle_compute(device: str | torch.device, precision: str = "auto") -> Compute:
    """Settle "auto": CUDA where there is one, bfloat16 where the hardware multiplies it itself.

    Args:
        device: "auto", or a torch device such as "cpu" or "cuda:1".
        precision: "auto", "bfloat16" or "float32".

    Raises:
        InputError: an unknown or absent device, or an unknown precision.
    """
    if precision not in ("auto", "bfloat16", "float32"):
        raise InputError(f"precision is auto, bfloat16 or float32, but {precision!r} came")
    settled = _settle_device(device)
    if precision == "auto":
        precision = "bfloat16" if _multiplies_bfloat16(settled) else "float32"
    return Compute(settled, precision)


def _settle_device(device: str | torch.device) -> torch.device:
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        settled = torch.device(device)
        torch.empty(0, dtype=torch.float64, device=settled)  # draws need float64, which MPS lacks
    except (RuntimeError, AssertionError, NotImplementedError, TypeError) as error:
        reason = str(error).strip().splitlines()[0]
        raise InputError(f"device {device!r} cannot be used here ({reason}); take device='auto' or 'cpu'") from error
    return settled


def _multiplies_bfloat16(device: torch.device) -> bool:
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    if device.type == "cpu":
        # torch tells this only by names with an underscore; where they are gone, float32 is the answer
        tells = (getattr(torch.cpu, name, None) for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"))
        return any(tell() for tell in tells if tell is not None)
    return False
