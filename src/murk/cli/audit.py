"""`murk audit`: which labels are wrong, how many, and which to check to know it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from murk.audit import Findings, audit_labels, audited_truth, read_given, write_audit, write_questions
from murk.audit.folder import EXAMPLES, LISTED, result_of
from murk.cli.options import AsJson, ClassNames, Seed
from murk.cli.output import print_facts, print_json, print_remark, print_rows, shown_estimate
from murk.errors import InputError
from murk.lab.result import FACTS

__all__ = ["audit"]

QUESTIONS = "to_check.csv"
SHOWN = 10


def audit(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for what is found; an older audit is replaced.")],
    probs: Annotated[
        Path,
        typer.Option("--probs", metavar="FILE", help="Out-of-sample probabilities: .npy [N, K], .npz, or a table."),
    ],
    labels: Annotated[
        Path | None,
        typer.Option("--labels", metavar="FILE", help="The labels: .npy, .npz, or a table; a column of --probs."),
    ] = None,
    probs_of: Annotated[
        str,
        typer.Option("--probs-of", help="votes: of a classifier trained on such labels; truth: of evidence training."),
    ] = "votes",
    sample: Annotated[
        int | None, typer.Option("--sample", min=1, help="Write so many examples to check, drawn to tell most.")
    ] = None,
    audited: Annotated[
        Path | None, typer.Option("--audited", metavar="FILE", help="Labels that were checked: columns id and truth.")
    ] = None,
    classes: ClassNames = None,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Say how many labels are wrong, which, and what they should be; with some checked, how sure that is."""
    _refuse_foreign(out)
    named = None if classes is None else [name.strip() for name in classes.split(",")]
    given = read_given(probs, labels, classes=named)
    found = audit_labels(given.labels, given.probs, probs_of=probs_of, class_names=given.class_names, ids=given.ids)
    if audited is not None:
        found = audit_labels(
            given.labels, given.probs, probs_of=probs_of, class_names=given.class_names, ids=given.ids,
            checked=audited_truth(audited, found),
        )  # fmt: skip
    settings: dict[str, Any] = {
        "probs": probs.name, "labels": None if labels is None else labels.name, "probs_of": probs_of,
        "audited": None if audited is None else audited.name, "sample": sample,
    }  # fmt: skip
    data = {"examples": len(found.labels), "class_names": list(found.class_names)}
    result = result_of(found, settings=settings, data=data, seeds={"sample": seed})
    questions = 0 if sample is None else write_questions(out / QUESTIONS, found, sample, seed=seed)
    write_audit(out, found, result)
    if as_json:
        print_json({"out": str(out), "to_check": questions, **result.to_dict()})
    else:
        _print_found(found, result.to_dict(), out, questions)


def _refuse_foreign(out: Path) -> None:
    """Refuse a folder that holds what no audit wrote."""
    if out.exists() and not out.is_dir():
        raise InputError(f"{out} is a file; name a folder by -o")
    known = (EXAMPLES, LISTED, FACTS, QUESTIONS)
    strange = [entry.name for entry in out.iterdir() if not entry.name.startswith(known)] if out.exists() else []
    if strange:
        raise InputError(f"{out} holds other things ({', '.join(sorted(strange)[:3])}); name a new folder by -o")


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
        "to check": f"{questions:,} examples in {QUESTIONS}; fill the column truth, then --audited" if questions else
        None,
        "folder": out,
    })  # fmt: skip
    rows = [
        (each.true, each.label, round(each.expected), f"{each.share:.1%}") for each in found.confusions[:SHOWN]
        if each.expected >= 0.5
    ]  # fmt: skip
    if rows:
        print_rows("Most frequent confusions", ("is", "labelled", "expected", "of the class"), rows)
    for said in found.sentences():
        print_remark(said)
