"""`murk predict`: what a trained classifier says of examples, labelled or not."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from murk.cli.network import AllowImport, imported, made_on
from murk.cli.options import AsJson, ClassNames, ColumnNames, DataPlace, Device, SkipCorrupt
from murk.cli.output import and_more, print_facts, print_json, print_remark, shown_share
from murk.cli.place import HowRead, is_path, read_shown, refuse_out
from murk.cli.predicted import ENDINGS, PredictedTable, write_predictions
from murk.data import Examples, Reading
from murk.data.huggingface import is_saved
from murk.data.missing import did_you_mean_path
from murk.data.tables import TABLE_ENDINGS
from murk.data.told_names import told_names
from murk.errors import DataError, InputError
from murk.lab.result import FACTS, FIT, read_result
from murk.learn import Fit

__all__ = ["predict"]

SHOWN = 20  # classes that are counted in print


def predict(
    fit: Annotated[Path, typer.Argument(metavar="FIT", help="A result folder of `murk train`, or a saved fit.")],
    place: DataPlace,
    out: Annotated[Path, typer.Option("--out", "-o", help="The table of predictions: .parquet or .csv.")],
    model: Annotated[
        str | None, typer.Option("--model", help="The package.module:callable of a fit with a backbone of yours.")
    ] = None,
    allow_import: AllowImport = False,
    skip_corrupt: SkipCorrupt = False,
    column: ColumnNames = [],  # noqa: B006 - typer copies it
    classes: ClassNames = None,
    device: Device = "auto",
    as_json: AsJson = False,
) -> None:
    """Write each example's id, class and probabilities; nothing is learned, and no label is needed."""
    refuse_out(out, place, fit, endings=ENDINGS)
    trained = _loaded(fit, model, allow_import=allow_import)
    named = _features(trained, place, column)
    side = trained.example_shape[0] if is_path(place) and len(trained.example_shape) == 3 else None
    reading = read_shown(place, HowRead(side, skip_corrupt, [*column, *named], classes))
    oddities = [*reading.oddities, *_in_their_order(reading, [*column, *named])]
    dataset = reading.dataset
    parts = {name: part for name, part in (("train", dataset.train), ("test", dataset.test)) if len(part)}
    table = PredictedTable.joined([_predicted(trained, name, part, device) for name, part in parts.items()])
    write_predictions(out, table)
    agreement = table.agreement
    document: dict[str, Any] = {
        "out": str(out), "examples": len(table.ids), "classes": list(trained.class_names),
        "per_class": dict(zip(trained.class_names, np.bincount(table.predicted, minlength=trained.num_classes).tolist(),
                              strict=True)),
        "mean_confidence": float(table.probs.max(1).mean()), "agreement_with_labels": agreement,
        "oddities": oddities, "skipped": list(reading.skipped),
    }  # fmt: skip
    if as_json:
        print_json(document)
    else:
        counts = list(document["per_class"].items())
        rest = and_more(len(counts), SHOWN)
        print_facts(f"Predictions on {dataset.name}", {
            "examples": len(table.ids),
            **{f"taken for {name}": count for name, count in counts[:SHOWN]}, "other classes": rest or None,
            "mean probability of the class": shown_share(document["mean_confidence"]),
            "agree with the data's labels": shown_share(agreement),
            "file": out,
        })  # fmt: skip


def _loaded(folder: Path, model: str | None, *, allow_import: bool) -> Fit:
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


def _predicted(fit: Fit, part: str, examples: Examples, device: str) -> PredictedTable:
    """Predict one part of the data."""
    if examples.example_shape != fit.example_shape:
        raise InputError(f"this fit takes examples of the shape {fit.example_shape}, but {examples.example_shape} "
                         "came; bring such as it was trained on")  # fmt: skip
    ids = np.arange(len(examples)) if examples.ids is None else np.asarray(examples.ids)
    names = np.array([*examples.class_names, None], dtype=object)
    return PredictedTable(
        ids.astype(str), np.full(len(examples), part), names[examples.labels],
        fit.predict_probs(examples, device=device), fit.class_names,
    )  # fmt: skip
