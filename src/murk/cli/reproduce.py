"""`murk reproduce`: the study that murk grew from, run again figure by figure."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from murk.cli.computing import Jobs, Minutes, Ray, executor_for, fetch_sets, teller
from murk.cli.failure import FAILED, kept_on_interrupt
from murk.cli.options import AsJson, Device
from murk.cli.output import print_json, print_rows
from murk.cli.progress import progress_bar
from murk.errors import InputError, name_fault, refuse
from murk.files import replace_file
from murk.lab import Executor, Store, StoredRun
from murk.lab.executors import processes_here
from murk.measure import Estimate
from murk.paper import COMPARISONS, FIGURES, Drawn, Figure, Size, draw_figure, plan_figures, size_named
from murk.paper import reproduce as run_figures
from murk.paper.claims import CLAIMS
from murk.paper.gallery import claims_csv, judged, write_figures, write_gallery
from murk.paper.verdicts import Judged

__all__ = ["reproduce"]

OUT = Path("out/paper")


def reproduce(
    names: Annotated[
        list[str],
        typer.Argument(metavar="NAME...", help="fig1 to fig11, rates, claims, all; or methods, sam, law, retrieval."),
    ],
    size: Annotated[str, typer.Option("--size", help="smoke (a check that it runs), small, or full.")] = "small",
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for pictures, numbers and the page.")] = OUT,
    store: Annotated[Path | None, typer.Option("--store", help="Where runs are kept; OUT/SIZE.sqlite.")] = None,
    jobs: Jobs = None,
    ray: Ray = None,
    device: Device = "auto",
    minutes: Minutes = None,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Run also what failed, once more.")] = False,
    draw: Annotated[bool, typer.Option("--draw", help="Run nothing; draw what the store holds.")] = False,
    as_json: AsJson = False,
) -> None:
    """Run what figures of the paper still need, and write what they show: a picture and its numbers each.

    What has run stays in the store: stopped at any moment, the same command goes on. What another kind of machine has
    done is not done again. Without --jobs, as many trainings run at a time as there are cores.
    """
    if draw and retry_failed:
        raise InputError("--draw runs nothing, and --retry-failed runs what failed; give one of them")
    scale = size_named(size)
    figures = _figures(names, scale)
    executor = executor_for(jobs=jobs, ray=ray, minutes=minutes, default=processes_here())
    if out.exists() and not out.is_dir():
        raise InputError(f"--out is a folder, but {out} is a file; name another")
    place = out / f"{scale.name}.sqlite" if store is None else store
    if draw:
        with Store(place, read_only=True) as opened:
            drawn = [draw_figure(each, scale, opened) for each in plan_figures(figures, scale, opened, device=device)]
    else:
        fetch_sets(name for figure in figures for name in _sets(figure, scale))
        with Store(place) as opened:
            drawn = _run(figures, scale, opened, executor, device=device, minutes=minutes, retry_failed=retry_failed)
    options = [*(["--out", str(out)] if out != OUT else []), *(["--store", str(store)] if store is not None else [])]
    files = write_gallery(out, drawn, options=options) if "all" in names else write_figures(out, drawn)
    claims = judged(drawn) if {"all", "claims"} & {*names} else []
    if claims and "all" not in names:
        files.append(out / "claims.csv")
        replace_file(files[-1], claims_csv(claims).encode())
    failed = list({run.id: run for each in drawn for run in each.failed}.values())
    if as_json:
        print_json(_document(scale, place, drawn, claims, failed, files))
    else:
        _print(scale, drawn, claims, files)
        on_device = [] if device == "auto" else ["--device", device]
        _print_failed(failed, ["murk", "reproduce", *names, "--size", scale.name, *options, *on_device])
    if failed and not draw:
        raise typer.Exit(FAILED)


def _figures(names: Sequence[str], size: Size) -> list[Figure]:
    """Give the figures that the names ask for, each once.

    Raises:
        InputError: an unknown name, or a figure that cannot be run at this size.
    """
    known = {**FIGURES, **COMPARISONS}
    refuse(name_fault("a name", name, [*known, "claims", "all"]) for name in names)
    refuse(f"{name} {lacking}" for name in names if name in known and (lacking := known[name].lacks(size)))
    wanted = dict.fromkeys(figure for name in names for figure in _meant(name, size))
    return [known[name] for name in known if name in wanted]


def _meant(name: str, size: Size) -> list[str]:
    if name == "claims":
        return [claim.figure for claim in CLAIMS]
    if name != "all":
        return [name]
    lacking = {figure: lack for figure, each in FIGURES.items() if (lack := each.lacks(size))}
    for figure, lack in lacking.items():
        print(f"murk: {figure} is left out: it {lack}", file=sys.stderr)
    return [figure for figure in FIGURES if figure not in lacking]


def _sets(figure: Figure, size: Size) -> Iterator[str]:
    """Name the sets that a figure's runs show, and some words that name no set."""
    for cell in tuple(figure.needs(size)) or figure.cells(size, ()):
        yield from (cell.setting[key] for key in ("data", "source") if key in cell.setting)


