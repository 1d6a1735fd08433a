"""A head on a user's own backbone, frozen or fine-tuned."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from murk.errors import InputError, refuse
from murk.models.head import Classifier
from murk.models.option import Fraction, Whole
from murk.models.perceptron import HiddenLayers
from murk.models.request import input_shape, number_faults, shape_faults
from murk.models.seed import seeded

__all__ = ["Backbone", "backbone", "imported_backbone"]


class Backbone(nn.Module):
    """A user's module as features [B,D]; a frozen one learns nothing and stays in evaluation mode.

    Args:
        module: from float [B,C,H,W] or [B,D'] to [B,D]; a trailing 1x1 map is flattened.
        frozen: whether its parameters stay as they are; it then runs without gradients.
    """

    def __init__(self, module: nn.Module, *, frozen: bool) -> None:
        """Take `module` itself, not a copy."""
        super().__init__()
        self.module = module
        self.frozen = frozen
        if frozen:
            module.requires_grad_(False)
            module.eval()

    def train(self, mode: bool = True) -> Backbone:
        """Set training mode, which a frozen backbone does not enter: its statistics stay as they are."""
        super().train(mode)
        if self.frozen:
            self.module.eval()
        return self

    def forward(self, x: Float[Tensor, " B *input"]) -> Float[Tensor, "B D"]:
        """Features of a batch."""
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.frozen):
            features: Tensor = _flat(self.module(x))
        return features


def _flat(features: Any) -> Any:
    """Maps of one pixel [B,D,1,1] as [B,D]; anything else as it is."""
    if isinstance(features, Tensor) and features.ndim == 4 and features.shape[2:] == (1, 1):
        return features.flatten(1)
    return features


def backbone(
    module: nn.Module | Callable[[], nn.Module] | str,
    *,
    frozen: bool,
    num_classes: int,
    example_shape: Sequence[int],
    hidden: int | None = None,
    dropout: float = 0.0,
    seed: int = 0,
    allow_import: bool = False,
) -> Classifier:
    """Put a head on a user's backbone; its number of features is found by running it once on zeros.

    The module is used as it is, not copied: training changes it, and `frozen` switches its parameters' gradients off.
    A name is imported, which runs that package's code, and is therefore refused unless the caller allows it.

    Args:
        module: the backbone, from float [B,C,H,W] (or [B,D'] for features) to [B,D] or [B,D,1,1]; or a callable
            without arguments that makes it; or, with `allow_import`, "package.module:name" of either.
        frozen: train the head alone. The backbone then stays in evaluation mode and runs without gradients.
        num_classes: number of classes K, 2 or more.
        example_shape: (H, W, C) of the images in pixels and channels, or (D',) of the features.
        hidden: units of one hidden ReLU layer before the classes; None for a linear head.
        dropout: probability in [0, 1) of dropping a hidden unit; needs `hidden`.
        seed: of the head, and of a backbone made here, as in `build`; whole number in [0, 2**63).
        allow_import: whether a name may be imported.

    Returns:
        A `Classifier` on the backbone's device. Without `settings`: it cannot be built again from its name alone.

    Raises:
        InputError: what was given is not a usable backbone, or cannot be imported, or may not be.

    Example:
        >>> body = nn.Sequential(nn.Conv2d(3, 8, 3), nn.AdaptiveAvgPool2d(1))
        >>> model = backbone(body, frozen=True, num_classes=5, example_shape=(32, 32, 3))
        >>> model.num_features, sum(p.numel() for p in model.parameters() if p.requires_grad)
        (8, 45)
    """
    faults = [*shape_faults(example_shape), *number_faults(num_classes, seed), _import_fault(module, allow_import)]
    faults += [Whole(None, optional=True).fault("hidden", hidden), Fraction(0.0).fault("dropout", dropout)]
    if hidden is None and dropout:
        faults.append("dropout acts on the hidden layer: give hidden as well")
    refuse(faults)
    with seeded(int(seed)):
        body = Backbone(_made(module), frozen=frozen)
        reference = next(body.parameters(), torch.zeros(()))
        inputs = _count_features(body, input_shape(example_shape), reference)
        features: nn.Module = body
        if hidden is not None:
            layers = HiddenLayers((inputs,), depth=1, width=int(hidden), dropout=float(dropout))
            features, inputs = nn.Sequential(body, layers), int(hidden)
        head = nn.Linear(inputs, int(num_classes))
    return Classifier(features, head).to(reference.device)


def imported_backbone(path: str) -> Any:
    """Import what "package.module:name" names, which runs that package's code; the caller has allowed it.

    Raises:
        InputError: another form, or whatever keeps the module from being imported; it is named.

    Example:
        >>> imported_backbone("torch.nn:Flatten")()
        Flatten(start_dim=1, end_dim=-1)
    """
    refuse([_import_fault(path, True)])
    package, _, name = path.partition(":")
    try:
        found: Any = importlib.import_module(package)
    except ImportError as error:
        raise InputError(f"cannot import {package!r} for the backbone ({error}): is it installed?") from error
    except (Exception, SystemExit) as error:
        raise InputError(f"{package!r} for the backbone cannot be imported ({type(error).__name__}: {error}); correct "
                         "that module") from error  # fmt: skip
    for word in name.split("."):
        if not hasattr(found, word):
            raise InputError(f"{package!r} has no {name!r}: give the module or callable as 'package.module:callable'")
        found = getattr(found, word)
    return found


def _import_fault(module: object, allow_import: bool) -> str:
    """Why `module` cannot be taken as a backbone at all, or the empty string."""
    if isinstance(module, str):
        if not allow_import:
            return f"importing {module!r} runs its code: pass allow_import=True to allow it, or the module itself"
        package, _, name = module.partition(":")
        words = [*package.split("."), *name.split(".")]
        if not all(word.isidentifier() for word in words):
            return f"an import path looks like 'package.module:callable', not {module!r}"
        return ""
    if isinstance(module, nn.Module) or callable(module):
        return ""
    return f"a backbone is a torch module, a callable that makes one, or an import path, not {module!r}"


def _made(module: nn.Module | Callable[[], nn.Module] | str) -> nn.Module:
    """The module itself, made or imported where need be."""
    found = imported_backbone(module) if isinstance(module, str) else module
    made = found
    if not isinstance(found, nn.Module) and callable(found):
        try:
            made = found()
        except Exception as error:
            raise InputError(f"making the backbone failed: {found!r}, called without arguments: {error}") from error
    if isinstance(made, nn.Module):
        return made
    raise InputError(f"the backbone must be a torch module, or make one when called without arguments; {made!r} came")


def _count_features(body: Backbone, shape: tuple[int, ...], reference: Tensor) -> int:
    """Features that the backbone gives for two examples of zeros; leaves its modes as they were."""
    modes = {part: part.training for part in body.modules()}
    dtype = reference.dtype if reference.is_floating_point() else torch.float32
    try:
        with torch.no_grad():
            features = _flat(body.eval().module(torch.zeros((2, *shape), device=reference.device, dtype=dtype)))
    except Exception as error:
        raise InputError(f"the backbone fails on a float batch of shape {(2, *shape)}: {error}") from error
    finally:
        for part, mode in modes.items():
            part.training = mode
    if not isinstance(features, Tensor):
        raise InputError(f"the backbone must return a tensor [B,D], but gives {type(features).__name__}: wrap it")
    if features.ndim != 2 or len(features) != 2:
        came = tuple(features.shape)
        raise InputError(f"the backbone must return [B,D], but gives {came} for a batch of 2: pool, flatten")
    return features.shape[1]
