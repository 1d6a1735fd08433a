"""How a command fails: one line on stderr that says what to do, and an exit code."""

from __future__ import annotations

import os
import traceback
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperGroup

from murk.cli.output import print_remark
from murk.cli.spelling import in_options
from murk.errors import InputError, MurkError

__all__ = ["Commands", "kept_on_interrupt", "told_failures"]

FAILED, BAD_INPUT, INTERRUPTED = 1, 2, 130
TRACEBACK = "MURK_TRACEBACK"
NOTHING_KEPT = "nothing is left half-written; run the same command to start again"


class Commands(TyperGroup):
    """Commands whose failures are told in one line."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was asked for."""
        options: set[str] = set()
        with told_failures(options):
            try:
                return super().invoke(ctx)
            finally:
                command = self.commands.get(ctx.invoked_subcommand or "")
                options.update(option for each in (command.params if command else ()) for option in each.opts)


@contextmanager
def told_failures(options: Collection[str]) -> Iterator[None]:
    """Turn an exception into one line on stderr and an exit code; set MURK_TRACEBACK=1 to see where it came from.

    Args:
        options: of the command; they are looked at when it has failed.
    """
    try:
        yield
    except InputError as error:
        _leave(in_options(str(error), options), BAD_INPUT)
    except MurkError as error:
        _leave(in_options(str(error), options), FAILED)
    except KeyboardInterrupt as stop:
        _leave(f"interrupted: {stop.args[0] if stop.args else NOTHING_KEPT}", INTERRUPTED)
    except BrokenPipeError:
        raise  # whoever read our output has gone: nothing to tell
    except Exception as error:
        if getattr(error, "exit_code", None) is not None:
            raise  # the command line's own: bad options, --version, exits
        hint = "" if _wants_traceback() else f"; set {TRACEBACK}=1 to see where"
        _leave(f"unexpected {type(error).__name__}: {error}{hint}", FAILED)


@contextmanager
def kept_on_interrupt(what: str, *kept: Path) -> Iterator[None]:
    """Say on Ctrl-C what is kept and how to go on, if any of the files `kept` is there by then."""
    try:
        yield
    except KeyboardInterrupt as stop:
        raise KeyboardInterrupt(what if any(path.exists() for path in kept) else NOTHING_KEPT) from stop


def _wants_traceback() -> bool:
    return os.environ.get(TRACEBACK, "") not in ("", "0")


def _leave(text: str, code: int) -> None:
    if _wants_traceback():
        traceback.print_exc()
    print_remark(text)
    raise typer.Exit(code)
