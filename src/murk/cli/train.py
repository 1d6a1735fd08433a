"""`murk train`: train on simulated or stored votes, and measure."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from murk.cli.catalog import load_shown
from murk.cli.dilute import noisy_images
from murk.cli.failure import kept_on_interrupt
from murk.cli.noise import chosen_noise
from murk.cli.options import (
    Alpha,
    AsJson,
    DataName,
    Delta,
    Device,
    DilutionPattern,
    NoiseSpec,
    PatternName,
    Ranking,
    Seed,
)
from murk.cli.output import print_facts, print_json, shown_estimate, shown_share
from murk.cli.progress import progress_bar
from murk.data import Dataset, as_source, content_sha256
from murk.errors import InputError
from murk.lab import (
    Mixture,
    Result,
    RunSettings,
    mixture,
    read_result,
    read_votes,
    run_training,
    write_result,
)
from murk.lab.result import FACTS, FIT, PREDICTIONS
from murk.lab.run import difference, noise_sha256
from murk.learn import Progress
from murk.noise import NoiseModel, noise_from_state

__all__ = ["train"]

CHECKPOINT = "checkpoint.safetensors"


def train(
    name: DataName,
    out: Annotated[Path, typer.Option("--out", "-o", help="Result folder; what is in it already is gone on from.")],
    noise: NoiseSpec = None,
    alpha: Alpha = None,
    pattern: PatternName = DilutionPattern.uniform,
    delta: Delta = None,
    ranking: Ranking = None,
    votes: Annotated[Path | None, typer.Option("--votes", help="Votes that `murk dilute` wrote.")] = None,
    model: Annotated[str, typer.Option("--model", help="perceptron, mlp1, conv3, conv4, resnet18, ...")] = "conv3",
    loss: Annotated[str, typer.Option("--loss", help="evidence, pairs, soft-labels, composite, h-alpha.")] = "evidence",
    weigh_as: Annotated[
        str, typer.Option("--weigh-as", help="given, or independent: forget that exactly one vote is right.")
    ] = "given",
    epochs: Annotated[int | None, typer.Option("--epochs", help="Passes; by a rule unless said.")] = None,
    batch_size: Annotated[int | None, typer.Option("--batch-size", help="Examples a step; by a rule.")] = None,
    learning_rate: Annotated[float | None, typer.Option("--learning-rate", help="The highest; by a rule.")] = None,
    held_out: Annotated[float, typer.Option("--held-out", help="Share whose votes choose the epoch, 0 to .5.")] = 0.1,
    augment: Annotated[str, typer.Option("--augment", help="auto, none, affine, crop-flip.")] = "auto",
    consistency: Annotated[
        float | None, typer.Option("--consistency", min=0, help="Weight of the disagreement of two views; 1 is much.")
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

    Checkpoints go into the result folder: stopped at any moment, the same command goes on.
    """
    settings = RunSettings(
        model=model, loss=loss, weigh_as=weigh_as, epochs=epochs, batch_size=batch_size, learning_rate=learning_rate,
        held_out=held_out, augment=augment, consistency=consistency, precision=precision, seed=seed,
    )  # fmt: skip
    dataset = load_shown(name)
    chosen, spec = chosen_noise(
        dataset.num_classes, noise=noise, alpha=alpha, pattern=pattern, delta=delta, ranking=ranking
    )
    if votes is None:
        mixed, described = _simulated(dataset, chosen, spec, seed)
    else:
        mixed, described = _stored(dataset, votes, chosen, spec)
    result = _result(mixed, described, dataset, settings, out=out, device=device, checkpoint_seconds=checkpoint_seconds)
    if as_json:
        print_json({"out": str(out), **result.to_dict()})
    else:
        _print_result(result, out)


