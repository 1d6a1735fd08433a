"""What a training trains on: a set of the catalog with simulated or stored votes, or data of the user's own."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from murk.cli.dilute import images_at, images_called, refuse_missing
from murk.cli.noise import ChosenNoise
from murk.cli.place import CATALOG, HowRead, count_of_classes, is_path, read_shown, refuse_unlabelled
from murk.data import Dataset, Examples, Reading, content_sha256
from murk.data.coded import shown_text
from murk.data.missing import did_you_mean_path
from murk.data.told_names import told_name
from murk.errors import DataError, InputError, refuse
from murk.lab import Mixture, mixture, read_votes
from murk.lab.identity import describe_data, noise_sha256
from murk.lab.own_data import own_data, own_votes, votes_sha256
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
    without_noise: str = "",
    seed: int,
) -> Voted:
    """Read the data, and read or draw its votes; what will not do is told before an image at a path is decoded.

    Args:
        place: a name of the catalog, or a path.
        votes: a file; at a path also "labels" (the data's labels are the votes), "draw" (they are true, and votes are
            drawn by the noise), or None: votes that are part of the data, else its labels.
        noise: what the options say, made for a number of classes.
        how: to read what lies at a path.
        source: where the noisy images lie that `murk dilute` drew from a path; a table of votes opens none by itself.
        test_labels: what the labels of a path's test part are: "clean", "votes", or None for the rule of `own_data`.
        without_noise: what is told where nothing says how votes of the user's own go wrong; "" if that will do.
        seed: of votes that are drawn.

    Raises:
        InputError: what does not go together, or no noise where some is needed.
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
    if file is not None and facts:
        return _stored(place, file, facts, noise, how, source)
    chosen = partial(_chosen, noise, without_noise=without_noise)
    if file is not None and not is_path(place):
        return _on_set(place, file, chosen, how)
    if votes == DRAW or not is_path(place):
        return _simulated(place, noise, how, seed)
    return _own(place, file, chosen, how, only_labels=votes == LABELS, test_labels=test_labels)


def _chosen(noise: ChosenNoise, num_classes: int, *, without_noise: str) -> tuple[NoiseModel | None, str | None]:
    """Give the noise of votes of the user's own."""
    model, spec = noise(num_classes)
    refuse([without_noise if model is None else ""])
    return model, spec


def _about(reading: Reading) -> dict[str, Any]:
    """Tell what was read."""
    return {
        **describe_data(reading.dataset), "oddities": list(reading.oddities), "skipped": list(reading.skipped),
    }  # fmt: skip


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
    place: str, file: Path | None, noise: ChosenNoise, how: HowRead, *, only_labels: bool, test_labels: str | None
) -> Voted:
    """Take what lies at a path, with its own votes."""

    def taken(reading: Reading) -> tuple[Reading, str | None, tuple[Dataset, Mixture]]:
        if only_labels:
            reading = replace(reading, votes=None, test_votes=None)
        model, spec = noise(count_of_classes(reading))
        return reading, spec, own_data(reading, model, test_labels=test_labels)

    # once to refuse what will not do, and again when it is known which images are left
    reading, spec, (dataset, mixed) = taken(read_shown(place, how, votes=file, before_decoding=taken))
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


def _simulated(place: str, noise: ChosenNoise, how: HowRead, seed: int) -> Voted:
    """Draw votes; beside them what they depend on, as plain values."""

    def drawn(reading: Reading) -> tuple[Mixture, str | None]:
        model, spec = noise(count_of_classes(reading))
        refuse_unlabelled(reading.dataset)
        if model is None:
            raise InputError(f"{NO_NOISE}, or --votes FILE (alpha 0: clean labels)")
        return mixture(reading.dataset.train, model, seed=seed), spec

    reading = read_shown(place, how, before_decoding=drawn)
    (mixed, spec), about = drawn(reading), _about(reading)
    described = {
        **_of_data(reading, about), "noise": spec, "noise_sha256": noise_sha256(mixed.noise), "votes_sha256": None,
    }  # fmt: skip
    return Voted(reading.dataset, mixed, described, about, f"drawn, seed {seed}")


def _on_set(place: str, path: Path, noise: ChosenNoise, how: HowRead) -> Voted:
    """Take the user's own votes on a set of the catalog, whose labels are true."""
    reading = read_shown(place, how, votes=path)
    model, spec = noise(count_of_classes(reading))
    return _told(reading, path, own_votes(reading, model), spec)


