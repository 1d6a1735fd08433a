"""`murk plan`: more labels, more votes, or clean ones, for which accuracy and at what cost."""

from __future__ import annotations

import json
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from murk.cli.failure import kept_on_interrupt
from murk.cli.network import model_for, refuse_model
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
from murk.cli.output import print_facts, print_json, print_remark, print_rows, shown_estimate
from murk.cli.place import HowRead, is_set, refuse_foreign, refuse_out
from murk.cli.progress import progress_bar
from murk.cli.train import teller
from murk.cli.voted import voted
from murk.errors import InputError, refuse
from murk.files import replace_file
from murk.lab import FOUND, Result
from murk.lab.result import FACTS, machine, versions
from murk.learn.device import settle_compute
from murk.learn.find_noise import find_noise
from murk.measure import TransitionEstimate
from murk.plan import Offer, Pilot, Plan, Prices, Purchase, Trained, pilot, plan_purchase
from murk.show import plan_page

__all__ = ["plan"]

PAGE, PILOT, NOISE = "plan.html", "pilot", "noise.safetensors"
POINTS = 25  # of the curve that is drawn


def plan(
    place: DataPlace,
    target: Annotated[float | None, typer.Option("--target", help="Accuracy wanted, such as 0.95.")] = None,
    budget: Annotated[float | None, typer.Option("--budget", help="Money to spend, in place of a target.")] = None,
    cost_label: Annotated[
        float | None, typer.Option("--cost-label", help="Price of an image more, with a noisy label.")
    ] = None,
    cost_vote: Annotated[
        float | None, typer.Option("--cost-vote", help="Price of a vote more on an image that you have.")
    ] = None,
    cost_clean: Annotated[
        float | None, typer.Option("--cost-clean", help="Price of an expert's label for an image that you have.")
    ] = None,
    order_labels: Annotated[int, typer.Option("--order-labels", min=1, help="The fewest labels that are sold.")] = 1,
    order_votes: Annotated[int, typer.Option("--order-votes", min=1, help="The fewest votes.")] = 1,
    order_clean: Annotated[int, typer.Option("--order-clean", min=1, help="The fewest clean labels.")] = 1,
    per_class: Annotated[
        float, typer.Option("--per-class", help="Clean labels that every class is to be worth at least.")
    ] = 0.0,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for what is found.")] = Path("plan"),
    minutes: Annotated[float, typer.Option("--minutes", help="To spend on trainings.")] = 5.0,
    noise: NoiseSpec = None,
    alpha: Alpha = None,
    pattern: PatternName = DilutionPattern.uniform,
    delta: Delta = None,
    ranking: Ranking = None,
    votes: Annotated[
        str | None, typer.Option("--votes", metavar="FILE|labels", help="A table of votes on PLACE, or its labels.")
    ] = None,
    side: Side = None,
    skip_corrupt: SkipCorrupt = False,
    column: ColumnNames = [],  # noqa: B006 - typer copies it
    classes: ClassNames = None,
    none_of_these: NoneOfThese = None,
    model: Annotated[str, typer.Option("--model", help="As `murk train` takes it, one that murk knows.")] = "auto",
    epochs: Annotated[
        int | None, typer.Option("--epochs", help="Passes of each training; by a rule unless said.")
    ] = None,
    seed: Seed = 0,
    device: Device = "auto",
    as_json: AsJson = False,
) -> None:
    """Say what more labels, votes or clean labels would buy, and the cheapest mix that reaches a target.

    A few small trainings on parts of your data, measured by votes that none has seen; they stay in the folder, and the
    same command goes on.
    """
    prices = Prices(cost_label, cost_vote, cost_clean, order_labels, order_votes, order_clean)
    if (target is None) == (budget is None):
        raise InputError("give --target or --budget, one of them")
    refuse([
        "" if target is None or 0 < target < 1 else f"--target is an accuracy in (0, 1), but {target!r} came",
        "" if budget is None or 0 <= budget < float("inf") else f"--budget is >= 0, but {budget!r} came",
        "" if 0 < minutes < float("inf") else f"--minutes are > 0, but {minutes!r} came",
        "" if 0 <= per_class < float("inf") else f"--per-class is >= 0, but {per_class!r} came",
        f"--model {model} would be imported; a plan trains models that murk knows by name" if ":" in model else "",
    ])  # fmt: skip
    refuse_foreign(out, "plan", (PAGE, PILOT))
    refuse_out(out, place, votes)
    refuse_model(model, frozen=False, allow_import=False)
    to_find = noise in FOUND or (noise is None and alpha is None)
    noise_of = partial(
        chosen_noise, noise=None if to_find else noise, alpha=alpha, pattern=pattern, delta=delta, ranking=ranking
    )
    refuse_noise(noise_of)
    if votes is None and is_set(place) and to_find:
        raise InputError(
            f"the labels of {place} are true; give --votes FILE, or have some drawn by --noise symmetric:.2"
        )
    how = HowRead(side, skip_corrupt, column, classes, none_of_these)
    data = voted(place, votes, noise_of, how, test_labels=None, seed=seed)
    model = model_for(model, data.dataset)
    train, kept = data.dataset.train, out / PILOT
    common: dict[str, Any] = {"groups": train.groups, "device": device, "seed": seed}
    if epochs is not None:
        common["epochs"] = epochs
    with (
        kept_on_interrupt(f"what is done is kept in {kept}; run the same command to go on", kept),
        progress_bar(f"a pilot of {model}") as advance,
    ):
        told: Any = data.mixed.noise
        if to_find:
            told = find_noise(
                model, data.mixed.images, data.mixed.votes, noise or FOUND[0], checkpoint=kept / NOISE,
                callbacks=[teller(advance)], **common,
            )  # fmt: skip
            for said in told.sentences(data.dataset.class_names):
                print_remark(said)
        found = pilot(
            model, data.mixed.images, data.mixed.votes, noise=told, minutes=minutes, checkpoint=kept,
            callbacks=[teller(advance)], **common,
        )  # fmt: skip
    weighed = told.noise if isinstance(told, TransitionEstimate) else told
    whole = plan_purchase(found, data.mixed.votes, weighed, prices, target=target, budget=budget, per_class=per_class)
    settings = {
        "model": model, "epochs": epochs, "minutes": minutes, "target": target, "budget": budget,
        "per_class": per_class, **asdict(prices),
        **data.described, "noise": data.described.get("noise") or noise or FOUND[0],
    }  # fmt: skip
    result = _result(found, whole, settings, data.about, {"pilot": seed}, device)
    _write(out, result)
    if as_json:
        print_json({"out": str(out), **result.to_dict()})
    else:
        _print(whole, found, out)