def _run(
    figures: Sequence[Figure], size: Size, store: Store, executor: Executor, *, device: str, minutes: float | None,
    retry_failed: bool,
) -> list[Drawn]:  # fmt: skip
    kept = f"what is done is kept in {store.path}; the same command goes on"
    with kept_on_interrupt(kept, store.path), progress_bar(f"size {size.name}") as advance:
        return run_figures(
            figures, size, store, executor=executor, device=device, minutes=minutes, retry_failed=retry_failed,
            on_progress=teller(advance),
        )  # fmt: skip


def _seeds(drawn: Drawn) -> list[int]:
    """Give the fewest and the most seeds behind a point."""
    counts = [row["n_seeds"] for row in drawn.rows]
    return [min(counts), max(counts)] if counts else [0, 0]


def _document(
    size: Size, store: Path, drawn: Sequence[Drawn], claims: Sequence[Judged], failed: Sequence[StoredRun],
    files: Sequence[Path],
) -> dict[str, Any]:  # fmt: skip
    return {
        "size": size.name, "store": str(store),
        "figures": [
            {"name": each.figure.name, "title": each.figure.title, "done": each.done, "planned": each.planned,
             "seeds": _seeds(each), "seconds": round(each.seconds, 3)}
            for each in drawn
        ],
        "claims": [
            {"claim": each.claim.says, "tag": each.claim.tag, "figure": each.claim.figure, "series": each.series,
             "verdict": each.verdict, "estimate": None if each.estimate is None else vars(each.estimate),
             "n_seeds": each.n_seeds, "why": each.why}
            for each in claims
        ],
        "failed": [{"id": run.id, "error": run.error} for run in failed], "files": [str(path) for path in files],
    }  # fmt: skip


def _print(size: Size, drawn: Sequence[Drawn], claims: Sequence[Judged], files: Sequence[Path]) -> None:
    rows = []
    for each in drawn:
        name, (fewest, most) = each.figure.name, _seeds(each)
        own = ", ".join(str(path) for path in files if path.stem == name)
        seeds = f"{most}" if fewest == most else f"{fewest} to {most}"
        rows.append((name, f"{each.done:,} of {each.planned:,}", seeds, round(each.seconds), own))
    print_rows(f"Size {size.name}", ("figure", "runs", "seeds", "seconds", "files"), rows)
    if claims:
        print_rows("Claims", ("figure", "claim", "way", "verdict", "difference"), [
            (each.claim.figure, each.claim.says, each.series, each.in_words, _shown(each.estimate))
            for each in claims
        ])  # fmt: skip
    others = [path for path in files if path.suffix in (".html", ".md") or path.name == "claims.csv"]
    if others:
        typer.echo(f"Files: {', '.join(map(str, others))}")


def _print_failed(failed: Sequence[StoredRun], command: Sequence[str]) -> None:
    """List the runs that failed, with the command that runs them again."""
    if failed:
        print_rows("Failed", ("run", "error"), [(run.id[:8], run.error) for run in failed])
        typer.echo(f"To run again what failed: {shlex.join([*command, '--retry-failed'])}")


def _shown(difference: Estimate | None) -> str:
    return "-" if difference is None else f"{difference.value:+.3f} ({difference.low:+.3f} to {difference.high:+.3f})"
