"""`murk dilute`: write the votes that a noise model gives to a set's training part."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

import murk
from murk.cli.noise import chosen_noise
from murk.cli.options import (
    Alpha,
    AsJson,
    ClassNames,
    ColumnNames,
    DataPlace,
    Delta,
    DilutionPattern,
    NoiseSpec,
    NoneOfThese,
    PatternName,
    Ranking,
    Seed,
    Side,
    SkipCorrupt,
)
from murk.cli.output import print_facts, print_json
from murk.cli.place import HowRead, load_shown, read_shown, refuse_overwriting
from murk.cli.progress import progress_bar
from murk.data import ENTRIES, Examples, content_sha256
from murk.errors import InputError
from murk.lab import mixture, write_votes
from murk.lab.vote_table import plain_noise

__all__ = ["dilute", "noisy_images"]

SOURCE_HELP = "Where noisy images come from: copies (of the image itself), same-set, white, or another set's NAME."


def dilute(
    place: DataPlace,
    out: Annotated[Path, typer.Option("--out", "-o", help="The table of votes: .parquet or .csv.")],
    noise: NoiseSpec = None,
    alpha: Alpha = None,
    pattern: PatternName = DilutionPattern.uniform,
    delta: Delta = None,
    ranking: Ranking = None,
    source: Annotated[str, typer.Option("--source", help=SOURCE_HELP)] = "copies",
    seed: Seed = 0,
    side: Side = None,
    skip_corrupt: SkipCorrupt = False,
    column: ColumnNames = [],  # noqa: B006 - typer copies it
    classes: ClassNames = None,
    none_of_these: NoneOfThese = None,
    as_json: AsJson = False,
) -> None:
    """Write simulated votes on a training part, whose labels count as true: one row a vote, in bounded memory."""
    refuse_overwriting(out, place)
    reading = read_shown(place, HowRead(side, skip_corrupt, column, classes, none_of_these))
    dataset = reading.dataset
    model, spec = chosen_noise(
        dataset.num_classes, noise=noise, alpha=alpha, pattern=pattern, delta=delta, ranking=ranking
    )
    if model is None:
        raise InputError("say how labels go wrong: --alpha 20, or --noise SPEC")
    mixed = mixture(dataset.train, model, source=noisy_images(source), seed=seed)
    facts: dict[str, Any] = {
        "murk": murk.__version__, "data": {"name": dataset.name, "sha256": content_sha256(dataset)}, "noise": spec,
        "drawn_by": plain_noise(model), "source": source, "seed": seed,
    }  # fmt: skip
    with progress_bar(f"writing {out.name}") as advance:
        rows = write_votes(out, mixed.votes, facts=facts, shown=None if source == "copies" else mixed.shown,
                           progress=advance)  # fmt: skip
    document = {"out": str(out), "rows": rows, "examples": len(mixed.votes), "classes": dataset.num_classes,
                "noise": spec, "source": source, "seed": seed}  # fmt: skip
    if as_json:
        print_json(document)
    else:
        print_facts(f"Votes on {dataset.name}", document)


def noisy_images(source: str) -> str | Examples:
    """Give the source by its word, or the training part of the set of that name."""
    return load_shown(source).train if source in [entry.name for entry in ENTRIES] else source