def _simulated(
    dataset: Dataset, noise: NoiseModel | None, spec: str | None, seed: int
) -> tuple[Mixture, dict[str, Any]]:
    """Draw votes; beside them what they depend on, as plain values."""
    if noise is None:
        raise InputError("say how labels go wrong: --alpha 20, --noise SPEC, or --votes FILE (alpha 0: clean labels)")
    mixed = mixture(dataset.train, noise, seed=seed)
    return mixed, {"data": dataset.name, "noise": spec, "noise_sha256": noise_sha256(noise), "votes_sha256": None}


def _stored(dataset: Dataset, path: Path, noise: NoiseModel | None, spec: str | None) -> tuple[Mixture, dict[str, Any]]:
    """Read votes, and find again the images they are about."""
    table = read_votes(path, num_examples=len(dataset.train), num_classes=dataset.num_classes)
    facts, mixed = table.facts, Mixture(as_source(dataset.train), table.votes, noise, "copies")
    if facts:
        if facts["data"] != {"name": dataset.name, "sha256": content_sha256(dataset)}:
            raise InputError(f"the votes in {path} are about {facts['data'].get('name')!r}, but {dataset.name} came")
        source = noisy_images(facts["source"])
        drawn = mixture(dataset.train, noise_from_state(facts["drawn_by"]), source=source, seed=facts["seed"])
        mixed = replace(drawn, votes=table.votes, noise=noise or drawn.noise)
    named = {"data": dataset.name, "noise": spec or facts.get("noise"), "noise_sha256": noise_sha256(mixed.noise)}
    return mixed, {**named, "votes_sha256": _sha256(path)}


def _result(
    mixed: Mixture, described: dict[str, Any], dataset: Dataset, settings: RunSettings, *, out: Path, **compute: Any
) -> Result:
    """Train into the folder, go on from what is in it, or read what is finished in it."""
    checkpoint = out / CHECKPOINT
    if (out / FACTS).is_file():
        _refuse_other(read_result(out), {**described, **asdict(settings)}, out)
        print(f"murk: {out} holds this very training already; remove it to train again", file=sys.stderr)
        return read_result(out)
    _refuse_foreign(out)
    kept = f"{checkpoint} is kept; run the same command to go on"
    with kept_on_interrupt(checkpoint, kept), progress_bar(f"training {settings.model}") as advance:
        run = run_training(
            dataset, mixed, settings=settings, described=described, checkpoint=checkpoint,
            callbacks=[_teller(advance)], **compute,
        )  # fmt: skip
        write_result(out, run.result, predictions=run.predictions, fit=run.fit)
    checkpoint.unlink(missing_ok=True)
    return run.result


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


def _teller(advance: Callable[..., None]) -> Callable[[Progress], None]:
    def tell(progress: Progress) -> None:
        note, ended = f"loss {progress.loss:.4f}", progress.epoch
        if ended is not None:
            held_out = "" if ended.held_out_loss is None else f", held-out {ended.held_out_loss:.4f}"
            note = f"epoch {ended.epoch}, loss {ended.training_loss:.4f}{held_out}"
        advance(progress.step, progress.steps, note, seconds_left=progress.seconds_left, milestone=ended is not None)

    return tell


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _print_result(result: Result, out: Path) -> None:
    found, facts, settings = result.to_dict()["estimates"], result.facts, result.settings
    worth, of = facts["effective_clean_labels"], f"{facts['training_examples']:,} examples"
    print_facts(f"{settings['model']} on {result.data['name']}, noise {settings['noise']}", {
        "accuracy, clean labels": shown_estimate(found["accuracy"], result.remarks.get("accuracy", "")),
        "accuracy, noisy votes": shown_estimate(
            found["accuracy_from_votes"], result.remarks.get("accuracy_from_votes", "")
        ),
        "noise rate of the votes": shown_share(facts["noise_rate"]),
        "effective clean labels": None if worth is None else f"{worth:,.1f}, from {facts['votes']:,} votes on {of}",
        "epoch kept": f"{facts['selected_epoch']} of {facts['epochs']}, by {facts['selected_by']}",
        "folder": out,
    })  # fmt: skip
