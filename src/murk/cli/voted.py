"""What a training trains on: a set of the catalog with simulated or stored votes, or data of the user's own."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from murk.cli.dilute import noisy_images
from murk.cli.noise import ChosenNoise
from murk.cli.place import is_path, read_shown
from murk.data import Dataset, Reading, as_source, content_sha256
from murk.errors import InputError, refuse
from murk.lab import Mixture, mixture, read_votes
from murk.lab.own_data import own_data, votes_sha256
from murk.lab.run import noise_sha256
from murk.lab.vote_table import facts_of_votes
from murk.noise import NoiseModel, noise_from_state

__all__ = ["DRAW", "LABELS", "Voted", "voted"]

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
    """

    dataset: Dataset
    mixed: Mixture
    described: dict[str, Any]
    told: str


def voted(
    place: str,
    votes: str | None,
    noise: ChosenNoise,
    *,
    clean_test: bool,
    side: int,
    skip_corrupt: bool,
    columns: Sequence[str] = (),
    seed: int,
) -> Voted:
    """Read the data, and read or draw its votes.

    Args:
        place: a name of the catalog, or a path.
        votes: a file; at a path also "labels" (the data's labels are the votes), "draw" (they are true, and votes are
            drawn by the noise), or None: votes that are part of the data, else its labels.
        noise: what the options say, made for a number of classes.
        clean_test: whether the labels of a path's test part are true.
        side: edge in pixels to which a path's images are brought.
        skip_corrupt: leave out a path's images that cannot be decoded.
        columns: of a path's table, "ROLE=NAME" each.
        seed: of votes that are drawn.

    Raises:
        InputError: what does not go together, or no noise where some must be drawn.
    """
    file = None if votes in (None, LABELS, DRAW) else Path(str(votes))
    facts = {} if file is None else facts_of_votes(file)
    if not is_path(place):
        refuse([
            "" if file is not None or votes is None else f"--votes {votes} goes with data at a path; {place} is a set",
            "--test-labels clean goes with data at a path; those of the catalog are clean" if clean_test else "",
        ])  # fmt: skip
    elif not facts and votes != DRAW:
        reading = read_shown(place, votes=file, side=side, skip_corrupt=skip_corrupt, columns=columns)
        return _own(reading, file, noise, only_labels=votes == LABELS, clean_test=clean_test)
    dataset = read_shown(place, side=side, skip_corrupt=skip_corrupt, columns=columns).dataset
    model, spec = noise(dataset.num_classes)
    if file is None:
        return _simulated(dataset, model, spec, seed)
    return _stored(dataset, file, model, spec)


def _own(reading: Reading, file: Path | None, noise: ChosenNoise, *, only_labels: bool, clean_test: bool) -> Voted:
    """Take what lies at a path, with its own votes."""
    if only_labels:
        reading = replace(reading, votes=None, test_votes=None)
    model, spec = noise(reading.dataset.num_classes)
    content = content_sha256(reading.dataset)
    dataset, mixed = own_data(reading, model, clean_test=clean_test)
    described = {
        "data": dataset.name, "data_sha256": content, "noise": spec, "noise_sha256": noise_sha256(mixed.noise),
        "votes_sha256": votes_sha256(mixed.votes), "test_labels": "clean" if clean_test else "votes",
    }  # fmt: skip
    return Voted(dataset, mixed, described, _origin(reading, file))


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
