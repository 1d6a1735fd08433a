"""The application: its commands, its version, and how it fails."""

from __future__ import annotations

from typing import Annotated

import typer

import murk
from murk.cli.audit import audit
from murk.cli.catalog import data_app
from murk.cli.demo import demo
from murk.cli.dilute import dilute
from murk.cli.embed import embed
from murk.cli.failure import Commands
from murk.cli.plan import plan
from murk.cli.predict import predict
from murk.cli.reproduce import reproduce
from murk.cli.study import study_app
from murk.cli.train import train
from murk.errors import InputError
from murk.learn.distributed import launched

__all__ = ["app", "main"]

SHARED = ("train",)  # commands whose work several processes share

app = typer.Typer(
    name="murk", cls=Commands, help=murk.__doc__, no_args_is_help=True, rich_markup_mode="rich",
    pretty_exceptions_enable=False, context_settings={"help_option_names": ["-h", "--help"]},
)  # fmt: skip


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"murk {murk.__version__}")
        raise typer.Exit


@app.callback(
    epilog="Results go to stdout (pure JSON by --json), progress to stderr. Exit codes: 0 done, 1 failed, 2 bad input, "
    "130 interrupted."
)
def start(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Plan, train and check classifiers on labels that are mostly wrong."""
    if launched() and context.invoked_subcommand not in SHARED:
        raise InputError(
            f"several processes share the work of murk train alone, but murk {context.invoked_subcommand} was started "
            "by torchrun; start it once"
        )


app.command(epilog="Example: murk demo --out out/demo")(demo)
app.add_typer(data_app, name="data")
app.command(epilog="Example: murk dilute digits --alpha 20 --seed 0 -o votes.parquet")(dilute)
app.command(epilog="Example: murk train digits --noise dilution:20 --model mlp1 --epochs 40 --seed 0 -o run")(train)
app.command(epilog="Example: murk predict run digits -o predictions.parquet")(predict)
app.command(epilog="Example: murk embed run digits -o embeddings.npy")(embed)
app.command(epilog="Example: murk audit --probs probs.npy --labels labels.npy --sample 200 -o audit")(audit)
app.command(epilog="Example: murk plan digits --noise symmetric:.4 --target .95 --cost-label .02 --cost-clean .4")(plan)
app.add_typer(study_app, name="study")
app.command(epilog="Example: murk reproduce fig1 fig8 --size small")(reproduce)


def main() -> None:
    """Run the command line; exits with 0 done, 1 failed, 2 bad input, 130 interrupted."""
    app(prog_name="murk")
