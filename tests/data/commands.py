"""How a test runs a command of murk, in this process."""

from __future__ import annotations

from click.testing import Result
from typer.testing import CliRunner

from murk.cli import app


def run(*arguments: object, exit_code: int | None = 0) -> Result:
    """Run a command in this process; demand an exit code, or None for any."""
    outcome = CliRunner().invoke(app, [str(argument) for argument in arguments], prog_name="murk")
    assert exit_code is None or outcome.exit_code == exit_code, outcome.stderr
    return outcome
