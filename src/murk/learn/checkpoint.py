"""Checkpoints: everything a training needs to go on, in one file that is either whole or not there."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from murk.errors import DataError
from murk.files import replace_file

__all__ = [
    "checkpoint_files", "found_file", "load_module", "module_tensors", "read_tensors", "scout_file", "with_arrays",
    "without_arrays", "write_tensors",
]  # fmt: skip

SCOUTS = 5  # at most, of one training


def scout_file(checkpoint: Path, number: int) -> Path:
    """Name the file beside a training's checkpoint in which scout number 1, 2 ... keeps its own."""
    return checkpoint.with_name(f"{checkpoint.name}.scout{number}")


def found_file(checkpoint: Path) -> Path:
    """Name the file beside a training's checkpoint that keeps the noise that was found."""
    return checkpoint.with_name(f"{checkpoint.name}.found")


def checkpoint_files(checkpoint: Path) -> tuple[Path, ...]:
    """Name all files that a training may keep: its checkpoint, those of the scouts, and the noise that they found."""
    scouts = (scout_file(checkpoint, number) for number in range(1, SCOUTS + 1))
    return (checkpoint, *scouts, found_file(checkpoint))


def write_tensors(path: Path, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
    """Write tensors and JSON facts as one safetensors file; a reader sees the old file or the new one, never a part.

    Raises:
        DataError: the folder cannot be written, or the disk is full; the old file stays.
    """
    whole = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    replace_file(path, save(whole, metadata={"murk": json.dumps(facts, allow_nan=False)}))


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read a file that `write_tensors` wrote. Nothing in it is ever run as code.

    Raises:
        DataError: no such file, or not a whole file of murk's.
    """
    try:
        with safe_open(path, framework="pt") as file:
            facts = json.loads((file.metadata() or {})["murk"])
            if not isinstance(facts, dict):
                raise ValueError("the facts are not a JSON object")
            return {name: file.get_tensor(name) for name in file.keys()}, facts  # noqa: SIM118 - not a dict
    except FileNotFoundError as error:
        raise DataError(f"there is no file {path}; check the path") from error
    except (SafetensorError, OSError, KeyError, ValueError, RuntimeError) as error:
        raise DataError(
            f"{path} is not a whole safetensors file written by murk ({type(error).__name__}: {error}); "
            "it is damaged or foreign, and was not loaded"
        ) from error


def module_tensors(prefix: str, module: torch.nn.Module) -> dict[str, Tensor]:
    """Name a module's weights and buffers under a prefix."""
    return {f"{prefix}/{name}": tensor for name, tensor in module.state_dict().items()}


def load_module(prefix: str, module: torch.nn.Module, tensors: Mapping[str, Tensor], *, source: Path) -> None:
    """Put tensors named by `module_tensors` back.

    Raises:
        DataError: names or shapes are not this module's.
    """
    own = {name[len(prefix) + 1 :]: value for name, value in tensors.items() if name.startswith(prefix + "/")}
    try:
        module.load_state_dict(own, strict=True)
    except RuntimeError as error:
        raise DataError(f"the weights in {source} do not fit the model they are said to be of ({error})") from error


def without_arrays(value: Any, tensors: dict[str, Tensor]) -> Any:
    """Replace arrays by the names of tensors, which go into a file of weights."""
    if isinstance(value, np.ndarray):
        name = f"noise/{len(tensors)}"
        tensors[name] = torch.from_numpy(np.array(value, dtype=np.float64))
        return {"tensor": name}
    if isinstance(value, dict):
        return {key: without_arrays(part, tensors) for key, part in value.items()}
    return value.item() if isinstance(value, np.generic) else value


def with_arrays(value: Any, tensors: Mapping[str, Tensor]) -> Any:
    """Put back the arrays that `without_arrays` took out."""
    if isinstance(value, dict):
        if set(value) == {"tensor"}:
            return tensors[value["tensor"]].numpy()
        return {key: with_arrays(part, tensors) for key, part in value.items()}
    return value
