"""Export: a classifier as one ONNX file, from what users have to probabilities, for programs without torch or murk."""

from __future__ import annotations

import importlib
import io
import json
import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn

from murk.errors import InputError, refuse
from murk.files import replace_file
from murk.learn.augment import Normalisation
from murk.version import VERSION

__all__ = ["OPSET", "write_onnx"]

OPSET = 18
LARGEST = 2**31 - 2**24  # bytes of weights: an ONNX file holds less than 2 GiB, and the graph needs its share
NOISY = ("torch", "torch.export", "torch.fx", "torch.onnx", "torch._dynamo", "torch._export", "onnxscript", "onnx_ir")


def write_onnx(
    path: str | Path,
    model: nn.Module,
    *,
    normalisation: Normalisation,
    class_names: Sequence[str],
    example_shape: Sequence[int],
) -> None:
    """Write a classifier as ONNX, its normalisation inside; what the file takes and gives, `Fit.export` says.

    Args:
        path: the file, ending in .onnx; an older one is replaced as a whole.
        model: from normalised input to logits [B, K], in evaluation mode on the CPU.
        normalisation: how a batch is normalised.
        class_names: K names.
        example_shape: (H, W, C) of images, or (D,) of features.

    Raises:
        InputError: another ending, a model too large or one that ONNX cannot hold, or onnx is not installed.
        DataError: the file cannot be written; nothing half-written is left.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp()) / "model.onnx"
        >>> as_they_are = Normalisation((0.0,) * 4, (1.0,) * 4, images=False)
        >>> write_onnx(file, nn.Linear(4, 2), normalisation=as_they_are, class_names=("cat", "dog"), example_shape=(4,))
        >>> file.exists()
        True
    """
    path = Path(path)
    refuse([_ending_fault(path), _size_fault(model)])
    onnx = _onnx()
    batch = torch.zeros((2, *example_shape), dtype=torch.uint8 if normalisation.images else torch.float32)
    exported = _exported(_Whole(model, normalisation).eval(), batch, "images" if normalisation.images else "features")
    _describe(exported, {"class_names": json.dumps(list(class_names)), "murk_version": VERSION})
    try:
        onnx.checker.check_model(exported)
        content = exported.SerializeToString(deterministic=True)
    except Exception as error:
        raise _refusal(error) from error
    replace_file(path, content)


class _Whole(nn.Module):
    """From a batch as users have it to (probabilities, logits)."""

    def __init__(self, model: nn.Module, normalisation: Normalisation) -> None:
        super().__init__()
        self.model, self.normalisation = model, normalisation

    def forward(self, batch: Shaped[Tensor, "B ..."]) -> tuple[Float[Tensor, "B K"], Float[Tensor, "B K"]]:
        logits = self.model(self.normalisation.prepare(batch)).float()
        return torch.softmax(logits, dim=1), logits


def _ending_fault(path: Path) -> str:
    return "" if path.suffix.lower() == ".onnx" else f"a model is exported as ONNX, to a .onnx file, but {path} came"


def _size_fault(model: nn.Module) -> str:
    """Say that the weights do not fit into one file, or nothing."""
    size = sum(tensor.numel() * tensor.element_size() for tensor in model.state_dict().values())
    if size <= LARGEST:
        return ""
    return (
        f"one ONNX file holds weights of up to {LARGEST / 2**30:.2f} GiB, but this model has {size / 2**30:.2f}; "
        "keep it with save(folder), or export a smaller one"
    )


def _onnx() -> Any:
    """Import what the export needs, or say how to get it."""
    try:
        importlib.import_module("onnxscript")
        importlib.import_module("onnx.checker")
        return importlib.import_module("onnx")
    except ImportError as error:
        raise InputError(f'the export needs onnx and onnxscript ({error}); pip install "murk[onnx]"') from error


def _exported(whole: nn.Module, batch: Tensor, name: str) -> Any:
    """Have torch translate the network, for any number of examples."""
    try:
        with _quiet(), torch.no_grad():
            # traced here, not by torch.onnx, which would silently fix the number of examples where it is depended on
            traced = torch.export.export(whole, (batch,), dynamic_shapes=({0: torch.export.Dim("N")},), strict=False)
            program = torch.onnx.export(
                traced, dynamo=True, verbose=False, opset_version=OPSET, input_names=[name],
                output_names=["probabilities", "logits"],
            )  # fmt: skip
    except Exception as error:  # whatever a user's own module or the exporter trips over
        raise _refusal(error) from error
    if program is None:
        raise InputError("torch gave no ONNX model; update torch")
    return program.model_proto


def _refusal(error: Exception) -> InputError:
    """Say why a model cannot be exported: in the words of the first cause, of which torch tells several lines."""
    cause: BaseException = error
    while cause.__cause__ is not None:
        cause = cause.__cause__
    told = next((line.strip() for line in str(cause).splitlines() if line.strip()), "no reason given")
    return InputError(
        f"this model cannot be written as ONNX ({type(cause).__name__}: {told}); build it of torch's own operations on "
        "batches of any size, without Python branches or loops that depend on values or on that size"
    )


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep torch's notes on its own progress off stdout and stderr; errors are raised all the same."""
    loggers = [logging.getLogger(name) for name in NOISY]
    before = [logger.level for logger in loggers]
    with warnings.catch_warnings(), redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        try:
            for logger in loggers:
                logger.setLevel(logging.CRITICAL)
            yield
        finally:
            for logger, level in zip(loggers, before, strict=True):
                logger.setLevel(level)


def _describe(exported: Any, facts: dict[str, str]) -> None:
    """Leave these facts as the file's only ones: torch notes source lines and paths of this machine at each node."""
    _strip(exported)
    for key, value in facts.items():
        exported.metadata_props.add(key=key, value=value)


def _strip(message: Any) -> None:
    """Clear the notes of a protobuf message and of all that it holds."""
    for field, value in message.ListFields():
        if field.name in ("metadata_props", "doc_string"):
            message.ClearField(field.name)
        elif field.message_type is not None:
            for part in [value] if hasattr(value, "ListFields") else value:
                _strip(part)
