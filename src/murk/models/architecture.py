"""One kind of model: how its features are made, what may be set, and which examples it takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from murk.errors import nearest
from murk.models.features import FeatureModule
from murk.models.option import Option, OptionValue

__all__ = ["Architecture"]


def _any_side(values: Mapping[str, OptionValue]) -> int:
    return 1


def _as_given(shape: tuple[int, ...], values: Mapping[str, OptionValue]) -> Mapping[str, OptionValue]:
    return values


@dataclass(frozen=True)
class Architecture:
    """An entry of the registry.

    Args:
        features: called as features(example_shape, **options); gives the features.
        options: what the caller may set.
        inputs: "images", "features" or "any": the kind of examples it takes.
        smallest_side: from the options to the least number of pixels along a side.
        resolve: from (example_shape, options) to options with nothing left to be decided.
    """

    features: Callable[..., FeatureModule]
    options: Mapping[str, Option]
    inputs: str = "any"
    smallest_side: Callable[[Mapping[str, OptionValue]], int] = _any_side
    resolve: Callable[[tuple[int, ...], Mapping[str, OptionValue]], Mapping[str, OptionValue]] = _as_given

    def option_faults(self, name: str, given: Mapping[str, Any]) -> list[str]:
        """What is wrong with the options given to the architecture called `name`."""
        faults = [self.options[key].fault(key, value) for key, value in given.items() if key in self.options]
        for key in given:
            if key not in self.options and not self.options:
                faults.append(f"{name} has no options, but {key!r} came; leave it out")
            elif key not in self.options:
                known = ", ".join(self.options)
                faults.append(
                    f"{name} has no option {key!r}; did you mean {nearest(key, self.options)!r}? It has {known}"
                )
        return [fault for fault in faults if fault]

    def values(self, shape: tuple[int, ...], given: Mapping[str, Any]) -> dict[str, OptionValue]:
        """Every option's value, defaults filled in and nothing left to be decided."""
        chosen = {key: option.clean(given.get(key, option.default)) for key, option in self.options.items()}
        return dict(self.resolve(shape, chosen))

    def shape_fault(self, name: str, shape: tuple[int, ...], values: Mapping[str, OptionValue]) -> str:
        """Why this architecture cannot take examples of this shape, or the empty string."""
        images = len(shape) == 3
        if self.inputs == "images" and not images:
            return f"{name} needs images (H, W, C), but features {shape} came; use perceptron, mlp1 or head"
        if self.inputs == "features" and images:
            return f"{name} needs features (D,), but images {shape} came; use perceptron or mlp1"
        side = self.smallest_side(values)
        if images and min(shape[:2]) < side:
            came = f"{shape[0]}x{shape[1]}"
            advice = "; or take stem='cifar'" if values.get("stem") == "imagenet" else "; or take perceptron or an mlp"
            return f"{name} needs images of at least {side}x{side} pixels, but {came} came: enlarge them{advice}"
        return ""
