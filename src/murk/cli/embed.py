"""`murk embed`: the numbers by which a trained network searches images."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from murk.cli.fitted import FitFolder, ModelOfFit, loaded, shown_to
from murk.cli.network import AllowImport
from murk.cli.options import AsJson, ClassNames, ColumnNames, DataPlace, Device, SkipCorrupt
from murk.cli.output import print_facts, print_json
from murk.cli.place import refuse_out
from murk.files import replace_file

__all__ = ["embed"]

ENDINGS = (".npy", ".npz")


def embed(
    fit: FitFolder,
    place: DataPlace,
    out: Annotated[
        Path, typer.Option("--out", "-o", help="The embeddings: .npy [N, D], or .npz with id, part and label beside.")
    ],
    model: ModelOfFit = None,
    allow_import: AllowImport = False,
    skip_corrupt: SkipCorrupt = False,
    column: ColumnNames = [],  # noqa: B006 - typer copies it
    classes: ClassNames = None,
    device: Device = "auto",
    as_json: AsJson = False,
) -> None:
    """Write each example's embedding, what the network's last layer reads; no label is needed.

    After `murk train --embedding 64` it has 64 numbers and length one. The training part comes first, then the test
    part, each in its order.
    """
    refuse_out(out, place, fit, endings=ENDINGS)
    trained = loaded(fit, model, allow_import=allow_import)
    shown = shown_to(trained, place, skip_corrupt=skip_corrupt, column=column, classes=classes)
    table = np.concatenate([trained.embed(examples, device=device) for examples in shown.parts.values()])
    with io.BytesIO() as whole:
        if out.suffix.lower() == ".npy":
            np.save(whole, table)
        else:
            labels = np.concatenate([shown.labels(part) for part in shown.parts])
            np.savez(
                whole, embeddings=table, id=np.concatenate([shown.ids(part) for part in shown.parts]),
                part=np.concatenate([np.full(len(examples), part) for part, examples in shown.parts.items()]),
                label=np.where(labels == None, "", labels).astype(str),  # noqa: E711 - each of them
            )  # fmt: skip
        replace_file(out, whole.getvalue())
    document: dict[str, Any] = {
        "out": str(out), "examples": len(table), "numbers": table.shape[1],
        "parts": {part: len(examples) for part, examples in shown.parts.items()},
        "oddities": shown.oddities, "skipped": shown.skipped,
    }  # fmt: skip
    if as_json:
        print_json(document)
    else:
        print_facts(f"Embeddings of {shown.name}", {
            "examples": ", ".join(f"{count:,} {part}" for part, count in document["parts"].items()),
            "numbers each": table.shape[1], "file": out,
        })  # fmt: skip
