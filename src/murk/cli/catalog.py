"""`murk data`: which sets there are, fetching them, and looking at one."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

import murk.data
from murk.cli.failure import Commands
from murk.cli.noise import chosen_noise, refuse_noise
from murk.cli.options import (
    AsJson,
    ClassNames,
    ColumnNames,
    DataName,
    DataPlace,
    NoiseSpec,
    NoneOfThese,
    Seed,
    Side,
    SkipCorrupt,
)
from murk.cli.output import and_more, print_facts, print_json, print_rows, shown_share
from murk.cli.place import HowRead, count_of_classes, is_path, load_shown, read_shown, refuse_out, refuse_unlabelled
from murk.data import ENTRIES, CatalogEntry, Examples, GivenVotes, Reading
from murk.errors import DataError, InputError
from murk.measure import effective_clean_labels
from murk.measure.vote_summary import summarise_votes
from murk.noise import Annotators, NoiseModel, Votes

__all__ = ["data_app"]

data_app = typer.Typer(cls=Commands, no_args_is_help=True, help="Sets of the catalog: list, fetch, show.")
MEGABYTE = 1_000_000
SHOWN = 50  # classes whose votes are counted in print
VERIFY_HELP = "Compare all pixels of a PATH that were decoded earlier with their digest, above 1 GiB too."


@data_app.command("list", epilog="Example: murk data list")
def list_sets(as_json: AsJson = False) -> None:
    """Name the sets of the catalog, and where each is found."""
    found = [_listed(entry) for entry in ENTRIES]
    if as_json:
        print_json({"sets": found})
        return
    rows = [
        (s["name"], s["train"], s["test"], s["classes"], "x".join(map(str, s["shape"])), s["place"], s["source"])
        for s in found
    ]
    print_rows("Sets", ("name", "train", "test", "classes", "shape", "where", "source and terms"), rows)


@data_app.command(epilog="Example: murk data fetch digits")
def fetch(name: DataName, as_json: AsJson = False) -> None:
    """See that a set is on this machine: look in MURK_DATA and the cache, else download it and verify it."""
    dataset = load_shown(name)
    folder = murk.data.locate(name)
    document = {"name": name, "folder": None if folder is None else str(folder), "bundled": folder is None,
                "train": len(dataset.train), "test": len(dataset.test)}  # fmt: skip
    if as_json:
        print_json(document)
    else:
        pinned = name in [entry.name for entry in ENTRIES]
        verified = "the official content" if pinned else "every image decoded"
        print_facts(name, {"folder": folder or "bundled with scikit-learn", "verified": verified})


@data_app.command(epilog="Example: murk data show digits --noise dilution:20 --seed 0 --sheet sheet.png")
def show(
    place: DataPlace,
    noise: NoiseSpec = None,
    seed: Seed = 0,
    votes: Annotated[Path | None, typer.Option("--votes", help="A table of votes on the examples of a PATH.")] = None,
    side: Side = None,
    skip_corrupt: SkipCorrupt = False,
    column: ColumnNames = [],  # noqa: B006 - typer copies it
    classes: ClassNames = None,
    none_of_these: NoneOfThese = None,
    verify: Annotated[bool, typer.Option("--verify", help=VERIFY_HELP)] = False,
    sheet: Annotated[Path | None, typer.Option("--sheet", help="Write a contact sheet, a PNG, here.")] = None,
    as_json: AsJson = False,
) -> None:
    """Tell what a set or data of yours holds, and what looks odd; with --noise, what votes on it would look like."""
    if votes is not None and not is_path(place):
        raise InputError(f"--votes goes with data at a path, but {place} is a set of the catalog")
    if sheet is not None:
        refuse_out(sheet, place, votes, option="--sheet")
    noise_of = partial(chosen_noise, noise=noise)
    refuse_noise(noise_of)

    def chosen(reading: Reading) -> tuple[NoiseModel | None, str | None]:
        if noise is None:
            return None, None
        named = noise_of(count_of_classes(reading))
        refuse_unlabelled(reading.dataset)
        return named

    how = HowRead(side, skip_corrupt, column, classes, none_of_these, verify)
    reading = read_shown(place, how, votes=votes, tell=False, before_decoding=chosen)
    dataset = reading.dataset
    document: dict[str, Any] = {
        "name": dataset.name, "kind": reading.kind, "shape": list(dataset.example_shape),
        "class_names": list(dataset.class_names),
        "train": _part(dataset.train), "test": _part(dataset.test), "votes": None,
        "given_votes": _given(reading.votes, dataset.num_classes),
        "given_test_votes": _given(reading.test_votes, dataset.num_classes),
        "roles": dict(reading.roles), "oddities": list(reading.oddities), "skipped": list(reading.skipped),
    }  # fmt: skip
    model, spec = chosen(reading)
    drawn = None if model is None else model.draw(dataset.train.labels, seed=seed)
    if model is not None and drawn is not None:
        document["votes"] = {"noise": spec, "seed": seed, **_described(drawn, model, dataset.train)}
    if sheet is not None:
        from murk.show import write_contact_sheet

        document["sheet"] = str(write_contact_sheet(dataset.train, sheet, votes=drawn))
    if as_json:
        print_json(document)
    else:
        _print_shown(document)


def _listed(entry: CatalogEntry) -> dict[str, Any]:
    size = sum(remote.size for remote in entry.remotes) / MEGABYTE
    folder, place = None, f"murk data fetch {entry.name} ({size:.0f} MB)"
    if entry.layout == "bundled":
        place = "bundled with scikit-learn"
    else:
        try:
            folder = murk.data.locate(entry.name)
            place = place if folder is None else str(folder)
        except DataError as error:
            place = f"incomplete: {error}"
    return {
        "name": entry.name, "train": entry.train.num_examples, "test": entry.test.num_examples,
        "classes": entry.num_classes, "shape": list(entry.example_shape), "place": place,
        "found": entry.layout == "bundled" or folder is not None, "source": entry.homepage,
    }  # fmt: skip


def _part(examples: Examples) -> dict[str, Any]:
    known = examples.labels[examples.labels >= 0]
    return {
        "examples": len(examples), "dtype": str(examples.images.dtype),
        "unlabelled": len(examples) - len(known),
        "per_class": np.bincount(known, minlength=examples.num_classes).tolist(),
    }  # fmt: skip


def _given(votes: GivenVotes | None, num_classes: int) -> dict[str, Any] | None:
    """Tell how many votes came with the data, on how many examples, for which classes, and by whom."""
    if votes is None:
        return None
    return {
        "votes": len(votes), "examples": len(np.unique(votes.example)),
        "annotators": list(votes.annotators) or None,
        "per_class": np.bincount(votes.label[votes.label >= 0], minlength=num_classes).tolist(),
    }  # fmt: skip


def _described(votes: Votes, noise: NoiseModel, examples: Examples) -> dict[str, Any]:
    """Tell what votes look like."""
    summary = summarise_votes(votes, labels=examples.labels)
    return {
        "votes": summary.num_votes, "votes_per_example": summary.mean, "fewest": summary.fewest, "most": summary.most,
        "agreement_with_majority": summary.agreement_with_majority,
        "agreement_with_truth": summary.agreement_with_truth, "noise_rate": summary.noise_rate,
        "effective_clean_labels": effective_clean_labels(votes, noise),
        "transition_diagonal": _diagonal(noise).tolist(), "votes_per_class": list(summary.votes_per_class),
    }  # fmt: skip


def _diagonal(noise: NoiseModel) -> np.ndarray:
    """P(a vote is right) per true class; over annotators the mean."""
    if isinstance(noise, Annotators):
        return np.asarray(np.diagonal(noise.transitions, axis1=1, axis2=2).mean(axis=0))
    return np.asarray(noise.transition.diagonal)  # type: ignore[attr-defined]


def _print_shown(document: dict[str, Any]) -> None:
    train, test, votes = document["train"], document["test"], document["votes"]
    rows = [
        [name, train["per_class"][k], test["per_class"][k]] for k, name in enumerate(document["class_names"])
    ]  # fmt: skip
    columns = ["class", "train", "test"]
    if votes is not None:
        columns += ["votes for it", "P(vote right)"]
        rows = [[*row, votes["votes_per_class"][k], f"{votes['transition_diagonal'][k]:.4f}"]
                for k, row in enumerate(rows)]  # fmt: skip
    shape = "x".join(str(size) for size in document["shape"])
    title = f"{document['name']}: {train['examples']:,} to train on, {test['examples']:,} to test with"
    print_rows(f"{title}, {shape} {train['dtype']}", columns, rows)
    if votes is not None:
        print_facts(f"Votes by {votes['noise']}, seed {votes['seed']}", {
            "votes": votes["votes"],
            "votes per example": f"{votes['votes_per_example']:g} ({votes['fewest']} to {votes['most']})",
            "agree with the majority": shown_share(votes["agreement_with_majority"]),
            "agree with the truth": shown_share(votes["agreement_with_truth"]),
            "noise rate": shown_share(votes["noise_rate"]),
            "effective clean labels": f"{votes['effective_clean_labels']:,.1f} of {train['examples']:,}",
        })  # fmt: skip
    for part, given in (("to train on", document["given_votes"]), ("to test with", document["given_test_votes"])):
        if given is not None:
            per_class = [f"{name} {count:,}"
                         for name, count in zip(document["class_names"], given["per_class"], strict=True)]  # fmt: skip
            rest = and_more(len(per_class), SHOWN)
            print_facts(f"Votes that came with the data, on the examples {part}", {
                "votes": given["votes"], "examples": given["examples"],
                "annotators, in order": given["annotators"] and ", ".join(given["annotators"]),
                "for each class": ", ".join([*per_class[:SHOWN], *([rest] if rest else [])]),
            })  # fmt: skip
    if document["roles"]:
        article = "" if document["kind"] == "arrays" else "a "
        print_rows(f"Understood as {article}{document['kind']}", ("part", "taken for"), list(document["roles"].items()))
    if document["oddities"]:
        print_rows("Odd", ("what looks odd",), [(oddity,) for oddity in document["oddities"]])
    if "sheet" in document:
        print_facts("Files", {"contact sheet": document["sheet"]})
