"""The network that a command line asks for: by murk's name for it, or a backbone of the user's, imported."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from murk.data import Dataset
from murk.errors import InputError, refuse
from murk.models import Classifier, backbone, options
from murk.models.backbone import imported_backbone

__all__ = ["MODEL_HELP", "AllowImport", "imported", "imported_network", "made_on", "model_for", "refuse_model"]

MODEL_HELP = (
    "perceptron, mlp1, conv3, conv4, resnet18, ..., or a backbone of yours as package.module:callable; auto: conv3 for "
    "images, mlp1 for features."
)
AllowImport = Annotated[
    bool, typer.Option("--allow-import", help="Import what --model names, installed or lying here; runs its code.")
]


def model_for(model: str, dataset: Dataset) -> str:
    """Settle "auto" by the data."""
    return ("conv3" if dataset.train.is_images else "mlp1") if model == "auto" else model


def imported(model: str) -> bool:
    """Tell whether a model is named by an import path."""
    return ":" in model


def refuse_model(model: str, *, frozen: bool, allow_import: bool) -> None:
    """Refuse, before anything is read, a model that will not do.

    Raises:
        InputError: an unknown name, an import that is not allowed or fails, or --frozen without one.
    """
    if imported(model):
        _refuse_import(model, allow_import)
        _look_here()
        imported_backbone(model)
        return
    refuse(["--frozen goes with a backbone of yours: --model package.module:callable" if frozen else ""])
    if model != "auto":
        options(model)  # refuses a name that it does not know


def imported_network(model: str, dataset: Dataset, *, frozen: bool, seed: int) -> Classifier | None:
    """Put a head on the backbone that an allowed import path names; None for a model that murk knows by name.

    Raises:
        InputError: the import fails.
    """
    if not imported(model):
        return None
    return made_on(model, dataset.example_shape, dataset.num_classes, frozen=frozen, allow_import=True, seed=seed)


def made_on(
    model: str, example_shape: Sequence[int], num_classes: int, *, frozen: bool, allow_import: bool, seed: int = 0
) -> Classifier:
    """Import a backbone and put a head on it.

    Raises:
        InputError: the import is not allowed, or fails.
    """
    _refuse_import(model, allow_import)
    _look_here()
    return backbone(
        model, frozen=frozen, num_classes=num_classes, example_shape=example_shape, seed=seed, allow_import=True
    )


def _refuse_import(model: str, allow_import: bool) -> None:
    if not allow_import:
        raise InputError(f"--model {model} runs the code of that package; say --allow-import if you trust it")


def _look_here() -> None:
    """Find modules in the working folder too, which a program that was installed does not by itself.

    It comes last, and stays: no file there takes the place of an installed package, and a backbone may import more of
    its own while it trains.
    """
    if os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())
