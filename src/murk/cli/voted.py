"""What a training trains on: a set of the catalog with simulated or stored votes, or data of the user's own."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from murk.cli.dilute import noisy_images
from murk.cli.noise import ChosenNoise
from murk.cli.place import HowRead, is_path, read_shown
from murk.data import Dataset, Reading, as_source, content_sha256
from murk.errors import DataError, InputError, refuse
from murk.lab import Mixture, mixture, read_votes
from murk.lab.own_data import own_data, votes_sha256
from murk.lab.run import noise_sha256
from murk.lab.vote_table import facts_of_votes
from murk.noise import NoiseModel, noise_from_state

__all__ = ["DRAW", "LABELS", "NO_NOISE", "Voted", "count_of_classes", "voted"]

LABELS, DRAW = "labels", "draw"
NO_NOISE = "say how labels go wrong: --alpha 20, or --noise SPEC"


@dataclass(frozen=True, eq=False)
class Voted:
    """What is trained on.

    Attributes:
        dataset: images; labels are true classes, -1 where they are not known.
        mixed: what is shown with which votes, and the noise that weighs them.
        described: what the outcome depends on of both, as plain values.
        told: where the votes come from, for people.
        oddities: what looks odd about the data.
    """

    dataset: Dataset
    mixed: Mixture
    described: dict[str, Any]
    told: str
    oddities: tuple[str, ...] = ()


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
        raise DataError(f"there is no file {file}; --votes names a table, or at a path {LABELS} or {DRAW}")
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
    found = _simulated(reading.dataset, model, spec, seed) if file is None else _stored(
        reading.dataset, file, model, spec
    )  # fmt: skip
    return replace(found, described={**found.described, **_of_path(place, reading)}, oddities=reading.oddities)


def count_of_classes(reading: Reading) -> int:
    """Count the classes.

    Raises:
        InputError: fewer than two, so that there is nothing to tell apart.
    """
    names = reading.dataset.class_names
    if len(names) < 2:
        found = f"one class, {names[0]}" if names else "no label or vote"
        raise InputError(f"the data holds {found}; bring labels, or votes (--votes FILE), of at least two classes")
    return len(names)


def _of_path(place: str, reading: Reading) -> dict[str, Any]:
    """Tell what the outcome depends on of data at a path: its content, and what its columns are."""
    if not is_path(place):
        return {}
    return {"labelled_data_sha256": content_sha256(reading.dataset), "features": _features(reading)}


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
    described = {
        "data": dataset.name, "labelled_data_sha256": content_sha256(reading.dataset), "features": _features(reading),
        "noise": spec, "noise_sha256": noise_sha256(mixed.noise), "votes_sha256": votes_sha256(mixed.votes),
        "test_labels": test_labels,
    }  # fmt: skip
    return Voted(dataset, mixed, described, _origin(reading, file), reading.oddities)


def _origin(reading: Reading, file: Path | None) -> str:
    if reading.votes is None:
        return "the data's labels, one vote an example"
    ignored = "; its labels are not looked at" if (reading.dataset.train.labels >= 0).any() else ""
    return f"{file.name if file else 'columns of the data'}{ignored}"


def _simulated(dataset: Dataset, noise: NoiseModel | None, spec: str | None, seed: int) -> Voted:
    """Draw votes; beside them what they depend on, as plain values."""
    if noise is None:
        raise InputError(f"{NO_NOISE}, or --votes FILE (alpha 0: clean labels)")
    mixed = mixture(dataset.train, noise, seed=seed)
    described = {"data": dataset.name, "noise": spec, "noise_sha256": noise_sha256(noise), "votes_sha256": None}
    return Voted(dataset, mixed, described, f"drawn, seed {seed}")


def _stored(dataset: Dataset, path: Path, noise: NoiseModel | None, spec: str | None) -> Voted:
    """Read votes that were drawn, and find again the images they are about."""
    table = read_votes(path, num_examples=len(dataset.train), num_classes=dataset.num_classes)
    facts, mixed = table.facts, Mixture(as_source(dataset.train), table.votes, noise, "copies")
    if facts:
        if facts["data"] != {"name": dataset.name, "sha256": content_sha256(dataset)}:
            raise InputError(f"the votes in {path} are about {facts['data'].get('name')!r}, but {dataset.name} came")
        source = noisy_images(facts["source"])
        drawn = mixture(dataset.train, noise_from_state(facts["drawn_by"]), source=source, seed=facts["seed"])
        mixed = replace(drawn, votes=table.votes, noise=noise or drawn.noise)
    named = {"data": dataset.name, "noise": spec or facts.get("noise"), "noise_sha256": noise_sha256(mixed.noise)}
    return Voted(dataset, mixed, {**named, "votes_sha256": _sha256(path)}, path.name)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
