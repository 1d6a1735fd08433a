"""`murk dilute`: write the votes that a noise model gives to a set's training part."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

import murk
from murk.cli.noise import chosen_noise, refuse_noise
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
from murk.cli.place import HowRead, count_of_classes, is_path, load_shown, read_shown, refuse_out, refuse_unlabelled
from murk.cli.progress import progress_bar
from murk.data import ENTRIES, Dataset, Examples, Reading, content_sha256
from murk.data.missing import did_you_mean_path
from murk.data.told_names import told_name
from murk.errors import DataError, InputError, refuse
from murk.lab import mixture, write_votes
from murk.lab.vote_table import ENDINGS, plain_noise
from murk.noise import Dilution, NoiseModel
from murk.noise.dilute import SOURCES

__all__ = ["dilute", "images_at", "images_called", "refuse_missing"]

SETS = tuple(entry.name for entry in ENTRIES)
SOURCE_HELP = (
    "Where noisy images come from: copies (of the image itself), same-set, white, or other images: a NAME of the "
    "catalog or a PATH."
)


def dilute(
    place: DataPlace,
    out: Annotated[Path, typer.Option("--out", "-o", help="The table of votes: .parquet or .csv.")],
    noise: NoiseSpec = None,
    alpha: Alpha = None,
    pattern: PatternName = DilutionPattern.uniform,
    delta: Delta = None,
    ranking: Ranking = None,
    source: Annotated[
        str, typer.Option("--source", metavar="copies|same-set|white|NAME|PATH", help=SOURCE_HELP)
    ] = "copies",
    seed: Seed = 0,
    side: Side = None,
    skip_corrupt: SkipCorrupt = False,
    column: ColumnNames = [],  # noqa: B006 - typer copies it
    classes: ClassNames = None,
    none_of_these: NoneOfThese = None,
    as_json: AsJson = False,
) -> None:
    """Write simulated votes on a training part, whose labels count as true: one row a vote, in bounded memory."""
    refuse_out(out, place, source, endings=ENDINGS)
    refuse(["" if noise or alpha is not None else "say how labels go wrong: --alpha 20, or --noise SPEC"])
    noise_of = partial(chosen_noise, noise=noise, alpha=alpha, pattern=pattern, delta=delta, ranking=ranking)
    refuse_noise(noise_of)
    named = _named_images(source)

    def chosen(reading: Reading) -> tuple[NoiseModel, str | None]:
        model, spec = noise_of(count_of_classes(reading))
        assert model is not None  # as some noise is named
        refuse_unlabelled(reading.dataset)
        if source != "copies" and not isinstance(model, Dilution):
            raise InputError(f"--source {source} goes with a dilution, so many noisy images a clean one: --alpha 20, "
                             f"but --noise {spec} came; give that, or leave --source out")  # fmt: skip
        return model, spec

    how = HowRead(side, skip_corrupt, column, classes, none_of_these)
    reading = read_shown(place, how, before_decoding=chosen)
    dataset, (model, spec) = reading.dataset, chosen(reading)
    images, sha256 = (named, None) if named is not None else images_at(source, dataset, skip_corrupt=skip_corrupt)
    mixed = mixture(dataset.train, model, source=images, seed=seed)
    facts: dict[str, Any] = {
        "murk": murk.__version__, "data": {"name": dataset.name, "sha256": content_sha256(dataset)}, "noise": spec,
        "drawn_by": plain_noise(model), "source": source if sha256 is None else Path(source).resolve().name,
        "source_sha256": sha256, "seed": seed,
    }  # fmt: skip
    with progress_bar(f"writing {out.name}") as advance:
        rows = write_votes(out, mixed.votes, facts=facts, shown=None if source == "copies" else mixed.shown,
                           progress=advance)  # fmt: skip
    document = {"out": str(out), "rows": rows, "examples": len(mixed.votes), "classes": dataset.num_classes,
                "noise": spec, "source": source, "seed": seed}  # fmt: skip
    if as_json:
        print_json({**document, "skipped": list(reading.skipped)})
    else:
        print_facts(f"Votes on {dataset.name}", document)


def images_at(path: str, dataset: Dataset, *, skip_corrupt: bool) -> tuple[Examples, str]:
    """Give the training part of what lies at a path, images of the data's size, and the digest of the whole."""
    side = dataset.example_shape[0] if dataset.train.is_images else None
    found = read_shown(path, HowRead(side, skip_corrupt)).dataset
    return found.train, content_sha256(found)


def images_called(source: str) -> str | Examples | None:
    """Give a source by its word, or the training part of a set of the catalog; a path is never looked at, and None."""
    if source in SETS:
        return load_shown(source).train
    return source if source in SOURCES else None


def refuse_missing(source: str) -> None:
    """Refuse, before anything is read, a path of noisy images at which nothing lies.

    Raises:
        DataError: it is such a path.
    """
    if not os.path.exists(source):
        hint = did_you_mean_path(source) or "; check the path"
        raise DataError(f"--source names {told_name(source)}, but nothing lies there{hint}")


def _named_images(source: str) -> str | Examples | None:
    """Give the noisy images by their name; None where they lie at a path."""
    if is_path(source) and source not in SOURCES:
        refuse_missing(source)
        return None
    images = images_called(source)
    if images is None:
        hint = did_you_mean_path(source, known=(*SOURCES, *SETS)) or "; check how it is written"
        raise InputError(f"--source is {', '.join(SOURCES)}, a set of the catalog ({', '.join(SETS)}) or a path, but "
                         f"{told_name(source)} came{hint}")  # fmt: skip
    return images