def _stored(
    place: str, path: Path, facts: dict[str, Any], noise: ChosenNoise, how: HowRead, source: str | None
) -> Voted:
    """Read votes that were drawn, and draw again what they are about: the same images in the same order."""
    named = _named_images(path, facts, source)
    drawn_by = noise_from_state(facts["drawn_by"])

    def weighing(reading: Reading) -> tuple[NoiseModel | None, str | None]:
        _refuse_others(reading.dataset, path, facts, drawn_by)
        model, spec = noise(count_of_classes(reading))
        _refuse_nameless(model, path, says_who=isinstance(drawn_by, Annotators))
        return model, spec

    reading = read_shown(place, how, before_decoding=weighing)
    model, spec = weighing(reading)
    dataset = reading.dataset
    if facts["data"] != {"name": dataset.name, "sha256": content_sha256(dataset)}:
        raise _changed(dataset, path, facts)
    images = _images_again(str(source), dataset, path, facts, how) if named is None else named
    drawn = mixture(dataset.train, drawn_by, source=images, seed=facts["seed"])
    votes = read_votes(path, num_examples=len(drawn.votes), num_classes=dataset.num_classes).votes
    mixed = replace(drawn, votes=votes, noise=model or drawn.noise)
    _refuse_nameless(mixed.noise, path, says_who=bool(votes.num_annotators))
    return _told(reading, path, mixed, spec or facts.get("noise"))


def _refuse_others(dataset: Dataset, path: Path, facts: dict[str, Any], drawn_by: NoiseModel) -> None:
    """Refuse data other than those that votes are told to be about, as far as it shows before pixels are read."""
    if facts["data"].get("name") != dataset.name:
        raise _changed(dataset, path, facts)
    if drawn_by.num_classes != dataset.num_classes:
        raise InputError(f"the votes in {path} are told to be drawn over {drawn_by.num_classes:,} classes, but "
                         f"{dataset.name} has {dataset.num_classes:,}; draw them again")  # fmt: skip


def _changed(dataset: Dataset, path: Path, facts: dict[str, Any]) -> InputError:
    return InputError(f"the votes in {path} are about {shown_text(facts['data'].get('name'))} as it was when they "
                      f"were drawn, but {dataset.name} came, or other content; draw them again")  # fmt: skip


def _refuse_nameless(noise: NoiseModel | None, path: Path, *, says_who: bool) -> None:
    if isinstance(noise, Annotators) and not says_who:
        raise InputError(f"the noise has a matrix for each annotator, but {path.name} does not say who voted; add a "
                         "column annotator, or give one matrix for all votes by --noise channel:FILE")  # fmt: skip


def _named_images(path: Path, facts: dict[str, Any], source: str | None) -> str | Examples | None:
    """Give the noisy images by their name; None where they lie in a place of the user's, which only the user names."""
    called = facts["source"]
    if facts.get("source_sha256") is None:
        known = images_called(called)
        if known is None:
            raise InputError(f"the votes in {path} are told to lie among noisy images called {told_name(called)}, "
                             "which murk does not know; draw them again by `murk dilute`")  # fmt: skip
        return known
    if source is None:
        raise InputError(f"the noisy images of {path} lie in a place of yours, called {told_name(called)} when they "
                         "were drawn; name it by --source PATH")  # fmt: skip
    refuse_missing(source)
    return None


def _images_again(source: str, dataset: Dataset, path: Path, facts: dict[str, Any], how: HowRead) -> Examples:
    """Read the noisy images that lie in a place of the user's; they must be those among which votes were drawn."""
    images, found = images_at(source, dataset, skip_corrupt=how.skip_corrupt)
    if found != facts["source_sha256"]:
        raise InputError(f"{source} holds other images than when the votes in {path} were drawn; name their place by "
                         "--source PATH, or draw the votes again by `murk dilute`")  # fmt: skip
    return images


def _told(reading: Reading, path: Path, mixed: Mixture, spec: str | None) -> Voted:
    """Tell what the votes of a table are about, and what they depend on."""
    about = _about(reading)
    named = {**_of_data(reading, about), "noise": spec, "noise_sha256": noise_sha256(mixed.noise)}
    return Voted(reading.dataset, mixed, {**named, "votes_sha256": _sha256(path)}, about, path.name)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
