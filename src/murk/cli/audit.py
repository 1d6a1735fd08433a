"""`murk audit`: which labels are wrong, how many, and which to check to know it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from murk.audit import (
    Findings,
    Given,
    audit_fitted,
    audit_labels,
    audited_truth,
    clear_questions,
    promises,
    read_embeddings,
    read_given,
    write_audit,
    write_corrected,
    write_questions,
)
from murk.audit.folder import EXAMPLES, LISTED, result_of
from murk.cli.audit_pages import CHECK_PAGE, PAGE, Pictured, write_pages
from murk.cli.failure import kept_on_interrupt
from murk.cli.network import MODEL_HELP, AllowImport, imported_network, model_for, refuse_model
from murk.cli.noise import chosen_noise, refuse_noise
from murk.cli.options import (
    AsJson,
    ClassNames,
    ColumnNames,
    Device,
    DilutionPattern,
    NoiseSpec,
    NoneOfThese,
    Seed,
    Side,
    SkipCorrupt,
)
from murk.cli.output import print_facts, print_json, print_remark, print_rows, shown_estimate
from murk.cli.place import HowRead, is_set, read_shown, refuse_foreign, refuse_out
from murk.cli.progress import progress_bar
from murk.cli.train import teller
from murk.cli.voted import voted
from murk.data import as_source
from murk.errors import InputError, refuse
from murk.lab import FOUND
from murk.lab.result import FACTS
from murk.learn import cross_fit

__all__ = ["audit"]

QUESTIONS, FOLDS = "to_check.csv", "folds"
WRITTEN = (EXAMPLES, LISTED, QUESTIONS, PAGE, CHECK_PAGE, FACTS)
VOTES, TRUTH = "votes", "truth"
FOLDS_UNLESS_SAID = 5
SHOWN = 10
MANY, PAIRED_NUMBERS = 100_000, 4e10  # embeddings; numbers of pairs that two cores compare in a second


@dataclass(frozen=True)
class _Audited:
    """What is found before any label is checked, and what it depends on."""

    found: Findings
    settings: dict[str, Any]
    data: dict[str, Any]
    seeds: dict[str, int]
    pictured: Pictured | None
    rows: np.ndarray | None = None


def audit(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for what is found; an older audit is replaced.")],
    place: Annotated[
        str | None,
        typer.Argument(metavar="[PLACE]", help="Your data at a path, or a set's name: classifiers are trained for it."),
    ] = None,
    probs: Annotated[
        Path | None,
        typer.Option("--probs", metavar="FILE", help="Out-of-sample probabilities: .npy [N, K], .npz, or a table."),
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option("--labels", metavar="FILE", help="Their labels: .npy, .npz, a table; else beside them."),
    ] = None,
    probs_of: Annotated[
        str | None,
        typer.Option(
            "--probs-of",
            help="What probabilities estimate. votes: trained on such labels as they are (of --probs unless said); "
            "truth: evidence training (of PLACE unless said).",
        ),
    ] = None,
    images: Annotated[
        str | None,
        typer.Option("--images", metavar="PLACE", help="With --probs: where the images are, by id or in one order."),
    ] = None,
    embeddings: Annotated[
        Path | None,
        typer.Option(
            "--embeddings",
            metavar="FILE",
            help="What a network makes of each example, .npy [N, D]: finds "
            "near-duplicates and what is unlike all others.",
        ),
    ] = None,
    sample: Annotated[
        int | None, typer.Option("--sample", min=1, help="Write so many examples to check, drawn to tell most.")
    ] = None,
    audited: Annotated[
        Path | None, typer.Option("--audited", metavar="FILE", help="Labels that were checked: columns id and truth.")
    ] = None,
    corrected: Annotated[
        Path | None,
        typer.Option(
            "--corrected",
            metavar="FILE",
            help="Write all labels put right, as .csv or .parquet: as checked, else as suggested.",
        ),
    ] = None,
    votes: Annotated[
        str | None, typer.Option("--votes", metavar="FILE|labels", help="A table of votes on PLACE, or its labels.")
    ] = None,
    noise: NoiseSpec = None,
    folds: Annotated[
        int, typer.Option("--folds", min=2, help="Classifiers, each trained without its fold.")
    ] = FOLDS_UNLESS_SAID,
    model: Annotated[str, typer.Option("--model", help=MODEL_HELP)] = "auto",
    allow_import: AllowImport = False,
    epochs: Annotated[int | None, typer.Option("--epochs", help="Passes; by a rule unless said.")] = None,
    side: Side = None,
    skip_corrupt: SkipCorrupt = False,
    column: ColumnNames = [],  # noqa: B006 - typer copies it
    classes: ClassNames = None,
    none_of_these: NoneOfThese = None,
    seed: Seed = 0,
    device: Device = "auto",
    as_json: AsJson = False,
) -> None:
    """Say how many labels are wrong, which, and what they should be; with some checked, how sure that is.

    From probabilities that you bring, or from data alone: then classifiers are trained out of fold, and stay in the
    folder; stopped at any moment, the same command goes on.
    """
    if (place is None) == (probs is None):
        raise InputError("give data to train on (PLACE), or probabilities (--probs FILE), one of them")
    beside = () if corrected is None or corrected.parent.resolve() != out.resolve() else (corrected.name,)
    refuse_foreign(out, "audit", (*WRITTEN[:-1], FOLDS, *beside))
    inputs = (probs, labels, embeddings, votes, images, place)
    for name in WRITTEN:
        refuse_out(out / name, *inputs, *((audited,) if name != QUESTIONS else ()))
    if corrected is not None:
        refuse_out(
            corrected, *inputs, audited, *(out / name for name in (*WRITTEN, FOLDS)), endings=(".csv", ".parquet"),
            option="--corrected",
        )  # fmt: skip
    if probs is not None:
        given = {
            "--votes": votes, "--noise": noise, "--epochs": epochs, "--folds": folds != FOLDS_UNLESS_SAID,
            "--model": model != "auto", "--device": device != "auto", "--none-of-these": none_of_these,
            "--allow-import": allow_import,
        }  # fmt: skip
        of_images = {"--side": side, "--skip-corrupt": skip_corrupt, "--column": column}
        refuse([
            *(f"{name} goes with PLACE, where classifiers are trained" for name, value in given.items() if value),
            *(f"{name} goes with PLACE or --images" for name, value in of_images.items() if value and images is None),
        ])  # fmt: skip
        subject = _of_probs(probs, labels, probs_of or VOTES, images, HowRead(side, skip_corrupt, column, classes))
    else:
        assert place is not None
        refuse([
            "--labels goes with --probs; labels or votes of PLACE are named by --votes" if labels else "",
            "--images goes with --probs; those of PLACE are known" if images else "",
        ])  # fmt: skip
        refuse_out(out, place)
        refuse_model(model, frozen=False, allow_import=allow_import)
        how = HowRead(side, skip_corrupt, column, classes, none_of_these)
        fitting = {"folds": folds, "epochs": epochs, "seed": seed, "device": device}
        subject = _of_data(place, votes, noise, probs_of or TRUTH, how, model, out / FOLDS, fitting)
    found = subject.found
    if embeddings is not None:
        table = read_embeddings(embeddings)
        if subject.rows is not None and subject.pictured is not None and len(table) == len(subject.pictured.source):
            table = table[subject.rows]  # of all examples, those with votes
        if table.ndim == 2 and len(table) > MANY:
            hours = len(table) ** 2 * table.shape[1] / PAIRED_NUMBERS / 3600
            print_remark(f"every pair of {len(table):,} embeddings is compared: about {hours:.1f} hours on two cores")
        found = found.with_embeddings(table)
    if audited is not None:
        answers = audited_truth(audited, found)
        found = found.with_checked(answers.indices, answers.truth)
        if len(answers.unsure):
            print_remark(
                f"{len(answers.unsure):,} of {len(answers):,} answers are unsure and left out: what is said holds as "
                "far as those are like the others"
            )
    settings = {**subject.settings, "audited": None if audited is None else audited.name, "sample": sample}
    result = result_of(found, settings=settings, data=subject.data, seeds={**subject.seeds, "sample": seed})
    asked = np.zeros(0, np.int64)
    if sample is not None:
        asked = write_questions(out / QUESTIONS, found, sample, seed=seed)
    elif clear_questions(out / QUESTIONS, found):
        (out / CHECK_PAGE).unlink(missing_ok=True)
    write_pages(out, found, result.to_dict(), subject.pictured, asked, table=QUESTIONS)
    if corrected is not None:
        changed = write_corrected(corrected, found)
        print_remark(f"{changed:,} of {len(found.labels):,} labels are others in {corrected}")
    write_audit(out, found, result)
    if as_json:
        print_json({"out": str(out), "to_check": len(asked), **result.to_dict()})
    else:
        _print_found(found, result.to_dict(), out, len(asked))


def _of_probs(probs: Path, labels: Path | None, probs_of: str, images: str | None, how: HowRead) -> _Audited:
    """Audit labels by probabilities in files."""
    named = None if how.classes is None else [name.strip() for name in how.classes.split(",")]
    given = read_given(probs, labels, classes=named)
    pictured = None if images is None else _pictured(images, given, replace(how, classes=None))
    found = audit_labels(given.labels, given.probs, probs_of=probs_of, class_names=given.class_names, ids=given.ids)
    files = {"probs": probs.name, "labels": None if labels is None else labels.name, "probs_of": probs_of}
    return _Audited(found, files, {"examples": len(given.labels)}, {}, pictured)


def _pictured(images: str, given: Given, how: HowRead) -> Pictured:
    """Find the image of each example: by its id, where images and examples have ids, else in one order."""
    train = read_shown(images, how, tell=False).dataset.train
    if given.ids is None or train.ids is None:
        if len(train) != len(given.labels):
            raise InputError(
                f"{images} has {len(train):,} images to train on, but {len(given.labels):,} examples came without ids; "
                "bring those of these examples, in their order"
            )
        return Pictured(as_source(train))
    at = {str(name): row for row, name in enumerate(train.ids.tolist())}
    missing = [name for name in given.ids.tolist() if str(name) not in at]
    refuse([f"{images} has no image with the id {missing[0]!r} ({len(missing)} such)" if missing else ""])
    return Pictured(as_source(train), np.array([at[str(name)] for name in given.ids.tolist()]))


def _of_data(
    place: str, votes: str | None, noise: str | None, probs_of: str, how: HowRead, model: str, kept: Path,
    fitting: dict[str, Any],
) -> _Audited:  # fmt: skip
    """Train classifiers out of fold, and audit labels or votes by them."""
    if probs_of not in (VOTES, TRUTH):
        raise InputError(f"--probs-of is votes or truth, but {probs_of!r} came")
    to_find = noise is None or noise in FOUND
    spec = None if to_find else noise
    noise_of = partial(chosen_noise, noise=spec, alpha=None, pattern=DilutionPattern.uniform, delta=None, ranking=None)
    refuse_noise(noise_of)
    if votes is None and is_set(place) and to_find:
        raise InputError(
            f"the labels of {place} are true; give --votes FILE, or have some drawn by --noise symmetric:.2"
        )
    data = voted(place, votes, noise_of, how, test_labels=None, seed=fitting["seed"])
    model = model_for(model, data.dataset)
    network = imported_network(model, data.dataset, frozen=False, seed=fitting["seed"])
    plain = probs_of == VOTES
    weighing = None if plain else data.mixed.noise if not to_find else noise or FOUND[0]
    train = data.dataset.train
    with (
        kept_on_interrupt(f"what is done is kept in {kept}; run the same command to go on", kept),
        progress_bar(f"training {model} out of fold") as advance,
    ):
        fitted = cross_fit(
            network or model, data.mixed.images, data.mixed.votes, noise=weighing,
            method="averaging" if plain else None, groups=train.groups, checkpoint=kept, callbacks=[teller(advance)],
            **fitting,
        )  # fmt: skip
    if fitted.found is not None:
        for said in fitted.found.sentences(data.dataset.class_names):
            print_remark(said)

    by_row = train.ids is None or is_set(place)  # as votes on a set name its examples
    audited = audit_fitted(
        fitted, data.mixed.votes, class_names=data.dataset.class_names,
        ids=np.arange(len(train)).astype(str) if by_row else np.asarray(train.ids).astype(str),
    )  # fmt: skip
    told = {"model": model, "probs_of": probs_of, "folds": fitting["folds"], "epochs": fitting["epochs"],
            **data.described, "noise": noise or (None if plain else FOUND[0])}  # fmt: skip
    pictured = Pictured(as_source(data.mixed.images), audited.rows)
    return _Audited(audited.findings, told, data.about, {"training": fitting["seed"]}, pictured, audited.rows)


def _print_found(found: Findings, result: dict[str, Any], out: Path, questions: int) -> None:
    count = found.errors.count
    checked = result["facts"]["checked"]
    print_facts("Audit of labels", {
        "examples": f"{len(found.labels):,} of {len(found.class_names)} classes",
        "wrong labels": shown_estimate(result["estimates"]["noise_rate"]) if checked else
        f"between {count.low:,.0f} and {count.high:,.0f}; {count.assumed}",
        "checked": f"{checked}, of which {result['facts']['checked_wrong']} wrong" if checked else None,
        "predicted class is the true one": shown_estimate(result["estimates"]["accuracy"]) if checked else None,
        "probably wrong": f"{int(found.errors.flagged.sum()):,}, in {LISTED}",
        "to check": f"{questions:,} examples in {QUESTIONS}; fill the column truth (? where unsure), then --audited"
        if questions else None,
        "page": out / PAGE,
    })  # fmt: skip
    judged = [(each.verdict, each.name) for each in promises(found) if each.estimate is not None]
    if judged:
        print_rows("Promises", ("verdict", "promise"), judged)
    rows = [
        (each.true, each.label, round(each.expected), f"{each.share:.1%}") for each in found.confusions[:SHOWN]
        if each.expected >= 0.5
    ]  # fmt: skip
    if rows:
        print_rows("Most frequent confusions", ("is", "labelled", "expected", "of the class"), rows)
    for said in found.sentences():
        print_remark(said)
