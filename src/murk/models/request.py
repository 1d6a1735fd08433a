"""What every model is asked for: the shape of an example, the number of classes, the seed."""

from __future__ import annotations

from collections.abc import Sequence

from murk.models.option import whole_number

__all__ = ["input_shape", "number_faults", "shape_faults", "shape_of"]

LARGEST_SEED = 2**63


def shape_of(example_shape: Sequence[int]) -> tuple[int, ...] | None:
    """`example_shape` as plain ints, (H, W, C) or (D,); None where it is neither."""
    if isinstance(example_shape, str | bytes) or not hasattr(example_shape, "__iter__"):
        return None
    sides = [whole_number(side) for side in example_shape]
    shape = tuple(side for side in sides if side is not None and side >= 1)
    return shape if len(shape) == len(sides) and len(shape) in (1, 3) else None


def input_shape(example_shape: Sequence[int]) -> tuple[int, ...]:
    """Shape of one example as a model takes it: (C, H, W) for images (H, W, C), (D,) for features."""
    shape = tuple(int(side) for side in example_shape)
    return (shape[-1], *shape[:-1])


def shape_faults(example_shape: Sequence[int]) -> list[str]:
    """What is wrong with `example_shape`; an empty list where nothing is."""
    if shape_of(example_shape) is not None:
        return []
    return [f"example_shape must be (H, W, C) or (D,) in whole numbers from 1, not {example_shape!r}"]


def number_faults(num_classes: int, seed: int) -> list[str]:
    """What is wrong with the number of classes and the seed; an empty list where nothing is."""
    faults = []
    classes, number = whole_number(num_classes), whole_number(seed)
    if classes is None or classes < 2:
        faults.append(f"num_classes must be a whole number of at least 2, not {num_classes!r}")
    if number is None or not 0 <= number < LARGEST_SEED:
        faults.append(f"seed must be a whole number from 0 to 2**63 - 1, not {seed!r}")
    return faults
