"""A fit and the examples that it is shown: what `murk predict` and `murk embed` begin with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from jaxtyping import Shaped

from murk.cli.network import imported, made_on
from murk.cli.output import print_remark
from murk.cli.place import HowRead, is_path, read_shown
from murk.data import Examples, Reading
from murk.data.huggingface import is_saved
from murk.data.missing import did_you_mean_path
from murk.data.tables import TABLE_ENDINGS
from murk.data.told_names import told_names
from murk.errors import DataError, InputError
from murk.lab.result import FACTS, FIT, read_result
from murk.learn import Fit

__all__ = ["FitFolder", "ModelOfFit", "Shown", "loaded", "shown_to"]

FitFolder = Annotated[Path, typer.Argument(metavar="FIT", help="A result folder of `murk train`, or a saved fit.")]
ModelOfFit = Annotated[
    str | None, typer.Option("--model", help="The package.module:callable of a fit with a backbone of yours.")
]


@dataclass(frozen=True, eq=False)
class Shown:
    """Examples as a fit takes them.

    Attributes:
        name: of the data.
        parts: "train" and "test", those that have examples.
        oddities: what is to be said of the data.
        skipped: examples that could not be read and are left out.
    """

    name: str
    parts: dict[str, Examples]
    oddities: list[str]
    skipped: list[str]

    def ids(self, part: str) -> Shaped[np.ndarray, " N"]:
        """Name the examples of a part; by their numbers where they have no names."""
        examples = self.parts[part]
        return np.asarray(np.arange(len(examples)) if examples.ids is None else examples.ids).astype(str)

    def labels(self, part: str) -> Shaped[np.ndarray, " N"]:
        """Tell the labels of a part by name; None where there is none."""
        examples = self.parts[part]
        return np.asarray(np.array([*examples.class_names, None], dtype=object)[examples.labels])


def shown_to(fit: Fit, place: str, *, skip_corrupt: bool, column: Sequence[str], classes: str | None) -> Shown:
    """Read data as the fit was trained on: images of its side, columns by its names.

    Raises:
        InputError: examples of another shape, or none.
    """
    named = _features(fit, place, column)
    side = fit.example_shape[0] if is_path(place) and len(fit.example_shape) == 3 else None
    reading = read_shown(place, HowRead(side, skip_corrupt, [*column, *named], classes))
    oddities = [*reading.oddities, *_in_their_order(reading, [*column, *named])]
    dataset = reading.dataset
    parts = {name: part for name, part in (("train", dataset.train), ("test", dataset.test)) if len(part)}
    for part in parts.values():
        if part.example_shape != fit.example_shape:
            raise InputError(f"this fit takes examples of the shape {fit.example_shape}, but {part.example_shape} "
                             "came; bring such as it was trained on")  # fmt: skip
    if not parts:
        raise InputError(f"{dataset.name} holds no example")
    return Shown(dataset.name, parts, oddities, list(reading.skipped))


def loaded(folder: Path, model: str | None, *, allow_import: bool) -> Fit:
    """Load a fit, or that of a result folder; a user's backbone is imported only if it is named and allowed."""
    if (folder / FACTS).is_file():
        settings = read_result(folder).settings
        if imported(settings["model"]) and model is None:
            raise InputError(f"this fit stands on {settings['model']}; give --model {settings['model']} --allow-import")
    inner = folder / FIT if (folder / FIT).is_dir() else folder
    if not inner.is_dir():
        hint = did_you_mean_path(folder) or "; name one that `murk train` or Fit.save wrote"
        raise DataError(f"there is no folder {folder}{hint}")
    if model is None:
        return Fit.load(inner)
    shape, names = Fit.shape_and_names(inner)
    network = made_on(model, shape, len(names), frozen=False, allow_import=allow_import)
    return Fit.load(inner, model=lambda: network)


def _features(fit: Fit, place: str, given: Sequence[str]) -> list[str]:
    """Name the columns that the fit was trained on, in its order, for a table of which nothing else is said."""
    path = Path(place)
    has_columns = is_path(place) and (path.suffix.lower() in TABLE_ENDINGS or is_saved(path))
    names = fit.feature_names if has_columns and not _names_features(given) else None
    return [f"features={name}" for name in names or ()]


def _in_their_order(reading: Reading, columns: Sequence[str]) -> list[str]:
    """Say, here and on stderr, that neither the fit nor an option names a table's features; nothing if one does."""
    found = [name for name, role in reading.roles.items() if role == "features"]
    if reading.kind not in ("table", "dataset") or len(found) < 2 or _names_features(columns):
        return []
    said = (f"the fit does not say which columns it was trained on, so {told_names(found)} are taken in this order; "
            "where it was trained on another, name each by --column features=NAME")  # fmt: skip
    print_remark(f"{reading.dataset.name}: {said}")
    return [said]


def _names_features(columns: Sequence[str]) -> bool:
    return any(text.startswith("features=") for text in columns)
