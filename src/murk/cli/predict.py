"""`murk predict`: what a trained classifier says of examples, labelled or not."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from murk.cli.fitted import FitFolder, ModelOfFit, Shown, loaded, shown_to
from murk.cli.network import AllowImport
from murk.cli.options import AsJson, ClassNames, ColumnNames, DataPlace, Device, SkipCorrupt
from murk.cli.output import and_more, print_facts, print_json, shown_share
from murk.cli.place import refuse_out
from murk.cli.predicted import ENDINGS, PredictedTable, write_predictions
from murk.learn import Fit

__all__ = ["predict"]

SHOWN = 20  # classes that are counted in print


def predict(
    fit: FitFolder,
    place: DataPlace,
    out: Annotated[Path, typer.Option("--out", "-o", help="The table of predictions: .parquet or .csv.")],
    model: ModelOfFit = None,
    allow_import: AllowImport = False,
    skip_corrupt: SkipCorrupt = False,
    column: ColumnNames = [],  # noqa: B006 - typer copies it
    classes: ClassNames = None,
    device: Device = "auto",
    as_json: AsJson = False,
) -> None:
    """Write each example's id, class and probabilities; nothing is learned, and no label is needed."""
    refuse_out(out, place, fit, endings=ENDINGS)
    trained = loaded(fit, model, allow_import=allow_import)
    shown = shown_to(trained, place, skip_corrupt=skip_corrupt, column=column, classes=classes)
    table = PredictedTable.joined([_predicted(trained, shown, part, device) for part in shown.parts])
    write_predictions(out, table)
    agreement = table.agreement
    document: dict[str, Any] = {
        "out": str(out), "examples": len(table.ids), "classes": list(trained.class_names),
        "per_class": dict(zip(trained.class_names, np.bincount(table.predicted, minlength=trained.num_classes).tolist(),
                              strict=True)),
        "mean_confidence": float(table.probs.max(1).mean()), "agreement_with_labels": agreement,
        "oddities": shown.oddities, "skipped": shown.skipped,
    }  # fmt: skip
    if as_json:
        print_json(document)
    else:
        counts = list(document["per_class"].items())
        rest = and_more(len(counts), SHOWN)
        print_facts(f"Predictions on {shown.name}", {
            "examples": len(table.ids),
            **{f"taken for {name}": count for name, count in counts[:SHOWN]}, "other classes": rest or None,
            "mean probability of the class": shown_share(document["mean_confidence"]),
            "agree with the data's labels": shown_share(agreement),
            "file": out,
        })  # fmt: skip


def _predicted(fit: Fit, shown: Shown, part: str, device: str) -> PredictedTable:
    """Predict one part of the data."""
    examples = shown.parts[part]
    return PredictedTable(
        shown.ids(part), np.full(len(examples), part), shown.labels(part), fit.predict_probs(examples, device=device),
        fit.class_names,
    )  # fmt: skip
