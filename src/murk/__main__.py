"""`python -m murk`: the command line, also where each of several processes is to start it."""

from murk.cli import main

__all__ = ["main"]

if __name__ == "__main__":
    main()
