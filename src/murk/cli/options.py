"""The options that several commands share: one spelling, one meaning."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

__all__ = [
    "Alpha", "AsJson", "ClassNames", "ColumnNames", "DataName", "DataPlace", "Delta", "Device", "DilutionPattern",
    "NoiseSpec", "NoneOfThese", "PatternName", "Ranking", "Seed", "Side", "SkipCorrupt",
]  # fmt: skip

NOISE_HELP = (
    "How labels go wrong: dilution:20, dilution:20,delta=.5,ranking=random, symmetric:0.4, pairflip:0.45, "
    "flips:0.4,to=9>1+3>5, channel:T.csv or annotators:T.npy,votes=3; for murk train also auto (found while training)."
)


PLACE_HELP = (
    "A set of the catalog (`murk data list`), or data of yours: a folder of images, a table (.csv, .parquet, .jsonl), "
    "arrays (.npz)."
)


class DilutionPattern(StrEnum):
    """What a random label says of each class."""

    uniform = "uniform"
    structured = "structured"
    pairflip = "pairflip"


DataName = Annotated[str, typer.Argument(metavar="NAME", help="A set of the catalog; `murk data list` names them.")]
ClassNames = Annotated[
    str | None, typer.Option("--classes", metavar="A,B,...", help="All classes of a PATH; any other label is refused.")
]
NoneOfThese = Annotated[
    str | None, typer.Option("--none-of-these", metavar="TEXT", help="An answer in a PATH's votes that no class fits.")
]
ColumnNames = Annotated[
    list[str],
    typer.Option("--column", metavar="ROLE=NAME", help="What a table's column is, where its name does not tell."),
]
DataPlace = Annotated[str, typer.Argument(metavar="NAME|PATH", help=PLACE_HELP)]
Side = Annotated[
    int | None, typer.Option("--side", min=8, max=1024, help="Pixels to which a PATH's images are brought; 64.")
]
SkipCorrupt = Annotated[bool, typer.Option("--skip-corrupt", help="Leave out images that cannot be decoded.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON, for machines.")]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Of every random draw; the same seed, the same result.")]
Device = Annotated[str, typer.Option("--device", help="auto, cpu, cuda, cuda:1.")]
NoiseSpec = Annotated[str | None, typer.Option("--noise", metavar="SPEC", help=NOISE_HELP)]
Alpha = Annotated[int | None, typer.Option("--alpha", min=0, help="Random labels per right one, a whole number.")]
PatternName = Annotated[DilutionPattern, typer.Option("--pattern", help="What the random labels of --alpha say.")]
Delta = Annotated[float | None, typer.Option("--delta", help="Degree of structure, 0 to 1 (--pattern structured).")]
Ranking = Annotated[
    str | None,
    typer.Option("--ranking", metavar="random|FILE.csv", help="False classes by rank (--pattern structured)."),
]
