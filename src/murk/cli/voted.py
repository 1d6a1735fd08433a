"""What a training trains on: a set of the catalog with simulated or stored votes, or data of the user's own."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from murk.cli.dilute import noisy_images
from murk.cli.noise import ChosenNoise
from murk.cli.place import CATALOG, HowRead, count_of_classes, is_path, read_shown, refuse_unlabelled
from murk.data import Dataset, Reading, as_source, content_sha256
from murk.data.missing import did_you_mean_path
from murk.errors import DataError, InputError, refuse
from murk.lab import Mixture, mixture, read_votes
from murk.lab.own_data import own_data, votes_sha256
from murk.lab.run import describe_data, noise_sha256
from murk.lab.vote_table import facts_of_votes
from murk.noise import Annotators, NoiseModel, noise_from_state

__all__ = ["DRAW", "LABELS", "NO_NOISE", "Voted", "voted"]

LABELS, DRAW = "labels", "draw"
NO_NOISE = "say how labels go wrong: --alpha 20, or --noise SPEC"


@dataclass(frozen=True, eq=False)
class Voted:
    """What is trained on.

    Attributes:
        dataset: images; labels are true classes, -1 where they are not known.
        mixed: what is shown with which votes, and the noise that weighs them.
        described: what the outcome depends on of both, as plain values.
        about: the data as it was read, labels and all: its name, digest and sizes, and what looks odd.
        told: where the votes come from, for people.
    """

    dataset: Dataset
    mixed: Mixture
    described: dict[str, Any]
    about: dict[str, Any]
    told: str


def voted(
    place: str, votes: str | None, noise: ChosenNoise, how: HowRead, *, test_labels: str | None, seed: int
) -> Voted:
    """Read the data, and read or draw its votes.

    Args:
        place: a name of the catalog, or a path.
        votes: a file; at a path also "labels" (the data's labels are the votes), "draw" (they are true, and votes are
            drawn by the noise), or None: votes that are part of the data, else its labels.
        noise: what the options say, made for a number of classes.
        how: to read what lies at a path.
        test_labels: what the labels of a path's test part are: "clean", "votes", or None for the rule of `own_data`.
        seed: of votes that are drawn.

    Raises:
        InputError: what does not go together, or no noise where some must be drawn.
    """
    file = None if votes in (None, LABELS, DRAW) else Path(str(votes))
    if file is not None and not file.is_file():
        raise DataError(f"there is no file {file}; --votes names a table, or at a path {LABELS} or {DRAW}"
                        f"{did_you_mean_path(file, known=(LABELS, DRAW))}")  # fmt: skip
    facts = {} if file is None else facts_of_votes(file)
    if not is_path(place):
        refuse([
            "" if file is not None or votes is None else f"--votes {votes} goes with data at a path; {place} is a set",
            f"--test-labels {test_labels} goes with data at a path; those of the catalog are clean" if test_labels
            else "",
        ])  # fmt: skip
    elif not facts and votes != DRAW:
        reading = read_shown(place, how, votes=file)
        return _own(reading, file, noise, only_labels=votes == LABELS, test_labels=test_labels)
    reading = read_shown(place, how)
    model, spec = noise(count_of_classes(reading))
    if file is None:
        return _simulated(reading, model, spec, seed)
    return _stored(reading, file, model, spec, skip_corrupt=how.skip_corrupt)


def _about(reading: Reading) -> dict[str, Any]:
    """Tell what was read."""
    return {**describe_data(reading.dataset), "oddities": list(reading.oddities)}


def _of_data(reading: Reading, about: dict[str, Any]) -> dict[str, Any]:
    """Tell what the outcome depends on: of a set of the catalog its name, of data at a path what it holds."""
    named = {"data": about["name"]}
    if reading.kind == CATALOG:
        return named
    return {**named, "data_sha256": about["sha256"], "features": _features(reading)}


def _features(reading: Reading) -> list[str] | None:
    """Name the columns of features, one a number, in their order; None where they have no names."""
    names = [name for name, role in reading.roles.items() if role == "features"]
    return names if reading.kind in ("table", "dataset") and (len(names),) == reading.dataset.example_shape else None


def _own(
    reading: Reading, file: Path | None, noise: ChosenNoise, *, only_labels: bool, test_labels: str | None
) -> Voted:
    """Take what lies at a path, with its own votes."""
    if only_labels:
        reading = replace(reading, votes=None, test_votes=None)
    model, spec = noise(count_of_classes(reading))
    dataset, mixed = own_data(reading, model, test_labels=test_labels)
    about = _about(reading)
    described = {
        **_of_data(reading, about), "noise": spec, "noise_sha256": noise_sha256(mixed.noise),
        "votes_sha256": votes_sha256(mixed.votes), "test_labels": test_labels,
    }  # fmt: skip
    return Voted(dataset, mixed, described, about, _origin(reading, file))


def _origin(reading: Reading, file: Path | None) -> str:
    if reading.votes is None:
        return "the data's labels, one vote an example"
    ignored = "; its labels are not looked at" if (reading.dataset.train.labels >= 0).any() else ""
    return f"{file.name if file else 'columns of the data'}{ignored}"


def _simulated(reading: Reading, noise: NoiseModel | None, spec: str | None, seed: int) -> Voted:
    """Draw votes; beside them what they depend on, as plain values."""
    dataset = reading.dataset
    refuse_unlabelled(dataset)
    if noise is None:
        raise InputError(f"{NO_NOISE}, or --votes FILE (alpha 0: clean labels)")
    mixed = mixture(dataset.train, noise, seed=seed)
    about = _about(reading)
    described = {**_of_data(reading, about), "noise": spec, "noise_sha256": noise_sha256(noise), "votes_sha256": None}
    return Voted(dataset, mixed, described, about, f"drawn, seed {seed}")


def _stored(reading: Reading, path: Path, noise: NoiseModel | None, spec: str | None, *, skip_corrupt: bool) -> Voted:
    """Read votes that were drawn, and find again the images they are about."""
    dataset = reading.dataset
    table = read_votes(path, num_examples=len(dataset.train), num_classes=dataset.num_classes)
    facts, mixed = table.facts, Mixture(as_source(dataset.train), table.votes, noise, "copies")
    if facts:
        if facts["data"] != {"name": dataset.name, "sha256": content_sha256(dataset)}:
            raise InputError(f"the votes in {path} are about {facts['data'].get('name')!r} as it was when they were "
                             f"drawn, but {dataset.name} came, or other content; draw them again")  # fmt: skip
        source, sha256 = noisy_images(facts["source"], dataset, skip_corrupt=skip_corrupt)
        if sha256 != facts.get("source_sha256"):
            raise InputError(f"{facts['source']} holds other images than when the votes in {path} were drawn; draw "
                             "them again by `murk dilute`")  # fmt: skip
        drawn = mixture(dataset.train, noise_from_state(facts["drawn_by"]), source=source, seed=facts["seed"])
        mixed = replace(drawn, votes=table.votes, noise=noise or drawn.noise)
    if isinstance(mixed.noise, Annotators) and not mixed.votes.num_annotators:
        raise InputError(f"the noise has a matrix for each annotator, but {path.name} does not say who voted; add a "
                         "column annotator, or give one matrix for all votes by --noise channel:FILE")  # fmt: skip
    about = _about(reading)
    named = {**_of_data(reading, about), "noise": spec or facts.get("noise"), "noise_sha256": noise_sha256(mixed.noise)}
    return Voted(dataset, mixed, {**named, "votes_sha256": _sha256(path)}, about, path.name)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
