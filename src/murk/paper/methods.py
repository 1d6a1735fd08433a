"""The field's methods under one protocol: who learns what, from which noise, with how much help.

Shown: test accuracy at the epoch that held-out noisy votes chose, of every method at every noise, and the gap to the
epoch that clean test labels would have chosen, which published tables often report.
Command: murk reproduce methods
Time: size small, some 10 hours of one core (x86 with bfloat16, one thread a run) for digits and clothes; photographs
take minutes of a GPU, or as long again.
Same network, images, passes, augmentation, optimizer and averaging for all; a method's own settings are its paper's. A
row marked "oracle" is told the true noise, which nobody has. Networks of SAM have GroupNorm, because its gradients are
of single examples; cross-entropy with GroupNorm stands beside them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from murk.lab import mean_difference, mean_over_runs
from murk.measure import Estimate
from murk.paper.figure import Axis, Cell, Figure, Outcome, Row
from murk.paper.sizes import Size

__all__ = ["AUTO", "FIGURE", "ORACLES", "SERIES", "against_the_best"]

AUTO = "evidence, noise found"
GROUP_NORM = ", GroupNorm"
ORACLE = " (oracle)"

PLAIN: dict[str, dict[str, Any]] = {
    "cross-entropy": {"method": "cross-entropy"},
    "averaging": {"method": "averaging"},
    "soft labels": {"method": "soft-labels"},
    "label smoothing": {"method": "label-smoothing"},
    "GCE": {"method": "gce"},
    "mixup": {"method": "mixup"},
    "ELR": {"method": "elr"},
    "SOP": {"method": "sop"},
    "forward, T of anchors": {"method": "forward"},
    AUTO: {"method": "evidence", "weigh_as": "auto"},
    f"forward, T known{ORACLE}": {"method": "forward", "weigh_as": "given"},
    f"co-teaching{ORACLE}": {"method": "co-teaching", "weigh_as": "given"},
    f"evidence, noise known{ORACLE}": {"method": "evidence", "weigh_as": "given"},
}
OWN_NORM = {"norm": "group", "precision": "float32"}  # rho is small beside bfloat16's steps
SHARP: dict[str, dict[str, Any]] = {
    f"averaging{GROUP_NORM}": {"method": "averaging", **OWN_NORM},
    f"n-SAM{GROUP_NORM}": {"method": "n-sam", **OWN_NORM},
    f"1-SAM{GROUP_NORM}": {"method": "1-sam", **OWN_NORM},
    f"L-SAM{GROUP_NORM}": {"method": "l-sam", **OWN_NORM},
    f"J-SAM{GROUP_NORM}": {"method": "j-sam", **OWN_NORM},
    f"penalty{GROUP_NORM}": {"method": "penalty", **OWN_NORM},
}
SERIES = (*PLAIN, *SHARP)
ORACLES = tuple(name for name in SERIES if name.endswith(ORACLE))

SETS = {"mnist": "MNIST", "fashion-mnist": "Fashion-MNIST", "cifar10": "CIFAR-10", "cifar100": "CIFAR-100",
        "digits": "digits"}  # fmt: skip
DILUTED = {"alpha": 20, "delta": 0.5, "ranking": "random:0"}
NOISES: dict[str, dict[str, Any]] = {
    "symmetric 60 %": {"noise": "symmetric:0.6"},
    "symmetric 80 %": {"noise": "symmetric:0.8"},
    "pair flip 45 %": {"noise": "pairflip:0.45"},
    "by instance 40 %": {"noise": "instance:0.4"},
    "alpha 20, delta .5": DILUTED,
}
ASYMMETRIC = {"asymmetric 40 %": {"noise": "flips:0.4,to=9>1+2>0+4>7+3>5+5>3"}}  # of CIFAR-10's classes, Patrini 2017
MILD: dict[str, dict[str, Any]] = {
    "symmetric 20 %": {"noise": "symmetric:0.2"},
    "symmetric 40 %": {"noise": "symmetric:0.4"},
}
SEEDS = {"smoke": 1, "small": 3, "full": 3}


def cells(size: Size, _: Any) -> Iterator[Cell]:
    """Every method at every noise; soft labels where an image has several, SAM on the first set alone."""
    plan = _plan(size)
    for methods in (PLAIN, SHARP):
        for data, base in plan.items():
            if methods is SHARP and data != next(iter(plan)):
                continue
            for noise, drawn in _noises(size, data).items():
                for name, how in methods.items():
                    if name == "soft labels" and drawn is not DILUTED:
                        continue  # with one vote an image it is averaging
                    setting = {"weigh_as": "untold", **base, **drawn, **how, "watch": True}
                    if drawn is DILUTED and how.get("weigh_as") == "given" and how["method"] == "evidence":
                        setting["weigh_as"] = "independent"  # that one vote is right is more than the noise
                    yield Cell(f"{SETS[data]}, {noise}", name, 0, setting, SEEDS[size.name])


def _noises(size: Size, data: str) -> dict[str, dict[str, Any]]:
    """Give the noises of a set at a size."""
    if data == "cifar10":
        return {**(MILD | NOISES if size.name == "full" else {"symmetric 40 %": MILD["symmetric 40 %"]}), **ASYMMETRIC}
    if size.name == "smoke":
        return {name: NOISES[name] for name in ("by instance 40 %", "alpha 20, delta .5")}
    return {**MILD, **NOISES} if size.name == "full" else NOISES


def _plan(size: Size) -> dict[str, dict[str, Any]]:
    """Give each set's settings at a size."""
    if size.name == "smoke":
        return {"digits": {"data": "digits", "train_size": 300, "test_size": 200, "passes": 1000, "model": "conv2",
                           "width": 4, "dropout": 0.0}}  # fmt: skip
    passes = 100_000 if size.name == "small" else 1_000_000
    images = 20_000 if size.name == "small" else None
    base = {"model": "conv3", "train_size": images, "passes": passes}
    sets = {name: {**base, "data": name} for name in ("mnist", "fashion-mnist")}
    photographs = {"passes": 100_000, "train_size": 10_000, "width": 16} if size.name == "small" else {
        "passes": 2_000_000, "train_size": None}  # fmt: skip
    return sets | {"cifar10": {"data": "cifar10", "model": "resnet18", **photographs}}


