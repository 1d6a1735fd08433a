"""`murk train`: train on simulated votes, stored ones or those of a user's own data, and measure."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from murk.cli.advice import AUTO, BatchSize, LearningRate, advised, number_or_auto, refuse_advice
from murk.cli.failure import kept_on_interrupt
from murk.cli.network import MODEL_HELP, AllowImport, imported, imported_network, model_for, refuse_model
from murk.cli.noise import chosen_noise, refuse_noise
from murk.cli.options import (
    Alpha,
    AsJson,
    ClassNames,
    ColumnNames,
    DataPlace,
    Delta,
    Device,
    DilutionPattern,
    NoiseSpec,
    NoneOfThese,
    PatternName,
    Ranking,
    Seed,
    Side,
    SkipCorrupt,
)
from murk.cli.output import print_facts, print_json, print_remark, shown_estimate, shown_share
from murk.cli.place import HowRead, refuse_out
from murk.cli.progress import progress_bar
from murk.cli.voted import NO_NOISE, Voted, voted
from murk.data import Dataset
from murk.errors import InputError, refuse
from murk.lab import FOUND, Result, RunSettings, read_result, run_training, write_result
from murk.lab.result import FACTS, FIT, PREDICTIONS
from murk.lab.run import difference
from murk.learn import Progress, joined_processes
from murk.learn.checkpoint import checkpoint_files
from murk.learn.distributed import Team
from murk.learn.methods import METHODS
from murk.learn.progress import TRAINING
from murk.models import Classifier

__all__ = ["teller", "train"]

CHECKPOINT = "checkpoint.safetensors"
WORTH_TELLING = 0.1  # of the time, spent waiting
WITHOUT_NOISE = (
    f"{NO_NOISE}; or have it found, by --noise auto; or take the votes as they are, by --loss pairs or soft-labels"
)
VIEWS = "--consistency holds two changed views of an image against each other"
VOTES_HELP = (
    "A table of votes: of `murk dilute`, or yours on a PATH's examples. At a PATH also labels (its labels are the "
    "votes; so by themselves where it holds no others) or draw (they are true: draw votes by the noise)."
)
SOURCE_HELP = "Where the noisy images lie that `murk dilute --source PATH` drew for these votes; a table opens no path."


class TestLabels(StrEnum):
    """What the labels of the test part of a user's data are."""

    votes = "votes"
    clean = "clean"


