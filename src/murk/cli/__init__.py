"""The command `murk`: a thin skin over the library."""

from murk.cli.app import app, main

__all__ = ["app", "main"]