def rows(cells: Sequence[Cell], outcomes: Mapping[tuple[int, int], Outcome]) -> list[Row]:
    """Put the runs of each cell together: accuracy at the selected epoch, at the last, and the gap to the best."""
    found = []
    for number, cell in enumerate(cells):
        own = {seed: outcomes[number, seed] for seed in range(cell.seeds) if (number, seed) in outcomes}
        if not own:
            continue
        n_test = next(iter(own.values()))["facts"]["test_examples"]

        def of(name: str, own: Mapping[int, Outcome] = own) -> dict[int, float]:
            return {seed: outcome["estimates"][name]["value"] for seed, outcome in own.items()}

        selected, last, best = of("accuracy"), of("accuracy_last"), of("accuracy_best")
        here, there = _mean(selected, n_test), _mean(last, n_test)
        found.append({
            "panel": cell.panel, "series": cell.series, "x": cell.x, "value": here.value, "low": _end(here, "low"),
            "high": _end(here, "high"), "n_seeds": len(own), "planned": cell.seeds, "n_test": n_test, "seeds": selected,
            "last": there.value, "last_low": _end(there, "low"), "last_high": _end(there, "high"),
            "seeds_last": last,
            "gap_to_best": sum(max(best[seed] - selected[seed], 0.0) for seed in own) / len(own),
            "seconds": sum(outcome["facts"]["training_seconds"] for outcome in own.values()) / len(own),
        })  # fmt: skip
    return found


def against_the_best(rows: Sequence[Row]) -> list[tuple[str, str, Estimate]]:
    """Hold evidence with the noise found against the best other method that is not told the noise, at each noise.

    Of each other method the better of its selected and its last epoch counts: held-out votes choose that of evidence by
    their likelihood, and of the others by a coarser count.

    Returns:
        Panel, the other's name, and the difference of the means over the seeds that both have; its interval is
        Student's over these seeds, and nothing with one. The best of many is chosen by the numbers compared: the
        difference is, if anything, too low.
    """
    found = []
    for panel in dict.fromkeys(row["panel"] for row in rows):
        here = {row["series"]: row for row in rows if row["panel"] == panel and row["series"] not in ORACLES}
        ours = here.pop(AUTO, None)
        if ours is None or not here:
            continue
        other = max(here.values(), key=lambda row: max(row["value"], row["last"]))
        theirs = other["seeds"] if other["value"] >= other["last"] else other["seeds_last"]
        common = sorted(ours["seeds"].keys() & theirs.keys())
        if len(common) > 1:
            above = mean_difference(ours["seeds"], theirs, resolution=1 / ours["n_test"])
        else:
            value = sum(ours["seeds"][seed] - theirs[seed] for seed in common)
            above = Estimate(value, value, value, 0.95, "one run")
        found.append((panel, other["series"], above))
    return found


def _mean(values: Mapping[int, float], n_test: int) -> Estimate:
    """Give the mean over seeds with its interval; with one seed, without."""
    if len(values) > 1:
        return mean_over_runs(list(values.values()), resolution=1 / n_test)
    (value,) = values.values()
    return Estimate(value, value, value, 0.95, "one run")


def _end(estimate: Estimate, end: str) -> float | None:
    return None if estimate.method == "one run" else float(getattr(estimate, end))


def _note(size: Size) -> str:
    return "" if size.name == "small" else size.note


FIGURE = Figure(
    "methods", "Methods under one protocol",
    "Test accuracy at the epoch chosen by held-out noisy votes (a tenth of the images), clean labels never used but to "
    "measure. Rows marked oracle are told the true noise.",
    "", Axis("", "linear"), cells, rows=rows, form="heat map", note=_note,
)  # fmt: skip