def train(
    place: DataPlace,
    out: Annotated[Path, typer.Option("--out", "-o", help="Result folder; what is in it already is gone on from.")],
    noise: NoiseSpec = None,
    alpha: Alpha = None,
    pattern: PatternName = DilutionPattern.uniform,
    delta: Delta = None,
    ranking: Ranking = None,
    votes: Annotated[str | None, typer.Option("--votes", metavar="FILE|labels|draw", help=VOTES_HELP)] = None,
    source: Annotated[str | None, typer.Option("--source", metavar="PATH", help=SOURCE_HELP)] = None,
    test_labels: Annotated[
        TestLabels | None,
        typer.Option("--test-labels", help="What a PATH's test labels are; votes, where its labels are trained on."),
    ] = None,
    side: Side = None,
    skip_corrupt: SkipCorrupt = False,
    column: ColumnNames = [],  # noqa: B006 - typer copies it
    classes: ClassNames = None,
    none_of_these: NoneOfThese = None,
    model: Annotated[str, typer.Option("--model", help=MODEL_HELP)] = "auto",
    allow_import: AllowImport = False,
    frozen: Annotated[bool, typer.Option("--frozen", help="Train the head on an imported backbone alone.")] = False,
    loss: Annotated[
        str | None, typer.Option("--loss", help="evidence unless said; pairs, soft-labels, composite, h-alpha.")
    ] = None,
    method: Annotated[
        str | None,
        typer.Option("--method", help=f"Another way to learn: {', '.join(METHODS)}; elr:pull=1 sets what it has."),
    ] = None,
    weigh_as: Annotated[
        str,
        typer.Option(
            "--weigh-as",
            help="given; independent: forget that exactly one vote is right; untold: say nothing of the noise; auto: "
            "find it; auto:one-right; auto:dependent.",
        ),
    ] = "given",
    epochs: Annotated[int | None, typer.Option("--epochs", help="Passes; by a rule unless said.")] = None,
    batch_size: BatchSize = None,
    learning_rate: LearningRate = None,
    held_out: Annotated[float, typer.Option("--held-out", help="Share whose votes choose the epoch, 0 to .5.")] = 0.1,
    augment: Annotated[str, typer.Option("--augment", help="auto, none, affine, crop-flip.")] = "auto",
    consistency: Annotated[
        float | None,
        typer.Option("--consistency", min=0, help="Weight of the disagreement of two views of an image; 1, if any."),
    ] = None,
    embedding: Annotated[
        int | None, typer.Option("--embedding", min=1, help="Numbers of length one to search images by (`murk embed`).")
    ] = None,
    precision: Annotated[str, typer.Option("--precision", help="auto, float32, bfloat16.")] = "auto",
    seed: Seed = 0,
    device: Device = "auto",
    checkpoint_seconds: Annotated[
        float, typer.Option("--checkpoint-seconds", min=0, help="Least time between two checkpoints.")
    ] = 20.0,
    as_json: AsJson = False,
) -> None:
    """Train a classifier on noisy votes; measure it on clean labels, and on noisy votes beside them.

    Checkpoints go into the result folder: stopped at any moment, the same command goes on. Started as several processes
    (torchrun --nproc-per-node 2 -m murk train ...), these share the work.
    """
    refuse_out(out, place, source)
    _refuse_foreign(out)
    refuse_model(model, frozen=frozen, allow_import=allow_import)
    refuse(["--embedding goes with a model of murk's; `murk embed` hands out a backbone's own features"
            if embedding is not None and imported(model) else "", _embedding_fault(method, embedding)])  # fmt: skip
    noise, weigh_as = (None, noise) if noise in FOUND else (noise, weigh_as)
    loss = "evidence" if loss is None and method is None else loss
    auto = AUTO in (batch_size, learning_rate)
    settings = RunSettings(
        model=model, method=method, loss=loss, weigh_as=weigh_as, epochs=epochs,
        batch_size=number_or_auto("--batch-size", batch_size, int),
        learning_rate=number_or_auto("--learning-rate", learning_rate, float), held_out=held_out, augment=augment,
        consistency=consistency, precision=precision, embedding=embedding, seed=seed,
    )  # fmt: skip
    _refuse_unchanged_views(settings)
    refuse_advice(settings, wanted=auto)
    noise_of = partial(chosen_noise, noise=noise, alpha=alpha, pattern=pattern, delta=delta, ranking=ranking)
    refuse_noise(noise_of)
    to_find = weigh_as in FOUND
    data = voted(
        place, votes, noise_of, HowRead(side, skip_corrupt, column, classes, none_of_these),
        source=source, test_labels=None if test_labels is None else test_labels.value,
        without_noise=WITHOUT_NOISE if settings.needs_noise and not to_find else "", seed=seed,
    )  # fmt: skip
    if to_find:
        data.described["noise"] = data.described["noise"] or weigh_as
    settings = replace(
        settings, model=model_for(model, data.dataset),
        weigh_as=weigh_as if data.mixed.simulated or to_find else "given",
    )  # fmt: skip
    _refuse_views(settings, data.dataset)
    network = imported_network(settings.model, data.dataset, frozen=frozen, seed=seed)
    if network is not None:
        data.described["frozen"] = frozen
    if auto:
        settings = advised(settings, data, network, batch=batch_size == AUTO, rate=learning_rate == AUTO, device=device)
    with joined_processes() as us:
        how = {"device": device, "checkpoint_seconds": checkpoint_seconds}
        result = _result(data, settings, network, us, out=out, **how)
    if not us.leads:
        return
    if as_json:
        print_json({"out": str(out), **result.to_dict()})
    else:
        _print_result(result, data.told, out)


def _embedding_fault(method: str | None, embedding: int | None) -> str:
    """Say that a method needs an embedding, or nothing; of a method that is none something else says so."""
    kind = METHODS.get((method or "").partition(":")[0])
    if kind is None or not kind.trains_embeddings or embedding is not None:
        return ""
    return f"--method {method} trains an embedding; say of how many numbers: --embedding 64"


def _result(
    data: Voted, settings: RunSettings, network: Classifier | None, us: Team, *, out: Path, **compute: Any
) -> Result:
    """Train into the folder, go on from what is in it, or read what is finished in it."""
    checkpoint = out / CHECKPOINT
    if (out / FACTS).is_file():
        _refuse_other(read_result(out), {**data.described, **asdict(settings)}, out)
        print_remark(f"{out} holds this very training already; remove it to train again")
        return read_result(out)
    kept = f"what is done is kept in {out}; run the same command to go on"
    title = f"training {settings.model}" + (f" by {us.size} processes" if us.size > 1 else "")
    with kept_on_interrupt(kept, *checkpoint_files(checkpoint)), progress_bar(title, shown=us.leads) as advance:
        run = run_training(
            data.dataset, data.mixed, settings=settings, described=data.described, checkpoint=checkpoint,
            data=data.about, network=network,
            callbacks=[teller(advance)], **compute,
        )  # fmt: skip
        if not us.leads:
            return run.result
        write_result(out, run.result, predictions=run.predictions, fit=replace(run.fit, feature_names=_names(data)))
    for path in checkpoint_files(checkpoint):
        path.unlink(missing_ok=True)
    return run.result