def _result(
    found: Pilot, whole: Plan, settings: dict[str, Any], data: dict[str, Any], seeds: dict[str, int], device: str
) -> Result:
    least, most = min(run.effective for run in found.runs), 8 * max(whole.held.effective, 1.0)
    sizes = np.geomspace(least, most, POINTS)
    band = whole.curve.predict(sizes)
    curve = [
        {"effective": float(size), "accuracy": {"value": value, "low": low, "high": high}}
        for size, value, low, high in zip(sizes, *(np.asarray(each).tolist() for each in
                                                   (band.value, band.low, band.high)), strict=True)
    ]  # fmt: skip
    facts = {
        "images": found.images, "effective": whole.held.effective, "measured": found.measured,
        "runs": [_plain(run) for run in found.runs],
        "families": whole.curve.weights, "curve": curve, "why_not": whole.why_not,
        "purchase": None if whole.purchase is None else _plain(whole.purchase),
        "offers": [_plain(each) for each in whole.offers], "frontier": [_plain(each) for each in whole.frontier],
        "lines": [list(each) for each in whole.lines], "said": list(whole.sentences()),
    }  # fmt: skip
    compute = settle_compute(device, "auto")
    return Result(
        command="plan", settings=settings, data=data, seeds=seeds,
        estimates={"now": whole.now, "plateau": whole.plateau,
                   "bought": None if whole.purchase is None else whole.purchase.accuracy},
        remarks={} if whole.purchase is not None else {"bought": whole.why_not}, facts=facts,
        machine=machine(device=str(compute.device), precision=compute.precision), versions=versions(),
    )  # fmt: skip


def _plain(each: Trained | Offer | Purchase) -> dict[str, Any]:
    return {**asdict(each), "accuracy": each.accuracy.to_dict()}


def _write(out: Path, result: Result) -> None:
    """Write the page, and last the result."""
    plan_page(result.to_dict()).write(out / PAGE)
    replace_file(out / FACTS, (json.dumps(result.to_dict(), indent=1, allow_nan=False) + "\n").encode())


def _print(whole: Plan, found: Pilot, out: Path) -> None:
    for said in whole.sentences():
        print_remark(said)
    bought = whole.purchase
    print_facts("Plan", {
        "images": f"{found.images:,}, worth {whole.held.effective:,.0f} clean labels; in the class with fewest "
        f"{whole.held.effective * whole.held.shares.min():,.0f}",
        "reached now": shown_estimate(whole.now.to_dict()),
        "labels without end would reach": shown_estimate(whole.plateau.to_dict()),
        "buy": whole.why_not if bought is None else f"{bought.labels:,} noisy labels, {bought.votes:,} votes, "
        f"{bought.clean:,} clean labels, for {bought.cost:,.2f}",
        "that reaches": None if bought is None else shown_estimate(bought.accuracy.to_dict()),
        "trainings": f"{len(found.runs)}, {found.seconds / 60:.1f} minutes",
        "page": out / PAGE,
    })  # fmt: skip
    print_rows("What each thing would buy", ("what", "cost", "clean labels' worth of all", "accuracy then",
                                             "now, if they measure it"), [
        (each.name, "-" if each.cost is None else f"{each.cost:,.2f}", f"{each.effective:,.0f}",
         shown_estimate(each.accuracy.to_dict()),
         "-" if each.measured is None else shown_estimate(each.measured.to_dict())) for each in whole.offers
    ])  # fmt: skip
