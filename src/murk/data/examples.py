"""Examples: images or features, their labels, and the names of the classes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int64, Shaped, UInt8

from murk.data.layout import layout_faults
from murk.data.rows import ArrayLike, Indices, checked_rows
from murk.errors import InputError, refuse

_MOST_UNNAMED_CLASSES = 1_000_000


@dataclass(frozen=True, eq=False, init=False, repr=False)
class Examples:
    """Examples with their true labels; checked once, cheap to index.

    Args:
        images: uint8 [N,H,W,C] (0..255), or float features [N,D], finite in float32; a NumPy array or memory map,
            kept as it is and never copied (anything else goes through `np.asarray`). Images of a memory map are not
            read to be checked.
        labels: [N], whole numbers in [0, K), or -1 where the truth is unknown; held as int64.
        class_names: K different names. None: "0", "1", ... up to the largest label.
        ids: optional [N], whole numbers or text, all different: names of examples.
        groups: optional [N], whole numbers or text: patient, user, near-duplicate; never split between training and
            held-out examples by whoever reads them.

    Raises:
        InputError: naming every fault together. Multi-label and regression targets are recognised and refused.

    Not promised: the arrays are not copied, so whoever changes them afterwards changes the examples.

    Example:
        >>> import numpy as np
        >>> from murk.data import Examples
        >>> examples = Examples(np.zeros((3, 8, 8, 1), np.uint8), [0, 1, -1])
        >>> len(examples), examples.num_classes, examples[1:].labels.tolist()
        (3, 2, [1, -1])
    """

    images: UInt8[np.ndarray, "N H W C"] | Float[np.ndarray, "N D"]
    labels: Int64[np.ndarray, " N"]
    class_names: tuple[str, ...]
    ids: Shaped[np.ndarray, " N"] | None
    groups: Shaped[np.ndarray, " N"] | None

    def __init__(
        self,
        images: ArrayLike,
        labels: ArrayLike,
        class_names: Sequence[str] | np.ndarray | None = None,
        ids: ArrayLike | None = None,
        groups: ArrayLike | None = None,
    ) -> None:
        """Check everything and report all faults together."""
        faults: list[str] = []
        held = _as_array("images", images, faults)
        faults.extend([] if held is None else layout_faults(held))
        count = None if held is None or not held.ndim else len(held)
        numbers = _checked_labels(labels, count, faults)
        names = _checked_names(class_names, numbers, faults)
        columns = {
            what: _checked_column(what, given, count, faults) for what, given in (("ids", ids), ("groups", groups))
        }
        if columns["ids"] is not None and len(np.unique(columns["ids"])) != len(columns["ids"]):
            faults.append("expected ids that are all different, got repeats; use groups for what examples share")
        refuse(faults)
        for name, value in {"images": held, "labels": numbers, "class_names": names, **columns}.items():
            object.__setattr__(self, name, value)

    def __len__(self) -> int:
        """N, the number of examples."""
        return len(self.images)

    def __getitem__(self, which: slice | Indices | int) -> Examples:
        """The chosen examples: a view for a slice, a copy of the chosen rows alone for indices or a boolean mask.

        Raises:
            InputError: an index outside [0, N), a mask of another length, or a bare whole number.
        """
        rows = which if isinstance(which, slice) else _chosen_rows(which, len(self))
        chosen = object.__new__(Examples)
        for field in fields(self):
            value = getattr(self, field.name)
            object.__setattr__(chosen, field.name, value[rows] if isinstance(value, np.ndarray) else value)
        return chosen

    def __iter__(self) -> Iterator[Examples]:
        """Each example by itself, as `Examples` of length one."""
        return (self[row : row + 1] for row in range(len(self)))

    def __repr__(self) -> str:
        """Shape and classes, not the pixels."""
        shape = "x".join(str(size) for size in self.example_shape)
        return f"Examples({len(self)} of {shape} {self.images.dtype}, {self.num_classes} classes)"

    @property
    def num_classes(self) -> int:
        """K, the number of classes; 0 if no label is known and no class is named."""
        return len(self.class_names)

    @property
    def is_images(self) -> bool:
        """True for uint8 images, False for features."""
        return self.images.ndim == 4

    @property
    def example_shape(self) -> tuple[int, ...]:
        """(H, W, C) of one image or (D,) of one row of features."""
        return tuple(int(size) for size in self.images.shape[1:])


@dataclass(frozen=True, eq=False)
class Dataset:
    """Examples to train on and examples to test with, of the same shape and classes.

    Args:
        train: what may be trained on.
        test: what is only measured on.
        name: the name in the catalog, or any the user gives; may be empty.

    Raises:
        InputError: the two parts differ in kind, shape or classes.

    Example:
        >>> import numpy as np
        >>> from murk.data import Dataset, Examples
        >>> part = Examples(np.zeros((2, 5), np.float32), [0, 1])
        >>> Dataset(part, part, name="two points").num_classes
        2
    """

    train: Examples
    test: Examples
    name: str = ""

    def __post_init__(self) -> None:
        """Both parts must be able to meet the same classifier."""
        train, test = self.train, self.test
        refuse(
            f"expected train and test with the same {what}, got {first} and {second}; bring them to one before pairing"
            for what, first, second in (
                ("kind", _kind(train), _kind(test)),
                ("example shape", train.example_shape, test.example_shape),
                ("class names", train.class_names, test.class_names),
            )
            if first != second
        )

    @property
    def num_classes(self) -> int:
        """K, the number of classes."""
        return self.train.num_classes

    @property
    def class_names(self) -> tuple[str, ...]:
        """The K names, in the order of the labels."""
        return self.train.class_names

    @property
    def example_shape(self) -> tuple[int, ...]:
        """(H, W, C) of one image or (D,) of one row of features."""
        return self.train.example_shape


def _kind(examples: Examples) -> str:
    return "images" if examples.is_images else "features"


def _chosen_rows(which: Indices | int, length: int) -> Int64[np.ndarray, " B"]:
    """Row numbers from indices or from a boolean mask."""
    mask = np.asarray(which.cpu() if isinstance(which, torch.Tensor) else which)
    if mask.dtype != np.bool_:
        return checked_rows(mask, length)
    if mask.shape != (length,):
        raise InputError(f"expected a boolean mask [{length}], got {list(mask.shape)}; one entry for each example")
    return np.flatnonzero(mask).astype(np.int64, copy=False)


def _as_array(what: str, values: Any, faults: list[str]) -> np.ndarray | None:
    """An array of whatever the caller gave, or None and a fault if it is no array at all."""
    try:
        return values if isinstance(values, np.ndarray) else np.asarray(values)
    except (ValueError, TypeError, RuntimeError) as error:
        faults.append(f"expected {what} as one array, got something ragged or foreign ({error})")
        return None


def _checked_labels(given: Any, count: int | None, faults: list[str]) -> np.ndarray | None:
    """Labels as int64 [N] of at least -1; None where a fault forbids it."""
    labels = _as_array("labels", given, faults)
    if labels is None:
        return None
    want = "expected labels as one whole number an example [N]"
    if labels.ndim != 1:
        faults.append(f"{want}, got shape {list(labels.shape)}; multi-label and one-hot targets: use one class index")
    elif labels.dtype.kind == "f":
        faults.append(f"{want}, got {labels.dtype}; regression is not served, class numbers: .astype(np.int64)")
    elif labels.dtype.kind not in "iu" and labels.size:
        faults.append(f"{want}, got {labels.dtype}; replace each by its position in class_names")
    elif count is not None and len(labels) != count:
        faults.append(f"expected {count} labels, one for each image, got {len(labels)}")
    elif labels.size and (int(labels.min()) < -1 or int(labels.max()) > np.iinfo(np.int64).max):
        row = int(np.argmin(labels)) if int(labels.min()) < -1 else int(np.argmax(labels))
        faults.append(f"expected labels in [0, K), or -1 for unknown, got {labels[row]} in example {row}")
    else:
        return labels.astype(np.int64, copy=False)
    return None


def _checked_names(given: Any, labels: np.ndarray | None, faults: list[str]) -> tuple[str, ...]:
    """The names of the classes, given or counted from the labels."""
    top = -1 if labels is None or not labels.size else int(labels.max())
    if given is None:
        if top >= _MOST_UNNAMED_CLASSES:
            faults.append(f"expected class_names for labels up to {top}; number classes from 0 without gaps")
            return ()
        return tuple(str(k) for k in range(top + 1))
    if isinstance(given, str) or not isinstance(given, Sequence | np.ndarray):
        faults.append(f"expected class_names as a sequence of text, got {type(given).__name__}")
        return ()
    names = tuple(given)
    bad = [name for name in names if not isinstance(name, str) or not name.strip()]
    if bad:
        faults.append(f"expected class_names that are text and not blank, got {bad[0]!r}")
    elif len(set(names)) != len(names):
        repeated = next(name for name in names if names.count(name) > 1)
        faults.append(f"expected class_names that are all different, got {repeated!r} twice")
    if top >= len(names) and labels is not None:
        row = int(np.argmax(labels))
        faults.append(f"expected labels below {len(names)}, the number of class_names, got {top} in example {row}")
    return tuple(str(name) for name in names)


def _checked_column(what: str, given: Any, count: int | None, faults: list[str]) -> np.ndarray | None:
    """Ids or groups as an array [N] of whole numbers or text."""
    column = None if given is None else _as_array(what, given, faults)
    if column is None:
        return None
    if column.ndim != 1 or column.dtype.kind not in "iuU":
        faults.append(f"expected {what} as whole numbers or text [N], got {column.dtype} {list(column.shape)}")
    elif count is not None and len(column) != count:
        faults.append(f"expected {count} {what}, one for each image, got {len(column)}")
    else:
        return column
    return None
