"""What a training trains on: a set of the catalog with simulated or stored votes, or data of the user's own."""

from __future__ import annotations

import hashlib
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from murk.cli.dilute import images_at, images_called
from murk.cli.noise import ChosenNoise
from murk.cli.place import CATALOG, HowRead, count_of_classes, is_path, read_shown, refuse_unlabelled
from murk.cli.spelling import in_options
from murk.data import Dataset, Examples, Reading, content_sha256, votes_on
from murk.data.coded import shown_text
from murk.data.missing import did_you_mean_path
from murk.data.told_names import told_name
from murk.errors import DataError, InputError, refuse
from murk.lab import Mixture, mixture, read_votes
from murk.lab.own_data import own_data, own_votes, votes_sha256
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
    place: str,
    votes: str | None,
    noise: ChosenNoise,
    how: HowRead,
    *,
    source: str | None = None,
    test_labels: str | None,
    seed: int,
) -> Voted:
    """Read the data, and read or draw its votes.

    Args:
        place: a name of the catalog, or a path.
        votes: a file; at a path also "labels" (the data's labels are the votes), "draw" (they are true, and votes are
            drawn by the noise), or None: votes that are part of the data, else its labels.
        noise: what the options say, made for a number of classes.
        how: to read what lies at a path.
        source: where the noisy images lie that `murk dilute` drew from a path; a table of votes opens none by itself.
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
    if source is not None and facts.get("source_sha256") is None:
        raise InputError(f"--source {source} goes with --votes of `murk dilute --source PATH`, whose noisy images are "
                         "looked for there; leave it out")  # fmt: skip
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
    if not facts:
        return _on_set(reading, file, model, spec)
    drawn = _drawn_again(reading.dataset, file, facts, source, skip_corrupt=how.skip_corrupt)
    return _stored(reading, file, drawn, model, spec or facts.get("noise"))


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


def _on_set(reading: Reading, path: Path, noise: NoiseModel | None, spec: str | None) -> Voted:
    """Take the user's own votes on a set of the catalog, whose labels are true."""
    read = votes_on(reading.dataset, path)
    read = replace(read, kind=CATALOG, oddities=tuple(map(in_options, read.oddities)))
    for oddity in read.oddities:
        print(f"murk: {path.name}: {oddity}", file=sys.stderr)
    return _told(read, path, own_votes(read, noise), spec)


def _drawn_again(
    dataset: Dataset, path: Path, facts: dict[str, Any], source: str | None, *, skip_corrupt: bool
) -> Mixture:
    """Draw again what the votes in a table are about: the same images in the same order."""
    if facts["data"] != {"name": dataset.name, "sha256": content_sha256(dataset)}:
        raise InputError(f"the votes in {path} are about {shown_text(facts['data'].get('name'))} as it was when they "
                         f"were drawn, but {dataset.name} came, or other content; draw them again")  # fmt: skip
    drawn_by = noise_from_state(facts["drawn_by"])
    if drawn_by.num_classes != dataset.num_classes:
        raise InputError(f"the votes in {path} are told to be drawn over {drawn_by.num_classes:,} classes, but "
                         f"{dataset.name} has {dataset.num_classes:,}; draw them again")  # fmt: skip
    images = _images_again(dataset, path, facts, source, skip_corrupt=skip_corrupt)
    return mixture(dataset.train, drawn_by, source=images, seed=facts["seed"])


def _images_again(
    dataset: Dataset, path: Path, facts: dict[str, Any], source: str | None, *, skip_corrupt: bool
) -> str | Examples:
    """Find the noisy images again; a path is opened only where the user names it, never because a table does."""
    called, sha256 = facts["source"], facts.get("source_sha256")
    if sha256 is None:
        known = images_called(called)
        if known is None:
            raise InputError(f"the votes in {path} are told to lie among noisy images called {told_name(called)}, "
                             "which murk does not know; draw them again by `murk dilute`")  # fmt: skip
        return known
    if source is None:
        raise InputError(f"the noisy images of {path} lie in a place of yours, called {told_name(called)} when they "
                         "were drawn; name it by --source PATH")  # fmt: skip
    images, found = images_at(source, dataset, skip_corrupt=skip_corrupt)
    if found != sha256:
        raise InputError(f"{source} holds other images than when the votes in {path} were drawn; name their place by "
                         "--source PATH, or draw the votes again by `murk dilute`")  # fmt: skip
    return images


def _stored(reading: Reading, path: Path, drawn: Mixture, noise: NoiseModel | None, spec: str | None) -> Voted:
    """Read votes that were drawn."""
    table = read_votes(path, num_examples=len(drawn.votes), num_classes=reading.dataset.num_classes)
    mixed = replace(drawn, votes=table.votes, noise=noise or drawn.noise)
    if isinstance(mixed.noise, Annotators) and not mixed.votes.num_annotators:
        raise InputError(f"the noise has a matrix for each annotator, but {path.name} does not say who voted; add a "
                         "column annotator, or give one matrix for all votes by --noise channel:FILE")  # fmt: skip
    return _told(reading, path, mixed, spec)


def _told(reading: Reading, path: Path, mixed: Mixture, spec: str | None) -> Voted:
    """Tell what the votes of a table are about, and what they depend on."""
    about = _about(reading)
    named = {**_of_data(reading, about), "noise": spec, "noise_sha256": noise_sha256(mixed.noise)}
    return Voted(reading.dataset, mixed, {**named, "votes_sha256": _sha256(path)}, about, path.name)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