def _names(data: Voted) -> tuple[str, ...] | None:
    """Name the columns of features, in their order, for predictions to find them again; None where there are none."""
    names = data.described.get("features")
    return None if names is None else tuple(names)


def _refuse_unchanged_views(settings: RunSettings) -> None:
    """Refuse views of images that settings leave as they are."""
    views, augment = bool(settings.consistency), settings.augment
    refuse([
        f"{VIEWS}, but --augment none changes nothing; leave one of them out" if views and augment == "none" else "",
        f"{VIEWS}, but --model perceptron takes unchanged ones; choose another, or say --augment affine or crop-flip"
        if views and augment == "auto" and settings.model == "perceptron" else "",
    ])  # fmt: skip


def _refuse_views(settings: RunSettings, dataset: Dataset) -> None:
    """Refuse changes of images, and views of them, where there are numbers."""
    if dataset.train.is_images:
        return
    refuse([
        f"{VIEWS}, but {dataset.name} holds numbers; leave it out" if settings.consistency else "",
        f"--augment {settings.augment} changes images, but {dataset.name} holds numbers; leave it out"
        if settings.augment not in ("auto", "none") else "",
    ])  # fmt: skip


def _refuse_other(before: Result, now: dict[str, Any], out: Path) -> None:
    # what JSON cannot tell apart (tuples and lists) is compared as JSON holds it
    told = difference(dict(before.settings), json.loads(json.dumps(now)))
    if told:
        raise InputError(f"{out} holds the result of another training ({told}); name another folder by -o")


def _refuse_foreign(out: Path) -> None:
    """Refuse a folder that holds what no training wrote: nothing of the user's is mixed with or overwritten."""
    if out.exists() and not out.is_dir():
        raise InputError(f"{out} is a file; name a folder by -o")
    known = (CHECKPOINT, FACTS, FIT, PREDICTIONS, ".")
    strange = [entry.name for entry in out.iterdir() if not entry.name.startswith(known)] if out.exists() else []
    if strange:
        raise InputError(f"{out} holds other things ({', '.join(sorted(strange)[:3])}); name a new folder by -o")


def teller(advance: Callable[..., None]) -> Callable[[Progress], None]:
    """Turn a training's progress into that of a bar."""

    def tell(progress: Progress) -> None:
        note, ended = f"loss {progress.loss:.4f}", progress.epoch
        if ended is not None:
            held_out = "" if ended.held_out_loss is None else f", held-out {ended.held_out_loss:.4f}"
            note = f"epoch {ended.epoch}, loss {ended.training_loss:.4f}{held_out}"
        if progress.seconds_waiting > WORTH_TELLING * progress.seconds:
            note += f", waits for data {progress.seconds_waiting / progress.seconds:.0%} of the time"
        if progress.phase != TRAINING:
            note = f"{progress.phase}: {note}"
        advance(progress.step, progress.steps, note, seconds_left=progress.seconds_left, milestone=ended is not None)

    return tell


def _print_result(result: Result, votes: str, out: Path) -> None:
    found, facts, settings = result.to_dict()["estimates"], result.facts, result.settings
    worth, of = facts["effective_clean_labels"], f"{facts['training_examples']:,} examples"
    print_facts(f"{settings['model']} on {result.data['name']}, noise {settings['noise']}", {
        "votes": votes,
        "accuracy, clean labels": shown_estimate(found["accuracy"], result.remarks.get("accuracy", "")),
        "accuracy, noisy votes": shown_estimate(
            found["accuracy_from_votes"], result.remarks.get("accuracy_from_votes", "")
        ),
        "noise rate of the votes": shown_share(facts["noise_rate"]),
        "noise found": " ".join(facts.get("said", ())) or None,
        "effective clean labels": None if worth is None else f"{worth:,.1f}, from {facts['votes']:,} votes on {of}",
        "epoch kept": f"{facts['selected_epoch']} of {facts['epochs']}, by {facts['selected_by']}",
        "folder": out,
    })  # fmt: skip
