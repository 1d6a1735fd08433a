"""`murk demo`: right labels drown, and what still learns; on digits that need no download."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from murk.cli.options import AsJson, Device, Seed
from murk.cli.output import print_json, print_rows
from murk.cli.progress import progress_bar
from murk.errors import InputError

__all__ = ["demo"]


def demo(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the page, the picture and the numbers.")] = Path(
        "out/demo"
    ),
    alphas: Annotated[
        str, typer.Option("--alphas", metavar="A,B,...", help="Random labels per right one, whole numbers.")
    ] = "0,2,5,10,20,50",
    seeds: Annotated[int, typer.Option("--seeds", min=2, help="Runs of each setting, for the intervals.")] = 5,
    epochs: Annotated[int, typer.Option("--epochs", min=1, help="Passes over the training digits.")] = 60,
    processes: Annotated[
        int | None, typer.Option("--processes", min=1, help="Trainings at a time; by default one a core.")
    ] = None,
    device: Device = "cpu",
    seed: Seed = 0,
    open_page: Annotated[bool, typer.Option("--open", help="Show the page in the browser.")] = False,
    as_json: AsJson = False,
) -> None:
    """Train on digits whose right labels drown in random ones, by each method, and write a page about it."""
    wanted = _read_alphas(alphas)

    from murk.lab.demo import demo_settings, run_demo
    from murk.lab.executors import processes_here
    from murk.lab.result import machine, versions
    from murk.learn.device import settle_compute
    from murk.show import DemoResult, write_demo

    kind = str(settle_compute(device, "float32").device)
    _refuse_place(out)
    count = processes or processes_here()
    with progress_bar("demo") as advance:
        advance(0, 1, "starting")
        rows = run_demo(
            alphas=wanted, seeds=seeds, seed=seed, epochs=epochs, device=device, processes=count,
            on_progress=lambda p: advance(
                p.done, p.total, f"training {p.done} of {p.total}", seconds_left=p.seconds_left
            ),
        )  # fmt: skip
    found = [row.to_dict() for row in rows]
    settings = demo_settings(alphas=wanted, seeds=seeds, seed=seed, epochs=epochs)
    where = {**machine(device=kind, precision="float32"), "threads": 1, "processes": count, **versions()}
    page = write_demo(out, DemoResult(found, settings, {name: v for name, v in where.items() if v is not None}))
    if as_json:
        print_json({"rows": found, "page": str(page)})
    else:
        _print_table(found, page)
    if open_page:
        typer.launch(page.resolve().as_uri())


def _read_alphas(text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",")]
    except ValueError as error:
        raise InputError(f"--alphas is a list of whole numbers such as 0,2,5,10,20,50, but {text!r} came") from error


def _refuse_place(out: Path) -> None:
    """See before the work that its outcome can be kept."""
    if out.exists() and not out.is_dir():
        raise InputError(f"--out is a folder, but {out} is a file; name another")


def _print_table(rows: list[dict[str, Any]], page: Path) -> None:
    from murk.show import SERIES

    cells = {(row["method"], row["alpha"]): row for row in rows}
    alphas = sorted({row["alpha"] for row in rows})
    body = [
        [
            alpha, f"{cells['evidence', alpha]['noise_rate']:.1%}",
            f"{cells['evidence', alpha]['effective_clean_labels']:,.0f}",
            *(_shown(cells[method, alpha]["accuracy"]) for method in SERIES),
        ]
        for alpha in alphas
    ]  # fmt: skip
    columns = ("alpha", "wrong", "worth", *(f"{method} %" for method in SERIES))
    runs, first = rows[0]["n_seeds"], rows[0]["accuracy"]
    print_rows(
        f"Accuracy on clean test digits, mean of {runs} runs ({100 * first['confidence_level']:g}% interval over runs)",
        columns, body,
    )  # fmt: skip
    typer.echo("wrong: share of wrong labels; worth: how many right labels the votes of all training digits amount to")
    typer.echo(f"Page, picture and numbers: {page}")


def _shown(accuracy: dict[str, float]) -> str:
    value, low, high = (100 * accuracy[end] for end in ("value", "low", "high"))
    return f"{value:.1f} ({low:.0f} to {high:.0f})"
